#!/usr/bin/env bash
# Runs every target for some minutes, from its seeds and from what earlier runs have found; stops at the first fault.
#   fuzz/all.sh [MINUTES] [TARGET…]
# Inputs that were found stay in corpus/ beside each package, which is not committed.
set -euo pipefail
cd "$(dirname "$0")"
seconds=$((${1:-1} * 60))
shift || true
for package in . program; do
  for file in "$package"/targets/*.rs; do
    target=$(basename "$file" .rs)
    if [ $# -gt 0 ] && [[ " $* " != *" $target "* ]]; then
      continue
    fi
    # Cards and experiments are a few kilobytes; so is a file of each other kind that shows a fault.
    length=4096
    [ "$target" != names ] || length=512
    mkdir -p "$package/corpus/$target" "$package/seeds/$target"
    echo "== $target"
    cargo +nightly fuzz run --fuzz-dir "$package" --release "$target" "$package/corpus/$target" \
      "$package/seeds/$target" -- -max_total_time="$seconds" -max_len="$length" -timeout=20 -rss_limit_mb=3000 \
      -print_final_stats=1
  done
done
