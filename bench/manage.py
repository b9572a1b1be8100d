#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What a POST to @connections costs: requests a second over some connections that
stay, and CPU of hoist for each; on the admin listener, and signed on the clients'.

    bench/manage.py BUILD [--requests N] [--clients N]
"""
import argparse
import contextlib
import pathlib
import socket
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/integration"))

import harness  # noqa: E402
import servers  # noqa: E402
import sigv4  # noqa: E402
from harness import Client, Hoist, Worker  # noqa: E402

BODY = b"x" * 100


def cpu_us(process):
    return sum(servers.cpu_us(process.pid).values())


def heads(address, path, share, count, is_signed):
    """The requests as bytes, made beforehand: each with another body, so that no
    signature is there twice."""
    made = []
    for i in range(count):
        body = BODY + f"{share}-{i}".encode()
        lines = sigv4.signed("POST", path, body, address) if is_signed \
            else {"Host": address}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        made.append(f"POST {path} HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n"
                    .encode() + body)
    return made


def post_all(address, requests):
    """One after the other, on one connection."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port))) as sock:
        for request in requests:
            sock.sendall(request)
            answer = b""
            while b"\r\n\r\n" not in answer:
                answer += sock.recv(4096)
            assert answer.startswith(b"HTTP/1.1 200 "), answer


def swallow(client):
    with contextlib.suppress(OSError):  # its end
        while client.sock.recv(1 << 20):
            pass


def measure(hoist, address, path, args, is_signed):
    shares = [heads(address, path, share, args.requests // args.clients, is_signed)
              for share in range(args.clients)]
    threads = [threading.Thread(target=post_all, args=(address, share)) for share in shares]
    start, cpu = time.perf_counter(), cpu_us(hoist.process)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took, cpu = time.perf_counter() - start, cpu_us(hoist.process) - cpu
    count = sum(map(len, shares))
    print(f"{'signed' if is_signed else 'admin':8} {count / took:8.0f} requests/s"
          f" {cpu / count:6.1f} us of CPU each", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--requests", type=int, default=20000)
    parser.add_argument("--clients", type=int, default=8)
    args = parser.parse_args()
    harness.BUILD = args.build
    with tempfile.NamedTemporaryFile("w") as keys:
        keys.write(f"{sigv4.KEY} {sigv4.SECRET}\n")
        keys.flush()
        with Hoist("--admin=127.0.0.1:0", f"--manage-keys={keys.name}") as hoist:
            admin = hoist.find(r"ADMIN-LISTENING address=(\S+)")
            worker = Worker(hoist.workers, "$connect", options={"liveness": 120000})
            client = Client(hoist.address)
            request = worker.get(harness.REQUEST)
            worker.reply(request)
            client.opened()
            threading.Thread(target=swallow, args=(client,), daemon=True).start()
            path = "/@connections/" + request[3]
            measure(hoist, admin, path, args, False)
            measure(hoist, hoist.address, path, args, True)


if __name__ == "__main__":
    main()
