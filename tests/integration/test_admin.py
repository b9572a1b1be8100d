# SPDX-License-Identifier: MIT
"""The admin listener: what it says of the processes as they come and go, and
that no client of it keeps others out."""
import concurrent.futures
import contextlib
import ctypes
import http.client
import json
import os
import pathlib
import re
import resource
import socket
import subprocess
import sys

from prometheus_client.parser import text_string_to_metric_families

from harness import *

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
GOOD = b"GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n"
PATHS = ("/healthz", "/readyz", "/metrics")
SLOTS = 64


class Watched(Hoist):
    """hoist with an admin listener on a port of its choice."""

    def __init__(self, *flags, **options):
        super().__init__("--admin=0", *flags, **options)
        self.admin = self.find(r"ADMIN-LISTENING address=(\S+)")

    def connect(self):
        host, port = self.admin.rsplit(":", 1)
        return socket.create_connection((host, int(port)), WAIT_S)

    def get(self, path, method="GET"):
        """(status, headers, text) of an answer."""
        connection = http.client.HTTPConnection(self.admin, timeout=WAIT_S)
        with contextlib.closing(connection):
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()

    def is_healthy(self):
        return self.get("/healthz")[0] == 200

    def readiness(self):
        status, _, text = self.get("/readyz")
        return status, text.splitlines()

    def until_ready(self, status, *lines):
        until(lambda: self.readiness() == (status, list(lines)), (status, lines))

    def metrics(self):
        """{name: value} of all that has no label."""
        status, _, text = self.get("/metrics")
        assert status == 200, text
        return {name: float(value) for name, value in
                re.findall(r"^(\w+) (\S+)$", text, re.M)}

    def wait(self):
        return self.process.wait(WAIT_S)


def ask(hoist, data):
    """All that comes for these bytes until hoist closes."""
    with hoist.connect() as sock:
        sock.sendall(data)
        return read_all(sock)


def read_all(sock):
    answer = b""
    with contextlib.suppress(ConnectionError):
        while more := sock.recv(65536):
            answer += more
    return answer


def read_answer(file):
    """(status, body) of the next answer of a connection that stays."""
    status = int(file.readline().split()[1])
    length = 0
    while (line := file.readline()) != b"\r\n":
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return status, file.read(length)


# --- what it says ------------------------------------------------------------

def test_each_command_says_that_it_is_well():
    for command in ("serve", "broker"):
        with Watched(command=command) as hoist:
            assert hoist.get("/healthz")[0::2] == (200, "ok\n")
            hoist.until_ready(200, "ready")
            assert hoist.metrics()["hoist_broker_workers"] == 0


def test_a_gateway_without_a_broker_is_well_and_not_ready():
    with Watched("--broker=tcp://127.0.0.1:1", command="gateway",
                 finds_broker=False) as hoist:
        assert hoist.is_healthy()
        assert hoist.readiness() == (503, ["gateway: no broker is up"])
        names = hoist.metrics()
        assert names["hoist_gateway_connections"] == 0
        assert not any(name.startswith("hoist_broker_") for name in names)


def test_a_gateway_is_ready_while_a_broker_is_up():
    with Hoist("--liveness=2000", command="broker") as first, \
            Hoist("--liveness=2000", command="broker") as second, \
            Watched(f"--broker={first.gateways},{second.gateways}",
                    command="gateway") as gateway:
        gateway.until_ready(200, "ready")
        first.process.send_signal(signal.SIGSTOP)
        gateway.until_ready(200, "gateway: degraded: 1 of 2 brokers are up", "ready")
        second.kill()
        gateway.until_ready(503, "gateway: no broker is up")
        assert gateway.is_healthy()
        first.process.send_signal(signal.SIGCONT)
        gateway.until_ready(200, "gateway: degraded: 1 of 2 brokers are up", "ready")


