# SPDX-License-Identifier: MIT
"""A broker that speaks the protocol badly to a real gateway: it neither ends
nor closes its clients, except where PROTOCOL.md says so.  And to a real worker
on the C library: it goes on."""
import base64
import subprocess
import sys

from harness import *

FRAME_MAX = 64 << 20
LONG_MS = 100000  # a liveness: the test may be slow to speak
NOBODY = "A" * 16


def loop_of(conn):
    return int.from_bytes(base64.urlsafe_b64decode(conn)[:3], "big")


class FakeBroker:
    """A ROUTER whose every step the test decides, but for PONGs."""

    def __init__(self):
        self.sock = Peer.context.socket(zmq.ROUTER)
        self.sock.linger = 0
        self.sock.bind("tcp://127.0.0.1:*")
        self.endpoint = self.sock.last_endpoint.decode()
        self.peer = None
        self.inbox = []
        self.is_silent = False
        self.restart()

    def restart(self):
        self.boot = os.urandom(8).hex()
        self.session = 1
        self.ended = False

    def send(self, *messages):
        self.send_bytes(b"".join(msgpack.packb(message) for message in messages))

    def send_bytes(self, *parts):
        self.sock.send_multipart([self.peer, *parts])

    def pump(self, wait_ms):
        if not self.sock.poll(wait_ms):
            return
        self.peer, frame = self.sock.recv_multipart()
        unpacker = msgpack.Unpacker()
        unpacker.feed(frame)
        for message in unpacker:
            self.inbox.append(message)
            if message[0] == PING and not self.is_silent:
                self.send([PONG])

    def get(self, kind):
        """The next message of this kind; those before it are forgotten."""
        def taken():
            while self.inbox:
                message = self.inbox.pop(0)
                if message[0] == kind:
                    return message
            self.pump(50)
            return None
        return until(taken, f"a message of kind {kind}")

    def reply(self, request, status=200, body=None, options=None):
        message = [REPLY, request[1], status, body]
        self.send(message if options is None else message + [options])

    def welcome(self, version=1, liveness=LONG_MS):
        self.send([WELCOME, version, self.boot, "fake", 100, liveness,
                   {"session": self.session, "ended": self.ended, "window": 100,
                    "window_bytes": 1 << 20}])

    def list(self):
        """The whole list that follows a WELCOME: {connection: context}."""
        conns = {}
        while True:
            _, entries, more, session, _ = self.get(SYNC)
            assert session == self.session
            conns.update(entries)
            if not more:
                return conns


class Fixture:
    """A gateway that found the fake broker, and a client of it."""

    def __init__(self, liveness=LONG_MS):
        self.broker = FakeBroker()
        self.gateway = Hoist(f"--broker={self.broker.endpoint}",
                             "--drain-time=100", command="gateway",
                             finds_broker=False)
        self.broker.get(HELLO)
        self.broker.welcome(liveness=liveness)
        assert self.broker.list() == {}
        self.client = Client(self.gateway.address)
        connect = self.broker.get(REQUEST)
        assert connect[2] == CONNECT
        self.conn = connect[3]
        self.broker.reply(connect, 200, None, {"user": "u1"})
        assert self.client.opened().status == 101
        self.clients = 1

    def __enter__(self):
        return self

    def connect_anew(self):
        self.client = Client(self.gateway.address)
        request = self.broker.get(REQUEST)
        assert request[2] == CONNECT  # and no DISCONNECT of the former
        self.conn = request[3]
        self.broker.reply(request)
        assert self.client.opened().status == 101
        self.clients = 2

    def asks(self, text="hello"):
        self.client.send(text)
        request = self.broker.get(REQUEST)
        assert request[2:6] == [MESSAGE, self.conn, "$default", text]
        return request

    def goes_on(self):
        """The client was not closed, nor told anything, and is answered."""
        self.broker.reply(self.asks(), 200, "well")
        assert self.client.recv() == (1, b"well")

    def hears(self, message):
        opcode, frame = self.client.recv()
        assert opcode == 1 and f'"message": "{message}"'.encode() in frame

    def stats(self):
        return self.gateway.stats("GATEWAY")

    def __exit__(self, kind, error, trace):
        try:
            if kind is None:
                self.goes_on()
                assert self.stats()["connects"] == self.clients
        finally:
            self.gateway.__exit__(kind, error, trace)
            self.broker.sock.close()


# --- frames -------------------------------------------------------------

