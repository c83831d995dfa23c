#!/usr/bin/env bash
# Packages every crate as the registry gets it, builds the program from the packages, and fails where one is larger than
# 10 MB. Needs a clean working tree.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo package --workspace --locked
limit=10000000
for crate in "${CARGO_TARGET_DIR:-target}"/package/*.crate; do
  size=$(stat -c %s "$crate")
  echo "$(basename "$crate"): $size bytes"
  if [ "$size" -gt "$limit" ]; then
    echo "larger than $limit bytes" >&2
    exit 1
  fi
done
