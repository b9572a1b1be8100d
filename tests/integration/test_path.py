# SPDX-License-Identifier: MIT
"""The path of a message from client to worker and back, and what happens on
it when a worker misbehaves, dies or is not there."""
import json
import sys

import msgpack

from harness import *


def message(i=0, action="echo"):
    return json.dumps({"action": action, "i": i})


def test_messages_come_back_in_the_order_sent():
    with Hoist() as hoist:
        worker = Worker(hoist.workers, "echo")
        client = Client(hoist.address).opened()
        for i in range(200):
            client.send(message(i))
        for i in range(200):
            request = worker.get(REQUEST)
            worker.reply(request, body=request[5])
        assert [client.recv()[1].decode() for _ in range(200)] == \
            [message(i) for i in range(200)]


def test_the_worker_decides_about_the_handshake():
    with Hoist() as hoist:
        worker = Worker(hoist.workers, "$connect", "whoami")
        refused = Client(hoist.address)
        worker.reply(worker.get(REQUEST), 401, "no")
        assert refused.opened().status == 401 and refused.take(2) == b"no"
        client = Client(hoist.address, "/?name=a%20b",
                        "Sec-WebSocket-Protocol: one, two\r\n")
        request = worker.get(REQUEST)
        assert request[8]["subprotocols"] == ["one", "two"]
        assert request[8]["query"] == [["name", "a b"]]
        worker.reply(request, 200, None, {"subprotocol": "two", "user": "u1",
                                          "attributes": {"k": 1}})
        assert client.opened().status == 101
        client.send(message(action="whoami"))
        context = worker.get(REQUEST)[7]
        assert context["user"] == "u1" and context["attributes"] == {"k": 1}


def test_workers_get_valid_utf8_whatever_a_client_writes():
    """msgpack's Unpacker is strict: a str that is no UTF-8 would end a worker."""
    with Hoist() as hoist:
        worker = Worker(hoist.workers, "$connect", "echo")
        client = Client(hoist.address, "/?name=%ffJos%C3%A9",
                        "X-Latin: caf\xe9\r\nUser-Agent: \xff\xe2\x82\r\n")
        request = worker.get(REQUEST)
        assert request[8]["query"] == [["name", "\ufffdJosé"]]
        assert ["x-latin", "caf\ufffd"] in request[8]["headers"]
        worker.reply(request, 200)
        client.opened().send(message())
        assert worker.get(REQUEST)[7]["user_agent"] == "\ufffd\ufffd"


def test_no_message_reaches_the_handlers_of_the_connection_itself():
    own = ("$connect", "$disconnect", "$default", "$other")
    with Hoist() as hoist:
        worker = Worker(hoist.workers, "$connect", "$disconnect", "$default")
        client = Client(hoist.address)
        worker.reply(worker.get(REQUEST), 200)
        assert client.opened().status == 101
        for action in own:
            client.send(message(action=action))
        for action in own:
            request = worker.get(REQUEST)
            assert request[2] == MESSAGE and request[4] == "$default", request
            assert request[5] == message(action=action)
            worker.reply(request, body=action)
        assert [client.recv()[1].decode() for _ in own] == list(own)


def test_a_reserved_action_without_default_is_forbidden():
    with Hoist() as hoist:
        worker = Worker(hoist.workers, "$connect")
        client = Client(hoist.address)
        worker.reply(worker.get(REQUEST), 200)
        assert client.opened().status == 101
        client.send(message(action="$connect"))
        assert json.loads(client.recv()[1])["message"] == "Forbidden"


def test_a_disconnect_is_last_and_carries_code_and_reason():
    with Hoist() as hoist:
        worker = Worker(hoist.workers, "echo", "$disconnect")
        client = Client(hoist.address).opened()
        client.send(message())
        client.frame(8, b"\x0f\xa1why")
        first, second = worker.get(REQUEST), worker.get(REQUEST)
        assert first[2] == MESSAGE and second[2] == DISCONNECT
        assert second[8] == {"code": 4001, "reason": "why"}
        worker.reply(first)
        worker.reply(second)


def test_a_route_without_worker_goes_to_default_or_is_forbidden():
    with Hoist() as hoist:
        client = Client(hoist.address).opened()
        client.send(message())
        frame = json.loads(client.recv()[1])
        assert frame["message"] == "Forbidden"
        worker = Worker(hoist.workers, "$default")
        client.send(message())
        request = worker.get(REQUEST)
        assert request[4] == "$default"
        worker.reply(request, 200, b"\x00\x01")
        assert client.recv() == (2, b"\x00\x01")


