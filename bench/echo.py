# SPDX-License-Identifier: MIT
"""Echo through hoist, through bare libwebsockets servers and through NATS, in turns,
with the same load generator."""
import json
import subprocess
import sys

import servers

PORT = 18900
WAYS = ("usual", "direct", "coalesced")
BEST = "bare coalesced"
SCENARIOS = {
    "500 x 1": ["--connections=500", "--in-flight=1"],
    "50 x 16": ["--connections=50", "--in-flight=16"],
    "50 x 1, 4 KB": ["--connections=50", "--in-flight=1", "--bytes=4096"],
    "1 x 1": ["--connections=1", "--in-flight=1"],
    "open 10k/s": ["--connections=100", "--rate=10000"],
}
# One in a hundred speaks; beside it as many, with nobody silent.
SILENT = {
    "100 of 10,000 x 1": ["--connections=10000", "--active=100", "--in-flight=1"],
    "100 of 100 x 1": ["--connections=100", "--in-flight=1"],
    "500 of 500 x 1": ["--connections=500", "--in-flight=1"],
}
HALF_OF = "500 x 1"
HALF = "half of the peak"


def measure_load(build, server, flags, seconds, begun=lambda: None):
    """What bench/load says of a server, and the CPU that this spent for a reply.
    begun() is called when the measurement begins."""
    load = subprocess.Popen([f"{build}/bench/load", f"--port={server.port}",
                             f"--protocol={server.protocol}", f"--seconds={seconds}", *flags],
                            stdout=subprocess.PIPE, text=True)
    load.stdout.readline()  # begin
    begun()
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


def with_ratios(results):
    """By the best of the bare servers, in this scenario."""
    bare = [r["cpu_us_total"] for name, r in results.items() if name.startswith("bare")]
    for r in results.values():
        r["ratio"] = r["cpu_us_total"] / min(bare) if bare else 1
    return results


def show(scenario, results):
    print(f"\n{scenario:24}{'replies/s':>10}{'p50 µs':>9}{'p99 µs':>9}"
          f"{'p99.9 µs':>10}{'CPU µs/reply':>14}{'ratio':>7}")
    for name, r in results.items():
        print(f"  {name:22}{r['replies_per_s']:10.0f}{r['p50_us']:9.0f}{r['p99_us']:9.0f}"
              f"{r['p999_us']:10.0f}{r['cpu_us_total']:14.2f}{r['ratio']:7.2f}")
        for thread, spent in r["cpu_us"].items() if name == "hoist" else ():
            if spent >= 0.01:
                print(f"    {thread:60}{spent:8.2f}")
    sys.stdout.flush()


def measure_scenario(build, running, rounds, seconds, scenario, flags):
    found = with_ratios(servers.in_turns(
        running, rounds, lambda s: measure_load(build, s, flags, seconds)))
    show(scenario, found)
    return found


def measure_half(build, running, rounds, seconds, peaks):
    """Messages that come by the clock, half as many as each server's peak."""
    found = with_ratios(servers.in_turns(running, rounds, lambda s: measure_load(
        build, s, ["--connections=500",
                   f"--rate={peaks[s.name]['replies_per_s'] / 2:.0f}"], seconds)))
    for name, r in found.items():
        r["rate"] = peaks[name]["replies_per_s"] / 2
    show(HALF, found)
    return found


def measure(build, rounds, seconds):
    """A table of servers for each scenario."""
    starts = [lambda w=way, at=i: servers.start_bare(build, w, PORT + at)
              for i, way in enumerate(WAYS)]
    starts.append(lambda: servers.start_relay(build, PORT + len(WAYS)))
    starts += servers.nats_starts(build, servers.NATS, servers.NATS_BATCHED)
    report = {}
    with servers.all_of(*starts, lambda: servers.start_hoist(
            build, servers.start_echo(build))) as running:
        for scenario, flags in SCENARIOS.items():
            report[scenario] = measure_scenario(build, running, rounds, seconds,
                                                scenario, flags)
        two = [s for s in running if s.name in (BEST, "hoist")]
        report[HALF] = measure_half(build, two, rounds, seconds, report[HALF_OF])
        hoist = [s for s in running if s.name == "hoist"]
        for scenario, flags in SILENT.items():
            report[scenario] = measure_scenario(build, hoist, rounds, seconds, scenario,
                                                flags)
    return report
