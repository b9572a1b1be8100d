# SPDX-License-Identifier: MIT
"""What the integration tests are made of: the real program, raw clients and
scripted workers.  Everything waits for a condition with a deadline."""
import base64
import contextlib
import os
import random
import re
import signal
import socket
import struct
import subprocess
import time

import msgpack
import zmq

BUILD = os.environ.get("HOIST_BUILD", "build/release")
WAIT_S = 15  # for whatever has to happen; sanitizer builds are slow

HELLO, WELCOME, READY, REQUEST, REPLY, PUSH, PUSHED = 1, 2, 3, 4, 5, 6, 7
JOIN, LEAVE, CLOSE, GONE, QUERY, RESULT = 8, 9, 10, 11, 12, 13
CREDIT, PING, PONG, SYNC = 15, 16, 17, 18
DRAIN, BYE, WHO, ERROR, INTEREST, WATCH = 19, 20, 21, 22, 23, 24
CONNECT, MESSAGE, DISCONNECT = 1, 2, 3


def until(condition, what, patience_s=WAIT_S, pause_s=0.01):
    """The first true value of condition(), polled."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(pause_s)
    raise AssertionError("waited in vain for " + what)


def free_port():
    """One that is nobody's now, and that the system gives to nobody who asks for
    any: it is there for a restart, too."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as ports:
        first_given = int(ports.read().split()[0])
    while True:
        port = random.SystemRandom().randrange(10000, max(first_given, 20000))
        with contextlib.suppress(OSError), \
                socket.create_server(("127.0.0.1", port)):
            return port


