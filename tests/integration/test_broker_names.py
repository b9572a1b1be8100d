# SPDX-License-Identifier: MIT
"""Brokers behind a name, whose addresses change: gateways and workers follow,
clients stay, and no message is lost."""
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile

from harness import *
from test_brokers import Talker, wait_for_more

CLIENTS = 12
FIRST, SECOND = "127.0.0.2", "127.0.0.3"
ECHO = '{"action":"echo"}'
OFTEN = "--resolve-interval=50"


class Names:
    """What the processes started `inside` find in /etc/hosts; it is theirs
    alone, since it lies in a mount namespace."""

    SIZE = 1024  # of the file, which is rewritten in one piece

    def __init__(self, *, ask=None):
        """ask: a name server to ask as well."""
        self.files = {}
        self.put("/etc/nsswitch.conf", "hosts: files" + (" dns" if ask else ""))
        self.put("/etc/resolv.conf", f"nameserver {ask or '127.0.0.1'}\n"
                 "options timeout:30 attempts:5\n")
        self.put("/etc/hosts", " " * self.SIZE)
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        mounts = " && ".join(f"mount --bind {file.name} {path}"
                             for path, file in self.files.items())
        self.inside = ["unshare", *user, "--mount", "--propagation", "private",
                       "sh", "-c", f'{mounts} && exec "$@"', "-"]

    def put(self, path, text):
        file = tempfile.NamedTemporaryFile("w", prefix="hoist-names-")
        file.write(text)
        file.flush()
        self.files[path] = file

    def become(self, *addresses):
        """The addresses of `broker`."""
        text = "".join(f"{address} broker\n" for address in addresses)
        os.pwrite(self.files["/etc/hosts"].fileno(),
                  text.encode().ljust(self.SIZE), 0)


def can_have_names():
    names = Names()
    ended = subprocess.run([*names.inside, "true"], stderr=subprocess.PIPE)
    if ended.returncode != 0:
        print("no mount namespaces here:", ended.stderr.decode())
    return ended.returncode == 0


class Echo:
    """A worker in C, and its log."""

    def __init__(self, broker, *flags, inside=()):
        self.said = tempfile.NamedTemporaryFile(prefix="hoist-worker-")
        self.process = subprocess.Popen(
            [*inside, BUILD + "/workers/examples/echo", "--broker", broker, *flags],
            stderr=self.said)

    def log(self):
        with open(self.said.name, encoding="utf-8") as said:
            return said.read()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.process.terminate()
        status = self.process.wait(WAIT_S)
        if kind is not None or status != 0:
            print(self.log())
        assert status == 0, f"the worker ended with {status}"


def says(process, *events):
    """Each event is a line of its log, in time."""
    for event in events:
        until(lambda: event in process.log(), event)


def broker_at(address, *flags, workers="*", gateways="*"):
    return Hoist(f"--workers=tcp://{address}:{workers}",
                 f"--gateways=tcp://{address}:{gateways}", *flags,
                 command="broker", endpoints=False)


def port_of(endpoint):
    return endpoint.rsplit(":", 1)[1]


def assert_echoes(client):
    client.send(ECHO)
    assert client.recv() == (1, ECHO.encode())


class System:
    """A broker at each of two addresses, at the same ports; two workers and a
    gateway that know them by a name.  Workers hear of changes by names of their
    own, so that a test can let them hear first."""

    def __init__(self):
        self.stack = contextlib.ExitStack()
        enter = self.stack.enter_context
        self.first = enter(broker_at(FIRST, "--drain-time=10000"))
        ports = [port_of(end) for end in (self.first.workers, self.first.gateways)]
        self.second = enter(broker_at(SECOND, workers=ports[0], gateways=ports[1]))
        self.names, self.workers_names = Names(), Names()
        self.become(FIRST, SECOND)
        self.become(FIRST)
        self.workers = [enter(Echo(f"tcp://broker:{ports[0]}", OFTEN,
                                   inside=self.workers_names.inside))
                        for _ in range(2)]
        self.first.soon(workers=2)
        self.gateway = enter(Hoist(f"--broker=tcp://broker:{ports[1]}", OFTEN,
                                   command="gateway", inside=self.names.inside))

    def become(self, *addresses):
        self.workers_names.become(*addresses)
        self.names.become(*addresses)

    def let_second_join(self, *addresses):
        self.workers_names.become(*addresses)
        self.second.soon(workers=2)
        self.names.become(*addresses)
        self.second.soon(gateways=1)

    def talkers(self):
        talkers = [Talker(self.gateway.address) for _ in range(CLIENTS)]
        wait_for_more(talkers, 50)
        return talkers

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return self.stack.__exit__(*error)


def finish(talkers):
    """All have their outcomes; how many of them are failures."""
    for talker in talkers:
        talker.stop()
    for talker in talkers:
        talker.finish()
    return sum(talker.failed for talker in talkers)


def test_a_name_moves_from_one_broker_to_another_and_costs_nothing():
    with System() as at:
        talkers = at.talkers()
        at.let_second_join(FIRST, SECOND)
        until(lambda: at.second.stats("BROKER")["connections"] > 0,
              "connections to move")
        wait_for_more(talkers, 50)
        at.become(SECOND)
        says(at.gateway, f"RESOLVE-GONE name=broker broker={at.first.gateways}")
        for worker in at.workers:
            says(worker, f"RESOLVE-GONE name=broker broker={at.first.workers}")
        wait_for_more(talkers, 50)
        assert at.first.stats("BROKER")["connections"] > 0, \
            "a broker that works is kept"
        at.first.process.terminate()
        wait_for_more(talkers, 50)
        says(at.gateway, f"RESOLVE-DROPPED broker={at.first.gateways}")
        for worker in at.workers:
            says(worker, f"RESOLVE-DROPPED broker={at.first.workers}")
        at.second.soon(connections=CLIENTS)
        assert finish(talkers) == 0
        assert at.gateway.stats("GATEWAY")["connections"] == CLIENTS


