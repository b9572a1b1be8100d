# SPDX-License-Identifier: MIT
"""A worker in C and who asks for its metrics, whether it lives and is ready."""
import http.client
import socket
import subprocess
import sys

from prometheus_client.parser import text_string_to_metric_families

from harness import BUILD, WAIT_S, Hoist, run, until
from measured import MeasuredWorker

ECHO = BUILD + "/workers/examples/echo"


def test_a_worker_is_ready_when_its_broker_has_welcomed_it():
    with Hoist() as hoist:
        with MeasuredWorker(hoist.workers, "--metrics=0") as worker:
            until(worker.is_ready, "the worker to be ready")
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
    with MeasuredWorker("tcp://127.0.0.1:1", "--metrics", "127.0.0.1:0") as worker:
        assert worker.get("/healthz") == (200, "ok\n")
        assert worker.get("/readyz") == (503, "no broker is up\n")
        until(lambda: worker.metric("hoist_worker_brokers") == 1, "its first turn")
        worker.stop()


def test_prometheus_can_read_them():
    with MeasuredWorker("tcp://127.0.0.1:1", "--metrics=0") as worker:
        families = {family.name: family for family in
                    text_string_to_metric_families(worker.get("/metrics")[1])}
        assert families["hoist_worker_brokers_up"].type == "gauge"
        assert families["process_cpu_seconds"].type == "counter"
        worker.stop()


def test_who_does_not_go_on_is_left():
    with MeasuredWorker("tcp://127.0.0.1:1", "--metrics=0") as worker:
        with socket.create_connection(("127.0.0.1", worker.port), WAIT_S) as one:
            one.sendall(b"GET /metr")
            assert one.recv(1) == b""  # after five seconds
        assert worker.metric("hoist_worker_probes_dropped_total") == 1
        worker.stop()


def test_who_asks_nothing_keeps_nobody_out():
    with MeasuredWorker("tcp://127.0.0.1:1", "--metrics=0") as worker:
        idle = [socket.create_connection(("127.0.0.1", worker.port), WAIT_S)
                for _ in range(20)]
        for one in idle:
            one.sendall(b"GET /metr")
        assert worker.get("/healthz") == (200, "ok\n")
        assert worker.metric("hoist_worker_probes_dropped_total") >= 12
        for one in idle:
            one.close()
        worker.stop()


def dropped(worker):
    """How many sockets were; 0 where the one that asks is itself."""
    try:
        return worker.metric("hoist_worker_probes_dropped_total")
    except (OSError, http.client.HTTPException):
        return 0


def test_who_reads_no_answer_keeps_nobody_out():
    with MeasuredWorker("tcp://127.0.0.1:1", "--metrics=0",
                        program="tests/integration/counting") as worker:
        asking = []
        for _ in range(20):
            one = socket.socket()
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            one.connect(("127.0.0.1", worker.port))
            one.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
            assert one.recv(8) == b"HTTP/1.1"
            asking.append(one)
            assert worker.get("/healthz") == (200, "ok\n")
        until(lambda: dropped(worker) >= 14, "the first to have had its second",
              pause_s=0.3)  # what is asked is a megabyte
        for one in asking:
            one.close()
        worker.stop()


def test_who_was_answered_and_stays_was_not_dropped():
    with MeasuredWorker("tcp://127.0.0.1:1", "--metrics=0") as worker:
        answered = [socket.create_connection(("127.0.0.1", worker.port), WAIT_S)
                    for _ in range(8)]
        for one in answered:
            one.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            while one.recv(4096):
                pass
        assert worker.metric("hoist_worker_probes_dropped_total") == 0
        for one in answered:
            one.close()
        worker.stop()


def test_a_request_that_comes_in_pieces_is_answered():
    with MeasuredWorker("tcp://127.0.0.1:1", "--metrics=0") as worker:
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
    with MeasuredWorker("tcp://127.0.0.1:1", "--metrics=0") as worker:
        second = subprocess.run([ECHO, f"--metrics={worker.port}"], timeout=WAIT_S,
                                stderr=subprocess.PIPE, text=True, check=False)
        assert second.returncode == 1
        assert "WORKER-METRICS error=\"cannot listen on 127.0.0.1:" in second.stderr
        worker.stop()


if __name__ == "__main__":
    run(sys.modules[__name__])
