#!/usr/bin/env python3
"""Runs Muhafiz beside other tools on the same data in one go, and prints the ratios.

usage: side_by_side.py [--quick] [--only WORK]      (or ./dev bench, which builds and installs what this needs)

Every comparison alternates the two sides and takes the median of each. Machines are noisy: the ratio counts, not the figure.
Data is random bytes, and pictures drawn by testdata/make_exhibit.py's kind of strokes; photos of the shared corpus are used
where they are at hand. Rivals that are not installed are named and left out.
"""
import hashlib
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
MUHAFIZ = ROOT / ".build/release/muhafiz"
PHOTOS = ROOT.parent / "shared/corpus/media/photos"
VIDEOS = ROOT.parent / "shared/corpus/media/videos"
PEERS = ROOT.parent / "shared/peers"
QUICK = "--quick" in sys.argv
ROUNDS = 3 if QUICK else 5
OURS = os.cpu_count()


def seconds(command, codes=(0, 1)):
    begun = time.perf_counter()
    done = subprocess.run([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=ENVIRONMENT)
    if done.returncode not in codes:
        sys.exit(f"{command[0]} ended with {done.returncode}: {done.stderr.decode()[:500]}")
    return time.perf_counter() - begun


def compare(work, ours, rival, name, goal, unit, amount):
    """Alternates two callables that return seconds; prints rates and the ratio."""
    ours(), rival()
    pairs = [(ours(), rival()) for _ in range(ROUNDS)]
    mine, theirs = (statistics.median(side) for side in zip(*pairs))
    ratio = statistics.median(b / a for a, b in pairs)
    verdict = "ok" if ratio >= goal else "BELOW"
    print(f"{work:<58} {amount / mine:>10.1f} {amount / theirs:>10.1f} {unit:<9} {ratio:>6.2f} x  goal {goal:>4.1f} x  {verdict:<6} vs {name}", flush=True)


def has(program):
    if shutil.which(program):
        return True
    print(f"left out: {program} is not installed")
    return False


def digest_pass(folder):
    size = 256 << 20 if QUICK else 1 << 30
    file = folder / "large"
    piece = random.Random(1).randbytes(1 << 20)
    with open(file, "wb") as out:
        for _ in range(size >> 20):
            out.write(piece)
    if has("openssl"):
        compare("digest pass, one large file, SHA-256",
                lambda: seconds([MUHAFIZ, "hash", "--digests", "sha256", "--no-perceptual", "--no-archives", "--jobs", "1", file]),
                lambda: seconds(["openssl", "dgst", "-sha256", file]), "openssl dgst -sha256", 1.0, "MB/s", size / 1e6)
    file.unlink()


def drawn(folder, count):
    """Pictures with the byte counts of small photos."""
    import numpy as np
    from PIL import Image, ImageDraw
    folder.mkdir()
    for number in range(count):
        grain = np.random.default_rng(number)
        y, x = np.mgrid[0:480, 0:640] / 640
        waves = sum(np.sin(6.3 * (grain.uniform(-9, 9) * x + grain.uniform(-9, 9) * y) + grain.uniform(0, 7))[..., None] * grain.uniform(-1, 1, 3) for _ in range(6))
        picture = Image.fromarray(np.uint8(255 * (waves - waves.min()) / (np.ptp(waves))))
        pen = ImageDraw.Draw(picture)
        for _ in range(20):
            left, top = int(grain.integers(0, 600)), int(grain.integers(0, 440))
            pen.ellipse([left, top, left + int(grain.integers(10, 120)), top + int(grain.integers(10, 90))], fill=tuple(int(v) for v in grain.integers(0, 256, 3)))
        picture.save(folder / f"{number}.jpg", quality=85)


def mixed_tree(folder):
    """5,000 files, about 970 MB: every fifth a picture, the rest random bytes."""
    chance = random.Random(2)
    tree = folder / "tree"
    pictures = folder / "pictures"
    drawn(pictures, 50)
    jpegs = [path.read_bytes() for path in sorted(pictures.iterdir())]
    known = []
    for number in range(1000 if QUICK else 5000):
        place = tree / f"{number % 50}"
        place.mkdir(parents=True, exist_ok=True)
        data = jpegs[number % len(jpegs)] + str(number).encode() if number % 5 == 0 else chance.randbytes(chance.randint(1000, 460_000))
        (place / str(number)).write_bytes(data)
        if number % 100 == 0:
            known.append(hashlib.sha256(data).hexdigest())
    while len(known) < 100_000:
        known.append(chance.randbytes(32).hex())
    (folder / "known.sha256").write_text("".join(f"{digest}  k{number}\n" for number, digest in enumerate(known)))
    for name, columns in (("known.hashdeep", "md5,sha256"), ("known.hashdeep-sha256", "sha256")):
        md5 = [digest[:32] + "," if "md5" in columns else "" for digest in known]
        (folder / name).write_text(f"%%%% HASHDEEP-1.0\n%%%% size,{columns},filename\n" + "".join(f"1,{md5[number]}{digest},k{number}\n" for number, digest in enumerate(known)))
    return tree


def mixed_scan(folder):
    tree = mixed_tree(folder)
    amount = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file()) / 1e6
    seconds([MUHAFIZ, "list", "import", "--name", "known", folder / "known.sha256"])
    if not has("hashdeep"):
        return
    hashdeep = lambda: seconds(["hashdeep", "-r", "-m", "-k", folder / "known.hashdeep", tree])
    only_sha256 = lambda: seconds(["hashdeep", "-r", "-c", "sha256", "-m", "-k", folder / "known.hashdeep-sha256", tree])
    digests = lambda: seconds([MUHAFIZ, "scan", "--no-perceptual", "--no-archives", tree])
    compare("scan of 5,000 mixed files, 100 k known, digests only", digests, hashdeep, "hashdeep -r -m", 6.0, "MB/s", amount)
    compare("the same, against SHA-256 alone", digests, only_sha256, "hashdeep -r -m -c sha256", 4.0, "MB/s", amount)
    compare("the same with PDQ of every picture", lambda: seconds([MUHAFIZ, "scan", tree], (1, 4)), hashdeep, "hashdeep -r -m", 1.0, "MB/s", amount)


