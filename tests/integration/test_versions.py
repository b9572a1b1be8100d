# SPDX-License-Identifier: MIT
"""Releases side by side (PROTOCOL.md, "Versions").  Real processes with a relay between
them, by which each sounds to the other like one of a later release: all that may be
added to a message is in each.  And peers of a later version that do not speak ours:
each process says clearly that it has met one, and goes on."""
import contextlib
import json
import pathlib
import subprocess
import sys
import threading

import redis_server
from harness import *
from test_examples import EXAMPLES
from test_manage import admin_of, ask

ROOT = pathlib.Path(__file__).resolve().parents[2]
ADDED = [{"later": [1, {"a": None}]}, "later"]  # behind the elements of each message
UNKNOWN = [200, {"later": True}]  # a message of a kind that is none yet
DEFAULTS = {"uint": 0, "bool": False, "map": {}, "str": ""}
POLL_MS = 20


def all_fields():
    """Kind to its fields, as PROTOCOL.md has them: (name, type, may it be left out)."""
    text = (ROOT / "proto/PROTOCOL.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| [A-Z]+ \| .* \| (.*?) ?\|$", text, re.M)
    assert len(rows) == 23, rows
    return {int(kind): [(*field.rstrip("?").split(" ", 1), field.endswith("?"))
                        if " " in field else (field, field, False)
                        for field in fields.split(", ") if field]
            for kind, fields in rows}


FIELDS = all_fields()


def later(message):
    """What a later release could say in its place."""
    kind, *values = message
    fields = FIELDS[kind]
    for _, type_, _ in fields[len(values):]:
        values.append(DEFAULTS[type_])
    for i, (name, type_, _) in enumerate(fields):
        if type_.startswith("map") and values[i] is not None:
            values[i] = {**values[i], "later": {"a": [1]}}
        elif name == "routes":
            values[i] = [with_terms(route) for route in values[i]]
    if kind == HELLO:
        values[0] = 2
        values[-1]["oldest"] = 1
    return [kind, *values, *ADDED]


def with_terms(route):
    route, terms = (route, {}) if isinstance(route, str) else route
    return [route, {**terms, "later": [1]}]


class Relay(threading.Thread):
    """Between peers and one socket of a broker.  refuses: it is a broker itself, of a
    version that speaks no other."""

    def __init__(self, endpoint, refuses=False):
        super().__init__(daemon=True)
        self.target, self.refuses = endpoint, refuses
        self.front = Peer.context.socket(zmq.ROUTER)
        self.front.bind("tcp://127.0.0.1:*")
        self.endpoint = self.front.last_endpoint.decode()
        self.backs = {}
        self.kinds = set()  # that went through
        self.refused = set()  # roles that were refused
        self.is_over = False
        self.start()

    def run(self):
        while not self.is_over:
            self.front.poll(POLL_MS)
            while self.front.poll(0):
                self.from_peer(*self.front.recv_multipart())
            for name, back in self.backs.items():
                while back.poll(0):
                    self.front.send_multipart([name, self.translate(back.recv())])
        for sock in [self.front, *self.backs.values()]:
            sock.close(0)

    def from_peer(self, name, frame):
        if self.refuses:
            for message in unpack(frame):
                if message[0] == HELLO:
                    self.refused.add(message[2])
                    refusal = [ERROR, "version", "version 2 is spoken here"]
                    self.front.send_multipart([name, pack(later(refusal))])
            return
        if name not in self.backs:
            self.backs[name] = Peer.context.socket(zmq.DEALER)
            self.backs[name].connect(self.target)
        self.backs[name].send(self.translate(frame))

    def translate(self, frame):
        messages = unpack(frame)
        self.kinds |= {message[0] for message in messages}
        return pack(*(part for message in messages for part in (later(message), UNKNOWN)))

    def stop(self):
        self.is_over = True
        self.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def unpack(frame):
    unpacker = msgpack.Unpacker(strict_map_key=False)
    unpacker.feed(frame)
    return list(unpacker)


def pack(*messages):
    return b"".join(map(msgpack.packb, messages))


class Process:
    """A worker whose log is kept."""

    def __init__(self, *command):
        self.log_path = f"/tmp/hoist-test-{os.getpid()}-{id(self)}-worker.log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(command, stderr=log)

    def log(self):
        with open(self.log_path, encoding="utf-8") as log:
            return log.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.status = self.process.wait(WAIT_S)
        os.unlink(self.log_path)


