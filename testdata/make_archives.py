#!/usr/bin/env python3
"""Writes testdata/archives: the same two harmless members in every kind of archive, and some that cannot be read in full.

usage: make_archives.py   (in testdata; needs bsdtar of libarchive)

The kinds that bsdtar cannot write, rar and cab, are put together here with their members stored.
"""
import binascii, gzip, io, os, pathlib, struct, subprocess, tempfile, zipfile, zlib

OUT = pathlib.Path(__file__).parent / "archives"
NOTE = b"a note of no importance\n"


def png(side=40):
    """A drawn gradient with a disc."""
    rows = b""
    for y in range(side):
        rows += b"\0" + bytes(
            v for x in range(side)
            for v in ((230, 120, 40) if (x - 14) ** 2 + (y - 22) ** 2 < 90 else (5 * x, 6 * y, 255 - 4 * x)))
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


MEMBERS = [("note.txt", NOTE), ("pictures/small.png", png())]
TIME = 1_700_000_000
DOS_TIME = (2023 - 1980 << 25 | 11 << 21 | 14 << 16 | 22 << 11 | 13 << 5 | 10)


def rar():
    """RAR 4, stored: marker, archive header, a header and the bytes of each file, the end."""
    def header(kind, flags, body):
        rest = struct.pack("<BHH", kind, flags, 7 + len(body)) + body
        return struct.pack("<H", binascii.crc32(rest) & 0xFFFF) + rest
    out = b"Rar!\x1a\x07\x00" + header(0x73, 0, bytes(6))
    for name, data in MEMBERS:
        name = name.replace("/", "\\").encode()
        out += header(0x74, 0x8000, struct.pack(
            "<IIBIIBBHI", len(data), len(data), 2, binascii.crc32(data), DOS_TIME, 20, 0x30, len(name), 32) + name) + data
    return out + header(0x7B, 0x4000, b"")


def cab():
    """One folder without compression in blocks of at most 32 KiB."""
    data = b"".join(d for _, d in MEMBERS)
    files, at = b"", 0
    for name, content in MEMBERS:
        files += struct.pack("<IIHHHH", len(content), at, 0, DOS_TIME >> 16, DOS_TIME & 0xFFFF, 0x20)
        files += name.replace("/", "\\").encode() + b"\0"
        at += len(content)
    block = struct.pack("<IHH", 0, len(data), len(data)) + data
    first_file = 36 + 8
    size = first_file + len(files) + len(block)
    header = b"MSCF" + struct.pack("<IIIIIBBHHHHH", 0, size, 0, first_file, 0, 3, 1, 1, len(MEMBERS), 0, 7, 0)
    return header + struct.pack("<IHH", first_file + len(files), 1, 0) + files + block


def by_bsdtar(folder, *arguments):
    """To a file: what goes down a pipe is filled up to a block of a tape."""
    with tempfile.TemporaryDirectory() as place:
        target = pathlib.Path(place, "archive")
        subprocess.run(["bsdtar", "-cf", target, *arguments, "-C", folder, "note.txt", "pictures"], check=True)
        return target.read_bytes()


def main():
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, data in MEMBERS:
            path = pathlib.Path(folder, name)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
            os.utime(path, (TIME, TIME))
        os.utime(path.parent, (TIME, TIME))
        owner = ["--uid", "0", "--gid", "0", "--uname", "", "--gname", ""]
        kinds = {
            "plain.zip": ["--format=zip"], "plain.tar": ["--format=ustar"], "pax.tar": ["--format=pax"], "plain.7z": ["--format=7zip"],
            "plain.tar.gz": ["--format=ustar", "-z", "--options=gzip:!timestamp"], "plain.tar.bz2": ["--format=ustar", "-j"],
            "plain.tar.xz": ["--format=ustar", "-J"], "plain.tar.zst": ["--format=ustar", "--zstd"],
            "encrypted.zip": ["--format=zip", "--options=zip:encryption=zipcrypt", "--passphrase=harmless"],
        }
        for name, arguments in kinds.items():
            (OUT / name).write_bytes(by_bsdtar(folder, *owner, *arguments))
        iso = by_bsdtar(folder, *owner, "--format=iso9660")
    (OUT / "plain.iso.gz").write_bytes(gzip.compress(iso, 9, mtime=0))
    (OUT / "plain.rar").write_bytes(rar())
    (OUT / "plain.cab").write_bytes(cab())
    inner = (OUT / "plain.zip").read_bytes()
    for level in range(6):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as z:
            z.writestr(zipfile.ZipInfo(f"{level}.zip", (2023, 11, 14, 22, 13, 20)), inner)
        inner = buffer.getvalue()
    (OUT / "deep.zip").write_bytes(inner)


main()