def test_who_drains_says_so_to_its_end():
    with Watched("--drain-time=60000") as hoist:
        worker = Worker(hoist.workers, "$disconnect")
        client = Client(hoist.address).opened()
        hoist.until_ready(200, "ready")
        with hoist.connect() as sock:
            hoist.process.send_signal(signal.SIGTERM)
            client.close_code()
            client.sock.close()
            held = worker.get(REQUEST)
            hoist.until_ready(503, "hoist: stops", "gateway: drains")
            assert hoist.is_healthy()
            assert hoist.metrics()["hoist_gateway_connections"] == 0
            worker.reply(held)
            assert read_all(sock) == b""  # closed at the end, not before
        assert hoist.wait() == 0


def test_a_broker_that_drains_is_not_ready():
    with Watched("--drain-time=60000", command="broker") as broker:
        gateway = Peer(broker.gateways)
        gateway.send([HELLO, 1, "gateway", gateway.boot, "test", {"loop": 1}])
        assert gateway.get(WELCOME)
        broker.process.send_signal(signal.SIGTERM)
        assert gateway.get(DRAIN)  # and does not say that it has none left
        broker.until_ready(503, "hoist: stops", "broker: drains")
        gateway.send([BYE])
        assert broker.wait() == 0


def test_a_broker_without_its_store_is_ready_unless_it_is_required():
    nowhere = "--store=redis://127.0.0.1:1"
    with Watched(nowhere, command="broker") as broker:
        broker.until_ready(200, "broker: degraded: the store does not answer", "ready")
        assert broker.metrics()["hoist_store_up"] == 0
    with Watched(nowhere, "--require-store", command="broker") as broker:
        broker.until_ready(503, "broker: the store does not answer, "
                                "and --require-store is set")
        assert broker.is_healthy()


def test_a_gateway_whose_brokers_have_no_address_yet_is_not_ready():
    with Watched("--broker=tcp://no-such-host.invalid:5556", command="gateway",
                 finds_broker=False) as gateway:
        assert gateway.readiness() == (503, ["gateway: no broker is up"])


def test_there_is_no_listener_unless_asked_for():
    with Hoist() as hoist:
        assert "ADMIN" not in hoist.log()


def test_it_listens_on_loopback_unless_told_otherwise():
    with Watched() as hoist:
        assert re.fullmatch(r"127\.0\.0\.1:\d+", hoist.admin)
    with Hoist("--admin=0.0.0.0:0") as hoist:
        assert hoist.find(r"ADMIN-LISTENING address=(\S+)").startswith("0.0.0.0:")


def test_a_port_in_use_is_an_error_and_status_1():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for address in (port, "127.0.0.1:" + port):
            ended = subprocess.run(
                [BUILD + "/cli/hoist", "serve", "--listen=127.0.0.1:0",
                 "--workers=tcp://127.0.0.1:*", "--admin", address],
                timeout=60, stderr=subprocess.PIPE, text=True)
            assert ended.returncode == 1, ended
            assert f"START-FAILED cannot listen on 127.0.0.1:{port}: " in ended.stderr
            assert "LISTENING" not in ended.stderr and "STATS" not in ended.stderr


def test_where_the_gateway_cannot_start_the_listener_ends_too():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = subprocess.run(
            [BUILD + "/cli/hoist", "serve", "--workers=tcp://127.0.0.1:*", "--admin=0",
             "--listen=127.0.0.1:%d" % taken.getsockname()[1]],
            timeout=60, stderr=subprocess.PIPE, text=True)
    assert ended.returncode == 1 and "STATS" not in ended.stderr, ended


# --- an actor that stands still ----------------------------------------------

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long] * 4
LIBC.ptrace.restype = ctypes.c_long


def thread_of(process, name):
    for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
        if (task / "comm").read_text().strip() == name:
            return int(task.name)
    raise AssertionError(f"no thread {name}")


