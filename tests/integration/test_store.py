# SPDX-License-Identifier: MIT
"""hoist and the store that its brokers share: rows follow the connections,
whichever process is killed, and connections go on whatever the store does."""
import os
import sys
import threading

from dynamodb_servers import CREDENTIALS, Proxy, dynalite, fails, hangs, post, says
from harness import *
from redis_server import Server

QUERY, RESULT = 12, 13
LEASE_MS = 1000


class Gate(Worker):
    """Lets everybody in as the user that they say they are; it answers events
    by itself in a thread, and keeps what it saw."""

    def __init__(self, *endpoints):
        super().__init__(endpoints[0], "$connect", "$disconnect", "echo",
                         options={"liveness": 20000})
        self.ended, self.results, self.asked = [], {}, 0
        self.questions, self.is_over = [], False
        self.news = threading.Condition()  # there is another of the results
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def answer(self, message):
        kind, *fields = message
        if kind == RESULT:
            with self.news:
                self.results[fields[0]] = fields[1:]
                self.news.notify()
        elif kind == WHO:
            self.send(*self.greeting)
        elif kind == REQUEST and fields[1] == CONNECT:
            query = dict(fields[7]["query"])
            status = int(query.get("status", 200))
            self.reply(message, status, None, {
                "user": query.get("user", ""), "tenant": "acme", "ttl": 3600,
                "attributes": {"n": 1}})
        elif kind == REQUEST and fields[1] == DISCONNECT:
            self.ended.append((fields[2], fields[7]["code"], fields[7]["reason"]))
            self.reply(message)
        elif kind == REQUEST:
            self.reply(message, 200, fields[4])

    def work(self):
        due = 0
        while not self.is_over:
            if time.monotonic() >= due:
                self.send([PING])
                due = time.monotonic() + 0.3
            while self.questions:
                self.send(self.questions.pop(0))
            self.pump(20)
            for message in self.inbox:
                self.answer(message)
            self.inbox.clear()

    def ask(self, *what, **options):
        """(status, rows, options) of a RESULT.  What a broker is asked that does
        not know us yet has none: it is asked again."""
        def answered():
            self.asked += 1
            number = self.asked
            self.questions.append([QUERY, number, list(what), options])
            with self.news:
                self.news.wait_for(lambda: number in self.results, 2)
            return self.results.get(number)
        return (*until(answered, f"the RESULT of {what}"), {})[:3]

    def count(self):
        status, _, options = self.ask("count")
        return options["count"] if status == 200 else None

    def ids(self, kind, name):
        """All connections of a user or tenant, page by page."""
        found, cursor = [], ""
        while True:
            status, rows, options = self.ask(kind, name, limit=7, cursor=cursor)
            assert status == 200, status
            found += [row[0] for row in rows]
            cursor = options.get("cursor", "")
            if not cursor:
                return found

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.is_over = True
        self.thread.join()
        self.die()


def come_in(hoist, user="ann"):
    client = Client(hoist.address, f"/?user={user}").opened()
    assert client.status == 101, client.status
    return client


def echoes(client, text="x"):
    client.send('{"action":"echo","text":"%s"}' % text)
    opcode, data = client.recv()
    assert opcode == 1 and text.encode() in data, data


def soon(gate, count):
    until(lambda: gate.count() == count, f"{count} rows")


def on(url, *flags):
    return Hoist("--store", url, "--store-timeout=1000", f"--store-lease={LEASE_MS}",
                 *flags)


def test_workers_ask_who_is_connected():
    with Server() as server, on(server.url()) as hoist, Gate(hoist.workers) as gate:
        clients = [come_in(hoist, f"user{i % 2}") for i in range(20)]
        assert gate.count() == 20
        ids = gate.ids("user", "user0")
        assert len(set(ids)) == len(ids) == 10
        assert len(gate.ids("tenant", "acme")) == 20
        status, rows, _ = gate.ask("connection", ids[0])
        assert status == 200 and rows[0][0] == ids[0]
        context = rows[0][1]
        assert context["user"] == "user0" and context["attributes"] == {"n": 1}
        assert context["ttl"] == 3600 and context["ip"] == "127.0.0.1"
        assert gate.ask("connection", "A" * 16)[0] == 404
        assert gate.ask("user", "nobody")[:2] == (200, [])
        clients[0].sock.close()
        soon(gate, 19)