def peak_kilobytes(command):
    """Largest resident size of a program that ends well."""
    child = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, 1):
        sys.exit(f"{command[0]} ended with {child.returncode}")
    return usage.ru_maxrss


def many_files(folder):
    """100,000 files of up to 40 kB, journalled and matched: time beside tools that only digest, and memory."""
    chance = random.Random(3)
    trees = {}
    for count in (2_000, 20_000) if QUICK else (10_000, 100_000):
        trees[count] = folder / f"{count}-files"
        for number in range(count):
            place = trees[count] / f"{number % 97}" / f"{number % 13}"
            if number < 97 * 13:
                place.mkdir(parents=True, exist_ok=True)
            (place / str(number)).write_bytes(chance.randbytes(chance.randint(0, 40_000)))
    (few, small), (many, large) = sorted(trees.items())
    amount = sum(path.stat().st_size for path in large.rglob("*") if path.is_file()) / 1e6
    known = folder / "many.sha256"
    known.write_text("".join(f"{chance.randbytes(32).hex()}  k{number}\n" for number in range(100_000)))
    seconds([MUHAFIZ, "list", "import", "--name", "many", known])
    scan = [MUHAFIZ, "scan", "--no-perceptual", "--no-archives"]
    ours = lambda: seconds([*scan, large])
    if has("openssl"):
        pipe = f"find {large} -type f -print0 | xargs -0 -P2 openssl dgst -sha256"
        compare(f"scan of {many:,} files, with a journal", ours, lambda: seconds(["sh", "-c", pipe]), "find | xargs -P2 openssl dgst", 0.91, "MB/s", amount)
    if has("hashdeep"):
        compare("the same", ours, lambda: seconds(["hashdeep", "-r", "-c", "sha256", large]), "hashdeep -r -c sha256", 1.0, "MB/s", amount)
    if has("rhash"):
        three = lambda: seconds([MUHAFIZ, "hash", "--no-perceptual", "--no-archives", large])
        compare("MD5, SHA-1 and SHA-256 of them", three, lambda: seconds(["rhash", "-M", "-H", "--sha256", "-r", large]), "rhash, one thread", 1.5, "MB/s",
                amount)
    for count, tree in sorted(trees.items()):
        print(f"{f'peak memory, {count:,} files':<58} {peak_kilobytes([*scan, tree]) / 1024:>10.1f} MiB", flush=True)


