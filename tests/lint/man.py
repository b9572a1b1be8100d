#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The man pages have all that there is, and groff has nothing to complain of.

usage: man.py HOIST DIRECTORY HEADER…
"""
import re
import subprocess
import sys

from symbols import declared


def said(*command):
    return subprocess.run(command, check=True, timeout=60, stdout=subprocess.PIPE,
                          text=True).stdout


def read(path):
    """A page as people see it, its lines long enough for any declaration."""
    done = subprocess.run(["groff", "-k", "-ww", "-man", "-Tutf8", "-P-c", "-P-b", "-P-u", "-rLL=300n",
                           "-rHY=0", path], check=True, timeout=60, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    assert done.stderr == "", done.stderr
    return done.stdout.replace("\u2010", "-").replace("\u2212", "-")


def missing(page, text, wanted):
    for name in wanted:
        if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text):
            yield f"{page}: {name} is missing"


def main(hoist, directory, *headers):
    commands = re.findall(r"^  ([a-z]+) ", said(hoist, "help"), re.M)
    settings = re.findall(r"^\| `--([\w-]+)` \| `(\w+)`", said(hoist, "settings"), re.M)
    names = [name for header in headers for name in declared(header)]
    assert len(commands) > 10 and len(settings) > 50 and len(names) > 90
    pages = {page: read(f"{directory}/{page}")
             for page in ("hoist.1", "hoist.conf.5", "libhoist.3")}
    wrong = [*missing("hoist.1", pages["hoist.1"], ["hoist " + name for name in commands]),
             *missing("hoist.conf.5", pages["hoist.conf.5"],
                      [name for pair in settings for name in pair]),
             *missing("libhoist.3", pages["libhoist.3"], names)]
    wrong += [f"{page}: @ stands for something" for page, text in pages.items()
              if re.search(r"@[A-Z]+@", text)]
    print("\n".join(wrong) or f"{len(commands) + len(settings) + len(names)} names")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
