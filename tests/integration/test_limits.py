# SPDX-License-Identifier: MIT
"""Each limit of docs/limits.md is reached on a real socket: who reaches it gets
the documented answer, a counter says so, and whoever else is connected notices
nothing.  Times in here are never measured: what is to pass is short, what must
not is long."""
import json
import resource
import select
import sys
import tempfile
import threading

from harness import *

KEY = b"\0\0\0\0"  # masking with it changes nothing
PAD = "x" * 65000
MANY = 128  # of them are more than the buffers of TCP hold
SOME = 8    # are less than a window of pushes


def serve(*flags, command="serve"):
    """Workers here are silent while something else is waited for, and leave
    requests unanswered that nobody is to wait for at the end."""
    own = {"broker": ["--liveness=60000"], "gateway": ["--drain-time=500"],
           "serve": ["--liveness=60000", "--drain-time=500"]}
    return Hoist(*own[command], *flags, command=command)


def assert_works(client, worker, text='{"action":"echo"}'):
    client.send(text)
    request = worker.get(REQUEST)
    worker.reply(request, body=request[5])
    assert client.recv() == (1, text.encode())


def assert_counts(hoist, which, **want):
    def agree():
        have = hoist.stats(which)
        return all(have[name] == value for name, value in want.items())
    until(agree, f"{which} to count {want}")


def connection_of(client, worker):
    client.send('{"action":"echo"}')
    request = worker.get(REQUEST)
    worker.reply(request, body="")
    assert client.recv() == (1, b"")
    return request[3]


def assert_ended(client):
    """The stream ends, with or without a last word of TCP."""
    try:
        client.more()
    except (EOFError, ConnectionError):
        return
    raise AssertionError(f"not ended: {client.buffer!r}")


# --- connections and handshakes --------------------------------------------

def test_one_connection_too_many_is_answered_with_503():
    with serve("--max-connections=2") as hoist:
        worker = Worker(hoist.workers, "$connect", "echo")
        bystander = Client(hoist.address)
        worker.reply(worker.get(REQUEST))
        assert bystander.opened().status == 101
        gated = Client(hoist.address)  # one at the gate counts too
        request = worker.get(REQUEST)
        assert Client(hoist.address).opened().status == 503
        assert_counts(hoist, "GATEWAY", connections_refused=1)
        assert_works(bystander, worker)
        worker.reply(request, 403)
        assert gated.opened().status == 403
        third = Client(hoist.address)
        worker.reply(worker.get(REQUEST))
        assert third.opened().status == 101
        assert_works(third, worker)


def test_one_handshake_too_many_is_turned_away():
    with serve("--max-handshakes=1", "--handshake-timeout=60000") as hoist:
        worker = Worker(hoist.workers, "echo")
        bystander = Client(hoist.address).opened()
        host, port = hoist.address.rsplit(":", 1)
        half = socket.create_connection((host, int(port)), WAIT_S)
        half.sendall(b"GET / HTTP/1.1\r\n")
        assert_counts(hoist, "GATEWAY", sockets=2)
        try:
            assert_ended(Client(hoist.address))
        except ConnectionError:
            pass  # turned away before it had asked
        assert_counts(hoist, "GATEWAY", handshakes_refused=1, sockets=2)
        hoist.find("(GATEWAY-HANDSHAKES-FULL)")
        assert_works(bystander, worker)
        half.close()
        assert_counts(hoist, "GATEWAY", sockets=1)
        assert Client(hoist.address).opened().status == 101


def test_a_head_that_drips_for_ever_times_out_with_408():
    with serve("--handshake-timeout=1000") as hoist:
        worker = Worker(hoist.workers, "echo")
        bystander = Client(hoist.address).opened()
        host, port = hoist.address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), WAIT_S) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: t\r\nX: ")
            while not select.select([sock], [], [], 0.02)[0]:
                sock.sendall(b"x")
            assert sock.recv(65536).startswith(b"HTTP/1.1 408 ")
        assert_counts(hoist, "GATEWAY", handshakes_failed=1, handshakes_late=1)
        assert_works(bystander, worker)


def test_a_client_that_never_asks_is_dropped():
    with serve("--handshake-timeout=1000") as hoist:
        worker = Worker(hoist.workers, "echo")
        bystander = Client(hoist.address).opened()
        host, port = hoist.address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), WAIT_S) as sock:
            assert sock.recv(1) == b""
        assert_counts(hoist, "GATEWAY", sockets=1, handshakes_late=1)
        assert_works(bystander, worker)