class Hoist:
    """`hoist serve` (or another command) on ports of its own choice."""

    def __init__(self, *flags, command="serve", endpoints=True,
                 finds_broker=True, inside=()):
        where = {"serve": ["--listen=127.0.0.1:0", "--workers=tcp://127.0.0.1:*"],
                 "broker": ["--workers=tcp://127.0.0.1:*",
                            "--gateways=tcp://127.0.0.1:*"],
                 "gateway": ["--listen=127.0.0.1:0"]}[command]
        # Of a $disconnect that no scripted worker answers any more, and with a
        # scripted gateway that does not say that it drains.
        patience = ["--drain-time=500"]
        self.log_path = f"/tmp/hoist-test-{os.getpid()}-{id(self)}.log"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [*inside, BUILD + "/cli/hoist", command, *patience,
                 *(where if endpoints else []), *flags],
                stderr=log)
        self.workers = self.find(r"BROKER-LISTENING workers=(\S+)") \
            if command != "gateway" else None
        self.gateways = self.find(r"BROKER-LISTENING .* gateways=(\S+)") \
            if command == "broker" else None
        self.address = self.find(r"GATEWAY-LISTENING address=(\S+)") \
            if command != "broker" else None
        if command != "broker" and finds_broker:
            self.find("GATEWAY-BROKER-FOUND (.*)")

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def find(self, pattern):
        def look():
            assert self.process.poll() is None, self.log()
            return re.search(pattern, self.log())
        return until(look, pattern).group(1)

    def stats(self, which):
        """The counters of BROKER or GATEWAY, as of now."""
        def lines():  # whole ones: a reader may see half a write
            return re.findall(which + r"-STATS .*\n", self.log())
        before = len(lines())
        self.process.send_signal(signal.SIGUSR1)
        until(lambda: len(lines()) > before, which + "-STATS")
        line = lines()[-1]
        return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", line)}

    def soon(self, which="BROKER", **gauges):
        """Its counters come to be these."""
        until(lambda: gauges.items() <= self.stats(which).items(),
              f"the {which.lower()} to have {gauges}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        Client.close_all()  # a gateway that drains waits for its clients
        if self.process.poll() is None:
            self.process.terminate()
        status = self.process.wait(WAIT_S + 15)
        log = self.log()
        os.unlink(self.log_path)
        if kind is not None or status not in (0, -signal.SIGKILL):
            print(log)
        assert status in (0, -signal.SIGKILL), f"hoist ended with {status}"


class Client:
    """A WebSocket of RFC 6455, with no more manners than a test needs."""

    standing = []

    def __init__(self, address, path="/", headers=""):
        host, port = address.rsplit(":", 1)
        self.sock = self.connect(host, int(port))
        self.standing.append(self)
        self.buffer = b""
        key = base64.b64encode(os.urandom(16)).decode()
        self.raw(f"GET {path} HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\n"
                 f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
                 f"Sec-WebSocket-Version: 13\r\n{headers}\r\n".encode("latin-1"))
        self.status = self.head = None

    def connect(self, host, port):
        return socket.create_connection((host, port), WAIT_S)

    @classmethod
    def close_all(cls):
        while cls.standing:
            cls.standing.pop().sock.close()

    def raw(self, data):
        self.sock.sendall(data)

    def more(self):
        data = self.sock.recv(65536)
        if not data:
            raise EOFError
        self.buffer += data

    def opened(self):
        """Read the response's head, into status and head."""
        while b"\r\n\r\n" not in self.buffer:
            self.more()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        self.head = head
        self.status = int(head.split()[1])
        return self

    def frame(self, opcode, data, fin=True, mask=True, reserved=0):
        length = len(data)
        head = bytes([(0x80 if fin else 0) | reserved | opcode])
        bit = 0x80 if mask else 0
        if length < 126:
            head += bytes([bit | length])
        elif length < 65536:
            head += bytes([bit | 126]) + struct.pack(">H", length)
        else:
            head += bytes([bit | 127]) + struct.pack(">Q", length)
        if mask:
            key = os.urandom(4)
            head += key
            data = bytes(byte ^ key[i % 4] for i, byte in enumerate(data))
        self.raw(head + data)

    def send(self, text):
        self.frame(1, text.encode())

    def take(self, count):
        while len(self.buffer) < count:
            self.more()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def recv(self):
        """(opcode, payload) of the next frame."""
        first, length = self.take(2)
        length &= 127
        if length == 126:
            length = struct.unpack(">H", self.take(2))[0]
        elif length == 127:
            length = struct.unpack(">Q", self.take(8))[0]
        return first & 15, self.take(length)

    def close_code(self):
        """The code of the close frame that comes next but for data, or None."""
        try:
            while True:
                opcode, payload = self.recv()
                if opcode == 8:
                    return struct.unpack(">H", payload[:2])[0]
        except (EOFError, ConnectionError):
            return None


class Peer:
    """A DEALER at a broker, whose every step the test decides."""

    context = zmq.Context.instance()

    def __init__(self, endpoint, curve=None, routing_id=None):
        self.sock = self.context.socket(zmq.DEALER)
        self.sock.linger = 1000
        if routing_id is not None:
            self.sock.routing_id = routing_id
        if curve is not None:  # own public key, own secret, the broker's
            (self.sock.curve_publickey, self.sock.curve_secretkey,
             self.sock.curve_serverkey) = curve
        self.sock.connect(endpoint)
        self.boot = os.urandom(8).hex()
        self.inbox = []

    def send(self, *messages):
        self.sock.send(b"".join(msgpack.packb(message) for message in messages))

    def send_bytes(self, frame):
        self.sock.send(frame)

    def pump(self, wait_ms):
        if self.sock.poll(wait_ms):
            unpacker = msgpack.Unpacker()
            unpacker.feed(self.sock.recv())
            self.inbox += list(unpacker)

    def get(self, kind):
        """The next message of this kind."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            for i, message in enumerate(self.inbox):
                if message[0] == kind:
                    return self.inbox.pop(i)
            self.pump(100)
        raise AssertionError(f"no message of kind {kind} came")

    def has(self, kind):
        """Is one there after a round trip through the broker?"""
        self.send([PING])
        self.get(PONG)
        return any(message[0] == kind for message in self.inbox)

    def get_who(self):
        """Wait until the broker asks who we are: it has a new transport of
        ours, or forgot us."""
        def asked():
            self.send([PING])
            self.pump(50)
            return any(message[0] == WHO for message in self.inbox)
        until(asked, "a WHO")
        self.inbox.clear()

    def die(self):
        self.sock.close(0)


def first_of(peers, is_wanted, what):
    """Of what comes to any of these peers, the first message that is wanted:
    (peer, message)."""
    def look():
        for peer in peers:
            peer.pump(10)
            for i, message in enumerate(peer.inbox):
                if is_wanted(message):
                    return peer, peer.inbox.pop(i)
        return None
    return until(look, what)


class Worker(Peer):
    """A worker that has greeted."""

    def __init__(self, endpoint, *routes, window=64, window_bytes=1 << 20,
                 options=None, **transport):
        super().__init__(endpoint, **transport)
        self.greeting = [[HELLO, 1, "worker", self.boot, "test", options or {}],
                         [READY, list(routes), window, window_bytes]]
        self.greet()

    def greet(self):
        self.send(*self.greeting)
        assert self.get(WELCOME)

    def reply(self, request, status=200, body=None, options=None):
        message = [REPLY, request[1], status, body]
        self.send(message if options is None else message + [options])


def run(module):
    """Run every test_… function of a module, and say what each is."""
    tests = [(name, test) for name, test in vars(module).items()
             if name.startswith("test_")]
    assert tests
    for name, test in tests:
        print(name.replace("_", " "), flush=True)
        test()
    print(f"{len(tests)} tests passed")
