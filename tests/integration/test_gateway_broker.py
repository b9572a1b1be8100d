# SPDX-License-Identifier: MIT
"""Gateways that speak the protocol badly to a broker: each gets the answer of
PROTOCOL.md, and the gateway, the worker and the client beside it go on."""
import base64
import sys

from harness import *

FRAME_MAX = 64 << 20
LOOP = 0xFA0CE  # of the gateway that the tests play


def conn_id(slot, loop=LOOP, generation=1, number=7):
    raw = loop.to_bytes(3, "big") + slot.to_bytes(3, "big") + \
        generation.to_bytes(2, "big") + number.to_bytes(4, "big")
    return base64.urlsafe_b64encode(raw).decode()


def loop_of(conn):
    return int.from_bytes(base64.urlsafe_b64decode(conn)[:3], "big")


class FakeGateway(Peer):
    """A gateway that has greeted, unless told otherwise."""

    def __init__(self, endpoint, loop=LOOP, greets=True):
        super().__init__(endpoint)
        self.hello = [HELLO, 1, "gateway", self.boot, "fake", {"loop": loop}]
        self.session = None
        if greets:
            self.greet()
            self.sync()

    def greet(self):
        self.send(self.hello)
        self.session = self.get(WELCOME)[6]["session"]

    def sync(self, *conns, more=False, session=None):
        self.send([SYNC, [[conn, {}] for conn in conns], more,
                   session or self.session])

    def request(self, number, event, conn, body=None, context=None):
        route = {CONNECT: "$connect", MESSAGE: "echo",
                 DISCONNECT: "$disconnect"}[event]
        self.send([REQUEST, number, event, conn, route, body, 29000,
                   context, None])

    def status(self, number, *request):
        """What a request of this number is answered with."""
        self.request(number, *request)
        reply = self.get(REPLY)
        assert reply[1] == number, reply
        return reply[2]

    def connect(self, slot):
        conn = conn_id(slot)
        assert self.status(slot, CONNECT, conn, None, {"ip": "::1"}) == 200
        return conn

    def error(self):
        return self.get(ERROR)[1]


class Beside:
    """A broker with a good gateway, a client of it and a good worker.  The
    fakes that a test makes may be slow to speak, so silence is borne long."""

    def __init__(self, *flags):
        self.broker = Hoist("--liveness=100000", *flags, command="broker")
        self.gateway = Hoist(f"--broker={self.broker.gateways}",
                             command="gateway")
        self.worker = Worker(self.broker.workers, "echo", "$disconnect")
        self.client = Client(self.gateway.address).opened()
        self.conn = self.goes_on()

    def __enter__(self):
        return self

    def fake(self, **how):
        return FakeGateway(self.broker.gateways, **how)

    def request(self):
        return self.worker.get(REQUEST)

    def goes_on(self):
        """The bystander's message is answered; its connection id."""
        self.client.send('{"action":"echo"}')
        request = self.request()
        assert request[2] == MESSAGE, request
        self.worker.reply(request, body="well")
        assert self.client.recv() == (1, b"well")
        return request[3]

    def assert_ended(self, *conns, code=1006, reason="gateway lost"):
        """The worker hears once of the end of each."""
        ended = [self.request() for _ in conns]
        assert sorted(end[3] for end in ended) == sorted(conns), ended
        for end in ended:
            assert end[2] == DISCONNECT
            assert end[8] == {"code": code, "reason": reason}, end
            self.worker.reply(end)
        assert not self.worker.has(REQUEST)

    def stats(self):
        return self.broker.stats("BROKER")

    def __exit__(self, kind, error, trace):
        try:
            if kind is None:
                self.goes_on()
                self.client.sock.close()
                self.worker.reply(self.request())  # else the gateway waits
        finally:
            self.gateway.__exit__(kind, error, trace)
            self.broker.__exit__(kind, error, trace)


# --- frames -------------------------------------------------------------