@contextlib.contextmanager
def stopped(process, name):
    """One thread of a process stands still, the others go on."""
    thread = thread_of(process, name)
    if LIBC.ptrace(PTRACE_SEIZE, thread, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")
    assert LIBC.ptrace(PTRACE_INTERRUPT, thread, 0, 0) == 0
    os.waitpid(thread, WALL)
    try:
        yield
    finally:
        assert LIBC.ptrace(PTRACE_DETACH, thread, 0, 0) == 0


def test_an_actor_that_stands_still_is_told():
    with Watched("--liveness=120000", "--loops=2") as hoist:  # each has a thread
        for actor in ("broker", "gateway"):
            with stopped(hoist.process, "hoist-" + actor), \
                    concurrent.futures.ThreadPoolExecutor() as pool:
                for status, _, text in pool.map(hoist.get, PATHS):
                    assert (status, text) == (503, f"{actor}: does not answer\n")
                flood(hoist)
            until(hoist.is_healthy, "the " + actor + " to go on")
            hoist.until_ready(200, "ready")
        assert "ADMIN-UNANSWERED which=broker" in hoist.log()
        assert hoist.metrics()["hoist_admin_unanswered_total"] >= 6


def test_two_that_share_a_thread_stand_still_together():
    with Watched("--liveness=120000") as hoist:
        with stopped(hoist.process, "hoist-serve"):
            for path in PATHS:
                status, _, text = hoist.get(path)
                assert status == 503 and text.endswith("does not answer\n"), text
        until(hoist.is_healthy, "both to go on")
        hoist.until_ready(200, "ready")


def flood(hoist):
    """More questions than an actor may owe answers to."""
    for _ in range(3):
        socks = [hoist.connect() for _ in range(SLOTS)]
        for sock in socks:
            sock.sendall(GOOD)
        for sock in socks:
            with sock, sock.makefile("rb") as file:
                assert read_answer(file)[0] == 503


# --- metrics -----------------------------------------------------------------

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-z_]+="(?:[^"\\\n]|\\["\\n])*"(?:,le="[0-9.+Inf]+")?\})? (-?\d+(\.\d+)?)')


def families(text):
    """{name: type}, strictly: HELP, TYPE, then its samples, each family once."""
    assert text.endswith("\n")
    found = {}
    for part in text[len("# HELP "):-1].split("\n# HELP "):
        head, type_line, *samples = part.split("\n")
        name = head.split()[0]
        assert name not in found, name
        match = re.fullmatch(f"# TYPE {name} (counter|gauge|histogram)", type_line)
        assert match, type_line
        for sample in samples:
            assert SAMPLE.fullmatch(sample)[1] in names_of(name, match[1]), sample
        assert name.endswith("_total") == (match[1] == "counter"), name
        assert len(samples) == 1 or has_labels(name), part
        found[name] = match[1]
    return found


def names_of(name, kind):
    if kind == "histogram":
        return [name + end for end in ("_bucket", "_sum", "_count")]
    return [name]


def is_of_routes(name):
    return name.startswith("hoist_broker_route_")


def has_labels(name):
    return is_of_routes(name) or name.startswith("hoist_gateway_request_seconds")


def documented():
    text = (DOCS / "metrics.md").read_text(encoding="utf-8")
    text = text.split("\n## Metrics\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", text, re.M))


def test_metrics_are_those_of_their_table():
    with Watched() as hoist:
        status, headers, text = hoist.get("/metrics")
        assert status == 200
        assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert families(text) == documented()


def test_prometheus_can_read_them():
    with Watched() as hoist:
        table = documented()
        parsed = list(text_string_to_metric_families(hoist.get("/metrics")[2]))
        samples = [(sample.name, family.type) for family in parsed
                   for sample in family.samples if not has_labels(sample.name)]
        assert dict(samples) == {name: kind for name, kind in table.items()
                                 if not has_labels(name)}
        assert len(set(samples)) == len(samples)
        build = [family for family in parsed if family.name == "hoist_build_info"]
        assert re.fullmatch(r"\d+\.\d+\.\d+", build[0].samples[0].labels["version"])
        assert all(family.documentation for family in parsed)


