#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What `make install` puts down besides programs and libraries leads somewhere: links
of pages, pages that headers name, and the lines by which workers/README.md builds the
examples, which are run as they are printed.

usage: installed.py PREFIX
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile


def dead_links(doc):
    for page in sorted(doc.rglob("*.md")):
        for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not (page.parent / link).exists():
                yield f"{page.relative_to(doc)}: {link} is not installed"


def missing_pages(include, doc):
    for header in sorted(include.glob("hoist*.h")):
        for name in re.findall(r"\bdocs/[\w-]+\.md", header.read_text(encoding="utf-8")):
            if not (doc / name).exists():
                yield f"{header.name}: {name} is not installed"


def run(command, folder, **others):
    return subprocess.run(command, cwd=folder, timeout=60, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **others)


def does_not_run(program, folder):
    """A test passes; a worker says what it can be told."""
    words = [] if program.endswith("_test") else ["--help"]
    done = run([f"./{program}", *words], folder)
    return done.returncode != 0 or (bool(words) and "--broker" not in done.stdout)


def broken_examples(doc):
    lines = re.findall(r"^    (cc (\w+)\.c .* -o (\w+))$",
                       (doc / "workers/README.md").read_text(encoding="utf-8"), re.M)
    there = {path.stem for path in (doc / "workers/examples").glob("*.c")}
    for stem in sorted(there - {stem for _, stem, _ in lines} - {"connect_bare"}):
        yield f"workers/README.md: no line builds {stem}"
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(doc / "workers/examples", folder, dirs_exist_ok=True)
        for line, _, program in lines:
            done = run(line, folder, shell=True)
            if done.returncode != 0 or does_not_run(program, folder):
                yield f"workers/README.md: {line}\n{done.stdout}"


def main(prefix):
    doc = prefix / "share/doc/hoist"
    assert (doc / "docs/c-worker.md").exists(), list(prefix.rglob("c-worker.md"))
    os.environ["LD_LIBRARY_PATH"] = run(["pkg-config", "--variable=libdir", "hoist"],
                                        prefix).stdout.strip()
    assert pathlib.Path(run(["pkg-config", "--variable=docdir", "hoist"],
                            prefix).stdout.strip()).samefile(doc)
    wrong = [*dead_links(doc), *missing_pages(prefix / "include", doc), *broken_examples(doc)]
    print("\n".join(wrong) or "pages and examples are there")
    return 1 if wrong else 0


sys.exit(main(pathlib.Path(sys.argv[1])))
