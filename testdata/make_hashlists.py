#!/usr/bin/env python3
"""Writes the golden hash lists, by the document and not by the code.

An implementation of HashListFormat.md (Sources/Matching/Matching.docc) of its own: where it and the Swift builder
write different bytes for the same entries, one of them is wrong. All hashes are of made-up texts.

    python3 testdata/make_hashlists.py [FOLDER]     # default: testdata/hashlists
"""

import hashlib
import pathlib
import struct
import sys

BLOCK = 4096
NONE, MD5, SHA1, SHA256, PDQ, VIDEO, VIDEO_FRAME = range(7)
RECORD_SIZE = {MD5: 16, SHA1: 20, SHA256: 32, PDQ: 32, VIDEO: 32, VIDEO_FRAME: 32}
(RECORDS, FAN_OUT, ENTRY_INDEXES, FURTHER_ENTRIES, FILTER, QUALITIES, NEAR_SLOTS, NEAR_STARTS, NEAR_RECORDS, ENTRIES,
 ATTRIBUTIONS, STRINGS, INFORMATION, VIDEO_STARTS, FRAMES) = range(1, 16)
ENTRY_DETAILS = 16
NO_STRING = 2**64 - 1
UNKNOWN_TIME = -(2**63)
CREATED = 1767225600  # 2026-01-01T00:00:00Z


def sha256(data):
    return hashlib.sha256(data).digest()


def padded(data):
    return data + bytes(-len(data) % BLOCK)


class Entry:
    def __init__(self, number, hashes, id=None, contributor=None, category=None, listed=None):
        self.number = number
        self.hashes = hashes  # (algorithm, bytes), (PDQ, bytes, quality or None) or (VIDEO, digest of the rows, rows)
        self.id = id
        self.contributor = contributor
        self.category = category  # (scheme, label)
        self.listed = listed  # seconds since 1970


def record_filter(keys):
    """The filter in front of ascending digests."""
    blocks = (len(keys) * 12 + 255) // 256
    lanes = [[0] * 8 for _ in range(blocks)]
    for key in keys:
        block = lanes[int.from_bytes(key[:4], "big") * blocks >> 32]
        for lane in range(8):
            block[lane] |= 1 << key[8 + lane] % 32
    return b"".join(struct.pack("<8I", *block) for block in lanes)


