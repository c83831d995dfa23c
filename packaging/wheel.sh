#!/usr/bin/env bash
# Builds the wheel of a release around the static program, which runs on Linux with glibc and with musl:
#   packaging/wheel.sh [TARGET] [OUT]
# As dist.sh; needs `pip install maturin wheel` too.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:-x86_64-unknown-linux-musl}
out=${2:-target/dist}
source packaging/environment.sh
machine=${target%%-*}
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
maturin build --locked --release --zig --target "$target" --compatibility musllinux_1_2 --out "$made"
python3 -m wheel tags --remove \
  --platform-tag "manylinux_2_17_$machine.manylinux2014_$machine.musllinux_1_1_$machine" "$made"/*.whl > /dev/null
mkdir -p "$out"
mv "$made"/*.whl "$out"/
(cd "$out" && sha256sum candlewick-"$version"-*"$machine".whl)
