#!/usr/bin/env python3
"""Fetches small media over loopback with Muhafiz, with requests + pdqhash, and with curl alone, in one run.

usage: web.py [--count N] [--at-once N]     as root, on Linux: it makes a network namespace with a public address of its own,
                                            so that the program runs under the policy that users have

Prints URLs a second, the ratios, the memory that Muhafiz took for 1,000 URLs, after a quarter of all and for all of them, and
how much later the others come when 200 hosts send a byte now and then. Rounds alternate, and medians of them are printed.
"""
import argparse
import asyncio
import concurrent.futures
import hashlib
import io
import json
import multiprocessing
import os
import pathlib
import pty
import random
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
MUHAFIZ = ROOT / ".build/release/muhafiz"
HOST = "93.184.216.34"
SLOW = [f"93.184.217.{number}" for number in range(1, 201)]


class Site(asyncio.Protocol):
    """A server that does as little as can be done: the answers are ready."""
    answers = {}

    def connection_made(self, transport):
        self.transport, self.waiting = transport, b""

    def data_received(self, data):
        self.waiting += data
        while b"\r\n\r\n" in self.waiting:
            head, self.waiting = self.waiting.split(b"\r\n\r\n", 1)
            self.transport.write(self.answers[head.split(b" ", 2)[1]])


async def drip(reader, writer):
    """A host that answers a byte at a time."""
    try:
        await reader.readuntil(b"\r\n\r\n")
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + bytes(1000):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(1)
    except (asyncio.IncompleteReadError, ConnectionError): pass
    finally: writer.close()


def serve(answers, ready):
    async def main():
        Site.answers = answers
        server = await asyncio.get_running_loop().create_server(Site, HOST, 80, backlog=4096)
        await asyncio.start_server(drip, SLOW, 80, backlog=4096)
        ready.set()
        await server.serve_forever()
    asyncio.run(main())


def pictures(count):
    """JPEG files of some 10 KB, drawn, no two alike."""
    from PIL import Image, ImageDraw
    made = []
    for number in range(count):
        rng = random.Random(number)
        image = Image.new("RGB", (256, 192), tuple(rng.randrange(256) for _ in range(3)))
        draw = ImageDraw.Draw(image)
        for _ in range(24):
            box = [rng.randrange(256), rng.randrange(192), rng.randrange(256), rng.randrange(192)]
            draw.line(box, fill=tuple(rng.randrange(256) for _ in range(3)), width=rng.randrange(1, 20))
        out = io.BytesIO()
        image.save(out, "JPEG", quality=85)
        made.append(out.getvalue())
    return made


def measured(command):
    """Seconds, and the most memory that the program itself took, in MB: in the first quarter of that time, and in all."""
    begun = time.perf_counter()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=errors)
        peaks = []
        # Not the kernel's figure at the end: that counts this process too, as it was before the program took its place.
        while process.poll() is None:
            try: status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            except OSError: break
            if f"Name:\t{pathlib.Path(command[0]).name}" in status and "VmHWM" in status:
                peaks.append((time.perf_counter() - begun, int(status.split("VmHWM:")[1].split()[0]) / 1024))
            time.sleep(0.02)
        code = process.wait()
        seconds = time.perf_counter() - begun
        errors.seek(0)
        if code not in (0, 1): sys.exit(f"{command[0]} ended with {code}: {errors.read().decode()[:500]}")
    return seconds, max((peak for at, peak in peaks if at <= seconds / 4), default=0), max((peak for _, peak in peaks), default=0)


def last_but_slow(command, count):
    """Seconds after which 95 of 100 items of the usual host have come, on a terminal: there each is written when it is done."""
    ours, theirs = pty.openpty()
    begun = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command], stdout=theirs, stderr=subprocess.DEVNULL)
    os.close(theirs)
    times, waiting = [], b""
    while True:
        try: data = os.read(ours, 1 << 16)
        except OSError: break  # the other end is closed
        now = time.perf_counter() - begun
        *lines, waiting = (waiting + data).split(b"\n")
        times += [now for line in lines if b'"url":"http://%s' % HOST.encode() in line.replace(b"\\/", b"/")]
    os.close(ours)
    process.wait()
    if len(times) != count: sys.exit(f"{len(times)} items have come of {count}")
    return sorted(times)[int(0.95 * count)]


