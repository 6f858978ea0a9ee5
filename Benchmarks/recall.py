#!/usr/bin/env python3
"""Writes Results/recall.md: which changes of a picture are still found, through the whole program.

usage: recall.py [--muhafiz PROGRAM] [--keep FOLDER]     (needs Python with Pillow, and ../shared/corpus)

The corpus's pictures go on a list with the reference's hashes, its derive.py changes each of them in many ways, and
`muhafiz scan` looks for all of them. Beside each share stands the reference's own, from the corpus's distances.csv.
False positives are entries that a picture meets and does not come from, over all pairs of different bases.
"""
import argparse, collections, csv, json, os, pathlib, subprocess, sys, tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
CORPUS = ROOT.parent / "shared/corpus"
WITHIN, QUALITY = 31, 50
SURELY_WITHIN = 25  # beyond, two correct decoders may differ: see the corpus's scripts/README.md


def table(name):
    return list(csv.DictReader(open(CORPUS / name)))


def scan(muhafiz, pictures, folder):
    """Entries that each picture met, by the picture's name."""
    listed = {r["file"].split("/")[-1]: r["pdq_hex"] for r in table("media/photos_pdq.csv") if int(r["quality"]) >= QUALITY}
    hashes = folder / "photos.csv"
    hashes.write_text("".join(f"{h},{n}\n" for n, h in listed.items()))
    environment = os.environ | {"MUHAFIZ_HOME": str(folder / "home")}
    subprocess.run([muhafiz, "list", "import", "--name", "photos", hashes], check=True, env=environment, stdout=subprocess.DEVNULL)
    report = folder / "report.ndjson"
    ended = subprocess.run([muhafiz, "scan", pictures, "--all", "--format", "ndjson", "-o", report], env=environment)
    if ended.returncode not in (0, 1, 3, 4):
        sys.exit(f"the scan ended with {ended.returncode}")
    names, met = {h: n for n, h in listed.items()}, {}
    for line in open(report):
        item = json.loads(line)
        if item["type"] == "item":
            met[item["path"].split("/")[-1]] = {m["entry"]: m["distance"] for m in item.get("matches", [])}
    return listed, names, met


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--muhafiz", default=ROOT / ".build/release/muhafiz")
    arguments.add_argument("--keep")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(options.keep or temporary)
        pictures = folder / "derived"
        if not pictures.exists():
            subprocess.run([sys.executable, CORPUS / "scripts/derive.py", pictures], check=True, stdout=subprocess.DEVNULL)
        listed, names, met = scan(options.muhafiz, pictures, folder)
        origin = {r["file"]: (r["base"], r["transform"]) for r in csv.DictReader(open(pictures / "manifest.csv"))}
    entry_of = lambda entry: names.get(entry, entry)
    found, total, wrong, pairs = collections.Counter(), collections.Counter(), 0, 0
    for file, (base, transform) in origin.items():
        if base not in listed:
            continue
        entries = {entry_of(e) for e in met[file]}
        total[transform] += 1
        found[transform] += base in entries
        wrong += len(entries - {base})
        pairs += len(listed) - 1
    plain, turned, lost = collections.Counter(), collections.Counter(), []
    files = {place: file for file, place in origin.items()}
    for r in table("media/distances.csv"):
        # Flat pictures are neither listed nor looked for: their bits are noise.
        if int(r["base_quality"]) < QUALITY or int(r["quality"]) < QUALITY:
            continue
        nearest, file = int(r["min_distance_dihedral"]), files[r["base"], r["transform"]]
        plain[r["transform"]] += int(r["distance"]) <= WITHIN
        turned[r["transform"]] += nearest <= WITHIN
        if nearest <= SURELY_WITHIN and r["base"] not in {entry_of(e) for e in met[file]}:
            lost.append(file)
    lines = [
        "# Recall by change", "",
        f"{len(listed)} pictures of the shared corpus (quality {QUALITY} and above), {sum(total.values()):,} changed forms, through `muhafiz scan`;",
        f"found is a match within {WITHIN} bits of 256. The reference hashes the whole picture, alone or in eight turns; its distances are taken at the same quality. It turns a picture's coefficients, whose samples lie a pixel or two beside those of the turned picture; a scan takes samples where the turned picture has them. Made by `Benchmarks/recall.py`.",
        "", "| change | found | reference | reference, turned |", "| --- | ---: | ---: | ---: |"]
    for transform in total:
        n = total[transform]
        lines.append(f"| {transform} | {found[transform] / n:.1%} | {plain[transform] / n:.1%} | {turned[transform] / n:.1%} |")
    lines += ["", f"False positives: {wrong} of {pairs:,} pairs of a changed picture and a different base.", ""]
    target = ROOT / "Benchmarks/Results/recall.md"
    target.parent.mkdir(exist_ok=True)
    target.write_text("\n".join(lines))
    print("\n".join(lines))
    if lost:
        sys.exit(f"the reference finds what we do not: {', '.join(lost)}")


main()