def test_a_broker_that_dies_is_followed_to_its_next_address():
    with System() as at:
        talkers = at.talkers()
        at.first.kill()
        at.let_second_join(SECOND)
        at.second.soon(connections=CLIENTS)
        wait_for_more(talkers, 50)
        assert finish(talkers) <= CLIENTS * 4  # AHEAD: each was on its way once
        assert at.gateway.stats("GATEWAY")["connections"] == CLIENTS


def test_a_window_is_split_anew_when_a_broker_joins():
    with System() as at:
        says(at.first, "window=256 window_bytes=8388608")
        at.let_second_join(FIRST, SECOND)
        for broker in (at.first, at.second):
            says(broker, "window=128 window_bytes=4194304")


def test_a_name_may_come_late_and_fail_again():
    names = Names()
    with broker_at(FIRST) as broker, Hoist(
            f"--broker=tcp://broker:{port_of(broker.gateways)}", OFTEN,
            command="gateway", inside=names.inside, finds_broker=False) as gateway, \
            Echo(f"tcp://broker:{port_of(broker.workers)}", OFTEN,
                 inside=names.inside) as worker:
        says(gateway, "RESOLVE-FAILED name=broker")
        says(worker, "RESOLVE-FAILED name=broker")
        names.become(FIRST)
        broker.soon(workers=1, gateways=1)
        client = Client(gateway.address).opened()
        assert_echoes(client)
        names.become()
        for process in (gateway, worker):
            until(lambda: process.log().count("RESOLVE-FAILED") == 2, "a failure")
        assert_echoes(client)
        names.become(FIRST)
        for process in (gateway, worker):
            until(lambda: process.log().count("RESOLVE-FOUND") == 2, "a success")
        assert_echoes(client)
        broker.soon(workers=1, gateways=1)


def test_without_an_interval_a_name_is_resolved_once():
    names = Names()
    with broker_at(FIRST) as broker, Hoist(
            f"--broker=tcp://broker:{port_of(broker.gateways)}",
            "--resolve-interval=0", command="gateway", inside=names.inside,
            finds_broker=False) as gateway, Hoist(
            f"--broker=tcp://broker:{port_of(broker.gateways)}", OFTEN,
            command="gateway", inside=names.inside, finds_broker=False) as witness:
        says(gateway, "RESOLVE-FAILED")
        names.become(FIRST)
        says(gateway, "GATEWAY-BROKER-FOUND")
        says(witness, "GATEWAY-BROKER-FOUND")
        names.become(SECOND)
        says(witness, "RESOLVE-GONE")
        broker.soon(gateways=2)
        assert "RESOLVE-GONE" not in gateway.log()


def test_two_ways_to_write_a_broker_are_one():
    with broker_at("127.0.0.1") as broker:
        twice = [",".join(f"tcp://{host}:{port_of(end)}"
                          for host in ("127.0.0.1", "localhost"))
                 for end in (broker.workers, broker.gateways)]
        with Echo(twice[0]) as worker, \
                Hoist(f"--broker={twice[1]}", command="gateway") as gateway:
            for process in (worker, gateway):
                says(process, "RESOLVE-FOUND name=localhost addresses=1")
            broker.soon(workers=1, gateways=1)
            assert_echoes(Client(gateway.address).opened())
            assert "RESOLVE-NEW" not in worker.log() + gateway.log()


def test_brokers_may_be_at_addresses_of_ipv6():
    names = Names()
    names.become("::1")
    with broker_at("[::1]") as broker, Hoist(
            f"--broker=tcp://broker:{port_of(broker.gateways)}", command="gateway",
            inside=names.inside) as gateway, \
            Echo(f"tcp://[0::1]:{port_of(broker.workers)}"):
        broker.soon(workers=1, gateways=1)
        assert_echoes(Client(gateway.address).opened())


@contextlib.contextmanager
def deaf_name_server():
    """Takes questions and answers none."""
    address = f"127.53.{os.getpid() % 250 + 1}.{os.getpid() // 250 % 250 + 1}"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((address, 53))
        sock.settimeout(WAIT_S)
        yield address, sock


def test_a_name_server_that_hangs_keeps_nobody():
    with deaf_name_server() as (address, asked):
        names = Names(ask=address)
        with Hoist("--broker=tcp://nowhere:1", command="gateway",
                   inside=names.inside, finds_broker=False) as gateway, \
                Echo("tcp://nowhere:1", inside=names.inside) as worker:
            askers = set()
            while len(askers) < 2:  # options say longer than a test waits
                askers.add(asked.recvfrom(512)[1])
            says(worker, "WORKER-STARTED")
            gateway.soon("GATEWAY", sockets=0)  # its loop turns
            for process in (gateway, worker):
                process.process.send_signal(signal.SIGTERM)
                assert process.process.wait(WAIT_S) == 0


def can_be_bound(family, kind, address):
    try:
        with socket.socket(family, kind) as sock:
            sock.bind(address)
            return True
    except OSError as error:
        print(f"{address}: {error}")
        return False


if not can_have_names():
    sys.exit(77)
if not can_be_bound(socket.AF_INET6, socket.SOCK_STREAM, ("::1", 0)):
    del test_brokers_may_be_at_addresses_of_ipv6
if not can_be_bound(socket.AF_INET, socket.SOCK_DGRAM, ("127.53.0.1", 53)):
    del test_a_name_server_that_hangs_keeps_nobody

if __name__ == "__main__":
    run(sys.modules[__name__])
