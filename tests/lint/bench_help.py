#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each program of bench/ says what it is for, and what it does not understand.

usage: bench_help.py BUILD
"""
import os
import pathlib
import subprocess
import sys


def programs(build):
    return sorted(path for path in pathlib.Path(build, "bench").iterdir()
                  if path.is_file() and os.access(path, os.X_OK)
                  and path.read_bytes()[:4] == b"\x7fELF" and path.suffix != ".so")


def run(program, word):
    return subprocess.run([program, word], timeout=60, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False)


def faults(program):
    helped, refused = run(program, "--help"), run(program, "--no-such")
    if helped.returncode != 0 or helped.stderr:
        yield f"--help is status {helped.returncode}: {helped.stderr}"
    if not helped.stdout.startswith(f"usage: {program.name}"):
        yield f"--help begins with {helped.stdout[:40]!r}"
    if max(map(len, helped.stdout.splitlines()), default=0) > 80:
        yield "--help has lines of more than 80 columns"
    if refused.returncode != 2 or refused.stdout or not refused.stderr:
        yield f"--no-such is status {refused.returncode}: {refused.stdout}{refused.stderr}"


def main(build):
    found = programs(build)
    wrong = [f"{program.name}: {fault}" for program in found for fault in faults(program)]
    print("\n".join(wrong) or f"{len(found)} programs")
    return 1 if wrong or len(found) < 10 else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
