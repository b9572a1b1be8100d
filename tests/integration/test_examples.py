# SPDX-License-Identifier: MIT
"""The example workers, each as a program of its own against the real server."""
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile

import zmq

from harness import BUILD, PONG, WAIT_S, Client, Hoist, Worker, run, until
from redis_server import Server

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
EXAMPLES = ROOT + "/workers/examples"


class Example:
    """A worker under test, ready when this has been made."""

    def __init__(self, hoist, *command, stderr=None):
        before = hoist.log().count("WORKER-READY")
        self.process = subprocess.Popen(command, stderr=stderr)

        def is_ready():
            assert self.process.poll() is None, f"{command} ended"
            return hoist.log().count("WORKER-READY") > before
        try:
            until(is_ready, "the worker to be ready")
        except AssertionError:
            self.process.kill()
            raise

    def __enter__(self):
        return self

    def stop(self):
        self.process.terminate()
        self.process.wait(WAIT_S)

    def __exit__(self, *_):
        Client.close_all()
        self.stop()


def echoes(*command, flag=()):
    with Hoist() as hoist, Example(hoist, *command, *flag, hoist.workers):
        client = Client(hoist.address).opened()
        texts = [f'{{"action":"echo","n":{n},"text":"Grüße"}}' for n in range(50)]
        for text in texts:
            client.send(text)
        for text in texts:
            assert client.recv() == (1, text.encode())


def test_echo_in_c():
    echoes(BUILD + "/workers/examples/echo", flag=["--broker"])


def test_echo_in_python():
    echoes(sys.executable, EXAMPLES + "/echo.py")


def node():
    assert os.path.isdir(EXAMPLES + "/node_modules"), "run scripts/npm-ci.sh first"
    return "node"


def says_how_to_use_it(program, name):
    ended = subprocess.run([program, f"{EXAMPLES}/{name}"], timeout=WAIT_S,
                           stderr=subprocess.PIPE, text=True)
    assert ended.returncode == 1, ended
    assert ended.stderr == f"usage: {name} ENDPOINT\n", ended


def test_without_an_argument_they_say_how_to_use_them():
    says_how_to_use_it(sys.executable, "echo.py")
    says_how_to_use_it(node(), "echo.mjs")
    says_how_to_use_it(sys.executable, "who.py")
    says_how_to_use_it(node(), "who.mjs")
    says_how_to_use_it(sys.executable, "chat.py")
    says_how_to_use_it(node(), "chat.mjs")


def ends_without_a_word(program, name):
    with Hoist() as hoist, tempfile.TemporaryFile("w+") as said, \
            Example(hoist, program, f"{EXAMPLES}/{name}", hoist.workers,
                    stderr=said) as example:
        example.process.send_signal(signal.SIGINT)
        assert example.process.wait(WAIT_S) == -signal.SIGINT
        said.seek(0)
        assert said.read() == ""


def test_ctrl_c_ends_echo_without_a_word():
    ends_without_a_word(sys.executable, "echo.py")
    ends_without_a_word(node(), "echo.mjs")


class Lost:
    """A worker on the C library with the wrong endpoint, and its log."""

    def __init__(self, endpoint):
        self.said = tempfile.NamedTemporaryFile(prefix="hoist-worker-")
        self.process = subprocess.Popen(
            [BUILD + "/workers/examples/echo", "--broker", endpoint], stderr=self.said)

    def log(self):
        with open(self.said.name, encoding="utf-8") as said:
            return said.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        assert self.process.wait(WAIT_S) == 0
        self.said.close()


def misses(endpoint, reason):
    with Lost(endpoint) as worker:
        until(lambda: "WORKER-BROKER-MISSING" in worker.log(), "the line about it")
        assert re.search("WORKER-STARTED .* brokers=" + re.escape(endpoint), worker.log())
        assert re.search(f"MISSING broker={re.escape(endpoint)} ms=[0-9]+ "
                         f'reason="({reason})"', worker.log()), worker.log()


def test_a_worker_that_finds_no_broker_says_where_it_looks():
    with socket.socket() as closed:  # bound, and nobody listens
        closed.bind(("127.0.0.1", 0))
        misses("tcp://127.0.0.1:%d" % closed.getsockname()[1],
               "nothing that speaks ZeroMQ can be reached")


def test_so_does_one_that_is_given_the_address_for_clients():
    with Hoist() as hoist:
        # Which of them is a matter of libzmq's version, and of who is faster.
        misses("tcp://" + hoist.address, "nothing that speaks ZeroMQ can be reached"
               "|it can be reached and does not answer"
               "|it broke off the handshake: no ZeroMQ, or CURVE[?]")


