#!/usr/bin/env bash
# Writes data/fonts: the letters of Inter that charts need, from Debian's package fonts-inter, with fonttools.
set -euo pipefail
cd "$(dirname "$0")"
# Latin, Greek, Cyrillic, punctuation, arrows, signs of mathematics, simple shapes.
letters="U+0020-007E,U+00A0-017F,U+0370-03FF,U+0400-045F,U+2010-2026,U+2030-203A,U+2070-209F,U+20AC,U+2122"
letters="$letters,U+2190-2199,U+2200-22FF,U+25A0-25CF,U+FFFD"
for weight in Regular SemiBold; do
  pyftsubset "/usr/share/fonts/opentype/inter/Inter-$weight.otf" --unicodes="$letters" \
    --layout-features=kern,ccmp,mark,mkmk,locl --no-hinting --output-file="fonts/Inter-$weight.otf"
done
