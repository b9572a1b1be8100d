#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A soak: real processes, random faults, clients and handlers that check every
promise from outside, and a report.

    soak.py [--minutes M] [--seed S] [--build DIR] [--clients N] [--out DIR]

A run has rounds.  Each is chaos, in which processes are killed, stopped and
drained while clients come, go and send; then calm, in which all must recover,
all messages must come to an outcome, and no request may be left over.  In every
second round gateways and brokers are not killed, so that their memory can be
seen to stand still.  At the end the clients leave, every connection's history
is judged (truth.py), and everything must stop in order.

Prints a report and leaves it in --out, as report.txt and report.json.  Exit
status: 0 when every promise was kept, 1 when not.
"""
import argparse
import asyncio
import collections
import json
import os
import random
import shutil
import sys
import time

import report
from clients import Client
from nodes import Broker, CheckingWorker, Example, Gateway, pause_in
from truth import GRACE_S, SIGHT_S, Run, Truth

REQUEST_S = 3.0   # --request-timeout
SLACK_S = 5.0     # of an outcome behind that
GATE_S = 15.0     # for the answer to a handshake, of time without trouble
JUDGE_S = 60      # an end is judged when it is so old
ROUND_S = 240
CALM_S = 20
PRINTED_MAX = 5   # violations of one check, with their traces
LAG_S = 0.5       # of ourselves, that is trouble

ALL = "$connect,$disconnect,one,two,again,loose,slow,big"
SOME = "$connect,$disconnect,one,again,loose"
OTHERS = "two,again,loose,slow,big"
STYLES = ["plain", "plain", "plain", "loose", "slow"]


class Slot:
    """Where one client after the other connects."""

    def __init__(self, soak, style):
        self.soak, self.style = soak, style
        self.client = None
        self.has_recovered = False

    async def run(self):
        while self.soak.mode != "leave":
            if self.soak.mode == "hush":
                await asyncio.sleep(0.1)
                continue
            self.client = Client(self.soak, self.style)
            self.client.slot = self
            await self.client.live()
            self.client = None
            await asyncio.sleep(self.soak.random.uniform(0.05, 2))


class Soak:
    def __init__(self, options):
        self.options = options
        self.seed = options.seed
        self.random = random.Random(options.seed)
        self.out = options.out
        self.hoist = os.path.join(options.build, "cli/hoist")
        self.request_s = REQUEST_S
        self.truth = Truth(REQUEST_S + SLACK_S)
        self.truth.on_violation = self.print_violation
        self.began = self.ticked_at = time.monotonic()
        self.printed = collections.Counter()
        self.lags = []           # seconds in which we did not run ourselves
        self.mode = "calm"
        self.calm_at = self.began
        self.is_strict = False   # everything works, so everything must
        self.standing = set()    # clients that are open
        self.slots, self.tasks, self.guests = [], set(), set()
        self.journals, self.workers_started = [], 0
        self.faults = []         # (seconds, kind, node, detail)
        self.pending = []        # recoveries that are waited for
        self.recoveries = collections.defaultdict(list)
        self.calms = []          # seconds until everything had recovered
        self.set_up()

    def set_up(self):
        count = self.options.brokers
        self.truth.are_several = count > 1
        self.brokers = [Broker(self, f"broker-{i + 1}") for i in range(count)]
        self.gateways = [Gateway(self, f"gateway-{i + 1}", self.brokers)
                         for i in range(2)]
        build = self.options.build
        here = os.path.dirname(os.path.abspath(__file__))
        self.workers = [
            CheckingWorker(self, "worker-all-1", ALL, 32),
            CheckingWorker(self, "worker-all-2", ALL, 6),
            CheckingWorker(self, "worker-some", SOME, 16),
            CheckingWorker(self, "worker-others", OTHERS, 16)]
        self.examples = [
            Example(self, "echo-c", self.brokers,
                    build + "/workers/examples/echo", "--broker"),
            Example(self, "echo-py", self.brokers[:1], "/usr/bin/python3",
                    here + "/../../workers/examples/echo.py")]
        self.nodes = [*self.brokers, *self.gateways, *self.workers,
                      *self.examples]

    def next_worker(self):
        self.workers_started += 1
        return self.workers_started

    def seconds(self):
        return time.monotonic() - self.began

    def broken(self, text):
        self.truth.violated("processes", text)

    def print_violation(self, check, text, conn, attempt):
        self.printed[check] += 1
        if self.printed[check] > PRINTED_MAX:
            return
        print(f"VIOLATION of {check}: {text}"
              f" (connection {conn}, client {attempt and attempt.k})")
        lines = self.truth.trace(conn, attempt)
        begin = lines[0][0] - self.began if lines else self.seconds() - 15
        end = lines[-1][0] - self.began if lines else self.seconds()
        lines += [(at + self.began, f"--- {kind} {node} {detail}")
                  for at, kind, node, detail in self.faults
                  if begin - 10 <= at <= end]
        for at, line in sorted(lines):
            print(f"    {at - self.began:10.3f}  {line}")
        sys.stdout.flush()

    # --- what clients say -------------------------------------------------

    def in_trouble(self, gateway, at):
        """Or are we late ourselves, as `watch` has not seen yet?"""
        self.read_logs()
        return at - self.ticked_at > LAG_S or \
            self.truth.was_trouble(gateway, at - 0.5, at + 0.1)

    def must_work(self):
        """All is well, and nobody has just stood still on a machine that has too
        much to do."""
        if not self.is_strict:
            return False
        self.read_logs()
        now = time.monotonic()
        return not self.truth.somebody_paused(now - GRACE_S, now)

    def handshake(self, attempt, status):
        attempt.status = status
        if status not in (101, 403) and self.must_work():
            self.truth.violated("calm", f"a handshake ended with {status}",
                                None, attempt)

    def handshake_late(self, attempt):
        self.read_logs()
        now = time.monotonic()
        excused = self.truth.excused(attempt.gateway, attempt.began, now)
        if now - attempt.began - excused > GATE_S:
            self.truth.violated("handshake-answered", "no answer to a "
                                "handshake", None, attempt)

    def ended(self, attempt, why):
        self.truth.counts[f"ends: {why}"] += 1
        self.truth.checks["ended-for-a-reason"] += 1
        if why == "1012":  # its gateway had been given up
            now = time.monotonic()
            self.truth.trouble[attempt.gateway].add(now - 5, now)
        is_ours = why.startswith("left") or why == "4001" or attempt.is_deaf
        if not is_ours and not self.in_trouble(attempt.gateway,
                                               time.monotonic()):
            self.truth.violated("ended-for-a-reason", f"the gateway ended a "
                                f"client without a reason: {why}", None,
                                attempt)

    def answered(self, client, sent, worker):
        now = time.monotonic()
        self.truth.counts["replies"] += 1
        if client.style != "deaf":
            self.truth.latencies.append(now - sent.at)
        if self.mode == "calm" and sent.at >= self.calm_at and client.slot:
            client.slot.has_recovered = True
        for pending in self.pending[:]:
            if pending["is_it"](client, sent, worker):
                self.pending.remove(pending)
                self.recoveries[pending["kind"]].append(
                    (now - pending["at"], now - pending["restarted"]))

    def failed(self, client, text):
        self.truth.counts[f"error: {text}"] += 1
        if text != "Too Many Requests" and self.must_work():
            self.truth.violated("calm", f"{text!r} though all is well", None,
                                client.attempt)

    # --- what the processes wrote -----------------------------------------

    def read_logs(self):
        for node in [*self.gateways, *self.brokers]:
            for line in node.news.lines():
                pause = pause_in(line)
                if pause:
                    self.truth.stood_still(node.name, *pause)

    def read_journals(self):
        for journal in self.journals:
            if journal.is_closed:
                continue
            ended_at = journal.ended_at  # before its last lines are read
            for line in journal.lines():
                self.take_line(journal, line.split(" "))
            if ended_at is not None:
                journal.is_closed = True
                leave = self.truth.left if journal.has_left else self.truth.died
                leave(journal.number, len(self.brokers), ended_at)
                if not self.options.keep:
                    os.unlink(journal.path)

    def take_line(self, journal, line):
        truth, number = self.truth, journal.number
        letter, at, rest = line[0], float(line[1]), line[2:]
        if letter == "b":
            link, run, conn, event, route, k, n, attempt, req, old = rest
            truth.begins(int(run), Run(
                number, int(link), conn, int(event), route, int(k), int(n),
                int(attempt), int(req), at, is_old=old == "1"))
        elif letter == "e":
            truth.ends(number, int(rest[0]), at, int(rest[1]))
        elif letter == "p":
            truth.proven(number, int(rest[0]), at)
        elif letter == "d":
            truth.dropped(number, int(rest[0]), at)
        elif letter == "o":
            truth.welcomed_again(number, int(rest[0]), at)
        elif letter == "x":
            journal.has_left = True
        elif letter == "!":
            truth.violated("rules-kept", f"worker {number}: {' '.join(rest)}")

    # --- faults -----------------------------------------------------------

    def note(self, kind, node, detail=""):
        name = node.name if node else ""
        self.faults.append((self.seconds(), kind, name, detail))
        if self.options.verbose:
            print(f"{self.seconds():8.1f}  {kind} {name} {detail}", flush=True)

    def expect(self, kind, node, at):
        """A client will be answered by way of the node's new start."""
        start, number = node.starts, getattr(node, "number", None)

        def is_it(client, sent, worker):
            if node.role == "worker":
                return worker == number
            if node.role == "gateway":
                return client.attempt.gateway == node.name and \
                    client.attempt.start == start
            return sent.at >= at
        self.pending = [one for one in self.pending if one["node"] is not node]
        if node.role != "example":
            self.pending.append({"kind": kind, "node": node, "at": at,
                                 "restarted": node.started_at, "is_it": is_it})

    def trouble(self, node):
        if node.role in ("gateway", "broker"):
            return self.truth.trouble[node.name].add(time.monotonic())
        return [0, 0]

    async def kill(self, node):
        pause = self.random.uniform(0, 3)
        self.note("kill " + node.role, node, f"for {pause:.1f} s")
        span = self.trouble(node)
        at = await node.kill()
        if node.role == "broker":
            self.truth.crashes.append(at)
        await asyncio.sleep(pause)
        await node.start()
        self.expect("kill " + node.role, node, at)
        span[1] = time.monotonic() + GRACE_S

    async def stop(self, node):
        pause = self.random.choice([self.random.uniform(0.5, 3),
                                    self.random.uniform(3, 8)])
        self.note("stop " + node.role, node, f"for {pause:.1f} s")
        span = self.trouble(node)
        stop = self.truth.stops[node.name].add(time.monotonic()) \
            if pause > SIGHT_S else [0, 0]
        await node.stop(pause)
        stop[1] = time.monotonic()
        span[1] = stop[1] + GRACE_S

    async def drain(self, node):
        pause = self.random.uniform(0, 3)
        self.note("drain " + node.role, node, f"for {pause:.1f} s")
        span = self.trouble(node)
        at = time.monotonic()
        await node.drain()
        await asyncio.sleep(pause)
        await node.start()
        self.expect("drain " + node.role, node, at)
        span[1] = time.monotonic() + GRACE_S

    async def burst(self):
        count = self.options.clients // 3 + 1
        self.note("burst of clients", None, str(count))
        await asyncio.gather(*(Client(self, "brief").live()
                               for _ in range(count)))

    async def deaf(self):
        self.note("client that never reads", None)
        await Client(self, "deaf").live()

    async def reset(self):
        clients = self.random.sample(sorted(self.standing, key=id),
                                     min(5, len(self.standing)))
        self.note("clients that vanish", None, str(len(clients)))
        for client in clients:
            client.wire.reset()

    def choose_fault(self, spares):
        """A coroutine, or None where there is nobody to be hurt."""
        what, role = self.random.choices(
            [(self.kill, "worker"), (self.stop, "worker"),
             (self.drain, "worker"), (self.kill, "example"),
             (self.stop, "example"), (self.drain, "example"),
             (self.kill, "gateway"), (self.stop, "gateway"),
             (self.drain, "gateway"), (self.kill, "broker"),
             (self.stop, "broker"), (self.burst, None), (self.deaf, None),
             (self.reset, None)],
            [6, 4, 5, 1, 1, 1, 2, 2, 2, 2, 2, 2, 1, 4])[0]
        if role is None:
            return what()
        if spares and role in ("gateway", "broker") and what != self.stop:
            return None
        states = ("up", "stopped") if what == self.kill else ("up",)
        nodes = [node for node in self.nodes
                 if node.role == role and node.state in states]
        return what(self.random.choice(nodes)) if nodes else None

    def spawn(self, coroutine, tasks):
        task = asyncio.get_running_loop().create_task(coroutine)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        task.add_done_callback(self.check_task)
        return task

    def check_task(self, task):
        if not task.cancelled() and task.exception():
            self.broken(f"the soak itself: {task.exception()!r}")
            raise task.exception()

    # --- what goes on beside ----------------------------------------------

    async def watch(self):
        """Ourselves, that processes live, what workers wrote, memory."""
        turns = 0
        while True:
            self.ticked_at = time.monotonic()
            await asyncio.sleep(0.1)
            now = time.monotonic()
            if now - self.ticked_at > LAG_S:
                self.truth.trouble["soak"].add(self.ticked_at, now + GRACE_S)
                self.lags.append(now - self.ticked_at)
            turns += 1
            self.read_logs()
            self.read_journals()
            if turns % 10 == 0:
                self.truth.settle(now, JUDGE_S)
            if turns % 20 == 0:
                for node in [*self.gateways, *self.brokers]:
                    if node.state == "up":
                        node.measure()
            for node in self.nodes:
                if node.has_ended():
                    await self.revive(node)

    async def revive(self, node):
        self.broken(f"{node.name} ended by itself with status "
                    f"{node.process.returncode}:\n" + node.log()[-3000:])
        node.gone()
        await node.start()

    # --- the acts ---------------------------------------------------------

    async def until(self, condition, what, seconds=None):
        """Seconds that it took; a violation if it does not come about."""
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > (seconds or self.options.patience):
                self.truth.violated("calm", "waited in vain for " + what)
                break
            await asyncio.sleep(0.05)
        return time.monotonic() - began

    async def chaos(self, seconds, spares):
        self.mode = "chaos"
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            fault = self.choose_fault(spares)
            if fault is not None:
                self.spawn(fault, self.guests)
            await asyncio.sleep(min(self.random.expovariate(1 / 1.5), 6,
                                    max(0, end - time.monotonic())))

    async def quiet(self):
        """Nobody sends; all that was sent must come to an outcome."""
        self.mode = "hush"
        waits = lambda: sum(client.attempt.open_messages()
                            for client in self.standing)
        await self.until(lambda: waits() == 0, "the outcomes of all messages",
                         max(self.options.patience, 2 * REQUEST_S))
        for client in list(self.standing):
            if client.attempt.open_messages() > 0:
                self.truth.violated(
                    "one-outcome", f"{client.attempt.open_messages()} messages "
                    "have no outcome", None, client.attempt)

    async def calm(self):
        self.mode, self.calm_at = "calm", time.monotonic()
        for slot in self.slots:
            slot.has_recovered = False
        while self.guests:  # faults come to their ends
            await asyncio.wait(set(self.guests))
        self.calm_at = time.monotonic()
        took = await self.until(
            lambda: all(slot.has_recovered for slot in self.slots),
            "an answer to every client")
        self.calms.append(took)
        await self.quiet()
        await asyncio.sleep(GRACE_S)  # until all troubles have passed
        self.mode, self.is_strict = "calm", True
        await asyncio.sleep(self.options.calm)
        self.is_strict = False
        await self.quiet()
        await self.check_gauges()

    async def check_gauges(self):
        """Nothing is left over, and who stands is counted."""
        end = time.monotonic() + self.options.patience
        while True:
            wrong = await self.find_left_over()
            if not wrong or time.monotonic() > end:
                break
            await asyncio.sleep(0.3)
        self.truth.checks["nothing-left-over"] += 1
        for text in wrong:
            self.truth.violated("nothing-left-over", text)

    async def find_left_over(self):
        stats = {node.name: await node.stats()
                 for node in [*self.brokers, *self.gateways]}
        if None in stats.values():
            return [f"no counters: {stats}"]
        wrong = []
        of_brokers = [stats[node.name] for node in self.brokers]
        of_gateways = [stats[node.name] for node in self.gateways]
        for name in ("requests", "waiting", "malformed", "unexpected",
                     "over_window", "push_window", "dead_lost"):
            wrong += [f"{name}={total} at the brokers"
                      for total in [sum(one[name] for one in of_brokers)]
                      if total]
        for name in ("broker_malformed", "protocol_errors", "too_big"):
            wrong += [f"{name}={total} at the gateways"
                      for total in [sum(one[name] for one in of_gateways)]
                      if total]
        for where, name, of in (("brokers", "connections", of_brokers),
                                ("gateways", "connections", of_gateways),
                                ("gateways", "sockets", of_gateways)):
            total = sum(one[name] for one in of)
            if total != len(self.standing):
                wrong.append(f"{name}={total} at the {where}, but "
                             f"{len(self.standing)} clients stand")
        return wrong

    async def finish(self):
        self.mode = "leave"
        await self.until(lambda: not self.standing and not self.tasks,
                         "the clients to leave")
        await self.check_gauges()
        await self.until(lambda: all(
            self.truth.is_told(conn) for conn in self.truth.actors
            if not self.may_miss(conn)), "every DISCONNECT", 45)
        self.read_logs()
        self.read_journals()
        self.truth.settle_all(time.monotonic())
        self.truth.counts["dead letters"] = sum(
            len(os.listdir(broker.letters)) for broker in self.brokers)

    def may_miss(self, conn):
        truth = self.truth
        return truth.may_miss_disconnect(
            truth.actors[conn], truth.attempts.get(truth.of.get(conn)),
            time.monotonic())

    async def stop_all(self):
        for nodes in (self.gateways, self.workers, self.examples,
                      self.brokers):
            await asyncio.gather(*(node.drain() for node in nodes))
        self.read_journals()

    async def play(self):
        for node in self.nodes:
            await node.start()
        watch = self.spawn(self.watch(), set())
        for i in range(self.options.clients):
            slot = Slot(self, STYLES[i % len(STYLES)])
            self.slots.append(slot)
            self.spawn(slot.run(), self.tasks)
        total_s = self.options.minutes * 60
        rounds = max(1, round(total_s / ROUND_S))
        chaos_s = max(total_s / rounds - CALM_S, total_s / rounds / 2)
        for i in range(rounds):
            await self.chaos(chaos_s, spares=i % 2 == 1)
            await self.calm()
            print(f"{self.seconds():8.1f}  round {i + 1} of {rounds}: "
                  f"{len(self.faults)} faults, {self.truth.counts['replies']} "
                  f"replies, {len(self.truth.violations)} violations",
                  flush=True)
        await self.finish()
        watch.cancel()
        await self.stop_all()

    def end_now(self):
        for node in self.nodes:
            node.end_now()


