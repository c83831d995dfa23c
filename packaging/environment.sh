# What dist.sh and wheel.sh build with: the same bytes in every folder.
root=$PWD
build=${CARGO_TARGET_DIR:-$root/target}
home=${CARGO_HOME:-$HOME/.cargo}
sysroot=$(rustc --print sysroot)
version=$(sed -n '/workspace.package/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
# Messages of panics name source files: without the folders of whoever builds.
export RUSTFLAGS="--remap-path-prefix=$build=/build --remap-path-prefix=$root=/candlewick --remap-path-prefix=$home=/cargo --remap-path-prefix=$sysroot=/rust"
export CFLAGS="-O2 -ffile-prefix-map=$build=/build -ffile-prefix-map=$root=/candlewick -ffile-prefix-map=$home=/cargo"
export CARGO_INCREMENTAL=0
# Dates of packed files: that of the commit, unless told otherwise.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
