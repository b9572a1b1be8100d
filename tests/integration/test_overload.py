# SPDX-License-Identifier: MIT
"""More than can be done: memory stays bounded, reading pauses, nothing is
dropped in silence, and when it is over all is as before."""
import resource
import selectors
import sys

from harness import *
from test_examples import Example

MIB = 1 << 20
# That a process may grow by, whatever clients and workers do; sanitizers keep
# what was freed, and notes of all that there is.
ROOM = (48 if "release" in BUILD else 480) * MIB

# Takes two milliseconds for each request: 500 a second.
SLOW = """
import io, msgpack, os, sys, time, zmq
sock = zmq.Context().socket(zmq.DEALER)
sock.connect(sys.argv[1])
def send(*message):
    sock.send(msgpack.packb(message))
send(1, 1, "worker", os.urandom(8).hex(), "slow", {})
send(3, ["work"], 32, 1 << 20)
while True:
    if not sock.poll(500):
        send(16)
        continue
    for kind, *fields in msgpack.Unpacker(io.BytesIO(sock.recv())):
        if kind == 4:
            time.sleep(0.002)
            send(5, fields[0], 200, fields[4])
"""


def resident(hoist):
    with open(f"/proc/{hoist.process.pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) << 10


class Crowd:
    """Clients that send all they have as fast as they may, and read all."""

    def __init__(self, clients, messages):
        self.selector = selectors.DefaultSelector()
        self.left = {client: len(messages) for client in clients}
        for client in clients:
            client.pending = b"".join(self.framed(text) for text in messages)
            client.sock.setblocking(False)
            self.selector.register(
                client.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, client)

    @staticmethod
    def framed(text):
        data = text.encode()
        return bytes([0x81, 0xfe]) + len(data).to_bytes(2, "big") + \
            bytes(4) + data  # a mask of zeros

    def write(self, client):
        client.pending = client.pending[client.sock.send(client.pending[:65536]):]
        if not client.pending:
            self.selector.modify(client.sock, selectors.EVENT_READ, client)

    def read(self, client):
        data = client.sock.recv(65536)
        assert data, "the client was closed"
        client.buffer += data
        while self.left[client] and self.take(client):
            self.left[client] -= 1

    @staticmethod
    def take(client):
        """One whole frame of the server, if there is one: an answer."""
        buffer = client.buffer
        if len(buffer) < 4 or buffer[1] != 126 or \
                len(buffer) < 4 + int.from_bytes(buffer[2:4], "big"):
            return False
        size = int.from_bytes(buffer[2:4], "big")
        assert buffer[0] == 0x81 and b'"work"' in buffer[4:4 + size], buffer[:200]
        client.buffer = buffer[4 + size:]
        return True

    def turn(self):
        for key, events in self.selector.select(1):
            if events & selectors.EVENT_WRITE:
                self.write(key.data)
            if events & selectors.EVENT_READ:
                self.read(key.data)

    def outcomes_missing(self):
        return sum(self.left.values())


def test_twenty_times_more_than_a_worker_can_do_waits_in_the_clients_sockets():
    text = json_text(2000)
    with Hoist("--connection-window=8", "--gateway-window=100",
               "--request-timeout=60000") as hoist, \
            Example(hoist, sys.executable, "-c", SLOW, hoist.workers):
        clients = [Client(hoist.address).opened() for _ in range(40)]
        before = resident(hoist)
        crowd = Crowd(clients, [text] * 100)
        most = held = 0
        while crowd.outcomes_missing():
            crowd.turn()
            most = max(most, resident(hoist))
            if crowd.outcomes_missing() % 500 == 0:
                held = max(held, hoist.stats("BROKER")["requests"])
        counts = hoist.stats("GATEWAY")
        assert most - before < ROOM, (before, most)
        assert counts["messages_in"] == counts["messages_out"] == 4000
        assert counts["paused"] > 0 and counts["error_frames"] == 0
        assert 0 < held <= 100, held  # what is admitted is a window's worth
        clients[0].sock.setblocking(True)
        clients[0].send(text)  # and then all is as before
        assert clients[0].recv() == (1, text.encode())


def json_text(size):
    return '{"action":"work","pad":"%s"}' % ("x" * (size - 27))


def test_ten_thousand_connections_at_once_are_all_served():
    count = 10000
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    assert most > count + 1000, "needs a hard limit of 11000 descriptors"
    with Hoist() as hoist, Example(hoist, BUILD + "/workers/examples/echo",
                                   "--broker", hoist.workers):
        before = resident(hoist)
        clients = [Client(hoist.address) for _ in range(count)]
        for client in clients:
            assert client.opened().status == 101
        for client in clients:
            client.send('{"action":"echo"}')
        for client in clients:
            assert client.recv() == (1, b'{"action":"echo"}')
        assert resident(hoist) - before < ROOM
        assert hoist.stats("GATEWAY")["connections"] == count


def test_pushes_beyond_what_a_client_reads_end_that_client_only():
    with Hoist("--out-hard=1048576", "--out-soft=0") as hoist:
        worker = Worker(hoist.workers, "hello", "$disconnect", window=64)
        slow, quick = (Client(hoist.address).opened() for _ in range(2))
        conns = []
        for client in (slow, quick):
            client.send('{"action":"hello"}')
            request = worker.get(REQUEST)
            conns.append(request[3])
            worker.reply(request)
        before = most = resident(hoist)
        gone = False
        for number in range(400):
            worker.send(*[[PUSH, ["connection", conns[0]], "x" * 65536]] * 4)
            given = 0
            while given < 4:  # the push window of a worker that counts
                given += worker.get(CREDIT)[1]
            most = max(most, resident(hoist))
            gone = gone or worker.has(GONE)
            if gone:
                break
        assert gone and most - before < ROOM, (before, most)
        worker.send([PUSH, ["connection", conns[1]], "for you"])
        assert quick.recv() == (1, b"for you")
        assert hoist.stats("GATEWAY")["slow_closed"] == 1


if __name__ == "__main__":
    run(sys.modules[__name__])