def read_options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int,
                        default=random.SystemRandom().randrange(1 << 30))
    parser.add_argument("--build",
                        default=os.environ.get("HOIST_BUILD", "build/release"))
    parser.add_argument("--out", default="build/soak")
    parser.add_argument("--clients", type=int, default=150)
    parser.add_argument("--brokers", type=int, default=1)
    parser.add_argument("--calm", type=float, default=5,
                        help="seconds in which nothing may fail")
    parser.add_argument("--patience", type=float, default=30,
                        help="seconds that recovery may take")
    parser.add_argument("--keep", action="store_true",
                        help="keep the journals of the workers")
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args()


def main():
    options = read_options()
    shutil.rmtree(options.out, ignore_errors=True)
    os.makedirs(options.out)
    print(f"soak: {options.minutes:g} minutes, seed {options.seed}", flush=True)
    soak = Soak(options)
    try:
        asyncio.run(soak.play())
    finally:
        soak.end_now()
    report.check_logs(soak)
    report.check_memory(soak)
    text, data = report.make(soak)
    print(text)
    with open(os.path.join(options.out, "report.txt"), "w",
              encoding="utf-8") as file:
        file.write(text + "\n")
    with open(os.path.join(options.out, "report.json"), "w",
              encoding="utf-8") as file:
        json.dump(data, file, indent=1)
    return 1 if soak.truth.violations else 0


if __name__ == "__main__":
    sys.exit(main())
