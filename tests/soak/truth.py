# SPDX-License-Identifier: MIT
"""What really happened, seen from outside by clients and handlers, and the
promises held against it (ARCHITECTURE.md, "What is promised").

The simulation holds the same promises (tests/simulation/truth.c), but knows at
once what it does to whom.  Here much is known only later: that a broker had
given a worker up is learned when the worker is asked WHO.  So a connection's
whole history is written down, and judged when it is over and every doubt about
it is known.

An *attempt* is one try of a client to connect; it is known by a number `k` that
the client sends along.  An *actor* is the connection that came of it, known to
workers by its id.  A *run* is one handler with one event.

A worker is *in doubt* between the last time that its broker surely knew it and
the time when it learned that the broker does not, or died: the broker may have
given away what it held.  Surely known is who gets a PONG: at the time when the
PING was sent.  A reply that was made before such a time has surely arrived.

All times are of CLOCK_MONOTONIC, which is one for all processes.
"""
import bisect
import collections

CONNECT, MESSAGE, DISCONNECT = 1, 2, 3
EVENTS = {CONNECT: "CONNECT", MESSAGE: "MESSAGE", DISCONNECT: "DISCONNECT"}
FOREVER = float("inf")

# How often a message of a route is given out at most; 1 where not said.
ATTEMPTS = {"again": 3}
LOOSE = {"loose"}            # routes without order
UNSEEN = {"echo", "nobody"}  # whose handlers do not report, or do not exist

SIGHT_S = 2.5   # a stop that long may make others count it lost
PARTED_S = 20   # after such a stop what it held is still handled
GRACE_S = 5.0   # after a fault, until all who saw it are over it
LOST_TOGETHER_S = 15  # a gateway and a broker that fail so close to each other
                      # may both forget a connection

Sent = collections.namedtuple("Sent", "at route")
Outcome = collections.namedtuple("Outcome", "at n number text")  # n: an answer


class Run:
    __slots__ = ("worker", "link", "conn", "event", "route", "k", "n",
                 "attempt", "number", "begin", "end", "status", "is_old")

    def __init__(self, worker, link, conn, event, route="", k=0, n=0,
                 attempt=1, number=0, begin=0.0, end=None, status=None,
                 is_old=False):
        self.worker, self.link, self.conn = worker, link, conn
        self.event, self.route, self.k, self.n = event, route, k, n
        self.attempt, self.number, self.begin = attempt, number, begin
        self.end, self.status = end, status
        self.is_old = is_old  # its broker may have given it up before it began

    def is_loose(self):
        return self.event == MESSAGE and self.route in LOOSE

    def runs_at(self, time):
        return self.begin <= time and (self.end is None or self.end > time)

    def __str__(self):
        what = EVENTS[self.event]
        if self.event == MESSAGE:
            what += f" {self.n} ({self.route}, attempt {self.attempt})"
        return f"{what} at worker {self.worker}"


class Attempt:
    """What one client saw."""

    def __init__(self, k, gateway, start, at):
        self.k, self.gateway, self.start, self.began = k, gateway, start, at
        self.status = None  # of the handshake
        self.opened = self.closed = None
        self.how = ""       # it was closed
        self.conn = None    # as error frames say
        self.sent, self.outcomes = [], []
        self.heard = {}     # the last word of each worker
        self.wrong = []     # what was wrong when it was heard
        self.is_deaf = False       # it does not read

    def send(self, at, route):
        self.sent.append(Sent(at, route))
        return len(self.sent) - 1

    def hear(self, worker, word):
        before = self.heard.get(worker, 0)
        if word <= before:
            self.wrong.append(("words-in-order", f"hears word {word} of worker "
                               f"{worker} after {before}"))
        self.heard[worker] = word

    def answered(self, at, n):
        self.outcomes.append(Outcome(at, n, None, "reply"))

    def failed(self, at, number, text):
        self.outcomes.append(Outcome(at, None, number, text))

    def open_messages(self):
        return len(self.sent) - len(self.outcomes)


class Spans:
    """Spans of time, to be asked for by time; one may still be open."""

    def __init__(self):
        self.spans = []

    def add(self, begin, end=FOREVER):
        """Returns the span, [begin, end], whose end may be changed."""
        span = [begin, end]
        bisect.insort(self.spans, span)
        return span

    def has(self, time):
        return self.meets(time, time)

    def meets(self, begin, end):
        return any(a <= end and b >= begin for a, b in self.spans)

    def overlap(self, begin, end):
        """Seconds of [begin, end] that lie in a span."""
        total, at = 0.0, begin
        for a, b in self.spans:
            a, b = max(a, at), min(b, end)
            if b > a:
                total, at = total + b - a, b
        return total