def head_of(size):
    """A handshake of so many bytes."""
    head = (b"GET / HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX: ")
    return head + b"x" * (size - len(head) - 4) + b"\r\n\r\n"


def test_a_head_may_be_as_long_as_said_and_no_longer():
    with serve("--max-head=1024") as hoist:
        worker = Worker(hoist.workers, "echo")
        bystander = Client(hoist.address).opened()
        host, port = hoist.address.rsplit(":", 1)
        for size, status in ((1024, b"101"), (1025, b"431"), (9000, b"431")):
            with socket.create_connection((host, int(port)), WAIT_S) as sock:
                sock.sendall(head_of(size))
                assert sock.recv(65536).split()[1] == status, size
        assert_counts(hoist, "GATEWAY", handshakes_failed=2)
        assert_works(bystander, worker)


def test_without_descriptors_clients_wait_and_those_who_stand_go_on():
    with serve() as hoist:
        worker = Worker(hoist.workers, "echo")
        bystander = Client(hoist.address).opened()
        pid = hoist.process.pid
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = max(int(fd) for fd in os.listdir(f"/proc/{pid}/fd")) + 1
        # Only what is lower than the limit can be opened: fill the holes.
        clients = []
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, limits[1]))
        while "GATEWAY-ACCEPT-PAUSED" not in hoist.log():
            assert len(clients) < used
            clients.append(Client(hoist.address))
            until(lambda: "GATEWAY-ACCEPT-PAUSED" in hoist.log() or
                  hoist.stats("GATEWAY")["sockets_accepted"] > len(clients),
                  "the next client to be accepted, or to wait")
        assert_works(bystander, worker)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        for client in clients:
            assert client.opened().status == 101
        assert_works(clients[-1], worker)


# --- requests ---------------------------------------------------------------

def test_a_request_beyond_its_time_is_an_error_frame_and_504_at_the_gate():
    with serve("--request-timeout=2000") as hoist:
        gate = Worker(hoist.workers, "$connect")
        bystander = Client(hoist.address)
        gate.reply(gate.get(REQUEST))
        client = Client(hoist.address)
        gate.reply(gate.get(REQUEST))
        worker = Worker(hoist.workers, "echo")
        assert client.opened().status == bystander.opened().status == 101
        client.send('{"action":"echo"}')
        worker.get(REQUEST)
        late = Client(hoist.address)
        gate.get(REQUEST)
        assert json.loads(client.recv()[1])["message"] == \
            "Endpoint request timed out"
        assert late.opened().status == 504
        assert_counts(hoist, "BROKER", timeouts=2)
        assert_counts(hoist, "GATEWAY", error_frames=1, handshakes_failed=1)
        assert_works(bystander, worker)


def test_a_gate_whose_broker_says_nothing_is_504_by_the_gateway_itself():
    with serve("--heartbeat=100", "--liveness=60000", command="broker") as broker:
        worker = Worker(broker.workers, "echo")
        with serve("--broker=" + broker.gateways, "--request-timeout=2000",
                   command="gateway") as hoist:
            bystander = Client(hoist.address).opened()
            broker.process.send_signal(signal.SIGSTOP)
            try:
                os.waitid(os.P_PID, broker.process.pid, os.WSTOPPED)
                assert Client(hoist.address).opened().status == 504
                assert_counts(hoist, "GATEWAY", handshakes_late=1)
                bystander.frame(9, b"p")
                assert bystander.recv() == (10, b"p")
            finally:
                broker.process.send_signal(signal.SIGCONT)
            assert_works(bystander, worker)


def test_a_handshake_that_finds_no_room_in_its_time_is_503():
    with serve("--gateway-window=1", "--handshake-timeout=1000") as hoist:
        worker = Worker(hoist.workers, "echo")
        bystander = Client(hoist.address).opened()
        bystander.send('{"action":"echo"}')
        request = worker.get(REQUEST)  # which takes the window
        assert Client(hoist.address).opened().status == 503
        assert_counts(hoist, "GATEWAY", handshakes_failed=1, handshakes_late=1)
        worker.reply(request, body="well")
        assert bystander.recv() == (1, b"well")
        assert Client(hoist.address).opened().status == 101