def test_so_does_one_that_is_given_the_endpoint_for_gateways():
    with Hoist(command="broker") as hoist:
        misses(hoist.gateways, "it answers, but with no WELCOME")


def test_so_does_one_whose_endpoint_only_listens():
    with Worker.context.socket(zmq.ROUTER) as mute:
        mute.linger = 0
        mute.bind("tcp://127.0.0.1:*")
        misses(mute.last_endpoint.decode(), "it can be reached and does not answer")


def test_an_idle_worker_in_python_is_not_given_up():
    """What a broker sends now and then must not put off the worker's PING."""
    with Hoist("--heartbeat=500") as hoist, \
            Example(hoist, sys.executable, EXAMPLES + "/echo.py", hoist.workers):
        witness = Worker(hoist.workers, "other")
        for _ in range(10):  # half a second each: longer than the liveness
            witness.has(PONG)
            witness.pump(500)
        assert "PEER-LOST" not in hoist.log()


def test_echo_in_node():
    echoes(node(), EXAMPLES + "/echo.mjs")


def tells_who_is_connected(*command):
    with Hoist() as hoist, Example(hoist, *command, hoist.workers):
        ada = Client(hoist.address, "/?name=ada").opened()
        bob = Client(hoist.address, "/?name=bob").opened()
        ada.send('{"action":"who"}')
        assert json.loads(ada.recv()[1]) == ["ada", "bob"]
        bob.sock.close()

        def alone():
            ada.send('{"action":"who"}')
            return json.loads(ada.recv()[1]) == ["ada"]
        until(alone, "bob's row to go")


def test_who_in_python():
    tells_who_is_connected(sys.executable, EXAMPLES + "/who.py")


def test_who_in_node():
    tells_who_is_connected(node(), EXAMPLES + "/who.mjs")


def test_readme_shows_echo_py_as_it_is():
    with open(ROOT + "/README.md", encoding="utf-8") as readme:
        shown = re.search(r"```python\n(.*?)```", readme.read(), re.S).group(1)
    with open(EXAMPLES + "/echo.py", encoding="utf-8") as example:
        assert example.read().endswith(shown)


def test_readme_shows_echo_c_as_it_is():
    with open(ROOT + "/README.md", encoding="utf-8") as readme:
        shown = re.search(r"```c\n(.*?)```", readme.read(), re.S).group(1)
    with open(EXAMPLES + "/echo.c", encoding="utf-8") as example:
        assert example.read().endswith(shown)


# --- chat --------------------------------------------------------------------

class Chat(Example):
    """The same chat in three languages: each test has all of them, in turns."""

    LANGUAGES = {"C": lambda: [BUILD + "/workers/examples/chat", "--broker"],
                 "Python": lambda: [sys.executable, EXAMPLES + "/chat.py"],
                 "JavaScript": lambda: [node(), EXAMPLES + "/chat.mjs"]}

    def __init__(self, hoist, language):
        super().__init__(hoist, *self.LANGUAGES[language](), hoist.workers)


def in_each_language(test):
    """A test of (hoist, chat), where chat() starts a worker."""
    def run_all():
        for language in Chat.LANGUAGES:
            print("  in " + language, flush=True)
            with Hoist() as hoist:
                test(hoist, lambda: Chat(hoist, language))
    return run_all


def enter(hoist, name, room="den"):
    return Client(hoist.address, f"/?name={name}&room={room}").opened()


def hears(client):
    return json.loads(client.recv()[1])


def who(client):
    client.send('{"action":"who"}')
    return sorted(hears(client)["names"])


@in_each_language
def test_chat_two_talk_and_the_other_room_does_not_hear_it(hoist, chat):
    with chat():
        ada, far = enter(hoist, "Ada"), enter(hoist, "Ada", "attic")
        bob = enter(hoist, "Bob")
        assert hears(ada) == {"type": "joined", "name": "Bob"}
        assert who(bob) == ["Ada", "Bob"]
        bob.send('{"action":"say","text":"Grüße"}')
        said = {"type": "said", "name": "Bob", "text": "Grüße"}
        assert hears(ada) == said and hears(bob) == said
        assert who(far) == ["Ada"]


@in_each_language
def test_chat_tells_who_asks_who_and_where_it_is(hoist, chat):
    with chat():
        ada = Client(hoist.address, "/?name=Ada").opened()
        ada.send('{"action":"who"}')
        assert hears(ada) == {"type": "here", "you": "Ada", "room": "lobby",
                              "names": ["Ada"]}


