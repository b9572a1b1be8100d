# SPDX-License-Identifier: MIT
"""What workers in C share by a ledger in Redis: limits that hold for all of them
together, messages that are done once, and what becomes of it while Redis is
away."""
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile

from harness import BUILD, WAIT_S, Client, Hoist, run, until
from redis_server import Server, certificates

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
WORKER = BUILD + "/tests/integration/sharing"
LEDGER = BUILD + "/tests/integration/ledger"
# For a step of the ledger: so that a machine with other work misses no server that
# is there, or so that one which hangs is not waited for.
PATIENT_MS, BRIEF_MS, HASTY_MS = 5000, 1000, 100
ORDER = '{"action":"order","idempotencyKey":"k1"}'


class Workers:
    """So many, ready when this has been made."""

    def __init__(self, hoist, count, url, gate=None, timeout_ms=PATIENT_MS):
        self.log = tempfile.NamedTemporaryFile("r", prefix="hoist-sharing-")
        environment = {**os.environ, "LEDGER": url, "TIMEOUT_MS": str(timeout_ms),
                       **({"GATE": gate} if gate else {})}
        before = hoist.log().count("WORKER-READY")
        with open(self.log.name, "ab") as log:
            self.processes = [subprocess.Popen([WORKER, "--broker", hoist.workers],
                                               stderr=log, env=environment)
                              for _ in range(count)]
        until(lambda: hoist.log().count("WORKER-READY") == before + count,
              "the workers to be ready")

    def said(self, event):
        self.log.seek(0)
        return self.log.read().count(event)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        Client.close_all()
        for process in self.processes:
            process.terminate()
        assert [process.wait(WAIT_S) for process in self.processes] == \
            [0] * len(self.processes)
        self.log.close()


def answer(client):
    opcode, payload = client.recv()
    assert opcode == 1, (opcode, payload)
    return payload.decode()


def ask(client, text):
    client.send(text)
    return answer(client)


def is_spent(client, route):
    return ask(client, f'{{"action":"{route}"}}').startswith("spent")


def code(text):
    return json.loads(text)["code"]


def test_the_rules_of_a_ledger_hold_in_redis():
    with Server() as redis:
        subprocess.run([LEDGER, redis.url()], check=True, timeout=60)


def test_they_do_with_a_password_a_database_and_a_prefix():
    with Server(password="s:c/r%t") as redis:
        url = redis.url(path="/3", options="?prefix=mine").replace(
            "s:c/r%t", "s%3Ac%2Fr%25t")
        subprocess.run([LEDGER, url], check=True, timeout=60)
        assert redis.ask("DBSIZE") == 0  # of database 0


@contextlib.contextmanager
def secured():
    """A server that speaks TLS, and its URL."""
    with certificates() as folder:
        tls = {"tls-cert-file": folder + "/cert.pem", "tls-key-file": folder + "/key.pem",
               "tls-ca-cert-file": folder + "/ca.pem", "tls-auth-clients": "yes"}
        with Server(tls=tls) as redis:
            yield redis, (f"rediss://localhost:{redis.port}?ca={folder}/ca.pem"
                          f"&cert={folder}/cert.pem&key={folder}/key.pem")


def test_they_do_by_tls():
    with secured() as (_, url):
        subprocess.run([LEDGER, url], check=True, timeout=60)


def test_a_user_needs_no_more_than_the_page_says():
    with open(ROOT + "/docs/c-worker.md", encoding="utf-8") as page:
        needs = re.search(r"A user of Redis needs `(.*?)`", page.read(), re.S)[1].split()
    assert needs[0] == "~PREFIX:*" and len(needs) > 5, needs
    with Server() as redis:
        redis.ask("ACL", "SETUSER", "worker", "on", ">secret", "~hoist:*", *needs[1:])
        subprocess.run([LEDGER, f"redis://worker:secret@127.0.0.1:{redis.port}"],
                       check=True, timeout=60)


def test_of_several_hosts_the_master_is_used():
    with Server() as master, Server("--replicaof", f"127.0.0.1 {master.port}") as replica:
        until(lambda: replica.info("replication")["master_link_status"] == "up",
              "the replica to follow")
        hosts = f"127.0.0.1:{replica.port},127.0.0.1:{master.port}"
        subprocess.run([LEDGER, "redis://" + hosts], check=True, timeout=60)


