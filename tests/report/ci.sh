#!/usr/bin/env bash
# Opens reports in a browser: bash tests/report/ci.sh [--samples WICK] REPORT.html [...]
# With --samples, also those that the program WICK makes of folders with hostile names, one trial, and failures.
# Without a Chromium it is installed where apt-get can do that; else the test is skipped, and says so.
set -euo pipefail
here=$(dirname "$0")
has_browser() { command -v chromium chromium-browser google-chrome > /dev/null; }
install() {
  export DEBIAN_FRONTEND=noninteractive
  # Packages of a machine that is new are looked up once.
  timeout 100 sh -c 'apt-get install -y --no-install-recommends chromium fonts-dejavu-core ||
    { apt-get update && apt-get install -y --no-install-recommends chromium fonts-dejavu-core; }' > /dev/null 2>&1
}
if ! command -v python3 > /dev/null; then
  echo "skipped: there is no Python"
elif ! has_browser && ! { [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null && install && has_browser; }; then
  echo "skipped: there is no Chromium, and it cannot be installed"
else
  if [ "${1:-}" = --samples ]; then
    samples=$(mktemp -d)
    trap 'rm -rf "$samples"' EXIT
    python3 "$here/samples.py" "$samples" --wick "$2"
    shift 2
    set -- "$@" "$samples"/{hostile,one-seed,one-trial,all-failed}/report.html
  fi
  timeout 150 python3 "$here/browser.py" "$@"
fi
