# SPDX-License-Identifier: MIT
"""How long an echo takes where there is nothing else to do, beside a bare pair of
ZeroMQ hops (client, broker, worker and back) and NATS, in turns, with the cores kept
awake."""
import json
import subprocess

import echo
import servers

HOPS = "bare hops"
BESIDE_S = 10  # of a measurement, at most, beside what it measures
ONE = ["--connections=1", "--in-flight=1"]


def start_hops(build):
    """bench_hops, with the client's endpoint in place of a port."""
    broker = servers.Process([f"{build}/bench/bench_hops", "broker"],
                             r"(tcp://\S+) tcp", r"tcp://\S+ (tcp://\S+) listening")
    worker = servers.Process([f"{build}/bench/bench_hops", "worker", broker.found[1]],
                             "started")
    server = servers.Server(HOPS, 0, {"broker": broker, "worker": worker})
    server.endpoint = broker.found[0]
    return server


def measure_hops(build, server, seconds):
    done = subprocess.run([f"{build}/bench/bench_hops", "client", server.endpoint,
                           str(seconds)], check=True, text=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def measure_one(build, server, seconds):
    if server.name == HOPS:
        return measure_hops(build, server, seconds)
    found = echo.measure_load(build, server, ONE, seconds)
    return {key: found[key] for key in ("replies", "p50_us", "p99_us")}


def show(results):
    print(f"\n{'round trip, cores awake':24}{'p50 µs':>9}{'p99 µs':>9}{'of the hops':>13}")
    for name, r in results.items():
        print(f"  {name:22}{r['p50_us']:9.0f}{r['p99_us']:9.0f}{r['ratio']:13.2f}",
              flush=True)


def measure(build, rounds, seconds):
    starts = [lambda: start_hops(build), *servers.nats_starts(build, servers.NATS),
              lambda: servers.start_apart(build),
              lambda: servers.start_hoist(build, servers.start_echo(build))]
    most_s = rounds * len(starts) * (seconds + BESIDE_S)
    with servers.awake_cores(most_s), servers.all_of(*starts) as running:
        results = servers.in_turns(running, rounds,
                                   lambda s: measure_one(build, s, seconds))
    for r in results.values():
        r["ratio"] = r["p50_us"] / results[HOPS]["p50_us"]
    show(results)
    return results