class Flood:
    """A client that sends numbered messages for as long as TCP takes them."""

    def __init__(self, hoist, client):
        self.hoist, self.client = hoist, client
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        self.texts = [json.dumps({"action": "echo", "i": i, "pad": PAD})
                      for i in range(MANY)]
        self.size = len(self.texts[-1])
        self.left = b"".join(
            b"\x81\xfe" + struct.pack(">H", len(text)) + KEY + text.encode()
            for text in self.texts)

    def push(self):
        """Send what goes without waiting; was it anything?"""
        before = len(self.left)
        self.client.sock.setblocking(False)
        try:
            while self.left:
                self.left = self.left[self.client.sock.send(self.left):]
        except BlockingIOError:
            pass
        self.client.sock.settimeout(WAIT_S)
        return len(self.left) < before

    def is_stuck(self):
        before = self.hoist.stats("GATEWAY")
        went = self.push()
        after = self.hoist.stats("GATEWAY")
        return not went and before["bytes_in"] == after["bytes_in"] and \
            after["paused"] > 0

    def sent_until_stuck(self):
        """What the gateway counts when it does not read any more."""
        until(self.is_stuck, "TCP to push back")
        assert self.left, "TCP took all"
        return self.hoist.stats("GATEWAY")

    def all_arrive(self, worker, first=()):
        """The rest goes out while each is answered, in order."""
        sender = threading.Thread(target=self.client.raw, args=(self.left,))
        sender.start()
        first = list(first)
        for i in range(MANY):
            request = first.pop(0) if first else worker.get(REQUEST)
            assert request[5] == self.texts[i], i
            worker.reply(request, body=str(i))
        sender.join(WAIT_S)
        got = [self.client.recv() for _ in range(MANY)]
        assert got == [(1, str(i).encode()) for i in range(MANY)]


def a_spent_window_pushes_back(flag, held):
    """`held` requests are at the worker and no more are read; returns what the
    gateway counts while it is so."""
    with serve(flag) as hoist:
        worker = Worker(hoist.workers, "echo", window_bytes=1 << 24)
        other = Worker(hoist.workers, "other")
        bystander = Client(hoist.address).opened()
        flood = Flood(hoist, Client(hoist.address).opened())
        stats = flood.sent_until_stuck()
        assert stats["messages_in"] == held, stats
        # All that is kept of the rest is what was read before the pause.
        assert stats["bytes_in"] < (held + 1) * (flood.size + 16384), stats
        assert_works(bystander, other, '{"action":"other"}')
        first = [worker.get(REQUEST) for _ in range(held)]
        assert not worker.has(REQUEST)
        flood.all_arrive(worker, first)
        stats = hoist.stats("GATEWAY")
        assert stats["messages_in"] == MANY + 1 and stats["error_frames"] == 0


def test_a_spent_connection_window_pushes_back_and_loses_nothing():
    a_spent_window_pushes_back("--connection-window=2", 2)


def test_spent_bytes_of_a_connection_push_back_and_lose_nothing():
    a_spent_window_pushes_back("--connection-window-bytes=100000", 2)


def a_spent_gateway_window_pushes_back(flag, held):
    """The window is everybody's: the bystander waits too, and loses nothing."""
    with serve(flag, "--max-message=70000") as hoist:
        worker = Worker(hoist.workers, "echo", window_bytes=1 << 24)
        other = Worker(hoist.workers, "other")
        bystander = Client(hoist.address).opened()
        flood = Flood(hoist, Client(hoist.address).opened())
        stats = flood.sent_until_stuck()
        assert stats["messages_in"] == held, stats
        bystander.send('{"action":"other"}')
        assert not other.has(REQUEST)
        flood.all_arrive(worker)
        other.reply(other.get(REQUEST), body="late but there")
        assert bystander.recv() == (1, b"late but there")
        assert hoist.stats("BROKER")["over_window"] == 0
        assert hoist.stats("GATEWAY")["error_frames"] == 0


def test_a_spent_gateway_window_pushes_back_and_drops_nothing():
    a_spent_gateway_window_pushes_back("--gateway-window=3", 3)


def test_spent_bytes_of_a_gateway_push_back_and_drop_nothing():
    # Of 1 MiB one largest request (of 73728 bytes) is kept back.
    a_spent_gateway_window_pushes_back("--gateway-window-bytes=1048576", 15)


