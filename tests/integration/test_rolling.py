# SPDX-License-Identifier: MIT
"""A rolling restart: each process in turn is told to end (SIGTERM) and started
again, while clients talk.  No message is lost and none fails; clients notice no
more than a 1012, after which they come back at another gateway."""
import random
import sys
import threading
import time

from harness import *
from test_examples import EXAMPLES, Example

CLIENTS = 16
FLAGS = ["--heartbeat=200", "--drain-time=20000"]


class Talker:
    """A client that says one thing after the other, and hears each back."""

    def __init__(self, system):
        self.system = system
        self.answered = self.closed = 0
        self.failure = None
        self.is_over = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def connect(self):
        """At any gateway that lets us in."""
        end = time.monotonic() + 2 * WAIT_S
        while time.monotonic() < end:
            try:
                client = Client(random.choice(self.system.gateways).address)
                if client.opened().status == 101:
                    return client
            except (OSError, EOFError):
                pass  # none is there, or it is just ending
            time.sleep(0.01)
        raise AssertionError("no gateway lets anybody in")

    def talk(self):
        client = self.connect()
        while not self.is_over:
            text = f'{{"action":"echo","n":{self.answered}}}'
            try:
                client.send(text)
                opcode, data = client.recv()
            except (OSError, EOFError) as error:
                raise AssertionError(f"cut off: {error!r}")
            if opcode == 8:
                assert data[:2] == b"\x03\xf4", data  # 1012, and not handled
                self.closed += 1
                client.sock.close()
                client = self.connect()
                continue
            assert (opcode, data) == (1, text.encode()), data
            self.answered += 1

    def run(self):
        try:
            self.talk()
        except BaseException as error:  # for the test to say
            self.failure = error

    def check(self):
        if self.failure:
            raise self.failure


class System:
    def __init__(self, brokers):
        self.brokers = [Hoist(*FLAGS, command="broker") for _ in range(brokers)]
        self.gateways = [self.a_gateway("--listen=127.0.0.1:0")
                         for _ in range(2)]
        self.enders = [self.an_ender(broker) for broker in self.brokers]
        self.workers = [self.a_worker() for _ in range(2)]
        self.talkers = [Talker(self) for _ in range(CLIENTS)]

    def __enter__(self):
        return self

    def a_gateway(self, listen):
        at = ",".join(broker.gateways for broker in self.brokers)
        return Hoist(f"--broker={at}", *FLAGS[1:], listen, command="gateway",
                     endpoints=False)

    def a_worker(self):
        at = ",".join(broker.workers for broker in self.brokers)
        worker = Example(self.brokers[0], BUILD + "/workers/examples/echo",
                         "--broker", at)
        return worker

    @staticmethod
    def an_ender(broker):
        """Serves $disconnect: one broker each, and it goes on for ever."""
        with open(EXAMPLES + "/echo.py", encoding="utf-8") as file:
            source = file.read()
        assert '["echo"]' in source
        return Example(broker, sys.executable, "-c",
                       source.replace('["echo"]', '["$disconnect"]'),
                       broker.workers)

    def go_on(self):
        """Until each client has heard something more."""
        before = [talker.answered for talker in self.talkers]

        def went_on():
            for talker in self.talkers:
                talker.check()
            return all(talker.answered > answered + 3
                       for talker, answered in zip(self.talkers, before))
        until(went_on, "every client to go on")

    def wait_for_peers(self):
        """Every broker has all workers and gateways."""
        for broker in self.brokers:
            broker.soon(workers=3, gateways=2)

    @staticmethod
    def end(hoist):
        """In order, whatever happens to the clients of the harness."""
        hoist.process.terminate()
        assert hoist.process.wait(2 * WAIT_S) == 0, hoist.log()
        assert "DRAIN-CUT" not in hoist.log(), hoist.log()
        os.unlink(hoist.log_path)

    def restart_worker(self, i):
        self.workers[i].stop()
        self.workers[i] = self.a_worker()

    def restart_gateway(self, i):
        address = self.gateways[i].address
        self.end(self.gateways[i])
        self.gateways[i] = self.a_gateway(f"--listen={address}")

    def restart_broker(self, i):
        old = self.brokers[i]
        self.end(old)
        self.brokers[i] = Hoist(*FLAGS, f"--workers={old.workers}",
                                f"--gateways={old.gateways}",
                                command="broker", endpoints=False)

    def roll(self, count, restart):
        for i in range(count):
            restart(i)
            self.wait_for_peers()
            self.go_on()

    def __exit__(self, kind, error, trace):
        for talker in self.talkers:
            talker.is_over = True
        for talker in self.talkers:
            talker.thread.join(WAIT_S)
        Client.close_all()
        for hoist in self.gateways:
            hoist.__exit__(kind, error, trace)
        for worker in self.workers + self.enders:
            worker.stop()
        for hoist in self.brokers:
            hoist.__exit__(kind, error, trace)


def roll_all(brokers):
    with System(brokers) as at:
        at.go_on()
        at.roll(2, at.restart_worker)
        at.roll(brokers, at.restart_broker)
        assert not any(talker.closed for talker in at.talkers)  # till now
        at.roll(2, at.restart_gateway)
        at.roll(2, at.restart_worker)
        for talker in at.talkers:
            talker.check()
        assert any(talker.closed for talker in at.talkers)


def test_a_rolling_restart_with_two_brokers():
    roll_all(2)


def test_a_rolling_restart_with_one_broker():
    roll_all(1)


if __name__ == "__main__":
    run(sys.modules[__name__])