def malformed(at):
    return [
        b"\xc1",
        b"\x94\x05\x01",
        b"\xdd\xff\xff\xff\xff\x05",
        b"\x94\x05\x01\xcc\xc8\xc6\xff\xff\xff\xff",
        msgpack.packb("text"),
        msgpack.packb([]),
        msgpack.packb([REPLY, 1, 99, None]),
        msgpack.packb([REPLY, 1, 600, None]),
        msgpack.packb([REPLY, 1, 200, 5]),
        msgpack.packb([REPLY, 1, 200]),
        msgpack.packb([PUSH, "connection", "body"]),
        msgpack.packb([PUSH, ["connection", at.conn], None]),
        msgpack.packb([CLOSE, at.conn, 999, ""]),
        msgpack.packb([CLOSE, at.conn, 5000, ""]),
        msgpack.packb([CLOSE, at.conn, 4000, "r" * 124]),
        msgpack.packb([WELCOME, 1, "", "no boot id", 1, 1, {}]),
        msgpack.packb([WELCOME, 1, "boot", "", 1 << 31, 1, {}]),
        msgpack.packb([ERROR, "loop"]),
    ]


def test_frames_that_are_no_messages_are_counted_and_ignored():
    with Fixture() as at:
        frames = malformed(at)
        for frame in frames:
            at.broker.send_bytes(frame)
            at.goes_on()
        assert at.stats()["broker_malformed"] == len(frames)


def test_the_whole_message_before_a_broken_one_counts():
    with Fixture() as at:
        number = at.asks()[1]
        at.broker.send_bytes(msgpack.packb([REPLY, number, 200, "first"]) +
                             b"\x94\x05\x01")
        assert at.client.recv() == (1, b"first")


def test_a_message_of_several_parts_is_malformed_as_a_whole():
    with Fixture() as at:
        request = at.asks()
        whole = msgpack.packb([REPLY, request[1], 200, "of a part"])
        at.broker.send_bytes(whole, whole)
        at.broker.send_bytes(b"", whole, b"")
        at.broker.reply(request, 200, "whole")
        assert at.client.recv() == (1, b"whole")
        assert at.stats()["broker_malformed"] == 2


def test_kinds_that_are_unknown_or_not_for_gateways_are_ignored():
    with Fixture() as at:
        for message in ([99, "later"], [HELLO, 1, "gateway", "b", "", {}],
                        [READY, ["echo"], 1, 1], [GONE, at.conn, 1],
                        [CREDIT, 1, 1], [PING], [SYNC, [], False, 1],
                        [REQUEST, 1, MESSAGE, at.conn, "echo", "", 1, None,
                         None]):
            at.broker.send(message)
            at.goes_on()
        at.broker.send_bytes(b"")
        at.broker.send(*[[PONG]] * 1000)
        at.goes_on()
        assert at.stats()["broker_malformed"] == 0


def break_transport(broker):
    """With a frame that is too long; then wait for the peer to come back,
    which libzmq would not do by itself."""
    former = broker.peer
    broker.send_bytes(bytes(FRAME_MAX + 1))

    def is_another():
        broker.pump(50)
        return broker.peer != former
    until(is_another, "the peer to come back")
    broker.get(HELLO)


def test_a_frame_beyond_64_mib_costs_the_transport_and_no_client():
    with Fixture(liveness=3000) as at:
        break_transport(at.broker)
        at.broker.welcome(liveness=3000)
        assert list(at.broker.list()) == [at.conn]


# --- the greeting -------------------------------------------------------

def test_a_welcome_of_a_version_that_we_do_not_speak_is_none():
    broker = FakeBroker()
    with Hoist(f"--broker={broker.endpoint}", command="gateway",
               finds_broker=False) as gateway:
        for version in (0, 2, (1 << 64) - 1):
            broker.get(HELLO)
            broker.welcome(version=version)
        broker.get(HELLO)  # still looking for a broker
        assert "GATEWAY-BROKER-FOUND" not in gateway.log()
        broker.welcome()
        assert broker.list() == {}
        broker.welcome(version=2)  # nor one that comes late
        client = Client(gateway.address)
        broker.reply(broker.get(REQUEST))
        assert client.opened().status == 101
        client.sock.close()
        broker.reply(broker.get(REQUEST))
        until(lambda: gateway.stats("GATEWAY")["disconnects"] == 1, "its end")


def test_a_who_is_answered_with_one_greeting_and_nobody_is_closed():
    with Fixture() as at:
        for _ in range(20):
            at.broker.send(*[[WHO]] * 20)
            assert at.broker.get(HELLO)[2] == "gateway"
            at.broker.welcome()
        assert at.conn in at.broker.list()
        at.goes_on()
        at.broker.restart()
        at.broker.send([WHO])
        at.broker.get(HELLO)
        at.broker.welcome()
        assert at.broker.list()[at.conn]["user"] == "u1"