def test_frames_sent_before_the_101_wait_and_push_back():
    with serve("--max-head=1024") as hoist:
        gate = Worker(hoist.workers, "$connect")
        bystander = Client(hoist.address)
        gate.reply(gate.get(REQUEST))
        client = Client(hoist.address)
        request = gate.get(REQUEST)
        worker = Worker(hoist.workers, "echo", window_bytes=1 << 24)
        flood = Flood(hoist, client)
        stats = flood.sent_until_stuck()
        assert stats["messages_in"] == 0 and stats["bytes_in"] < 65536, stats
        assert_works(bystander.opened(), worker)
        gate.reply(request)
        assert client.opened().status == 101
        flood.all_arrive(worker)


# --- silence -----------------------------------------------------------------

def answers_pings(client):
    """Those that have come."""
    while client.buffer or select.select([client.sock], [], [], 0)[0]:
        assert client.recv() == (9, b"")
        client.frame(10, b"")


def test_a_client_that_answers_no_ping_is_dead():
    with serve("--ping-interval=100", "--pong-timeout=5000") as hoist:
        worker = Worker(hoist.workers, "echo", "$disconnect")
        bystander = Client(hoist.address).opened()
        deaf = Client(hoist.address).opened()
        while not any(message[0] == REQUEST for message in worker.inbox):
            worker.pump(50)
            answers_pings(bystander)
        request = worker.get(REQUEST)
        assert request[2] == DISCONNECT
        assert request[8] == {"code": 1006, "reason": "ping timeout"}
        worker.reply(request)
        assert deaf.close_code() is None, "it got no more than pings"
        assert_counts(hoist, "GATEWAY", dead_closed=1, connections=1)
        bystander.frame(10, b"")
        bystander.send('{"action":"echo"}')
        worker.reply(worker.get(REQUEST), body="well")
        while bystander.recv() != (1, b"well"):
            bystander.frame(10, b"")


def test_a_client_that_is_not_read_is_not_taken_for_dead():
    """Its answers to pings lie behind what waits for the window; that its TCP
    acknowledges them is enough, or there would be one ping and the end."""
    with serve("--connection-window=1", "--ping-interval=50",
               "--pong-timeout=500") as hoist:
        worker = Worker(hoist.workers, "echo")
        client = Client(hoist.address).opened()
        client.send('{"action":"echo"}')
        client.send('{"action":"echo"}')
        first = worker.get(REQUEST)
        for _ in range(3):
            assert client.recv() == (9, b"")
        assert_counts(hoist, "GATEWAY", dead_closed=0, connections=1)
        worker.reply(first, body="1")
        worker.reply(worker.get(REQUEST), body="2")
        got = []
        while len(got) < 2:
            opcode, payload = client.recv()
            got += [payload] if opcode == 1 else []
            client.frame(10, b"")
        assert got == [b"1", b"2"]


def test_a_client_without_messages_is_closed_with_1001():
    with serve("--idle-timeout=2000") as hoist:
        worker = Worker(hoist.workers, "echo")
        bystander = Client(hoist.address).opened()
        idle = Client(hoist.address).opened()
        got = (10, b"")
        while got == (10, b""):
            assert_works(bystander, worker)
            idle.frame(9, b"")  # a ping is no message
            got = idle.recv()
        assert got == (8, b"\x03\xe9Going away")
        assert_counts(hoist, "GATEWAY", idle_closed=1, connections=1)
        assert_works(bystander, worker)


# --- clients that read too slowly --------------------------------------------

def push_some(worker, conn):
    """As many as the window surely holds; returns how many."""
    worker.send(*[[PUSH, ["connection", conn], PAD]] * SOME)
    given = 0
    while given < SOME:
        given += worker.get(CREDIT)[1]
    return SOME


def push_until_closed(worker, conn):
    """Push until the connection's end is heard of; returns that."""
    count = 0
    while not worker.has(REQUEST):
        count += push_some(worker, conn)
        assert count < 10000, "nothing stops it"
    return worker.get(REQUEST)


def assert_closed_as_slow(hoist, worker, client, bystander, request):
    assert request[2] == DISCONNECT
    assert request[8] == {"code": 1013, "reason": "client reads too slowly"}
    assert client.close_code() == 1013
    worker.reply(request)
    assert_counts(hoist, "GATEWAY", slow_closed=1, connections=1)
    hoist.find("(CONN-SLOW-CLOSED)")
    assert_works(bystander, worker)