@in_each_language
def test_chat_announces_who_leaves(hoist, chat):
    with chat():
        ada = enter(hoist, "Ada")
        bob = enter(hoist, "Bob")
        assert hears(ada)["type"] == "joined"
        bob.sock.close()
        assert hears(ada) == {"type": "left", "name": "Bob"}
        until(lambda: who(ada) == ["Ada"], "the row to go")


@in_each_language
def test_chat_refuses_a_taken_name_until_it_is_free(hoist, chat):
    with chat():
        ada = enter(hoist, "Ada")
        assert enter(hoist, "Ada").status == 409
        assert hears(ada) == {"type": "taken", "name": "Ada"}
        ada.sock.close()
        until(lambda: enter(hoist, "Ada").status == 101, "the name to be free")


@in_each_language
def test_chat_refuses_names_without_or_with_too_many_bytes(hoist, chat):
    with chat():
        assert enter(hoist, "").status == 400
        assert Client(hoist.address, "/").opened().status == 400
        assert enter(hoist, "a" * 33).status == 400
        assert enter(hoist, "a%00b").status == 400
        assert enter(hoist, "a" * 32).status == 101


@in_each_language
def test_chat_answers_nonsense_with_an_error_frame(hoist, chat):
    with chat():
        ada = enter(hoist, "Ada")
        for text in ('{"action":"say"}', '{"action":"say","text":3}',
                     '{"action":"say","text":""}', '{"action":"say","text":null}'):
            ada.send(text)
            assert hears(ada)["message"] == "Bad Request"
        ada.send(json.dumps({"action": "say", "text": "x" * 4097}))
        assert hears(ada)["message"] == "Message too long"


def test_chat_bears_a_message_that_is_no_object():
    for language in Chat.LANGUAGES:
        with Hoist("--route-selection-expression=$request.body[0]") as hoist, \
                Chat(hoist, language):
            ada = enter(hoist, "Ada")
            ada.send('["say"]')
            assert hears(ada)["message"] == "Bad Request", language
            ada.send('["who"]')
            assert hears(ada)["names"] == ["Ada"], language


@in_each_language
def test_chat_says_what_it_understands(hoist, chat):
    with chat():
        ada = enter(hoist, "Ada")
        for text in ('{"action":"sing"}', '{"text":"no action"}', "no JSON", "{", "3"):
            ada.send(text)
            heard = hears(ada)
            assert heard["type"] == "error", heard
            assert '"say"' in heard["text"] and '"who"' in heard["text"], heard
        ada.frame(2, b"\xff")
        assert hears(ada)["type"] == "error"
        assert who(ada) == ["Ada"]


@in_each_language
def test_chat_lists_more_people_than_a_page_of_rows(hoist, chat):
    with chat():
        people = [enter(hoist, f"n{i:03}") for i in range(120)]
        assert who(people[-1]) == [f"n{i:03}" for i in range(120)]


@in_each_language
def test_chat_restarted_knows_who_is_there(hoist, chat):
    first = chat()
    ada = enter(hoist, "Ada")
    assert who(ada) == ["Ada"]
    first.stop()
    with chat():
        assert who(ada) == ["Ada"]
        assert enter(hoist, "Ada").status == 409


def test_chats_of_all_languages_are_one_chat():
    with Hoist() as hoist:
        chats = [Chat(hoist, language) for language in Chat.LANGUAGES]
        people = [enter(hoist, f"n{i}") for i in range(6)]
        for i, each in enumerate(people):
            for name in range(i + 1, len(people)):
                assert hears(each) == {"type": "joined", "name": f"n{name}"}
        for each in people:
            assert who(each) == [f"n{i}" for i in range(6)]
        people[2].send('{"action":"say","text":"hello"}')
        for each in people:
            assert hears(each) == {"type": "said", "name": "n2", "text": "hello"}
        Client.close_all()
        for each in chats:
            each.stop()


# --- dashboard ---------------------------------------------------------------

def test_the_dashboard_tells_everyone_once_a_second():
    with Hoist() as hoist, \
            Example(hoist, BUILD + "/workers/examples/dashboard", "--broker", hoist.workers):
        ada, bob = [Client(hoist.address).opened() for _ in range(2)]
        until(lambda: hears(ada)["watching"] == 2, "both to be counted")
        first, second = hears(bob), hears(bob)
        assert first["type"] == "load" and len(first["load"]) == 3, first
        assert second["number"] == first["number"] + 1
        bob.send('{"action":"now"}')
        assert hears(bob)["number"] >= second["number"]


