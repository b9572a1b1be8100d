# SPDX-License-Identifier: MIT
"""Servers to be measured: their processes, and what these have spent."""
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

WAIT_S = 15


def until(condition, what, seconds=WAIT_S):
    """The first true value of condition(), polled."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            sys.exit(f"waited in vain for {what}")
        time.sleep(0.01)
    return value


def raise_file_limit():
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))


class Process:
    """A program, once its output (which goes to a file, so that it never waits
    for a reader) has all of the patterns; `found` are their groups."""

    def __init__(self, command, *patterns):
        with tempfile.NamedTemporaryFile("wb", prefix="hoist-bench-",
                                         delete=False) as log:
            self.log_path = log.name
            self.running = subprocess.Popen(command, stdout=log,
                                            stderr=subprocess.STDOUT)
        self.pid = self.running.pid
        self.found = [until(lambda p=pattern: self.look_for(p), f"{pattern} of {command[0]}")
                      for pattern in patterns]

    def look_for(self, pattern):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            text = log.read()
        if self.running.poll() is not None:
            sys.exit(f"{self.running.args[0]} ended:\n{text}")
        match = re.search(pattern, text)
        return match and (match[1] if match.groups() else match[0])

    def stop(self):
        self.running.terminate()
        self.running.wait(30)
        os.unlink(self.log_path)


def cpu_us(pid):
    """CPU so far of each thread of a process, by its name."""
    used = {}
    tasks = f"/proc/{pid}/task"
    for task in os.listdir(tasks):
        with open(f"{tasks}/{task}/comm", encoding="utf-8") as comm, \
                open(f"{tasks}/{task}/schedstat", encoding="utf-8") as spent:
            name = comm.read().strip()
            used[name] = used.get(name, 0) + int(spent.read().split()[0]) / 1000
    return used


class Server:
    """Processes that serve one port; each has a name in the table."""

    def __init__(self, name, port, processes):
        self.name, self.port, self.processes = name, int(port), processes

    def cpu_us(self):
        """CPU so far of each thread, by name of process and thread."""
        return {f"{name}/{thread}": spent for name, process in self.processes.items()
                for thread, spent in cpu_us(process.pid).items()}

    def rss_kb(self, name):
        with open(f"/proc/{self.processes[name].pid}/status", encoding="utf-8") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))

    def stop(self):
        for process in reversed(self.processes.values()):
            process.stop()


def start_bare(build, way, port, under=()):
    """`under`: a command that runs it, for instance env(1)."""
    process = Process([*under, f"{build}/bench/bare_lws", way, str(port)], "listening")
    return Server("bare " + way, port, {"bare": process})


def start_hoist(build, worker, *flags, under=()):
    """`hoist serve`, and a worker: a function of the workers' endpoint that
    starts it, or None."""
    hoist = Process([*under, f"{build}/cli/hoist", "serve", "--listen=127.0.0.1:0",
                     "--workers=tcp://127.0.0.1:*", "--drain-time=500", *flags],
                    r"GATEWAY-LISTENING address=\S*:(\d+)",
                    r"BROKER-LISTENING workers=(\S+)", "GATEWAY-BROKER-FOUND")
    port, workers, _ = hoist.found
    processes = {"hoist": hoist}
    if worker:
        processes["worker"] = worker(workers)
    return Server("hoist", port, processes)


def median(rounds):
    """Of each figure, the median over the rounds."""
    first = rounds[0]
    return {name: median([r[name] for r in rounds]) if isinstance(first[name], dict)
            else statistics.median(r.get(name, 0) for r in rounds) for name in first}


def in_turns(servers, rounds, measured):
    """Of each server the medians of what measured(server) finds."""
    found = {server.name: [] for server in servers}
    for _ in range(rounds):
        for server in servers:
            found[server.name].append(measured(server))
    return {name: median(results) for name, results in found.items()}


def machine():
    """What the figures depend on, but for the programs."""
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        model = re.search(r"model name\s*: (.*)", info.read())
    return {"processor": model[1] if model else "", "cores": os.cpu_count(),
            "kernel": os.uname().release, "load": os.getloadavg()}
