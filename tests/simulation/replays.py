#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A seed replays exactly, whatever was played before it: the counts of some seeds in
one process are the sums of those of each alone.  Where they are not, the first of
the seeds that is another one is looked for.

    replays.py SIMULATE
"""
import collections
import itertools
import re
import subprocess
import sys

SEEDS = range(1, 101)


def counts(simulate, first, last):
    done = subprocess.run([simulate, "--seeds", f"{first}:{last}"], check=True,
                          stdout=subprocess.PIPE, text=True)
    found = re.findall(r"(\w+)=(\d+)", done.stdout.splitlines()[-1])
    return collections.Counter({name: int(value) for name, value in found})


def main():
    simulate = sys.argv[1]
    alone = list(itertools.accumulate(counts(simulate, seed, seed) for seed in SEEDS))
    if counts(simulate, SEEDS[0], SEEDS[-1]) == alone[-1]:
        print(f"{len(SEEDS)} seeds are what they are alone")
        return 0
    for seed, sum_of_each in zip(SEEDS, alone):
        if counts(simulate, SEEDS[0], seed) != sum_of_each:
            print(f"seed {seed} is another one behind others")
            break
    return 1


if __name__ == "__main__":
    sys.exit(main())