def test_a_full_window_holds_requests_back():
    with Hoist() as hoist:
        worker = Worker(hoist.workers, "echo", window=2)
        client = Client(hoist.address).opened()
        for i in range(5):
            client.send(message(i))
        held = [worker.get(REQUEST), worker.get(REQUEST)]
        until(lambda: hoist.stats("BROKER")["waiting"] == 3, "three to wait")
        assert not worker.has(REQUEST)
        worker.reply(held[0], body="first")
        assert client.recv() == (1, b"first")
        assert worker.get(REQUEST)[5] == message(2)


def test_a_dead_worker_costs_one_error_frame_a_request():
    with Hoist() as hoist:
        worker = Worker(hoist.workers, "echo", window=2)
        client = Client(hoist.address).opened()
        for i in range(3):
            client.send(message(i))
        worker.get(REQUEST), worker.get(REQUEST)
        until(lambda: hoist.stats("BROKER")["waiting"] == 1, "one to wait")
        other = Worker(hoist.workers, "echo")
        worker.die()
        for _ in range(2):
            frame = json.loads(client.recv()[1])
            assert frame["message"] == "Internal server error"
        request = other.get(REQUEST)
        assert request[5] == message(2)
        other.reply(request, body="alive")
        assert client.recv() == (1, b"alive")


def test_a_disconnect_survives_the_death_of_its_worker():
    with Hoist() as hoist:
        worker = Worker(hoist.workers, "$disconnect")
        client = Client(hoist.address).opened()
        client.sock.close()
        assert worker.get(REQUEST)[2] == DISCONNECT
        other = Worker(hoist.workers, "$disconnect")
        worker.die()
        request = other.get(REQUEST)
        assert request[2] == DISCONNECT and request[8]["code"] == 1006
        other.reply(request)
        until(lambda: hoist.stats("BROKER")["connections"] == 0, "its end")


def test_a_passed_deadline_is_answered_and_the_late_reply_ignored():
    with Hoist("--request-timeout=200") as hoist:
        worker = Worker(hoist.workers, "echo")
        client = Client(hoist.address).opened()
        client.send(message())
        request = worker.get(REQUEST)
        assert json.loads(client.recv()[1])["message"] == \
            "Endpoint request timed out"
        worker.reply(request, body="late")
        until(lambda: hoist.stats("BROKER")["replies_late"] == 1, "its count")
        client.send(message(1))
        worker.reply(worker.get(REQUEST), body="in time")
        assert client.recv() == (1, b"in time")


def test_pushes_and_closes_reach_their_connection():
    with Hoist() as hoist:
        worker = Worker(hoist.workers, "echo", "$disconnect")
        client = Client(hoist.address).opened()
        client.send(message())
        request = worker.get(REQUEST)
        conn = request[3]
        worker.send([PUSH, ["connection", conn, "A" * 16], "hello"])
        assert client.recv() == (1, b"hello")
        assert worker.get(GONE)[1] == "A" * 16
        assert worker.get(CREDIT)[1:3] == [1, 46 + 5]
        worker.send([CLOSE, conn, 4000, "bye"])
        assert client.recv() == (8, b"\x0f\xa0bye")


def test_what_is_said_inside_connect_follows_the_101_in_order():
    with Hoist() as hoist:
        worker = Worker(hoist.workers, "$connect", "$disconnect")
        client = Client(hoist.address)
        request = worker.get(REQUEST)
        worker.send([PUSH, ["connection", request[3]], "one"],
                    [PUSH, ["connection", request[3]], b"two"])
        assert worker.get(CREDIT) and not worker.has(GONE)
        worker.reply(request, 200)
        assert client.opened().status == 101
        assert [client.recv(), client.recv()] == [(1, b"one"), (2, b"two")]
        accepted_and_closed = Client(hoist.address)
        request = worker.get(REQUEST)
        worker.send([PUSH, ["connection", request[3]], "full"],
                    [CLOSE, request[3], 4003, "come back later"],
                    [PUSH, ["connection", request[3]], "too late"])
        assert worker.get(GONE)[1] == request[3]
        worker.reply(request, 200)
        assert accepted_and_closed.opened().status == 101
        assert accepted_and_closed.recv() == (1, b"full")
        assert accepted_and_closed.recv() == (8, b"\x0f\xa3come back later")
        assert worker.get(REQUEST)[8]["code"] == 4003