def test_routes_are_labels():
    odd = 'say "hi"\\\n'
    with Watched() as hoist:
        worker = Worker(hoist.workers, "echo", odd)
        client = Client(hoist.address).opened()
        for key, status in (("echo", 200), ("echo", 500), (odd, 404)):
            client.send(json.dumps({"action": key}))
            worker.reply(worker.get(REQUEST), status)
        assert [client.recv()[0] for _ in range(2)] == [1, 1]
        text = hoist.get("/metrics")[2]
        assert families(text) == documented()
        found = {(sample.name, sample.labels["route"], sample.labels.get("le")): sample.value
                 for family in text_string_to_metric_families(text)
                 for sample in family.samples if is_of_routes(sample.name)}
        route = "hoist_broker_route_"
        assert found[route + "requests_total", "echo", None] == 2
        assert found[route + "failed_total", "echo", None] == 1
        assert found[route + "refused_total", odd, None] == 1
        for key, count in (("echo", 2), (odd, 1)):
            for time_of in ("wait", "handler"):
                name = f"{route}{time_of}_seconds"
                buckets = [value for (sample, label, le), value in found.items()
                           if sample == name + "_bucket" and label == key]
                assert buckets == sorted(buckets) and buckets[-1] == count
                assert found[name + "_count", key, None] == count
                assert found[name + "_sum", key, None] >= 0


def test_requests_are_timed_by_their_event():
    with Watched() as hoist:
        worker = Worker(hoist.workers, "echo")
        client = Client(hoist.address).opened()
        for _ in range(2):
            client.send('{"action":"echo"}')
            worker.reply(worker.get(REQUEST), body="well")
            client.recv()
        name = "hoist_gateway_request_seconds"
        [family] = [family for family in
                    text_string_to_metric_families(hoist.get("/metrics")[2])
                    if family.name == name]
        counts = {sample.labels["event"]: sample.value for sample in family.samples
                  if sample.name == name + "_count"}
        assert counts == {"connect": 1, "message": 2, "disconnect": 0, "presence": 0}
        sums = {sample.labels["event"]: sample.value for sample in family.samples
                if sample.name == name + "_sum"}
        assert sums["message"] > 0 == sums["disconnect"], sums


def test_metrics_count_what_happens():
    with Watched() as hoist:
        worker = Worker(hoist.workers, "echo")
        client = Client(hoist.address).opened()
        client.send('{"action":"echo"}')
        worker.reply(worker.get(REQUEST), body="well")
        assert client.recv() == (1, b"well")
        now = hoist.metrics()
        assert now["hoist_gateway_connections"] == 1
        assert now["hoist_gateway_messages_in_total"] == 1
        assert now["hoist_broker_replies_total"] >= 1
        assert now["hoist_store_up"] == 1
        assert now["hoist_gateway_in_bytes_total"] == hoist.stats("GATEWAY")["bytes_in"]
        assert abs(now["process_start_time_seconds"] - time.time()) < 600
        assert now["process_resident_memory_bytes"] > 1 << 20
        assert now["process_open_fds"] > 10
        assert hoist.stats("ADMIN")["requests"] == now["hoist_admin_requests_total"]


# --- HTTP --------------------------------------------------------------------

def test_what_can_be_asked_and_how():
    with Watched() as hoist:
        assert hoist.get("/healthz?verbose=1")[0] == 200
        status, headers, text = hoist.get("/metrics", "HEAD")
        assert (status, text) == (200, "") and int(headers["Content-Length"]) > 5000
        assert headers["Cache-Control"] == "no-store"
        for path in ("/", "/healthz/", "/health", "/metricsx", "/%68ealthz"):
            assert hoist.get(path)[0] == 404, path
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            status, headers, _ = hoist.get("/readyz", method)
            assert (status, headers["Allow"]) == (405, "GET, HEAD"), method


