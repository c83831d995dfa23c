#!/usr/bin/env python3
"""Makes the TIFF files of this folder by libtiff (in Pillow) and tifffile, and `expected-tiff.txt`, as make.py does.

usage: make_tiff.py          needs pillow, tifffile and numpy
"""

import numpy as np
import tifffile
from PIL import Image, ImageOps

W, H = 17, 12
y, x = np.mgrid[0:H, 0:W]


def smooth(*phases):
    planes = [127.5 + 127.5 * np.sin(0.21 * x + 0.17 * y * (1 + p) + p) for p in phases]
    return np.stack(planes, -1).round().astype(np.uint8)


rgb = Image.fromarray(smooth(0, 1, 2))
gray = Image.fromarray(smooth(0)[..., 0])

rgb.save("lzw.tif", compression="tiff_lzw")
rgb.save("deflate.tiff", compression="tiff_adobe_deflate")
gray.save("packbits.tif", compression="packbits")
rgb.convert("1").save("one-bit.tif", compression="group4")
Image.fromarray(smooth(0, 1, 2, 3)).save("alpha.tif")
rgb.convert("CMYK").save("cmyk.tif")
exif = Image.Exif()
exif[0x0112] = 6  # turned by 90 degrees
rgb.save("turned.tif", exif=exif)
Image.fromarray(smooth(0)[..., 0].astype(np.uint16) * 257).save("gray16.tif")
# A microscope's: tiles, big-endian, the planes of a stack, of which the first counts.
tifffile.imwrite("tiles.tif", smooth(0)[..., 0], tile=(16, 16), byteorder=">")
tifffile.imwrite("stack.tif", np.stack([smooth(p)[..., 0] for p in (0, 1)]), photometric="minisblack")
tifffile.imwrite("planes.tif", smooth(0, 1, 2).transpose(2, 0, 1), photometric="rgb", planarconfig="separate")
tifffile.imwrite("float.tif", smooth(0)[..., 0].astype(np.float32) * 300)
tifffile.imwrite("float-rgb.tif", smooth(0, 1, 2).astype(np.float32), photometric="rgb")

GOOD = (
    "lzw.tif deflate.tiff packbits.tif one-bit.tif alpha.tif turned.tif gray16.tif tiles.tif stack.tif planes.tif"
)

with open("expected-tiff.txt", "w") as out:
    for name in GOOD.split():
        image = Image.open("gray16.png" if name == "gray16.tif" else name)
        if name == "planes.tif":
            image = rgb
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I"):
            image = Image.fromarray((np.asarray(image, dtype=np.float64) / 257).round().astype(np.uint8))
        if image.mode == "RGBA":
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image)
        for channels, mode in ((3, "RGB"), (1, "L")):
            plain = image.convert("RGB").convert(mode) if channels == 1 and image.mode != "L" else image.convert(mode)
            for height, width in ((plain.height, plain.width), (7, 9)):
                pixels = plain.resize((width, height), Image.BILINEAR, reducing_gap=None)
                out.write(f"{name} {height}x{width} {channels} {pixels.tobytes().hex()}\n")
