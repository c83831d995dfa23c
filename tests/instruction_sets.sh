#!/usr/bin/env bash
# The numerical tests under each instruction set that this processor has, among them that all experiments leave the
# same bytes behind. With portable code training and transfer take ten minutes: there the bytes have to do.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --locked
wick=${CARGO_TARGET_DIR:-target}/debug/wick
for set in portable avx2 avx512 neon; do
  export CANDLEWICK_INSTRUCTIONS=$set
  if ! said=$("$wick" presets 2>&1 > /dev/null); then
    # Any other trouble is trouble.
    grep -q "which this processor does not have" <<< "$said" || { echo "$set: $said" >&2; exit 1; }
    echo "$set: this processor does not have it"
    continue
  fi
  echo "$set:"
  cargo test --locked -p candlewick-kernels -p candlewick-augment --lib
  trained=(each_family training:: transfer::)
  [ "$set" != portable ] || trained=()
  cargo test --locked --test integration -- "${trained[@]}" devices:: export:: unchanged::
done
