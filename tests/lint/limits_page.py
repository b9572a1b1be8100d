#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/limits.md has every setting that is a limit, with its default, and the
fixed limits as the sources have them; the counters, events and tests that it
names exist.

    HOIST_BUILD=build/release tests/lint/limits_page.py
"""
import os
import re
import subprocess
import sys

from test_docs import ROOT, differences, order, page, rows

BUILD = os.environ.get("HOIST_BUILD", "build/release")
RANGE = re.compile(r"(\d+) to (\d+) (\w+)")


def names(cell):
    return re.findall(r"`([^`]+)`", cell)


def section(title):
    return page("limits.md").split("\n## " + title + "\n")[1].split("\n## ")[0]


def settings_are_those_of_their_table():
    """What takes a number of something is a limit."""
    real = {}
    for flag, _, of, value, default, _ in rows(page("settings.md")):
        if RANGE.fullmatch(value):
            unit = RANGE.fullmatch(value)[3]
            real[flag.strip("`")] = (of, default.strip("`"), unit)
    parts = section("Limits that can be set").split("\n### ")[1:]
    table = [(part.split("\n")[0].lower(), row)
             for part in parts for row in rows(part)]
    assert len(real) > 20
    yield from order("limits.md", [row[0] for _, row in table])
    documented = {row[0].strip("`"): (of, row[1].strip("`"), row[2])
                  for of, row in table}
    yield from differences("limits.md", documented, real)
    for _, row in table:
        if len(row) != 6 or not row[3].endswith(".") or not names(row[5]):
            yield f"limits.md: {row[0]} lacks its effect or a test"


def definition(path, name):
    """The number behind a #define of a file, or of what it includes."""
    text = (ROOT / path).read_text(encoding="utf-8")
    found = re.search(r"^#define %s\s+(.+?)\s*(?:/\*.*)?$" % name, text, re.M)
    if not found:
        for included in re.findall(r'^#include "(.+)"$', text, re.M):
            value = definition(included, name)
            if value is not None:
                return value
        return None
    value = re.sub(r"\(size_t\)|(?<=\d)[uU]\b", "", found[1])
    value = re.sub(r"\b[A-Z]\w+", lambda other:
                   str(definition(path, other[0])), value)
    value = re.sub(r"(?<=[0-9a-f])u\b", "", value)
    if not re.fullmatch(r"[0-9a-fx()<+* ]+", value):
        return None
    return eval(value, {"__builtins__": {}})  # numbers and operators alone


def fixed_limits_are_those_of_the_sources():
    table = rows(section("Limits that are fixed"))
    assert len(table) > 20
    yield from order("limits.md", [row[0] for row in table])
    for row in table:
        path, name = names(row[0])
        if not (ROOT / path).is_file():
            yield f"limits.md: {path} is no file"
        elif str(definition(path, name)) != row[1].strip("`"):
            yield f"limits.md: {name} of {path} is {definition(path, name)}"
        if len(row) != 6 or not row[3].endswith("."):
            yield f"limits.md: {name} lacks its effect"


def all_rows():
    """(what tells, tests) of each limit."""
    for line in page("limits.md").splitlines():
        cells = [cell.strip() for cell in line[1:-1].split("|")]
        if line.startswith("| ") and cells[0] != "Limit":
            yield names(cells[-2]), names(cells[-1])


def counters_and_events_are_in_their_tables():
    known = {row[0].strip("`") for name in ("counters.md", "logs.md", "metrics.md")
             for row in rows(page(name))}
    for told, _ in all_rows():
        for name in told:
            if name not in known:
                yield f"limits.md: {name} is no counter and no event"


def test_functions():
    for path in (ROOT / "tests").rglob("*.*"):
        if (path.suffix in (".py", ".c") and
                path.stem.startswith(("test_", "store_conformance"))):
            text = path.read_text(encoding="utf-8")
            yield from re.findall(r"^def (test_\w+)\(", text, re.M)
            yield from re.findall(r"^static void (\w+)\(void \*\*state\)", text, re.M)


def ctest_names():
    listed = subprocess.run(["ctest", "--test-dir", BUILD, "-N"], check=True,
                            timeout=30, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True).stdout
    return re.findall(r"^ +Test +#\d+: (\S+)$", listed, re.M)


def tests_are_there():
    known = set(test_functions()) | set(ctest_names())
    assert len(known) > 100
    told = [name for line in page("limits.md").splitlines()
            for name in names(line) if name.startswith("test_")]
    for name in told + [name for _, tests in all_rows() for name in tests]:
        if name not in known:
            yield f"limits.md: {name} is no test"


def main():
    wrong = 0
    for check in (settings_are_those_of_their_table,
                  fixed_limits_are_those_of_the_sources,
                  counters_and_events_are_in_their_tables, tests_are_there):
        print(check.__name__.replace("_", " "))
        for line in sorted(set(check())):
            print("  " + line)
            wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
