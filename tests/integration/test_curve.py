# SPDX-License-Identifier: MIT
"""CURVE between processes: who has no key of the broker's lists does not get in,
what is said cannot be read on the way, and nobody takes another's place."""
import atexit
import json
import pathlib
import select
import shutil
import stat
import sys
import tempfile
import threading

import zmq.auth

from harness import *

HOIST = BUILD + "/cli/hoist"
ECHO = BUILD + "/workers/examples/echo"


class Keys:
    """A folder with keys and the two lists of a broker."""

    def __init__(self, workers=(), gateways=()):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hoist-curve-"))
        self.lines = {}
        for name in ("broker", *workers, *gateways):
            self.make(name)
        self.allow("workers", *workers)
        self.allow("gateways", *gateways)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)

    def path(self, name):
        return str(self.folder / name)

    def make(self, name):
        self.lines[name] = subprocess.run([HOIST, "keygen", self.path(name)], check=True,
                                          timeout=30, stdout=subprocess.PIPE, text=True).stdout

    def allow(self, which, *names):
        """The list of a socket, from now on, in one step."""
        new = self.folder / (which + ".new")
        new.write_text("# who may come\n" + "".join(self.lines[name] for name in names))
        new.rename(self.folder / which)

    def of(self, name):
        """What a socket of ours needs to be `name`."""
        own, secret = zmq.auth.load_certificate(self.path(name + "_secret"))
        return own, secret, self.public("broker")

    def public(self, name):
        return zmq.auth.load_certificate(self.path(name))[0]

    def of_broker(self):
        return [f"--curve-key={self.path('broker_secret')}",
                f"--curve-workers={self.path('workers')}",
                f"--curve-gateways={self.path('gateways')}"]

    def of_serve(self):
        return self.of_broker()[:2]

    def of_peer(self, name):
        return [f"--curve-key={self.path(name + '_secret')}",
                f"--curve-broker={self.public('broker').decode()}"]


def echoes(client, worker):
    """A message goes to a scripted worker and back."""
    client.send(json.dumps({"action": "echo"}))
    request = worker.get(REQUEST)
    worker.reply(request, body="well")
    assert client.recv() == (1, b"well")


def is_refused(hoist, endpoint, pattern, curve=None):
    """It is told nothing, and is counted; a line of the log says so, or has."""
    def refused():
        return hoist.stats("BROKER")["handshakes_refused"]
    before = refused()
    peer = Peer(endpoint, curve=curve)
    peer.send([HELLO, 1, "worker", peer.boot, "bad", {}])
    until(lambda: refused() > before, "a refusal that is counted")
    assert re.search(pattern, hoist.log()), pattern
    peer.pump(200)
    assert peer.inbox == []
    peer.die()


def stopped(program):
    program.terminate()
    assert program.wait(WAIT_S) == 0


# --- keygen ---------------------------------------------------------------


def test_keygen_makes_a_pair_that_nobody_else_can_read_and_replaces_none():
    with Keys() as keys:
        secret = pathlib.Path(keys.path("broker_secret"))
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        own, hidden = zmq.auth.load_certificate(str(secret))
        assert own == keys.public("broker") and len(hidden) == 40
        assert keys.lines["broker"] == own.decode() + " broker\n"
        assert "secret-key" not in pathlib.Path(keys.path("broker")).read_text()
        before = secret.read_bytes()
        again = subprocess.run([HOIST, "keygen", keys.path("broker")], timeout=30,
                               capture_output=True, text=True)
        assert again.returncode == 1 and "--force" in again.stderr
        assert secret.read_bytes() == before
        subprocess.run([HOIST, "keygen", "--force", keys.path("broker")], check=True,
                       timeout=30, stdout=subprocess.PIPE)
        assert secret.read_bytes() != before
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600


def starts_not(command, *flags):
    """The line with which a command ends by itself."""
    ended = subprocess.run([HOIST, command, *flags], timeout=30,
                           capture_output=True, text=True)
    assert ended.returncode == 2, ended
    assert ended.stderr.count("\n") == 1, ended.stderr
    return ended.stderr


def test_half_of_the_settings_starts_nothing():
    with Keys(workers=["one"], gateways=["two"]) as keys:
        key, workers, gateways = keys.of_broker()
        assert "--curve-gateways" in starts_not("broker", key, workers)
        assert "--curve-workers" in starts_not("broker", key, gateways)
        assert "--curve-key" in starts_not("broker", workers, gateways)
        assert "--curve-workers" in starts_not("serve", key)
        assert "--curve-broker" in starts_not("gateway", keys.of_peer("two")[0])
        assert "--curve-key" in starts_not("gateway", keys.of_peer("two")[1])
        os.chmod(keys.path("broker_secret"), 0o604)
        assert "others may read it" in starts_not("serve", key, workers)


