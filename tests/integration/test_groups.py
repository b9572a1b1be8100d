# SPDX-License-Identifier: MIT
"""Pushes to users, tenants, groups and everyone, over two brokers and two
gateways: whichever broker a worker speaks to, whoever has the name hears."""
import sys

from harness import *

PUSHED, JOIN, LEAVE = 7, 8, 9
CROWD = 50  # clients of each gateway; more than are served at once
NEWS = 30   # pushes to them


class System:
    def __init__(self):
        self.brokers = [Hoist(command="broker") for _ in range(2)]
        gateways = ",".join(broker.gateways for broker in self.brokers)
        self.gateways = [Hoist(f"--broker={gateways}", command="gateway")
                         for _ in range(2)]
        self.assert_soon(gateways=2)
        self.workers = [self.worker(broker) for broker in self.brokers]
        self.acks = 0

    @staticmethod
    def worker(broker):
        return Worker(broker.workers, "$connect", "$disconnect", "echo", window=1000,
                      options={"liveness": 120000})

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        Client.close_all()
        for hoist in self.gateways + self.brokers:
            hoist.__exit__(kind, error, trace)

    def assert_soon(self, **gauges):
        for broker in self.brokers:
            broker.soon(**gauges)

    def next_request(self):
        """At whichever broker it comes."""
        return first_of(self.workers, lambda message: message[0] == REQUEST, "a request")

    def enter(self, gateway, **options):
        client = Client(self.gateways[gateway].address)
        worker, request = self.next_request()
        assert request[2] == CONNECT, request
        worker.reply(request, 200, None, options)
        client.opened()
        client.conn = request[3]
        return client

    def push(self, worker, target, body, **options):
        """delivered, gone, refused"""
        self.acks += 1
        worker.send([PUSH, target, body, {"ack": self.acks, **options}])
        pushed = worker.get(PUSHED)
        assert pushed[1] == self.acks, pushed
        return pushed[2:5]


def hears(client, *texts):
    for text in texts:
        opcode, payload = client.recv()
        assert (opcode, payload.decode()) == (1, text), (payload, text)


def test_whoever_has_the_name_hears_by_whichever_broker():
    with System() as at:
        ada = [at.enter(gateway, user="ada", tenant="acme", groups=["red"])
               for gateway in (0, 1, 1)]
        bob = at.enter(0, user="bob", tenant="acme", groups=["blue"])
        at.assert_soon(names=8)  # ada, acme, red at both; bob, blue
        for worker in at.workers:
            assert at.push(worker, ["user", "ada"], "ada") == [3, 0, 0]
            assert at.push(worker, ["group", "blue"], "blue") == [1, 0, 0]
            assert at.push(worker, ["tenant", "acme"], "acme",
                           **{"except": [ada[0].conn]}) == [3, 0, 0]
            assert at.push(worker, ["all"], "all") == [4, 0, 0]
            assert at.push(worker, ["user", "nobody"], "nobody") == [0, 0, 0]
            assert at.push(worker, ["connection", bob.conn, "x"], "bob") == [1, 1, 0]
            hears(ada[0], "ada", "all")
            hears(ada[1], "ada", "acme", "all")
            hears(ada[2], "ada", "acme", "all")
            hears(bob, "blue", "acme", "all", "bob")


def test_who_joins_hears_until_it_leaves():
    with System() as at:
        clients = [at.enter(gateway) for gateway in (0, 0, 1, 1)]
        for worker in at.workers:  # of which one is no connection's own
            worker.send(*[[JOIN, "room", client.conn] for client in clients])
            assert at.push(worker, ["group", "room"], "in") == [4, 0, 0]
            worker.send([LEAVE, "room", clients[0].conn])
            assert at.push(worker, ["group", "room"], "out") == [3, 0, 0]
            hears(clients[1], "in", "out")
            hears(clients[2], "in", "out")
            hears(clients[3], "in", "out")
            hears(clients[0], "in")
            worker.send(*[[LEAVE, "room", client.conn] for client in clients])
            assert at.push(worker, ["group", "room"], "nobody") == [0, 0, 0]
        at.assert_soon(names=0)


def test_one_group_too_many_is_refused_and_told():
    with System() as at:
        client = at.enter(0)
        worker = at.workers[0]
        worker.send(*[[JOIN, f"g{i}", client.conn] for i in range(65)])
        assert worker.get(ERROR)[1] == "groups"
        worker.send([JOIN, "g", "A" * 16])
        assert worker.get(GONE)[1] == "A" * 16


def test_who_leaves_has_no_name_any_more():
    with System() as at:
        client = at.enter(0, user="ada", groups=["red"])
        at.assert_soon(names=2)
        client.sock.close()
        worker, request = at.next_request()
        worker.reply(request)
        at.assert_soon(names=0)
        assert at.push(at.workers[1], ["user", "ada"], "x") == [0, 0, 0]


def test_a_broker_that_restarts_hears_the_names_again():
    with System() as at:
        clients = [at.enter(gateway, user="ada") for gateway in (0, 1)]
        at.assert_soon(names=2)
        former = at.brokers[0]
        former.kill()
        at.brokers[0] = Hoist(f"--workers={former.workers}",
                              f"--gateways={former.gateways}",
                              command="broker", endpoints=False)
        at.assert_soon(gateways=2, names=2)
        at.workers[0].die()
        at.workers[0] = at.worker(at.brokers[0])
        assert at.push(at.workers[0], ["user", "ada"], "again") == [2, 0, 0]
        for client in clients:
            hears(client, "again")


def test_a_gateway_that_dies_takes_its_names_along():
    with System() as at:
        clients = [at.enter(gateway, user="ada") for gateway in (0, 1)]
        at.assert_soon(names=2)
        at.gateways[0].kill()
        at.assert_soon(names=1)
        assert at.push(at.workers[1], ["user", "ada"], "left") == [1, 0, 0]
        hears(clients[1], "left")


def test_a_crowd_hears_everything_in_order():
    with System() as at:
        clients = [at.enter(gateway, groups=["crowd"]) for gateway in (0, 1)
                   for _ in range(CROWD)]
        at.assert_soon(names=2)
        worker, one = at.workers[0], clients[-1]
        for i in range(NEWS):
            worker.send([PUSH, ["group", "crowd"], f"news {i}"],
                        [PUSH, ["connection", one.conn], f"to one {i}"])
        assert at.push(worker, ["all"], "end") == [2 * CROWD, 0, 0]
        for client in clients[:-1]:
            hears(client, *[f"news {i}" for i in range(NEWS)], "end")
        hears(one, *[text for i in range(NEWS)
                     for text in (f"news {i}", f"to one {i}")], "end")
        for gateway in at.gateways:
            assert gateway.stats("GATEWAY")["push_jobs"] == 0


def test_an_echo_is_answered_while_a_crowd_is_served():
    with System() as at:
        clients = [at.enter(0, groups=["crowd"]) for _ in range(2 * CROWD)]
        talker = at.enter(0)
        worker = at.workers[0]
        for _ in range(100):
            worker.send([PUSH, ["group", "crowd"], "x" * 10000])
        talker.send('{"action": "echo"}')
        serving, request = at.next_request()
        serving.reply(request, 200, "echo")
        hears(talker, "echo")
        hears(clients[0], *["x" * 10000] * 100)


run(sys.modules[__name__])