class Truth:
    def __init__(self, limit_s=8.0):
        self.limit_s = limit_s  # for an outcome, of time without trouble
        self.attempts = {}      # k: those not judged yet
        self.actors = {}        # conn: its runs
        self.of = {}            # conn: k
        self.judged = set()     # conns
        self.count = 0          # of attempts
        self.messages = 0       # of those judged
        self.runs = {}          # (worker, run): those that run
        self.proofs = {}        # (worker, link): the last time
        self.doubts = collections.defaultdict(Spans)  # (worker, link)
        self.crashes = []       # of brokers
        self.trouble = collections.defaultdict(Spans)  # node: not as it should
        self.stops = collections.defaultdict(Spans)    # node: stood still
        self.pauses = collections.defaultdict(Spans)   # the same, as it says
        self.are_several = False  # brokers
        self.violations = []
        self.checks = collections.Counter()
        self.counts = collections.Counter()
        self.latencies = []
        self.on_violation = None

    # --- what happens -----------------------------------------------------

    def attempt(self, gateway, start, at):
        self.count += 1
        attempt = Attempt(self.count, gateway, start, at)
        self.attempts[attempt.k] = attempt
        return attempt

    def begins(self, run_id, run):
        self.runs[(run.worker, run_id)] = run
        if run.conn in self.judged:
            self.violated("disconnect-last", f"{run} long after its end",
                          run.conn)
        self.actors.setdefault(run.conn, []).append(run)
        if run.k:
            self.of.setdefault(run.conn, run.k)

    def ends(self, worker, run_id, at, status):
        run = self.runs.pop((worker, run_id), None)
        if run is not None:
            run.end, run.status = at, status

    def proven(self, worker, link, at):
        before = self.proofs.get((worker, link), 0)
        self.proofs[(worker, link)] = max(before, at)

    def dropped(self, worker, link, at):
        """It learned that its broker does not know it, and let all go."""
        self.doubts[(worker, link)].add(self.proofs.get((worker, link), 0), at)
        self.cut(worker, at, link)

    def welcomed_again(self, worker, link, at):
        """For a greeting said twice: perhaps given up and taken anew."""
        self.doubts[(worker, link)].add(self.proofs.get((worker, link), 0), at)
        for run in self.runs.values():
            if run.worker == worker and run.link == link:
                run.is_old = True

    def cut(self, worker, at, link=None):
        for key, run in list(self.runs.items()):
            if key[0] == worker and link in (None, run.link):
                self.ends(worker, key[1], max(at, run.begin), 0)

    def died(self, worker, links, at):
        for link in range(links):
            proof = self.proofs.get((worker, link), 0)
            self.doubts[(worker, link)].add(proof, FOREVER)
        self.cut(worker, at)

    def left(self, worker, links, at):
        """In order: its replies count, unless a broker died around that."""
        for link in range(links):
            proof = self.proofs.get((worker, link), 0)
            if self.crashed_between(proof, at):
                self.doubts[(worker, link)].add(proof, FOREVER)
        self.cut(worker, at)

    def stood_still(self, node, begin, end):
        """It says so itself: the machine may have stopped it, or for longer than
        we asked.  What waits for it comes later by that time; and if it was long,
        others may have counted it lost."""
        self.counts["pauses of gateways and brokers"] += 1
        self.pauses[node].add(begin, end)
        if end - begin > SIGHT_S:
            self.trouble[node].add(begin, end + GRACE_S)
            self.stops[node].add(begin, end)

    def somebody_paused(self, begin, end):
        return any(spans.meets(begin, end) for spans in self.pauses.values())

    def violated(self, check, text, conn=None, attempt=None):
        self.violations.append({"check": check, "text": text, "conn": conn,
                                "attempt": attempt and attempt.k})
        if self.on_violation:
            self.on_violation(check, text, conn, attempt)

    # --- doubts -----------------------------------------------------------

    def in_doubt(self, run, at):
        return run.is_old or self.doubts[(run.worker, run.link)].has(at)

    def crashed_between(self, begin, end):
        return any(begin <= crash <= end for crash in self.crashes)

    def is_sure(self, run):
        """Did its broker surely take its reply?"""
        return bool(run.end is not None and run.status
                    and not self.in_doubt(run, run.end))

    def are_parted(self, run, later, attempt):
        """At different brokers, one of which and the gateway may have lost
        sight of each other while both lived on: then there is no order.  So it
        is at one broker, if the connection has gone to another and come back."""
        if run.link == later.link and not self.are_several:
            return False
        gateway = attempt.gateway if attempt else None
        begin, end = run.begin - PARTED_S, later.begin
        return any(self.stops[node].meets(begin, end) for node in (
            f"broker-{run.link + 1}", f"broker-{later.link + 1}", gateway)) or (
                DISCONNECT in (run.event, later.event)
                and self.trouble[gateway].meets(begin, end))

    def may_miss_disconnect(self, runs, attempt, until):
        """Where the success of its CONNECT may not have reached the broker
        and by way of it the gateway; or where all who knew of it lost their
        memory: gateway and broker."""
        begin = runs[0].begin
        was_open = attempt is not None and attempt.opened is not None
        if not was_open and (any(self.in_doubt(run, run.end or run.begin)
                                 for run in runs if run.event == CONNECT)
                             or self.crashed_between(begin - 5, until)):
            return True
        gateway = attempt.gateway if attempt else None
        return any(begin <= crash <= until and
                   self.trouble[gateway].meets(crash - LOST_TOGETHER_S,
                                               crash + LOST_TOGETHER_S)
                   for crash in self.crashes)

    # --- judging an actor -------------------------------------------------

    def judge_actor(self, conn, until):
        runs = sorted(self.actors[conn], key=lambda run: run.begin)
        attempt = self.attempts.get(self.of.get(conn))
        wrong = []
        self.check_deliveries(runs, attempt, wrong)
        self.check_refused(runs, wrong)
        counted = [run for run in runs if not self.in_doubt(run, run.begin)]
        self.check_overlap(counted, attempt, wrong)
        self.check_order(runs, counted, attempt, wrong)
        self.check_told(runs, attempt, until, wrong)
        for check, text in wrong:
            self.violated(check, text, conn, attempt)

    def check_deliveries(self, runs, attempt, wrong):
        tries = collections.Counter(run.n for run in runs
                                    if run.event == MESSAGE)
        for run in runs:
            if run.event != MESSAGE:
                continue
            most = ATTEMPTS.get(run.route, 1)
            self.checks["at-most-so-often"] += 1
            if tries[run.n] > most or run.attempt > most:
                wrong.append(("at-most-so-often", f"{run} is one of "
                              f"{tries[run.n]}, {most} are allowed"))
            if attempt is None:
                continue
            if run.n >= len(attempt.sent):
                wrong.append(("at-most-so-often", f"{run} was never sent"))
            elif attempt.sent[run.n].route != run.route:
                wrong.append(("own-messages", f"{run} was sent to "
                              f"{attempt.sent[run.n].route}"))

    def check_refused(self, runs, wrong):
        refused = [run for run in runs if run.event == CONNECT
                   and run.status and run.status >= 300]
        if refused:
            self.checks["refused-is-over"] += 1
        for run in runs:
            if refused and run.event != CONNECT:
                wrong.append(("refused-is-over", f"{run} though refused"))

    def check_overlap(self, counted, attempt, wrong):
        """No two handlers at once; DISCONNECT behind the loose ones, too."""
        running = []
        for run in counted:
            running = [other for other in running if other.runs_at(run.begin)]
            for other in running:
                if run.event == other.event == MESSAGE and \
                        (run.is_loose() or other.is_loose()):
                    continue
                if not self.in_doubt(other, run.begin) and \
                        not self.are_parted(other, run, attempt):
                    wrong.append(("one-at-a-time", f"{run} while {other}"))
            running.append(run)
            self.checks["one-at-a-time"] += 1

    def check_order(self, runs, counted, attempt, wrong):
        connects = [run for run in runs if run.event == CONNECT]
        if not connects or runs[0].event != CONNECT or len(connects) > 1:
            wrong.append(("connect-first", f"{len(connects)} CONNECTs, the "
                          f"first event is {runs[0]}"))
        self.checks["connect-first"] += 1
        last, ends = {}, []  # link: the last message
        for run in counted:
            over = [end for end in ends if self.is_sure(end)
                    and not self.crashed_between(end.begin, run.begin)
                    and not self.are_parted(end, run, attempt)]
            if over and run.event == MESSAGE:
                wrong.append(("disconnect-last", f"{run} after DISCONNECT"))
            if over and run.event == DISCONNECT:
                wrong.append(("disconnect-once", f"{run} after {over[0]}, "
                              "which had replied"))
            if run.event == DISCONNECT:
                ends.append(run)
            elif run.event == MESSAGE and not run.is_loose():
                self.checks["events-in-order"] += 1
                for other in last.values():
                    if run.n <= other.n and run.attempt == 1 and \
                            not self.are_parted(other, run, attempt):
                        wrong.append(("events-in-order", f"{run} after "
                                      f"{other}"))
                if run.link not in last or last[run.link].n < run.n:
                    last[run.link] = run

    def check_told(self, runs, attempt, until, wrong):
        accepted = any(run.event == CONNECT and run.status == 200
                       for run in runs)
        told = any(run.event == DISCONNECT and run.status for run in runs)
        self.checks["disconnect-told"] += accepted
        if not accepted or told:
            return
        if self.may_miss_disconnect(runs, attempt, until):
            self.counts["disconnects excused"] += 1
        else:
            wrong.append(("disconnect-told", "DISCONNECT is missing"))

    # --- judging an attempt -----------------------------------------------

    def excuses(self, gateway, *kinds):
        """When this gateway, a broker or we did not run."""
        spans = Spans()
        for kind in kinds or (self.trouble, self.pauses):
            for node, of_node in kind.items():
                if node == gateway or not node.startswith("gateway"):
                    for span in of_node.spans:
                        spans.add(*span)
        return spans

    def excused(self, gateway, begin, end):
        """Seconds of that in [begin, end]."""
        return self.excuses(gateway).overlap(begin, end)

    def was_trouble(self, gateway, begin, end):
        """More than a moment's pause, which ends no connection."""
        return self.excuses(gateway, self.trouble).overlap(begin, end) > 0

    def judge_attempt(self, attempt, conn, until):
        runs = self.actors.get(conn, [])
        wrong = list(attempt.wrong)
        if attempt.opened is not None:
            self.check_accepted(runs, wrong)
        self.check_outcomes(attempt, runs, wrong)
        if not attempt.is_deaf:
            excuses = self.excuses(attempt.gateway)
            self.check_in_time(attempt, until, excuses, wrong)
            self.check_replies_arrive(attempt, runs, until, excuses, wrong)
        for check, text in wrong:
            self.violated(check, text, conn, attempt)

    def check_accepted(self, runs, wrong):
        self.checks["accepted-by-handler"] += 1
        if not any(run.event == CONNECT and run.status == 200 for run in runs):
            wrong.append(("accepted-by-handler", "open, but no handler of "
                          "CONNECT has accepted it"))

    def check_outcomes(self, attempt, runs, wrong):
        is_loose = any(sent.route in LOOSE for sent in attempt.sent)
        is_again = any(run.attempt > 1 for run in runs)
        ran = {run.n for run in runs if run.event == MESSAGE}
        numbers = {run.number: run.n for run in runs if run.event == MESSAGE}
        answered, errors, following = set(), set(), 0
        for i, outcome in enumerate(attempt.outcomes):
            self.checks["one-outcome"] += 1
            if outcome.n is None:
                n = numbers.get(outcome.number)
                if outcome.number in errors or n in answered:
                    wrong.append(("one-outcome", "a second outcome: error "
                                  f"{outcome.text!r} of message {n}"))
                errors.add(outcome.number)
                if outcome.text == "Forbidden" and not is_loose and \
                        not is_again and i < len(attempt.sent):
                    self.counts["forbidden: route "
                                + attempt.sent[i].route] += 1
                continue
            n = outcome.n
            if n in answered:
                wrong.append(("one-outcome", f"a second answer to {n}"))
                continue
            answered.add(n)
            if n >= len(attempt.sent):
                wrong.append(("one-outcome", f"an answer to {n}, never sent"))
                continue
            if n not in ran and attempt.sent[n].route not in UNSEEN:
                wrong.append(("own-messages", f"an answer to {n} that no "
                              "handler has seen"))
            if not is_loose:
                self.checks["replies-in-order"] += 1
                if n < following or (n != i and not is_again):
                    wrong.append(("replies-in-order", f"an answer to {n} as "
                                  f"outcome {i}, behind {following - 1}"))
            following = n + 1
        for number, n in numbers.items():
            if number in errors and n in answered:
                wrong.append(("one-outcome", f"answer and error for {n}"))
        if attempt.open_messages() < 0:
            wrong.append(("one-outcome", f"{len(attempt.outcomes)} outcomes of "
                          f"{len(attempt.sent)} messages"))

    def check_in_time(self, attempt, until, excuses, wrong):
        """Outcome i has come when the i-th message's time is over, whichever
        messages the outcomes before it were for."""
        end = attempt.closed if attempt.closed is not None else until
        for i, sent in enumerate(attempt.sent):
            is_there = i < len(attempt.outcomes)
            at = attempt.outcomes[i].at if is_there else end
            took = at - sent.at
            self.checks["outcome-in-time"] += 1
            if took <= self.limit_s:
                continue
            took -= excuses.overlap(sent.at, at)
            if took > self.limit_s:
                state = "came" if is_there else "has not come"
                wrong.append(("outcome-in-time", f"outcome {i} {state} after "
                              f"{took:.1f} s without trouble"))
                return

    def check_replies_arrive(self, attempt, runs, until, excuses, wrong):
        """What a handler replied in time, and its broker took, is heard."""
        end = attempt.closed if attempt.closed is not None else until
        answered = {outcome.n for outcome in attempt.outcomes}
        for run in runs:
            if run.event != MESSAGE or run.status != 200 or \
                    run.n >= len(attempt.sent) or not self.is_sure(run):
                continue
            begin = attempt.sent[run.n].at
            if run.end - begin > 2.0 or end - run.end < self.limit_s or \
                    excuses.overlap(begin, run.end + self.limit_s) > 0:
                continue
            self.checks["reply-arrives"] += 1
            if run.n not in answered:
                wrong.append(("reply-arrives", f"the reply to {run} was never "
                              "heard"))

    # --- when -------------------------------------------------------------

    def is_told(self, conn):
        runs = self.actors[conn]
        return any(run.event == DISCONNECT and run.status for run in runs) or \
            all(run.event == CONNECT and run.status and run.status >= 300
                for run in runs)

    def settle(self, now, age_s):
        """Judge what is over for so long that nothing more is to come."""
        conns = {k: conn for conn, k in self.of.items()}
        for attempt in list(self.attempts.values()):
            if attempt.closed is None or now - attempt.closed < age_s:
                continue
            conn = conns.get(attempt.k)
            if conn is None and attempt.opened is None:
                self.forget(attempt, None, now)
            elif conn is not None and self.is_told(conn) and \
                    all(run.end is not None and now - run.end > age_s
                        for run in self.actors[conn]):
                self.forget(attempt, conn, now)

    def settle_all(self, now):
        """The end: nothing more is to come at all."""
        conns = {k: conn for conn, k in self.of.items()}
        for attempt in list(self.attempts.values()):
            self.forget(attempt, conns.get(attempt.k), now)
        for conn in list(self.actors):
            if conn not in self.judged:
                self.judge_actor(conn, now)

    def forget(self, attempt, conn, now):
        self.messages += len(attempt.sent)
        self.judge_attempt(attempt, conn, now)
        if conn is not None and conn not in self.judged:
            self.judge_actor(conn, now)
            self.judged.add(conn)
            self.tally(self.actors.pop(conn))
            del self.of[conn]
        del self.attempts[attempt.k]

    def tally(self, runs):
        for run in runs:
            self.counts[f"handlers of {EVENTS[run.event]}"] += 1
            self.counts["handlers in doubt"] += self.in_doubt(run, run.begin)
            self.counts["redelivered"] += \
                run.event == MESSAGE and run.attempt > 1
        ends = sum(run.event == DISCONNECT for run in runs)
        self.counts["disconnects given again"] += max(0, ends - 1)

    # --- telling ----------------------------------------------------------

    def trace(self, conn, attempt):
        """All that is known of a connection, in the order of time."""
        lines = []
        if attempt is not None:
            lines.append((attempt.began, f"client {attempt.k} connects to "
                          f"{attempt.gateway}, start {attempt.start}"))
            if attempt.opened is not None:
                lines.append((attempt.opened, "client is open"))
            for n, sent in enumerate(attempt.sent):
                lines.append((sent.at, f"client sends {n} to {sent.route}"))
            for outcome in attempt.outcomes:
                what = f"reply to {outcome.n}" if outcome.n is not None else \
                    f"{outcome.text!r} ({outcome.number})"
                lines.append((outcome.at, f"client hears {what}"))
            if attempt.closed is not None:
                lines.append((attempt.closed, f"client ends: {attempt.how}"))
        for run in self.actors.get(conn, []):
            doubt = " in doubt" if self.in_doubt(run, run.begin) else ""
            lines.append((run.begin, f"{run} begins{doubt} ({run.number})"))
            if run.end is not None:
                doubt = " in doubt" if self.in_doubt(run, run.end) else ""
                lines.append((run.end, f"{run} ends{doubt}: {run.status}"))
        return sorted(lines)