class System:
    """A broker, a gateway, and relays before both sockets of the broker."""

    def __init__(self, refuses=False):
        with contextlib.ExitStack() as stack:
            self.broker = stack.enter_context(Hoist(command="broker"))
            self.workers = stack.enter_context(Relay(self.broker.workers, refuses))
            self.gateways = stack.enter_context(Relay(self.broker.gateways, refuses))
            self.gateway = stack.enter_context(
                Hoist(f"--broker={self.gateways.endpoint}", "--admin=127.0.0.1:0",
                      command="gateway", finds_broker=False))
            if not refuses:
                self.gateway.find("GATEWAY-BROKER-FOUND (.*)")
            self.stack = stack.pop_all()

    def worker(self, name):
        return Process(f"{BUILD}/workers/examples/{name}", "--broker", self.workers.endpoint)

    def client(self, path="/"):
        return Client(self.gateway.address, path).opened()

    def nobody_complained(self, *logs):
        for log in (self.broker.log(), self.gateway.log(), *logs):
            for event in ("PEER-FAULT", "MALFORMED", "BAD-FRAME", '"malformed"'):
                assert event not in log, log
        assert self.broker.stats("BROKER")["malformed"] == 0
        assert self.broker.stats("BROKER")["peers_lost"] == 0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return self.stack.__exit__(*error)


def hears(client):
    return json.loads(client.recv()[1])


def ended_in_order(worker, broker):
    worker.process.terminate()
    assert worker.process.wait(WAIT_S) == 0
    broker.soon(workers=0)


# --- a later release ----------------------------------------------------------

def test_the_words_of_a_later_release_are_right_but_for_what_is_added():
    assert later([PING]) == [PING, 0, 0, 0, *ADDED]
    assert later([READY, ["a", ["b", {"redeliver": 1}]], 1, 2]) == \
        [READY, [["a", {"later": [1]}], ["b", {"redeliver": 1, "later": [1]}]], 1, 2, *ADDED]
    assert later([PUSH, ["all"], "x"]) == [PUSH, ["all"], "x", {"later": {"a": [1]}}, *ADDED]


def test_groups_pushes_and_queries_with_a_later_release():
    with System() as at, at.worker("chat") as chat:
        at.broker.soon(workers=1, gateways=1)
        ada, bob = at.client("/?name=Ada"), at.client("/?name=Bob")
        assert hears(ada) == {"type": "joined", "name": "Bob"}
        bob.send('{"action":"who"}')
        assert sorted(hears(bob)["names"]) == ["Ada", "Bob"]
        bob.send('{"action":"say","text":"Grüße"}')
        assert hears(ada)["text"] == hears(bob)["text"] == "Grüße"
        bob.sock.close()
        assert hears(ada) == {"type": "left", "name": "Bob"}
        at.nobody_complained(chat.log())
        ended_in_order(chat, at.broker)
        ada.sock.close()
        at.gateway.soon("GATEWAY", connections=0)
    seen = at.workers.kinds | at.gateways.kinds
    assert {HELLO, WELCOME, READY, REQUEST, REPLY, PUSH, CREDIT, SYNC, PING, PONG, DRAIN,
            QUERY, RESULT, INTEREST, BYE} <= seen, seen


def test_presence_with_a_later_release():
    with System() as at, at.worker("presence") as presence:
        at.broker.soon(workers=1, gateways=1)
        ada, bob = at.client("/?name=Ada"), at.client("/?name=Bob")
        for client, others in ((ada, ()), (bob, (ada,))):
            client.send('{"action":"enter","room":"den"}')
            for hearer in (client, *others):
                assert hears(hearer)["type"] == "joined"
        bob.send('{"action":"leave","room":"den"}')
        assert hears(ada) == {"type": "left", "room": "den", "name": "Bob"}
        at.nobody_complained(presence.log())
        ended_in_order(presence, at.broker)
    assert {WATCH, JOIN, LEAVE} <= at.gateways.kinds


def test_the_management_api_with_a_later_release():
    with System() as at:
        at.broker.soon(gateways=1, managers=1)
        client = at.client()
        client.send("to nobody")
        path = "/@connections/" + hears(client)["connectionId"]
        assert ask(admin_of(at.gateway), "POST", path, "hello").status == 200
        assert client.recv() == (1, b"hello")
        assert ask(admin_of(at.gateway), "GET", path).status == 200
        assert ask(admin_of(at.gateway), "DELETE", path).status == 204
        assert client.recv()[0] == 8
        at.broker.soon(connections=0)
        at.nobody_complained()
    assert PUSHED in at.gateways.kinds


