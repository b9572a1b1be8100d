#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a connection costs with each store: how much longer a handshake takes than
without one, CPU for an opening and a close, and whether the rows are right when
many come and go (but for those in memory, which nobody else can see).

    bench/connects.py BUILD [--rounds N] [--churn CONNECTIONS]

Redis is a server of its own.  DynamoDB is dynalite on this machine (node, about
as slow as the real one is far), started when its packages are there
(scripts/npm-ci.sh).
"""
import argparse
import base64
import json
import os
import pathlib
import selectors
import socket
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/integration"))

import servers  # noqa: E402
from dynamodb_servers import CREDENTIALS, dynalite  # noqa: E402
from redis_server import Server as Redis  # noqa: E402

WAIT_S = 15
LATENCY = 300  # handshakes, one after the other
AT_ONCE = 500  # of a churn, on their way
STANDING = 10000  # of a churn; descriptors are few
HEAD = (b"GET / HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
        + base64.b64encode(b"0123456789abcdef") + b"\r\n\r\n")


def answer(sock):
    """The head that a handshake is answered with, or what came of it by its end."""
    head = b""
    while b"\r\n\r\n" not in head:
        data = sock.recv(4096)
        if not data:
            break
        head += data
    return head


def opened(port):
    sock = socket.create_connection(("127.0.0.1", port), WAIT_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(HEAD)
    head = answer(sock)
    assert head.startswith(b"HTTP/1.1 101"), head
    return sock


def latency_us(port):
    """Median time of a handshake, each on its own."""
    times = []
    for _ in range(LATENCY):
        begin = time.perf_counter()
        sock = opened(port)
        times.append((time.perf_counter() - begin) * 1e6)
        sock.close()
    return statistics.median(times)


def open_many(port, count):
    """`count` WebSockets, AT_ONCE of them on their way."""
    standing, waiting = [], selectors.DefaultSelector()
    started = 0
    while len(standing) < count:
        while started < count and started - len(standing) < AT_ONCE:
            sock = socket.create_connection(("127.0.0.1", port), WAIT_S)
            sock.sendall(HEAD)
            waiting.register(sock, selectors.EVENT_READ)
            started += 1
        for key, _ in servers.until(lambda: waiting.select(0.1), "the answers to handshakes"):
            head = answer(key.fileobj)
            assert head.startswith(b"HTTP/1.1 101"), head
            waiting.unregister(key.fileobj)
            standing.append(key.fileobj)
    return standing


def cpu_us(hoist):
    return sum(hoist.cpu_us().values())


def until_rows(rows, wanted):
    """There are as many; where nobody can look into the store, not checked."""
    if rows:
        servers.until(lambda: rows() == wanted, f"{wanted} rows", 60)


def churn(hoist, rows, total):
    """CPU of an opening and a close; the rows are right after each portion."""
    cpu, begin = cpu_us(hoist), time.monotonic()
    for done in range(0, total, STANDING):
        portion = min(STANDING, total - done)
        standing = open_many(hoist.port, portion)
        until_rows(rows, portion)
        for sock in standing:
            sock.close()
        until_rows(rows, 0)
    seconds = time.monotonic() - begin
    return {"cpu_us": (cpu_us(hoist) - cpu) / total, "per_s": total / seconds}


def rows_of_dynamodb(service):
    def count():
        total, start = 0, {}
        while True:
            page = service.call("Scan", {"TableName": "bench", "Select": "COUNT",
                                         "FilterExpression": "attribute_exists(context)",
                                         **start})
            total += page["Count"]
            if "LastEvaluatedKey" not in page:
                return total
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
    return count


def measure(build, name, url, rows, total):
    hoist = servers.start_hoist(build, None, f"--store={url}")
    try:
        result = {"handshake_us": latency_us(hoist.port)}
        until_rows(rows, 0)
        result |= churn(hoist, rows, total)
    finally:
        hoist.stop()
    print(f"  {name:10} handshake {result['handshake_us']:7.0f} µs   "
          f"open and close {result['cpu_us']:6.1f} µs CPU, {result['per_s']:7.0f}/s   "
          f"{total} came and went", flush=True)
    return result


def one_round(build, total, has_dynalite):
    found = {"memory": measure(build, "memory", "memory", None, total)}
    with Redis() as server:
        found["redis"] = measure(build, "redis", server.url(), server.rows, total)
    if has_dynalite:
        with dynalite() as service:
            url = f"dynamodb://bench?endpoint=http://127.0.0.1:{service.port}"
            subprocess.run([f"{build}/cli/hoist", "store", "init", url], check=True,
                           stdout=subprocess.DEVNULL)
            found["dynamodb"] = measure(build, "dynamodb", url,
                                        rows_of_dynamodb(service), min(total, 2000))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--churn", type=int, default=20000)
    options = parser.parse_args()
    servers.raise_file_limit()
    os.environ.update(CREDENTIALS)
    has_dynalite = (ROOT / "tests/aws/node_modules").is_dir()
    rounds = []
    for i in range(options.rounds):
        print(f"round {i + 1}")
        rounds.append(one_round(options.build, options.churn, has_dynalite))
    medians = servers.median(rounds)
    base = medians["memory"]
    print("medians, and by those of memory")
    for store, found in medians.items():
        print(f"  {store:10} handshake {found['handshake_us']:7.0f} µs "
              f"(+{found['handshake_us'] - base['handshake_us']:.0f})   "
              f"{found['cpu_us']:6.1f} µs CPU ({found['cpu_us'] / base['cpu_us']:.2f})")
    folder = pathlib.Path(options.build) / "bench"
    (folder / "connects.json").write_text(json.dumps(medians, indent=1))


if __name__ == "__main__":
    main()