MALFORMED = [
    b"\xc1",                           # no msgpack
    b"\x99\x04\x01",                   # truncated
    b"\xdd\xff\xff\xff\xff\x04",       # an array of 4 Gi
    b"\x92\x12\xdd\xff\xff\xff\xff",   # a list of 4 Gi
    b"\x92\x04\xc6\xff\xff\xff\xff",   # 4 GiB of bytes
    msgpack.packb({"kind": REQUEST}),
    msgpack.packb([]),
    msgpack.packb([256]),
    msgpack.packb([HELLO, 1, "gateway", "", "no boot id", {"loop": LOOP}]),
    msgpack.packb([SYNC, []]),
    msgpack.packb([CREDIT, -1, 0]),
] + [
    msgpack.packb([REQUEST, 1, *fields]) for fields in (
        (9, conn_id(1), "echo", "", 1, None, None),
        (MESSAGE, "A" * 15, "echo", "", 1, None, None),
        (MESSAGE, conn_id(1), "", "", 1, None, None),
        (MESSAGE, conn_id(1), "e" * 129, "", 1, None, None),
        (MESSAGE, conn_id(1), "echo", 5, 1, None, None),
        (MESSAGE, conn_id(1), "echo", "", 1 << 31, None, None),
        (CONNECT, conn_id(1), "$connect", None, 1, {"a": "x" * 8192}, None),
        (CONNECT, conn_id(1), "$connect", None, 1, {}, {"a": "x" * 65536}),
        (MESSAGE, conn_id(1), "echo", ""),
    )
]


def test_frames_that_are_no_messages_are_malformed():
    with Beside() as at:
        for frame in MALFORMED:
            fake = at.fake()
            fake.send_bytes(frame)
            assert fake.error() == "malformed", frame[:40]
            assert not fake.has(REPLY), frame[:40]
            at.goes_on()
            fake.send([BYE])
        assert at.stats()["malformed"] == len(MALFORMED)


def test_a_message_of_several_parts_is_malformed():
    with Beside() as at:
        fake = at.fake()
        whole = msgpack.packb([REQUEST, 1, CONNECT, conn_id(1), "$connect",
                               None, 1000, {}, None])
        fake.sock.send_multipart([whole, whole])
        assert fake.error() == "malformed"
        assert not fake.has(REPLY)


def test_the_whole_message_before_a_broken_one_counts():
    with Beside() as at:
        fake = at.fake()
        fake.send_bytes(msgpack.packb([REQUEST, 5, CONNECT, conn_id(1),
                                       "$connect", None, 1000, {}, None]) +
                        b"\x99\x04\x01")
        assert fake.get(REPLY)[1:3] == [5, 200]
        assert fake.error() == "malformed"
        at.goes_on()
        fake.send([BYE])
        at.assert_ended(conn_id(1))


def test_an_unknown_kind_is_skipped_and_the_rest_of_its_frame_counts():
    with Beside() as at:
        fake = at.fake()
        fake.send([99, "of a later version", {}], [PING])
        assert fake.error() == "unknown-kind"
        fake.get(PONG)


def test_what_a_gateway_may_not_say_is_unexpected():
    with Beside() as at:
        fake = at.fake()
        for message in ([READY, ["echo"], 1, 1024], [REPLY, 1, 200, "body"],
                        [PUSH, ["connection", at.conn], "body"],
                        [CLOSE, at.conn, 4000, "why"], [PONG], [WHO],
                        [WELCOME, 1, "b", "", 1000, 3500, {}]):
            fake.send(message)
            assert fake.error() == "unexpected", message
            at.goes_on()


def test_a_frame_beyond_64_mib_ends_its_transport_and_nothing_else():
    with Beside() as at:
        fake = at.fake()
        conn = fake.connect(1)
        fake.send_bytes(bytes(FRAME_MAX + 1))
        fake.get_who()
        at.assert_ended(conn)
        former = fake.session
        fake.greet()
        assert fake.session != former
        at.goes_on()


# --- below the protocol: bytes on the broker's port ---------------------

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + \
    b"\0" + bytes(31)
DEALER_READY = b"\x04\x26\x05READY\x0bSocket-Type\0\0\0\x06DEALER" \
    b"\x08Identity\0\0\0\0"


def knock(at, data):
    host, port = at.broker.gateways.removeprefix("tcp://").rsplit(":", 1)
    sock = socket.create_connection((host, int(port)), WAIT_S)
    sock.sendall(data)
    return sock


def ends(sock):
    try:
        while sock.recv(65536):
            pass
    except ConnectionError:
        pass
    return True


def test_a_length_of_4_gib_on_the_wire_ends_that_transport():
    with Beside() as at:
        for length in (FRAME_MAX + 1, 1 << 32, (1 << 63) - 1, (1 << 64) - 1):
            with knock(at, GREETING + DEALER_READY + b"\x02" +
                       struct.pack(">Q", length) + b"x" * 100) as sock:
                assert ends(sock)
            at.goes_on()


def test_bytes_that_are_no_zmtp_reach_nobody():
    with Beside() as at:
        junk = [b"GET / HTTP/1.1\r\nHost: t\r\n\r\n", b"\x16\x03\x01\x02\x00",
                b"\0" * 1000, b"\xff" * 1000, GREETING[:20],
                GREETING + b"\x06\x03\x01\x02\x03",
                GREETING + DEALER_READY[:10]]
        for data in junk:
            with knock(at, data):
                at.goes_on()
        assert at.stats()["gateways"] == 1


