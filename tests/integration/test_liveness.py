# SPDX-License-Identifier: MIT
"""Processes that stand still, handlers that never end, networks that deliver
nothing: each is found, its requests get their one outcome, its connections go
on elsewhere, and who comes back is taken back.  No time is measured here."""
import contextlib
import os
import random
import signal
import subprocess
import sys

from harness import *
from test_examples import Example

ECHO = '{"action":"echo"}'
QUICK = ["--heartbeat=100", "--liveness=1000"]  # of the broker

# A worker whose process lives, whose ZeroMQ answers every ping of its own, and
# whose handler never ends.
STUCK = """
import io, msgpack, os, sys, zmq
sock = zmq.Context().socket(zmq.DEALER)
sock.heartbeat_ivl = 100
sock.connect(sys.argv[1])
for message in ([1, 1, "worker", os.urandom(8).hex(), "stuck", {}],
                [3, ["echo"], 64, 1 << 20]):
    sock.send(msgpack.packb(message))
while True:
    for kind, *_ in msgpack.Unpacker(io.BytesIO(sock.recv())):
        while kind == 4:
            pass
"""


@contextlib.contextmanager
def running(hoist, *command):
    """A worker, whose end leaves the clients alone."""
    worker = Example(hoist, *command)
    try:
        yield worker
    finally:
        worker.stop()


def echo(hoist, *inside):
    return running(hoist, *inside, BUILD + "/workers/examples/echo", "--broker",
                   hoist.workers)


def assert_echoes(client):
    client.send(ECHO)
    assert client.recv() == (1, ECHO.encode())


def assert_fails(client):
    opcode, frame = client.recv()
    assert opcode == 1 and b'"message": "Internal server error"' in frame, frame


def send_held(hoist, client):
    """A message that a worker holds."""
    client.send(ECHO)
    hoist.soon(requests=1, waiting=0)


@contextlib.contextmanager
def stopped(process):
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)  # with all of its threads
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


# --- processes ----------------------------------------------------------

def test_a_handler_that_never_ends_is_found():
    with Hoist(*QUICK) as hoist:
        client = Client(hoist.address).opened()
        with running(hoist, sys.executable, "-c", STUCK, hoist.workers):
            send_held(hoist, client)
            assert_fails(client)
            with echo(hoist):
                assert_echoes(client)
        assert hoist.stats("BROKER")["worker_died"] == 1


def test_a_worker_that_stands_still_is_found_and_taken_back():
    with Hoist(*QUICK) as hoist, echo(hoist) as worker:
        client = Client(hoist.address).opened()
        assert_echoes(client)
        with stopped(worker.process):
            send_held(hoist, client)
            assert_fails(client)
            with echo(hoist):
                assert_echoes(client)
        hoist.soon(workers=1)  # it greeted again
        assert_echoes(client)


def test_a_gateway_that_stands_still_ends_its_clients_and_goes_on():
    with Hoist(*QUICK, command="broker") as broker:
        worker = Worker(broker.workers, "echo", "$disconnect",
                        options={"liveness": 120000})
        with Hoist(f"--broker={broker.gateways}", command="gateway") as gateway:
            client = Client(gateway.address).opened()
            client.send(ECHO)
            request = worker.get(REQUEST)
            worker.reply(request, body="here")
            assert client.recv() == (1, b"here")
            with stopped(gateway.process):
                end = worker.get(REQUEST)
                assert end[2:4] == [DISCONNECT, request[3]]
                assert end[8] == {"code": 1006, "reason": "gateway lost"}
                worker.reply(end)
            assert client.close_code() == 1012
            broker.soon(connections=0, requests=0, gateways=1)
            assert not worker.has(REQUEST)  # it was told once
            other = Client(gateway.address).opened()
            other.send(ECHO)
            worker.reply(worker.get(REQUEST), body="again")
            assert other.recv() == (1, b"again")


def test_a_broker_that_stands_still_costs_no_client():
    with Hoist(*QUICK, command="broker") as broker, echo(broker), \
            Hoist(f"--broker={broker.gateways}", command="gateway") as gateway:
        client = Client(gateway.address).opened()
        assert_echoes(client)
        with stopped(broker.process):
            client.send(ECHO)
            assert_fails(client)
        until(lambda: "PEER-UP" in broker.log(), "its peers")
        broker.soon(connections=1, workers=1, gateways=1)
        assert_echoes(client)


# --- networks -----------------------------------------------------------