def test_of_several_hosts_one_that_hangs_does_not_hide_the_master():
    with Server() as hanging, Server() as master:
        hanging.freeze()
        url = f"redis://127.0.0.1:{hanging.port},127.0.0.1:{master.port}"
        try:
            with Hoist() as hoist, Workers(hoist, 1, url, timeout_ms=HASTY_MS):
                client = Client(hoist.address).opened()
                until(lambda: is_spent(client, "guarded"), "the master to be found")
        finally:
            hanging.thaw()


def test_two_workers_let_through_what_one_may():
    with Server() as redis, Hoist() as hoist, Workers(hoist, 2, redis.url()):
        clients = [Client(hoist.address).opened() for _ in range(8)]
        for client in clients:
            for _ in range(25):
                client.send('{"action":"spend"}')
        answers = [answer(client) for client in clients for _ in range(25)]
        passed = [text for text in answers if text.startswith("spent at ")]
        assert len(passed) == 100
        assert len(set(passed)) == 2  # both were at it
        refused = [json.loads(text) for text in answers if text not in passed]
        assert len(refused) == 100
        for refusal in refused:
            assert refusal["code"] == "rate-limited"
            assert 0 < refusal["details"]["retryAfterMs"] <= 86400000


def test_a_key_ends_when_its_bucket_is_full():
    with Server() as redis, Hoist() as hoist, Workers(hoist, 1, redis.url()):
        client = Client(hoist.address).opened()
        assert is_spent(client, "spend")
        key, = redis.ask("KEYS", "*")
        assert key == b"hoist:{b:spend:k:everyone}"
        assert 0 < redis.ask("PTTL", key) <= 86400000


def test_a_duplicate_at_another_worker_is_never_done_twice():
    with Server() as redis, Hoist() as hoist, tempfile.TemporaryDirectory() as folder:
        gate = folder + "/gate"
        with Workers(hoist, 2, redis.url(), gate):
            first, second = (Client(hoist.address).opened() for _ in range(2))
            first.send(ORDER)
            until(lambda: redis.ask("KEYS", "*"), "the first to have the key")
            # The one worker is at it; so this one comes to the other.
            assert code(ask(second, ORDER)) == "duplicate-in-progress"
            with open(gate, "w", encoding="utf-8"):
                pass
            done = json.loads(answer(first))
            assert done["done"] == 1
            for client in (first, second, first, second):
                assert json.loads(ask(client, ORDER)) == {"replayed": True, **done}
            assert code(ask(second, ORDER.replace("}", ',"n":1}'))) == \
                "idempotency-key-reused"


def test_a_worker_that_dies_leaves_its_claim():
    with Server() as redis, Hoist() as hoist, tempfile.TemporaryDirectory() as folder:
        with Workers(hoist, 1, redis.url(), folder + "/gate") as dying:
            first = Client(hoist.address).opened()
            first.send(ORDER)
            key, = until(lambda: redis.ask("KEYS", "*"), "the first to have the key")
            dying.processes[0].kill()
            dying.processes.clear()
            assert "Internal server error" in answer(first)
            with Workers(hoist, 1, redis.url()):
                second = Client(hoist.address).opened()
                assert code(ask(second, ORDER)) == "duplicate-in-progress"
                assert 0 < redis.ask("PTTL", key) <= 60000
                redis.ask("PEXPIRE", key, 1)  # as if its minute was over
                until(lambda: "done" in json.loads(ask(second, ORDER)),
                      "the claim to end")


def is_done(redis, key):
    """The ledger has an outcome of it."""
    return redis.ask("HGET", key, "s") == b"200"


def test_what_was_done_while_redis_was_away_is_not_done_twice():
    with Server() as redis, Hoist() as hoist, tempfile.TemporaryDirectory() as folder:
        gate = folder + "/gate"
        with Workers(hoist, 1, redis.url(), gate) as first:
            client = Client(hoist.address).opened()
            client.send(ORDER)
            key, = until(lambda: redis.ask("KEYS", "*"), "the claim")
            redis.kill()
            with open(gate, "w", encoding="utf-8"):
                pass
            done = json.loads(answer(client))
            assert done["done"] == 1
            assert json.loads(ask(client, ORDER)) == {"replayed": True, **done}
            assert first.said("WORKER-LEDGER-FAILED middleware=idempotency")
            redis.start()  # and knows of no claim any more
            until(lambda: is_done(redis, key), "the ledger to be told")
            with Workers(hoist, 1, redis.url()):
                first.processes.pop().kill()
                second = Client(hoist.address).opened()
                until(lambda: "done" in ask(second, ORDER), "the other worker")
                assert json.loads(ask(second, ORDER)) == {"replayed": True, **done}
            assert not first.said("WORKER-LEDGER-DROPPED")


