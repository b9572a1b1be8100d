# SPDX-License-Identifier: MIT
"""Requests that kill their workers: given to others, in order, then kept as
dead letters, which `hoist dead` lists, gives to a worker again, or drops."""
import contextlib
import subprocess
import sys
import tempfile

from harness import *

AGAIN = ["pay", {"redeliver": 1}]


def message(number):
    return '{"action":"pay","n":%d}' % number


class Folder:
    """Of dead letters, and the command that looks at it."""

    def __init__(self, path):
        self.path = path

    def run(self, *words):
        return subprocess.run([BUILD + "/cli/hoist", "dead", *words],
                              capture_output=True, text=True, timeout=WAIT_S)

    def rows(self):
        """[ID, STATE, ATTEMPTS, BYTES, CONNECTION, ROUTE] of each letter."""
        done = self.run("list", self.path)
        assert done.returncode == 0, done.stderr
        head, *lines = done.stdout.splitlines()
        assert head.split() == ["ID", "DIED", "STATE", "ATTEMPTS", "BYTES",
                                "CONNECTION", "ROUTE"]
        return [[words[0], *words[2:]] for words in map(str.split, lines)]

    def wait_for(self, count, state="letter"):
        def found():
            rows = self.rows()
            return rows if [row[1] for row in rows] == [state] * count else None
        if count == 0:
            until(lambda: not self.rows(), "an empty folder")
            return []
        return until(found, f"{count} letters that are '{state}'")

    def show(self, letter):
        done = self.run("show", self.path, letter)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def order(self, *words, status=0):
        done = self.run(words[0], self.path, *words[1:])
        assert done.returncode == status, (words, done.stderr)
        return done.stderr


@contextlib.contextmanager
def a_folder():
    with tempfile.TemporaryDirectory(prefix="hoist-dead-") as path:
        yield Folder(path)


def a_worker(hoist):
    return Worker(hoist.workers, AGAIN)


def kill_workers(hoist, times=2):
    """Each has the request, and dies of it; the client is told at the end."""
    client = Client(hoist.address).opened()
    worker = a_worker(hoist)
    client.send(message(1))
    for attempt in range(1, times + 1):
        request = worker.get(REQUEST)
        assert request[10:] == ([attempt] if attempt > 1 else [])
        successor = a_worker(hoist) if attempt < times else None
        worker.send([BYE])
        worker = successor
    opcode, frame = client.recv()
    assert opcode == 1 and b'"message": "Internal server error"' in frame
    return client


def test_requests_of_a_dead_worker_go_to_another_in_order():
    with Hoist() as hoist:
        client = Client(hoist.address).opened()
        first = a_worker(hoist)
        for number in range(3):
            client.send(message(number))
        for number in range(3):
            assert first.get(REQUEST)[5] == message(number)
        second = a_worker(hoist)
        first.die()
        for number in range(3):
            request = second.get(REQUEST)
            assert request[5] == message(number) and request[10] == 2
            second.reply(request, body=f"paid {number}")
        for number in range(3):
            assert client.recv() == (1, b"paid %d" % number)
        assert hoist.stats("BROKER")["redelivered"] == 3


def test_what_kills_each_worker_is_kept():
    with a_folder() as folder, Hoist("--dead-letters", folder.path) as hoist:
        client = kill_workers(hoist)
        (letter, state, attempts, size, conn, route), = folder.wait_for(1)
        assert [attempts, size, route] == ["2", str(len(message(1))), "pay"]
        assert folder.show(letter) == message(1)
        assert hoist.find("warn DEAD-LETTER-KEPT id=(.*) suppressed=0") == letter
        worker = a_worker(hoist)  # and the client goes on
        client.send(message(2))
        request = worker.get(REQUEST)
        assert request[3] == conn and request[5] == message(2)
        worker.reply(request, body="paid")
        assert client.recv() == (1, b"paid")
        assert hoist.stats("BROKER")["dead"] == 1


