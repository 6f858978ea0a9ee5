#!/usr/bin/env python3
"""Runs Muhafiz's hash lists beside other tools on the same hashes, and prints the ratios.

usage: lists.py [--digests N] [--pdq N] [--large N]      (or ./dev bench lists)

  --digests N   digests to import and look up, beside sort, hfind and sqlite3   (default 10,000,000)
  --pdq N       perceptual hashes to search, beside faiss                       (default 1,000,000)
  --large N     digests to build a list of alone, with its memory; 0 for none   (default 0; 100,000,000 takes 10 GB of disk
                and 8 GB of memory), and a tenth as many perceptual hashes

All hashes are random. Rivals that are not installed are named and left out. Two things are measured on one machine in one
run, one after the other: the ratio counts, not the figure.
"""
import argparse
import json
import os
import pathlib
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
MUHAFIZ = ROOT / ".build/release/muhafiz"


def show(work, ours, rival, unit, goal, name, higher=True):
    ratio = ours / rival if higher else rival / ours
    print(f"{work:<52} {ours:>14,.1f} {rival:>14,.1f} {unit:<11} {ratio:>7.2f} x  goal {goal:>5.1f} x  "
          f"{'ok' if ratio >= goal else 'BELOW':<6} vs {name}", flush=True)


def alone(work, figure, unit, goal=None, within=True):
    verdict = "" if goal is None else f"goal {'<=' if within else '>='} {goal:,}  {'ok' if (figure <= goal) == within or figure == goal else 'BELOW'}"
    print(f"{work:<52} {figure:>14,.1f} {'':>14} {unit:<11} {verdict}", flush=True)


def timed(command, codes=(0,), **more):
    """Seconds, and the greatest resident size of the program in MB."""
    begun = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command], stdout=more.get("stdout", subprocess.DEVNULL), stderr=subprocess.PIPE,
                               stdin=more.get("stdin"), env=ENVIRONMENT)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    code = os.waitstatus_to_exitcode(status)
    if code not in codes:
        sys.exit(f"{command[0]} ended with {code}: {process.stderr.read().decode()[:500]}")
    return seconds, used.ru_maxrss / 1024


def has(program):
    if shutil.which(program):
        return True
    print(f"left out: {program} is not installed")
    return False


def write_lines(path, count, seed, size=32):
    chance = random.Random(seed)
    with open(path, "w") as out:
        for start in range(0, count, 100_000):
            block = chance.randbytes(size * min(100_000, count - start)).hex()
            out.write("".join(block[at:at + size * 2] + "\n" for at in range(0, len(block), size * 2)))


def figures(digests, pdq):
    lines = subprocess.run([MUHAFIZ, "bench", "--lists-only", "--format", "ndjson", "--seconds", "1", "--digests", str(digests), "--pdq", str(pdq)],
                           stdout=subprocess.PIPE, env=ENVIRONMENT, check=True).stdout.splitlines()
    return {row["work"]: row["figure"] for row in map(json.loads, lines)}


def imports(folder, count):
    lines = folder / "lines.sha256"
    write_lines(lines, count, 1)
    # Median of three, alternating: what both read is in memory.
    pairs = []
    for round in range(3):
        shutil.rmtree(ENVIRONMENT["MUHAFIZ_HOME"], ignore_errors=True)
        # What one has left for the disk to write is not for the other to wait for.
        os.sync()
        ours = timed([MUHAFIZ, "list", "import", "--name", "big", lines])
        os.sync()
        rival = timed(["sort", "-u", "--parallel=2", "-S", "2G", "-o", folder / "sorted", lines])[0]
        pairs.append((ours[0], rival, ours[1]))
    ours, rival = (sorted(pair[side] for pair in pairs)[1] for side in (0, 1))
    show(f"import {count:,} text lines to a usable list", count / ours, count / rival, "lines/s", 3, "sort -u")
    alone("  its memory", max(pair[2] for pair in pairs), "MB", 1100)
    (folder / "sorted").unlink()
    if has("hfind"):
        # hfind knows MD5 and SHA-1 lines of md5sum; as many of them.
        md5 = folder / "lines.md5"
        chance = random.Random(2)
        with open(md5, "w") as out:
            for number in range(count):
                out.write(f"{chance.randbytes(16).hex()}  f{number}\n")
        rival = timed(["hfind", "-i", "md5sum", md5])[0]
        show("the same", count / ours, count / rival, "lines/s", 10, "hfind -i")
        return md5
    return None


