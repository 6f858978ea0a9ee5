#!/usr/bin/env python3
"""Writes the first inputs of the fuzz targets: small made-up files in each format. Run again, it writes the same.

usage: make_corpus.py [FOLDER]
"""
import json, pathlib, sqlite3, sys, tempfile

OUT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "Corpus")
MD5, SHA1 = "900150983cd24fb0d6963f7d28e17f72", "a9993e364706816aba3e25717850c26c9cd0d89d"  # of "abc"
SHA256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
PDQ = "f8f8f0cce0f4e84d0e370a22028f67f0b36e2ed596623e1d33e6339c4e9c9b22"  # PDQ's example picture, "bridge"
EMPTY = "d41d8cd98f00b204e9800998ecf8427e"


def write(target, *inputs):
    folder = OUT / target
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(inputs):
        (folder / f"{number:02}").write_bytes(data if isinstance(data, bytes) else data.encode())


def stix(pattern, **more):
    return {"type": "indicator", "spec_version": "2.1", "id": "indicator--1", "pattern_type": "stix", "pattern": pattern} | more


def database(*statements):
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite3.connect(folder + "/set.db")
        for statement in ("pragma page_size = 512",) + statements: connection.execute(statement)
        connection.commit()
        connection.close()
        # The version of the library that has written it is no part of the input.
        data = bytearray(pathlib.Path(folder, "set.db").read_bytes())
        data[96:100] = bytes(4)
        return bytes(data)


plain = f"# list\n{MD5}\n{SHA1.upper()}\r\n \"{SHA256}\"\nsha-256:{SHA256}\npdq:{PDQ}\n{EMPTY}\n{MD5[:31]}\n"
sums = f"{SHA256}  a.jpg\n{MD5} *b\n\\{SHA1}  c\\nd\\\\e\nSHA256 (f (1).jpg) = {SHA256}\n"
zero = f"{SHA256}  a\nb\0{MD5}  c\0"
csv = f'id;SHA-256;MD5;category;PDQ;quality\n"a; ""b""\nc";{SHA256};{MD5};2;{PDQ};99\nd;;;;;\n'
tabs = f"hash\tname\tbaseline\n{MD5}\tx\t1\n"
hashdeep = f"%%%% HASHDEEP-1.0\n%%%% size,md5,sha256,filename\n## x\n3,{MD5},{SHA256},/a,b.jpg\nrest\n3,x\n"
pdq = f"{PDQ},bridge.jpg\n{PDQ}\n{'0' * 64},zero\n"
vpdq = f"0,100,{PDQ},0.000\n30,49,{PDQ},1.001\n"
signals = f"pdq {PDQ}\nvideo_md5 {MD5}\nvideo_tmk x\n"
nsrl = ('"SHA-1","MD5","CRC32","FileName","FileSize","ProductCode","OpSystemCode","SpecialCode"\r\n'
        f'"{SHA1.upper()}","{MD5.upper()}","00000000","5" x",3,7,"WIN",""\r\n')
hfind = f"{'0' * 41}|md5sum\n{'0' * 40}1|db\n{MD5.upper()}|0000000000000017\n"
encase = (b"HASH\r\n\xff\0" + bytes(8) + (2).to_bytes(4, "little") + bytes(1132) + bytes.fromhex(MD5) + bytes(2)
          + bytes.fromhex(EMPTY) + bytes(2))
media = {"MediaID": 1, "Category": 2, "MD5": MD5.upper(), "SHA1": SHA1, "PhotoDNA": "AAAA", "Tags": ["a\u00e9", None, True, -1.5e2],
         "AlternativeHashes": [{"HashName": "SHA-256", "HashValue": SHA256}], "MediaFiles": [{"MD5": MD5, "FileName": "a\\b"}]}
context = "http://example.org/DataModels/2.0.xml/US/$metadata#"
vics_set = json.dumps({"@odata.context": context + "Media", "value": [media, {"MediaID": 2}]})
vics_case = json.dumps({"value": [{"CaseID": "1", "Media": [media]}], "odata.metadata": "x/1.3.xml#Cases"})
ncmec = (f'<?xml version="1.0" encoding="UTF-8"?><!-- x --><queryResult xmlns="x"><images count="1"><image><member id="4">A &amp; B&#65;</member>'
         f"<id>e1</id><classification>A1</classification><fingerprints><md5>{MD5}</md5><sha1><![CDATA[{SHA1}]]></sha1><pdna>x</pdna><pdq>{PDQ}</pdq>"
         "<tmk-pdqf rel='self'/></fingerprints></image><deletedImage><member id='4'>A</member><id>e2</id></deletedImage></images>"
         "<paging><next>/v2?a&amp;b</next></paging></queryResult>")
stop = json.dumps({"count": 2, "hasMoreRecords": False, "hashRecords": [
    {"signalType": "ImagePDQ", "hashValue": PDQ, "hashStatus": "Active", "caseNumbers": {"c1": "Active"}},
    {"signalType": "VideoMD5", "hashValue": MD5, "hashStatus": "Withdrawn"}]})
misp = json.dumps({"response": [{"Event": {"Attribute": [{"type": "sha256", "value": SHA256, "uuid": "u"}, {"type": "filename|md5", "value": f"a|{MD5}"}],
                                           "Object": [{"Attribute": [{"type": "sha1", "value": SHA1, "deleted": True}]}]}}]})
