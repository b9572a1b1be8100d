# SPDX-License-Identifier: MIT
"""Clients of the chat that talk all the time, and know what they should hear."""
import json
import socket
import threading
import time

from patience import PATIENCE_S, Client, until

PACE_S = 0.02  # between two messages of one client


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
        self.refusal = None  # of the last handshake: its status, or an error
        self.failure = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def connect(self):
        try:
            return until(self.enter, "a gateway", pause_s=PACE_S)
        except AssertionError:
            raise AssertionError(
                f"client {self.number} is not let in: {self.refusal!r}") from None

    def enter(self):
        """Under a new name: the old one may not have left yet.  None: in vain."""
        name = f"{self.number}-{time.monotonic_ns()}"
        try:
            client = Socket(self.crowd.address, f"/?name={name}&room=r{self.number}")
            self.refusal = client.opened().status
            if self.refusal == 101:
                return client
            client.sock.close()
        except (OSError, EOFError) as error:
            self.refusal = error
        return None

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
        while not self.crowd.over.wait(PACE_S):
            self.said += 1
            text = f"{self.number}: {self.said}"
            try:
                client.send(json.dumps({"action": "say", "text": text}))
            except OSError:
                pass  # what came before that is read below
            if not self.hear(client, text):
                client.sock.close()
                client = self.connect()
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
        self.over = threading.Event()
        self.is_rough = False
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

        def all_did():
            self.check()
            return all(talker.heard > heard + 1
                       for talker, heard in zip(self.talkers, before))
        until(all_did, "each client to hear more")

    def stop(self):
        self.over.set()
        for talker in self.talkers:
            talker.thread.join(PATIENCE_S)
