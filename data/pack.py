#!/usr/bin/env python3
"""Packs a folder of class folders into one file that can be embedded in the program.

usage: pack.py FOLDER OUT.pack

The layout, all numbers little-endian:

    b"WICKPACK"            8 bytes
    count                  u32
    count times:
        length of name     u16
        name               UTF-8, "class/file.png", sorted by bytes
        length of file     u32
    the files' bytes, one after the other, in the same order
"""

import struct
import sys
from pathlib import Path

folder, out = Path(sys.argv[1]), Path(sys.argv[2])
files = sorted(
    (path.relative_to(folder).as_posix().encode(), path.read_bytes())
    for path in folder.glob("*/*.png")
)
pack = bytearray(b"WICKPACK" + struct.pack("<I", len(files)))
for name, content in files:
    pack += struct.pack("<H", len(name)) + name + struct.pack("<I", len(content))
for _, content in files:
    pack += content
out.write_bytes(pack)
