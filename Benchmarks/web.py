#!/usr/bin/env python3
"""Fetches small media over loopback with Muhafiz, with requests + pdqhash, and with curl alone, in one run.

usage: web.py [--count N] [--at-once N]     as root, on Linux: it makes a network namespace with a public address of its own,
                                            so that the program runs under the policy that users have

Prints URLs a second, the ratios, and the memory that Muhafiz took for few URLs and for all of them.
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
import random
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
MUHAFIZ = ROOT / ".build/release/muhafiz"
HOST = "93.184.216.34"


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


def serve(answers, ready):
    async def main():
        Site.answers = answers
        server = await asyncio.get_running_loop().create_server(Site, HOST, 80, backlog=4096)
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
    """Seconds, and the most memory that the program itself took, in MB."""
    begun = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        sys.exit(f"{command[0]} ended with {os.waitstatus_to_exitcode(status)}: {errors.decode()[:500]}")
    return seconds, usage.ru_maxrss / 1024


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
    subprocess.run(f"ip link set lo up && ip addr add {HOST}/32 dev lo", shell=True, check=True)
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
        (folder / "few").write_text("\n".join(urls[:500]))
        (folder / "curl").write_text("".join(f'url = "{url}"\noutput = "/dev/null"\n' for url in urls))
        files = folder / "files"
        files.mkdir()
        for path, answer in answers.items(): (files / path[1:].decode()).write_bytes(answer.split(b"\r\n\r\n", 1)[1])
        ours = [MUHAFIZ, "scan", "--fetches-per-host", options.at_once, "--fetches", options.at_once, "--urls-from"]
        curl = ["curl", "--silent", "--parallel", "--parallel-max", options.at_once, "--config", folder / "curl"]
        few = measured(ours + [folder / "few"])[1]
        rounds = []
        for _ in range(options.rounds):
            mine, memory = measured(ours + [folder / "urls"])
            alone = measured(curl)[0]
            hashing = measured([MUHAFIZ, "scan", files])[0]
            rounds.append((mine, with_requests(urls, options.at_once), alone + hashing, alone, memory))
        mine, theirs, sum_, alone, memory = (statistics.median(column) for column in zip(*rounds))
        size = sum(map(len, answers.values())) / 1e6
        print(f"{options.count} pictures, {size:.0f} MB, {options.at_once} at once, {os.cpu_count()} processors, shared with the server")
        print(f"muhafiz scan            {options.count / mine:8.0f} URLs/s")
        print(f"requests + pdqhash      {options.count / theirs:8.0f} URLs/s   {theirs / mine:5.2f} x  goal 3.0 x")
        print(f"curl --parallel         {options.count / alone:8.0f} URLs/s")
        print(f"curl, then our hashing  {options.count / sum_:8.0f} URLs/s   {mine / sum_:5.2f} of its time, goal 1.3")
        print(f"memory                  {few:8.0f} MB for 500 URLs, {memory:.0f} MB for all")
    server.terminate()


main()
