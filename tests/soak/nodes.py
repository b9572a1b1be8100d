# SPDX-License-Identifier: MIT
"""Processes that are started, stopped, killed, drained and started again."""
import asyncio
import ctypes
import datetime
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from harness import free_port  # noqa: E402

READY_S = 30  # for a start; machines are loaded, sanitizers slow
LEAVE_S = 60  # for an end in order

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Tail:
    """The whole lines of a file, read as it grows."""

    def __init__(self, path):
        self.path = path
        self.offset = 0
        self.rest = b""

    def lines(self):
        try:
            with open(self.path, "rb") as file:
                file.seek(self.offset)
                data = file.read()
        except FileNotFoundError:
            return []
        self.offset += len(data)
        lines = (self.rest + data).split(b"\n")
        self.rest = lines.pop()
        return [line.decode(errors="replace") for line in lines]


PAUSED = re.compile(r"(\S+) warn (?:BROKER|GATEWAY)-PAUSED ms=(\d+)$")


def pause_in(line):
    """When the process stood still, as this line of its log says: (begin, end),
    in CLOCK_MONOTONIC; or None."""
    found = PAUSED.match(line)
    if not found:
        return None
    logged = datetime.datetime.fromisoformat(found[1].replace("Z", "+00:00"))
    end = logged.timestamp() - time.time() + time.monotonic()
    return end - int(found[2]) / 1000, end


