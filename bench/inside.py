# SPDX-License-Identifier: MIT
"""What an event costs inside a process: bench/inproc and bench_tokens, beside the
figures of the seed."""
import json
import os
import subprocess

SEED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "seed.json")
PROGRAMS = ("inproc", "bench_tokens")


def read_seed():
    with open(SEED, encoding="utf-8") as file:
        return json.load(file)


def show(rows):
    seed = read_seed()
    print(f"\n{'in process, an operation':38}{'ns':>8}{'bytes':>8}{'allocs':>8}"
          f"{'seed ns':>10}{'bytes':>8}{'allocs':>8}{'times':>8}")
    for key, row in rows.items():
        old = seed.get(key)
        print(f"  {row['name']:36}{row['ns']:8.1f}{row['bytes']:8.0f}"
              f"{row['allocations']:8.2f}" +
              (f"{old['ns']:10.1f}{old['bytes']:8}{old['allocations']:8}"
               f"{old['ns'] / row['ns']:7.1f}x" if old else ""))


def measure(build):
    lines = [line for program in PROGRAMS
             for line in subprocess.run([f"{build}/bench/{program}"], check=True, text=True,
                                        stdout=subprocess.PIPE).stdout.splitlines()]
    rows = {row.pop("key"): row for row in map(json.loads, lines)}
    show(rows)
    return rows
