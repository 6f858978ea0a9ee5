#!/usr/bin/env python3
"""Checks a ledger's folder, or a proof, from the published specifications alone.

Written from RFC 6962 and RFC 9162 (Merkle trees) and C2SP signed-note, tlog-checkpoint, tlog-tiles and tlog-proof; it
shares nothing with Muhafiz. Ed25519 comes from the package 'cryptography'.

    ledger_verifier.py ledger FOLDER PUBLIC-KEY-FILE     every tile, bundle and the checkpoint
    ledger_verifier.py proof  FILE   PUBLIC-KEY-FILE     one tlog-proof with its entries

Ends with 0 if all holds, 1 if something does not, 3 if 'cryptography' is missing.
"""
import base64
import hashlib
import json
import pathlib
import struct
import sys

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    print("the Python package 'cryptography' is missing")
    sys.exit(3)


class Refused(Exception):
    pass


def demand(condition, why):
    if not condition:
        raise Refused(why)


def sha256(data):
    return hashlib.sha256(data).digest()


def leaf_hash(entry):
    return sha256(b"\0" + entry)


def tree_hash(hashes):
    """MTH over leaf hashes, by the recursive definition of RFC 6962, 2.1."""
    if not hashes:
        return sha256(b"")
    if len(hashes) == 1:
        return hashes[0]
    k = 1 << ((len(hashes) - 1).bit_length() - 1)
    return sha256(b"\1" + tree_hash(hashes[:k]) + tree_hash(hashes[k:]))


def strict_base64(text):
    data = base64.b64decode(text, validate=True)
    demand(base64.b64encode(data).decode() == text, "Base64 is not in its one form")
    return data


def read_key(text):
    name, key_id, material = text.strip().split("+", 2)
    material = strict_base64(material)
    demand(material[0] == 1 and len(material) == 33, "no Ed25519 key")
    demand(sha256(name.encode() + b"\n" + material)[:4].hex() == key_id, "the key id is not the key's")
    return name, bytes.fromhex(key_id), Ed25519PublicKey.from_public_bytes(material[1:])


def open_note(note, key):
    name, key_id, public = key
    text, separator, signatures = note.rpartition("\n\n")
    demand(separator and signatures.endswith("\n"), "no note")
    text += "\n"
    for line in signatures[:-1].split("\n"):
        demand(line.startswith("\u2014 "), "no signature line")
        signer, data = line[2:].split(" ")
        data = strict_base64(data)
        if signer == name and data[:4] == key_id:
            try:
                public.verify(data[4:], text.encode())
            except InvalidSignature:
                raise Refused("the signature is false")
            return text
    raise Refused("not signed with the key")


def read_checkpoint(note, key):
    origin, size, root, *rest = open_note(note, key).split("\n")
    demand(origin == key[0] and size == str(int(size)) and rest[-1] == "", "a malformed checkpoint")
    return int(size), strict_base64(root)


def tile_path(level, index, count):
    parts = [f"{index % 1000:03}"]
    while index >= 1000:
        index //= 1000
        parts.insert(0, f"x{index % 1000:03}")
    return f"tile/{level}/" + "/".join(parts) + (f".p/{count}" if count < 256 else "")


def read_bundle(data):
    entries = []
    while data:
        (length,) = struct.unpack(">H", data[:2])
        demand(len(data) >= 2 + length, "a bundle ends within an entry")
        entries.append(data[2:2 + length])
        data = data[2 + length:]
    return entries


def check_chains(entries):
    latest = {}
    for entry in entries:
        subject = json.loads(entry).get("subject")
        if subject is None:
            continue
        demand(json.loads(entry).get("previous") == latest.get(subject), f"an entry about {subject} follows no other")
        latest[subject] = leaf_hash(entry).hex()


def check_ledger(folder, key):
    size, root = read_checkpoint((folder / "checkpoint").read_text(), key)
    hashes, entries = [], []
    for index in range((size + 255) // 256):
        count = min(256, size - index * 256)
        tile = (folder / tile_path(0, index, count)).read_bytes()
        demand(len(tile) == count * 32, "a tile has not its size")
        bundle = read_bundle((folder / tile_path("entries", index, count)).read_bytes())
        tile = [tile[at:at + 32] for at in range(0, len(tile), 32)]
        demand([leaf_hash(entry) for entry in bundle] == tile, f"tile {index} is not of its entries")
        hashes += tile
        entries += bundle
    demand(tree_hash(hashes) == root, "the entries are not those that were signed")
    level, nodes = 1, hashes
    while size >> (8 * level):
        nodes = [tree_hash(nodes[at:at + 256]) for at in range(0, len(nodes) // 256 * 256, 256)]
        for index in range((len(nodes) + 255) // 256):
            tile = nodes[index * 256:index * 256 + 256]
            demand((folder / tile_path(level, index, len(tile))).read_bytes() == b"".join(tile), f"a tile of level {level}")
        level += 1
    check_chains(entries)
    print(f"ledger holds: {size} entries")


def check_proof(text, key):
    head, _, note = text.partition("\n\n")
    magic, extra, index, *siblings = head.split("\n")
    demand(magic == "c2sp.org/tlog-proof@v1" and extra.startswith("extra ") and index.startswith("index "), "no proof")
    entries, index = read_bundle(strict_base64(extra[6:])), int(index[6:])
    size, root = read_checkpoint(note, key)
    demand(index < size and entries, "no such entry")
    # RFC 9162, 2.1.3.2.
    fn, sn, node = index, size - 1, leaf_hash(entries[-1])
    for sibling in map(strict_base64, siblings):
        demand(sn != 0, "too many siblings")
        if fn & 1 or fn == sn:
            node = sha256(b"\1" + sibling + node)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            node = sha256(b"\1" + node + sibling)
        fn, sn = fn >> 1, sn >> 1
    demand(sn == 0 and node == root, "the entry is not in the ledger that was signed")
    for earlier, later in zip(entries, entries[1:]):
        demand(json.loads(later)["previous"] == leaf_hash(earlier).hex(), "an entry was left out")
    print(f"proof holds: {len(entries)} entries, the last at {index} of {size}")


def main():
    what, path, key_file = sys.argv[1:]
    try:
        key = read_key(pathlib.Path(key_file).read_text())
        if what == "ledger":
            check_ledger(pathlib.Path(path), key)
        else:
            check_proof(pathlib.Path(path).read_text(), key)
    except (Refused, ValueError, OSError, KeyError, IndexError, TypeError) as why:
        print(f"refused: {why}")
        sys.exit(1)


main()
