#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Pushes to many through hoist and through bare libwebsockets servers, in
turns, with the same load generator: what a delivery costs, how long the last one
takes, how much an echo on another connection is delayed by it, and whether
members that do not read matter to the others.

    bench/fanout.py BUILD [--rounds N] [--seconds S] [--members N,N,…]
"""
import argparse
import contextlib
import itertools
import json
import mmap
import os
import struct
import subprocess
import sys
import tempfile

import servers

PORT = 18920
MEMBERS = (100, 1000, 10000)
HOW = ("one at a time", "pipelined")
PIPELINED = 32  # messages, …
PIPELINED_DELIVERIES = 80000  # … but no more than this for all members
WAYS = ("fanout", "gathered")  # of the bare server: a write a message, a write a turn
DEAF_MEMBERS, DEAF = 1000, 10
DEAF_BYTES = 4096  # of a message
DEAF_FULL = 5 << 20  # bytes: more than the kernel takes for one who does not read
ECHO_RATE = 200  # a second
BY_ITSELF = "hoist, by itself"
HOISTS = ("hoist", BY_ITSELF)
PORTS = itertools.count(PORT)


def in_flight(how, members):
    return 1 if how == "one at a time" else min(PIPELINED, PIPELINED_DELIVERIES // members)


class Fan:
    """bench/fan at a server.  There is one at a server at a time: what one pushes
    goes to all members."""

    def __init__(self, build, server, members, *flags, seconds):
        self.server, self.members = server, members
        self.before = None
        self.running = subprocess.Popen(
            [f"{build}/bench/fan", f"--port={server.port}", f"--members={members}",
             f"--seconds={seconds}", *flags],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.read_line()  # open

    def read_line(self):
        line = self.running.stdout.readline()
        if not line:
            sys.exit(f"{self.server.name}: the load generator failed")
        return line

    def begin(self, how):
        self.running.stdin.write(f"{in_flight(how, self.members)}\n")
        self.running.stdin.flush()
        self.read_line()
        self.before = self.server.cpu_us()

    def figures(self):
        """Of what begun, at its end."""
        result = json.loads(self.read_line())
        by_thread = {name: (spent - self.before.get(name, 0)) / result["deliveries"]
                     for name, spent in self.server.cpu_us().items()}
        return result | {"cpu_us": by_thread, "cpu_us_total": sum(by_thread.values())}

    def measure(self, how):
        self.begin(how)
        return self.figures()

    def close(self):
        self.running.communicate()


class Turns:
    """The longest turn of each loop of a server, as bench/turns.c finds it."""
    SIZE = 64 * 32
    RECORD = struct.Struct("16sQQ")

    def __init__(self, build):
        with tempfile.NamedTemporaryFile(prefix="hoist-bench-") as file:
            file.truncate(self.SIZE)
            self.map = mmap.mmap(file.fileno(), self.SIZE)
            self.path = f"/proc/{os.getpid()}/fd/{os.dup(file.fileno())}"
        self.under = ("env", f"LD_PRELOAD={os.path.abspath(build)}/bench/libturns.so",
                      f"HOIST_TURNS={self.path}")

    def forget(self):
        for at in range(0, self.SIZE, self.RECORD.size):
            self.map[at + 24:at + 32] = bytes(8)

    def longest_ms(self):
        """Of the loop that serves the clients."""
        found = {name.rstrip(b"\0").decode(): longest / 1e6
                 for name, _, longest in self.RECORD.iter_unpack(self.map) if name[0]}
        return found.get("hoist-serve") or max(found.values())


@contextlib.contextmanager
def fans(build, *of):
    """A Fan for each (server, members, flags …)."""
    with contextlib.ExitStack() as stack:
        opened = []
        for server, members, *flags in of:
            opened.append(Fan(build, server, members, "--warmup=0.2", *flags[:-1],
                              seconds=flags[-1]))
            stack.callback(opened[-1].close)
        yield opened


def bare(build, way, under=()):
    return servers.start_bare(build, way, next(PORTS), under)


def hoist(build, *flags, under=(), post=()):
    return servers.start_hoist(build, lambda workers: servers.Process(
        [f"{build}/bench/bench_pusher", workers, *post], "ready"), *flags, under=under)


def hoist_by_itself(build, path):
    """Its worker pushes what comes to the socket of this path, and nobody asks."""
    server = hoist(build, post=[path])
    server.name = BY_ITSELF
    return server


# --- what a delivery costs ----------------------------------------------------

def measure_cost(build, rounds, seconds, sizes):
    report = {}
    with tempfile.TemporaryDirectory(prefix="hoist-bench-") as folder, \
            servers.all_of(*(lambda w=way: bare(build, w) for way in WAYS),
                           lambda: hoist(build),
                           lambda: hoist_by_itself(build, folder + "/post")) as running:
        for members in sizes:
            with fans(build, *((server, members, *posted(server, folder), seconds)
                               for server in running)) as opened:
                by_server = {fan.server.name: fan for fan in opened}
                for how in HOW:
                    results = servers.in_turns(
                        running, rounds,
                        lambda s, h=how, of=by_server: of[s.name].measure(h))
                    for name, of_it in results.items():
                        of_it["ratio"] = {way: of_it["cpu_us_total"] /
                                          results["bare " + way]["cpu_us_total"]
                                          for way in WAYS} if name in HOISTS else {}
                    report[f"{members} members, {how}"] = results
                    show_cost(f"{members} members, {how}", results)
    return report


def posted(server, folder):
    return [f"--post={folder}/post"] if server.name == BY_ITSELF else []


def show_cost(what, results):
    print(f"\n{what:32}{'deliveries/s':>14}{'last p50 ms':>13}{'p99 ms':>9}"
          f"{'CPU µs':>9}{'its loop':>9}{'of fanout':>11}{'gathered':>10}")
    for name, r in results.items():
        ratio = "".join(f"{of_it:9.2f}x" for of_it in r.get("ratio", {}).values())
        loop = r["cpu_us"].get("hoist/hoist-serve", r["cpu_us_total"])
        print(f"  {name:30}{r['deliveries_per_s']:14.0f}{r['last_p50_us'] / 1000:13.2f}"
              f"{r['last_p99_us'] / 1000:9.2f}{r['cpu_us_total']:9.2f}{loop:9.2f}{ratio}",
              flush=True)


# --- the echo beside ----------------------------------------------------------

def echo(build, server, seconds):
    """Latencies of one connection's echoes."""
    done = subprocess.run([f"{build}/bench/load", f"--port={server.port}",
                           "--connections=1", f"--rate={ECHO_RATE}", "--warmup=0.2",
                           f"--seconds={seconds}"],
                          check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def echo_beside(build, server, fan, how, seconds):
    """An echo at `server` while the members of `fan` are pushed to."""
    fan.begin(how)
    result = echo(build, server, seconds)
    fan.figures()
    return result


def one_echo_round(build, turns, server, here, elsewhere, seconds):
    found = {"alone": echo(build, server, seconds)}
    for how in HOW:
        found[f"pushed to elsewhere, {how}"] = echo_beside(
            build, server, elsewhere, how, seconds)
        turns.forget()
        row = echo_beside(build, server, here, how, seconds)
        found[f"pushed to here, {how}"] = row | {"longest_turn_ms": turns.longest_ms()}
    return found


def measure_echo(build, start, rounds, seconds, members):
    """Alone; beside pushes of another server of the kind, which take the same
    share of the machine; and beside the server's own."""
    turns = Turns(build)
    with servers.all_of(lambda: start(turns.under), start) as (server, other), \
            fans(build, (server, members, seconds + 1),
                 (other, members, seconds + 1)) as (here, elsewhere):
        loads, found = [], []
        for _ in range(rounds):
            loads.append(os.getloadavg()[0])
            found.append(one_echo_round(build, turns, server, here, elsewhere, seconds))
    results = servers.median(found) | {"load": loads}
    for name, row in results.items():
        if "longest_turn_ms" in row:
            row["longest_turn_ms"] = max(r[name]["longest_turn_ms"] for r in found)
    show_echo(f"{server.name}: echo beside {members} members", results)
    return results


def show_echo(what, results):
    print(f"\n{what:40}{'p50 ms':>9}{'p99 ms':>9}{'max ms':>9}{'longest turn, CPU ms':>22}")
    for name, r in results.items():
        if name != "load":
            longest = f"{r['longest_turn_ms']:22.2f}" if "longest_turn_ms" in r else ""
            print(f"  {name:38}{r['p50_us'] / 1000:9.2f}{r['p99_us'] / 1000:9.2f}"
                  f"{r['max_us'] / 1000:9.2f}{longest}")
    for how in HOW:
        here, elsewhere = results[f"pushed to here, {how}"], results[
            f"pushed to elsewhere, {how}"]
        print(f"  delay, {how:31}" + "".join(
            f"{(here[key] - elsewhere[key]) / 1000:9.2f}" for key in ("p50_us", "p99_us")))
    print("  load of the machine: " + " ".join(f"{load:.1f}" for load in results["load"]),
          flush=True)


# --- who does not read --------------------------------------------------------

def fill(fan):
    pushed = 0
    while pushed < DEAF_FULL:
        pushed += fan.measure("pipelined")["fanouts"] * DEAF_BYTES


def measure_deaf(build, rounds, seconds):
    """The same members with and without others that do not read, whose sockets are
    full, and who are not closed for it meanwhile."""
    flags = (f"--bytes={DEAF_BYTES}",)
    patient = lambda: hoist(build, "--out-soft=0", f"--out-hard={256 << 20}")  # noqa: E731
    with servers.all_of(patient, patient) as (one, other), \
            fans(build, (one, DEAF_MEMBERS, *flags, seconds),
                 (other, DEAF_MEMBERS, *flags, f"--deaf={DEAF}", seconds)) as opened:
        for fan in opened:
            fill(fan)
        found = {"all read": [], f"{DEAF} beside them do not": []}
        for _ in range(rounds):
            for results, fan in zip(found.values(), opened):
                results.append(fan.measure("pipelined"))
    results = {name: servers.median(r) for name, r in found.items()}
    show_cost(f"{DEAF_MEMBERS} members, {DEAF_BYTES} bytes", results)
    return results


def measure(build, rounds, seconds, sizes):
    report = {"machine": servers.machine(),
              "cost": measure_cost(build, rounds, seconds, sizes),
              "deaf": measure_deaf(build, rounds, seconds)}
    kinds = {"bare": lambda under=(): bare(build, "gathered", under),
             "hoist": lambda under=(): hoist(build, under=under)}
    report["echo"] = {name: measure_echo(build, start, rounds, seconds, max(sizes))
                      for name, start in kinds.items()}
    report["machine"]["load_after"] = os.getloadavg()
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--members", default=",".join(map(str, MEMBERS)))
    options = parser.parse_args()
    servers.raise_file_limit()
    sizes = [int(size) for size in options.members.split(",")]
    report = measure(options.build, options.rounds, options.seconds, sizes)
    path = f"{options.build}/bench/fanout.json"
    with open(path, "w", encoding="utf-8") as out:
        json.dump(report, out, indent=1)
    print(f"JSON: {path}")


if __name__ == "__main__":
    main()
