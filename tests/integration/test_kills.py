# SPDX-License-Identifier: MIT
"""kill -9 of the broker, a gateway or a worker, each a process of its own:
who is left goes on, and each end is told once."""
import os
import signal
import sys

import zmq

from harness import *
from test_examples import EXAMPLES, Example


class System:
    """A broker, a gateway, the echo of the C library, and a worker whose
    steps the test decides; clients as they are asked for."""

    def __init__(self):
        self.broker = Hoist("--heartbeat=200", command="broker")
        self.gateway = self.start_gateway()
        self.echo = Example(self.broker, BUILD + "/workers/examples/echo",
                            "--broker", self.broker.workers)
        self.worker = Worker(self.broker.workers, "hold", "$disconnect",
                             options={"liveness": 120000})
        self.client, self.conn = self.connect()

    def __enter__(self):
        return self

    def start_gateway(self):
        return Hoist(f"--broker={self.broker.gateways}", "--drain-time=100",
                     command="gateway")

    def start_broker(self):
        """Another on the endpoints of the one that was killed."""
        self.broker = Hoist(
            "--heartbeat=200", f"--workers={self.broker.workers}",
            f"--gateways={self.broker.gateways}", command="broker",
            endpoints=False)
        self.worker.get_who()
        self.worker.greet()
        self.broker.soon(workers=2, gateways=1)

    def connect(self, gateway=None):
        """A client, and its connection id."""
        client = Client((gateway or self.gateway).address).opened()
        request = self.hold(client)
        self.worker.reply(request, body="here")
        assert client.recv() == (1, b"here")
        return client, request[3]

    def hold(self, client):
        """A message of this client, which the worker has."""
        client.send('{"action":"hold"}')
        request = self.worker.get(REQUEST)
        assert request[2] == MESSAGE
        return request

    def assert_echo(self, client):
        client.send('{"action":"echo"}')
        assert client.recv() == (1, b'{"action":"echo"}')

    def assert_fails(self, client):
        opcode, frame = client.recv()
        assert opcode == 1 and b'"message": "Internal server error"' in frame

    def get_end(self, conn, reason=""):
        """The DISCONNECT of this connection."""
        end = self.worker.get(REQUEST)
        assert end[2:4] == [DISCONNECT, conn], end
        assert end[8] == {"code": 1006, "reason": reason}, end
        return end

    def assert_ends_once(self, conn):
        self.worker.reply(self.get_end(conn))
        until(lambda: self.gateway.stats("GATEWAY")["disconnects"] == 1,
              "the gateway to hear of it")
        self.broker.soon(connections=0, requests=0)
        assert not self.worker.has(REQUEST)

    def __exit__(self, kind, error, trace):
        try:
            self.echo.stop()
            self.gateway.__exit__(kind, error, trace)
        finally:
            self.broker.__exit__(kind, error, trace)


# --- the broker ---------------------------------------------------------

def test_a_killed_broker_costs_one_error_frame_and_no_client():
    with System() as at:
        at.assert_echo(at.client)
        request = at.hold(at.client)
        at.broker.kill()
        at.assert_fails(at.client)  # while there is no broker
        at.start_broker()
        at.worker.reply(request, body="of a former life")
        at.broker.soon(connections=1, replies_unknown=1)
        at.assert_echo(at.client)
        at.worker.reply(at.hold(at.client), body="again")
        assert at.client.recv() == (1, b"again")


def test_a_broker_that_is_back_at_once_answers_what_was_on_its_way_with_500():
    with System() as at:
        at.hold(at.client)
        at.broker.kill()
        at.start_broker()
        at.assert_fails(at.client)
        at.assert_echo(at.client)


def test_ids_from_before_the_restart_are_those_of_their_clients():
    with System() as at:
        clients = dict([at.connect()[::-1] for _ in range(20)])
        at.broker.kill()
        at.start_broker()
        at.broker.soon(connections=21)
        at.worker.send([PUSH, ["connection", *clients], "to all"])
        for client in clients.values():
            assert client.recv() == (1, b"to all")
        for conn, client in clients.items():
            at.worker.send([PUSH, ["connection", conn], conn])
            assert client.recv() == (1, conn.encode())
        conn, client = clients.popitem()
        at.worker.send([CLOSE, conn, 4000, "why"])
        assert client.recv() == (8, b"\x0f\xa0why")
        assert at.worker.get(REQUEST)[8] == {"code": 4000, "reason": "why"}
        assert not at.worker.has(GONE)


def test_who_leaves_after_the_restart_is_disconnected_once():
    with System() as at:
        at.broker.kill()
        at.start_broker()
        at.broker.soon(connections=1)
        at.client.sock.close()
        at.assert_ends_once(at.conn)