def test_a_gateway_whose_loop_is_taken_greets_with_another():
    broker = FakeBroker()
    with Hoist(f"--broker={broker.endpoint}", command="gateway",
               finds_broker=False) as gateway:
        early = Client(gateway.address)  # before it knows its loop
        loops = set()
        for _ in range(5):
            loops.add(broker.get(HELLO)[5]["loop"])
            broker.send([ERROR, "loop", "taken"])
        loop = broker.get(HELLO)[5]["loop"]
        assert len(loops | {loop}) == 6
        broker.welcome()
        request = broker.get(REQUEST)
        assert loop_of(request[3]) == loop
        broker.reply(request)
        assert early.opened().status == 101
        early.sock.close()
        broker.reply(broker.get(REQUEST))
        until(lambda: gateway.stats("GATEWAY")["disconnects"] == 1, "its end")


def test_errors_are_logged_and_change_nothing():
    with Fixture() as at:
        for code in ("malformed", "unexpected", "unknown-kind", "version",
                     "role", "loop", "close", "of a later version", ""):
            at.broker.send([ERROR, code, "text"])
            at.goes_on()


# --- replies, pushes, closes --------------------------------------------

def test_replies_to_nobody_are_counted_and_ignored():
    with Fixture() as at:
        request = at.asks()
        for number in (0, request[1] ^ 1, request[1] ^ 1 << 20,
                       request[1] ^ 1 << 40, (1 << 64) - 1):
            at.broker.send([REPLY, number, 200, "nobody's"])
        at.broker.reply(request, 200, "mine")
        at.broker.reply(request, 200, "twice")
        assert at.client.recv() == (1, b"mine")
        at.goes_on()
        assert at.stats()["replies_unknown"] == 6


def test_a_connect_whose_reply_breaks_the_rules_is_502_and_ends():
    with Fixture() as at:
        for options in ({"user": "u" * 257}, {"user": 5},
                        {"attributes": {"a": "x" * 5000}}):
            client = Client(at.gateway.address)
            connect = at.broker.get(REQUEST)
            at.broker.reply(connect, 200, None, options)
            assert client.opened().status == 502, options
            end = at.broker.get(REQUEST)
            assert end[2:4] == [DISCONNECT, connect[3]]
            assert end[8]["code"] == 1011
            at.broker.reply(end)
            at.goes_on()
        client = Client(at.gateway.address)
        at.broker.reply(at.broker.get(REQUEST), 100)
        assert client.opened().status == 502


def test_a_push_to_nobody_is_gone():
    with Fixture() as at:
        at.broker.send([PUSH, ["connection", NOBODY, at.conn, "!" * 16],
                        "a push", {"from": 77}])
        assert at.client.recv() == (1, b"a push")
        assert at.broker.get(GONE)[1:] == [NOBODY, 77]
        assert at.broker.get(GONE)[1:] == ["!" * 16, 77]
        assert at.broker.get(CREDIT)[1:] == [1, 6]


def test_a_push_to_a_target_that_is_none_is_taken_and_goes_nowhere():
    with Fixture() as at:
        targets = ([], ["connection", 5], ["connection", "short"],
                   ["planet", at.conn], [5, at.conn])
        for target in targets:
            at.broker.send([PUSH, target, "a push"])
            assert at.broker.get(CREDIT)[1:] == [1, 6], target
            at.goes_on()
        assert at.stats()["broker_malformed"] == len(targets)
        assert at.stats()["gone"] == 0


def test_a_close_with_a_code_that_is_none_closes_nobody():
    codes = (1002, 1004, 1005, 1006, 1014, 1015, 2000, 2999)
    with Fixture() as at:
        for code in codes:
            at.broker.send([CLOSE, at.conn, code, "", 77])
            at.goes_on()
        assert at.stats()["broker_malformed"] == len(codes)


def test_a_close_is_carried_out_and_one_to_nobody_is_gone():
    with Fixture() as at:
        at.broker.send([CLOSE, NOBODY, 4000, "why", 77])
        assert at.broker.get(GONE)[1:] == [NOBODY, 77]
        other = Client(at.gateway.address)
        connect = at.broker.get(REQUEST)
        at.broker.reply(connect)
        other.opened()
        at.broker.send([CLOSE, connect[3], 4000, "why", 77])
        assert other.recv() == (8, b"\x0f\xa0why")
        end = at.broker.get(REQUEST)
        assert end[2:4] == [DISCONNECT, connect[3]]
        assert end[8] == {"code": 4000, "reason": "why"}
        at.broker.send([CLOSE, connect[3], 4000, "again", 78])
        assert at.broker.get(GONE)[1:] == [connect[3], 78]
        at.broker.reply(end)
        until(lambda: at.stats()["disconnects"] == 1, "its end")
        at.clients = 2


# --- a broker that is not there -----------------------------------------