def test_a_worker_says_which_of_two_keys_it_lacks():
    with Keys(workers=["one"]) as keys:
        key, _ = keys.of_peer("one")
        for flag, said in [(key, "curve-broker is missing"),
                           (f"--curve-key={keys.path('one')}", "NAME_secret of hoist keygen")]:
            ended = subprocess.run([ECHO, flag], timeout=30, capture_output=True, text=True)
            assert ended.returncode == 2, ended
            assert said in ended.stderr and ended.stderr.count("\n") == 1, ended


def test_a_list_with_a_wrong_line_starts_nothing():
    with Keys() as keys:
        pathlib.Path(keys.path("workers")).write_text("# fine\nno key\n")
        ended = subprocess.run([HOIST, "serve", "--listen=127.0.0.1:0",
                                "--workers=tcp://127.0.0.1:*", *keys.of_serve()],
                               timeout=30, capture_output=True, text=True)
        assert ended.returncode == 1
        assert "line 2 does not begin with a key" in ended.stderr


# --- who gets in ----------------------------------------------------------


def test_who_has_no_key_of_the_list_does_not_get_in():
    with Keys(workers=["one"]) as keys, Hoist(*keys.of_serve()) as hoist:
        keys.make("stranger")
        worker = Worker(hoist.workers, "echo", curve=keys.of("one"))
        client = Client(hoist.address).opened()
        is_refused(hoist, hoist.workers, "CURVE-FAILED role=worker")
        stranger = keys.public("stranger").decode()
        is_refused(hoist, hoist.workers, "CURVE-REFUSED role=worker address=127.0.0.1 key=" +
                   re.escape(stranger), curve=keys.of("stranger"))
        own, secret, _ = keys.of("one")
        is_refused(hoist, hoist.workers, "CURVE-FAILED role=worker",
                   curve=(own, secret, keys.public("stranger")))
        assert hoist.stats("BROKER")["handshakes_refused"] >= 3
        assert hoist.stats("BROKER")["workers"] == 1
        assert keys.of("stranger")[1].decode() not in hoist.log()
        echoes(client, worker)


class Program:
    """A C worker, and what it says."""

    def __init__(self, *arguments):
        self.log = tempfile.NamedTemporaryFile(prefix="hoist-worker-")
        self.process = subprocess.Popen([ECHO, *arguments], stderr=self.log)
        atexit.register(self.process.kill)  # where a test fails; harmless behind stop()

    def find(self, pattern):
        def look():
            text = pathlib.Path(self.log.name).read_text(encoding="utf-8")
            return re.search(pattern, text)
        return until(look, pattern)

    def stop(self):
        stopped(self.process)


def test_a_c_worker_a_gateway_and_two_brokers_speak_to_each_other():
    with Keys(workers=["worker"], gateways=["gateway"]) as keys, \
            Hoist(*keys.of_broker(), command="broker") as first, \
            Hoist(*keys.of_broker(), command="broker") as second:
        brokers = f"--broker={first.gateways},{second.gateways}"
        worker = Program(f"--broker={first.workers},{second.workers}",
                         *keys.of_peer("worker"))
        with Hoist(brokers, *keys.of_peer("gateway"), command="gateway") as gateway:
            until(lambda: len(re.findall("GATEWAY-BROKER-FOUND", gateway.log())) == 2,
                  "both brokers")
            until(lambda: all(broker.stats("BROKER")["workers"] for broker in (first, second)),
                  "the worker at both")
            for _ in range(8):
                client = Client(gateway.address).opened()
                client.send(json.dumps({"action": "echo"}))
                assert b"echo" in client.recv()[1]
            assert sum(b.stats("BROKER")["replies"] for b in (first, second)) >= 8
        worker.stop()


def test_a_worker_and_a_gateway_say_why_they_are_refused():
    with Keys(workers=["one"], gateways=["two"]) as keys, \
            Hoist(*keys.of_broker(), command="broker") as broker:
        refused = Program(f"--broker={broker.workers}", *keys.of_peer("two"))
        plain = Program(f"--broker={broker.workers}")
        refused.find('WORKER-BROKER-MISSING .*reason="it does not allow our key"')
        plain.find('WORKER-BROKER-MISSING .*reason="(one of us uses CURVE and the other does '
                   'not|it broke off the handshake: no ZeroMQ, or CURVE[?])"')
        with Hoist(f"--broker={broker.gateways}", *keys.of_peer("one"), command="gateway",
                   finds_broker=False) as gateway:
            gateway.find('GATEWAY-BROKER-MISSING .*reason="(it does not allow our key)"')
        refused.stop()
        plain.stop()