REFUSED = [
    ("garbage", b"\x16\x03\x01\x02\x00\x01\x00", 400),
    ("no version", b"GET /healthz\r\nHost: t\r\n\r\n", 400),
    ("no host", b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    ("absolute form", b"GET http://t/healthz HTTP/1.1\r\nHost: t\r\n\r\n", 400),
    ("a bare line feed", b"GET /healthz HTTP/1.1\nHost: t\r\n\r\n", 400),
    ("two lengths", GOOD[:-2] + b"Content-Length: 0\r\nContent-Length: 1\r\n\r\n", 400),
    ("a body", GOOD[:-2] + b"Content-Length: 5\r\n\r\nhello", 413),
    ("a body that never comes", GOOD[:-2] + b"Content-Length: 999999999\r\n\r\n", 413),
    ("a body without a length", GOOD[:-2] + b"Transfer-Encoding: chunked\r\n\r\n", 411),
    ("too long a head", GOOD[:-2] + b"X: " + b"x" * 8192 + b"\r\n\r\n", 431),
    ("a head that never ends", GOOD[:-2] + b"X: " + b"x" * 100000, 431),
    ("too many headers", GOOD[:-2] + b"X: 1\r\n" * 65 + b"\r\n", 431),
]


def test_what_is_no_question_is_refused_with_its_status():
    with Watched() as hoist:
        for what, data, want in REFUSED:
            answer = ask(hoist, data + GOOD)
            assert answer.startswith(b"HTTP/1.1 %d " % want), (what, answer)
            assert answer.count(b"HTTP/1.1") == 1, (what, answer)
            assert b"\r\nConnection: close\r\n" in answer, what
            assert hoist.is_healthy()
        assert hoist.metrics()["hoist_admin_requests_refused_total"] == len(REFUSED)


def test_a_thousand_quick_requests():
    with Watched() as hoist:
        connection = http.client.HTTPConnection(hoist.admin, timeout=WAIT_S)
        with contextlib.closing(connection):
            for i in range(1000):
                connection.request("GET", PATHS[i % 3])
                answer = connection.getresponse()
                assert answer.read() and answer.status == 200
        for _ in range(200):
            assert hoist.is_healthy()
        now = hoist.metrics()
        assert now["hoist_admin_requests_total"] == 1201
        assert now["hoist_admin_sockets"] == 1


def test_requests_sent_at_once_are_answered_in_their_order():
    paths = [b"/healthz", b"/none", b"/readyz", b"/", b"/metrics"] * 20
    with Watched() as hoist, hoist.connect() as sock:
        sock.sendall(b"".join(GOOD.replace(b"/healthz", path) for path in paths))
        with sock.makefile("rb") as file:
            for path in paths:
                status, body = read_answer(file)
                assert (status == 404) == (path in (b"/none", b"/")), (path, status)
                assert body.startswith({b"/healthz": b"ok", b"/readyz": b"ready",
                                        b"/metrics": b"# HELP"}.get(path, b"Not")), path


def test_a_request_in_single_bytes_is_one():
    with Watched() as hoist, hoist.connect() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(GOOD)):
            sock.sendall(GOOD[i:i + 1])
        with sock.makefile("rb") as file:
            assert read_answer(file) == (200, b"ok\n")


def test_a_client_that_says_no_more_or_close_is_closed_behind_its_answer():
    with Watched() as hoist:
        for data in (GOOD.replace(b"1.1", b"1.0"), GOOD[:-2] + b"Connection: close\r\n\r\n"):
            assert ask(hoist, data).endswith(b"ok\n")
        with hoist.connect() as sock:
            sock.sendall(GOOD)
            sock.shutdown(socket.SHUT_WR)
            assert read_all(sock).endswith(b"ok\n")


# --- clients that are slow, silent or too many -------------------------------

def test_a_request_that_drips_for_ever_is_408():
    with Watched() as hoist, hoist.connect() as sock:
        sock.settimeout(0.1)
        sock.sendall(GOOD[:-4])
        answer = b""
        for _ in range(int(WAIT_S / 0.1)):
            try:
                sock.sendall(b"t")
                answer = sock.recv(65536)
                break
            except TimeoutError:
                assert hoist.is_healthy()
        assert answer.startswith(b"HTTP/1.1 408 "), answer
        assert hoist.metrics()["hoist_admin_sockets_late_total"] == 1


def test_who_asks_nothing_is_closed_without_a_word():
    with Watched() as hoist, hoist.connect() as fresh, hoist.connect() as used:
        with used.makefile("rb") as file:
            used.sendall(GOOD)
            assert read_answer(file)[0] == 200
            assert file.read() == b""
        assert read_all(fresh) == b""


def test_who_does_not_close_is_closed():
    with Watched() as hoist, hoist.connect() as sock:
        sock.sendall(GOOD[:-2] + b"Connection: close\r\n\r\n")
        assert read_all(sock).endswith(b"ok\n")
        until(lambda: hoist.metrics()["hoist_admin_sockets"] == 1, "its end")


