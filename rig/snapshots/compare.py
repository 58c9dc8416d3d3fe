#!/usr/bin/env python3
"""Compares what microsandbox's second snapshot added, and what its forks have for themselves, with the pages that changed, page for
page: compare.py FOLDER."""
import json, pathlib, sqlite3, sys

folder = pathlib.Path(sys.argv[1])
objects = {name: dict(reversed(line.split()) for line in (folder / f"{name}.objects").read_text().splitlines()) for name in ("one", "two")}
added = objects["two"].keys() - objects["one"].keys()
memory = next(json.loads(path.read_text()) for path in folder.glob("*.memory") if '"incremental"' in path.read_text())
stored, zeroed, place = set(), set(), 0
for extent in memory["extents"]:
    first, content = extent["start"] // 4096, extent["content"]
    pages = range(first, first + extent["length"] // 4096)
    if content["kind"] == "zero":
        zeroed.update(pages)
    elif content["object"].removeprefix("sha256:") in added:
        stored.update(pages)
end = max((extent["start"] + extent["length"]) // 4096 for extent in memory["extents"])
# Guest memory as the snapshot counts it: its mappings one after the other, each at the place that explains most. A mapping may go on
# behind it with memory of the VMM's own.
mappings = [(int(size) // 4096, {int(page) for page in (folder / f"{name}.pages").read_text().split()})
            for size, name in (line.split() for line in (folder / "mappings").read_text().splitlines())]
for _, name in (line.split() for line in (folder / "mappings").read_text().splitlines()):
    own = {page for page, in sqlite3.connect(folder / f"{name}.db").execute("SELECT DISTINCT gfn FROM dirty")}
    listed = {int(page) for page in (folder / f"{name}.pages").read_text().split()}
    assert own == listed, f"dirtyrec import finds {len(own)} pages in {name}, not {len(listed)}"
changed, base = set(), {}
for size, pages in mappings:
    if not pages:
        continue
    score, offset = max((len({page + offset for page in pages} & stored), -offset) for offset in range(end))
    print(f"a mapping of {size} pages, {len(pages)} of them changed: at page {-offset} of {end} of the snapshot, {score} of them are in it")
    if score * 2 > len(pages):
        changed |= {page - offset for page in pages if page - offset < end}
        base[-offset] = size
covered = {page for page in stored if any(first <= page < first + size for first, size in base.items())}
objects_bytes = sum(int(objects["two"][name]) for name in added)
print(f"the second snapshot adds {objects_bytes} bytes in {len(added)} objects, {len(stored)} pages of memory = {len(stored) * 4096} bytes; "
      f"{len(covered)} of these pages lie in the mappings that were read")
print(f"{len(changed)} pages changed: {len(changed & stored)} are stored, {len(changed & zeroed - stored)} have become zero, "
      f"{len(changed - stored - zeroed)} are missing; {len(covered - changed)} are stored and did not change")


def listed(path):
    return {int(page) for page in path.read_text().split()}


def imported(path):
    return {page for page, in sqlite3.connect(path).execute("SELECT DISTINCT gfn FROM dirty")}


strays = 0
for child, least in ("c1", 500), ("c2", 1):
    own, changed_here = set(), set()
    for path in folder.glob(f"{child}.*.private"):
        mapping = path.name.split(".")[1]
        ours = imported(folder / f"{child}.{mapping}.db")
        assert ours == listed(path.with_suffix(".changed")), f"dirtyrec import finds other pages in mapping {mapping} of {child}"
        own |= {(mapping, page) for page in listed(path)}
        changed_here |= {(mapping, page) for page in ours}
    assert len(changed_here) >= least, f"{child} changed {len(changed_here)} pages, not {least}"
    strays += len(changed_here - own)
    print(f"fork {child}: {len(changed_here)} pages differ from the base, {len(changed_here - own)} of them are not its own; the kernel keeps "
          f"{len(own)} for it alone, {len(own - changed_here)} of which did not change")
sys.exit(bool(changed - stored - zeroed) or bool(strays))