def with_requests(urls, at_once):
    import numpy, pdqhash, requests
    from PIL import Image
    from requests.adapters import HTTPAdapter
    session = requests.Session()
    session.mount("http://", HTTPAdapter(pool_connections=at_once, pool_maxsize=at_once))

    def work(url):
        body = session.get(url, timeout=30).content
        digest = hashlib.sha256(body).hexdigest()
        return digest, pdqhash.compute(numpy.asarray(Image.open(io.BytesIO(body)).convert("RGB")))
    begun = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool: assert len(list(pool.map(work, urls))) == len(urls)
    return time.perf_counter() - begun


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if os.environ.get("MUHAFIZ_BENCH_INSIDE") != "1":
        os.environ["MUHAFIZ_BENCH_INSIDE"] = "1"
        os.execvp("unshare", ["unshare", "-n", sys.executable, __file__, *sys.argv[1:]])
    subprocess.run(f"ip link set lo up && ip addr add {HOST}/32 dev lo && ip addr add {SLOW[0]}/24 dev lo", shell=True, check=True)
    bodies = pictures(min(options.count, 1000))
    answers = {}
    for number in range(options.count):
        # A few bytes behind the end make each a content of its own.
        body = bodies[number % len(bodies)] + b"%08d" % number
        answers[b"/%d.jpg" % number] = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    ready = multiprocessing.Event()
    server = multiprocessing.Process(target=serve, args=(answers, ready), daemon=True)
    server.start()
    ready.wait()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        os.environ["MUHAFIZ_HOME"] = str(folder / "home")
        subprocess.run([MUHAFIZ, "list", "import", "--name", "known", ROOT / "testdata/lists/known.pdq"], check=True, stdout=subprocess.DEVNULL)
        urls = [f"http://{HOST}/{number}.jpg" for number in range(options.count)]
        (folder / "urls").write_text("\n".join(urls))
        (folder / "few").write_text("\n".join(urls[:1000]))
        some = urls[:2000]
        (folder / "quick").write_text("\n".join(some))
        (folder / "slow").write_text("\n".join([f"http://{host}/" for host in SLOW] + some))
        (folder / "curl").write_text("".join(f'url = "{url}"\noutput = "/dev/null"\n' for url in urls))
        files = folder / "files"
        files.mkdir()
        for path, answer in answers.items(): (files / path[1:].decode()).write_bytes(answer.split(b"\r\n\r\n", 1)[1])
        ours = [MUHAFIZ, "scan", "--fetches-per-host", options.at_once, "--fetches", options.at_once, "--urls-from"]
        curl = ["curl", "--silent", "--parallel", "--parallel-max", options.at_once, "--config", folder / "curl"]
        few = measured(ours + [folder / "few"])[2]
        rounds = []
        for _ in range(options.rounds):
            mine, early, memory = measured(ours + [folder / "urls"])
            alone = measured(curl)[0]
            hashing = measured([MUHAFIZ, "scan", files])[0]
            rounds.append((mine, with_requests(urls, options.at_once), alone + hashing, alone, early, memory))
        command = [MUHAFIZ, "scan", "--all", "--format", "ndjson", "--limit-fetch-seconds", 5, "--fetches-per-host", options.at_once, "--urls-from"]
        late = [(last_but_slow(command + [folder / "quick"], len(some)), last_but_slow(command + [folder / "slow"], len(some)))
                for _ in range(options.rounds)]
        mine, theirs, sum_, alone, early, memory = (statistics.median(column) for column in zip(*rounds))
        size = sum(map(len, answers.values())) / 1e6
        print(f"{options.count} pictures, {size:.0f} MB, {options.at_once} at once, {os.cpu_count()} processors, shared with the server")
        print(f"muhafiz scan            {options.count / mine:8.0f} URLs/s")
        print(f"requests + pdqhash      {options.count / theirs:8.0f} URLs/s   {theirs / mine:5.2f} x  goal 3.0 x")
        print(f"curl --parallel         {options.count / alone:8.0f} URLs/s")
        print(f"curl, then our hashing  {options.count / sum_:8.0f} URLs/s   {mine / sum_:5.2f} of its time, goal 1.3")
        print(f"memory                  {few:8.0f} MB for 1,000 URLs, {early:.1f} MB after a quarter of all, {memory:.1f} MB for all")
        quick, slow = (statistics.median(column) for column in zip(*late))
        print(f"95 of 100 of {len(some)}      {quick:8.2f} s alone, {slow:.2f} s beside {len(SLOW)} slow hosts   {slow / quick:5.2f} of it, goal 1.2")
    server.terminate()


main()