def lookups(folder, md5, figure, count):
    hits, misses = (figure[f"lookup, {count:,} sha256, {kind}"] for kind in ("hits", "misses"))
    alone(f"lookup, {count:,}, one by one: hits", hits, "lookups/s", 5_000_000, within=False)
    alone(f"lookup, {count:,}, one by one: misses", misses, "lookups/s", 5_000_000, within=False)
    alone("lookup in batches, 1 % hits", figure[f"lookup, {count:,} sha256, batches, 1 % hits"], "lookups/s", 20_000_000, within=False)
    alone("open to the first answer", figure[f"open, {count:,} sha256"] / 1000, "ms", 10)
    alone("size, with entries", figure[f"size, {count:,} sha256"], "bytes/hash")
    alone("  without them", figure["  of which lookups need"], "bytes/hash", 34)
    if md5:
        wanted = folder / "wanted"
        with open(md5) as lines, open(wanted, "w") as out:
            for number, line in zip(range(100_000), lines):
                out.write(line[:32] + "\n")
        seconds = timed(["hfind", "-f", wanted, md5], (0, 1))[0]
        show("lookup, hits", hits, 100_000 / seconds, "lookups/s", 60, "hfind -f")
    database = sqlite3.connect(folder / "digests.db")
    database.execute("create table d(h blob primary key) without rowid")
    chance = random.Random(3)
    keys = [chance.randbytes(32) for _ in range(min(count, 2_000_000))]
    database.executemany("insert into d values(?)", ((key,) for key in sorted(keys)))
    database.commit()
    chance.shuffle(keys)
    begun = time.perf_counter()
    for key in keys[:200_000]:
        database.execute("select 1 from d where h=?", (key,)).fetchone()
    show(f"lookup, hits (sqlite3 of {len(keys):,} only)", hits, 200_000 / (time.perf_counter() - begun), "lookups/s", 60, "sqlite3 from Python")


def near(figure, count):
    ours = figure[f"near query within 31 bits, {count:,} pdq, 1 at once"]
    alone("recall of all entries within 31 bits", next(value for work, value in figure.items() if work.startswith("recall")), "%", 100, within=False)
    alone("size of the list, with entries and index", figure[f"size, {count:,} pdq"], "bytes/hash")
    try:
        import faiss
        import numpy as np
    except ImportError as error:
        alone(f"near query, {count:,}", ours, "queries/s")
        return print(f"left out: faiss ({error})")
    faiss.omp_set_num_threads(1)
    grain = np.random.default_rng(1)
    hashes = grain.integers(0, 256, (count, 32), dtype=np.uint8)
    queries = grain.integers(0, 256, (200, 32), dtype=np.uint8)
    flat = faiss.IndexBinaryFlat(256)
    flat.add(hashes)
    asked = queries[:200 if count <= 1_000_000 else 40]
    begun = time.perf_counter()
    flat.range_search(asked, 32)
    show(f"near query within 31 bits, {count:,}", ours, len(asked) / (time.perf_counter() - begun), "queries/s", 12, "faiss flat")


def large(folder, count):
    lines = folder / "large.sha256"
    write_lines(lines, count, 4)
    seconds, memory = timed([MUHAFIZ, "list", "import", "--name", "large", lines])
    alone(f"import {count:,} text lines", count / seconds, "lines/s")
    alone("  its memory, with --memory 1G", memory, "MB", 1200)
    lines.unlink()
    begun = time.perf_counter()
    subprocess.run([MUHAFIZ, "match", "sha256:" + "ab" * 32], stdout=subprocess.DEVNULL, env=ENVIRONMENT, check=True)
    alone("open and look up in a new process", (time.perf_counter() - begun) * 1000, "ms")
    shutil.rmtree(ENVIRONMENT["MUHAFIZ_HOME"])
    figure = figures(count, count // 10)
    name = f"{count:,} sha256"
    alone(f"open {count:,} to the first answer", figure[f"open, {name}"] / 1000, "ms", 10)
    alone("size, without entries", figure["  of which lookups need"], "bytes/hash", 34)
    alone("lookup in memory: a hit", 1e9 / figure[f"lookup, {name}, hits"], "ns", 300)
    alone("lookup in memory: a miss", 1e9 / figure[f"lookup, {name}, misses"], "ns", 300)
    alone("lookup in batches, 1 % hits: each", 1e9 / figure[f"lookup, {name}, batches, 1 % hits"], "ns")
    alone("lookup, records on the disk: a hit", figure[f"first lookup, {name}, hits, records on the disk"], "us")
    alone("  pages read for it", figure["  pages read for 1,000 of them"] / 1000, "pages", 1.1)
    near(figure, count // 10)
    alone("near query: floor of the goals", figure[f"near query within 31 bits, {count // 10:,} pdq, 1 at once"], "queries/s", 1500, within=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--digests", type=int, default=10_000_000)
    parser.add_argument("--pdq", type=int, default=1_000_000)
    parser.add_argument("--large", type=int, default=0)
    options = parser.parse_args()
    if not MUHAFIZ.is_file():
        sys.exit("build first: swift build -c release, or run ./dev bench")
    with tempfile.TemporaryDirectory(prefix="muhafiz-lists-", dir=ROOT / ".build") as scratch:
        folder = pathlib.Path(scratch)
        # Not where temporary files may lie in memory.
        ENVIRONMENT = os.environ | {"MUHAFIZ_HOME": str(folder / "home"), "TMPDIR": scratch}
        print(f"{'WORK':<52} {'OURS':>14} {'RIVAL':>14} {'':<11} {'RATIO':>9}")
        md5 = imports(folder, options.digests)
        figure = figures(options.digests, options.pdq)
        lookups(folder, md5, figure, options.digests)
        near(figure, options.pdq)
        if options.large:
            large(folder, options.large)
