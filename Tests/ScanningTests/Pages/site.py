#!/usr/bin/env python3
"""Makes a web site of made-up pages with pictures planted on them, and serves it on loopback until its input closes.

usage: site.py FOLDER PICTURES PAGES

FOLDER gets the pages as files, `site.json` (which says what is planted where) and `requests.log` (a path a line, with what
was served). PICTURES are drawn landscapes. Of the same number of pages the site is always the same, but for its port.
"""
import base64, gzip, http.server, json, pathlib, sys, threading, time, urllib.parse

FOLDER, PICTURES, COUNT = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
pictures = [path.read_bytes() for path in sorted(PICTURES.glob("*.jpg"))]
pages, media, requests = {}, {}, []
lock = threading.Lock()

# Each way to refer to a picture: how it is written, and what names it: element and attribute.
WAYS = [
    ('<img src="{}">', "img src"), ("<img/src={}>", "img src"), ("<IMG SRC='{}' ALT=x>", "img src"),
    ('<img srcset="{}, /none.png 2x">', "img srcset"), ('<img srcset="/none.png 1x,{} 640w" src=/none.png>', "img srcset"),
    ('<img data-src="{}">', "img data-src"), ('<img class=lazy data-srcset="{} 2x">', "img data-srcset"),
    ('<div data-bg="{}"></div>', "div data-bg"), ('<span data-full="{}"></span>', "span data-full"),
    ('<picture><source srcset="{} 1x"><img src=/none.png></picture>', "source srcset"),
    ('<video src="{}"></video>', "video src"), ('<video poster="{}"></video>', "video poster"),
    ('<video><source src="{}"></video>', "source src"), ('<audio src="{}"></audio>', "audio src"),
    ('<object data="{}"></object>', "object data"), ('<embed src="{}">', "embed src"), ('<input type=image src="{}">', "input src"),
    ("<iframe srcdoc=\"<p><img src='{}'>\"></iframe>", "img src"), ('<link rel="shortcut icon" href="{}">', "link icon"),
    ('<link rel=image_src href="{}">', "link image_src"), ('<link rel=preload as=image href="{}">', "link preload"),
    ('<link rel=preload as=image imagesrcset="{} 2x">', "link imagesrcset"), ('<meta property="og:image" content="{}">', "meta og:image"),
    ('<meta property="og:image:secure_url" content="{}">', "meta og:image:secure_url"),
    ('<meta property="og:video" content="{}">', "meta og:video"), ('<meta name="twitter:image" content="{}">', "meta twitter:image"),
    ('<meta name="twitter:player:stream" content="{}">', "meta twitter:player:stream"),
    ('<meta itemprop="thumbnailUrl" content="{}">', "meta thumbnailurl"),
    ('<script type="application/ld+json">{{"@type":"VideoObject","contentUrl":"{}"}}</script>', "script contentUrl"),
    ('<script type="application/ld+json">{{"@graph":[{{"image":{{"url":"{}"}}}}]}}</script>', "script url"),
    ('<script type="application/ld+json">{{"thumbnailUrl":["{}"]}}</script>', "script thumbnailUrl"),
    ('<p style="background: url(\'{}\')">', "p style"), ("<style>.a {{ background: #fff url({}) }}</style>", "style"),
    ('<style>.a {{ background: image-set("{}" 2x) }}</style>', "style"), ('<td background="{}">', "td background"),
    ('<svg><image xlink:href="{}" /></svg>', "image xlink:href"), ('<svg><image href="{}"/></svg>', "image href"),
    ('<a href="{}">look</a>', "a href"), ('<area href="{}">', "area href"), ('<noscript><img src="{}"></noscript>', "img src"),
    ('<template><img src="{}"></template>', "img src"), ('<!--><img src="{}">-->', "img src"),
    ('<amp-img src="{}"></amp-img>', "amp-img src"), ('<textarea><img src="{}"></textarea>', "img src"),
]
# How the URL itself is written: from the page's folder, the host, the scheme, or whole; the folder is that of the base.
FORMS = [lambda path, folder, origin: path[len(folder):], lambda path, folder, origin: path,
         lambda path, folder, origin: origin.split(":", 1)[1] + path, lambda path, folder, origin: origin + path,
         lambda path, folder, origin: "./x/../" + path[len(folder):]]
TYPES = ["image/jpeg", "application/octet-stream", "text/plain", None]
CHARSETS = [("utf-8", "utf-8"), ("windows-1256", "cp1256"), ("utf-16", "utf-16"), ("gb18030", "gb18030")]


def plant(path, number, **how):
    """Puts a picture at a path; gives back its URL as browsers write it."""
    media[urllib.parse.quote(path)] = dict(body=pictures[number % len(pictures)], type=TYPES[number % len(TYPES)], **how)
    return urllib.parse.quote(path)


def add(path, text, planted, kind="text/html", charset="utf-8", codec="utf-8", **more):
    header = kind if kind == "application/dash+xml" else f"{kind}; charset={charset}"
    pages[path] = dict(body=text.encode(codec), type=header, planted=planted, **more)