# --- the greeting -------------------------------------------------------

def test_who_speaks_before_it_greets_is_asked_who_it_is():
    with Beside() as at:
        fake = at.fake(greets=False)
        fake.request(1, CONNECT, conn_id(1))
        fake.get(WHO)
        fake.greet()
        fake.sync()
        assert not fake.has(REPLY)
        assert at.stats()["connections"] == 1  # the bystander's


def test_a_greeting_that_breaks_the_rules_has_its_error():
    with Beside() as at:
        fake = at.fake(greets=False)
        taken = loop_of(at.conn)
        for code, version, role, options in (
                ("version", 0, "gateway", {"loop": LOOP}),
                ("role", 1, "worker", {"loop": LOOP}),
                ("role", 1, "broker", {"loop": LOOP}),
                ("loop", 1, "gateway", {}),
                ("loop", 1, "gateway", {"loop": 1 << 24}),
                ("loop", 1, "gateway", {"loop": -1}),
                ("loop", 1, "gateway", {"loop": "text"}),
                ("loop", 1, "gateway", {"loop": taken})):
            fake.send([HELLO, version, role, fake.boot, "fake", options])
            assert fake.error() == code, (version, role, options)
            at.goes_on()
        fake.get_who()
        fake.greet()
        assert at.stats()["gateways"] == 2


def test_a_later_version_is_answered_with_the_one_that_both_speak():
    with Beside() as at:
        fake = at.fake(greets=False)
        fake.send([HELLO, 9, "gateway", fake.boot, "fake", {"loop": LOOP}])
        assert fake.get(WELCOME)[1] == 1


# --- the list -----------------------------------------------------------

def test_a_list_ends_what_it_does_not_name():
    with Beside() as at:
        fake = at.fake(greets=False)
        fake.greet()
        fake.sync(conn_id(2))
        early = fake.connect(1)
        fake.sync(conn_id(2))  # does not name the other
        at.assert_ended(early, reason="unknown to its gateway")
        fake.sync(conn_id(2), more=True)
        fake.sync(conn_id(3))  # not the first list: it makes nobody known
        assert fake.status(4, MESSAGE, conn_id(3)) == 500
        fake.sync()
        at.assert_ended(conn_id(2), reason="unknown to its gateway")


def test_a_list_for_another_session_is_ignored():
    with Beside() as at:
        fake = at.fake(greets=False)
        fake.greet()
        fake.sync(conn_id(1), session=fake.session + 1)
        fake.request(2, MESSAGE, conn_id(1), "of that session, and ignored")
        assert not fake.has(ERROR) and not fake.has(REPLY)
        fake.sync(conn_id(1))
        fake.request(3, MESSAGE, conn_id(1), "of the list")
        request = at.request()
        assert request[3] == conn_id(1) and request[5] == "of the list"
        at.worker.reply(request, 204)
        assert fake.get(REPLY)[1:3] == [3, 204]
        fake.sync(session=fake.session + 1)  # nor does it end anybody
        at.worker.send([PUSH, ["connection", conn_id(1)], "still there"])
        assert fake.get(PUSH)[2] == "still there"
        fake.send([BYE])
        at.assert_ended(conn_id(1))


def test_lists_that_break_the_rules_are_malformed():
    with Beside() as at:
        fake = at.fake(greets=False)
        fake.greet()
        for entry in (["!" * 16, {}], ["short", {}], [5, {}], [conn_id(1)],
                      [conn_id(1, loop=LOOP + 1), {}], [at.conn, {}],
                      [conn_id(1), None], [conn_id(1), "map"],
                      [conn_id(1), {"a": "x" * 8192}], conn_id(1), [], None):
            fake.send([SYNC, [entry], False, fake.session])
            assert fake.error() == "malformed", entry
            at.goes_on()


def test_of_a_list_with_a_wrong_line_the_others_count():
    with Beside() as at:
        fake = at.fake(greets=False)
        fake.greet()
        fake.send([SYNC, [["short", {}], [conn_id(1), {}], 5,
                          [conn_id(1, number=8), {}],  # in the same slot
                          [conn_id(2), {}]], False, fake.session])
        assert fake.error() == "malformed"
        for number, slot in enumerate((1, 2)):
            fake.request(number, MESSAGE, conn_id(slot), "here")
            at.worker.reply(at.request(), 204)
            assert fake.get(REPLY)[1:3] == [number, 204]
        fake.sync()
        ended = {at.worker.get(REQUEST)[3] for _ in range(2)}
        assert ended == {conn_id(1), conn_id(2)}
        assert at.stats()["connections"] == 1