def test_who_does_not_read_is_closed():
    with Watched() as hoist, socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        host, port = hoist.admin.split(":")
        sock.connect((host, int(port)))
        sock.settimeout(0.05)
        asked = GOOD.replace(b"/healthz", b"/metrics") * 100

        def is_closed():
            assert hoist.is_healthy()
            with contextlib.suppress(TimeoutError, ConnectionError):
                sock.sendall(asked)
            return hoist.metrics()["hoist_admin_sockets_late_total"] == 1
        until(is_closed, "the end of a client that does not read")


def test_silent_clients_do_not_keep_others_out():
    with Watched() as hoist:
        silent = [hoist.connect() for _ in range(3 * SLOTS)]
        assert hoist.is_healthy()
        now = hoist.metrics()
        assert now["hoist_admin_sockets"] <= SLOTS
        assert now["hoist_admin_sockets_evicted_total"] >= 2 * SLOTS
        assert now["hoist_admin_sockets_refused_total"] == 0
        assert read_all(silent[0]) == b""
        for sock in silent:
            sock.close()


def test_clients_that_leave_in_the_middle_leave_nothing():
    with Watched() as hoist:
        before = hoist.metrics()["process_open_fds"]
        for i in range(300):
            with hoist.connect() as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                struct.pack("ii", 1, 0))  # reset, not closed
                sock.sendall((GOOD * 3)[:i])
        until(lambda: hoist.metrics()["hoist_admin_sockets"] == 1, "their end")
        assert hoist.metrics()["process_open_fds"] == before


def test_without_descriptors_admin_clients_wait():
    with Watched() as hoist:
        limits = resource.prlimit(hoist.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(hoist.process.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        with hoist.connect() as sock:
            sock.sendall(GOOD)
            hoist.find("(ADMIN-ACCEPT-PAUSED)")
            resource.prlimit(hoist.process.pid, resource.RLIMIT_NOFILE, limits)
            with sock.makefile("rb") as file:
                assert read_answer(file) == (200, b"ok\n")


# --- hoist health -------------------------------------------------------------

def health(*arguments, admin=""):
    """(status, what it prints, complaints)."""
    ended = subprocess.run([BUILD + "/cli/hoist", "health", *arguments], text=True,
                           capture_output=True, timeout=WAIT_S, check=False,
                           env={**os.environ, "HOIST_ADMIN": admin})
    return ended.returncode, ended.stdout, ended.stderr


def test_hoist_health_asks_by_argument_or_variable():
    with Watched() as hoist:
        port = hoist.admin.rsplit(":", 1)[1]
        assert health(hoist.admin) == (0, "ok\n", "")
        assert health(port, admin="127.0.0.1:1") == (0, "ok\n", "")
        assert health(admin=hoist.admin) == (0, "ok\n", "")
        assert health(admin="0.0.0.0:" + port) == (0, "ok\n", "")
        assert health("--ready", port) == (0, "ready\n", "")


def test_hoist_health_tells_the_well_from_the_ready():
    with Watched("--broker=tcp://127.0.0.1:1", command="gateway", finds_broker=False) as hoist:
        assert health(hoist.admin)[0] == 0
        assert health("--ready", admin=hoist.admin) == (1, "gateway: no broker is up\n", "")


def test_hoist_health_of_nobody_is_1_and_of_a_wrong_address_2():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    status, said, complaint = health(port)
    assert (status, said, complaint.count("\n")) == (1, "", 1), complaint
    two = f"127.0.0.1:{port},127.0.0.1:{port}"
    for wrong in ((port, port), ("--ready", port, port), ("9" * 300,), ("--red", port),
                  ("nowhere",), (two,)):
        status, said, complaint = health(*wrong)
        assert (status, said, complaint.count("\n")) == (2, "", 1), (wrong, complaint)
    assert health(admin=two)[::2] == (2, "hoist health: it asks one address; "
                                         "try hoist health --help\n")
    assert "usage" in health("--help")[1]


run(sys.modules[__name__])
