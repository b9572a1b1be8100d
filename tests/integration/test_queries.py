# SPDX-License-Identifier: MIT
"""Workers ask who is connected: the example who.c against the real server, and
against a broker that answers when the test says so."""
import json
import signal
import subprocess
import sys

import msgpack
import zmq

from harness import (BUILD, BYE, DRAIN, HELLO, MESSAGE, PING, PONG, READY, REPLY,
                     REQUEST, WAIT_S, WELCOME, WHO, Client, Hoist, Peer, run, until)

QUERY, RESULT = 12, 13
WHO_C = BUILD + "/workers/examples/who"


class Asker:
    """who.c, ready when this has been made."""

    def __init__(self, hoist):
        before = hoist.log().count("WORKER-READY")
        self.process = subprocess.Popen([WHO_C, "--broker", hoist.workers])
        until(lambda: hoist.log().count("WORKER-READY") > before, "the worker")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        Client.close_all()
        self.process.terminate()
        assert self.process.wait(WAIT_S) == 0


def enter(hoist, name, room="den"):
    client = Client(hoist.address, f"/?name={name}&room={room}").opened()
    assert client.status == 101
    return client


def hears(client, action, **more):
    client.send(json.dumps({"action": action, **more}))
    return json.loads(client.recv()[1])


# --- with the real server ----------------------------------------------------

def test_who_is_in_a_room_by_page_after_page():
    names = [f"n{i:03}" for i in range(230)]  # three pages
    with Hoist() as hoist, Asker(hoist):
        clients = [enter(hoist, name) for name in names]
        far = enter(hoist, "far", "attic")
        assert sorted(hears(clients[7], "who")) == names
        assert hears(far, "who") == ["far"]
        assert hears(far, "count") == len(names) + 1
        clients.pop().sock.close()
        until(lambda: hears(far, "count") == len(names), "one to leave")
        assert sorted(hears(clients[7], "who")) == names[:-1]


def test_the_connections_of_a_user_and_who_is_behind_an_id():
    with Hoist() as hoist, Asker(hoist):
        ada, again, bob = enter(hoist, "ada"), enter(hoist, "ada"), enter(hoist, "bob")
        ids = hears(ada, "mine")
        assert len(set(ids)) == 2 and set(hears(again, "mine")) == set(ids)
        for each in ids:
            bob.send(json.dumps({"action": "find", "id": each}))
            assert bob.recv() == (1, b"ada")
        assert hears(bob, "find", id=ids[0][:-4] + "zzzz")["message"] == "Bad Request"
        assert hears(bob, "find", id="no id")["message"] == "Bad Request"
        assert hears(bob, "find")["message"] == "Bad Request"


def test_many_ask_at_once_and_each_is_told():
    """More than the sixteen that may be under way."""
    with Hoist() as hoist, Asker(hoist):
        clients = [enter(hoist, f"n{i}") for i in range(60)]
        for client in clients:
            client.send('{"action":"count"}')
            client.send('{"action":"mine"}')
        for client in clients:
            assert client.recv() == (1, b"60")
            assert len(json.loads(client.recv()[1])) == 1


# --- with a broker that takes its time ---------------------------------------

class SlowBroker:
    """A ROUTER that answers PINGs by itself and the rest when it is told to."""

    def __init__(self):
        self.sock = Peer.context.socket(zmq.ROUTER)
        self.sock.linger = 0
        self.sock.bind("tcp://127.0.0.1:*")
        self.endpoint = self.sock.last_endpoint.decode()
        self.inbox, self.worker = [], None

    def send(self, *messages):
        self.sock.send_multipart([self.worker, b"".join(map(msgpack.packb, messages))])

    def pump(self):
        if self.sock.poll(100):
            self.worker, frame = self.sock.recv_multipart()
            unpacker = msgpack.Unpacker()
            unpacker.feed(frame)
            for message in unpacker:
                if message[0] == PING:
                    self.send([PONG])
                else:
                    self.inbox.append(message)

    def get(self, kind):
        """The next message, which is of this kind."""
        def came():
            self.pump()
            return self.inbox
        until(came, f"a message of kind {kind}")
        message = self.inbox.pop(0)
        assert message[0] == kind, message
        return message

    def welcome(self):
        self.get(HELLO), self.get(READY)
        self.send([WELCOME, 1, "boot", "slow", 1000, 3500, {}])

    def request(self, number, conn, action):
        self.send([REQUEST, number, MESSAGE, conn * 16, action,
                   json.dumps({"action": action}), 29000,
                   {"user": conn, "tenant": "den"}, None, number])

    def replied(self):
        """Id, status and body of the REPLY that is next."""
        return tuple(self.get(REPLY)[1:4])


class Slow:
    """A SlowBroker with who.c at it."""

    def __enter__(self):
        self.broker = SlowBroker()
        self.process = subprocess.Popen([WHO_C, "--broker", self.broker.endpoint],
                                        stderr=subprocess.DEVNULL)
        self.broker.welcome()
        return self.broker, self.process

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.broker.sock.close()


def test_other_connections_go_on_while_one_waits():
    with Slow() as (broker, _):
        broker.request(1, "a", "count")
        asked = broker.get(QUERY)
        assert asked[2] == ["count"]
        broker.request(2, "a", "find")  # behind the first: it needs no answer
        broker.request(3, "b", "find")
        assert broker.replied() == (3, 400, None)
        broker.send([RESULT, asked[1], 200, [], {"count": 3}])
        assert broker.replied() == (1, 200, "3")
        assert broker.replied() == (2, 400, None)


def test_the_second_page_is_asked_for_with_the_cursor_of_the_first():
    with Slow() as (broker, _):
        broker.request(1, "a", "who")
        first = broker.get(QUERY)
        assert first[2:] == [["tenant", "den"], {"limit": 100}]
        broker.send([RESULT, first[1], 200, [["b" * 16, {"user": "bob"}]], {"cursor": "c"}])
        second = broker.get(QUERY)
        assert second[2:] == [["tenant", "den"], {"limit": 100, "cursor": "c"}]
        broker.send([RESULT, second[1], 200, [["a" * 16, {"user": "ada"}]], {}])
        assert broker.replied() == (1, 200, '["bob","ada"]')


def test_a_question_without_an_answer_ends_in_504():
    with Slow() as (broker, _):
        broker.request(1, "a", "count")
        broker.get(QUERY)
        assert broker.replied() == (1, 504, None)


def test_a_broker_that_forgot_us_gets_no_reply_of_the_life_before():
    with Slow() as (broker, _):
        broker.request(1, "a", "count")
        asked = broker.get(QUERY)
        broker.send([WHO])
        broker.welcome()
        broker.send([RESULT, asked[1], 200, [], {"count": 3}])
        broker.request(1, "a", "find")
        assert broker.replied() == (1, 400, None)


def test_a_worker_that_stops_waits_for_its_answers():
    with Slow() as (broker, process):
        broker.request(1, "a", "count")
        asked = broker.get(QUERY)
        process.send_signal(signal.SIGTERM)
        broker.get(DRAIN)
        broker.request(2, "b", "find")  # it still works
        assert broker.replied() == (2, 400, None)
        broker.send([RESULT, asked[1], 200, [], {"count": 3}])
        assert broker.replied() == (1, 200, "3")
        broker.get(BYE)
        assert process.wait(WAIT_S) == 0


if __name__ == "__main__":
    run(sys.modules[__name__])