# --- requests, credit, farewells ----------------------------------------

def test_requests_of_connections_that_are_none_have_their_status():
    with Beside() as at:
        fake = at.fake()
        conn = fake.connect(1)
        for status, event, whose in (
                (400, CONNECT, "!" * 16), (400, CONNECT, at.conn),
                (400, MESSAGE, at.conn), (400, DISCONNECT, at.conn),
                (500, CONNECT, conn), (500, CONNECT, conn_id(1, number=8)),
                (500, MESSAGE, conn_id(2)), (200, DISCONNECT, conn_id(2)),
                (200, DISCONNECT, conn_id(0xffffff))):
            assert fake.status(9, event, whose) == status, (event, whose)
            at.goes_on()
        fake.request(10, DISCONNECT, conn)
        at.worker.reply(at.request())
        assert fake.get(REPLY)[1:3] == [10, 200]
        assert fake.status(11, DISCONNECT, conn) == 200
        assert not at.worker.has(REQUEST)


def test_two_requests_of_one_number_have_each_their_reply():
    with Beside() as at:
        fake = at.fake()
        conn = fake.connect(1)
        fake.request(7, MESSAGE, conn, "first")
        fake.request(7, MESSAGE, conn, "second")
        for body in ("first", "second"):
            request = at.request()
            assert request[5] == body
            at.worker.reply(request, body=body)
        assert [fake.get(REPLY) for _ in range(2)] == \
            [[REPLY, 7, 200, "first"], [REPLY, 7, 200, "second"]]
        assert not fake.has(REPLY)
        fake.send([BYE])
        at.assert_ended(conn)


def test_requests_beyond_the_window_are_429():
    with Beside("--gateway-window=2") as at:
        fake = at.fake()
        conn = fake.connect(1)
        for number in range(4):
            fake.request(number, MESSAGE, conn, "held")
        assert sorted(fake.get(REPLY)[1:3] for _ in range(2)) == \
            [[2, 429], [3, 429]]
        held = [at.request(), at.request()]
        at.goes_on()
        for request in held:
            at.worker.reply(request)
        assert [fake.get(REPLY)[1:3] for _ in range(2)] == [[0, 200], [1, 200]]
        assert at.stats()["over_window"] == 2
        fake.send([BYE])
        at.assert_ended(conn)


def test_gone_and_credit_out_of_thin_air_change_nothing():
    with Beside() as at:
        fake = at.fake()
        for sender in (0, 1 << 40, (1 << 64) - 1):
            fake.send([GONE, conn_id(1), sender], [GONE, at.conn, sender])
        fake.send([GONE, "A" * 16], [CREDIT, 0, 0], [CREDIT, 5, 1 << 40],
                  [CREDIT, (1 << 64) - 1, (1 << 64) - 1])
        assert not fake.has(ERROR)
        assert not at.worker.has(GONE) and not at.worker.has(CREDIT)
        at.worker.send([PUSH, ["connection", at.conn], "a push"])
        assert at.client.recv() == (1, b"a push")
        assert at.worker.get(CREDIT)[1:3] == [1, 29 + 6]


def test_more_credit_than_pushes_gives_back_no_more_than_was_spent():
    with Beside() as at:
        fake = at.fake()
        conn = fake.connect(1)
        at.worker.send([PUSH, ["connection", conn, at.conn], "to both"])
        assert at.client.recv() == (1, b"to both")
        assert fake.get(PUSH)[1] == ["connection", conn]
        assert not at.worker.has(CREDIT)  # one of the two has not taken it
        fake.send([CREDIT, 1000, 1 << 30])
        assert at.worker.get(CREDIT)[1:3] == [1, 46 + 7]
        assert not at.worker.has(CREDIT)
        fake.send([BYE])
        at.assert_ended(conn)


def test_sixteen_faults_within_ten_seconds_end_the_gateway():
    with Beside() as at:
        fake = at.fake()
        conns = [fake.connect(slot) for slot in (1, 2, 3)]
        for _ in range(15):
            fake.send_bytes(b"\xc1")
            assert fake.error() == "malformed"
        assert not fake.has(BYE)
        fake.send_bytes(b"\xc1")
        assert fake.error() == "malformed"
        fake.get(BYE)
        at.assert_ended(*conns)
        assert at.stats()["gateways"] == 1
        fake.get_who()
        former = fake.session
        fake.greet()
        assert fake.session != former
        fake.sync()
        assert fake.connect(1) == conns[0]
        fake.send([BYE])
        at.assert_ended(conns[0])


if __name__ == "__main__":
    run(sys.modules[__name__])
