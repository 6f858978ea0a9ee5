#!/usr/bin/env python3
"""Writes Sources/Scanning/CanaryPictures.swift: the drawn pictures that every scan checks itself with.

usage: make_canaries.py > ../Sources/Scanning/CanaryPictures.swift

The same drawing as a JPEG and, smaller and coarser, as another: other bytes that look alike. Needs Pillow and numpy.
The pictures are waves and discs; nothing else is in them.
"""
import base64
import io
import textwrap

import numpy as np
from PIL import Image, ImageDraw


def drawing(side=160):
    y, x = np.mgrid[0:side, 0:side] / side
    waves = np.sin(9 * x + 4 * y) + np.sin(13 * y - 5 * x) + np.sin(21 * x * y)
    picture = Image.fromarray(np.uint8(255 * (waves - waves.min()) / (waves.max() - waves.min())))
    pen = ImageDraw.Draw(picture)
    for left, top, size, shade in [(12, 20, 40, 250), (90, 8, 55, 10), (60, 80, 64, 200), (14, 104, 36, 60), (118, 110, 30, 230)]:
        pen.ellipse([left, top, left + size, top + size], fill=shade)
    return picture


def jpeg(picture, quality):
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return out.getvalue()


def constant(name, comment, data):
    lines = textwrap.wrap(base64.b64encode(data).decode(), 100)
    return f"  /// {comment}\n  static let {name} = \"\"\"\n" + "\n".join(f"    {line}\\" for line in lines[:-1]) + f"\n    {lines[-1]}\n    \"\"\"\n"


picture = drawing()
print("/// Drawn pictures, in Base64. Made by `testdata/make_canaries.py`.")
print("enum CanaryPictures {")
print(constant("listed", "Waves and discs, 160 × 160.", jpeg(picture, 80)))
print(constant("lookalike", "The same at three quarters of the size and a lower quality.", jpeg(picture.resize((120, 120), Image.LANCZOS), 60)), end="")
print("}")