def test_a_broker_that_cannot_be_reached_is_missed():
    with Hoist("--broker=tcp://127.0.0.1:1", "--drain-time=100", command="gateway",
               finds_broker=False) as gateway:
        gateway.find("warn GATEWAY-BROKER-MISSING broker=(tcp://127.0.0.1:1) ms=3... "
                     'reason="nothing that speaks ZeroMQ can be reached"')


def test_a_broker_that_is_stopped_is_no_trouble():
    with Hoist(command="broker") as broker, \
            Hoist(f"--broker={broker.gateways}", "--admin=127.0.0.1:0", "--drain-time=100",
                  command="gateway") as gateway:
        gateway.find("(MANAGE-BROKER-UP)")
        broker.process.terminate()
        assert broker.process.wait(WAIT_S) == 0
        gateway.find("info (GATEWAY-BROKER-LEFT)")
        gateway.find("info (MANAGE-BROKER-LEFT)")
        assert "BROKER-LOST" not in gateway.log()


# --- silence ------------------------------------------------------------

def test_a_silent_broker_costs_an_error_frame_and_no_client():
    with Fixture(liveness=500) as at:
        at.broker.is_silent = True
        request = at.asks()
        at.hears("Internal server error")
        assert at.stats()["broker_lost"] >= 1
        at.broker.get(HELLO)
        at.broker.is_silent = False
        at.broker.welcome()  # the session that it had
        assert list(at.broker.list()) == [at.conn]
        at.broker.reply(request, 200, "too late")
        at.goes_on()
        assert at.stats()["replies_unknown"] == 0


def test_a_broker_that_says_bye_costs_an_error_frame_and_no_client():
    with Fixture() as at:
        at.asks()
        at.broker.send([BYE])
        at.hears("Internal server error")
        at.broker.restart()
        at.broker.get(HELLO)
        at.broker.welcome()
        assert at.broker.list()[at.conn]["user"] == "u1"


def test_a_broker_that_gave_us_up_has_ended_our_clients():
    with Fixture() as at:
        at.broker.session += 1
        at.broker.ended = True
        at.asks()
        at.broker.send([WHO])
        at.broker.get(HELLO)
        at.broker.welcome()
        assert at.broker.list() == {}
        at.hears("Internal server error")
        assert at.client.close_code() == 1012
        at.connect_anew()


def test_a_loop_that_is_taken_behind_a_restart_costs_its_clients():
    with Fixture() as at:
        at.broker.restart()
        at.broker.send([WHO])
        loop = at.broker.get(HELLO)[5]["loop"]
        at.broker.send([ERROR, "loop", "taken"])
        assert at.client.close_code() == 1012
        assert at.broker.get(HELLO)[5]["loop"] != loop
        at.broker.welcome()
        assert at.broker.list() == {}
        at.connect_anew()


# --- a worker -----------------------------------------------------------

class EchoFixture:
    """The echo of the C library, at the fake broker."""

    def __init__(self, welcomes=True):
        self.broker = FakeBroker()
        self.number = 0
        self.process = subprocess.Popen(
            [BUILD + "/workers/examples/echo", "--broker",
             self.broker.endpoint], stderr=subprocess.DEVNULL)
        assert self.broker.get(HELLO)[2] == "worker"
        if welcomes:
            self.broker.welcome()

    def __enter__(self):
        return self

    def request(self):
        self.number += 1
        return [REQUEST, self.number, MESSAGE, NOBODY, "echo",
                f"body {self.number}", 1000, {}, None, self.number]

    def goes_on(self):
        """The request is answered, and none before it."""
        self.broker.send(self.request())
        assert self.broker.get(REPLY)[1:4] == \
            [self.number, 200, f"body {self.number}"]

    def leaves(self):
        self.goes_on()
        self.process.terminate()
        self.broker.get(BYE)
        assert self.process.wait(WAIT_S) == 0

    def __exit__(self, kind, error, trace):
        try:
            if kind is None:
                self.leaves()
        finally:
            self.process.kill()
            self.process.wait()
            self.broker.sock.close()


def test_a_worker_ignores_a_message_of_several_parts():
    with EchoFixture() as at:
        whole = msgpack.packb(at.request())
        at.broker.send_bytes(whole, whole)
        at.broker.send_bytes(b"", whole, b"")
        at.goes_on()


def test_a_worker_ignores_a_welcome_of_another_version():
    with EchoFixture(welcomes=False) as at:
        for version in (0, 2, (1 << 64) - 1):
            at.broker.welcome(version=version)
            at.broker.get(HELLO)  # still looking for a broker
        at.broker.welcome()


def test_a_worker_comes_back_after_a_frame_beyond_64_mib():
    with EchoFixture(welcomes=False) as at:
        at.broker.welcome(liveness=3000)
        at.goes_on()
        break_transport(at.broker)
        at.broker.welcome(liveness=3000)


if __name__ == "__main__":
    run(sys.modules[__name__])
