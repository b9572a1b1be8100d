#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""docs/code-size.md: its figures are those of the two programs that it shows, and
it shows them as they are.

usage: code_size.py ROOT-OF-THE-SOURCES
"""
import pathlib
import re
import sys

PROGRAMS = ("workers/examples/connect.c", "workers/examples/connect_bare.c")
# The row of the table, and the functions of each program that it counts.
ROWS = {
    "the program": (None, None),
    "what decides about a handshake": (
        ("on_connect",), ("on_connect", "find_parameter", "find_query", "is_text")),
}


def code(text):
    """Lines that are neither blank nor nothing but a comment."""
    text = re.sub(r"^\s*/\*.*?\*/[ \t]*$", "", text, flags=re.S | re.M)
    return [line for line in text.splitlines() if line.strip()]


def function(text, name):
    return re.search(rf"^static [^\n;]*\b{name}\(.*?^}}$", text, re.S | re.M)[0]


def count(text, functions):
    if functions is None:
        return len(code(text))
    return sum(len(code(function(text, name))) for name in functions)


def main():
    root = pathlib.Path(sys.argv[1])
    page = (root / "docs/code-size.md").read_text()
    programs = [(root / program).read_text() for program in PROGRAMS]
    wrong = []
    for row, functions in ROWS.items():
        lines, bare = (count(text, names) for text, names in zip(programs, functions))
        right = f"| {row} | {lines} | {bare} | {100 - round(100 * lines / bare)} % |"
        if right not in page:
            wrong.append(f"docs/code-size.md has no row: {right}")
    blocks = re.findall(r"```c\n(.*?)```", page, re.S)
    for name, text in zip(PROGRAMS, programs):
        if not any(text.endswith(block) for block in blocks):
            wrong.append(f"docs/code-size.md does not show {name} as it is")
    print("\n".join(wrong) or "the page is right")
    return 1 if wrong else 0


sys.exit(main())