def test_who_has_another_brokers_key_does_not_fill_the_log():
    with Keys(workers=["one"]) as keys, Hoist(*keys.of_serve()) as hoist:
        keys.make("elsewhere")
        key, _ = keys.of_peer("one")
        lost = Program(f"--broker={hoist.workers}", key,
                       f"--curve-broker={keys.path('elsewhere')}")
        until(lambda: hoist.stats("BROKER")["handshakes_refused"] >= 8, "eight tries")
        lines = re.findall("CURVE-FAILED .*", hoist.log())
        assert 1 <= len(lines) <= 4, lines  # one in ten seconds
        lost.stop()


def test_who_is_let_in_later_gets_in_by_itself():
    with Keys(workers=["one"]) as keys, Hoist(*keys.of_serve()) as hoist:
        keys.make("late")
        late = Program(f"--broker={hoist.workers}", *keys.of_peer("late"))
        hoist.find("(CURVE-REFUSED)")
        keys.allow("workers", "one", "late")
        hoist.find("(PEER-UP role=worker)")
        late.stop()


def test_a_workers_key_does_not_open_the_gateways_socket():
    with Keys(workers=["one"], gateways=["two"]) as keys, \
            Hoist(*keys.of_broker(), command="broker") as broker:
        is_refused(broker, broker.gateways, "CURVE-REFUSED role=gateway",
                   curve=keys.of("one"))
        is_refused(broker, broker.workers, "CURVE-REFUSED role=worker",
                   curve=keys.of("two"))


# --- lists ----------------------------------------------------------------


def test_a_key_that_is_taken_off_the_list_is_cut_off_at_once_and_no_other():
    with Keys(workers=["one", "two"]) as keys, Hoist(*keys.of_serve()) as hoist:
        stays = Worker(hoist.workers, "echo", curve=keys.of("one"))
        leaves = Worker(hoist.workers, "other", curve=keys.of("two"))
        client = Client(hoist.address).opened()
        keys.allow("workers", "one")
        leaves.get(BYE)
        hoist.find("(PEER-LOST .*reason=\"its key is not allowed any more\")")
        leaves.send(*leaves.greeting)
        until(lambda: hoist.stats("BROKER")["revoked"] > 0, "a frame that is ignored")
        assert not leaves.sock.poll(200)
        assert hoist.stats("BROKER")["workers"] == 1
        echoes(client, stays)
        keys.allow("workers", "one", "two")
        Worker(hoist.workers, "other", curve=keys.of("two")).die()
        echoes(client, stays)


def test_who_is_in_the_brokers_own_process_needs_no_key_and_stays():
    with Keys(gateways=["one", "two"]) as keys, \
            Hoist(*keys.of_broker(), "--admin=127.0.0.1:0", command="broker") as broker:
        broker.find("(PEER-UP role=manager)")
        leaves = Peer(broker.gateways, curve=keys.of("two"))
        leaves.send([HELLO, 1, "manager", leaves.boot, "leaves", {}])
        leaves.get(WELCOME)
        keys.allow("gateways", "one")
        leaves.get(BYE)
        assert broker.stats("BROKER")["managers"] == 1
        assert len(re.findall("PEER-UP role=manager", broker.log())) == 2


def test_a_list_that_cannot_be_read_changes_nothing():
    with Keys(workers=["one"]) as keys, Hoist(*keys.of_serve()) as hoist:
        worker = Worker(hoist.workers, "echo", curve=keys.of("one"))
        workers = pathlib.Path(keys.path("workers"))
        workers.write_text(keys.lines["one"] + "half a ke")
        hoist.find("CURVE-LIST-KEPT (.*line 2 does not begin with a key)")
        workers.unlink()
        hoist.find("CURVE-LIST-KEPT (.*No such file)")
        echoes(Client(hoist.address).opened(), worker)
        Worker(hoist.workers, "echo", curve=keys.of("one")).die()


# --- taking over ----------------------------------------------------------


def test_a_stolen_boot_id_is_worth_nothing_without_its_key():
    with Keys(workers=["owner", "thief"]) as keys, Hoist(*keys.of_serve()) as hoist:
        owner = Worker(hoist.workers, "echo", curve=keys.of("owner"))
        thief = Peer(hoist.workers, curve=keys.of("thief"))
        thief.send([HELLO, 1, "worker", owner.boot, "thief", {}], *owner.greeting[1:])
        assert thief.get(ERROR)[1] == "boot"
        client = Client(hoist.address).opened()
        for _ in range(8):
            echoes(client, owner)
        assert not any(message[0] == REQUEST for message in thief.inbox)
        owner.die()


