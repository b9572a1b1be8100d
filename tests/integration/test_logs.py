# SPDX-License-Identifier: MIT
"""What processes log: the same events and fields as text and as JSON, and JSON
that is whole whatever bytes peers put into it."""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile

import msgpack

from harness import *

ECHO = BUILD + "/workers/examples/echo"


class Logged:
    """A process whose standard error is a file."""

    def __init__(self, *command, **variables):
        self.file = tempfile.NamedTemporaryFile(prefix="hoist-log-")
        self.process = subprocess.Popen(command, stderr=self.file, stdout=self.file,
                                        env=dict(os.environ, **variables))

    def lines(self):
        with open(self.file.name, "rb") as log:
            return log.read().splitlines(keepends=True)

    def whole(self):
        """Its lines so far; each that is there is whole."""
        return [json.loads(line.decode("utf-8", "strict"))
                for line in self.lines() if line.endswith(b"\n")]

    def event(self, wanted, **fields):
        """The first such event with these fields."""
        def look():
            for entry in self.whole():
                if entry["event"] == wanted and fields.items() <= entry.items():
                    return entry
            assert self.process.poll() is None, self.lines()
            return None
        return until(look, f"{wanted} with {fields}")

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        Client.close_all()
        if self.process.poll() is None:
            self.process.terminate()
        status = self.process.wait(WAIT_S)
        self.kept = self.lines()
        if kind is not None:
            print(b"".join(self.lines()).decode("utf-8", "replace"))
        self.file.close()
        assert status == 0, status


def serve(*flags, **variables):
    return Logged(BUILD + "/cli/hoist", "serve", "--listen=127.0.0.1:0",
                  "--workers=tcp://127.0.0.1:*", "--drain-time=500", *flags, **variables)


def test_each_line_is_an_object_with_time_level_and_event():
    with serve("--log-format=json") as hoist:
        address = hoist.event("GATEWAY-LISTENING")["address"]
        workers = hoist.event("BROKER-LISTENING")["workers"]
        Worker(workers, "echo")
        assert hoist.event("PEER-UP", role="worker")["name"] == "test"
        assert Client(address).opened().status == 101
        hoist.process.send_signal(signal.SIGUSR1)
        stats = hoist.event("GATEWAY-STATS")
        assert stats["connections"] == 1 and stats["level"] == "info"
        assert all(isinstance(value, int) for name, value in stats.items()
                   if name not in ("time", "level", "event"))
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", stats["time"])
        hoist.process.send_signal(signal.SIGHUP)
        hoist.event("RELOADING", level="info")
    # what it says while it ends is no exception


def test_no_name_of_a_peer_breaks_a_line_or_makes_a_field():
    names = ['a" event="X', "\\", "\n{}", "\u009b31m", "nul\0nul", "x" * 64]
    with serve("--log-format=json") as hoist:
        workers = hoist.event("BROKER-LISTENING")["workers"]
        for name in names:
            peer = Peer(workers)
            peer.send([HELLO, 1, "worker", peer.boot, name, {}], [READY, ["echo"], 1, 1])
            peer.get(WELCOME)
            entry = hoist.event("PEER-UP", name=name.split("\0")[0])
            assert set(entry) == {"time", "level", "event", "role", "name"}, entry
        peer = Peer(workers)
        broken = msgpack.packb([HELLO, 1, "worker", peer.boot, "NAME", {}])
        peer.send_bytes(broken.replace(b"\xa4NAME", b"\xa5\xff\xc3\"\xe2\x82"))
        peer.get(WELCOME)
        hoist.event("PEER-UP", name='\ufffd\ufffd"\ufffd')


def events_of(lines, log_format):
    """(event, names of fields) of each."""
    for line in lines:
        if log_format == "json":
            entry = json.loads(line)
            yield entry["event"], set(entry) - {"time", "level", "event", "message"}
        else:
            event, _, rest = line.decode().split(" ", 2)[2].partition(" ")
            yield event.strip(), set(re.findall(r"(?:^| )(\w+)=", rest))


def test_text_and_json_have_the_same_events_and_fields():
    fields = {}
    for log_format in ("text", "json"):
        with serve(HOIST_LOG_FORMAT=log_format) as hoist:
            until(lambda: b"GATEWAY-BROKER-FOUND" in b"".join(hoist.lines()), "its broker")
        fields[log_format] = dict(events_of(hoist.kept, log_format))
    assert {"STOPPING", "GATEWAY-STATS"} <= fields["text"].keys()
    assert fields["text"] == fields["json"]


def test_a_worker_in_c_logs_json_too():
    with serve("--log-format=json") as hoist:
        workers = hoist.event("BROKER-LISTENING")["workers"]
        for how in ({"HOIST_LOG_FORMAT": "json"}, {}):
            flags = [] if how else ["--log-format=json"]
            with Logged(ECHO, "--broker", workers, *flags, **how) as worker:
                worker.event("WORKER-BROKER-UP", broker=workers)
            assert {json.loads(line)["event"] for line in worker.kept} >= {
                "WORKER-STARTED", "WORKER-STOPPED"}


if __name__ == "__main__":
    run(sys.modules[__name__])