def test_a_retried_letter_is_answered_to_nobody_and_gone():
    with a_folder() as folder, Hoist("--dead-letters", folder.path) as hoist:
        client = kill_workers(hoist)
        (letter, *_), = folder.wait_for(1)
        worker = a_worker(hoist)
        folder.order("retry", letter)
        request = worker.get(REQUEST)
        assert request[5] == message(1)
        folder.wait_for(1, "taken")
        worker.reply(request, body="too late to be told")
        folder.wait_for(0)
        client.send(message(2))
        worker.reply(worker.get(REQUEST), body="paid")
        assert client.recv() == (1, b"paid")
        counts = hoist.stats("BROKER")
        assert [counts["dead"], counts["revived"]] == [1, 1]


def test_one_that_kills_again_is_back():
    with a_folder() as folder, Hoist("--dead-letters", folder.path) as hoist:
        kill_workers(hoist)
        (letter, *_), = folder.wait_for(1)
        first, second = a_worker(hoist), a_worker(hoist)
        folder.order("retry", "--all")
        until(lambda: first.has(REQUEST) or second.has(REQUEST), "a request")
        first.send([BYE])
        second.send([BYE])
        assert folder.wait_for(1)[0][0] == letter


def test_letters_outlive_the_broker_those_that_were_taken_too():
    with a_folder() as folder:
        with Hoist("--dead-letters", folder.path) as hoist:
            kill_workers(hoist)
            folder.wait_for(1)
            worker = a_worker(hoist)
            folder.order("retry", "--all")
            worker.get(REQUEST)
            folder.wait_for(1, "taken")
            hoist.kill()
        assert folder.rows()[0][1] == "taken"
        with Hoist("--dead-letters", folder.path) as hoist:
            folder.wait_for(1, "letter")
            folder.order("retry", "--all")  # and without a worker it stays
            until(lambda: hoist.stats("BROKER")["revived"] == 1, "a try")
            folder.wait_for(1, "letter")


def test_a_folder_is_one_brokers():
    with a_folder() as folder, Hoist("--dead-letters", folder.path):
        second = subprocess.run(
            [BUILD + "/cli/hoist", "broker", "--dead-letters", folder.path,
             "--workers=tcp://127.0.0.1:*", "--gateways=tcp://127.0.0.1:*"],
            capture_output=True, text=True, timeout=WAIT_S)
        assert second.returncode == 1 and "another broker does" in second.stderr


def test_dropped_letters_are_gone_and_mistakes_are_told():
    with a_folder() as folder, Hoist("--dead-letters", folder.path) as hoist:
        kill_workers(hoist)
        (letter, *_), = folder.wait_for(1)
        assert "no such letter" in folder.order("drop", "0" * 16, status=1)
        assert "no such letter" in folder.order("retry", "../x", status=1)
        assert "give IDs" in folder.order("drop", status=2)
        assert "nothing but" in folder.order("list", letter, status=2)
        assert "list, show" in folder.order("burn", letter, status=2)
        folder.order("drop", letter)
        assert folder.rows() == []
        assert "usage" in folder.run("--help").stdout


def test_a_full_folder_loses_what_is_new_and_says_so():
    with a_folder() as folder, Hoist("--dead-letters", folder.path,
                                     "--dead-letters-max=5000") as hoist:
        kill_workers(hoist)
        folder.wait_for(1)
        kill_workers(hoist)
        until(lambda: hoist.stats("BROKER")["dead_lost"] == 1, "the loss")
        assert "DEAD-LETTER-LOST" in hoist.log()
        assert len(folder.rows()) == 1


def test_what_is_no_letter_is_left_alone():
    with a_folder() as folder, Hoist("--dead-letters", folder.path) as hoist:
        for name in ("README", "0123456789abcdef.retry", "x.letter",
                     "0X23456789ABCDEF.retry"):
            with open(f"{folder.path}/{name}", "w") as file:
                file.write("\xc1")
        os.mkfifo(folder.path + "/00000000000000aa.retry")
        hoist.find("DEAD-LETTER-UNREADABLE id=(0123456789abcdef)")
        hoist.find("DEAD-LETTER-UNREADABLE id=(00000000000000aa)")
        done = folder.run("list", folder.path)
        assert done.returncode == 1 and "Bad message" in done.stderr
        kill_workers(hoist)  # nobody else is touched
        until(lambda: "letter" in folder.run("list", folder.path).stdout,
              "a letter")


if __name__ == "__main__":
    run(sys.modules[__name__])