def hash_list(name_of, source, entries, version="1"):
    """The bytes of a hash list file."""
    heap = bytearray()

    def string(text):
        if text is None:
            return NO_STRING, 0
        at = len(heap)
        heap.extend(text.encode())
        return at, len(text.encode())

    rows, details, attributions, counts, found = [], [], {}, [], {}
    for index, entry in enumerate(entries):
        said = (entry.contributor, entry.category)
        number = attributions.setdefault(said, len(attributions))
        counts += [0] * (number + 1 - len(counts))
        counts[number] += 1
        at, length = string(entry.id)
        name = NO_STRING if entry.id is None else at | length << 40
        listed = UNKNOWN_TIME if entry.listed is None else entry.listed
        rows.append(struct.pack("<II", entry.number, number))
        details.append(struct.pack("<Qq", name, listed))
        for algorithm, key, *quality in entry.hashes:
            # The first entry that has a hash is the one that the hash names; others by attribution, each once.
            entries_of = found.setdefault(algorithm, {}).setdefault(key, [])
            if number not in [other for _, other, *_ in entries_of]:
                entries_of.append((index, number, *quality))
    said_rows = []
    for (contributor, category), count in zip(attributions, counts):
        scheme, label = category or (None, None)
        said_rows.append(struct.pack("<QQQQQQQ", *string(contributor), *string(scheme), *string(label), count))

    # Frames lead to videos as other hashes lead to entries, all of them.
    videos = found.get(VIDEO, {})
    for number, digest in enumerate(sorted(videos)):
        for row in videos[digest][0][2]:
            if row[40] >= 50 and 31 < bin(int.from_bytes(row[:32], "big")).count("1") < 225:
                of_frame = found.setdefault(VIDEO_FRAME, {}).setdefault(row[:32], [])
                if (number, None) not in of_frame:
                    of_frame.append((number, None))

    categories = [category for _, category in attributions]
    conflicts = 0
    sections = []  # (kind, algorithm, size of a record, bits of fan-out, bytes)
    for algorithm in sorted(found):
        keys = sorted(found[algorithm])
        first = [found[algorithm][key][0] for key in keys]
        bits = 0
        while bits < 24 and len(keys) >> bits > 32:
            bits += 1
        starts = [0] * (2**bits + 1)
        for key in keys:
            starts[(int.from_bytes(key[:4], "big") >> (32 - bits)) + 1] += 1
        for bucket in range(2**bits):
            starts[bucket + 1] += starts[bucket]
        further = []
        for record, key in enumerate(keys):
            others = found[algorithm][key]
            further += [struct.pack("<II", record, other[0]) for other in others[1:]]
            labels = {}
            for _, number, *_ in others:
                if number is not None and categories[number]:
                    labels.setdefault(categories[number][0], set()).add(categories[number][1])
            conflicts += any(len(of_scheme) > 1 for of_scheme in labels.values())
        sections.append((RECORDS, algorithm, RECORD_SIZE[algorithm], 0, b"".join(keys)))
        sections.append((FAN_OUT, algorithm, 4, bits, struct.pack(f"<{len(starts)}I", *starts)))
        sections.append((ENTRY_INDEXES, algorithm, 4, 0, struct.pack(f"<{len(keys)}I", *(v[0] for v in first))))
        sections.append((FURTHER_ENTRIES, algorithm, 8, 0, b"".join(further)))
        if algorithm == PDQ:
            # A list of so few hashes has no slots.
            assert len(keys) < 8192
            sections.append((QUALITIES, algorithm, 1, 0, bytes(255 if v[2] is None else v[2] for v in first)))
        if algorithm in (PDQ, VIDEO_FRAME):
            sections += [(NEAR_SLOTS, algorithm, 8, 0, b""), (NEAR_STARTS, algorithm, 4, 0, b""), (NEAR_RECORDS, algorithm, 4, 0, b"")]
        else:
            sections.append((FILTER, algorithm, 32, 0, record_filter(keys)))
        if algorithm == VIDEO:
            starts = [0]
            for value in first:
                starts.append(starts[-1] + len(value[2]))
            sections.append((VIDEO_STARTS, algorithm, 8, 0, struct.pack(f"<{len(starts)}Q", *starts)))
            sections.append((FRAMES, algorithm, 44, 0, b"".join(row for value in first for row in value[2])))
    fields = [("name", name_of), ("version", version), ("source", source)]
    if conflicts:
        fields.append(("conflicts", conflicts))
    listed = [entry.listed for entry in entries if entry.listed is not None]
    if listed:
        fields += [("listed-from", min(listed)), ("listed-to", max(listed))]
    text = "".join(f"{field}\t{value}\n" for field, value in fields)
    sections.append((ENTRIES, NONE, 8, 0, b"".join(rows)))
    if any(entry.id is not None or entry.listed is not None for entry in entries):
        sections.append((ENTRY_DETAILS, NONE, 16, 0, b"".join(details)))
    sections.append((ATTRIBUTIONS, NONE, 56, 0, b"".join(said_rows)))
    sections.append((STRINGS, NONE, 1, 0, bytes(heap)))
    sections.append((INFORMATION, NONE, 1, 0, text.encode()))

    data, table = bytearray(), bytearray()
    for kind, algorithm, record_size, bits, content in sections:
        offset = BLOCK + len(data)
        count = len(content) // record_size
        table += struct.pack("<IIIIQQQ", kind, algorithm, record_size, bits, offset, len(content), count) + bytes(24)
        data += padded(content)

    tree, level = bytearray(), bytes(data)
    while True:
        digests = [sha256(level[at : at + BLOCK]) for at in range(0, len(level), BLOCK)]
        level = padded(b"".join(digests)) or bytes(BLOCK)
        tree += level
        if len(level) == BLOCK:
            break
    tree_offset = BLOCK + len(data)
    size = tree_offset + len(tree)
    header = struct.pack("<8sIIQqQIIQQ", b"MHLIST\x1a\n", 1, 0x0A0B0C0D, size, CREATED, len(entries), len(sections), 0,
                         tree_offset, len(tree))
    header += sha256(level)
    header += bytes(128 - len(header)) + table
    header += bytes(4064 - len(header))
    return header + sha256(header) + data + tree


def text_hash(algorithm, text):
    return (algorithm, hashlib.new({MD5: "md5", SHA1: "sha1", SHA256: "sha256"}[algorithm], text.encode()).digest())


