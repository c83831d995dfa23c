#!/usr/bin/env python3
"""Makes the odd images of this folder and `expected.txt`, what PIL reads them as.

usage: make.py          needs pillow and numpy; made with Pillow 13.0

A line of expected.txt: file, the size it is brought to as HEIGHTxWIDTH, channels,
and the bytes in hexadecimal. Resizing is PIL's BILINEAR, gray is convert("L"), alpha is composited
on white, EXIF orientation is applied.
"""

import numpy as np
from PIL import Image, ImageOps

W, H = 17, 12
y, x = np.mgrid[0:H, 0:W]
rng = np.random.default_rng(7)


def smooth(*phases):
    planes = [127.5 + 127.5 * np.sin(0.21 * x + 0.17 * y * (1 + p) + p) for p in phases]
    return np.stack(planes, -1).round().astype(np.uint8)


rgb = Image.fromarray(smooth(0, 1, 2))
rgba = Image.fromarray(smooth(0, 1, 2, 3))
noise = Image.fromarray(rng.integers(0, 256, (23, 31, 3), dtype=np.uint8))
gray = Image.fromarray(smooth(0)[..., 0])

rgb.convert("CMYK").save("cmyk.jpg", quality=95)
rgb.save("progressive.jpg", quality=95, progressive=True)
gray.save("gray.jpg", quality=95)
exif = Image.Exif()
exif[0x0112] = 6  # turned by 90 degrees
rgb.save("turned.jpg", quality=95, exif=exif)

noise.save("noise.png")
rgba.save("alpha.png")
rgba.convert("LA").save("gray-alpha.png")
Image.fromarray((smooth(0)[..., 0].astype(np.uint16) * 257)).save("gray16.png")
palette = rgb.quantize(16)
palette.save("palette-alpha.png", transparency=bytes([0, 40, 128, 200] + [255] * 12))
rgb.convert("1").save("one-bit.png")

frames = [Image.fromarray(smooth(p, p + 1, p + 2)).quantize(32) for p in (0, 2)]
frames[0].save("animated.gif", save_all=True, append_images=frames[1:], duration=100, loop=0)
rgb.save("animated.webp", save_all=True, append_images=[rgba], duration=100, lossless=True)
rgba.save("alpha.webp", lossless=True, exact=True)
palette.save("palette.bmp")
rgb.save("rgb.ppm")
with open("plain.pgm", "w") as file:
    file.write(f"P2\n# a comment\n{W} {H}\n255\n")
    file.writelines(" ".join(map(str, row)) + "\n" for row in np.asarray(gray))
with open("truncated.jpg", "wb") as file, open("progressive.jpg", "rb") as whole:
    file.write(whole.read()[:-200])
with open("text.png", "w") as file:
    file.write("This is not an image.\n")
open("empty.png", "w").close()

GOOD = (
    "cmyk.jpg progressive.jpg gray.jpg turned.jpg noise.png alpha.png gray-alpha.png gray16.png "
    "palette-alpha.png one-bit.png animated.gif animated.webp alpha.webp palette.bmp rgb.ppm plain.pgm"
)


def read(name):
    image = ImageOps.exif_transpose(Image.open(name))
    if image.mode.startswith("I"):
        return Image.fromarray((np.asarray(image) / 257).round().astype(np.uint8))
    if image.mode in ("LA", "RGBA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255,) * 4)
        white.alpha_composite(image)
        return white.convert("RGB")
    return image


with open("expected.txt", "w") as out:
    def line(name, size, image):
        channels = len(image.getbands())
        out.write(f"{name} {size} {channels} {image.tobytes().hex()}\n")

    for name in GOOD.split():
        line(name, f"{read(name).height}x{read(name).width}", read(name).convert("RGB"))
    for height, width in ((8, 8), (32, 32), (5, 40), (1, 1), (23, 7)):
        resized = read("noise.png").resize((width, height), Image.BILINEAR)
        line("noise.png", f"{height}x{width}", resized)
        line("noise.png", f"{height}x{width}", read("noise.png").convert("L").resize((width, height), Image.BILINEAR))