def test_a_client_with_more_than_out_hard_waiting_is_closed_with_1013():
    with serve("--out-soft=0", "--out-hard=200000") as hoist:
        worker = Worker(hoist.workers, "echo", "$disconnect")
        bystander = Client(hoist.address).opened()
        client = Client(hoist.address).opened()
        conn = connection_of(client, worker)
        request = push_until_closed(worker, conn)
        worker.send([PUSH, ["connection", conn], "too late"])
        assert worker.get(GONE)[1] == conn
        assert_closed_as_slow(hoist, worker, client, bystander, request)


def backlog(hoist, worker, client, bytes_at_least):
    """Push until so much more waits than the kernels' buffers hold; returns
    how many pushes it took."""
    conn, count = connection_of(client, worker), 0
    while True:
        before = hoist.stats("GATEWAY")["bytes_out"]
        count += push_some(worker, conn)
        after = hoist.stats("GATEWAY")["bytes_out"]
        if after - before < SOME * len(PAD) - bytes_at_least:
            return count


def test_a_client_behind_out_soft_for_its_time_is_closed_with_1013():
    with serve("--out-soft=1000", "--out-soft-time=300") as hoist:
        worker = Worker(hoist.workers, "echo", "$disconnect")
        bystander = Client(hoist.address).opened()
        client = Client(hoist.address).opened()
        backlog(hoist, worker, client, 1000)
        request = worker.get(REQUEST)
        assert_closed_as_slow(hoist, worker, client, bystander, request)


def test_a_client_behind_out_soft_that_catches_up_stays():
    with serve("--out-soft=1000", "--out-soft-time=600000") as hoist:
        worker = Worker(hoist.workers, "echo")
        bystander = Client(hoist.address).opened()
        client = Client(hoist.address).opened()
        count = backlog(hoist, worker, client, 1000)
        assert_works(bystander, worker)
        assert [client.recv() for _ in range(count)] == \
            [(1, PAD.encode())] * count
        assert_works(client, worker)
        assert_counts(hoist, "GATEWAY", slow_closed=0, connections=2)


# --- workers and gateways -----------------------------------------------------

def test_a_push_beyond_the_window_is_refused():
    with serve("--push-window=2") as hoist:
        worker = Worker(hoist.workers, "echo")
        bystander = Worker(hoist.workers, "other")
        client = Client(hoist.address).opened()
        conn = connection_of(client, worker)
        # In one frame: no CREDIT can come between.
        worker.send(*[[PUSH, ["connection", conn], str(i)] for i in range(5)])
        assert [worker.get(ERROR)[1] for _ in range(3)] == ["push-window"] * 3
        assert [client.recv() for _ in range(2)] == [(1, b"0"), (1, b"1")]
        bystander.send([PUSH, ["connection", conn], "bystander"])
        assert client.recv() == (1, b"bystander")
        assert_counts(hoist, "BROKER", push_window=3, pushes=3)
        given = 0
        while given < 2:
            given += worker.get(CREDIT)[1]
        worker.send([PUSH, ["connection", conn], "again"])
        assert client.recv() == (1, b"again")


def test_a_push_beyond_the_bytes_of_the_window_is_refused():
    # A target of one id is 29 bytes.
    with serve("--push-window-bytes=68") as hoist:
        worker = Worker(hoist.workers, "echo")
        client = Client(hoist.address).opened()
        conn = connection_of(client, worker)
        worker.send([PUSH, ["connection", conn], "12345678"],
                    [PUSH, ["connection", conn], "12"],
                    [PUSH, ["connection", conn], "1"])
        assert worker.get(ERROR)[1] == "push-window"
        assert [client.recv()[1] for _ in range(2)] == [b"12345678", b"12"]
        given = 0
        while given < 68:
            given += worker.get(CREDIT)[2]
        # One is always allowed when none is on its way.
        worker.send([PUSH, ["connection", conn], "x" * 100])
        assert client.recv() == (1, b"x" * 100)
        assert_counts(hoist, "BROKER", push_window=1)


class Peer(Worker):
    """One that greets, and is not sure to be welcome."""

    def __init__(self, endpoint, role="worker", **options):
        self.sock = self.context.socket(zmq.DEALER)
        self.sock.linger = 1000
        self.sock.connect(endpoint)
        self.inbox = []
        self.hello = [HELLO, 1, role, os.urandom(8).hex(), "test", options]
        self.send(self.hello)


