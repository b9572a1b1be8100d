#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Echo through hoist and through bare libwebsockets servers, in turns, with
the same load generator; pushes to many, likewise; what an event costs inside a
process; rows in Redis. Tables on standard output and JSON beside the build.

    bench/run.py BUILD [--rounds N] [--seconds S]
"""
import argparse
import json
import os
import subprocess
import sys

import fanout
import servers
import stores

PORT = 18900
SCENARIOS = {
    "500 x 1": ["--connections=500", "--in-flight=1"],
    "50 x 16": ["--connections=50", "--in-flight=16"],
    "1 x 1": ["--connections=1", "--in-flight=1"],
    "open 10k/s": ["--connections=100", "--rate=10000"],
}
IDLE = 5000
WAYS = ("usual", "direct", "coalesced")
SHORT_FANOUTS = (100, 1000)  # members; 10,000 take long to open


def start_hoist(build):
    return servers.start_hoist(build, lambda workers: servers.Process(
        [f"{build}/workers/examples/echo", "--broker", workers], "WORKER-BROKER-UP"))


def measure(build, server, options, seconds):
    load = subprocess.Popen([f"{build}/bench/load", f"--port={server.port}",
                             f"--seconds={seconds}", *options],
                            stdout=subprocess.PIPE, text=True)
    load.stdout.readline()  # begin
    before = server.cpu_us()
    line = load.stdout.readline()
    after = server.cpu_us()
    if load.wait() != 0:
        sys.exit(f"{server.name}: the load generator failed")
    figures = json.loads(line)
    figures["cpu_us"] = {name: (spent - before.get(name, 0)) / figures["replies"]
                         for name, spent in after.items()}
    figures["cpu_us_total"] = sum(figures["cpu_us"].values())
    return figures


def idle_kb(build, server, count):
    """Kilobytes that one idle connection costs in the server's process, of a
    server that had no connection before."""
    name = next(iter(server.processes))
    before = server.rss_kb(name)
    load = subprocess.Popen([f"{build}/bench/load", f"--port={server.port}", "--hold",
                             f"--connections={count}"],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    load.stdout.readline()
    after = server.rss_kb(name)
    load.communicate()
    return (after - before) / count


def show(scenario, results):
    best = min(r["cpu_us_total"] for n, r in results.items() if n != "hoist")
    print(f"\n{scenario:24}{'replies/s':>10}{'p50 µs':>9}{'p99 µs':>9}"
          f"{'p99.9 µs':>10}{'CPU µs/reply':>14}{'ratio':>7}")
    for name, r in results.items():
        r["ratio"] = r["cpu_us_total"] / best
        print(f"  {name:22}{r['replies_per_s']:10.0f}{r['p50_us']:9.0f}{r['p99_us']:9.0f}"
              f"{r['p999_us']:10.0f}{r['cpu_us_total']:14.2f}{r['ratio']:7.2f}")
    for name, spent in results["hoist"]["cpu_us"].items():
        if spent >= 0.01:
            print(f"    {name:60}{spent:8.2f}")


def in_process(build):
    """The rows of bench/inproc and bench_tokens, beside those of the seed."""
    here = os.path.dirname(os.path.abspath(__file__))
    with open(f"{here}/seed.json", encoding="utf-8") as file:
        seed = json.load(file)
    lines = [line for program in ("inproc", "bench_tokens")
             for line in subprocess.run([f"{build}/bench/{program}"], check=True, text=True,
                                        stdout=subprocess.PIPE).stdout.splitlines()]
    print(f"\n{'in process, an operation':38}{'ns':>8}{'bytes':>8}{'allocs':>8}"
          f"{'seed ns':>10}{'bytes':>8}{'allocs':>8}{'times':>8}")
    rows = {}
    for row in map(json.loads, lines):
        rows[row.pop("key")] = row
        print(f"  {row['name']:36}{row['ns']:8.1f}{row['bytes']:8.0f}"
              f"{row['allocations']:8.2f}", end="")
        old = seed.get(list(rows)[-1])
        print(f"{old['ns']:10.1f}{old['bytes']:8}{old['allocations']:8}"
              f"{old['ns'] / row['ns']:7.1f}x" if old else "")
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    options = parser.parse_args()
    servers.raise_file_limit()

    started, report = [], {"machine": servers.machine()}
    try:
        for way in WAYS:
            started.append(servers.start_bare(options.build, way, PORT + len(started)))
        started.append(start_hoist(options.build))
        report["idle_kb"] = {s.name: idle_kb(options.build, s, IDLE) for s in started}
        print(f"memory of an idle connection, KB ({IDLE} of them): " + ", ".join(
            f"{name} {kb:.1f}" for name, kb in report["idle_kb"].items()))
        for scenario, flags in SCENARIOS.items():
            report[scenario] = servers.in_turns(
                started, options.rounds,
                lambda s, f=flags: measure(options.build, s, f, options.seconds))
            show(scenario, report[scenario])
    finally:
        for server in started:
            server.stop()
    report["fanout"] = fanout.measure(options.build, options.rounds, options.seconds / 4,
                                      SHORT_FANOUTS)
    report["in_process"] = in_process(options.build)
    report["stores"] = stores.measure(options.build, options.rounds, options.seconds)
    stores.show(report["stores"])
    path = f"{options.build}/bench/results.json"
    with open(path, "w", encoding="utf-8") as out:
        json.dump(report, out, indent=1)
    print(f"JSON: {path}")


if __name__ == "__main__":
    main()
