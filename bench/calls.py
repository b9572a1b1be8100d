#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How many system calls, switches and page faults a message costs each thread, while
an echo goes through `hoist serve` and a worker.  Other programs on the machine change
these less than they change times.  perf(1) counts, so it takes its rights.

    bench/calls.py BUILD [--seconds S] [SCENARIO …]   of bench/echo.py: '50 x 16', …
"""
import argparse
import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile

import echo
import servers

CALLS = ("sendto", "recvfrom", "read", "write", "poll", "epoll_wait", "epoll_ctl",
         "getpid", "futex", "madvise", "munmap", "mmap", "brk")
OTHERS = {"raw_syscalls:sys_enter": "all calls", "context-switches": "switches",
          "page-faults": "page faults"}
LEAST = 0.003  # of a message, to be shown


def threads_of(server):
    """Names by thread id."""
    names = {}
    for name, process in server.processes.items():
        for task in os.listdir(f"/proc/{process.pid}/task"):
            with open(f"/proc/{process.pid}/task/{task}/comm", encoding="utf-8") as comm:
                names[task] = f"{name}/{comm.read().strip()}"
    return names


def start_perf(server, path, seconds):
    events = [f"syscalls:sys_enter_{call}" for call in CALLS] + list(OTHERS)
    pids = ",".join(str(process.pid) for process in server.processes.values())
    return subprocess.Popen(["perf", "stat", "--per-thread", "-x;", "-e", ",".join(events),
                             "-p", pids, "-o", path, "--", "sleep", str(seconds)])


def read_counts(path, names):
    """By thread and event."""
    counts = collections.defaultdict(dict)
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            fields = line.split(";")
            task = re.search(r"-(\d+)$", fields[0])
            if task and fields[1].isdigit():
                event = fields[3].replace("syscalls:sys_enter_", "")
                counts[names[task[1]]][OTHERS.get(event, event)] = int(fields[1])
    return counts


def measure(build, server, scenario, seconds):
    """Counts of a message, by thread.  What was answered while perf counted is taken
    from the rate, so a machine whose load changes meanwhile makes all of them wrong by
    the same factor."""
    names = threads_of(server)
    with tempfile.NamedTemporaryFile() as out:
        perf = []
        found = echo.measure_load(build, server, echo.SCENARIOS[scenario], seconds,
                                  lambda: perf.append(start_perf(server, out.name, seconds)))
        perf[0].wait()
        replies = found["replies_per_s"] * seconds
        return {thread: {event: count / replies for event, count in events.items()}
                for thread, events in read_counts(out.name, names).items()}


def show(scenario, counts):
    print(f"\n{scenario}, of a message")
    for thread, events in counts.items():
        shown = [f"{event} {count:.3f}" for event, count in
                 sorted(events.items(), key=lambda e: -e[1]) if count >= LEAST]
        if shown:
            print(f"  {thread:24}" + ", ".join(shown))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("build")
    parser.add_argument("scenarios", nargs="*")
    parser.add_argument("--seconds", type=float, default=2)
    options = parser.parse_args()
    if shutil.which("perf") is None:
        sys.exit("there is no perf(1)")
    for scenario in options.scenarios or ("500 x 1", "50 x 16", "50 x 1, 4 KB", "1 x 1"):
        with servers.all_of(lambda: servers.start_hoist(
                options.build, servers.start_echo(options.build))) as running:
            show(scenario, measure(options.build, running[0], scenario, options.seconds))


if __name__ == "__main__":
    main()
