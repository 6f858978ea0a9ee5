"""A web of its own: names, public addresses and servers in a network namespace, and the program as a user runs it.

usage: unshare -n -m python3 web_in_namespace.py MUHAFIZ rebinding COUNT
       unshare -n -m python3 web_in_namespace.py MUHAFIZ run ARGUMENT… [+ ARGUMENT…]

In place of a program's arguments, !later makes hosts answer as they do later, and !due lets the time until re-checks pass.
Nothing leaves the namespace, and the program's own policy holds in it: 93.184.216.34 and 2606:2800:220:1::34 are public
addresses, 127.0.0.1, 10.0.0.1 and ::1 are not. Prints one line of JSON: what was asked of whom, and what was printed.
"""

import asyncio, ipaddress, json, os, random, sqlite3, struct, subprocess, sys, tempfile

PUBLIC, PUBLIC6 = "93.184.216.34", "2606:2800:220:1::34"
PRIVATE = ["127.0.0.1", "10.0.0.1"]
later = False
counts = {"public": 0, "canary": 0, "answers": 0, "private_answers": 0, "requests": {}}


def sh(command): subprocess.run(command, shell=True, check=True)


def addresses(name, asked):
    """What the resolver says of a name this time: lists of IPv4 and IPv6 addresses, or an alias."""
    label = name.split(".")[0]
    turn = asked[name] = asked.get(name, -1) + 1
    if name.endswith(".flip.example"):  # Public at first, then not, then public again.
        return ([PUBLIC] if turn % 2 == 0 else [PRIVATE[turn // 2 % 2]]), []
    if name.endswith(".flop.example"):  # The other way round.
        return ([PRIVATE[turn // 2 % 2]] if turn % 2 == 0 else [PUBLIC]), []
    if name.endswith(".mixed.example"):
        both = [PUBLIC] + PRIVATE
        random.Random(label).shuffle(both)
        return both, ["::1"]
    if name.endswith(".mapped.example"): return [], ["::ffff:127.0.0.1", "::1", "64:ff9b::7f00:1"]
    if name.endswith(".inner.example"): return [PRIVATE[len(label) % 2]], ["::1"]
    if name.endswith(".alias.example"): return f"{label}.inner.example"
    if name.endswith(".circle.example"): return name
    if later and name == "blocked.site.example": return [PRIVATE[1]], []
    if later and name == "vanished.site.example": return [], []
    if name.endswith(".site.example") or name == "site.example": return [PUBLIC], [PUBLIC6]
    return [], []


class Names(asyncio.DatagramProtocol):
    asked = {}

    def connection_made(self, transport): self.transport = transport

    def datagram_received(self, data, sender):
        labels, at = [], 12
        while data[at]:
            labels.append(data[at + 1:at + 1 + data[at]].decode().lower())
            at += 1 + data[at]
        name, kind = ".".join(labels), struct.unpack("!H", data[at + 1:at + 3])[0]
        question = data[12:at + 5]
        found = addresses(name, self.asked) if kind == 1 else addresses(name, {name: 0})
        answers = []
        if isinstance(found, str):
            target = b"".join(bytes([len(label)]) + label.encode() for label in found.split(".")) + b"\0"
            answers.append(struct.pack("!HHHIH", 0xC00C, 5, 1, 0, len(target)) + target)
            final = addresses(found, self.asked) if found != name else ([], [])
            place = 0xC000 | (12 + len(question) + 12)
        else:
            final, place = found, 0xC00C
        for address in final[0] if kind == 1 else final[1]:
            counts["answers"] += 1
            if address not in (PUBLIC, PUBLIC6): counts["private_answers"] += 1
            raw = ipaddress.ip_address(address).packed
            answers.append(struct.pack("!HHHIH", place, kind, 1, 0, len(raw)) + raw)
        code = 0x8180 if found and (isinstance(found, str) or found[0] or found[1]) else 0x8183
        head = data[:2] + struct.pack("!HHHHH", code, 1, len(answers), 0, 0)
        self.transport.sendto(head + question + b"".join(answers), sender)


def site(path):
    """Pages, pictures and text of the site: status, type, body."""
    pictures = os.path.join(os.path.dirname(__file__), "../../testdata/pictures")
    if path.endswith(".jpg"):
        file = os.path.join(pictures, os.path.basename(path))
        if os.path.exists(file):
            with open(file, "rb") as picture: return 200, "image/jpeg", picture.read()
    if path.startswith("/order/"):  # What is to be taken down.
        if later and path == "/order/gone": return 404, "text/plain", b"not here\n"
        if later and path == "/order/unavailable": return 451, "text/plain", b"not here\n"
        if later and path == "/order/broken": return 500, "text/plain", b"not now\n"
        if later and path == "/order/moved": return 302, "/hello", b""
        return site("/steppe.jpg" if later and path == "/order/changed" else "/dunes.jpg")
    if path == "/page":
        return 200, "text/html", b"""<!doctype html><title>a page</title><img src="/dunes.jpg"><img src="/dunes.jpg#again">
          <p style="background: url(lagoon.jpg)"><a href=/steppe.jpg>a link</a><iframe src="/frame"></iframe>
          <img src="http://127.0.0.1/canary.jpg"><img src="/missing.jpg"><img src="//inner.example\\\\@x/">
          <img src="data:text/plain,hello"><video src="/list.m3u8"></video><img src="/frame">"""
    if path == "/list.m3u8":
        return 200, "application/vnd.apple.mpegurl", b"#EXTM3U\n#EXTINF:1,\npart1\n#EXTINF:1,\npart2\n#EXT-X-ENDLIST\n"
    if path in ("/part1", "/part2"):
        with open(os.path.join(pictures, "terrace.jpg"), "rb") as file: picture = file.read()
        return 200, "video/mp2t", picture[:1000] if path == "/part1" else picture[1000:]
    if path == "/frame": return 200, "text/html", b'<video poster="/harbour.jpg"></video><iframe src="/page2"></iframe>'
    if path == "/short": return 302, "/page", b""
    if path == "/hello": return 200, "text/plain", b"hello\n"
    return 404, "text/plain", b"not here\n"


async def serve(reader, writer):
    counts["public"] += 1
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            path = head.split(" ")[1].split("?")[0]
            counts["requests"][path] = counts["requests"].get(path, 0) + 1
            if path == "/slow": await asyncio.sleep(3600)
            status, kind, body = site(path)
            name = "Location" if status == 302 else "Content-Type"
            writer.write(f"HTTP/1.1 {status} x\r\n{name}: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError): pass
    finally: writer.close()


async def canary(reader, writer):
    counts["canary"] += 1
    await reader.read(1)
    writer.close()


async def main(muhafiz, scenario, *arguments):
    resolv = tempfile.NamedTemporaryFile("w", suffix=".conf")
    resolv.write("nameserver 127.0.0.1\noptions timeout:2 attempts:2\n")
    resolv.flush()
    sh(f"ip link set lo up; ip addr add {PUBLIC}/32 dev lo; ip addr add 10.0.0.1/32 dev lo;"
       f"ip -6 addr add {PUBLIC6}/128 dev lo nodad || true; mount --bind {resolv.name} /etc/resolv.conf")
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(Names, local_addr=("127.0.0.1", 53))
    await asyncio.start_server(serve, PUBLIC, 80, backlog=1024)
    try: await asyncio.start_server(serve, PUBLIC6, 80)
    except OSError: pass
    for address in PRIVATE + ["::1"]:
        try: await asyncio.start_server(canary, address, 80)
        except OSError: pass
    # The canary hears a connection when there is one.
    reader, writer = await asyncio.open_connection("10.0.0.1", 80)
    writer.write(b"x")
    await reader.read()
    writer.close()
    counts["control"], counts["canary"] = counts["canary"], 0

    text, commands = "", [[]]
    if scenario == "rebinding":
        kinds = ["flip", "flop", "mixed", "mapped", "inner", "alias", "circle"]
        # Each name twice, on two paths, so that the second look at it may get the other answer.
        count = int(arguments[0])
        names = [f"n{number // 2}.{kinds[number // 2 % len(kinds)]}.example" for number in range(count)]
        text = "\n".join(f"http://{name}/hello?{number}" for number, name in enumerate(names))
        commands = [["scan", "--urls-from", "-", "--all", "--format", "ndjson"]]
    else:
        for argument in arguments:
            if argument == "+": commands.append([])
            else: commands[-1].append(argument)
    runs = []
    for command in commands:
        if command == ["!later"]:
            global later
            later = True
            continue
        if command == ["!due"]:
            with sqlite3.connect(os.environ["MUHAFIZ_HOME"] + "/casework.sqlite") as store:
                store.execute("UPDATE takedown SET next_check_at = 0, gone_at = gone_at - 3600000 WHERE next_check_at IS NOT NULL")
            continue
        program = await asyncio.create_subprocess_exec(
            muhafiz, *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        begun = b""
        if os.environ.pop("WEB_TEST_INTERRUPT", ""):  # ^C once a host keeps the first run waiting and a result was read
            while "/slow" not in counts["requests"]: await asyncio.sleep(0.05)
            while b'"type":"item"' not in begun:
                line = await asyncio.wait_for(program.stdout.readline(), 20)
                if not line: break  # it has ended; whoever started this looks why
                begun += line
            program.send_signal(2)
        out, err = await program.communicate(text.encode())
        out = begun + out
        runs.append({"exit": program.returncode, "output": out.decode(), "errors": err.decode()})
    print(json.dumps({"counts": counts, "runs": runs}))
    os._exit(0)


asyncio.run(main(*sys.argv[1:]))
