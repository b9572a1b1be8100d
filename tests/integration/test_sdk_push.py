# SPDX-License-Identifier: MIT
"""Pushes of the C SDK: pusher.c against real brokers and gateways, and against a
broker that answers when the test says so."""
import json
import signal
import subprocess
import sys

from harness import BUILD, DISCONNECT, WAIT_S, Client, Hoist, Peer, run, until
from harness import BYE, CREDIT, DRAIN, ERROR, MESSAGE, PONG, PUSH, REPLY, REQUEST, WHO
from test_queries import SlowBroker

PUSHER = BUILD + "/tests/integration/pusher"
PUSHED, JOIN, LEAVE = 7, 8, 9


class Pusher:
    """pusher.c at these servers, ready when this has been made."""

    def __init__(self, *brokers, flags=()):
        before = [broker.log().count("WORKER-READY") for broker in brokers]
        self.process = subprocess.Popen(
            [PUSHER, "--broker", ",".join(broker.workers for broker in brokers), *flags])
        for broker, count in zip(brokers, before):
            until(lambda: broker.log().count("WORKER-READY") > count, "the worker")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        Client.close_all()
        self.process.terminate()
        assert self.process.wait(WAIT_S) == 0


def enter(hoist, user="", group=""):
    client = Client(hoist.address, f"/?user={user}&group={group}").opened()
    assert client.status == 101
    return client


def says(client, action, **more):
    client.send(json.dumps({"action": action, **more}))


def hears(client, *texts):
    for text in texts:
        assert client.recv() == (1, text.encode()), text


def is_told(client, *counts):
    assert json.loads(client.recv()[1]) == {"told": [200, *counts]}


# --- with the real server ----------------------------------------------------

def test_a_group_hears_but_for_the_one_who_pushes():
    with Hoist() as hoist, Pusher(hoist):
        ada, bob, eve = [enter(hoist, group="red") for _ in range(3)]
        far = enter(hoist, group="blue")
        says(ada, "push", to="group", name="red", text="hello")
        is_told(ada, 2, 0, 0)
        hears(bob, "hello")
        hears(eve, "hello")
        says(ada, "push", to="all", text="everyone", self=True)
        hears(ada, "everyone")
        is_told(ada, 4, 0, 0)
        hears(bob, "everyone")
        hears(far, "everyone")


def test_a_user_hears_at_each_connection():
    with Hoist() as hoist, Pusher(hoist):
        first, second = enter(hoist, user="ada"), enter(hoist, user="ada")
        bob = enter(hoist, user="bob")
        says(bob, "push", to="user", name="ada", text="hello")
        is_told(bob, 2, 0, 0)
        hears(first, "hello")
        hears(second, "hello")
        says(bob, "push", to="user", name="nobody", text="hello")
        is_told(bob, 0, 0, 0)


def test_an_event_waits_for_the_news_of_its_push():
    with Hoist() as hoist, Pusher(hoist):
        ada, bob = enter(hoist, user="ada"), enter(hoist)
        says(bob, "then", to="user", name="ada", text="first")
        says(bob, "join", group="late")  # behind the news
        is_told(bob, 1, 0, 0)
        hears(bob, "joined")
        hears(ada, "first")


def test_who_joins_hears_until_it_leaves():
    with Hoist() as hoist, Pusher(hoist):
        ada, bob = enter(hoist), enter(hoist)
        says(ada, "join", group="room")
        hears(ada, "joined")
        says(bob, "push", to="group", name="room", text="in")
        is_told(bob, 1, 0, 0)
        hears(ada, "in")
        says(ada, "leave", group="room")
        hears(ada, "left")
        says(bob, "push", to="group", name="room", text="out")
        is_told(bob, 0, 0, 0)


def test_a_wrong_name_fails_the_event():
    with Hoist() as hoist, Pusher(hoist):
        ada = enter(hoist)
        for to, name, message in (("group", "", "Bad Request"),
                                  ("user", "u" * 257, "Message too long"),
                                  ("connection", "no id", "Bad Request")):
            says(ada, "push", to=to, name=name, text="hello")
            assert json.loads(ada.recv()[1])["message"] == message


def test_over_two_brokers_everyone_hears_and_a_broker_that_dies_is_not_missed():
    brokers = [Hoist(command="broker") for _ in range(2)]
    gateway = Hoist("--broker=" + ",".join(broker.gateways for broker in brokers),
                    command="gateway")
    with gateway, Pusher(*brokers, flags=["--tick"]) as pusher:
        clients = [enter(gateway, group="ticks") for _ in range(8)]
        last = 0
        for client in clients:
            numbers = [int(client.recv()[1].split()[1]) for _ in range(10)]
            assert numbers == list(range(numbers[0], numbers[0] + 10)), numbers
            last = numbers[-1]
        brokers[0].kill()
        for client in clients:  # whichever broker the ticks came by
            until(lambda: int(client.recv()[1].split()[1]) > last + 50, "ticks to go on")
        assert pusher.process.poll() is None
        Client.close_all()
    for broker in brokers:
        broker.__exit__(None, None, None)


def test_posts_of_another_thread_are_pushed():
    with Hoist() as hoist, Pusher(hoist):
        ada = enter(hoist)
        says(ada, "flood", count=100)
        heard = [len(ada.recv()[1]) for _ in range(101)]
        assert sorted(heard) == [3] + [20000] * 100


