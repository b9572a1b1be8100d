#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The version that hoist.h tells programs is the one that CMakeLists.txt builds.

usage: version.py ROOT-OF-THE-SOURCES
"""
import pathlib
import re
import sys

PARTS = ("MAJOR", "MINOR", "PATCH")


def told(header):
    """HOIST_VERSION, and the same as its three numbers make it."""
    def value(name):
        return re.search(rf"^#define {name}\s+(\S+)$", header, re.M)[1]

    return value("HOIST_VERSION").strip('"'), ".".join(
        value(f"HOIST_VERSION_{part}") for part in PARTS)


def main(root):
    def read(path):
        return pathlib.Path(root, path).read_text(encoding="utf-8")

    built = re.search(r"project\(hoist VERSION ([\d.]+)", read("CMakeLists.txt"))[1]
    wrong = [f"hoist.h says {version}, where CMakeLists.txt builds {built}"
             for version in told(read("workers/c/hoist.h")) if version != built]
    print("\n".join(wrong) or "all as it should be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
