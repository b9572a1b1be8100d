#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Write messages.json: frames as hex, and what a decoder makes of them.

usage: make.py > messages.json        (needs python3-msgpack)

A vector has:
  name      a sentence
  frame     the bytes of one ZeroMQ message, in hex
  messages  what is to be handled, in order, with the fields of PROTOCOL.md
            section 3 by name; one that is left out or nil has its default
  reject    absent, or why the rest of the frame is malformed

Values: a str is a JSON string, bin is {"bin": hex}, a number above 2^53 a
string of its digits.  A message of an unknown kind is {"unknown": kind}.
Written by hand, message for message, so that it says the same thing twice.
"""
import json
import msgpack

CONN = "AQIDBAUGBwgJCgsM"
vectors = []


def pack(*values):
    return b"".join(msgpack.packb(v) for v in values)


def accept(name, frame, *messages):
    vectors.append({"name": name, "frame": frame.hex(), "messages": list(messages)})


def reject(name, why, frame, *messages):
    vectors.append({"name": name, "frame": frame.hex(),
                    "messages": list(messages), "reject": why})


def message(kind, **fields):
    if kind == "REQUEST":
        fields.setdefault("traceparent", "")  # last; few have one
    return {"kind": kind, **fields}


def array(count, *parts):
    """An array head and ready-made bytes, for what packb would not write."""
    return bytes([0x90 | count]) + b"".join(parts)


def reply(id=1, status=200, body=None, options=None):
    return message("REPLY", id=id, status=status, body=body, options=options or {})


def greetings():
    accept("a worker greets",
           pack([1, 1, "worker", "00112233aabbccdd", "echo.py", {}]),
           message("HELLO", version=1, role="worker", boot="00112233aabbccdd",
                   name="echo.py", options={}))
    accept("a gateway greets with its loop number",
           pack([1, 1, "gateway", "b", "", {"loop": 66051, "require_connect": True}]),
           message("HELLO", version=1, role="gateway", boot="b", name="",
                   options={"loop": 66051, "require_connect": True}))
    accept("a manager greets", pack([1, 1, "manager", "b", "serve", {}]),
           message("HELLO", version=1, role="manager", boot="b", name="serve", options={}))
    accept("one of a process that is several workers greets",
           pack([1, 1, "worker", "b", "crew/2", {"process": "0123456789abcdef"}]),
           message("HELLO", version=1, role="worker", boot="b", name="crew/2",
                   options={"process": "0123456789abcdef"}))
    accept("a HELLO without options", pack([1, 2, "worker", "b" * 32, "n" * 64]),
           message("HELLO", version=2, role="worker", boot="b" * 32, name="n" * 64,
                   options={}))
    accept("a peer that speaks two later versions greets",
           pack([1, 3, "worker", "b", "", {"oldest": 2, "later": [1]}]),
           message("HELLO", version=3, role="worker", boot="b", name="",
                   options={"oldest": 2, "later": [1]}))
    accept("a HELLO whose options are nil", pack([1, 1, "worker", "b", "", None]),
           message("HELLO", version=1, role="worker", boot="b", name="", options={}))
    accept("a broker welcomes a worker",
           pack([2, 1, "cafe", "broker-1", 1000, 3500,
                 {"push_window": 10000, "push_window_bytes": 33554432}]),
           message("WELCOME", version=1, boot="cafe", name="broker-1",
                   heartbeat_ms=1000, liveness_ms=3500,
                   options={"push_window": 10000, "push_window_bytes": 33554432}))
    accept("READY with a plain route and one with options",
           pack([3, ["echo", ["$default", {"later": [1]}]], 64, 1048576]),
           message("READY", routes=["echo", ["$default", {"later": [1]}]],
                   window=64, window_bytes=1048576))
    accept("READY with numbers in the signed formats",
           array(4, b"\xd0\x03", pack(["echo"]), b"\xd1\x03\xe8", b"\xd3" + bytes(5) + b"\x10\0\0"),
           message("READY", routes=["echo"], window=1000, window_bytes=1048576))
    accept("two messages in a frame", pack([21], [20]),
           message("WHO"), message("BYE"))
    accept("an empty frame", b"")


def requests():
    accept("a CONNECT",
           pack([4, 7, 1, CONN, "$connect", None, 29000,
                 {"ip": "127.0.0.1", "connected_at": 1767225600000},
                 {"path": "/", "query": [["a", "1"], ["a", "2"]],
                  "headers": [["host", "example.org"]], "subprotocols": ["chat"]}, 9]),
           message("REQUEST", id=7, event=1, connection=CONN, route="$connect", body=None,
                   deadline_ms=29000,
                   context={"ip": "127.0.0.1", "connected_at": 1767225600000},
                   details={"path": "/", "query": [["a", "1"], ["a", "2"]],
                            "headers": [["host", "example.org"]], "subprotocols": ["chat"]},
                   number=9, attempt=0))
    accept("a MESSAGE with the largest id and number",
           pack([4, 2**64 - 1, 2, CONN, "echo", "h\u00e9llo", 0, {"user": "ada"}, None, 2**63]),
           message("REQUEST", id=str(2**64 - 1), event=2, connection=CONN, route="echo",
                   body="h\u00e9llo", deadline_ms=0, context={"user": "ada"}, details=None,
                   number=str(2**63), attempt=0))
    accept("a binary MESSAGE without a number",
           pack([4, 1, 2, CONN, "r" * 128, b"\x00\xff", 2147483647, None, None]),
           message("REQUEST", id=1, event=2, connection=CONN, route="r" * 128,
                   body={"bin": "00ff"}, deadline_ms=2147483647, context=None,
                   details=None, number=0, attempt=0))
    accept("a MESSAGE that is given for the second time",
           pack([4, 1, 2, CONN, "echo", "again", 1, None, None, 3, 2]),
           message("REQUEST", id=1, event=2, connection=CONN, route="echo", body="again",
                   deadline_ms=1, context=None, details=None, number=3, attempt=2))
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    accept("a MESSAGE with a place in a trace",
           pack([4, 1, 2, CONN, "echo", "x", 1, None, None, 3, 0, parent]),
           message("REQUEST", id=1, event=2, connection=CONN, route="echo", body="x",
                   deadline_ms=1, context=None, details=None, number=3, attempt=0,
                   traceparent=parent))
    accept("a MESSAGE whose traceparent is none",
           pack([4, 1, 2, CONN, "echo", "x", 1, None, None, 3, 2, "", "more"]),
           message("REQUEST", id=1, event=2, connection=CONN, route="echo", body="x",
                   deadline_ms=1, context=None, details=None, number=3, attempt=2,
                   traceparent=""))
    accept("an empty text is a body",
           pack([4, 1, 2, CONN, "echo", "", 1, None, None, 0]),
           message("REQUEST", id=1, event=2, connection=CONN, route="echo", body="",
                   deadline_ms=1, context=None, details=None, number=0, attempt=0))
    accept("a DISCONNECT",
           pack([4, 8, 3, CONN, "$disconnect", None, 29000, {},
                 {"code": 1006, "reason": "gateway lost"}, 0]),
           message("REQUEST", id=8, event=3, connection=CONN, route="$disconnect",
                   body=None, deadline_ms=29000, context={},
                   details={"code": 1006, "reason": "gateway lost"}, number=0, attempt=0))
    accept("a PRESENCE", pack([4, 9, 4, CONN, "$presence", None, 29000, {},
                               {"joined": ["den"], "left": ["attic", "hall"]}, 5]),
           message("REQUEST", id=9, event=4, connection=CONN, route="$presence",
                   body=None, deadline_ms=29000, context={},
                   details={"joined": ["den"], "left": ["attic", "hall"]}, number=5,
                   attempt=0))
    accept("a REPLY without options", pack([5, 1, 200, "hi"]), reply(body="hi"))
    accept("a REPLY that refuses", pack([5, 1, 599, None, None]), reply(status=599))
    options = {"subprotocol": "chat", "headers": [["x-a", "b"]], "user": "ada",
               "tenant": "t", "attributes": {"deep": {"er": True}}}
    accept("a REPLY to a CONNECT", pack([5, 1, 200, None, options]), reply(options=options))


def the_rest():
    accept("a PUSH", pack([6, ["connection", CONN, CONN], b"\x01"]),
           message("PUSH", target=["connection", CONN, CONN], body={"bin": "01"}, options={}))
    accept("a PUSH from a broker", pack([6, ["connection", CONN], "x", {"from": 3}]),
           message("PUSH", target=["connection", CONN], body="x", options={"from": 3}))
    accept("PUSHes by name, with all that may be asked for",
           pack([6, ["user", "ada"], "x", {"except": [CONN], "ack": 7, "ttl": 500}],
                [6, ["tenant", "t"], "x"], [6, ["group", "g"], "x"], [6, ["all"], "x"]),
           message("PUSH", target=["user", "ada"], body="x",
                   options={"except": [CONN], "ack": 7, "ttl": 500}),
           message("PUSH", target=["tenant", "t"], body="x", options={}),
           message("PUSH", target=["group", "g"], body="x", options={}),
           message("PUSH", target=["all"], body="x", options={}))
    accept("PUSHED", pack([7, 2**64 - 1, 3, 2, 1]),
           message("PUSHED", id=str(2**64 - 1), delivered=3, gone=2, refused=1))
    accept("JOIN and LEAVE, to a broker and to a gateway",
           pack([8, "g" * 128, CONN], [8, "g", CONN, 3], [9, "g", CONN], [9, "g", "bob", 3]),
           message("JOIN", group="g" * 128, connection=CONN, **{"from": 0}),
           message("JOIN", group="g", connection=CONN, **{"from": 3}),
           message("LEAVE", group="g", connection=CONN, **{"from": 0}),
           message("LEAVE", group="g", connection="bob", **{"from": 3}))
    accept("INTEREST as a list in two parts, and as changes",
           pack([23, 0, [["user", "ada"], ["group", "g"]], True, 7], [23, 0, [], False, 7],
                [23, 1, [["tenant", "t"]]], [23, 2, [["tenant", "t"]], False]),
           message("INTEREST", change=0, names=[["user", "ada"], ["group", "g"]], more=True,
                   session=7),
           message("INTEREST", change=0, names=[], more=False, session=7),
           message("INTEREST", change=1, names=[["tenant", "t"]], more=False, session=0),
           message("INTEREST", change=2, names=[["tenant", "t"]], more=False, session=0))
    accept("WATCH", pack([24, True], [24, False]), message("WATCH", presence=True),
           message("WATCH", presence=False))
    accept("a CLOSE without from", pack([10, CONN, 1000, "bye"]),
           message("CLOSE", connection=CONN, code=1000, reason="bye", **{"from": 0}))
    accept("a CLOSE at its limits", pack([10, CONN, 4999, "r" * 123, 5]),
           message("CLOSE", connection=CONN, code=4999, reason="r" * 123, **{"from": 5}))
    accept("GONE to a worker and to a broker", pack([11, CONN], [11, CONN, 3]),
           message("GONE", connection=CONN, **{"from": 0}),
           message("GONE", connection=CONN, **{"from": 3}))
    accept("GONE of what was no id at all", pack([11, "bob"]),
           message("GONE", connection="bob", **{"from": 0}))
    accept("a QUERY for a page of a user's connections, and one without options",
           pack([12, 7, ["user", "ada"], {"limit": 10, "cursor": "c1"}], [12, 2**64 - 1, ["count"]]),
           message("QUERY", id=7, what=["user", "ada"], options={"limit": 10, "cursor": "c1"}),
           message("QUERY", id=str(2**64 - 1), what=["count"], options={}))
    accept("its RESULT, and that of one which failed",
           pack([13, 7, 200, [[CONN, {"user": "ada"}]], {"cursor": "c2"}], [13, 8, 503, []]),
           message("RESULT", id=7, status=200, rows=[[CONN, {"user": "ada"}]],
                   options={"cursor": "c2"}),
           message("RESULT", id=8, status=503, rows=[], options={}))
    accept("a QUERY for what the gateway knows of a connection, and its RESULT",
           pack([12, 8, ["connection", CONN], {"live": True}],
                [13, 8, 200, [[CONN, {"user": "ada", "last_active_at": 1767225600000}]]]),
           message("QUERY", id=8, what=["connection", CONN], options={"live": True}),
           message("RESULT", id=8, status=200,
                   rows=[[CONN, {"user": "ada", "last_active_at": 1767225600000}]], options={}))
    accept("a QUERY for a page of a group's members and for their number, and the RESULTs",
           pack([12, 9, ["group", "den"], {"limit": 2, "cursor": "65.7.3"}],
                [12, 10, ["group", "den"], {"count": True}],
                [13, 9, 200, [[CONN, {}]], {"cursor": "65.8.1"}], [13, 10, 200, [], {"count": 3}]),
           message("QUERY", id=9, what=["group", "den"],
                   options={"limit": 2, "cursor": "65.7.3"}),
           message("QUERY", id=10, what=["group", "den"], options={"count": True}),
           message("RESULT", id=9, status=200, rows=[[CONN, {}]], options={"cursor": "65.8.1"}),
           message("RESULT", id=10, status=200, rows=[], options={"count": 3}))
    accept("CREDIT", pack([15, 2, 70000]), message("CREDIT", messages=2, bytes=70000))
    accept("PING of four lengths", pack([16], [16, 3], [16, 3, 250], [16, 3, 250, 9]),
           message("PING", in_flight=0, oldest_ms=0, number=0),
           message("PING", in_flight=3, oldest_ms=0, number=0),
           message("PING", in_flight=3, oldest_ms=250, number=0),
           message("PING", in_flight=3, oldest_ms=250, number=9))
    accept("PONG with and without the number of its PING", pack([17], [17, 9]),
           message("PONG", number=0), message("PONG", number=9))
    accept("DRAIN, BYE and WHO", pack([19], [20], [21]),
           message("DRAIN"), message("BYE"), message("WHO"))
    accept("SYNC in two parts, the second of which does not say its session",
           pack([18, [[CONN, {"user": "ada"}]], True, 7], [18, [], False]),
           message("SYNC", connections=[[CONN, {"user": "ada"}]], more=True, session=7, change=0),
           message("SYNC", connections=[], more=False, session=0, change=0))
    accept("SYNC of connections that come from another broker and of one that goes there",
           pack([18, [[CONN, {"user": "ada"}]], False, 7, 1], [18, [[CONN, {}]], False, 7, 2]),
           message("SYNC", connections=[[CONN, {"user": "ada"}]], more=False, session=7, change=1),
           message("SYNC", connections=[[CONN, {}]], more=False, session=7, change=2))
    accept("ERROR", pack([22, "push-window", "t" * 256]),
           message("ERROR", code="push-window", text="t" * 256, **{"from": 0}))
    accept("ERROR of a gateway", pack([22, "groups", "too many", 3]),
           message("ERROR", code="groups", text="too many", **{"from": 3}))


def newer_versions():
    accept("elements of a newer version are ignored",
           pack([17, 9, {"new": [None, 1.5, -3]}], [15, 1, 2, "three"]),
           message("PONG", number=9), message("CREDIT", messages=1, bytes=2))
    accept("an ext behind the known elements is ignored",
           array(6, b"\x05", b"\x01", b"\xcc\xc8", b"\xc0", b"\x80", b"\xd4\x01\x00"),
           reply())
    accept("an unknown kind is skipped",
           pack([25, {"deep": [[["er"]]]}], [17]), {"unknown": 25}, message("PONG", number=0))
    accept("the largest kind", pack([255]), {"unknown": 255})
    accept("numbers wider than they need be",
           array(3, b"\xce\x00\x00\x00\x0f", b"\xcf" + bytes(7) + b"\x02", b"\xcd\x00\x03"),
           message("CREDIT", messages=2, bytes=3))
    accept("heads wider than they need be",
           b"\xdd\x00\x00\x00\x04\x05\x01\xcc\xc8\xdb\x00\x00\x00\x02hi", reply(body="hi"))


def malformed_frames():
    reject("no array", "a message is an array", b"\x05")
    reject("an empty array", "a message has a kind", b"\x90")
    reject("a kind above 255", "a kind is at most 255", pack([256]))
    reject("a negative kind", "a kind is a uint", pack([-1]))
    reject("a kind that is a float", "a kind is a uint", pack([5.0, 1, 200, "hi"]))
    reject("the byte that MessagePack never uses", "not MessagePack", b"\xc1")
    reject("a truncated message", "the frame ends inside a message", pack([5, 1, 200, "hi"])[:-1])
    reject("the second of two is broken", "the frame ends inside a message",
           pack([17], [15, 1, 2])[:-1], message("PONG", number=0))
    reject("a byte behind the last message", "a message is an array",
           pack([17]) + b"\x00", message("PONG", number=0))
    reject("an array of 2^32 - 1 elements", "a count above the bytes left", b"\xdd\xff\xff\xff\xff\x05")
    reject("an array of 2^26 elements", "a count above the bytes left", b"\xdd\x04\x00\x00\x00\x11")
    reject("a body of 4 GiB", "a length above the bytes left",
           array(4, b"\x05", b"\x01", b"\xcc\xc8", b"\xc6\xff\xff\xff\xff"))
    reject("an unknown kind that is truncated", "the frame ends inside a message",
           b"\x93\x18\x01")


def malformed_fields():
    reject("HELLO with three fields", "too few fields", pack([1, 1, "worker", "b"]))
    reject("HELLO with an empty boot id", "a boot id has 1 to 32 bytes", pack([1, 1, "worker", "", "n"]))
    reject("HELLO with a boot id of 33 bytes", "a boot id has 1 to 32 bytes",
           pack([1, 1, "worker", "b" * 33, "n"]))
    reject("HELLO with a name of 65 bytes", "a name has at most 64 bytes",
           pack([1, 1, "worker", "b", "n" * 65]))
    reject("HELLO whose boot id is binary", "a boot id is a str", pack([1, 1, "worker", b"b", "n"]))
    reject("HELLO whose options are an array", "options are a map", pack([1, 1, "worker", "b", "n", []]))
    reject("WELCOME with an empty boot id", "a boot id has 1 to 32 bytes",
           pack([2, 1, "", "n", 1000, 3500, {}]))
    reject("READY whose routes are a str", "routes are an array", pack([3, "echo", 1, 1]))
    reject("READY with a negative window", "a window is a uint", pack([3, ["echo"], -1, 1]))

    def request(event=2, conn=CONN, route="echo", body="x", deadline=1, context=None, details=None,
                traceparent=""):
        return pack([4, 1, event, conn, route, body, deadline, context, details, 1, 0,
                     traceparent])
    reject("REQUEST with event 0", "an event is 1 to 4", request(event=0))
    reject("REQUEST with event 5", "an event is 1 to 4", request(event=5))
    reject("REQUEST with a connection of 15 characters", "a connection id has 16 characters",
           request(conn=CONN[:-1]))
    reject("REQUEST with an empty route", "a route key has 1 to 128 bytes", request(route=""))
    reject("REQUEST with a route of 129 bytes", "a route key has 1 to 128 bytes",
           request(route="r" * 129))
    reject("REQUEST whose body is a number", "a body is str, bin or nil", request(body=5))
    reject("REQUEST with a deadline above 2^31 - 1", "a deadline is at most 2147483647",
           request(deadline=2**31))
    reject("REQUEST with a context above 8192 bytes", "a context has at most 8192 bytes",
           request(context={"user": "u" * 8184}))
    reject("REQUEST with a traceparent of 56 bytes", "a traceparent has at most 55 bytes",
           request(traceparent="0" * 56))
    reject("REQUEST whose traceparent is a number", "a traceparent is a str",
           request(traceparent=0))
    reject("REQUEST without details", "too few fields", pack([4, 1, 2, CONN, "echo", "x", 1, None]))
    reject("REPLY with status 99", "a status is 100 to 599", pack([5, 1, 99, None]))
    reject("REPLY with status 600", "a status is 100 to 599", pack([5, 1, 600, None]))
    reject("REPLY whose id is text", "an id is a uint", pack([5, "1", 200, None]))
    reject("REPLY without a body", "too few fields", pack([5, 1, 200]))
    reject("PUSH without a body", "a PUSH needs a body", pack([6, ["connection", CONN], None]))
    reject("PUSH whose target is a str", "a target is an array", pack([6, CONN, "x"]))
    reject("PUSHED with three counts missing", "too few fields", pack([7, 1]))
    reject("JOIN of a group without a name", "a group has 1 to 128 bytes", pack([8, "", CONN]))
    reject("LEAVE of a group of 129 bytes", "a group has 1 to 128 bytes",
           pack([9, "g" * 129, CONN]))
    reject("INTEREST whose names are a map", "names are an array", pack([23, 0, {}]))
    reject("WATCH without a word", "presence is a bool", pack([24]))
    reject("WATCH that counts", "presence is a bool", pack([24, 1]))
    reject("INTEREST whose more is a number", "more is a bool", pack([23, 0, [], 1]))
    reject("CLOSE with code 999", "a code is 1000 to 4999", pack([10, CONN, 999, ""]))
    reject("CLOSE with code 5000", "a code is 1000 to 4999", pack([10, CONN, 5000, ""]))
    reject("CLOSE with a reason of 124 bytes", "a reason has at most 123 bytes",
           pack([10, CONN, 1000, "r" * 124]))
    reject("QUERY that asks for no array", "fields have types", pack([12, 1, "ada"]))
    reject("RESULT with a status below 100", "a status is 100 to 599", pack([13, 1, 99, []]))
    reject("RESULT without rows", "too few fields", pack([13, 1, 200]))
    reject("GONE without a connection", "too few fields", pack([11]))
    reject("CREDIT with one field", "too few fields", pack([15, 1]))
    reject("PING with text", "in_flight is a uint", pack([16, "3"]))
    reject("PONG with text", "number is a uint", pack([17, "3"]))
    reject("SYNC whose change is a text", "change is a uint",
           pack([18, [], False, 7, "add"]))
    reject("SYNC whose more is a number", "more is a bool", pack([18, [], 0]))
    reject("ERROR with a text of 257 bytes", "a text has at most 256 bytes",
           pack([22, "push", "t" * 257]))


def main():
    for section in (greetings, requests, the_rest, newer_versions, malformed_frames,
                    malformed_fields):
        section()
    lines = ",\n".join(json.dumps(v, ensure_ascii=False) for v in vectors)
    print("[\n" + lines + "\n]")


main()
