# SPDX-License-Identifier: MIT
"""100,000 connections that only stand and are pinged as by default: memory and CPU of
all hoist processes together.  A process may have so many descriptors, and a port so many
peers on one address, so there are as many gateways as that wants, and one broker."""
import contextlib
import math
import time

import idle
import servers
import targets

PING_S = idle.DEFAULT_MS / 1000
ROUNDS = 2  # of pings: each connection has as many meanwhile
EMPTY_S = 10  # of measurement while nobody is connected
KINDS = ("gateway", "broker")


def most_of_one():
    """Connections of a gateway."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="utf-8") as ports:
        first, last = map(int, ports.read().split())
    return min(servers.raise_file_limit() - idle.SPARE, last - first)


def start(build, gateways, each):
    broker = servers.start_broker(build)
    processes = {"broker": broker}
    for i in range(gateways):
        processes[f"gateway {i + 1}"] = servers.start_gateway(
            build, [broker], f"--max-connections={each}", "--max-handshakes=1000")
    return servers.Server("crowd", 0, processes)


def by_kind(figures):
    """Of all gateways together, and of the broker."""
    return {kind: sum(value for name, value in figures.items() if name.startswith(kind))
            for kind in KINDS}


def measure_now(server, seconds):
    return {"rss_kb": by_kind({name: server.rss_kb(name) for name in server.processes}),
            "cores": by_kind(idle.cores_of(server, seconds))}


@contextlib.contextmanager
def all_held(build, server, each):
    """So many connections are open at each of the gateways."""
    with contextlib.ExitStack() as stack:
        for name, process in server.processes.items():
            if name != "broker":
                stack.enter_context(idle.held(build, name, process.found[0], each))
        yield


def show(report):
    print(f"\n{report['connections']} connections at {report['gateways']} gateways, "
          f"opened in {report['opening_s']:.0f} s")
    for name in ("empty", "full"):
        row = report[name]
        print(f"  {name:6}" + "".join(
            f"  {kind} {row['rss_kb'][kind] / 1e3:.0f} MB, {row['cores'][kind]:.2%} of a core"
            for kind in KINDS), flush=True)


def measure(build):
    gateways = math.ceil(targets.MANY / most_of_one())
    each = math.ceil(targets.MANY / gateways)
    with servers.all_of(lambda: start(build, gateways, each)) as (server,):
        empty, began = measure_now(server, EMPTY_S), time.monotonic()
        with all_held(build, server, each):
            opening_s = time.monotonic() - began
            time.sleep(PING_S)  # the first are due
            full = measure_now(server, ROUNDS * PING_S)
    report = {"connections": gateways * each, "gateways": gateways, "opening_s": opening_s,
              "empty": empty, "full": full}
    show(report)
    return report
