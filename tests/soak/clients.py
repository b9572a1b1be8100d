# SPDX-License-Identifier: MIT
"""Clients of RFC 6455 that come and go, send, and write down what they hear."""
import asyncio
import base64
import json
import os
import socket
import struct
import time

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10

ORDERED = ["one", "one", "two", "two", "again", "echo"]
GATE_S = 30       # for the answer to a handshake, before a client gives up
OPEN_MAX = 10     # messages without an outcome, less than --connection-window


class Wire(asyncio.Protocol):
    """One WebSocket: bytes to frames and back."""

    def __init__(self, path):
        self.path = path
        self.buffer = bytearray()
        self.status = asyncio.get_running_loop().create_future()
        self.ended = asyncio.get_running_loop().create_future()
        self.on_text = self.on_end = lambda what: None
        self.why = None  # it ended
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(f"GET {self.path} HTTP/1.1\r\nHost: soak\r\n"
                        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                        f"Sec-WebSocket-Key: {key}\r\n"
                        "Sec-WebSocket-Version: 13\r\n\r\n".encode())

    def connection_lost(self, error):
        self.finish("reset" if error else "eof")
        if not self.status.done():
            self.status.set_result(0)

    def finish(self, why):
        """It is over for us; what comes behind is not looked at."""
        if self.why is None:
            self.why = why
            self.on_end(why)
            self.ended.set_result(None)

    def data_received(self, data):
        self.buffer += data
        if not self.status.done() and not self.read_head():
            return
        while self.read_frame():
            pass

    def read_head(self):
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        status = int(bytes(self.buffer[:end]).split()[1])
        del self.buffer[:end + 4]
        if status != 101:
            self.buffer.clear()
            self.finish(f"status {status}")
            self.transport.close()
        self.status.set_result(status)
        return status == 101

    def read_frame(self):
        buffer = self.buffer
        if len(buffer) < 2:
            return False
        length, head = buffer[1] & 127, 2
        if length > 125:
            head = 4 if length == 126 else 10
            if len(buffer) < head:
                return False
            length = int.from_bytes(buffer[2:head], "big")
        if len(buffer) < head + length:
            return False
        opcode, payload = buffer[0] & 15, bytes(buffer[head:head + length])
        del buffer[:head + length]
        self.take(opcode, payload)
        return True

    def take(self, opcode, payload):
        if self.why is not None:
            return
        if opcode == TEXT:
            self.on_text(payload.decode())
        elif opcode == PING:
            self.send(PONG, payload)
        elif opcode == CLOSE:
            self.send(CLOSE, payload)
            self.transport.close()
            self.finish(str(struct.unpack(">H", payload[:2])[0]
                            if payload else 1005))

    def send(self, opcode, payload):
        key = os.urandom(4)
        mask = (key * (len(payload) // 4 + 1))[:len(payload)]
        masked = (int.from_bytes(payload, "big") ^
                  int.from_bytes(mask, "big")).to_bytes(len(payload), "big")
        head = bytes([0x80 | opcode, 0x80 | len(payload)])
        self.transport.write(head + key + masked)

    def close(self, code):
        if self.why is None:
            self.send(CLOSE, struct.pack(">H", code))
            self.transport.close()
            self.finish("left")

    def reset(self):
        if self.why is None:
            self.transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
            self.finish("left with a RST")


class Client:
    """One try to connect, and what comes of it.  Its style is what it does:
    plain, loose (routes without order, too), slow (handlers beyond their
    deadlines, too), deaf (never reads) or brief."""

    def __init__(self, soak, style):
        self.soak, self.style = soak, style
        self.random = soak.random
        self.attempt = self.wire = None
        self.slot = None  # where it lives, if it does

    async def live(self):
        if not await self.open():
            return
        self.soak.standing.add(self)
        if self.style == "deaf":
            await self.be_deaf()
        else:
            await self.act()

    # --- coming -----------------------------------------------------------

    async def open(self):
        gateway = self.random.choice(self.soak.gateways)
        attempt = self.soak.truth.attempt(gateway.name, gateway.starts,
                                          time.monotonic())
        attempt.is_deaf = self.style == "deaf"
        self.attempt = attempt
        try:
            _, self.wire = await asyncio.wait_for(
                asyncio.get_running_loop().create_connection(
                    lambda: Wire(f"/?k={attempt.k}"),
                    "127.0.0.1", gateway.port), GATE_S)
        except (OSError, asyncio.TimeoutError):
            attempt.closed, attempt.how = time.monotonic(), "not connected"
            self.soak.truth.counts["connects refused"] += 1
            return False
        self.wire.on_text, self.wire.on_end = self.hear, self.end
        if self.wire.why is not None:
            self.end(self.wire.why)
        return await self.greet(attempt)

    async def greet(self, attempt):
        status = 0
        try:
            status = await asyncio.wait_for(asyncio.shield(self.wire.status),
                                            GATE_S)
        except asyncio.TimeoutError:
            self.soak.handshake_late(attempt)
            self.wire.reset()
        self.soak.truth.checks["handshake-answered"] += 1
        self.soak.truth.counts[f"handshakes {status or 'cut off'}"] += 1
        self.soak.handshake(attempt, status)
        if status == 101:
            attempt.opened = time.monotonic()
        return status == 101 and self.wire.why is None

    def end(self, why):
        self.attempt.closed, self.attempt.how = time.monotonic(), why
        self.soak.standing.discard(self)
        if self.attempt.status == 101:
            self.soak.ended(self.attempt, why)

    # --- acting -----------------------------------------------------------

    async def pause(self, seconds):
        await asyncio.wait({self.wire.ended}, timeout=seconds)
        return self.wire.why is None

    async def act(self):
        mean_s = 1.0 if self.style == "brief" else 25
        leaves_at = time.monotonic() + self.random.expovariate(1 / mean_s)
        if self.style == "brief":
            self.send_some()
        while await self.pause(self.random.uniform(0, 1.5)):
            mode = self.soak.mode
            if mode == "leave" or (self.style == "brief" and
                                   time.monotonic() > leaves_at):
                self.wire.close(1000)
            elif mode == "calm" or (mode == "chaos" and
                                    time.monotonic() < leaves_at):
                self.send_some()
            elif mode == "chaos":
                await self.leave()

    async def leave(self):
        """With or without patience for what is still open."""
        if self.random.random() < 0.5:
            end = time.monotonic() + 40
            while self.attempt.open_messages() and time.monotonic() < end and \
                    await self.pause(0.2):
                pass
        if self.random.random() < 0.3:
            self.wire.reset()
        else:
            self.wire.close(self.random.choice([1000, 1001, 4000]))

    def send_some(self):
        for _ in range(self.random.choice([1, 1, 1, 2, 5])):
            if self.attempt.open_messages() < OPEN_MAX:
                self.send(self.route())

    def route(self):
        dice = self.random.random()
        if self.soak.mode == "chaos":
            if dice < 0.02:
                return "nobody"
            if self.style == "slow" and dice < 0.15:
                return "slow"
        if self.style == "loose" and dice < 0.5:
            return "loose"
        return self.random.choice(ORDERED)

    def send(self, route):
        n = self.attempt.send(time.monotonic(), route)
        self.wire.send(TEXT, json.dumps({"action": route, "k": self.attempt.k,
                                         "n": n}).encode())

    async def be_deaf(self):
        """Ask for much and read nothing of it; then see what has become."""
        self.wire.transport.pause_reading()
        self.wire.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(self.random.randrange(20, 60)):
            if self.wire.transport.is_closing():
                break
            if self.wire.transport.get_write_buffer_size() == 0:
                for _ in range(5):
                    self.send("big")
            await self.pause(0.2)
        if self.wire.why is None:
            self.wire.transport.resume_reading()
            await self.pause(5)
        self.soak.truth.counts[f"deaf clients: {self.wire.why}"] += 1
        self.wire.reset()

    # --- hearing ----------------------------------------------------------

    def hear(self, text):
        words = text.split(" ", 5)
        if text.startswith('{"message": '):
            self.hear_error(json.loads(text))
        elif text.startswith('{"action"'):
            said = json.loads(text)
            self.hear_answer(said["k"], said["n"], None)
        elif words[0] == "re":
            k, n, worker, word = map(int, words[1:5])
            self.attempt.hear(worker, word)
            self.hear_answer(k, n, worker)
        elif words[0] == "push":
            k, worker, word = map(int, words[1:4])
            self.attempt.hear(worker, word)
            self.is_mine(k, text)
            self.soak.truth.counts["pushes heard"] += 1
        else:
            self.attempt.wrong.append(("own-messages", f"hears {text[:80]!r}"))

    def is_mine(self, k, text):
        self.soak.truth.checks["own-messages"] += 1
        if k != self.attempt.k:
            self.attempt.wrong.append(
                ("own-messages", f"{text[:80]!r} is for client {k}"))

    def hear_error(self, error):
        number = int.from_bytes(base64.urlsafe_b64decode(error["requestId"]),
                                "big")
        conn = error["connectionId"]
        if self.attempt.conn not in (None, conn):
            self.attempt.wrong.append(("own-messages", f"error for {conn}"))
        self.attempt.conn = conn
        self.attempt.failed(time.monotonic(), number, error["message"])
        self.soak.failed(self, error["message"])

    def hear_answer(self, k, n, worker):
        self.is_mine(k, f"the answer to {n}")
        self.attempt.answered(time.monotonic(), n)
        if n < len(self.attempt.sent):
            self.soak.answered(self, self.attempt.sent[n], worker)
