#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A seed replays exactly, whatever was played before it: the counts of some seeds in
one process are the sums of those of each alone.

    replays.py SIMULATE
"""
import collections
import re
import subprocess
import sys

SEEDS = range(1, 41)


def counts(simulate, first, last):
    done = subprocess.run([simulate, "--seeds", f"{first}:{last}"], check=True,
                          stdout=subprocess.PIPE, text=True)
    found = re.findall(r"(\w+)=(\d+)", done.stdout.splitlines()[-1])
    return collections.Counter({name: int(value) for name, value in found})


def main():
    simulate, alone = sys.argv[1], collections.Counter()
    for seed in SEEDS:
        alone += counts(simulate, seed, seed)
        if counts(simulate, SEEDS[0], seed) != alone:
            print(f"seed {seed} is another one behind others")
            return 1
    print(f"{len(SEEDS)} seeds are what they are alone")
    return 0


if __name__ == "__main__":
    sys.exit(main())