def echoes(client):
    client.send('{"action":"echo"}')
    return client.recv() == (1, b'{"action":"echo"}')


def test_workers_without_a_library_with_a_later_release():
    for command in ([sys.executable, EXAMPLES + "/echo.py"], ["node", EXAMPLES + "/echo.mjs"]):
        with System() as at, Process(*command, at.workers.endpoint) as worker:
            at.broker.soon(workers=1, gateways=1)
            assert echoes(at.client())
            at.nobody_complained(worker.log())


def test_a_row_of_a_later_release_is_read():
    with redis_server.Server() as redis, \
            Hoist(f"--store=redis://127.0.0.1:{redis.port}") as hoist:
        worker = Worker(hoist.workers, "$connect")
        client = Client(hoist.address)
        worker.reply(worker.get(REQUEST), 200, None, {"user": "ada"})
        client.opened()
        until(lambda: redis.rows() == 1, "its row")
        [key] = redis.ask("KEYS", "hoist:{o:*")
        id, row = redis.ask("HGETALL", key)
        redis.ask("HSET", key, id, pack(unpack(row)[0] + ADDED))
        worker.send([QUERY, 1, ["user", "ada"]])
        _, _, status, rows, *_ = worker.get(RESULT)
        assert status == 200 and [row[0] for row in rows] == [id.decode()]


# --- a later version ----------------------------------------------------------

ROLES = (("worker", "workers"), ("manager", "workers"), ("gateway", "gateways"),
         ("manager", "gateways"))


def greet(broker, role, side, version, **options):
    peer = Peer(getattr(broker, side))
    peer.send([HELLO, version, role, peer.boot, "of-later", {"loop": 7, **options}])
    return peer


def test_who_speaks_two_versions_is_welcomed_with_ours():
    with Hoist(command="broker") as broker:
        for role, side in ROLES:
            peer = greet(broker, role, side, 2, oldest=1)
            assert peer.get(WELCOME)[1] == 1
            peer.send([BYE])
            broker.soon(workers=0, gateways=0, managers=0)


def test_a_broker_refuses_who_speaks_later_versions_only():
    with Hoist(command="broker") as broker, \
            contextlib.closing(Worker(broker.workers, "echo").sock):
        for role, side in ROLES:
            peer = greet(broker, role, side, 3, oldest=2)
            assert peer.get(ERROR)[1:3] == ["version", "version 1 is spoken here"]
            peer.send([READY, ["echo"], 1, 1])  # whatever it means there
            peer.get(WHO)
            assert not any(message[0] == WELCOME for message in peer.inbox)
        assert "PEER-FAULT name=of-later code=version" in broker.log()
        assert broker.stats("BROKER")["workers"] == 1
        assert broker.stats("BROKER")["gateways"] == broker.stats("BROKER")["managers"] == 0


def refusals(log):
    return re.findall(r'(\w+)-BROKER-ERROR .*code=version text="version 2 is spoken here"', log)


def test_who_is_refused_by_a_later_broker_says_so_and_takes_the_next():
    """First all at that address are of a later version, then one of ours comes."""
    with System(refuses=True) as at, at.worker("echo") as worker:
        until(lambda: refusals(at.gateway.log()) and refusals(worker.log()), "refusals")
        until(lambda: "manager" in at.gateways.refused, "a manager to be refused")
        assert ask(admin_of(at.gateway), "GET", "/readyz").status == 503
        assert ask(admin_of(at.gateway), "GET", "/@connections/" + "A" * 16).status == 503
        at.gateways.refuses = at.workers.refuses = False
        at.broker.soon(workers=1, gateways=1, managers=1)
        assert echoes(at.client())
        assert ask(admin_of(at.gateway), "GET", "/readyz").status == 200


def test_one_broker_of_a_later_version_is_done_without():
    with Hoist(command="broker") as broker, Relay(None, refuses=True) as next_one:
        both = f"--broker={broker.gateways},{next_one.endpoint}"
        with Hoist(both, command="gateway") as gateway, \
                Process(BUILD + "/workers/examples/echo", "--broker",
                        f"{broker.workers},{next_one.endpoint}") as worker:
            broker.soon(workers=1, gateways=1)
            until(lambda: refusals(gateway.log()) and refusals(worker.log()), "refusals")
            for _ in range(10):
                assert echoes(Client(gateway.address).opened())
            Client.close_all()


if __name__ == "__main__":
    run(sys.modules[__name__])
