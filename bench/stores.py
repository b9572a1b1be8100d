#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Rows that come and go in Redis through our store, and beside it what
redis-benchmark makes of the same server with as many commands in its pipeline,
in turns.

    bench/stores.py BUILD [--rounds N] [--seconds S]
"""
import argparse
import json
import pathlib
import re
import resource
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/integration"))

from redis_server import Server as Redis  # noqa: E402

UNDER_WAY = (1, 100, 10000)
PHASES = ("save", "remove")
COMMANDS = {"hset": ["hset", "bench", "AAAB__rand_int__"], "set": ["set", "AAAB__rand_int__"]}


def ours(build, server, under_way, seconds):
    done = subprocess.run([f"{build}/bench/bench_store",
                           server.url(), str(under_way), str(seconds)], check=True, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return json.loads(done.stdout)


def theirs(server, command, under_way, row_bytes, seconds):
    """(requests a second, CPU µs a request) of redis-benchmark."""
    count = int(seconds * (20000 if under_way == 1 else 300000))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        ["redis-benchmark", "-p", str(server.port), "-c", "1", "-P", str(under_way), "-n",
         str(count), "-r", "1000000000", "-q", *COMMANDS[command], "x" * row_bytes],
        check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    rate = re.findall(r"([\d.]+) requests per second", done.stdout)[-1]
    return {"per_s": float(rate), "cpu_us": used * 1e6 / count}


def one_round(build, server, under_way, seconds):
    server.ask("FLUSHALL")
    row = ours(build, server, under_way, seconds)
    for command in COMMANDS:
        server.ask("FLUSHALL")
        row[command] = theirs(server, command, under_way, row["row_bytes"], seconds / 2)
    best = max(row[command]["per_s"] for command in COMMANDS)
    for phase in PHASES:
        row[phase]["ratio"] = row[phase]["per_s"] / best
    return row


def measure(build, rounds, seconds):
    """Of each number under way the medians; the ratio is that of each round."""
    report = {}
    with Redis() as server:
        for under_way in UNDER_WAY:
            rows = [one_round(build, server, under_way, seconds) for _ in range(rounds)]
            report[str(under_way)] = {
                name: {key: statistics.median(row[name][key] for row in rows)
                       for key in rows[0][name]}
                for name in (*PHASES, *COMMANDS)}
    return report


def show(report):
    print(f"\n{'rows in Redis, under way':28}{'per s':>10}{'CPU µs':>9}{'ratio':>8}")
    for under_way, figures in report.items():
        for name, row in figures.items():
            label = name if name in PHASES else "redis-benchmark " + name
            ratio = f"{row['ratio']:8.2f}" if "ratio" in row else ""
            print(f"  {under_way:>6}  {label:18}{row['per_s']:10.0f}{row['cpu_us']:9.2f}{ratio}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    options = parser.parse_args()
    show(measure(options.build, options.rounds, options.seconds))


if __name__ == "__main__":
    main()
