#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What a page shows of a program stands in that program, line for line: each block
of code of the pages below, whose language has sources here, is part of a file that
the page names.

usage: quotes.py ROOT-OF-THE-SOURCES
"""
import pathlib
import re
import sys

# page, the heading above its quotations ("": all of it), where they are from
QUOTING = (
    ("docs/c-worker.md", "## The first worker", ("workers/examples/echo.c",)),
    ("docs/c-worker.md", "## C++", ("tests/lint/worker.cc",)),
    ("docs/c-worker.md", "## Testing a worker",
     ("workers/examples/guarded_test.c", "workers/examples/chat_test.c")),
)


def part(text, heading):
    return text.partition(f"\n{heading}\n")[2].partition("\n## ")[0] if heading else text


def main():
    root = pathlib.Path(sys.argv[1])
    wrong = 0
    for page, heading, sources in QUOTING:
        blocks = re.findall(r"```c(?:pp)?\n(.*?)```", part((root / page).read_text(), heading), re.S)
        programs = [(root / source).read_text() for source in sources]
        for block in blocks:
            if not any(block in program for program in programs):
                print(f"{page}: in none of {', '.join(sources)}:\n{block}")
                wrong += 1
        for source, program in zip(sources, programs):
            if not any(block in program for block in blocks):
                print(f"{page}: shows nothing of {source}")
                wrong += 1
    return 1 if wrong else 0


sys.exit(main())
