# SPDX-License-Identifier: MIT
"""A worker in C and who asks for its metrics, whether it lives and is ready."""
import http.client
import re
import signal
import socket
import subprocess
import sys

from harness import BUILD, WAIT_S, Client, Hoist, run, until

ECHO = BUILD + "/workers/examples/echo"


class Worker:
    """A worker program that has a metrics listener."""

    def __init__(self, endpoint, *flags, program=ECHO):
        self.log = []
        self.process = subprocess.Popen(
            [program, "--broker", endpoint, *flags], stderr=subprocess.PIPE, text=True)
        self.port = int(self.says(r"WORKER-LISTENING metrics=127\.0\.0\.1:(\d+)"))

    def says(self, pattern):
        """The first line of its log that has this."""
        for line in self.process.stderr:
            self.log.append(line)
            found = re.search(pattern, line)
            if found:
                return found[1]
        raise AssertionError(f"it never said {pattern}: {self.log}")

    def get(self, path, method="GET"):
        """(status, body) of a request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        connection.request(method, path)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def metric(self, sample):
        """Its value now, or None."""
        found = re.search(f"^{re.escape(sample)} (\\S+)$", self.get("/metrics")[1], re.M)
        return found and float(found[1])

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(WAIT_S) == 0

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        Client.close_all()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stderr.close()


def is_ready(worker):
    return worker.get("/readyz") == (200, "ready\n")


def test_a_worker_is_ready_when_its_broker_has_welcomed_it():
    with Hoist() as hoist:
        with Worker(hoist.workers, "--metrics=0") as worker:
            until(lambda: is_ready(worker), "the worker to be ready")
            assert worker.get("/healthz") == (200, "ok\n")
            assert worker.metric("hoist_worker_brokers_up") == 1
            assert worker.metric("process_resident_memory_bytes") > 0
            assert worker.get("/metrics", "HEAD") == (200, "")
            assert worker.get("/") == (404, "Not Found\n")
            hoist.kill()
            until(lambda: worker.get("/readyz") == (503, "no broker is up\n"),
                  "the loss of the broker to be told")
            worker.stop()


def test_without_a_broker_it_lives_and_is_not_ready():
    with Worker("tcp://127.0.0.1:1", "--metrics", "127.0.0.1:0") as worker:
        assert worker.get("/healthz") == (200, "ok\n")
        assert worker.get("/readyz") == (503, "no broker is up\n")
        assert worker.metric("hoist_worker_brokers") == 1
        worker.stop()


def test_who_asks_nothing_keeps_nobody_out():
    with Worker("tcp://127.0.0.1:1", "--metrics=0") as worker:
        idle = [socket.create_connection(("127.0.0.1", worker.port), WAIT_S)
                for _ in range(20)]
        for one in idle:
            one.sendall(b"GET /metr")
        assert worker.get("/healthz") == (200, "ok\n")
        assert worker.metric("hoist_worker_probes_dropped_total") >= 12
        for one in idle:
            one.close()
        worker.stop()


def test_a_request_that_comes_in_pieces_is_answered():
    with Worker("tcp://127.0.0.1:1", "--metrics=0") as worker:
        with socket.create_connection(("127.0.0.1", worker.port), WAIT_S) as one:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n":
                one.sendall(bytes([byte]))
            answer = b""
            while more := one.recv(4096):
                answer += more
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.endswith(b"\r\n\r\nok\n")
        worker.stop()


def test_an_address_that_is_taken_ends_the_worker_with_a_line():
    with Worker("tcp://127.0.0.1:1", "--metrics=0") as worker:
        second = subprocess.run([ECHO, f"--metrics={worker.port}"], timeout=WAIT_S,
                                stderr=subprocess.PIPE, text=True, check=False)
        assert second.returncode == 1
        assert "WORKER-METRICS error=\"cannot listen on 127.0.0.1:" in second.stderr
        worker.stop()


if __name__ == "__main__":
    run(sys.modules[__name__])
