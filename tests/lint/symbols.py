#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A library shows what its public headers declare: its map, its shared object
and its archive name exactly that.

usage: symbols.py MAP SHARED ARCHIVE HEADER…
"""
import pathlib
import re
import subprocess
import sys


def statements(text):
    """What stands outside of all braces, each without its end."""
    depth, start = 0, 0
    for at, character in enumerate(text):
        depth += (character == "{") - (character == "}")
        is_body = character == "}" and text[start:at].lstrip().startswith("static inline")
        if depth == 0 and (character == ";" or is_body):
            yield " ".join(text[start:at].split())
            start = at + 1


def forms(last):
    """hoist_x_3 → hoist_x, hoist_x_2, hoist_x_3: what programs refer to that were built
    with each form of its settings (hoist.h, HOIST_FORM)."""
    name, _, count = last.rpartition("_")
    return [name, *(f"{name}_{form}" for form in range(2, int(count) + 1))]


def declared(header):
    """Functions and variables of a header, but for those that are whole in it."""
    text = pathlib.Path(header).read_text(encoding="utf-8")
    for noise in (r"/\*.*?\*/", r"^#ifdef __cplusplus\n.*?#endif", r"^#.*?$"):
        text = re.sub(noise, "", text, flags=re.S | re.M)
    for statement in statements(text):
        if re.match(r"(typedef|static|struct|enum)\b", statement):
            continue
        form = re.search(r"HOIST_FORM\((\w+)\)$", statement)
        yield from forms(form[1]) if form else \
            [re.search(r"\b(hoist_\w+)(?:\(|$)", statement)[1]]


def mapped(path):
    """Each name behind `global:` of a node of the map."""
    text = re.sub(r"/\*.*?\*/", "", pathlib.Path(path).read_text(encoding="utf-8"),
                  flags=re.S)
    for node in re.findall(r"global:(.*?)(?:local:|\})", text, flags=re.S):
        yield from re.findall(r"(\w+);", node)


def shown(*command):
    """name → the version that it is of, or ""."""
    lines = subprocess.run(["nm", "--defined-only", *command], check=True, timeout=60,
                           stdout=subprocess.PIPE, text=True).stdout.splitlines()
    symbols = [line.split() for line in lines if len(line.split()) == 3]
    # The map's nodes are absolute symbols.
    return {name.partition("@")[0]: name.partition("@@")[2]
            for _, kind, name in symbols if kind != "A"}


def differences(where, names, right):
    names = sorted(names)
    yield from (f"{where}: {name} is there twice"
                for name in sorted({name for name in names if names.count(name) > 1}))
    yield from (f"{where}: {name} is missing" for name in sorted(right - set(names)))
    yield from (f"{where}: {name} is in no public header"
                for name in sorted(set(names) - right))


def main(map_, shared, archive, *headers):
    right = {name for header in headers for name in declared(header)}
    dynamic = shown("--dynamic", shared)
    wrong = [*differences(map_, mapped(map_), right),
             *differences(shared, dynamic, right),
             *(f"{shared}: {name} has no version" for name, version in dynamic.items()
               if not version.startswith("HOIST_")),
             *differences(archive, shown("--extern-only", archive), right)]
    print("\n".join(wrong) or f"{len(right)} names")
    return 1 if wrong or not right else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
