#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Echo through hoist and through bare libwebsockets servers, in turns, with
the same load generator; what an event costs inside a process; rows in Redis.
Tables on standard output and JSON beside the build.

    bench/run.py BUILD [--rounds N] [--seconds S]
"""
import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys

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


class Server:
    """Processes that serve one port; each has a name in the table."""

    def __init__(self, name, port, processes):
        self.name, self.port, self.processes = name, port, processes

    def cpu_us(self):
        """CPU so far of each thread, by name of process and thread."""
        used = {}
        for name, process in self.processes.items():
            tasks = f"/proc/{process.pid}/task"
            for task in os.listdir(tasks):
                thread = open(f"{tasks}/{task}/comm").read().strip()
                spent = int(open(f"{tasks}/{task}/schedstat").read().split()[0])
                key = f"{name}/{thread}"
                used[key] = used.get(key, 0) + spent / 1000
        return used

    def rss_kb(self, name):
        status = open(f"/proc/{self.processes[name].pid}/status").read()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))

    def stop(self):
        for process in reversed(self.processes.values()):
            process.terminate()
            process.wait(30)


def start(command, ready):
    """A process, once it printed a line with `ready` on stderr or stdout."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                               stderr=subprocess.STDOUT)
    for line in process.stdout:
        if ready in line:
            return process, line
    sys.exit(f"{command[0]} did not start")


def start_bare(build, way, port):
    process, _ = start([f"{build}/bench/bare_lws", way, str(port)], "listening")
    return Server("bare " + way, port, {"bare": process})


def start_hoist(build, port):
    hoist, line = start([f"{build}/cli/hoist", "serve", f"--listen=127.0.0.1:{port}",
                         "--workers=tcp://127.0.0.1:*"], "BROKER-LISTENING")
    workers = re.search(r"workers=(\S+)", line).group(1)
    worker, _ = start([f"{build}/workers/examples/echo", "--broker", workers],
                      "WORKER-BROKER-UP")
    return Server("hoist", port, {"hoist": hoist, "worker": worker})


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


def median(rounds):
    """Of each figure, the median over the rounds."""
    first = rounds[0]
    return {name: median([r[name] for r in rounds]) if isinstance(first[name], dict)
            else statistics.median(r.get(name, 0) for r in rounds) for name in first}


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
    """The rows of bench/inproc, printed beside those of the seed."""
    here = os.path.dirname(os.path.abspath(__file__))
    with open(f"{here}/seed.json", encoding="utf-8") as file:
        seed = json.load(file)
    lines = subprocess.run([f"{build}/bench/inproc"], check=True, text=True,
                           stdout=subprocess.PIPE).stdout.splitlines()
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
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))

    servers, report = [], {}
    try:
        for way in WAYS:
            servers.append(start_bare(options.build, way, PORT + len(servers)))
        servers.append(start_hoist(options.build, PORT + len(servers)))
        report["idle_kb"] = {s.name: idle_kb(options.build, s, IDLE) for s in servers}
        print(f"memory of an idle connection, KB ({IDLE} of them): " + ", ".join(
            f"{name} {kb:.1f}" for name, kb in report["idle_kb"].items()))
        for scenario, flags in SCENARIOS.items():
            rounds = {server.name: [] for server in servers}
            for _ in range(options.rounds):
                for server in servers:
                    rounds[server.name].append(
                        measure(options.build, server, flags, options.seconds))
            report[scenario] = {name: median(r) for name, r in rounds.items()}
            show(scenario, report[scenario])
    finally:
        for server in servers:
            server.stop()
    report["in_process"] = in_process(options.build)
    report["stores"] = stores.measure(options.build, options.rounds, options.seconds)
    stores.show(report["stores"])
    os.makedirs(f"{options.build}/bench", exist_ok=True)
    path = f"{options.build}/bench/results.json"
    with open(path, "w", encoding="utf-8") as out:
        json.dump(report, out, indent=1)
    print(f"JSON: {path}")


if __name__ == "__main__":
    main()