def test_whom_connect_closes_is_not_listened_to():
    with Hoist() as hoist:
        worker = Worker(hoist.workers, "$connect", "$disconnect", "echo")
        client = Client(hoist.address)
        client.send(message())
        request = worker.get(REQUEST)
        worker.send([CLOSE, request[3], 4401, "log in first"],
                    [REPLY, request[1], 200, b"\xff".decode("latin-1")])
        assert client.opened().status == 101
        assert client.close_code() == 4401
        last = worker.get(REQUEST)
        assert last[2] == DISCONNECT and last[8]["code"] == 4401


def test_what_is_said_inside_a_connect_that_fails_is_gone():
    with Hoist("--out-hard=1000") as hoist:
        worker = Worker(hoist.workers, "$connect", "$disconnect")
        refused = Client(hoist.address)
        request = worker.get(REQUEST)
        worker.send([PUSH, ["connection", request[3]], "never"])
        worker.reply(request, 403)
        assert refused.opened().status == 403
        assert worker.get(GONE)[1] == request[3]
        overwhelmed = Client(hoist.address)
        request = worker.get(REQUEST)
        for _ in range(3):
            worker.send([PUSH, ["connection", request[3]], "x" * 400])
        assert overwhelmed.opened().status == 503
        for _ in range(3):
            assert worker.get(GONE)[1] == request[3]
        worker.reply(request, 200)
        assert worker.get(REQUEST)[2] == DISCONNECT


def test_foolish_replies_touch_nobody():
    with Hoist() as hoist:
        one = Worker(hoist.workers, "one")
        two = Worker(hoist.workers, "two")
        client = Client(hoist.address).opened()
        client.send(message(action="one"))
        request = one.get(REQUEST)
        two.reply(request, body="another's")
        two.reply([REQUEST, 123456789], body="unknown")
        until(lambda: hoist.stats("BROKER")["replies_unknown"] == 2, "two")
        one.reply(request, body="mine")
        one.reply(request, body="twice")
        assert client.recv() == (1, b"mine")
        until(lambda: hoist.stats("BROKER")["replies_unknown"] == 3, "three")
        client.frame(9, b"p")
        assert client.recv() == (10, b"p")


def test_each_malformed_frame_is_answered_and_the_rest_work_on():
    bad = {
        b"\xc1": "malformed",
        b"\x93\x05\xff": "malformed",
        b"\xdb\xff\xff\xff\xff": "malformed",
        b"\xdd\xff\xff\xff\xff": "malformed",
        msgpack.packb([PING]) + b"\x92\x04": "malformed",
        msgpack.packb([99, 1]): "unknown-kind",
        msgpack.packb([CREDIT, 1, 1]): "unexpected",
        msgpack.packb([READY, [], 1, 1]): "ready",
        msgpack.packb([READY, ["$other"], 1, 1]): "ready",
        msgpack.packb([READY, [str(i) for i in range(10000)], 1, 1]): "ready",
        msgpack.packb([PUSH, ["planet", "x"], "b"]): "push",
        msgpack.packb([CLOSE, "A" * 16, 1005, ""]): "close",
    }
    with Hoist() as hoist:
        bystander = Worker(hoist.workers, "echo")
        worker = Worker(hoist.workers, "other")
        for frame, code in bad.items():
            worker.send_bytes(frame)
            error = worker.get(ERROR)
            assert error[1] == code, (frame[:20], error)
        worker.sock.send_multipart([b"two", b"parts"])
        assert worker.get(ERROR)[1] == "malformed"
        for _ in range(16):
            worker.send_bytes(b"\xc1")
        worker.get(BYE)
        worker.send([PING])
        worker.get(WHO)
        client = Client(hoist.address).opened()
        client.send(message())
        bystander.reply(bystander.get(REQUEST), body="fine")
        assert client.recv() == (1, b"fine")


def test_a_draining_worker_finishes_what_it_holds():
    with Hoist() as hoist:
        old = Worker(hoist.workers, "echo")
        client = Client(hoist.address).opened()
        client.send(message(1))
        request = old.get(REQUEST)
        old.send([DRAIN])
        assert not old.has(REQUEST)
        new = Worker(hoist.workers, "echo")
        client.send(message(2))
        assert not new.has(REQUEST), "its forerunner is not answered yet"
        old.reply(request, body="old")
        new.reply(new.get(REQUEST), body="new")
        assert [client.recv()[1] for _ in range(2)] == [b"old", b"new"]
        old.send([BYE])
        until(lambda: hoist.stats("BROKER")["workers"] == 1, "it to leave")


if __name__ == "__main__":
    run(sys.modules[__name__])
