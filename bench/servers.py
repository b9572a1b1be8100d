# SPDX-License-Identifier: MIT
"""Servers to be measured: their processes, and what these have spent."""
import atexit
import contextlib
import os
import re
import resource
import shutil
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
    """Returns how many descriptors there may be."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    return limit


class Process:
    """A program, once its output (which goes to a file, so that it never waits
    for a reader) has all of the patterns; `found` are their groups.  It ends with
    whoever started it, however that ends."""

    def __init__(self, command, *patterns):
        with tempfile.NamedTemporaryFile("wb", prefix="hoist-bench-",
                                         delete=False) as log:
            self.log_path = log.name
            self.running = subprocess.Popen(["setpriv", "--pdeathsig=TERM", *command],
                                            stdout=log, stderr=subprocess.STDOUT)
        atexit.register(self.stop)  # where nobody comes to stop it
        self.pid, self.name = self.running.pid, command[0]
        self.found = [until(lambda p=pattern: self.look_for(p), f"{pattern} of {command[0]}")
                      for pattern in patterns]

    def read_log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def look_for(self, pattern):
        text = self.read_log()
        if self.running.poll() is not None:
            sys.exit(f"{self.name} ended:\n{text}")
        match = re.search(pattern, text)
        return match and (match[1] if match.groups() else match[0])

    def stop(self):
        atexit.unregister(self.stop)
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
    """Processes that serve one port; each has a name in the table.  `protocol`: what
    bench/load says to it."""

    def __init__(self, name, port, processes, protocol="plain"):
        self.name, self.port, self.processes = name, int(port), processes
        self.protocol = protocol

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


def start_relay(build, port):
    """WebSockets, and a worker behind ZeroMQ, with nothing done between them."""
    server = Process([f"{build}/bench/bare_relay", str(port)], r"workers (\S+)")
    worker = Process([f"{build}/bench/bare_relay", "worker", server.found[0]], "started")
    return Server("relay", port, {"relay": server, "worker": worker})


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


def start_broker(build, *flags):
    """`hoist broker`; `found` are its endpoints for workers and for gateways."""
    return Process(
        [f"{build}/cli/hoist", "broker", "--workers=tcp://127.0.0.1:*",
         "--gateways=tcp://127.0.0.1:*", "--drain-time=500", "--settle-time=0", *flags],
        r"BROKER-LISTENING workers=(\S+)", r"gateways=(\S+)")


def start_gateway(build, brokers, *flags):
    """`hoist gateway`, once it has found a broker; `found` begins with its port."""
    return Process(
        [f"{build}/cli/hoist", "gateway", "--listen=127.0.0.1:0",
         "--broker=" + ",".join(broker.found[1] for broker in brokers),
         "--drain-time=500", *flags],
        r"GATEWAY-LISTENING address=\S*:(\d+)", "GATEWAY-BROKER-FOUND")


def start_echo(build):
    """The example, as start_hoist() wants it."""
    return lambda workers: Process([f"{build}/workers/examples/echo", "--broker", workers],
                                   "WORKER-BROKER-UP")


def start_apart(build, *flags, store="memory"):
    """Gateway, broker and the example `echo`, a process each."""
    broker = start_broker(build, f"--store={store}")
    gateway = start_gateway(build, [broker], *flags)
    worker = start_echo(build)(broker.found[0])
    return Server("hoist apart", gateway.found[0],
                  {"broker": broker, "gateway": gateway, "worker": worker})


NATS, NATS_BATCHED = "NATS", "NATS batched"
NATS_CONFIG = """listen: "127.0.0.1:-1"
websocket { listen: "127.0.0.1:-1", no_tls: true }
"""


def nats_starts(build, *names):
    """Functions that start those of NATS and NATS_BATCHED; where it is not installed it
    says so, and there are none."""
    program = shutil.which("nats-server", path=os.environ["PATH"] + ":/usr/sbin")
    if program and os.access(f"{build}/bench/nats_echo", os.X_OK):
        return [lambda n=name: start_nats(build, program, n) for name in names]
    missing = "nats_echo, which wants libnats" if program else "nats-server"
    print(f"without NATS: there is no {missing}")
    return []


def start_nats(build, program, name):
    """A server of NATS and a responder in C."""
    with tempfile.NamedTemporaryFile("w", prefix="hoist-bench-", suffix=".conf") as config:
        config.write(NATS_CONFIG)
        config.flush()
        nats = Process([program, "-c", config.name], r"websocket clients on ws://\S+:(\d+)",
                       r"client connections on (\S+:\d+)", "Server is ready")
    port, address, _ = nats.found
    way = ["batched"] if name == NATS_BATCHED else []
    responder = Process([f"{build}/bench/nats_echo", f"nats://{address}", *way], "started")
    return Server(name, port, {"nats-server": nats, "responder": responder}, "nats")


@contextlib.contextmanager
def all_of(*starts):
    """What each of the functions starts; all stop at the end."""
    with contextlib.ExitStack() as stack:
        running = []
        for start in starts:
            running.append(start())
            stack.callback(running[-1].stop)
        yield running


AWAKE = """import os, sys, time
os.nice(19)
os.sched_setaffinity(0, [int(sys.argv[1])])
parent, end = os.getppid(), time.monotonic() + float(sys.argv[2])
while time.monotonic() < end and os.getppid() == parent:
    for _ in range(100000):
        pass
"""


@contextlib.contextmanager
def awake_cores(seconds):
    """No core halts meanwhile: on a virtual machine it costs up to 100 µs to wake
    one.  A niced loop on each, which ends by itself after so long, too."""
    loops = [subprocess.Popen([sys.executable, "-c", AWAKE, str(core), str(seconds)])
             for core in sorted(os.sched_getaffinity(0))]
    try:
        yield
    finally:
        for loop in loops:
            loop.terminate()
            loop.wait()


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