def test_a_claim_that_redis_heeds_too_late_is_released():
    with Server() as redis, Hoist() as hoist, \
            Workers(hoist, 1, redis.url(), timeout_ms=BRIEF_MS) as workers:
        client = Client(hoist.address).opened()
        assert "pid" in ask(client, ORDER.replace("k1", "k0"))  # it knows the script
        redis.freeze()
        try:
            assert code(ask(client, ORDER)) == "idempotency-unavailable"
        finally:
            redis.thaw()
        # It reads the claim now, and then that it is released.
        until(lambda: "cmdstat_del" in redis.info("commandstats"), "the release")
        assert len(redis.ask("KEYS", "*")) == 1
        assert json.loads(ask(client, ORDER))["done"] == 2
        assert not workers.said("WORKER-LEDGER-DROPPED")


def test_a_worker_that_ends_tells_redis_what_it_owes():
    with Server() as redis, Hoist() as hoist, tempfile.TemporaryDirectory() as folder:
        gate = folder + "/gate"
        with Workers(hoist, 1, redis.url(), gate, timeout_ms=BRIEF_MS):
            client = Client(hoist.address).opened()
            client.send(ORDER)
            key, = until(lambda: redis.ask("KEYS", "*"), "the claim")
            redis.freeze()
            try:
                with open(gate, "w", encoding="utf-8"):
                    pass
                assert json.loads(answer(client))["done"] == 1
            finally:
                redis.thaw()  # what it reads now is a script that it does not know
        assert is_done(redis, key)


def test_while_redis_is_away_each_does_as_it_is_set_and_then_as_before():
    with Server() as redis, Hoist() as hoist, Workers(hoist, 2, redis.url()) as workers:
        client = Client(hoist.address).opened()
        assert is_spent(client, "guarded")
        assert "pid" in ask(client, ORDER)
        redis.kill()
        for _ in range(20):
            assert is_spent(client, "spend")
        assert code(ask(client, '{"action":"guarded"}')) == "rate-limit-unavailable"
        assert code(ask(client, ORDER)) == "idempotency-unavailable"
        assert workers.said("WORKER-LEDGER-FAILED middleware=rate-limit")
        assert workers.said("WORKER-LEDGER-FAILED middleware=idempotency")
        redis.start()  # and knows nothing any more, of scripts either
        until(lambda: is_spent(client, "guarded"), "Redis to be found")
        # Each worker finds it for itself.
        until(lambda: "pid" in ask(client, ORDER), "the order to be done")
        until(lambda: "replayed" in ask(client, ORDER), "it to be remembered")


def test_a_tls_connection_that_breaks_kills_nobody():
    with secured() as (redis, url), Hoist() as hoist, Workers(hoist, 1, url):
        client = Client(hoist.address).opened()
        for _ in range(3):
            assert is_spent(client, "guarded")
            redis.kill()
            until(lambda: not is_spent(client, "guarded"), "Redis to be missed")
            redis.start()
            until(lambda: is_spent(client, "guarded"), "Redis to be found")


def test_a_redis_that_hangs_costs_a_moment_and_then_none():
    with Server() as redis, Hoist() as hoist, \
            Workers(hoist, 1, redis.url(), timeout_ms=HASTY_MS) as workers:
        client = Client(hoist.address).opened()
        assert is_spent(client, "spend")
        redis.freeze()
        try:
            for _ in range(500):  # each would wait for 100 ms
                client.send('{"action":"spend"}')
            for _ in range(500):
                assert answer(client).startswith("spent")
        finally:
            redis.thaw()
        assert workers.said("WORKER-LEDGER-FAILED")
        until(lambda: is_spent(client, "guarded"), "Redis to be found")


def test_a_wrong_url_is_said_before_anything_is_served():
    for url in ("http://127.0.0.1", "redis://127.0.0.1?cluster=yes",
                "redis://127.0.0.1?sentinel=one", "rediss://127.0.0.1?ca=/none"):
        ended = subprocess.run([WORKER], timeout=WAIT_S, stderr=subprocess.PIPE,
                               env={**os.environ, "LEDGER": url, "TIMEOUT_MS": "0"})
        assert ended.returncode == 2, (url, ended)
        assert ended.stderr.strip(), url


run(sys.modules[__name__])