def media_memory(folder):
    """Memory of the program and its decoders together over a long scan of media of every kind, no two the same."""
    zoo = [path for path in sorted((VIDEOS.parent / "zoo").glob("*")) + sorted((ROOT / "testdata/pictures").glob("*")) if 0 < path.stat().st_size < 60_000]
    if len(zoo) < 20:
        return print("left out: memory over media (the shared corpus is not at hand)")
    count = 10_000 if QUICK else 100_000
    tree = folder / "media"
    for number in range(count):
        place = tree / str(number // 500)
        place.mkdir(parents=True, exist_ok=True)
        source = zoo[number % len(zoo)]
        # What stands behind the end of a file makes it another one to whoever digests it.
        (place / f"{number}{source.suffix}").write_bytes(source.read_bytes() + b"%08d" % number)
    seconds([MUHAFIZ, "list", "import", "--name", "pictures", ROOT / "testdata/lists/known.pdq"])
    begun = time.perf_counter()
    scan = subprocess.Popen([MUHAFIZ, "scan", tree], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT)

    def resident():
        """Pages that are the process's own, in MiB, of the program and of everything below it."""
        ours, children = {scan.pid}, []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                children.append((int(process.name), int((process / "stat").read_text().rsplit(")", 1)[1].split()[1])))
            except OSError:
                pass
        for _ in range(3):
            ours |= {child for child, parent in children if parent in ours}
        kilobytes = {}
        for process in ours:
            try:
                kilobytes[process] = sum(int(line.split()[1]) for line in pathlib.Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
                                         if line.startswith("Private_"))
            except OSError:
                pass
        return kilobytes.get(scan.pid, 0) / 1024, sum(kilobytes.values()) / 1024

    samples = []
    while scan.poll() is None:
        samples.append(resident())
        time.sleep(0.5)
    took = time.perf_counter() - begun
    if scan.returncode not in (0, 1, 4):
        sys.exit(f"muhafiz ended with {scan.returncode}")
    samples = samples[2:-1]
    for name, part in (("second tenth", slice(len(samples) // 10, len(samples) // 5)), ("last tenth", slice(-max(1, len(samples) // 10), None))):
        program, all_of_them = (statistics.median(side) for side in zip(*samples[part]))
        print(f"{f'memory over {count:,} media, {name} of the scan':<58} {program:>10.1f} MiB, {all_of_them:.1f} MiB with the decoders", flush=True)
    print(f"{'':<58} {max(both for _, both in samples):>10.1f} MiB at most; {count / took:.0f} media/s", flush=True)


def pdq_pixels():
    try:
        import numpy as np
        import pdqhash
    except ImportError as error:
        return print(f"left out: PDQ from pixels ({error})")
    pixels = np.random.default_rng(1).integers(0, 256, (512, 512, 3), dtype=np.uint8)

    def rival():
        begun = time.perf_counter()
        for _ in range(20):
            pdqhash.compute(pixels)
        return (time.perf_counter() - begun) / 20

    def ours():
        lines = subprocess.run([MUHAFIZ, "bench", "--format", "ndjson", "--seconds", "0.3", "--digests", "1000", "--pdq", "1000"],
                               stdout=subprocess.PIPE, env=ENVIRONMENT, check=True).stdout.splitlines()
        figures = {row["work"]: row["figure"] for row in map(json.loads, lines)}
        return 1 / next(figure for work, figure in figures.items() if work.startswith("pdq, 512"))

    compare("PDQ from 512 x 512 pixels", ours, rival, "PyPI pdqhash", 10.0, "images/s", 1)


def opencv_seconds(files):
    """Pictures read by OpenCV and hashed by PyPI's pdqhash, in this process and on one thread."""
    import cv2
    import pdqhash
    cv2.setNumThreads(1)
    begun = time.perf_counter()
    for file in files:
        pdqhash.compute(cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB))
    return time.perf_counter() - begun


def jpeg_files(folder):
    try:
        opencv_seconds([])
    except ImportError as error:
        return print(f"left out: JPEG files to PDQ ({error})")
    source = PHOTOS
    if not source.is_dir():
        source = folder / "photos"
        drawn(source, 150)
    many = folder / "many"
    many.mkdir()
    files = []
    for path in sorted(source.glob("*.jpg")):
        for copy in range(2 if QUICK else 12):
            files.append(many / f"{copy}-{path.name}")
            shutil.copyfile(path, files[-1])

    for jobs in (OURS, 1):
        compare(f"JPEG files up to 640 px to PDQ and SHA-256, {jobs} worker{'s' * (jobs > 1)}",
                lambda: seconds([MUHAFIZ, "hash", "--digests", "sha256", "--jobs", jobs, many], (0, 3)),
                lambda: opencv_seconds(files), "pdqhash + OpenCV, one thread", 5.0 if jobs > 1 else 2.5, "images/s", len(files))
    if (PEERS / "pdq_images.py").is_file() and source == PHOTOS:
        subprocess.run([sys.executable, PEERS / "pdq_images.py", source], check=False)


def large_photos(folder):
    """Photos as cameras and phones take them, up to 12 megapixels: drawn large from the small ones that are at hand."""
    try:
        from PIL import Image
        opencv_seconds([])
    except ImportError as error:
        return print(f"left out: large photos ({error})")
    source = PHOTOS
    if not source.is_dir():
        source = folder / "sources"
        drawn(source, 8)
    large = folder / "large-photos"
    large.mkdir()
    files = []
    for number, path in enumerate(sorted(source.glob("*.jpg"))[:24]):
        width = (1600, 2560, 4000)[number % 3]
        with Image.open(path) as picture:
            drawn_large = picture.convert("RGB").resize((width, width * 3 // 4), Image.Resampling.BICUBIC)
        # So many that the program's own start is a small part, and no two the same: what was looked at is not decoded again.
        for quality in (88, 90) if QUICK else (86, 88, 90):
            files.append(large / f"{width}-{quality}-{path.name}")
            drawn_large.save(files[-1], quality=quality)

    def ours(jobs):
        return seconds([MUHAFIZ, "hash", "--digests", "sha256", "--jobs", jobs, large], (0, 3))

    def decoded(*options):
        return sum(seconds(["djpeg", *options, "-outfile", "/dev/null", file], (0,)) for file in files)

    for jobs in (OURS, 1):
        compare(f"JPEG files of 1600 px to 12 MP to PDQ, {jobs} worker{'s' * (jobs > 1)}", lambda: ours(jobs),
                lambda: opencv_seconds(files), "pdqhash + OpenCV, one thread", 6.0, "images/s", len(files))
    if has("djpeg"):
        compare("the same, 1 worker, beside decoding alone", lambda: ours(1), decoded, "djpeg", 0.8, "images/s", len(files))
        compare("the same, beside decoding at half the size", lambda: ours(1), lambda: decoded("-grayscale", "-scale", "1/2"),
                "djpeg -grayscale -scale 1/2", 0.8, "images/s", len(files))


def processor_seconds(command, codes=(0,)):
    """What a program and all that it has waited for have used."""
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                               env=ENVIRONMENT)
    _, status, used = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) not in codes:
        sys.exit(f"{command[0]} ended with {os.waitstatus_to_exitcode(status)}")
    return used.ru_utime + used.ru_stime


def videos(folder):
    if not VIDEOS.is_dir():
        return print("left out: videos (the shared corpus is not at hand)")
    if not has("ffmpeg") or not has("ffprobe"):
        return
    many = folder / "videos"
    many.mkdir()
    clips = [path for path in sorted(VIDEOS.iterdir()) if path.stat().st_size > 50_000]
    # So many that the program's own start is a small part, and no two the same: what was looked at is not decoded again.
    for copy in range(2 if QUICK else 4):
        for path in clips:
            subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-c", "copy", "-metadata", f"comment={copy}", many / f"{copy}-{path.name}"], check=True)
    files = sorted(many.iterdir())
    shown = sum(float(subprocess.run(["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", path], stdout=subprocess.PIPE,
                                     check=True).stdout) for path in files)

    def ours(*options):
        return processor_seconds([MUHAFIZ, "hash", "--digests", "sha256", "--jobs", "1", *options, many], (0, 3))

    def played():
        return sum(processor_seconds(["ffmpeg", "-v", "error", "-threads", "1", "-i", file, "-an", "-f", "null", "-"]) for file in files)

    compare("video to vPDQ, every frame decoded, processor time", lambda: ours("--full-video"), played, "ffmpeg -threads 1 -f null", 1.0, "s/s",
            shown)
    if subprocess.run([sys.executable, "-c", "import vpdq"], stderr=subprocess.DEVNULL).returncode != 0:
        return print("left out: PyPI vpdq is not installed")
    hashes = "import sys, vpdq\nfor path in sys.argv[1:]: vpdq.computeHash(path, seconds_per_hash=1)"
    rival = lambda: processor_seconds([sys.executable, "-c", hashes, *files])
    compare("the same", ours, rival, "PyPI vpdq", 1.0, "s/s", shown)
    # What is listed, and clips made of it: the verdict stands before their end.
    for clip in clips:
        text = folder / f"{clip.stem}.vpdq"
        with open(text, "wb") as out:
            subprocess.run([MUHAFIZ, "hash", "--format", "vpdq", clip], stdout=out, env=ENVIRONMENT, check=True)
        subprocess.run([MUHAFIZ, "list", "import", "--name", clip.stem.replace("_", "-"), text], stdout=subprocess.DEVNULL, env=ENVIRONMENT, check=True)
    compare("scan of listed videos, until the verdict stands", lambda: processor_seconds([MUHAFIZ, "scan", "--jobs", "1", many], (1, 4)), rival, "PyPI vpdq", 3.0,
            "s/s", shown)


if __name__ == "__main__":
    if not MUHAFIZ.is_file():
        sys.exit("build first: swift build -c release, or run ./dev bench")
    with tempfile.TemporaryDirectory(prefix="muhafiz-bench-") as scratch:
        folder = pathlib.Path(scratch)
        ENVIRONMENT = os.environ | {"MUHAFIZ_HOME": str(folder / "home")}
        print(f"{OURS} processors; medians of {ROUNDS} alternating rounds after one to warm up")
        print(f"{'WORK':<58} {'OURS':>10} {'RIVAL':>10} {'':<9} {'RATIO':>8}")
        works = {"digests": lambda: digest_pass(folder), "mixed": lambda: mixed_scan(folder), "many": lambda: many_files(folder),
                 "memory": lambda: media_memory(folder), "pdq": pdq_pixels, "jpeg": lambda: jpeg_files(folder), "large": lambda: large_photos(folder),
                 "video": lambda: videos(folder)}
        only = sys.argv[sys.argv.index("--only") + 1] if "--only" in sys.argv else None
        for name, work in works.items():
            if only in (None, name):
                work()