def test_the_memory_store_answers_too_and_survives_its_broker():
    with Hoist(command="broker") as broker:
        with Hoist(f"--broker={broker.gateways}", command="gateway") as gateway:
            with Gate(broker.workers) as gate:
                for _ in range(5):
                    come_in(gateway)
                assert len(gate.ids("user", "ann")) == 5
                broker.kill()
                with Hoist(f"--workers={broker.workers}",
                           f"--gateways={broker.gateways}", command="broker",
                           endpoints=False):
                    soon(gate, 5)
                    assert len(gate.ids("user", "ann")) == 5
                    Client.close_all()
                    soon(gate, 0)


def test_who_is_refused_leaves_no_row():
    with Server() as server, on(server.url()) as hoist, Gate(hoist.workers) as gate:
        assert Client(hoist.address, "/?status=403").opened().status == 403
        come_in(hoist)
        assert gate.count() == 1


def test_a_redis_that_restarts_empty_is_filled_again():
    with Server() as server, on(server.url()) as hoist, Gate(hoist.workers) as gate:
        clients = [come_in(hoist) for _ in range(10)]
        server.kill()
        hoist.find("STORE-DOWN (.*)")
        for client in clients:
            echoes(client)
        clients.pop().sock.close()
        clients.append(come_in(hoist, "eve"))
        server.start()
        soon(gate, 10)
        assert len(gate.ids("user", "ann")) == 9 and len(gate.ids("user", "eve")) == 1


def test_a_redis_that_is_flushed_is_filled_again():
    with Server() as server, on(server.url()) as hoist, Gate(hoist.workers) as gate:
        for _ in range(10):
            come_in(hoist)
        server.ask("FLUSHALL")
        assert gate.count() == 0
        soon(gate, 10)
        hoist.find("STORE-EMPTIED (.*)")


def test_a_redis_that_stands_still_holds_nobody_up():
    with Server() as server, on(server.url()) as hoist, Gate(hoist.workers) as gate:
        client = come_in(hoist)
        server.freeze()
        for i in range(50):  # a message never waits for a store
            echoes(client, f"m{i}")
        other = come_in(hoist)  # it waits for its row, within --store-timeout
        echoes(other)
        hoist.find("STORE-DOWN (.*)")
        echoes(come_in(hoist))
        server.thaw()
        soon(gate, 3)


def test_a_redis_without_memory_holds_nobody_up():
    with Server() as server, on(server.url()) as hoist, Gate(hoist.workers) as gate:
        come_in(hoist)
        server.ask("CONFIG", "SET", "maxmemory", "1")
        echoes(come_in(hoist))
        server.ask("CONFIG", "SET", "maxmemory", "0")
        soon(gate, 2)


def test_with_require_store_nobody_gets_in_without_a_row():
    with Server() as server, \
            on(server.url(), "--require-store") as hoist, Gate(hoist.workers) as gate:
        client = come_in(hoist)
        server.kill()
        hoist.find("STORE-DOWN (.*)")
        assert Client(hoist.address, "/?user=eve").opened().status == 503
        until(lambda: gate.ended, "the $disconnect of the one who was let in")
        assert gate.ended[0][1:] == (1011, "not stored")
        echoes(client)
        server.start()
        until(lambda: Client(hoist.address).opened().status == 101, "somebody to get in")


def start_broker(url, *flags, **options):
    return Hoist("--store", url, f"--store-lease={LEASE_MS}", "--heartbeat=200",
                 "--liveness=1000", *flags, command="broker", **options)