def test_one_worker_too_many_is_refused():
    with serve("--max-workers=1") as hoist:
        worker = Worker(hoist.workers, "echo")
        client = Client(hoist.address).opened()
        second = Peer(hoist.workers)
        assert second.get(ERROR)[1:] == ["full", "as many peers as there may be"]
        second.send([PING])
        second.get(WHO)
        third = Peer(hoist.workers)  # beyond the strangers, too: no answer
        assert_counts(hoist, "BROKER", refused=2, workers=1)
        assert_works(client, worker)
        worker.send([BYE])
        assert_counts(hoist, "BROKER", workers=0)
        third.send(third.hello)
        assert third.get(WELCOME)


def test_one_gateway_too_many_is_refused():
    with serve("--max-gateways=1", command="broker") as broker:
        with Hoist("--broker=" + broker.gateways, command="gateway") as hoist:
            worker = Worker(broker.workers, "echo")
            client = Client(hoist.address).opened()
            second = Peer(broker.gateways, "gateway", loop=1)
            assert second.get(ERROR)[1:] == ["full", "as many peers as there may be"]
            assert_counts(broker, "BROKER", refused=1, gateways=1)
            assert_works(client, worker)
        assert_counts(broker, "BROKER", gateways=0)
        second.send(second.hello)
        assert second.get(WELCOME)


def test_a_gateway_that_ignores_its_window_is_answered_with_429():
    with serve("--gateway-window=1", command="broker") as broker:
        worker = Worker(broker.workers, "$connect", "echo")
        with Hoist("--broker=" + broker.gateways, command="gateway") as hoist:
            bystander = Client(hoist.address)
            worker.reply(worker.get(REQUEST))
            assert bystander.opened().status == 101
            gateway = Peer(broker.gateways, "gateway", loop=1)
            welcome = gateway.get(WELCOME)
            assert welcome[6]["window"] == 1
            gateway.send([SYNC, [], False])
            for i in range(2):
                conn = base64.urlsafe_b64encode(
                    bytes([0, 0, 1, 0, 0, i, 0, 0, 0, 0, 0, 0])).decode()
                gateway.send([REQUEST, i, CONNECT, conn, "$connect", None,
                              1000, {}, None])
            assert gateway.get(REPLY)[1:3] == [1, 429]
            worker.reply(worker.get(REQUEST))
            assert gateway.get(REPLY)[1:3] == [0, 200]
            assert_counts(broker, "BROKER", over_window=1)
            assert_works(bystander, worker)


def test_a_worker_that_is_silent_too_long_is_lost():
    with Hoist("--heartbeat=100", "--liveness=2000") as hoist:
        silent = Worker(hoist.workers, "silent")
        client = Client(hoist.address).opened()
        client.send('{"action":"silent"}')
        silent.get(REQUEST)
        assert json.loads(client.recv()[1])["message"] == \
            "Internal server error"
        stats = hoist.stats("BROKER")
        assert stats["peers_lost"] == stats["worker_died"] == 1, stats
        silent.send([PING])
        silent.get(WHO)
        worker = Worker(hoist.workers, "echo")
        assert_works(client, worker)


# Answered with a GONE for each of its targets, 1.3 MB.
TO_NOBODIES = msgpack.packb([PUSH, ["connection"] + ["A" * 16] * 65536, "x"])

TALKER = msgpack.packb([HELLO, 1, "worker", "talker", "talker", {}])

# Answered with a WELCOME for each HELLO, together 1 MB, and one GONE.
GREETINGS = TALKER * 10_000 + \
    msgpack.packb([PUSH, ["connection", "A" * 16], "x"])


def talker(hoist):
    """The socket of a worker that is up to no good."""
    sock = Worker.context.socket(zmq.DEALER)
    sock.rcvhwm, sock.linger, sock.rcvtimeo = 1, 0, 200
    sock.connect(hoist.workers)
    sock.send(TALKER + msgpack.packb([READY, ["talk"], 1, 1]))
    return sock


def test_a_worker_that_talks_and_never_reads_is_lost():
    if BUILD.endswith("tsan"):
        return  # a minute there, and nothing in it that threads share
    with serve("--ping-interval=0") as hoist:
        worker = Worker(hoist.workers, "echo")
        client = Client(hoist.address).opened()
        deaf = talker(hoist)
        sent = 0

        def is_answered():
            stats = hoist.stats("BROKER")
            return stats["gone"] == sent or stats["peers_lost"] > 0
        while hoist.stats("BROKER")["peers_lost"] == 0:
            assert sent < 1000, "nothing stops it"
            for _ in range(4):
                deaf.send(GREETINGS)
            sent += 4
            until(is_answered, "the greetings to be answered")
        deaf.close()
        assert 'name=talker reason="does not read"' in hoist.log()
        assert_works(client, worker)