# --- with a broker that takes its time ---------------------------------------

class Slow:
    """A SlowBroker with a pusher at it; `window` pushes may be on their way."""

    def __init__(self, window=100, flags=(), beside=()):
        self.options = {"push_window": window}
        self.flags = flags
        self.broker, self.beside = SlowBroker(), beside

    def __enter__(self):
        brokers = [self.broker, *self.beside]
        self.process = subprocess.Popen(
            [PUSHER, "--broker", ",".join(broker.endpoint for broker in brokers), *self.flags],
            stderr=subprocess.DEVNULL)
        for broker in brokers:
            self.welcome(broker)
        return self

    def welcome(self, broker=None):
        broker = broker or self.broker
        broker.get(1), broker.get(3)
        broker.send([2, 1, "boot", "slow", 1000, 3500, self.options])

    def asks(self, number, action, conn="a", broker=None, **more):
        (broker or self.broker).send(
            [REQUEST, number, MESSAGE, conn * 16, action,
             json.dumps({"action": action, **more}), 29000, {}, None, number])

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.broker.sock.close()


def test_a_push_says_whom_it_is_for_and_whom_not():
    with Slow() as at:
        at.asks(1, "push", to="group", name="red", text="hello")
        push = at.broker.get(PUSH)
        assert push[1:3] == [["group", "red"], "hello"]
        assert push[3]["except"] == ["a" * 16] and push[3]["ack"] > 0
        at.broker.get(REPLY)
        at.broker.send([PUSHED, push[3]["ack"], 3, 2, 1])
        news = at.broker.get(PUSH)
        assert news[1:3] == [["connection", "a" * 16], '{"told":[200,3,2,1]}']


def test_joins_wait_for_the_push_window():
    with Slow(window=1) as at:
        at.asks(1, "join", group="red")
        at.asks(2, "leave", group="red")
        at.asks(3, "push", to="all", text="hello")
        assert at.broker.get(JOIN)[1:3] == ["red", "a" * 16]
        assert at.broker.replied() == (1, 200, "joined")
        at.broker.send([CREDIT, 1, 0])
        assert at.broker.get(LEAVE)[1:3] == ["red", "a" * 16]
        assert at.broker.replied() == (2, 200, "left")
        at.broker.send([CREDIT, 1, 0])
        assert at.broker.get(PUSH)[1] == ["all"]


def test_a_broker_that_forgot_us_owes_no_news():
    with Slow() as at:
        at.asks(1, "then", to="all", text="hello")
        push = at.broker.get(PUSH)
        at.broker.send([WHO])
        at.welcome()
        at.broker.send([PUSHED, push[3]["ack"], 1, 0, 0])
        at.asks(2, "join", group="red")
        at.broker.get(JOIN)
        assert at.broker.replied() == (2, 200, "joined")


def test_a_push_that_is_refused_is_told_of_in_time():
    with Slow() as at:
        at.asks(1, "then", to="all", text="hello")
        at.broker.get(PUSH)
        at.broker.send([ERROR, "push-window", "too many"])
        assert at.broker.replied() == (1, 200, '{"told":[504,0,0,0]}')


def test_a_worker_that_stops_waits_for_the_news():
    with Slow() as at:
        at.asks(1, "push", to="all", text="hello")
        push = at.broker.get(PUSH)
        at.broker.get(REPLY)
        at.process.send_signal(signal.SIGTERM)
        at.broker.get(DRAIN)
        at.broker.send([PUSHED, push[3]["ack"], 1, 0, 0])
        assert at.broker.get(PUSH)[2] == '{"told":[200,1,0,0]}'
        at.broker.send([CREDIT, 2, 100])
        at.broker.get(BYE)
        assert at.process.wait(WAIT_S) == 0


def test_a_broker_that_does_not_read_holds_up_who_posts():
    """Of 10,000 posts the queue takes 4096; what it took is pushed, in the end."""
    with Slow(window=1) as at:
        at.asks(1, "flood", count=10000)
        number, status, taken = at.broker.replied()
        assert (number, status, taken) == (1, 200, "4096")
        at.broker.get(PUSH)
        at.asks(2, "flood", count=10000)  # 8 MiB wait, then none is taken
        pushes, taken = 1, None
        while pushes < 4096 or taken is None:
            at.broker.send([CREDIT, 1, 1 << 30])
            at.broker.pump()
            while at.broker.inbox:
                message = at.broker.inbox.pop(0)
                pushes += message[0] == PUSH
                taken = int(message[3]) if message[0] == REPLY else taken
        assert 0 < taken < 4096, taken


def test_a_broker_that_does_not_read_holds_up_no_event_of_another():
    """Tasks speak to one of them, and wait; an event of the other is resumed."""
    other = SlowBroker()
    with Slow(window=1, beside=[other]) as at:
        at.asks(1, "flood", count=4096)
        assert at.broker.replied() == (1, 200, "4096")

        def stuck():
            at.broker.pump(), other.pump()
            return [broker for broker in (at.broker, other) if PUSH in
                    [message[0] for message in broker.inbox]]
        until(stuck, "the push that nothing comes behind")
        free = other if stuck() == [at.broker] else at.broker
        at.asks(2, "later", broker=free)
        assert free.replied() == (2, 200, "later")
    other.sock.close()


if __name__ == "__main__":
    run(sys.modules[__name__])