def test_who_was_lost_with_gateway_and_broker_is_told_of_once():
    with Server() as server, start_broker(server.url()) as broker:
        with Hoist(f"--broker={broker.gateways}", command="gateway") as gateway, \
                Gate(broker.workers) as gate:
            for _ in range(30):
                come_in(gateway)
            soon(gate, 30)
            ids = set(gate.ids("user", "ann"))
            broker.kill()
            gateway.kill()
            Client.standing.clear()
            with start_broker(server.url(), f"--workers={broker.workers}",
                              f"--gateways={broker.gateways}", endpoints=False) as again:
                until(lambda: len(gate.ended) == 30, "each $disconnect")
                assert {end[0] for end in gate.ended} == ids
                assert {end[1:] for end in gate.ended} == {(1006, "gateway lost")}
                soon(gate, 0)
                assert again.stats("BROKER")["swept"] == 30
                assert len(gate.ended) == 30


def test_who_was_lost_with_its_leases_is_told_of_by_who_starts():
    with Server() as server, start_broker(server.url()) as broker:
        with Hoist(f"--broker={broker.gateways}", command="gateway") as gateway, \
                Gate(broker.workers) as gate:
            for _ in range(30):
                come_in(gateway)
            soon(gate, 30)
            broker.kill()
            gateway.kill()
            Client.standing.clear()
            assert server.ask("DEL", "hoist:leases") == 1
            with start_broker(server.url(), f"--workers={broker.workers}",
                              f"--gateways={broker.gateways}", endpoints=False):
                until(lambda: len(gate.ended) == 30, "each $disconnect")
                soon(gate, 0)
                until(lambda: server.ask("HLEN", "hoist:leases") == 0, "no lease")
                assert len(gate.ended) == 30


def test_who_was_lost_with_its_leases_is_told_of_by_who_lives():
    with Server() as server, start_broker(server.url()) as one, \
            start_broker(server.url()) as two:
        brokers = f"--broker={one.gateways},{two.gateways}"
        with Hoist(brokers, command="gateway") as gateway, \
                Gate(one.workers) as gate, Gate(two.workers) as other:
            for _ in range(40):
                come_in(gateway)
            soon(gate, 40)
            two.kill()
            assert server.ask("DEL", "hoist:leases") == 1
            gateway.kill()
            Client.standing.clear()
            until(lambda: len(gate.ended + other.ended) == 40, "each $disconnect")
            soon(gate, 0)
            assert len({end[0] for end in gate.ended + other.ended}) == 40


def test_a_broker_that_dies_leaves_no_row_wrong():
    with Server() as server, start_broker(server.url()) as one, \
            start_broker(server.url()) as two:
        brokers = f"--broker={one.gateways},{two.gateways}"
        with Hoist(brokers, "--request-timeout=3000", command="gateway") as gateway, \
                Gate(one.workers) as gate, Gate(two.workers) as other:
            clients = [come_in(gateway) for _ in range(40)]
            soon(other, 40)
            one.kill()
            gateway.find("GATEWAY-BROKER-LOST (.*)")
            for client in clients[:20]:
                client.sock.close()
            until(lambda: len({end[0] for end in gate.ended + other.ended}) == 20,
                  "each $disconnect")
            soon(other, 20)
            two.find("BROKER-SWEPT .*(result=done)")
            assert other.count() == 20
            for client in clients[20:]:
                echoes(client)


def test_a_broker_that_ends_in_order_leaves_rows_of_those_who_stand():
    with Server() as server, start_broker(server.url()) as broker:
        with Hoist(f"--broker={broker.gateways}", command="gateway") as gateway:
            with Gate(broker.workers) as gate:
                clients = [come_in(gateway) for _ in range(10)]
                soon(gate, 10)
                broker.process.terminate()
                assert broker.process.wait(WAIT_S) == 0
                with start_broker(server.url(), f"--workers={broker.workers}",
                                  f"--gateways={broker.gateways}", endpoints=False):
                    soon(gate, 10)
                    for client in clients:
                        echoes(client)
                    assert gate.ended == []
                    Client.close_all()
                    soon(gate, 0)


def store_init(url):
    """Its status is 1, since dynalite knows no TTL and no streams."""
    done = subprocess.run([BUILD + "/cli/hoist", "store", "init", url], timeout=60,
                          stdout=subprocess.PIPE, text=True)
    assert "table conns" in done.stdout and done.returncode == 1, done


