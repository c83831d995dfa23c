#!/usr/bin/env bash
# Builds the static program twice, from two clones in two folders of different names and lengths, and compares the bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
places=$(mktemp -d)
trap 'rm -rf "$places"' EXIT
for place in one another/folder; do
  mkdir -p "$places/$place"
  git clone --quiet . "$places/$place/clone"
  # Each has a target folder of its own.
  (cd "$places/$place/clone" && env -u CARGO_TARGET_DIR packaging/dist.sh "$@" | tail -1)
done
cmp "$places"/one/clone/target/dist/*.tar.gz "$places"/another/folder/clone/target/dist/*.tar.gz
echo "both builds are the same bytes"
