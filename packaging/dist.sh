#!/usr/bin/env bash
# Builds the static program of a release, the same bytes in every folder, and packs it:
#   packaging/dist.sh [TARGET] [OUT]
# TARGET is x86_64-unknown-linux-musl or aarch64-unknown-linux-musl, OUT a folder (target/dist). Needs Rust's standard
# library for TARGET (`rustup target add`), and `pip install ziglang cargo-zigbuild` for a compiler of C and a linker
# that are the same on every machine.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:-x86_64-unknown-linux-musl}
out=${2:-target/dist}
source packaging/environment.sh
cargo zigbuild --locked --release --bin wick --target "$target"
mkdir -p "$out"
name="wick-$version-$target"
packed=$(mktemp -d)
trap 'rm -rf "$packed"' EXIT
mkdir "$packed/$name"
cp "$build/$target/release/wick" LICENSE-MIT LICENSE-APACHE README.md CHANGELOG.md "$packed/$name/"
tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=u+rw,go+r-w \
  -C "$packed" -cf - "$name" | gzip -9n > "$out/$name.tar.gz"
(cd "$out" && sha256sum "$name.tar.gz")