def test_who_leaves_while_there_is_no_broker_is_disconnected_once():
    with System() as at:
        at.broker.kill()
        at.client.sock.close()
        until(lambda: at.gateway.stats("GATEWAY")["sockets"] == 0, "its end")
        at.start_broker()
        at.assert_ends_once(at.conn)


def test_a_disconnect_that_was_not_acknowledged_comes_again():
    with System() as at:
        at.client.sock.close()
        at.get_end(at.conn)
        at.broker.kill()
        at.start_broker()
        at.assert_ends_once(at.conn)


def test_a_disconnect_that_was_acknowledged_never_comes_again():
    with System() as at:
        at.client.sock.close()
        at.assert_ends_once(at.conn)
        at.broker.kill()
        at.start_broker()
        at.broker.soon(connections=0, requests=0)
        assert not at.worker.has(REQUEST)


# --- a gateway ----------------------------------------------------------

def test_each_client_of_a_killed_gateway_is_disconnected_once():
    with System() as at, at.start_gateway() as victim:
        clients = dict([at.connect(victim)[::-1] for _ in range(5)])
        request = at.hold(next(iter(clients.values())))
        victim.kill()
        for client in clients.values():
            assert client.close_code() is None
        at.worker.reply(request, body="to nobody")
        ends = [at.worker.get(REQUEST) for _ in clients]
        assert sorted(end[3] for end in ends) == sorted(clients)
        for end in ends:
            assert end[2] == DISCONNECT
            assert end[8] == {"code": 1006, "reason": "gateway lost"}
            at.worker.reply(end)
        at.broker.soon(gateways=1, connections=1, requests=0)
        assert not at.worker.has(REQUEST)
        at.assert_echo(at.client)


# --- a worker -----------------------------------------------------------

def test_a_killed_worker_costs_an_error_frame_and_the_next_serves():
    with System() as at:
        at.echo.process.send_signal(signal.SIGSTOP)
        at.client.send('{"action":"echo"}')
        at.broker.soon(requests=1, waiting=0)  # so the worker holds it
        other = Client(at.gateway.address).opened()
        other.send('{"action":"echo"}')
        at.broker.soon(requests=2, waiting=0)
        at.echo.process.kill()
        at.assert_fails(at.client)
        at.assert_fails(other)
        at.broker.soon(workers=1, worker_died=2)
        with Example(at.broker, sys.executable, EXAMPLES + "/echo.py",
                     at.broker.workers):
            at.assert_echo(at.client)
            at.assert_echo(other)


def test_a_disconnect_at_a_killed_worker_goes_to_the_next():
    with System() as at:
        at.client.sock.close()
        at.get_end(at.conn)
        at.worker.die()
        at.broker.soon(workers=1)
        at.worker = Worker(at.broker.workers, "hold", "$disconnect")
        at.assert_ends_once(at.conn)


def stop(hoist):
    """SIGSTOP, and wait until no thread of it runs any more."""
    hoist.process.send_signal(signal.SIGSTOP)
    threads = f"/proc/{hoist.process.pid}/task"

    def stands():
        for thread in os.listdir(threads):
            with open(f"{threads}/{thread}/stat", encoding="ascii") as stat:
                if stat.read().rsplit(")", 1)[1].split()[0] != "T":
                    return False
        return True
    until(stands, "it to stand")


class Leaver(Worker):
    """One that can see that all it said is with the broker's host."""

    def __init__(self, *arguments, **options):
        self.context = zmq.Context()
        super().__init__(*arguments, **options)

    def leave(self, *last_words):
        for words in last_words:
            self.send(words)
        self.sock.close()
        self.context.term()


def test_what_a_worker_said_before_it_left_counts_although_the_broker_stood():
    """The broker knew that it was gone before it had read its last words, and
    took it for dead: the client got an error, the next worker a second
    $disconnect."""
    with System() as at:
        leaver = Leaver(at.broker.workers, "last", "$disconnect")
        at.broker.soon(workers=3)
        at.worker.send([DRAIN])  # so that it is the leaver who gets the end
        assert not at.worker.has(REQUEST)
        Client(at.gateway.address).opened().sock.close()
        end = leaver.get(REQUEST)
        assert end[2] == DISCONNECT
        at.client.send('{"action":"last"}')
        request = leaver.get(REQUEST)
        stop(at.broker)
        leaver.leave(*[[PING]] * 500, [REPLY, end[1], 200, None],
                     [REPLY, request[1], 200, "last words"], [BYE])
        at.broker.process.send_signal(signal.SIGCONT)
        assert at.client.recv() == (1, b"last words")
        at.broker.soon(workers=2, worker_died=0, redelivered=0, requests=0)


if __name__ == "__main__":
    run(sys.modules[__name__])