class Network:
    """A namespace, and two wires to it: one for clients, one that can be cut,
    so that packets vanish and nobody is told."""

    def __init__(self):
        self.name = f"hoist-{os.getpid()}"
        self.inside = ["ip", "netns", "exec", self.name]
        block = f"198.18.{random.randrange(256)}"  # RFC 2544: for tests
        self.ends = {"w": (f"{block}.1", f"{block}.2"),
                     "c": (f"{block}.5", f"{block}.6")}

    def ip(self, *words):
        subprocess.run(["ip", *words], check=True, stderr=subprocess.PIPE)

    def device(self, wire, side):
        return f"ht{wire}{side}{os.getpid()}"

    def __enter__(self):
        self.ip("netns", "add", self.name)
        self.ip("-n", self.name, "link", "set", "lo", "up")
        for wire, (here, there) in self.ends.items():
            near, far = self.device(wire, "n"), self.device(wire, "f")
            self.ip("link", "add", near, "type", "veth", "peer", "name", far)
            self.ip("link", "set", far, "netns", self.name)
            self.ip("addr", "add", here + "/30", "dev", near)
            self.ip("link", "set", near, "up")
            self.ip("-n", self.name, "addr", "add", there + "/30", "dev", far)
            self.ip("-n", self.name, "link", "set", far, "up")
        self.here, self.there = self.ends["w"]
        self.for_clients = self.ends["c"][1]
        return self

    def __exit__(self, *_):
        for wire in self.ends:
            subprocess.run(["ip", "link", "del", self.device(wire, "n")])
        self.ip("netns", "del", self.name)

    @contextlib.contextmanager
    def cut(self):
        """Frames go to an address that nobody has."""
        near, far = self.device("w", "n"), self.device("w", "f")
        nobody = ["lladdr", "02:00:00:00:00:01", "nud", "permanent"]
        self.ip("neigh", "replace", self.there, *nobody, "dev", near)
        self.ip("-n", self.name, "neigh", "replace", self.here, *nobody, "dev", far)
        yield
        self.ip("neigh", "del", self.there, "dev", near)
        self.ip("-n", self.name, "neigh", "del", self.here, "dev", far)


def can_have_networks():
    try:
        with Network():
            return True
    except (OSError, subprocess.CalledProcessError) as error:
        print("no network namespaces here:", error)
        return False


def broker_on(network):
    return Hoist(*QUICK, f"--workers=tcp://{network.here}:*",
                 f"--gateways=tcp://{network.here}:*", command="broker",
                 endpoints=False)


def gateway_of(broker, *flags, **where):
    return Hoist(f"--broker={broker.gateways}", *flags, command="gateway", **where)


def test_a_worker_that_is_cut_off_is_found_and_taken_back():
    with Network() as network, broker_on(network) as broker, \
            gateway_of(broker) as gateway, echo(broker, *network.inside):
        client = Client(gateway.address).opened()
        assert_echoes(client)
        with network.cut():
            send_held(broker, client)
            assert_fails(client)
            with echo(broker):
                assert_echoes(client)
        broker.soon(workers=1)
        assert_echoes(client)


def test_a_gateway_that_is_cut_off_ends_its_clients_and_is_taken_back():
    with Network() as network, broker_on(network) as broker, \
            gateway_of(broker, f"--listen={network.for_clients}:0",
                       endpoints=False, inside=network.inside) as gateway:
        worker = Worker(broker.workers, "echo", "$disconnect",
                        options={"liveness": 120000})
        client = Client(gateway.address).opened()
        client.send(ECHO)
        held = worker.get(REQUEST)
        with network.cut():
            client.send(ECHO)  # and vanishes on its way
            assert_fails(client)  # the gateway counts its broker lost
            assert_fails(client)
            worker.reply(held, body="to nobody")
            end = worker.get(REQUEST)
            assert end[2] == DISCONNECT and end[8]["reason"] == "gateway lost"
            worker.reply(end)
        assert client.close_code() == 1012
        broker.soon(connections=0, requests=0, gateways=1)
        other = Client(gateway.address).opened()
        other.send(ECHO)
        request = worker.get(REQUEST)
        assert request[2] == MESSAGE and request[3] != held[3]
        worker.reply(request, body="again")
        assert other.recv() == (1, b"again")


if not can_have_networks():
    del test_a_worker_that_is_cut_off_is_found_and_taken_back
    del test_a_gateway_that_is_cut_off_ends_its_clients_and_is_taken_back

if __name__ == "__main__":
    run(sys.modules[__name__])
