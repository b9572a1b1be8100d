# SPDX-License-Identifier: MIT
"""The TCP connection between a gateway and its broker is reset, by a proxy that
restarts or a firewall that forgets: the gateway comes back, its connections
stand, and each message that was on its way has its one outcome."""
import contextlib
import json
import selectors
import socket
import struct
import sys
import threading

from harness import *
from test_examples import Example

ECHO = '{"action":"echo"}'
CLIENTS, ROUNDS, BURST = 8, 6, 20
RST = struct.pack("ii", 1, 0)  # SO_LINGER: a close that is a reset


class Relay(threading.Thread):
    """Bytes to and from a broker's endpoint, until a reset."""

    def __init__(self, endpoint):
        super().__init__(daemon=True)
        self.target = endpoint.removeprefix("tcp://").rsplit(":", 1)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = "tcp://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.orders, self.order = socket.socketpair()
        self.selector = selectors.DefaultSelector()
        self.other = {}  # of each socket, where its bytes go
        self.is_shut = False
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.selector.register(self.orders, selectors.EVENT_READ)
        self.start()

    def run(self):
        while True:
            for key, _ in self.selector.select():
                if key.fileobj is self.orders:
                    if not self.obey():
                        return
                    break  # what else is ready may be closed
                if key.fileobj is self.listener:
                    self.connect()
                elif key.fileobj in self.other:
                    self.forward(key.fileobj)

    def obey(self):
        order = self.orders.recv(1)
        self.is_shut = order == b"s"
        for sock in list(self.other):
            self.drop(sock)
        self.orders.send(b".")
        return order != b"e"

    def connect(self):
        sock, _ = self.listener.accept()
        if self.is_shut:
            sock.close()
            return
        other = socket.create_connection(self.target)
        self.other[sock], self.other[other] = other, sock
        for end in (sock, other):
            self.selector.register(end, selectors.EVENT_READ)

    def forward(self, sock):
        try:
            data = sock.recv(1 << 16)
            self.other[sock].sendall(data)
        except OSError:
            data = b""
        if not data:
            other = self.other[sock]
            self.drop(sock)
            self.drop(other)

    def drop(self, sock):
        del self.other[sock]
        self.selector.unregister(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
        sock.close()

    def say(self, order):
        self.order.send(order)
        assert self.order.recv(1) == b"."

    def reset(self):
        self.say(b"r")

    def shut(self):
        """Reset, and nobody gets through until `reset`."""
        self.say(b"s")

    def end(self):
        self.say(b"e")
        self.join()
        for sock in (self.listener, self.orders, self.order):
            sock.close()


@contextlib.contextmanager
def system(*flags):
    """A broker and a gateway, and a relay between them."""
    with Hoist(*flags, command="broker") as broker:
        relay = Relay(broker.gateways)
        try:
            with Hoist(f"--broker={relay.endpoint}", command="gateway") as gateway:
                yield broker, relay, gateway
        finally:
            relay.end()


def assert_echoes(client, worker):
    client.send(ECHO)
    request = worker.get(REQUEST)
    assert request[2] == MESSAGE, request
    worker.reply(request, body="here")
    assert client.recv() == (1, b"here")


def comes_back(gateway, times):
    gateway.soon("GATEWAY", broker_reset=times)


def test_a_reset_costs_no_connection():
    with system() as (broker, relay, gateway):
        worker = Worker(broker.workers, "echo", "$disconnect")
        client = Client(gateway.address).opened()
        assert_echoes(client, worker)
        for times in range(1, 4):
            relay.reset()
            comes_back(gateway, times)
            assert_echoes(client, worker)
        assert not worker.has(REQUEST)  # no $disconnect
        stats = broker.stats("BROKER")
        assert stats["returned"] == 3 and stats["peers_lost"] == 0, stats
        assert stats["connections"] == 1 and stats["gateways"] == 1, stats
        assert gateway.stats("GATEWAY")["given_up"] == 0


def test_what_was_on_its_way_has_failed_once():
    with system() as (broker, relay, gateway):
        worker = Worker(broker.workers, "echo", "$disconnect")
        client = Client(gateway.address).opened()
        client.send(ECHO)
        held = worker.get(REQUEST)
        relay.reset()
        opcode, frame = client.recv()
        assert opcode == 1 and b'"message": "Internal server error"' in frame, frame
        client.send(ECHO)
        later = worker.get(REQUEST)
        assert later[3] == held[3]
        worker.reply(held, body="too late")
        worker.reply(later, body="in time")
        assert client.recv() == (1, b"in time")
        broker.soon(requests=0, replies_late=1)


def test_a_close_is_not_lost():
    with system() as (broker, relay, gateway):
        worker = Worker(broker.workers, "echo", "$disconnect")
        client = Client(gateway.address).opened()
        client.send(ECHO)
        request = worker.get(REQUEST)
        relay.shut()
        worker.send([CLOSE, request[3], 4001, "enough"])
        worker.has(REQUEST)  # the broker has read it
        relay.reset()
        opcode, frame = client.recv()
        assert opcode == 1 and b"Internal server error" in frame, frame
        assert client.close_code() == 4001
        worker.reply(request)
        end = worker.get(REQUEST)
        assert end[2:4] == [DISCONNECT, request[3]] and end[8]["code"] == 4001, end
        worker.reply(end)
        broker.soon(connections=0, requests=0)


def outcomes(client, numbers):
    """What became of each: every one has one, and answers keep their order."""
    answered = []
    for _ in numbers:
        opcode, frame = client.recv()
        assert opcode == 1, (opcode, frame)
        message = json.loads(frame)
        if "n" in message:
            answered.append(message["n"])
        else:
            assert message["message"] == "Internal server error", message
    assert answered == sorted(set(answered)), answered
    assert set(answered) <= set(numbers), (answered, numbers)
    return len(answered)


def test_under_load_each_message_has_one_outcome():
    with system() as (broker, relay, gateway):
        worker = Example(broker, BUILD + "/workers/examples/echo", "--broker",
                         broker.workers)
        try:
            clients = [Client(gateway.address).opened() for _ in range(CLIENTS)]
            answered = 0
            for number in range(ROUNDS):
                numbers = range(number * BURST, (number + 1) * BURST)
                for n in numbers:
                    for client in clients:
                        client.send(json.dumps({"action": "echo", "n": n}))
                    if n == numbers[BURST // 2]:
                        relay.reset()
                answered += sum(outcomes(client, numbers) for client in clients)
                comes_back(gateway, number + 1)
            numbers = [-1]
            for client in clients:  # and nothing else was on its way to them
                client.send(json.dumps({"action": "echo", "n": -1}))
                assert outcomes(client, numbers) == 1
            assert answered > 0
            broker.soon(connections=CLIENTS, requests=0, returned=ROUNDS)
        finally:
            worker.stop()


def test_who_is_away_for_too_long_is_lost():
    with system() as (broker, relay, gateway):
        worker = Worker(broker.workers, "echo", "$disconnect")
        client = Client(gateway.address).opened()
        assert_echoes(client, worker)
        relay.shut()
        end = worker.get(REQUEST)
        assert end[2] == DISCONNECT
        assert end[8] == {"code": 1006, "reason": "gateway lost"}
        worker.reply(end)
        relay.reset()
        assert client.close_code() == 1012
        broker.soon(connections=0, requests=0, gateways=1)
        assert broker.stats("BROKER")["returned"] == 0


if __name__ == "__main__":
    run(sys.modules[__name__])