# --- presence ----------------------------------------------------------------

def moves(client, action, room):
    client.send(json.dumps({"action": action, "room": room}))


def news(what, room, name):
    return {"type": what, "room": room, "name": name}


def test_rooms_hear_who_comes_and_goes():
    with Hoist() as hoist, \
            Example(hoist, BUILD + "/workers/examples/presence", "--broker", hoist.workers):
        ada, bob = [Client(hoist.address, f"/?name={name}").opened()
                    for name in ("Ada", "Bob")]
        moves(ada, "enter", "den")
        assert hears(ada) == news("joined", "den", "Ada")
        moves(bob, "enter", "den")
        assert hears(ada) == hears(bob) == news("joined", "den", "Bob")
        moves(ada, "enter", "attic")
        assert hears(ada) == news("joined", "attic", "Ada")
        moves(ada, "leave", "den")
        assert hears(bob) == news("left", "den", "Ada")
        moves(ada, "enter", "den")
        assert hears(ada) == hears(bob) == news("joined", "den", "Ada")
        bob.sock.close()
        assert hears(ada) == news("left", "den", "Bob")


def test_presence_refuses_who_has_no_name_and_what_names_no_room():
    with Hoist() as hoist, \
            Example(hoist, BUILD + "/workers/examples/presence", "--broker", hoist.workers):
        assert Client(hoist.address, "/").opened().status == 400
        ada = Client(hoist.address, "/?name=Ada").opened()
        ada.send('{"action":"enter"}')
        assert hears(ada)["message"] == "Bad Request"


# --- long jobs ---------------------------------------------------------------

class LongJob(Example):
    """One that has room for one job."""

    def __init__(self, hoist):
        os.environ["JOBS"] = "1"
        super().__init__(hoist, BUILD + "/workers/examples/long_job", "--broker",
                         hoist.workers)
        del os.environ["JOBS"]


def starts(client, below):
    """The job's name, or None when there is no room for it."""
    client.send(json.dumps({"action": "start", "below": below}))
    told = hears(client)
    return told["job"] if told["type"] == "started" else None


def test_a_long_job_tells_how_it_gets_on():
    with Hoist() as hoist, LongJob(hoist):
        ada, bob = [Client(hoist.address).opened() for _ in range(2)]
        job = starts(ada, 100000)
        for done in range(1, 101):
            assert hears(ada) == {"type": "progress", "job": job, "done": done}
        assert hears(ada) == {"type": "done", "job": job, "primes": 9592}
        until(lambda: starts(bob, 10), "room for another")
        assert hears(bob)["type"] == "progress"


def test_a_long_job_that_is_cancelled_makes_room():
    with Hoist() as hoist, LongJob(hoist):
        ada, bob = [Client(hoist.address).opened() for _ in range(2)]
        job = starts(ada, 10000000)
        assert starts(bob, 10) is None
        assert hears(ada)["done"] == 1
        ada.send(json.dumps({"action": "cancel", "job": job}))
        until(lambda: hears(ada)["type"] == "cancelled", "the answer")
        until(lambda: starts(bob, 10), "room for another")


def test_nobody_cancels_the_job_of_another():
    with Hoist() as hoist, LongJob(hoist):
        ada, bob = [Client(hoist.address).opened() for _ in range(2)]
        job = starts(ada, 300000)
        bob.send(json.dumps({"action": "cancel", "job": job}))
        assert hears(bob)["type"] == "cancelled"
        until(lambda: hears(ada)["type"] == "done", "the end of the job")


def test_a_long_job_stops_when_its_client_is_gone():
    with Hoist() as hoist, LongJob(hoist):
        ada, bob = [Client(hoist.address).opened() for _ in range(2)]
        assert starts(ada, 10000000)
        assert starts(bob, 10) is None
        ada.sock.close()
        until(lambda: starts(bob, 10), "room for another")


def test_a_long_job_does_not_hold_up_the_end_of_its_worker():
    with Hoist() as hoist, LongJob(hoist) as worker:
        ada = Client(hoist.address).opened()
        assert starts(ada, 10000000)
        assert hears(ada)["done"] == 1
        worker.stop()
        assert worker.process.returncode == 0


def test_a_long_job_says_what_is_wrong():
    with Hoist() as hoist, LongJob(hoist):
        ada = Client(hoist.address).opened()
        for text in ('{"action":"start"}', '{"action":"start","below":0}',
                     '{"action":"start","below":10000001}', '{"action":"cancel"}',
                     '{"action":"cancel","job":"den"}'):
            ada.send(text)
            assert hears(ada)["type"] == "error", text


