#!/usr/bin/env bash
# The numerical tests under each instruction set that this processor has; the widest is what `cargo test` takes.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --locked
for set in portable avx2 avx512 neon; do
  if ! CANDLEWICK_INSTRUCTIONS=$set "${CARGO_TARGET_DIR:-target}/debug/wick" presets > /dev/null 2>&1; then
    echo "$set: this processor does not have it"
    continue
  fi
  echo "$set:"
  export CANDLEWICK_INSTRUCTIONS=$set
  cargo test --locked -p candlewick-kernels -p candlewick-augment --lib
  cargo test --locked --test integration -- each_family devices:: training:: transfer:: export::
done