def test_dynamodb_goes_away_and_comes_back_without_its_table():
    os.environ.update(CREDENTIALS)
    with dynalite() as service:
        url = f"dynamodb://conns?endpoint=http://127.0.0.1:{service.port}"
        store_init(url)
        with on(url) as hoist, Gate(hoist.workers) as gate:
            clients = [come_in(hoist) for _ in range(10)]
            soon(gate, 10)
            assert len(gate.ids("user", "ann")) == 10
            service.call("DeleteTable", {"TableName": "conns"})
            clients.append(come_in(hoist, "eve"))
            for client in clients:
                echoes(client)
            hoist.find("STORE-DOWN (.*)")
            until(lambda: is_gone(service), "the table to be gone")
            store_init(url)
            soon(gate, 11)
            Client.close_all()
            soon(gate, 0)


FOR_EVER = 10 ** 9

FAULTS = {"throttled": fails("ProvisionedThroughputExceededException"),
          "failing": fails("InternalServerError", 500),
          "hanging": hangs,
          "expired": fails("ExpiredTokenException")}


def test_dynamodb_that_fails_in_any_way_holds_nobody_up():
    os.environ.update(CREDENTIALS)
    with dynalite() as service, Proxy(service.port) as proxy:
        url = f"dynamodb://conns?endpoint=http://127.0.0.1:{proxy.port}"
        store_init(url)
        with on(url) as hoist, Gate(hoist.workers) as gate:
            standing = come_in(hoist)
            soon(gate, 1)
            for number, (name, fault) in enumerate(FAULTS.items()):
                print("  " + name, flush=True)
                proxy.next("*", fault, FOR_EVER)
                newcomer = come_in(hoist, name)  # after --store-timeout at most
                for i in range(20):
                    echoes(standing, f"{name}{i}")
                    echoes(newcomer)
                proxy.next("*", fault, 0)
                soon(gate, number + 2)
            assert proxy.faults == []  # each request was signed as it should be
            Client.close_all()
            soon(gate, 0)


def test_counts_without_end_take_no_place_of_rows():
    os.environ.update(CREDENTIALS)
    more = b'{"Count": 1, "LastEvaluatedKey": {"pk": {"S": "a"}, "sk": {"S": "b"}}}'
    with dynalite() as service, Proxy(service.port) as proxy:
        url = f"dynamodb://conns?endpoint=http://127.0.0.1:{proxy.port}"
        store_init(url)
        with on(url) as hoist, Gate(hoist.workers) as gate:
            peers = [Worker(hoist.workers, "other") for _ in range(6)]
            proxy.next("Scan", says(more), FOR_EVER)
            for peer in peers:
                peer.send(*([QUERY, i, ["count"], {}] for i in range(16)))
            until(lambda: proxy.seen.count("Scan") > 20, "counts under way")
            client = come_in(hoist)
            rows = service.call("Scan", {"TableName": "conns", "Select": "COUNT",
                                         "FilterExpression": "user_id = :u",
                                         "ExpressionAttributeValues":
                                             {":u": {"S": "ann"}}})
            assert rows["Count"] == 1  # it was written before the 101
            echoes(client)
            assert hoist.stats("BROKER")["unsaved"] == 0
            proxy.next("Scan", says(more), 0)
            for peer in peers:
                assert {peer.get(RESULT)[2] for _ in range(16)} <= {200, 504}
                peer.die()


def test_redis_fails_over_to_its_replica():
    with Server() as master, Server() as replica:
        replica.ask("REPLICAOF", "127.0.0.1", str(master.port))
        until(lambda: replica.info("replication")["master_link_status"] == "up",
              "the replica")
        url = f"redis://127.0.0.1:{master.port},127.0.0.1:{replica.port}"
        with on(url) as hoist, Gate(hoist.workers) as gate:
            clients = [come_in(hoist) for _ in range(5)]
            soon(gate, 5)
            master.kill()
            for client in clients:
                echoes(client)
            replica.ask("REPLICAOF", "NO", "ONE")
            come_in(hoist)
            soon(gate, 6)


def is_gone(service):
    return post(service.port, "DynamoDB_20120810.DescribeTable",
                '{"TableName": "conns"}')[0] != 200


if __name__ == "__main__":
    run(sys.modules[__name__])
