"""Reads the files of a report as other programs do, and prints what it found; any doubt is an error."""
import csv
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as etree

folder = pathlib.Path(sys.argv[1])
DFXML = "{http://www.forensicswiki.org/wiki/Category:Digital_Forensics_XML}"
OURS = "{urn:muhafiz:dfxml}"
lengths = {"MD5": 32, "SHA1": 40, "SHA256": 64}

root = etree.parse(folder / "dfxml.xml").getroot()
assert root.tag == DFXML + "dfxml" and root.get("version")
creator = root.find(DFXML + "creator")
for name in ["program", "version", "execution_environment/start_time", "execution_environment/command_line"]:
    assert creator.find("/".join(DFXML + part for part in name.split("/"))) is not None, name
assert root.find(DFXML + "metadata/{http://purl.org/dc/elements/1.1/}type").text == "Hash List"
files, digests, matched = 0, 0, 0
for file in root.iter(DFXML + "fileobject"):
    files += 1
    assert file.find(DFXML + "filename").text
    status = file.find(OURS + "status").text
    if status == "hashed":
        assert file.find(DFXML + "filesize").text.isdigit()
        found = file.findall(DFXML + "hashdigest")
        assert {digest.get("type") for digest in found} >= {"MD5", "SHA256"}
        for digest in found:
            digests += 1
            assert re.fullmatch("[0-9a-f]{%d}" % lengths[digest.get("type")], digest.text)
    else:
        assert file.find(DFXML + "error").text
    modified = file.find(DFXML + "mtime")
    assert modified is None or re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", modified.text)
    matched += len(file.findall(OURS + "match"))

with open(folder / "items.csv", newline="", encoding="utf-8") as text:
    rows = list(csv.DictReader(text, strict=True))
assert all(None not in row and None not in row.values() for row in rows)
assert all(not value or value[0] not in "=+-@\t\r" for row in rows for value in row.values())

items = [json.loads(line) for line in open(folder / "items.ndjson", encoding="utf-8")]
assert [items[0]["type"], items[-1]["type"]] == ["begin", "summary"]
assert items[-1]["found"] == files == len(items) - 2
assert sum(max(1, len(item.get("matches", []))) for item in items[1:-1]) == len(rows)

vics = json.load(open(folder / "vics.json", encoding="utf-8"))
assert list(vics) == ["@odata.context", "value"] and vics["@odata.context"].endswith("#Cases")
(case,) = vics["value"]
assert {"CaseID", "CaseNumber", "SourceApplicationName", "SourceApplicationVersion", "TotalMediaFiles", "Media"} <= set(case)
assert case["TotalMediaFiles"] == len(case["Media"])
for number, media in enumerate(case["Media"], 1):
    assert media["MediaID"] == number and media["Category"] is None
    assert re.fullmatch("[0-9A-F]{32}", media["MD5"]) and isinstance(media["MediaSize"], int)
    (file,) = media["MediaFiles"]
    assert {"MD5", "FileName", "FilePath"} <= set(file) and file["MD5"] == media["MD5"]

print(json.dumps({"files": files, "digests": digests, "matches": matched, "rows": len(rows), "media": len(case["Media"])}))