# --- middleware --------------------------------------------------------------

def fails(client, action, code):
    """The client is told what failed; returns the request's id."""
    client.send(json.dumps({"action": action}))
    told = json.loads(client.recv()[1])
    assert told["code"] == code, told
    return told["requestId"]


def test_guarded_refuses_in_words_and_logs_every_event():
    with tempfile.TemporaryFile("w+") as log, Hoist() as hoist:
        command = [BUILD + "/workers/examples/guarded", "--broker", hoist.workers]
        with Example(hoist, *command, stderr=log):
            stranger = Client(hoist.address, "/?name=eve&word=now",
                              headers="X-Request-ID: eves\r\n")
            assert stranger.opened().status == 401
            told = b'{"code":"wrong-word","message":"Say the word","requestId":"eves"}'
            assert stranger.take(len(told)) == told
            bob = Client(hoist.address, "/?name=bob&word=please",
                         headers="X-Request-ID: bobs-1\r\n").opened()
            assert bob.status == 101 and b"X-Request-ID: bobs-1" in bob.head
            bob.send('{"action":"echo"}')
            assert bob.recv() == (1, b'{"action":"echo"}')
            number = fails(bob, "secret", "forbidden")
            ada = Client(hoist.address, "/?name=ada&word=please").opened()
            ada.send('{"action":"secret"}')
            assert ada.recv() == (1, b"42")

        log.seek(0)
        lines = re.findall(r"WORKER-EVENT (.*)", log.read())
        seen = [re.sub(r"connection=\S+ |\bus=\S+ ", "", line) for line in lines]
        assert seen[0] == ("request=eves kind=CONNECT route=$connect status=401 "
                           "code=wrong-word attempt=1"), seen
        assert seen[1].startswith("request=bobs-1 kind=CONNECT route=$connect status=200"), seen
        assert seen[3] == (f"request={number} kind=MESSAGE route=secret status=403 "
                           "code=forbidden attempt=1"), seen
        assert len(seen) == 6, seen  # nobody serves $disconnect


def limited(hoist):
    return Example(hoist, BUILD + "/workers/examples/limited", "--broker", hoist.workers)


def ask(client, text):
    client.send(text)
    opcode, payload = client.recv()
    assert opcode == 1, (opcode, payload)
    return json.loads(payload)


def code(answer):
    return answer.get("code")


QUOTE = '{"action":"quote","item":7}'
ORDER = '{"action":"order","item":7,"idempotencyKey":"%s"}'


def test_limited_tells_who_is_too_fast_when_to_come_again():
    with Hoist() as hoist, limited(hoist):
        fast, slow = (Client(hoist.address).opened() for _ in range(2))
        for _ in range(5):
            assert ask(fast, QUOTE) == {"price": 42}
        refused = ask(fast, QUOTE)
        assert code(refused) == "rate-limited", refused
        assert 0 < refused["details"]["retryAfterMs"] <= 2000, refused
        assert ask(slow, QUOTE) == {"price": 42}


def test_limited_turns_an_address_away_at_the_gate():
    with Hoist() as hoist, limited(hoist):
        statuses = [Client(hoist.address).opened().status for _ in range(30)]
        assert statuses == [101] * 30
        refused = Client(hoist.address).opened()
        assert refused.status == 429
        assert re.search(rb"\r\nRetry-After: [12]\r\n", refused.head), refused.head


def test_limited_does_an_order_once_and_none_that_is_wrong():
    with Hoist() as hoist, limited(hoist):
        client = Client(hoist.address).opened()
        wrong = ask(client, '{"action":"order","item":10000}')
        assert code(wrong) == "invalid-body", wrong
        assert wrong["details"] == {"path": "/item", "problem": "range"}
        assert ask(client, ORDER % "one") == {"order": 1}
        for _ in range(10):  # what is repeated is not limited
            assert ask(client, ORDER % "one") == {"replayed": True, "order": 1}
        assert ask(client, ORDER % "two") == {"order": 2}
        assert code(ask(client, ORDER % "three")) == "rate-limited"


def test_limited_with_redis_is_one_for_two_workers():
    with Server() as redis, Hoist() as hoist:
        os.environ["REDIS"] = redis.url()
        try:
            with limited(hoist), limited(hoist):
                statuses = [Client(hoist.address).opened().status for _ in range(31)]
                assert statuses == [101] * 30 + [429], statuses
        finally:
            del os.environ["REDIS"]


if __name__ == "__main__":
    run(sys.modules[__name__])
