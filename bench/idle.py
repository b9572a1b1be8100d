# SPDX-License-Identifier: MIT
"""What connections cost that only stand there, and what it costs to open one: memory
in gateway and broker, CPU with pings, openings a second beside bare servers."""
import contextlib
import json
import subprocess
import sys
import time

import servers

PORT = 18940
COUNTS = (2000, 10000)
PONG_MS = 1000  # of --pong-timeout; less than between two pings
PINGS = 3  # of each connection; they come in waves, so a whole number
SPARE = 6500  # descriptors that a gateway wants beside those of its connections
OFTEN_MS = 2000  # of --ping-interval: with 25 s a run would be as long
DEFAULT_MS = 25000
HELD_S = 600  # at most: a load generator ends then, whatever happens
AT_ONCE = 64  # handshakes on their way
WAYS = ("coalesced", "fanout")  # on poll(2), on libev


@contextlib.contextmanager
def held(build, name, port, count):
    """So many connections are open, and still are at the end."""
    load = subprocess.Popen(["timeout", str(HELD_S), f"{build}/bench/load",
                             f"--port={port}", "--hold", f"--connections={count}"],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        if load.stdout.readline() != "begin\n":
            sys.exit(f"{name}: not all of {count} connections were opened")
        yield
    finally:
        load.communicate()
    if load.returncode != 0:
        sys.exit(f"{name}: the load generator failed")


def start(build, count, ping_ms):
    return servers.start_apart(build, f"--ping-interval={ping_ms}", f"--pong-timeout={PONG_MS}",
                               f"--max-connections={count}", "--max-handshakes=1000")


def spent_us(server):
    """CPU so far, by process."""
    return {name: sum(servers.cpu_us(process.pid).values())
            for name, process in server.processes.items()}


def cores_of(server, seconds):
    """What share of a core each process uses in so many seconds from now."""
    before, began = spent_us(server), time.monotonic()
    time.sleep(seconds)
    took_us = (time.monotonic() - began) * 1e6
    return {name: (now - before[name]) / took_us for name, now in spent_us(server).items()}


def measure_count(build, count, ping_ms, seconds):
    with servers.all_of(lambda: start(build, count, ping_ms)) as (server,):
        empty = {name: server.rss_kb(name) for name in server.processes}
        with held(build, server.name, server.port, count):
            full = {name: server.rss_kb(name) for name in server.processes}
            time.sleep(ping_ms / 1000)  # the first are due
            cores = cores_of(server, seconds)
    return {"rss_kb": full, "cores": cores,
            "connection_kb": {name: (full[name] - empty[name]) / count for name in full}}


def measure_connections(build, seconds):
    """Of each count, where descriptors allow it."""
    limit = servers.raise_file_limit()
    report = {}
    for count in COUNTS:
        if count + SPARE > limit:
            print(f"  {count} connections: not with {limit} descriptors")
            continue
        silent = measure_count(build, count, 0, seconds)
        pinged = measure_count(build, count, OFTEN_MS, PINGS * OFTEN_MS / 1000)
        row = silent | {"pinged_cores": pinged["cores"], "pings_per_s": count * 1e3 / OFTEN_MS}
        row["ping_us"] = {
            name: 1e6 * (pinged["cores"][name] - silent["cores"][name]) / row["pings_per_s"]
            for name in silent["cores"]}
        report[str(count)] = row
        show_connections(count, row)
    return report


def show_connections(count, row):
    pinged = 1e3 * count / DEFAULT_MS * row["ping_us"]["gateway"] / 1e6
    print(f"  {count} connections: KB each " + ", ".join(
        f"{name} {kb:.2f}" for name, kb in row["connection_kb"].items()) +
        f"; gateway {row['cores']['gateway']:.2%} of a core, a ping "
        f"{row['ping_us']['gateway']:.2f} µs, so {pinged:.2%} more with pings of 25 s",
        flush=True)


def measure_one_opening(build, server, seconds):
    arrivals = subprocess.Popen([f"{build}/bench/bench_arrivals", str(server.port),
                                 str(AT_ONCE), str(seconds)],
                                stdout=subprocess.PIPE, text=True)
    arrivals.stdout.readline()  # begin
    before = sum(server.cpu_us().values())
    found = json.loads(arrivals.stdout.readline())
    after = sum(server.cpu_us().values())
    arrivals.wait()
    return found | {"cpu_us": (after - before) / found["opened"]}


def measure_openings(build, rounds, seconds):
    """No worker: whoever connects is let in."""
    starts = [lambda w=way, at=i: servers.start_bare(build, w, PORT + at)
              for i, way in enumerate(WAYS)]
    with servers.all_of(*starts, lambda: servers.start_hoist(build, None)) as running:
        results = servers.in_turns(running, rounds,
                                   lambda s: measure_one_opening(build, s, seconds))
    best = max(r["per_s"] for name, r in results.items() if name.startswith("bare"))
    for name, r in results.items():
        r["ratio"] = r["per_s"] / best
        print(f"  {name:22}{r['per_s']:10.0f} opened/s{r['cpu_us']:9.1f} µs CPU"
              f"{r['ratio']:8.2f}", flush=True)
    return results


def measure(build, rounds, seconds):
    print("\nidle connections, and openings")
    return {"connections": measure_connections(build, seconds),
            "openings": measure_openings(build, rounds, seconds)}
