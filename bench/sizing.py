#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What docs/sizing.md counts with: memory of a connection and CPU of a message, of a
handshake and of a close, in each process of its own: gateway, broker, worker, Redis.

    bench/sizing.py BUILD [--seconds S]

A table on standard output, and JSON beside the build.
"""
import argparse
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/integration"))

import servers  # noqa: E402
from redis_server import Server as Redis  # noqa: E402
from echo import measure_load  # noqa: E402

FEW, MANY = 2000, 8000  # connections: what one more costs is the difference's share
MESSAGES = {"at leisure: 1 connection, 1 in flight": ["--connections=1", "--in-flight=1"],
            "10,000/s over 1,000 connections": ["--connections=1000", "--rate=10000"],
            "busy: 500 connections, 1 in flight": ["--connections=500", "--in-flight=1"],
            "busy: 50 connections, 16 in flight": ["--connections=50", "--in-flight=16"]}


def start(build, redis=None):
    # A table of libwebsockets is as large as the limit of descriptors.
    return servers.start_apart(
        build, f"--max-connections={FEW + MANY}", "--max-handshakes=1000",
        store=f"redis://127.0.0.1:{redis.port}" if redis else "memory")


def memory(server, redis):
    kb = {name: server.rss_kb(name) for name in server.processes}
    if redis:
        kb["redis"] = int(redis.info("memory")["used_memory"]) / 1024
    return kb


def spent(server):
    return {name: sum(servers.cpu_us(process.pid).values())
            for name, process in server.processes.items()}


def held(build, server, count, look):
    """What look() says while so many connections are open."""
    load = subprocess.Popen([f"{build}/bench/load", f"--port={server.port}", "--hold",
                             f"--connections={count}"],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    load.stdout.readline()
    seen = look()
    load.communicate()
    return seen


def difference(after, before, by):
    return {name: (after[name] - before[name]) / by for name in after}


def connections(build, redis):
    """Kilobytes at the start and of a connection; CPU of an opening, and of its end."""
    found = {}
    for count in (FEW, MANY):
        server = start(build, redis)
        try:
            base, before = memory(server, redis), spent(server)
            full, opened = held(build, server, count,
                                lambda s=server: (memory(s, redis), spent(s)))
            servers.until(lambda s=server: is_quiet(s), "the end of all connections", 60)
            found[count] = {"base": base, "full": full, "before": before, "opened": opened,
                            "closed": spent(server)}
        finally:
            server.stop()
    few, many = found[FEW], found[MANY]
    return {"base_kb": many["base"],
            "connection_kb": difference(many["full"], few["full"], MANY - FEW),
            "opening_us": difference(many["opened"], many["before"], MANY),
            "end_us": difference(many["closed"], many["opened"], MANY)}


def is_quiet(server):
    """No descriptor of a client is left at the gateway."""
    folder = pathlib.Path(f"/proc/{server.processes['gateway'].pid}/fd")
    return len(list(folder.iterdir())) < 100


def messages(build, seconds):
    """Of each scenario, CPU of an echo in each process."""
    server, found = start(build), {}
    try:
        for name, flags in MESSAGES.items():
            figures = measure_load(build, server, flags, seconds)
            found[name] = {"per_s": figures["replies_per_s"], "us": by_process(figures["cpu_us"])}
    finally:
        server.stop()
    return found


def by_process(threads):
    total = {}
    for name, us in threads.items():
        process = name.split("/")[0]
        total[process] = total.get(process, 0) + us
    return total


def show(title, rows):
    columns = ("gateway", "broker", "worker", "redis")
    print(f"\n{title:42}" + "".join(f"{name:>10}" for name in columns))
    for name, row in rows.items():
        print(f"  {name:40}" + "".join(
            f"{row[column]:10.2f}" if column in row else f"{'-':>10}" for column in columns))


def measure(build, seconds):
    report = {"memory": connections(build, None)}
    with Redis() as redis:
        report["redis"] = connections(build, redis)
    report["messages"] = messages(build, seconds)
    for store in ("memory", "redis"):
        show(f"with {store}", {
            "KB at the start": report[store]["base_kb"],
            "KB of an idle connection": report[store]["connection_kb"],
            "CPU µs of an opening": report[store]["opening_us"],
            "CPU µs of an end": report[store]["end_us"]})
    show("CPU µs of an echo of 64 bytes",
         {f"{name} ({row['per_s']:.0f}/s)": row["us"] for name, row in
          report["messages"].items()})
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("build")
    parser.add_argument("--seconds", type=float, default=2)
    options = parser.parse_args()
    servers.raise_file_limit()
    report = {"machine": servers.machine()} | measure(options.build, options.seconds)
    path = pathlib.Path(options.build) / "bench/sizing.json"
    path.write_text(json.dumps(report, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
