#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The smallest worker stands in three places; people copy any of them, so
they must be the same program.

usage: examples.py ROOT-OF-THE-SOURCES
"""
import pathlib
import sys

EXAMPLE = "workers/examples/echo.py"
LINES_MAX = 20  # that a worker is no more than this is what it shows


def without_comments_on_top(text):
    lines = text.splitlines()
    while lines and lines[0].startswith("#"):
        lines.pop(0)
    return lines


def python_blocks(text):
    return [block.partition("```")[0].splitlines()
            for block in text.split("```python\n")[1:]]


def main():
    root = pathlib.Path(sys.argv[1])
    program = without_comments_on_top((root / EXAMPLE).read_text())
    wrong = [name for name in ("README.md", "proto/PROTOCOL.md")
             if program not in python_blocks((root / name).read_text())]
    for name in wrong:
        print(f"{name}: no Python block equals {EXAMPLE}")
    made = [line for line in program if "urandom" in line]
    if len(made) != 1 or made[0].startswith(" "):
        print(f"{EXAMPLE}: the boot id is made once, outside of any function")
        return 1
    lines = [line for line in program if line.strip()]
    if len(lines) > LINES_MAX:
        print(f"{EXAMPLE}: {len(lines)} lines of code, at most {LINES_MAX}")
        return 1
    return 1 if wrong else 0


sys.exit(main())