def test_the_same_key_takes_its_boot_id_to_another_connection():
    with Keys(workers=["owner"]) as keys, Hoist(*keys.of_serve()) as hoist:
        former = Worker(hoist.workers, "echo", curve=keys.of("owner"))
        latter = Peer(hoist.workers, curve=keys.of("owner"))
        latter.send([HELLO, 1, "worker", former.boot, "again", {}], *former.greeting[1:])
        assert latter.get(WELCOME)
        assert hoist.stats("BROKER")["workers"] == 1


def test_a_stolen_loop_and_boot_id_of_a_gateway_are_worth_nothing():
    with Keys(gateways=["owner", "thief"]) as keys, \
            Hoist(*keys.of_broker(), command="broker") as broker:
        owner = Peer(broker.gateways, curve=keys.of("owner"))
        hello = [HELLO, 1, "gateway", owner.boot, "owner", {"loop": 7}]
        owner.send(hello)
        owner.get(WELCOME)
        thief = Peer(broker.gateways, curve=keys.of("thief"))
        thief.send(hello)
        assert thief.get(ERROR)[1] == "boot"
        assert owner.has(PONG) is False  # it is still known: no WHO, but a PONG
        assert not any(message[0] == WHO for message in owner.inbox)


def test_a_routing_id_that_is_in_use_is_refused():
    with Keys(workers=["owner", "thief"]) as keys, Hoist(*keys.of_serve()) as hoist:
        owner = Worker(hoist.workers, "echo", curve=keys.of("owner"), routing_id=b"mine")
        thief = Peer(hoist.workers, curve=keys.of("thief"), routing_id=b"mine")
        thief.send([HELLO, 1, "worker", thief.boot, "thief", {}], *owner.greeting[1:])
        client = Client(hoist.address).opened()
        for _ in range(8):
            echoes(client, owner)
        assert not thief.sock.poll(200)


# --- an eavesdropper ------------------------------------------------------


class Sniffer:
    """A TCP proxy before an endpoint that keeps what goes through it."""

    def __init__(self, endpoint):
        host, port = endpoint[len("tcp://"):].rsplit(":", 1)
        self.target = (host, int(port))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = "tcp://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.script = []  # ("up" or "down", bytes), as they came
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        inner = self.listener.accept()[0]
        outer = socket.create_connection(self.target)
        way = {inner: ("up", outer), outer: ("down", inner)}
        while True:
            for source in select.select(list(way), [], [])[0]:
                data = source.recv(65536)
                name, target = way[source]
                if not data:
                    inner.close()
                    outer.close()
                    return
                self.script.append((name, data))
                target.sendall(data)

    def said(self, way):
        return b"".join(data for name, data in list(self.script) if name == way)

    def replay(self):
        """Say what the worker said once more, each piece when the one before it was
        answered as then, until the end of the connection.  Returns the answers."""
        answered, due = b"", 0
        with socket.create_connection(self.target, WAIT_S) as sock:
            try:
                for way, data in list(self.script):
                    if way == "up":
                        sock.sendall(data)
                        continue
                    # In as many bytes as then, in as few or many pieces as now.
                    due += len(data)
                    while len(answered) < due:
                        more = sock.recv(65536)
                        if not more:
                            return answered
                        answered += more
                while more := sock.recv(65536):
                    answered += more
            except ConnectionError:
                pass  # an end is an end
        return answered


def test_an_eavesdropper_reads_nothing_and_has_nothing_to_replay():
    secret = "a payload that nobody else may see"
    with Keys(workers=["one"]) as keys, Hoist(*keys.of_serve()) as hoist:
        sniffer = Sniffer(hoist.workers)
        worker = Worker(sniffer.endpoint, "echo", curve=keys.of("one"))
        client = Client(hoist.address).opened()
        client.send(json.dumps({"action": "echo", "text": secret}))
        request = worker.get(REQUEST)
        worker.reply(request, body=secret)
        assert client.recv() == (1, secret.encode())
        for said in (sniffer.said("up"), sniffer.said("down")):
            assert len(said) > 200
            for hidden in (secret, worker.boot, "echo", "worker"):
                assert hidden.encode() not in said, hidden
        answered = sniffer.replay()
        # ZMTP's greeting and WELCOME; no READY, and so no frame.
        assert b"WELCOME" in answered and b"READY" not in answered, answered
        hoist.find("(CURVE-FAILED role=worker)")
        assert hoist.stats("BROKER")["workers"] == 1
        echoes(client, worker)


def test_without_curve_the_eavesdropper_of_this_test_would_read_all():
    with Hoist() as hoist:
        sniffer = Sniffer(hoist.workers)
        worker = Worker(sniffer.endpoint, "echo")
        echoes(Client(hoist.address).opened(), worker)
        assert worker.boot.encode() in sniffer.said("up")
        assert b"well" in sniffer.said("up")


if __name__ == "__main__":
    run(sys.modules[__name__])