def flood(sock, count, is_over):
    for _ in range(count):
        sock.send(TO_NOBODIES)
    while not is_over.is_set():
        try:
            sock.recv()
        except zmq.Again:
            pass
    sock.close()


def test_the_others_have_their_turn_between_the_frames_of_one_who_talks():
    count, is_over = 256, threading.Event()
    with serve("--ping-interval=0") as hoist:
        worker = Worker(hoist.workers, "echo")
        client = Client(hoist.address).opened()
        flooding = threading.Thread(target=flood,
                                    args=(talker(hoist), count, is_over))
        flooding.start()
        until(lambda: hoist.stats("BROKER")["gone"] > 0, "the flood")
        for _ in range(3):
            assert_works(client, worker)
        stats = hoist.stats("BROKER")
        is_over.set()
        flooding.join(WAIT_S)
        assert stats["gone"] < count * 65536, "they came last"
        assert stats["peers_lost"] == 0


# --- the end -------------------------------------------------------------------

def test_draining_ends_as_soon_as_all_is_said():
    with serve("--drain-time=600000") as hoist:
        worker = Worker(hoist.workers, "$disconnect")
        client = Client(hoist.address).opened()
        hoist.process.terminate()
        assert client.close_code() == 1012
        client.sock.close()
        worker.reply(worker.get(REQUEST))
        assert hoist.process.wait(WAIT_S) == 0
        assert "GATEWAY-DRAIN-CUT" not in hoist.log()


def test_draining_is_cut_when_its_time_is_over():
    with serve("--drain-time=300") as hoist:
        worker = Worker(hoist.workers, "$disconnect")
        client = Client(hoist.address).opened()
        hoist.process.terminate()
        assert client.close_code() == 1012
        client.sock.close()
        worker.get(REQUEST)  # which nobody answers
        assert hoist.process.wait(WAIT_S) == 0
        assert "GATEWAY-DRAIN-CUT sessions=1" in hoist.log()


def test_gateway_and_broker_of_one_process_have_one_time_to_drain():
    with serve("--drain-time=4000") as hoist:
        worker = Worker(hoist.workers, "$default")
        client = Client(hoist.address).opened()
        client.send("which nobody answers")
        worker.get(REQUEST)
        hoist.process.terminate()
        begun = time.monotonic()
        assert hoist.process.wait(WAIT_S) == 0
        assert 2.9 < time.monotonic() - begun < 6.9
        assert "GATEWAY-DRAIN-CUT sessions=1" in hoist.log()
        assert "BROKER-DRAIN-CUT requests=" in hoist.log()


def test_a_client_that_does_not_end_after_its_close_is_cut_off():
    with serve() as hoist:
        worker = Worker(hoist.workers, "echo")
        bystander = Client(hoist.address).opened()
        stubborn = Client(hoist.address).opened()
        stubborn.raw(b"\x81\x00")  # not masked
        assert stubborn.close_code() == 1002
        assert_works(bystander, worker)
        # It does not end its side: sockets fall without its doing.
        assert_counts(hoist, "GATEWAY", sockets=1, connections=1)
        assert_works(bystander, worker)


def test_a_file_beyond_8_mib_is_not_found():
    with tempfile.TemporaryDirectory() as top:
        for name, size in (("largest", 8 << 20), ("larger", (8 << 20) + 1)):
            with open(f"{top}/{name}", "wb") as file:
                file.truncate(size)
        with serve("--static=" + top) as hoist:
            worker = Worker(hoist.workers, "echo")
            bystander = Client(hoist.address).opened()
            host, port = hoist.address.rsplit(":", 1)
            for name, status in (("largest", b"200"), ("larger", b"404")):
                with socket.create_connection((host, int(port)), WAIT_S) as sock:
                    sock.sendall(f"GET /{name} HTTP/1.1\r\nHost: t\r\n"
                                 "Connection: close\r\n\r\n".encode())
                    assert sock.recv(65536).split()[1] == status, name
            assert_works(bystander, worker)


if __name__ == "__main__":
    run(sys.modules[__name__])
