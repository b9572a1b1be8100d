#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A worker from PROTOCOL.md that runs handlers of different connections at
once and those of one connection one at a time, takes its time, refuses, fails,
pushes and closes, and writes down what it does.

    soak_worker.py --number N --routes a,b,… --journal FILE ENDPOINT…

The journal is a file because a write is done when it returns, kill -9 loses
nothing of it, and no reader can make the writer wait.  A line is a letter, the
time and words:

    w link                      welcomed: a session with a broker begins
    p link                      at that time the broker knew us: a PONG says so
    d link                      all that we held of it is dropped
    o link                      welcomed again: it may have given us up between,
                                and what we hold is old
    b link run conn event route k n attempt number old    a handler begins
    e run status                and ends; its reply is sent behind that
    c conn                      we close that connection
    x                           we leave in order
    ! text                      a broker broke the rules
"""
import argparse
import collections
import heapq
import json
import os
import random
import signal
import time

import msgpack
import zmq

HELLO, WELCOME, READY, REQUEST, REPLY, PUSH = 1, 2, 3, 4, 5, 6
CLOSE, GONE, CREDIT, PING, PONG = 10, 11, 15, 16, 17
DRAIN, BYE, WHO, ERROR = 19, 20, 21, 22
CONNECT, MESSAGE, DISCONNECT = 1, 2, 3

TERMS = {"again": {"redeliver": 2}, "loose": {"unordered": True}}
REFUSE, FAIL, PUSHES, KICK = 15, 20, 8, 800  # one in so many
LINKS = 100   # more than there are brokers
PING_S = 0.2  # more than asked for: what is proven early is not in doubt
BIG = "x" * 60000


def now():
    return time.monotonic()


class Work:
    """A request that is held."""
    __slots__ = ("link", "id", "event", "conn", "route", "k", "n", "attempt",
                 "number", "due_s", "run", "is_dropped", "is_old")


class Worker:
    def __init__(self, options):
        self.options = options
        self.journal = os.open(options.journal, os.O_WRONLY | os.O_CREAT |
                               os.O_APPEND, 0o644)
        self.random = random.Random(options.seed * 1000003 + options.number)
        self.timers = []
        self.runs = self.serial = 0
        self.recent = collections.deque(maxlen=50)  # (link, conn, k)
        self.links = [Link(self, i, endpoint)
                      for i, endpoint in enumerate(options.brokers)]

    def note(self, letter, *words, at=None):
        line = " ".join([letter, f"{at or now():.6f}", *map(str, words)])
        os.write(self.journal, line.encode() + b"\n")

    def chance(self, of):
        return self.random.randrange(of) == 0

    def after(self, seconds, call, *arguments):
        self.serial += 1
        heapq.heappush(self.timers,
                       (now() + seconds, self.serial, call, arguments))

    def run_timers(self):
        while self.timers and self.timers[0][0] <= now():
            _, _, call, arguments = heapq.heappop(self.timers)
            call(*arguments)

    def turn(self, poller):
        wait_s = min([0.1] + [timer[0] - now() for timer in self.timers[:1]])
        ready = dict(poller.poll(max(0, wait_s * 1000)))
        for link in self.links:
            if link.sock in ready:
                link.receive()
        self.run_timers()
        for link in self.links:
            link.tick()

    def loop(self, asked):
        """Until it is asked to leave, and may."""
        poller = zmq.Poller()
        for link in self.links:
            poller.register(link.sock, zmq.POLLIN)
        drains = False
        while True:
            self.turn(poller)
            if asked and not drains:
                drains = True
                for link in self.links:
                    link.drain()
            if drains and all(link.may_leave() for link in self.links):
                for link in self.links:
                    link.leave()
                self.note("x")
                return


class Link:
    """A broker, as this worker sees it: the table of PROTOCOL.md, section 7."""

    def __init__(self, worker, index, endpoint):
        self.worker, self.index = worker, index
        self.words = 0
        self.sock = zmq.Context.instance().socket(zmq.DEALER)
        self.sock.linger = 2000
        self.sock.sndhwm = 0
        self.sock.connect(endpoint)
        self.boot = os.urandom(8).hex()
        self.heartbeat_s, self.liveness_s = 1.0, 3.5
        self.held = collections.OrderedDict()  # conn: works, in order
        self.loose = set()
        self.pings = collections.deque()  # times of those without a PONG
        self.is_leaving = self.has_left = False
        self.fence = None  # the time of the PING behind DRAIN
        self.window = worker.options.window
        self.pinged_at = self.heard_at = now()
        self.greetings = collections.deque()  # times of those not welcomed
        self.greet()

    # --- speaking ---------------------------------------------------------

    def send(self, *messages):
        self.sock.send(b"".join(msgpack.packb(list(message))
                                for message in messages))

    def greet(self):
        self.state = "greeting"
        self.greeted_at = now()
        self.greetings.append(self.greeted_at)
        routes = [[route, TERMS[route]] if route in TERMS else route
                  for route in self.worker.options.routes]
        self.send([HELLO, 1, "worker", self.boot, self.worker.options.name, {}],
                  [READY, routes, self.window, 1 << 20])

    def ping(self):
        at = self.pinged_at = now()
        if self.state == "up":
            self.pings.append(at)
        self.send([PING, self.count()])
        return at

    def works(self):
        return [*self.loose, *(work for works in self.held.values()
                               for work in works)]

    def count(self):
        return len(self.loose) + sum(map(len, self.held.values()))

    # --- time -------------------------------------------------------------

    def tick(self):
        at = now()
        if self.state == "up" and at - self.heard_at >= self.liveness_s:
            self.lose()
        elif self.state == "greeting":
            if at - self.greeted_at >= self.heartbeat_s:
                self.greet()
        elif at - self.pinged_at >= PING_S:
            self.ping()

    def lose(self):
        self.drop()
        self.state = "lost"
        self.boot = os.urandom(8).hex()
        self.greetings.clear()
        self.has_left = self.has_left or self.is_leaving

    def drop(self):
        self.worker.note("d", self.index)
        for work in self.works():
            work.is_dropped = True
        self.held.clear()
        self.loose.clear()
        self.pings.clear()

    # --- leaving ----------------------------------------------------------

    def drain(self):
        self.is_leaving = True
        if self.state == "up":
            self.send([DRAIN])
            self.fence = self.ping()
        else:
            self.has_left = True  # nobody is there who gave us anything

    def may_leave(self):
        return self.has_left or (self.fence is None and not self.count())

    def leave(self):
        if not self.has_left:
            self.send([BYE])
        self.sock.close()

    # --- hearing ----------------------------------------------------------

    def receive(self):
        for _ in range(50):
            try:
                frame = self.sock.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            self.heard_at = now()
            if self.state == "lost" and frame:
                self.greet()
                continue
            unpacker = msgpack.Unpacker(max_buffer_size=1 << 26)
            unpacker.feed(frame)
            for message in unpacker:
                self.take(message)

    def take(self, message):
        kind = message[0]
        if kind == REQUEST and self.state == "up":
            self.take_request(message)
        elif kind == WELCOME:
            self.take_welcome(message)
        elif kind == WHO:
            self.take_who()
        elif kind == PONG and self.state == "up":
            self.take_pong()
        elif kind == BYE and self.state == "up":
            self.lose()
        elif kind == ERROR:
            self.worker.note("!", "ERROR", *message[1:3])
        elif kind not in (REQUEST, PONG, BYE, GONE, CREDIT):
            self.worker.note("!", "kind", kind)

    def take_welcome(self, message):
        if message[6].get("peer", self.boot) != self.boot:
            return
        self.heartbeat_s, self.liveness_s = message[4] / 1000, message[5] / 1000
        greeted_at = self.greetings.popleft() if self.greetings else now()
        if self.state == "up":  # of two, for a greeting that was said twice
            for work in self.works():
                work.is_old = True
            self.worker.note("o", self.index)
        else:
            self.state = "up"
            self.pings.clear()
            self.worker.note("w", self.index)
        self.worker.note("p", self.index, at=greeted_at)
        if self.is_leaving and self.fence is None:
            self.has_left = True

    def take_who(self):
        if self.state == "greeting":
            return
        self.drop()
        if self.is_leaving:
            self.has_left = True
        else:
            self.greet()

    def take_pong(self):
        if not self.pings:
            self.worker.note("!", "a PONG without a PING")
            return
        at = self.pings.popleft()
        self.worker.note("p", self.index, at=at)
        if self.fence is not None and at >= self.fence:
            self.fence = None

    # --- work -------------------------------------------------------------

    def take_request(self, message):
        _, ident, event, conn, route, body, due_ms, _, details = message[:9]
        work = Work()
        work.link, work.id, work.event, work.conn = self, ident, event, conn
        work.route, work.due_s = route, due_ms / 1000
        work.is_dropped = work.is_old = False
        work.number = message[9] if len(message) > 9 else 0
        work.attempt = (message[10] if len(message) > 10 else 0) or 1
        work.k = work.n = 0
        if event == CONNECT:
            work.k = int(dict(details["query"])["k"])
        elif event == MESSAGE:
            said = json.loads(body)
            work.k, work.n, work.route = said["k"], said["n"], said["action"]
        else:
            work.n = details["code"]
        self.hold(work)

    def hold(self, work):
        if work.route == "loose":
            self.loose.add(work)
            self.begin(work)
        else:
            works = self.held.setdefault(work.conn, collections.deque())
            works.append(work)
            if len(works) == 1:
                self.begin(work)
        count = sum(not one.is_old for one in self.works())
        if count > self.window:
            self.worker.note("!", f"holds {count} of {self.window}")

    def begin(self, work):
        worker = self.worker
        worker.runs += 1
        work.run = worker.runs
        worker.note("b", self.index, work.run, work.conn, work.event,
                    work.route, work.k, work.n, work.attempt, work.number,
                    int(work.is_old))
        if work.k:
            worker.recent.append((self, work.conn, work.k))
        worker.after(self.time_of(work), self.end, work)

    def time_of(self, work):
        dice = self.worker.random
        is_slow = work.event == MESSAGE and work.route == "slow"
        if is_slow and dice.random() < 0.3:
            return dice.uniform(0.3, 1.4) * work.due_s
        if self.worker.chance(25 if work.event == MESSAGE else 4):
            return dice.uniform(0, 0.4)
        return dice.uniform(0, 0.005)

    def end(self, work):
        if work.is_dropped:
            return
        worker, out = self.worker, []
        if work.event != DISCONNECT and worker.chance(PUSHES):
            out.append(self.push(work.conn, work.k))
        if worker.chance(PUSHES * 3) and worker.recent:
            link, conn, k = worker.random.choice(worker.recent)
            if link is self:
                out.append(self.push(conn, k))
        if work.event != DISCONNECT and worker.chance(KICK):
            worker.note("c", work.conn)
            out.append([CLOSE, work.conn, 4001, "kicked"])
        out.append(self.reply(work))
        worker.note("e", work.run, out[-1][2])
        self.send(*out)
        self.next(work)

    def next(self, work):
        if work.route == "loose":
            self.loose.discard(work)
            return
        works = self.held[work.conn]
        works.popleft()
        if works:
            self.begin(works[0])
        else:
            del self.held[work.conn]

    def word(self):
        """Order is kept by a broker, so each has words of its own."""
        self.words += 1
        return f"{self.worker.options.number * LINKS + self.index} {self.words}"

    def push(self, conn, k):
        return [PUSH, ["connection", conn], f"push {k} {self.word()}"]

    def reply(self, work):
        if work.event == CONNECT and self.worker.chance(REFUSE):
            return [REPLY, work.id, 403, None]
        if work.event != MESSAGE:
            return [REPLY, work.id, 200, None]
        if work.route == "one" and self.worker.chance(FAIL):
            return [REPLY, work.id, 429, None]
        text = f"re {work.k} {work.n} {self.word()}"
        if work.route == "big":
            text += " " + BIG
        return [REPLY, work.id, 200, text]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--number", type=int, required=True)
    parser.add_argument("--name", default="soak")
    parser.add_argument("--routes", type=lambda text: text.split(","))
    parser.add_argument("--window", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--journal", required=True)
    parser.add_argument("brokers", nargs="+")
    options = parser.parse_args()
    asked = []
    signal.signal(signal.SIGTERM, lambda *_: asked.append(True))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Worker(options).loop(asked)


if __name__ == "__main__":
    main()
