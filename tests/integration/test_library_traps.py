# SPDX-License-Identifier: MIT
"""What libwebsockets would do with these bytes, if it saw more of them than a
socket: each is known to have stopped or confused servers built on it."""
import json
import socket
import sys

from harness import *

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def answer(address, request):
    """All that the gateway says to these bytes until it closes or is done."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), WAIT_S) as sock:
        sock.settimeout(WAIT_S)
        sock.sendall(request)
        data = b""
        while b"\r\n\r\n" not in data:
            more = sock.recv(65536)
            if not more:
                break
            data += more
        return data


def still_serves(hoist):
    worker = Worker(hoist.workers, "echo")
    client = Client(hoist.address).opened()
    client.send(json.dumps({"action": "echo"}))
    worker.reply(worker.get(REQUEST), body="here")
    assert client.recv() == (1, b"here")
    worker.die()


def upgrade(to, extra=""):
    return (f"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: {to}\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\n"
            f"Sec-WebSocket-Version: 13\r\n{extra}\r\n").encode()


def test_an_upgrade_to_something_unknown_is_refused():
    """CVE-2025-11677: a use after free in libwebsockets 4.1 to 4.4."""
    with Hoist() as hoist:
        for to in ("nonsense", "h2c", "TLS/1.0", "websocketx", ""):
            said = answer(hoist.address, upgrade(to))
            assert b" 101 " not in said.split(b"\r\n")[0], (to, said)
            assert said.startswith(b"HTTP/1.1 4") or \
                said.startswith(b"HTTP/1.1 5"), (to, said)
        still_serves(hoist)


def test_http_2_with_prior_knowledge_is_no_http_here():
    """CVE-2026-19773: HPACK; there is no HTTP/2 to reach it by."""
    with Hoist() as hoist:
        said = answer(hoist.address, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" +
                      b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        assert said.startswith(b"HTTP/1.1 4") or \
            said.startswith(b"HTTP/1.1 5"), said
        still_serves(hoist)


def test_compression_is_not_negotiated():
    with Hoist() as hoist:
        said = answer(hoist.address, upgrade(
            "websocket", "Sec-WebSocket-Extensions: permessage-deflate; "
            "client_max_window_bits\r\n"))
        assert said.startswith(b"HTTP/1.1 101 ")
        assert b"extensions" not in said.lower()
        still_serves(hoist)


def test_messages_that_follow_the_handshake_in_one_segment_are_not_lost():
    with Hoist() as hoist:
        worker = Worker(hoist.workers, "echo")
        host, port = hoist.address.rsplit(":", 1)
        body = json.dumps({"action": "echo"}).encode()
        frame = bytes([0x81, 0x80 | len(body), 0, 0, 0, 0]) + body
        with socket.create_connection((host, int(port)), WAIT_S) as sock:
            sock.sendall(upgrade("websocket") + frame * 3)
            for _ in range(3):
                request = worker.get(REQUEST)
                assert request[5] == body.decode()
                worker.reply(request)


def test_a_large_answer_to_a_slow_reader_arrives_whole():
    """Buffered output and a closing socket: the library drops what it holds."""
    with Hoist("--max-frame=1048576") as hoist:
        worker = Worker(hoist.workers, "echo", window_bytes=1 << 24)
        client = Client(hoist.address).opened()
        client.send(json.dumps({"action": "echo"}))
        body = "x" * 1_000_000
        worker.reply(worker.get(REQUEST), body=body)
        until(lambda: hoist.stats("GATEWAY")["messages_out"] == 1, "its start")
        client.frame(8, b"\x03\xe8")
        assert client.recv() == (1, body.encode())
        assert client.recv()[0] == 8


if __name__ == "__main__":
    run(sys.modules[__name__])
