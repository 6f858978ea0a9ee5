#!/usr/bin/env python3
"""Draws the pictures and writes the lists that the demonstration and the tests use.

usage: make_exhibit.py FOLDER      (FOLDER is testdata/ itself for the files in the repository)

Everything is drawn: skies, hills, suns, houses and boats. FOLDER gets
  pictures/   what the lists know, and some pictures that no list knows
  changed/    listed pictures saved again, smaller, and as PNG
  broken/     half of a picture
  lists/      known.sha256 (GNU sum lines), known.pdq (hash,name by PyPI pdqhash over the decoded pixels)
Needs Pillow, numpy and pdqhash.
"""
import hashlib
import io
import pathlib
import random
import sys

import numpy as np
import pdqhash
from PIL import Image, ImageDraw, ImageFilter

OUT = pathlib.Path(sys.argv[1])
LISTED = ["dunes", "harbour", "orchard", "ridge"]
UNLISTED = ["lagoon", "steppe", "terrace"]


def landscape(seed, width=420, height=300):
    """A sky, three ranges of hills, a sun, some houses and boats, and a little grain."""
    chance = random.Random(seed)
    grain = np.random.default_rng(seed)
    top, low = [np.array([chance.randint(60, 255) for _ in range(3)]) for _ in range(2)]
    rows = np.linspace(0, 1, height)[:, None, None]
    picture = Image.fromarray(np.uint8(np.broadcast_to(top * (1 - rows) + low * rows, (height, width, 3))))
    pen = ImageDraw.Draw(picture)
    sun, size = chance.randint(30, width - 80), chance.randint(30, 60)
    pen.ellipse([sun, chance.randint(10, 60), sun + size, 70 + size], fill=(255, 240, chance.randint(90, 220)))
    for layer in range(3):
        base = height * (0.45 + 0.17 * layer)
        a, b, c = [chance.uniform(0.006, 0.04) for _ in range(3)]
        line = [(x, base - 28 * np.sin(a * x + seed) - 18 * np.sin(b * x * 1.7) - 9 * np.sin(c * x * 3)) for x in range(0, width + 8, 8)]
        pen.polygon(line + [(width, height), (0, height)], fill=tuple(chance.randint(20, 170) for _ in range(3)))
    for _ in range(chance.randint(3, 7)):
        x, y, side = chance.randint(0, width - 40), chance.randint(height // 2, height - 45), chance.randint(14, 38)
        pen.rectangle([x, y, x + side, y + side], fill=tuple(chance.randint(90, 255) for _ in range(3)))
        pen.polygon([(x - 4, y), (x + side + 4, y), (x + side / 2, y - side * 0.7)], fill=tuple(chance.randint(0, 140) for _ in range(3)))
    noisy = np.asarray(picture.filter(ImageFilter.GaussianBlur(0.7)), dtype=np.int16) + grain.integers(-4, 5, (height, width, 3))
    return Image.fromarray(np.uint8(np.clip(noisy, 0, 255)))


def save(name, picture, form, **options):
    path = OUT / name
    path.parent.mkdir(parents=True, exist_ok=True)
    out = io.BytesIO()
    picture.save(out, form, **options)
    path.write_bytes(out.getvalue())
    return out.getvalue()


def pdq(data):
    bits, quality = pdqhash.compute(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    assert quality >= 80, quality
    return "%064x" % int("".join(map(str, bits)), 2)


sums, hashes = [], []
for number, name in enumerate(LISTED):
    data = save(f"pictures/{name}.jpg", landscape(number + 1), "JPEG", quality=82)
    sums.append(f"{hashlib.sha256(data).hexdigest()}  {name}\n")
    hashes.append(f"{pdq(data)},{name}\n")
for number, name in enumerate(UNLISTED):
    save(f"pictures/{name}.jpg", landscape(number + 100), "JPEG", quality=82)


def listed(name):
    return Image.open(OUT / f"pictures/{name}.jpg").convert("RGB")


save("changed/dunes-saved-again.jpg", listed("dunes"), "JPEG", quality=45)
save("changed/harbour-smaller.jpg", listed("harbour").resize((280, 200), Image.LANCZOS), "JPEG", quality=75)
save("changed/orchard.webp", listed("orchard"), "WEBP", quality=70)
save("changed/ridge-mirrored.jpg", listed("ridge").transpose(Image.FLIP_LEFT_RIGHT), "JPEG", quality=80)
whole = (OUT / "pictures/lagoon.jpg").read_bytes()
(OUT / "broken").mkdir(exist_ok=True)
(OUT / "broken/half-a-lagoon.jpg").write_bytes(whole[: len(whole) // 2])
(OUT / "lists").mkdir(exist_ok=True)
(OUT / "lists/known.sha256").write_text("".join(sums))
(OUT / "lists/known.pdq").write_text("".join(hashes))