stix_bundle = json.dumps({"type": "bundle", "id": "bundle--1", "objects": [
    stix(f"[file:hashes.'SHA-256' = '{SHA256}'] OR [file:hashes.MD5 = '{MD5}']"), stix(f"[NOT file:hashes.MD5 != '{MD5}']", revoked=True),
    {"type": "file", "hashes": {"SHA-1": SHA1, "SHA-512": "00"}}]})
dfxml = (f"<?xml version='1.0'?><dfxml version='1.0'><fileobject><filename>a&lt;</filename><hashdigest type='MD5'>{MD5}</hashdigest>"
         f"<byte_run len='2'><hashdigest type='SHA1'>{SHA1}</hashdigest></byte_run></fileobject></dfxml>")

rds = database("create table METADATA(id integer primary key, sha256 text, sha1 text, md5 text)", "create view FILE as select * from METADATA",
               f"insert into METADATA(sha256, sha1, md5) values('{SHA256.upper()}', '{SHA1}', '{MD5}'), ('x', null, 7)")
kdb = database("create table db_properties(name text, value text)", "create table hashes(id integer primary key, md5 binary(16), sha1 binary(20))",
               f"insert into hashes(md5, sha1) values(x'{MD5}', x'{SHA1}'), (x'{EMPTY}', null)")
formats = {"plain": [plain], "sums": [sums, zero], "csv": [csv, tabs], "hashdeep": [hashdeep], "pdq": [pdq], "vpdq": [vpdq],
           "threatexchange": [signals], "nsrl": [nsrl], "nsrl-sqlite": [rds], "kdb": [kdb], "hfind": [hfind], "encase": [encase], "vics": [vics_set, vics_case], "ncmec": [ncmec],
           "stopncii": [stop], "misp": [misp], "stix": [stix_bundle], "dfxml": [dfxml]}
for name, inputs in formats.items():
    write(name, *inputs)
write("auto", *(data for inputs in formats.values() for data in inputs))
write("query", MD5, f"sha1:{SHA1}", f"SHA-256:{SHA256}", f"pdq:{PDQ}", "foo:1", ":")
# Patches of the golden files: none; the file's size, the number of sections, a section's offset; some records.
write("hashlist", b"\0", b"\1", b"\0\0\0\x10\xff\xff\xff\xff", b"\1\0\0\x28\x40\0\0\0", b"\1\0\0\x90\0\0\1\0\0\0\xd0\0\x10\0\0",
      b"\x81\0\x10\0ABCD", b"\1\0\x10\0\xff\xff\xff\xff\0\x20\0\0\0\0\0")

html = ("<!doctype html><meta charset=utf-8><base href=/a/><meta property='og:image' content=x.jpg><style>p{background:url('a.png')}</style>"
        "<script type='application/ld+json'>{'contentUrl':'v.mp4'}</script><script><!--<script></script>--></script><!-- c --!><img/srcset='a.jpg 1x, b 2x'"
        " src=&period;&#x41;><iframe srcdoc='<img src=d>'></iframe><img src='data:image/gif;base64,R0lGODlh'><svg><image xlink:href=s /></svg></p a='>'>")
write("html", html, "<!--><a href=x.jpg>", "</br><img\fsrc=a>")
write("xhtml", html, "<x:script/><x:img src='a'/>")
write("css", "@import 'a.css'; /* c */ .b{background:url( c.png ),image-set(\"d\" 1x, url(e) 2x)} \\75 rl(g\\.png)", "url('a\\66 b")
write("srcset", "a 1x, b 640w,c (1,2) 2h", ",, data:x,y 1x")
write("linked-data", '{"@graph":[{"contentUrl":"v.mp4","image":{"url":"https:\\/\\/a\\u0041\\ud83d\\ude42"}}],"embedUrl":"x"}', '[[{"image":"a/b"')
write("data-url", "image/png;base64,iVBO Rw0K-_=", "text/html;charset=x,%41%4", ";base64,#")
write("charset", "text/html; charset=\"utf-8\"", "<?xml version='1.0' encoding='koi8-r'?>", "<meta http-equiv=content-type content='a; charset = big5'>")
write("hls", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=2x3,CODECS=\"a,b\"\nv.m3u8\n#EXT-X-MEDIA:TYPE=AUDIO,URI=\"s\"\n",
      "#EXTM3U\n#EXT-X-MAP:URI=\"i\",BYTERANGE=\"5@6\"\n#EXT-X-KEY:METHOD=AES-128\n#EXT-X-BYTERANGE:7@8\ns.ts\n#EXT-X-BYTERANGE:9\ns.ts\n#EXT-X-ENDLIST")
template = "+SegmentTemplate media=$RepresentationID$-$Number%05d$-$Time$ initialization=i timescale=10 duration=20 startNumber=3"
write("dash", f"+MPD mediaPresentationDuration=PT1H2M3.5S\n+BaseURL\na/\n-\n+Period\n+AdaptationSet mimeType=video/mp4\n{template}\n+SegmentTimeline\n"
      "+S t=0 d=5 r=3\n-\n+S d=9 r=-1\n-\n-\n-\n+Representation id=r bandwidth=5 width=4 height=3\n-\n-\n-\n-",
      "+MPD\n+Period start=PT1S duration=PT9S\n+AdaptationSet\n+Representation\n+SegmentList\n+Initialization sourceURL=i range=0-9\n-\n"
      "+SegmentURL media=a mediaRange=5-5\n-\n-\n+ContentProtection\n-\n-\n-\n-\n-")
