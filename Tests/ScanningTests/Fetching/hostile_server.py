"""Servers that behave as the path says: the web at its worst, on loopback.

Prints one line of JSON with its ports, and ends with its standard input. Content is generated noise and text.
"""

import asyncio, gzip, json, os, ssl, subprocess, sys, tempfile, urllib.parse

counts = {"connections": 0, "canary": 0, "requests": {}, "referrers": {}, "names": []}


def answer(status, body=b"", headers=()):
    head = f"HTTP/1.1 {status} x\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers)
    return head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


def bomb(megabytes):
    """A gzip stream that is a thousandth of what comes out of it."""
    return gzip.compress(bytes(megabytes << 20), 1)


async def respond(path, query, writer):
    """Returns whether the connection may be used again."""
    def out(data): writer.write(data)
    word = path.strip("/").split("/")
    if word[0] == "bytes":
        seed = int(word[1])
        out(answer(200, (b"%016d" % seed) * (int(query.get("size", ["1024"])[0]) // 16), [("Content-Type", "application/octet-stream")]))
    elif word[0] == "text":
        out(answer(200, b"a landscape, as text\n", [("Content-Type", "text/plain"), ("ETag", '"1"'), ("Server", "test")]))
    elif word[0] == "count":
        out(answer(200, json.dumps(counts).encode()))
    elif word[0] == "status":
        out(answer(int(word[1]), b"no\n", [("Retry-After", query["after"][0])] if "after" in query else []))
    elif word[0] == "long-status":
        out(answer(int(word[1]), bytes(2 << 20)))
    elif word[0] == "busy":  # Answers only from the third time on.
        out(answer(200, b"at last\n") if counts["requests"]["/" + path.strip("/")] > 2 else answer(503, b"busy\n", [("Retry-After", "0")]))
    elif word[0] == "to":
        out(answer(302, b"moved\n", [("Location", query["url"][0])]))
    elif word[0] == "hops":
        left = int(word[1])
        out(answer(302, b"", [("Location", f"/hops/{left - 1}" if left > 1 else "/text")]))
    elif word[0] == "circle":
        out(answer(302, b"", [("Location", "/circle/" + ("b" if word[1] == "a" else "a"))]))
    elif word[0] == "raw-location":
        out(b"HTTP/1.1 302 x\r\nLocation: /bytes/7?name=\xe9\r\nContent-Length: 0\r\n\r\n")
    elif word[0] == "slow-headers":
        out(b"HTTP/1.1 200 OK\r\n")
        while True:
            out(b"X")
            await writer.drain()
            await asyncio.sleep(0.2)
    elif word[0] == "slow-body":
        out(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            out(b"x")
            await writer.drain()
            await asyncio.sleep(0.2)
    elif word[0] == "never":
        await asyncio.sleep(3600)
    elif word[0] == "endless":
        out(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            out(bytes(1 << 16))
            await writer.drain()
    elif word[0] == "endless-headers":
        out(b"HTTP/1.1 200 OK\r\n")
        while True:
            out(b"X-More: " + b"y" * 1000 + b"\r\n")
            await writer.drain()
    elif word[0] == "one-long-header":
        out(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while True:
            out(b"y" * 10000)
            await writer.drain()
    elif word[0] == "bomb":
        out(answer(200, bomb(64), [("Content-Encoding", "gzip")]))
    elif word[0] == "double-bomb":
        out(answer(200, gzip.compress(bomb(64)), [("Content-Encoding", "gzip, gzip")]))
    elif word[0] == "gzip":
        out(answer(200, gzip.compress(b"a landscape, as text\n"), [("Content-Encoding", "gzip")]))
    elif word[0] == "broken-gzip":
        out(answer(200, gzip.compress(b"")[:10] + b"\xff" * 100, [("Content-Encoding", "gzip")]))
    elif word[0] == "says-more":  # Promises more than it sends.
        out(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort")
        return False
    elif word[0] == "says-less":
        out(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlonger than five")
        return False
    elif word[0] == "two-lengths":
        out(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nlonger!")
        return False
    elif word[0] == "bad-chunk":
        out(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n")
        return False
    elif word[0] == "big-chunk":
        out(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc\r\n")
        return False
    elif word[0] == "nothing":
        return False
    elif word[0] == "noise":
        out(bytes(range(256)) * 4)
        return False
    elif word[0] == "old":  # HTTP 0.9
        out(b"just text\n")
        return False
    elif word[0] == "cookie":
        out(answer(200, b"cookie: " + query.get("seen", [""])[0].encode(), [("Set-Cookie", "a=1")]))
    else:
        out(answer(404, b"not here\n"))
    return True


async def serve(reader, writer):
    counts["connections"] += 1
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            target = head.split(" ")[1]
            split = urllib.parse.urlsplit(target)
            counts["requests"][split.path] = counts["requests"].get(split.path, 0) + 1
            for line in head.split("\r\n"):
                if line.lower().startswith("referer: "): counts["referrers"][split.path] = line[9:]
            if "\r\ncookie:" in head.lower() or "\r\nauthorization:" in head.lower():
                counts["requests"]["credentials"] = counts["requests"].get("credentials", 0) + 1
            again = await respond(split.path, urllib.parse.parse_qs(split.query), writer)
            await writer.drain()
            if not again: break
    except (asyncio.IncompleteReadError, ConnectionError, asyncio.LimitOverrunError):
        pass
    finally:
        writer.close()


async def canary(reader, writer):
    counts["canary"] += 1
    await reader.read(1)
    writer.write(answer(200, b"nobody should read this\n"))
    writer.close()


async def proxy(reader, writer):
    """SOCKS 5 (RFC 1928): whatever name is asked for, the plain server answers."""
    try:
        await reader.readexactly((await reader.readexactly(2))[1])
        writer.write(b"\x05\x00")
        kind = (await reader.readexactly(4))[3]
        name = await reader.readexactly((await reader.readexactly(1))[0] if kind == 3 else 4 if kind == 1 else 16)
        await reader.readexactly(2)
        counts["names"].append(name.decode() if kind == 3 else "address")
        if name == b"missing.onion":
            writer.write(b"\x05\x04\x00\x01" + bytes(6))
            return
        theirs, ours = await asyncio.open_connection("127.0.0.1", ports["plain"])
        writer.write(b"\x05\x00\x00\x01" + bytes(6))

        async def copy(source, target):
            while data := await source.read(1 << 16):
                target.write(data)
                await target.drain()
            target.close()
        await asyncio.gather(copy(reader, ours), copy(theirs, writer))
    except (asyncio.IncompleteReadError, ConnectionError): pass
    finally: writer.close()


async def main():
    global ports
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
             "-keyout", f"{folder}/key", "-out", f"{folder}/certificate", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{folder}/certificate", f"{folder}/key")
        plain = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
        secure = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        # Every address of loopback is a host of its own here.
        many = await asyncio.start_server(serve, "0.0.0.0", 0, backlog=1024)
        socks = await asyncio.start_server(proxy, "127.0.0.1", 0)
        watched = await asyncio.start_server(canary, "0.0.0.0", 0)
        await asyncio.start_server(canary, "::", watched.sockets[0].getsockname()[1])
        ports = {name: server.sockets[0].getsockname()[1] for name, server in
                 (("plain", plain), ("secure", secure), ("many", many), ("socks", socks), ("canary", watched))}
        closed = await asyncio.start_server(serve, "127.0.0.1", 0)
        ports["closed"] = closed.sockets[0].getsockname()[1]
        closed.close()
        second = None
        program = "/usr/sbin/nghttpd"  # HTTP/2 and nothing else.
        if os.access(program, os.X_OK):
            free = await asyncio.start_server(serve, "127.0.0.1", 0)
            ports["second"] = free.sockets[0].getsockname()[1]
            free.close()
            os.mkdir(f"{folder}/files")
            for number in range(100):
                with open(f"{folder}/files/{number}", "wb") as file: file.write(b"%08d" % number * (number * 50 + 1))
            second = subprocess.Popen(
                [program, "-d", f"{folder}/files", "-a", "127.0.0.1", str(ports["second"]), f"{folder}/key", f"{folder}/certificate"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for _ in range(100):
                try: (await asyncio.open_connection("127.0.0.1", ports["second"]))[1].close()
                except ConnectionError: await asyncio.sleep(0.05)
                else: break
        print(json.dumps({"ports": ports, "certificate": f"{folder}/certificate"}), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        if second: second.kill()
    os._exit(0)  # Whoever is still being served need not be told.


asyncio.run(main())