def make(origin):
    for number in range(COUNT):
        folder = f"/p/{number}/"
        charset, codec = CHARSETS[number % len(CHARSETS)] if number % 7 == 0 else CHARSETS[0]
        name = {"cp1256": "صورة", "gb18030": "图片"}.get(codec, "bild")
        head, body, planted = f"<!doctype html><title>page {number}</title>", "", []
        if number % 5 == 4:
            head += f'<base href="/b/{number}/">'
            folder = f"/b/{number}/"
        for turn in range(1 + number % 4):
            way, place = WAYS[(number * 5 + turn * 11) % len(WAYS)]
            path = f"{folder}{turn}-{name}.jpg"
            shown = FORMS[(number + turn) % len(FORMS)](path, folder, origin)
            body += way.format(shown) + "\n"
            url = plant(path, number + turn, redirect=turn == 1 and number % 3 == 0)
            planted.append(dict(url=origin + url, place=place))
        if number % 10 == 3:
            data = base64.b64encode(pictures[number % len(pictures)]).decode()
            body += f'<img src="data:image/jpeg;base64,{data}">'
            planted.append(dict(url="data:image/jpeg;base64," + data[:41], place="img src"))
        add(f"/p/{number}/", head + body, planted, charset=charset, codec=codec)
    one = lambda name: origin + plant(f"/s/{name}", len(name))
    add("/s/frame.html", '<iframe src="in/frame.html"></iframe>', [dict(url=origin + "/s/in/frame.html", place="iframe src")])
    add("/s/in/frame.html", '<img src="../framed.jpg">', [dict(url=one("framed.jpg"), place="img src")])
    add("/s/sheet.html", '<link rel=stylesheet href="sheet.css">', [dict(url=origin + "/s/sheet.css", place="link stylesheet")])
    add("/s/sheet.css", '.a{background:url("sheet.jpg")}', [dict(url=one("sheet.jpg"), place="style")], kind="text/css")
    add("/s/away.html", '<meta http-equiv=refresh content="0; url=target.html">', [dict(url=origin + "/s/target.html", place="meta refresh")])
    add("/s/target.html", "<img src=target.jpg>", [dict(url=one("target.jpg"), place="img src")])
    add("/s/film.html", "<video src=film.m3u8></video><a href=film.mpd>", [dict(url=origin + "/s/film.m3u8", place="video src"),
                                                                         dict(url=origin + "/s/film.mpd", place="a href")])
    add("/s/film.m3u8", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=640x360\nlow/i.m3u8\n",
        [dict(url=origin + "/s/low/i.m3u8", place="ext-x-stream-inf uri")], kind="application/vnd.apple.mpegurl")
    add("/s/low/i.m3u8", "#EXTM3U\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:4,\n1.m4s\n#EXTINF:4,\n2.m4s\n#EXT-X-ENDLIST\n",
        [dict(url=one(f"low/{name}"), place="") for name in ("init.mp4", "1.m4s", "2.m4s")], kind="application/vnd.apple.mpegurl")
    add("/s/film.mpd", "<MPD mediaPresentationDuration='PT8S'><BaseURL>dash/</BaseURL><Period><AdaptationSet mimeType='video/mp4'><Representation id='v'>"
        "<SegmentTemplate media='$RepresentationID$$Number$.m4s' initialization='init.mp4' duration='4'/></Representation></AdaptationSet></Period></MPD>",
        [dict(url=one(f"dash/{name}"), place="") for name in ("init.mp4", "v1.m4s", "v2.m4s")], kind="application/dash+xml")
    add("/s/bad.html", "<img src=/e/404.jpg><img src=/e/500.jpg><img src=/e/slow.jpg><img src=/e/endless.jpg><img src=/e/bomb.jpg>"
        "<img src=/e/loop.jpg><img src=/e/cut.jpg><img src='http://user@host/'><img src=good.jpg>", [dict(url=one("good.jpg"), place="img src")], hostile=True)


class Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer in one packet, or the other end waits for the next

    def log_message(self, *_): pass

    def answer(self, status, body=b"", kind=None, **headers):
        self.send_response(status)
        if kind: self.send_header("Content-Type", kind)
        for name, value in headers.items(): self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD": self.wfile.write(body)

    def do_HEAD(self): self.do_GET()

    def do_GET(self):
        path = self.path.split("?")[0]
        if path.startswith("/redirected"): path = path[len("/redirected"):]
        item = media.get(path)
        what = "page" if path in pages else "media" if item else "other"
        with lock, open(FOLDER / "requests.log", "a") as log: log.write(f"{self.command} {what} {self.path}\n")
        if path in pages: return self.answer(200, pages[path]["body"], pages[path]["type"])
        if item and item.get("redirect") and path == self.path: return self.answer(302, Location="/redirected" + path)
        if item: return self.answer(200, item["body"], item["type"])
        if path == "/e/500.jpg": return self.answer(500, b"broken")
        if path == "/e/loop.jpg": return self.answer(302, Location=path)
        if path == "/e/bomb.jpg": return self.answer(200, gzip.compress(bytes(200 << 20), 9), "image/jpeg", Content_Encoding="gzip")
        if path == "/e/cut.jpg":
            self.close_connection = True
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + pictures[0][:500])
            return
        if path in ("/e/slow.jpg", "/e/endless.jpg"):
            self.close_connection = True
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n")
            try:
                while True:
                    self.wfile.write(b"\xff" if path == "/e/slow.jpg" else bytes(1 << 16))
                    self.wfile.flush()
                    if path == "/e/slow.jpg": time.sleep(1)
            except OSError: return
        self.answer(404, b"none")


class Threads(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


server = Threads(("127.0.0.1", 0), Server)
origin = f"http://127.0.0.1:{server.server_port}"
make(origin)
index = []
for number, (path, page) in enumerate(pages.items()):
    (FOLDER / f"{number}.page").write_bytes(page["body"])
    index.append(dict(url=origin + path, type=page["type"], file=f"{number}.page", planted=page["planted"], hostile=page.get("hostile", False)))
(FOLDER / "requests.log").write_text("")
(FOLDER / "site.json").write_text(json.dumps(dict(origin=origin, pages=index)))
threading.Thread(target=server.serve_forever, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
