#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/performance.md has the tables and plots that bench/page.py makes of its
results, so that neither is written by hand."""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

import page  # noqa: E402


def main():
    wrong = list(page.differing())
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
