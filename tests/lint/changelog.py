#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""CHANGELOG.md is about this release first, in the form of Keep a Changelog, and says
of each release which versions of the protocol it speaks.

usage: changelog.py ROOT-OF-THE-SOURCES
"""
import pathlib
import re
import sys

KINDS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
HEADING = re.compile(r"\[(\d+)\.(\d+)\.(\d+)\] - (Unreleased|\d{4}-\d\d-\d\d)$")
SPEAKS = re.compile(r"^Speaks versions? (?:\d+ to )?(\d+) of the \[protocol\]", re.M)


def releases(text):
    """(heading, what stands below it) of each."""
    return [part.partition("\n")[::2] for part in re.split(r"^## ", text, flags=re.M)[1:]]


def faults_of(heading, text):
    if not HEADING.match(heading):
        yield f"{heading}: is no [VERSION] - DATE or Unreleased"
    if not SPEAKS.search(text):
        yield f"{heading}: does not say which versions of the protocol it speaks"
    kinds = re.findall(r"^### (.*)$", text, re.M)
    if not kinds or len(set(kinds)) != len(kinds) or set(kinds) - set(KINDS):
        yield f"{heading}: has {kinds}, where there may be {', '.join(KINDS)}, each once"


def faults(root):
    def first(pattern, path):
        return re.search(pattern, (root / path).read_text(encoding="utf-8"))[1]

    all_of_them = releases((root / "CHANGELOG.md").read_text(encoding="utf-8"))
    assert all_of_them
    for heading, text in all_of_them:
        yield from faults_of(heading, text)
    numbers = [tuple(map(int, found.groups()[:3])) for found in
               (HEADING.match(heading) for heading, _ in all_of_them) if found]
    if sorted(set(numbers), reverse=True) != numbers:
        yield "the newest is not first, or one is there twice"
    if any("Unreleased" in heading for heading, _ in all_of_them[1:]):
        yield "only the first can be unreleased"
    version = first(r"project\(hoist VERSION ([\d.]+)", "CMakeLists.txt")
    if not all_of_them[0][0].startswith(f"[{version}] "):
        yield f"{all_of_them[0][0]} is first, and not {version}, which CMakeLists.txt builds"
    spoken = first(r"#define PROTOCOL_VERSION (\d+)", "proto/message.h")
    said = SPEAKS.search(all_of_them[0][1])
    if said and said[1] != spoken:
        yield f"version {said[1]} of the protocol is not {spoken}, which message.h has"
    if "CHANGELOG.md" not in (root / "CONTRIBUTING.md").read_text(encoding="utf-8"):
        yield "CONTRIBUTING.md does not tell of it"


def main(root):
    wrong = list(faults(pathlib.Path(root)))
    print("\n".join(wrong) or "all as it should be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
