#!/usr/bin/env bash
# Whether a packed program of dist.sh runs where there is neither glibc nor musl, nor anything else:
#   packaging/static.sh PACKED.tar.gz
# It is run in a root that holds nothing but the program and /proc, by chroot; needs root. With it, the quick start's first
# epoch.
set -euo pipefail
root=$(mktemp -d)
trap 'umount "$root/proc" 2> /dev/null; rm -rf "$root"' EXIT
tar -xzf "$1" --strip-components=1 -C "$root"
mkdir "$root/tmp" "$root/proc"
mount -t proc proc "$root/proc"
run() { chroot "$root" /wick "$@"; }
run --version
run examples quickstart > "$root/quickstart.toml"
run run quickstart.toml --quiet --set train.epochs=1 --results /tmp/results
run report /tmp/results/quickstart > /dev/null
echo "the program runs in an empty root"
