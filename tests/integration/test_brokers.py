# SPDX-License-Identifier: MIT
"""Two brokers, gateways and workers linked to both: whoever of the brokers is
killed, clients stay, and each message has one outcome."""
import json
import sys
import threading

from harness import *
from test_examples import Example

CLIENTS = 12  # of each gateway
AHEAD = 4     # messages of one client without an outcome


class Talker(threading.Thread):
    """A client that sends numbered messages and counts their outcomes."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.client = Client(address).opened()
        self.is_asked_to_stop = False
        self.sent = self.answered = self.failed = 0
        self.fault = None
        self.start()

    def outcomes(self):
        return self.answered + self.failed

    def say(self):
        self.client.send(json.dumps({"action": "echo", "n": self.sent}))
        self.sent += 1

    def hear(self):
        opcode, payload = self.client.recv()
        assert opcode == 1, (opcode, payload)
        frame = json.loads(payload)
        if "n" in frame:
            assert frame["n"] == self.outcomes(), (frame, self.outcomes())
            self.answered += 1
        else:
            assert frame["message"] == "Internal server error", frame
            self.failed += 1

    def run(self):
        try:
            while not self.is_asked_to_stop or self.outcomes() < self.sent:
                while not self.is_asked_to_stop and \
                        self.sent - self.outcomes() < AHEAD:
                    self.say()
                self.hear()
        except Exception as fault:  # the main thread asks for it
            self.fault = fault

    def stop(self):
        self.is_asked_to_stop = True

    def finish(self):
        self.join(WAIT_S)
        assert self.fault is None, repr(self.fault)
        assert not self.is_alive(), f"{self.sent} sent, {self.outcomes()} outcomes"
        assert self.outcomes() == self.sent


class System:
    def __init__(self):
        self.brokers = [Hoist(command="broker") for _ in range(2)]
        gateways = ",".join(broker.gateways for broker in self.brokers)
        self.workers_at = ",".join(broker.workers for broker in self.brokers)
        self.gateways = [Hoist(f"--broker={gateways}", "--drain-time=100",
                               command="gateway") for _ in range(2)]
        self.assert_soon(gateways=2)
        self.workers = [Example(self.brokers[1], BUILD + "/workers/examples/echo",
                                "--broker", self.workers_at) for _ in range(3)]
        self.assert_soon(workers=3)

    def __enter__(self):
        return self

    def assert_soon(self, **gauges):
        for broker in self.brokers:
            broker.soon(**gauges)

    def restart(self, index):
        """On the endpoints of the one that was killed."""
        former = self.brokers[index]
        self.brokers[index] = Hoist(
            f"--workers={former.workers}", f"--gateways={former.gateways}",
            command="broker", endpoints=False)
        self.assert_soon(gateways=2, workers=3)

    def talkers(self):
        return [Talker(gateway.address) for gateway in self.gateways
                for _ in range(CLIENTS)]

    def connections(self):
        return [broker.stats("BROKER")["connections"] for broker in self.brokers]

    def gateway_sum(self, name):
        return sum(gateway.stats("GATEWAY")[name] for gateway in self.gateways)

    def __exit__(self, kind, error, trace):
        for worker in self.workers:
            worker.stop()
        for process in self.gateways + self.brokers:
            process.__exit__(kind, error, trace)


def wait_for_more(talkers, count):
    """Until each has had so many more outcomes."""
    goals = [(talker, talker.outcomes() + count) for talker in talkers]
    until(lambda: all(talker.fault or talker.outcomes() >= goal
                      for talker, goal in goals), f"{count} more outcomes")


def test_connections_spread_over_the_brokers():
    with System() as at:
        talkers = at.talkers()
        wait_for_more(talkers, 10)
        here, there = at.connections()
        assert here + there == 2 * CLIENTS and min(here, there) > 0
        for talker in talkers:
            talker.stop()
        for talker in talkers:
            talker.finish()
            assert talker.failed == 0


def test_a_broker_dies_under_load_and_comes_back():
    with System() as at:
        talkers = at.talkers()
        wait_for_more(talkers, 50)
        there = at.connections()[0]
        at.brokers[0].kill()
        until(lambda: at.gateway_sum("moved") == there, "all to have moved")
        wait_for_more(talkers, 50)
        failed = sum(talker.failed for talker in talkers)
        assert failed <= there * AHEAD, "each was on its way once"
        at.restart(0)
        until(lambda: at.connections() == [there, 2 * CLIENTS - there],
              "the connections to come back")
        wait_for_more(talkers, 50)
        for talker in talkers:
            talker.stop()
        for talker in talkers:
            talker.finish()
        assert sum(talker.failed for talker in talkers) == failed, \
            "a broker that joins costs nothing"
        assert at.gateway_sum("given_up") == 0
        assert at.gateway_sum("connections") == 2 * CLIENTS


def test_a_push_reaches_a_connection_of_another_broker():
    with System() as at:
        brokers = [Worker(broker.workers, "hold") for broker in at.brokers]
        clients = [Client(at.gateways[0].address).opened() for _ in range(8)]
        conns = []
        for client in clients:
            client.send('{"action":"hold"}')

        def all_have_come():
            for worker in brokers:
                while worker.has(REQUEST):
                    request = worker.get(REQUEST)
                    worker.reply(request, body="here")
                    conns.append(request[3])
            return len(conns) == len(clients)
        until(all_have_come, "each client's message")
        for worker in brokers:
            worker.send([PUSH, ["connection", *conns], "news"])
            worker.get(CREDIT)
            assert not worker.has(GONE)
        for client in clients:
            heard = sorted(client.recv()[1] for _ in range(3))
            assert heard == [b"here", b"news", b"news"]
        clients[0].sock.close()


if __name__ == "__main__":
    run(sys.modules[__name__])
