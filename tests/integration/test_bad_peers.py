# SPDX-License-Identifier: MIT
"""Workers that speak the protocol badly: each gets its answer, and a good
worker beside it never notices."""
import json
import sys

import msgpack

from harness import *


class Beside:
    """A broker with a good worker and a client, and a bad worker to come."""

    def __init__(self):
        self.hoist = Hoist()

    def __enter__(self):
        self.hoist.__enter__()
        self.good = Worker(self.hoist.workers, "echo")
        self.client = Client(self.hoist.address).opened()
        self.bad = Worker(self.hoist.workers, "bad")
        return self

    def __exit__(self, kind, error, trace):
        try:
            if kind is None:
                self.good_goes_on()
        finally:
            self.hoist.__exit__(kind, error, trace)

    def good_goes_on(self):
        self.client.send(json.dumps({"action": "echo"}))
        request = self.good.get(REQUEST)
        self.good.reply(request, body="well")
        assert self.client.recv() == (1, b"well")

    def bad_request(self):
        self.client.send(json.dumps({"action": "bad"}))
        return self.bad.get(REQUEST)

    def error(self):
        return self.bad.get(ERROR)[1]


def test_frames_that_are_no_messages_are_malformed():
    with Beside() as at:
        for frame in (b"\xc1",                         # no msgpack
                      b"\x93\x05\x01",                 # truncated
                      b"\xdd\xff\xff\xff\xff\x05",     # an array of 4 Gi
                      b"\x92\x05\xc6\xff\xff\xff\xff",  # 4 GiB of bytes
                      msgpack.packb({"kind": 5}),
                      msgpack.packb([])):
            at.bad.send_bytes(frame)
            assert at.error() == "malformed", frame


def test_an_unknown_kind_is_skipped_and_a_known_one_out_of_place_unexpected():
    with Beside() as at:
        at.bad.send([99, "of a later version"])
        assert at.error() == "unknown-kind"
        at.bad.send([SYNC, [], False])
        assert at.error() == "unexpected"


def test_the_whole_message_before_a_broken_one_counts():
    with Beside() as at:
        request = at.bad_request()
        at.bad.send_bytes(
            msgpack.packb([REPLY, request[1], 200, "first"]) + b"\x93\x05")
        assert at.client.recv() == (1, b"first")
        assert at.error() == "malformed"


def test_the_whole_message_behind_one_with_a_wrong_field_counts():
    with Beside() as at:
        request = at.bad_request()
        at.bad.send([CLOSE, request[3], 99999, "no such code"],
                    [REPLY, request[1], 200, "all the same"])
        assert at.client.recv() == (1, b"all the same")
        assert at.error() == "malformed"


def test_a_worker_may_push_to_whatever_a_client_calls_an_id():
    with Beside() as at:
        for _ in range(20):
            at.bad.send([PUSH, ["connection", "bob"], "hello"],
                        [CLOSE, "", 1000, ""])
            assert at.bad.get(GONE)[1] == "bob" and at.bad.get(GONE)[1] == ""
        at.bad.send([PUSH, ["connection", "x" * 129], "hello"])
        assert at.error() == "gone"
        at.bad.reply(at.bad_request(), body="still here")
        assert at.client.recv() == (1, b"still here")


def test_a_second_reply_and_one_to_nobody_are_counted_and_ignored():
    with Beside() as at:
        request = at.bad_request()
        at.bad.reply(request, body="once")
        at.bad.reply(request, body="twice")
        at.bad.send([REPLY, 2**64 - 1, 200, "nobody"])
        assert at.client.recv() == (1, b"once")
        until(lambda: at.hoist.stats("BROKER")["replies_unknown"] == 2,
              "both to be counted")


def test_a_reply_to_the_request_of_another_worker_changes_nothing():
    with Beside() as at:
        at.client.send(json.dumps({"action": "echo"}))
        request = at.good.get(REQUEST)
        at.bad.reply(request, body="stolen")
        at.bad.send([PING])
        at.bad.get(PONG)
        at.good.reply(request, body="mine")
        assert at.client.recv() == (1, b"mine")


def test_routes_that_break_the_rules_are_refused():
    with Beside() as at:
        for routes in ([], ["$other"], [""], ["x" * 129],
                       [f"r{i}" for i in range(10_000)]):
            at.bad.send([READY, routes, 1, 1024])
            assert at.error() == "ready", routes[:2]


def test_sixteen_faults_within_ten_seconds_end_the_peer():
    with Beside() as at:
        for _ in range(16):
            at.bad.send_bytes(b"\xc1")
        at.bad.get(BYE)
        until(lambda: at.hoist.stats("BROKER")["workers"] == 1, "its end")


if __name__ == "__main__":
    run(sys.modules[__name__])
