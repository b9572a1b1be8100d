# SPDX-License-Identifier: MIT
"""Clients of the chat that talk all the time, and know what they should hear."""
import json
import pathlib
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from harness import Client  # noqa: E402

PATIENCE_S = 60


class Socket(Client):
    def connect(self, host, port):
        return socket.create_connection((host, port), PATIENCE_S)


class Talker:
    """In a room of its own it says one thing after the other, and hears each
    before it says the next.  Moved (1012) it comes back and goes on.  Only while
    all is rough may an answer be an error, or the connection be cut."""

    def __init__(self, crowd, number):
        self.crowd, self.number = crowd, number
        self.said = self.heard = self.moved = self.failed = self.cut = 0
        self.in_doubt = set()  # those that failed, and may have been handled
        self.failure = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def connect(self):
        """Under a new name: the old one may not have left yet."""
        end = time.monotonic() + PATIENCE_S
        why = None
        while time.monotonic() < end and not self.crowd.is_over:
            name = f"{self.number}-{time.monotonic_ns()}"
            try:
                client = Socket(self.crowd.address, f"/?name={name}&room=r{self.number}")
                why = client.opened().status
                if why == 101:
                    return client
                client.sock.close()
            except (OSError, EOFError) as error:
                why = error
            time.sleep(0.05)
        raise AssertionError(f"client {self.number} is not let in: {why!r}")

    def take(self, client):
        """The next frame: a JSON text, or None when the connection is over."""
        try:
            opcode, data = client.recv()
        except (OSError, EOFError) as error:
            assert self.crowd.is_rough, f"client {self.number} was cut off: {error!r}"
            self.cut += 1
            return None
        if opcode == 8:
            assert data[:2] == b"\x03\xf4" or self.crowd.is_rough, data
            self.moved += 1
            return None
        return json.loads(data)

    def hear(self, client, text):
        """Until this was heard.  False: the connection is over."""
        while True:
            message = self.take(client)
            if message is None:
                return False
            if "message" in message:
                assert self.crowd.is_rough, f"client {self.number}: {message}"
                self.failed += 1
                self.in_doubt.add(text)
                return True
            if message["type"] in ("joined", "left"):
                continue  # our own last connection
            assert message["type"] == "said", message
            if message["text"] == text:
                self.heard += 1
                return True
            assert message["text"] in self.in_doubt, (message, text)
            self.in_doubt.remove(message["text"])

    def talk(self):
        client = self.connect()
        while not self.crowd.is_over:
            self.said += 1
            text = f"{self.number}: {self.said}"
            try:
                client.send(json.dumps({"action": "say", "text": text}))
            except OSError:
                pass  # what came before that is read below
            if not self.hear(client, text):
                client.sock.close()
                client = self.connect()
            time.sleep(0.02)
        client.sock.close()

    def run(self):
        try:
            self.talk()
        except BaseException as error:  # for the test to say
            self.failure = error


class Crowd:
    """Talkers at one address."""

    def __init__(self, address):
        self.address = address
        self.is_over = self.is_rough = False
        self.talkers = []

    def grow(self, count):
        self.talkers += [Talker(self, len(self.talkers) + i) for i in range(count)]

    def check(self):
        for talker in self.talkers:
            if talker.failure:
                raise talker.failure

    def total(self, what):
        return sum(getattr(talker, what) for talker in self.talkers)

    def go_on(self):
        """Until each has heard something more."""
        before = [talker.heard for talker in self.talkers]
        end = time.monotonic() + PATIENCE_S
        while not all(talker.heard > heard + 1
                      for talker, heard in zip(self.talkers, before)):
            self.check()
            assert time.monotonic() < end, "a client hears nothing any more"
            time.sleep(0.05)

    def stop(self):
        self.is_over = True
        for talker in self.talkers:
            talker.thread.join(PATIENCE_S)