def mixed_entries():
    """42 entries; the last but one repeats hashes of the first and the fourth, the last contradicts the fifth."""
    entries = []
    for n in range(1, 41):
        hashes = [text_hash(SHA256, f"text {n}")]
        if n % 3 == 0:
            hashes.append(text_hash(SHA1, f"text {n}"))
        if n % 4 == 0:
            hashes.append((PDQ, sha256(f"picture {n}".encode()), [None, 49, 50, 100][n // 4 % 4]))
        contributor = [None, "hotline-a", "hotline-b"][n % 3]
        category = ("scheme-é", f"A{n % 2}") if n % 5 == 0 else None
        listed = CREATED - 86400 * n if n % 2 else None
        entries.append(Entry(n + 1, hashes, None if n % 7 == 0 else f"entry-{n}", contributor, category, listed))
    again = [text_hash(SHA256, "text 1"), (PDQ, sha256(b"picture 4"), 7)]
    other = [text_hash(SHA256, "text 5")]
    return entries + [Entry(42, again, "again", "hotline-a"), Entry(43, other, "other", "hotline-a", ("scheme-é", "A0"))]


def video(*frames):
    """The hash of a video; frames are (number or None, milliseconds, text that the hash is made of, quality or None)."""
    rows = []
    for number, time, text, quality in frames:
        key = bytes(32) if text is None else sha256(text.encode())
        rows.append(key + struct.pack("<IIB3x", time, 2**32 - 1 if number is None else number, 255 if quality is None else quality))
    return (VIDEO, sha256(b"".join(rows)), rows)


def video_entries():
    """Six videos that share frames, one of them listed by two contributors, and a picture."""
    entries = []
    for n in range(1, 7):
        frames = [(25 * second, 1000 * second, f"scene {n * second % 7}", 100 - 10 * second) for second in range(n + 2)]
        entries.append(Entry(n, [video(*frames)], f"video-{n}", "hotline-a"))
    uncounted = video((None, 0, "scene 1", None), (None, 2**32 - 1, None, 100))
    again = (VIDEO, *entries[2].hashes[0][1:])
    return entries + [
        Entry(7, [uncounted], None, "hotline-b"),
        Entry(8, [again], "again", "hotline-b", ("scheme", "A")),
        Entry(9, [again], "once more", "hotline-b", ("scheme", "A")),
        Entry(10, [(PDQ, sha256(b"scene 1"), 100)], "still", "hotline-a"),
    ]


def broken(one):
    """Rows of broken.tsv: a name, the error that a reader answers, and the edits that make it from one.hashlist."""

    def put(offset, data):
        return f"put {offset} {data.hex()}"

    def with_header(*edits):
        header = bytearray(one[:4064])
        for offset, data in edits:
            header[offset : offset + len(data)] = data
        return [put(offset, data) for offset, data in edits] + [put(4064, sha256(bytes(header)))]

    def flip(offset):
        return put(offset, bytes([one[offset] ^ 1]))

    tree = struct.unpack_from("<Q", one, 48)[0]
    return [
        ("truncated", "listTruncated", [f"cut {len(one) - 1}"]),
        ("truncated-in-the-header", "listTruncated", ["cut 4095"]),
        ("nothing", "listTruncated", ["cut 0"]),
        ("extended", "listCorrupt", [put(len(one), b"\0")]),
        ("flipped-bit-in-the-records", "listCorrupt on lookup", [flip(BLOCK)]),
        ("flipped-bit-in-the-header", "listCorrupt", [flip(24)]),
        ("flipped-bit-in-the-tree", "listCorrupt", [flip(tree)]),
        ("flipped-bit-in-the-last-block", "listCorrupt", [flip(len(one) - 1)]),
        ("future-version", "futureVersion", with_header((8, struct.pack("<I", 2)))),
        ("foreign-byte-order", "foreignByteOrder", with_header((12, struct.pack(">I", 0x0A0B0C0D)))),
        ("wrong-magic", "notAHashList", with_header((0, b"MHLIST\r\n"))),
        ("zero-entries", "listCorrupt", with_header((32, bytes(8)))),
        ("section-outside", "listCorrupt", with_header((128 + 16, struct.pack("<Q", 2**63 - 4096)))),
        ("tree-outside", "listCorrupt", with_header((48, struct.pack("<Q", 2**64 - 4096)))),
    ]


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "hashlists"
    folder.mkdir(parents=True, exist_ok=True)
    one = hash_list("one", "one.txt", [Entry(1, [text_hash(MD5, "abc")], "a1", "lab")])
    (folder / "empty.hashlist").write_bytes(hash_list("empty", "", []))
    (folder / "one.hashlist").write_bytes(one)
    (folder / "mixed.hashlist").write_bytes(hash_list("mixed", "mixed.csv", mixed_entries(), "2026-01-01.1"))
    (folder / "videos.hashlist").write_bytes(hash_list("videos", "videos", video_entries()))
    rows = ["\t".join([name, error, "; ".join(edits)]) for name, error, edits in broken(one)]
    (folder / "broken.tsv").write_text("\n".join(["name\terror\tedits", *rows]) + "\n")


if __name__ == "__main__":
    main()