class Node:
    """One process, over all its starts."""

    def __init__(self, soak, name, role, ready=None):
        self.soak, self.name, self.role = soak, name, role
        self.ready = ready  # what its log says when it is ready
        self.log_path = os.path.join(soak.out, name + ".log")
        self.news = Tail(self.log_path)
        self.process = None
        self.starts = 0
        self.state = "down"  # up, stopped, draining
        self.started_at = 0.0
        self.memory = []     # (seconds since its start, KiB), of this start
        self.lives = []      # the same of those before

    def command(self):
        raise NotImplementedError

    def log(self, offset=0):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            log.seek(offset)
            return log.read()

    # --- up ---------------------------------------------------------------

    async def start(self):
        self.starts += 1
        offset = os.path.getsize(self.log_path) \
            if os.path.exists(self.log_path) else 0
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True, preexec_fn=die_with_parent)
        self.started_at = time.monotonic()
        self.state = "starting"
        self.memory = []
        end = self.started_at + READY_S
        while not self.is_ready(offset):
            if self.process.poll() is not None or time.monotonic() > end:
                self.soak.broken(f"{self.name} did not start: "
                                 + self.log(offset))
                break
            await asyncio.sleep(0.02)
        self.state = "up"

    def is_ready(self, offset):
        return not self.ready or re.search(self.ready, self.log(offset))

    def has_ended(self):
        """By itself, which it must not."""
        return self.state in ("up", "stopped") and \
            self.process.poll() is not None

    def measure(self):
        try:
            with open(f"/proc/{self.process.pid}/status",
                      encoding="ascii") as file:
                found = re.search(r"VmRSS:\s+(\d+)", file.read())
        except OSError:
            return
        if found:
            self.memory.append((time.monotonic() - self.started_at,
                                int(found.group(1))))

    # --- down -------------------------------------------------------------

    async def wait(self, seconds):
        end = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < end:
            await asyncio.sleep(0.02)
        return self.process.poll()

    def gone(self):
        self.state = "down"
        self.lives.append(self.memory)
        self.memory = []

    async def kill(self):
        self.state = "killed"
        at = time.monotonic()
        self.process.kill()
        await self.wait(READY_S)
        self.gone()
        return at

    async def stop(self, seconds):
        """It may be killed meanwhile."""
        process, self.state = self.process, "stopped"
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        if self.process is process and self.state == "stopped":
            process.send_signal(signal.SIGCONT)
            self.state = "up"

    async def drain(self):
        """SIGTERM; it must leave by itself, with status 0."""
        self.state = "draining"
        self.process.terminate()
        status = await self.wait(LEAVE_S)
        if status is None:
            self.soak.broken(f"{self.name} did not leave in {LEAVE_S} s")
            self.process.kill()
            await self.wait(READY_S)
        elif status != 0:
            self.soak.broken(f"{self.name} was asked to leave and ended with "
                             f"status {status}")
        self.gone()

    def end_now(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Broker(Node):
    def __init__(self, soak, name):
        super().__init__(soak, name, "broker", "BROKER-LISTENING")
        self.workers = f"tcp://127.0.0.1:{free_port()}"
        self.gateways = f"tcp://127.0.0.1:{free_port()}"
        self.letters = os.path.join(soak.out, name + ".dead")
        os.makedirs(self.letters)

    def command(self):
        return [self.soak.hoist, "broker", f"--name={self.name}",
                f"--workers={self.workers}", f"--gateways={self.gateways}",
                "--heartbeat=500", "--liveness=3000",
                f"--dead-letters={self.letters}"]

    async def stats(self):
        return await stats_of(self, "BROKER-STATS ")


class Gateway(Node):
    def __init__(self, soak, name, brokers):
        super().__init__(soak, name, "gateway", "GATEWAY-LISTENING")
        self.port = free_port()
        self.brokers = brokers

    def command(self):
        brokers = ",".join(broker.gateways for broker in self.brokers)
        return [self.soak.hoist, "gateway", f"--name={self.name}",
                f"--listen=127.0.0.1:{self.port}", f"--broker={brokers}",
                "--require-connect",
                f"--request-timeout={int(self.soak.request_s * 1000)}",
                "--handshake-timeout=6000", "--ping-interval=5000",
                "--pong-timeout=15000", "--out-soft=262144",
                "--out-soft-time=3000", "--drain-time=5000"]

    async def stats(self):
        return await stats_of(self, "GATEWAY-STATS ")


class CheckingWorker(Node):
    """soak_worker.py; each start has a number of its own and a journal."""

    def __init__(self, soak, name, routes, window):
        super().__init__(soak, name, "worker")
        self.routes, self.window = routes, window
        self.number = 0
        self.journal = None

    def command(self):
        self.number = self.soak.next_worker()
        path = os.path.join(self.soak.out, f"worker-{self.number}.journal")
        self.journal = Journal(self.number, path)
        self.soak.journals.append(self.journal)
        return ["/usr/bin/python3",
                os.path.join(os.path.dirname(__file__), "soak_worker.py"),
                "--number", str(self.number), "--name", self.name,
                "--routes", self.routes, "--window", str(self.window),
                "--seed", str(self.soak.seed), "--journal", path,
                *(broker.workers for broker in self.soak.brokers)]

    def is_ready(self, offset):
        """It takes SIGTERM for what it is."""
        return os.path.exists(self.journal.path)

    def gone(self):
        super().gone()
        self.journal.ended_at = time.monotonic()


class Example(Node):
    """A worker of workers/examples, which knows nothing of us."""

    def __init__(self, soak, name, brokers, *command):
        super().__init__(soak, name, "example")
        self.brokers, self.words = brokers, command

    def command(self):
        return [*self.words, ",".join(one.workers for one in self.brokers)]

    async def drain(self):
        if self.words[0].endswith("echo"):
            await super().drain()
        else:  # echo.py leaves without a word
            await self.kill()


class Journal(Tail):
    """What one start of a checking worker wrote."""

    def __init__(self, number, path):
        super().__init__(path)
        self.number = number
        self.ended_at = None  # its process was seen dead
        self.has_left = self.is_closed = False


async def stats_of(node, event):
    """Its counters, as of now; None when it does not say."""
    before = node.log().count(event)
    node.process.send_signal(signal.SIGUSR1)
    end = time.monotonic() + READY_S
    while node.log().count(event) == before:
        if time.monotonic() > end:
            return None
        await asyncio.sleep(0.02)
    line = [line for line in node.log().splitlines() if event in line][-1]
    return {name: int(value)
            for name, value in re.findall(r"(\w+)=(\d+)", line)}
