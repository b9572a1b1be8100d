# SPDX-License-Identifier: MIT
"""Who may come and how fast it may send, on real sockets from many addresses of
127.0.0.0/8, or of wherever a PROXY header says.  Who is over a limit gets the
documented answer, and whoever else is there notices nothing.  Rates here are so
low that a slow machine does not keep to them by itself."""
import sys

from harness import *

JOIN = 8


def serve(*flags):
    return Hoist("--liveness=60000", "--drain-time=500", *flags)


class From(Client):
    """One whose socket is bound to an address."""

    def __init__(self, source, address, **more):
        self.source = source
        super().__init__(address, **more)

    def connect(self, host, port):
        return socket.create_connection((host, port), WAIT_S, (self.source, 0))


class Proxied(Client):
    """One that a proxy hands on, which says from where."""

    def __init__(self, source, address):
        self.source = source
        super().__init__(address)

    def connect(self, host, port):
        sock = super().connect(host, port)
        family = "TCP6" if ":" in self.source else "TCP4"
        target = "::1" if ":" in self.source else "127.0.0.1"
        sock.sendall(f"PROXY {family} {self.source} {target} 1 2\r\n".encode())
        return sock


def answer(client):
    """(status, seconds until it may try again, or None)."""
    while b"\r\n\r\n" not in client.buffer:
        client.more()
    head = client.buffer.partition(b"\r\n\r\n")[0].decode()
    retry = re.search(r"\r\nRetry-After: (\d+)", head)
    return int(head.split()[1]), int(retry.group(1)) if retry else None


def is_turned_away(connect):
    """Closed without a word."""
    try:
        connect().more()
    except (EOFError, ConnectionError):
        return True
    return False


def assert_works(client, worker):
    client.send('{"action":"echo"}')
    request = worker.get(REQUEST)
    worker.reply(request, body=request[5])
    assert client.recv() == (1, b'{"action":"echo"}')


def texts(worker, count):
    """The next messages, each of which is done."""
    requests = []
    for _ in range(count):
        requests.append(worker.get(REQUEST))
        worker.reply(requests[-1])
    return [request[5] for request in requests]


# --- connections of an address -----------------------------------------------

def test_one_connection_too_many_of_an_address_is_answered_with_429():
    with serve("--address-connections=2") as hoist:
        worker = Worker(hoist.workers, "echo")
        bystander = From("127.0.0.2", hoist.address).opened()
        first = Client(hoist.address).opened()
        assert Client(hoist.address).opened().status == 101
        assert answer(Client(hoist.address)) == (429, 10)
        hoist.soon("GATEWAY", address_refused=1, connections=3, addresses=2)
        hoist.find("GATEWAY-ADDRESS-REFUSED (ip=127.0.0.1 limit=connections)")
        assert_works(bystander, worker)
        first.sock.close()
        hoist.soon("GATEWAY", connections=2)
        assert_works(Client(hoist.address).opened(), worker)


def test_who_leaves_the_gate_counts_until_it_is_answered():
    with serve("--address-connections=1") as hoist:
        worker = Worker(hoist.workers, "$connect", "$disconnect")
        client = Client(hoist.address)
        connect = worker.get(REQUEST)
        client.sock.close()
        hoist.soon("GATEWAY", sockets=0)
        assert answer(Client(hoist.address)) == (429, 10)
        worker.reply(connect)
        worker.reply(worker.get(REQUEST))  # its $disconnect: it is answered
        client = Client(hoist.address)
        worker.reply(worker.get(REQUEST))
        assert answer(client) == (101, None)


def test_many_addresses_have_their_connections_each():
    with serve("--address-connections=10") as hoist:
        addresses = [f"127.0.{i}.{i + 1}" for i in range(20)]
        standing = [From(address, hoist.address) for address in addresses
                    for _ in range(10)]
        assert all(client.opened().status == 101 for client in standing)
        for address in addresses:
            assert answer(From(address, hoist.address))[0] == 429
        hoist.soon("GATEWAY", connections=200, addresses=20, address_refused=20)
        Client.close_all()
        hoist.soon("GATEWAY", connections=0, addresses=0)


def test_sockets_of_an_address_that_ask_for_nothing_are_few():
    with serve("--address-connections=1",
               "--handshake-timeout=60000") as hoist:
        worker = Worker(hoist.workers, "echo")
        bystander = From("127.0.0.2", hoist.address).opened()
        host, port = hoist.address.rsplit(":", 1)
        silent = [socket.create_connection((host, int(port)), WAIT_S)
                  for _ in range(16)]
        hoist.soon("GATEWAY", sockets=17)
        assert is_turned_away(lambda: Client(hoist.address))
        hoist.soon("GATEWAY", sockets=17, address_sockets_refused=1)
        hoist.find("GATEWAY-ADDRESS-REFUSED (ip=127.0.0.1 limit=sockets)")
        assert_works(bystander, worker)
        for sock in silent:
            sock.close()
        hoist.soon("GATEWAY", sockets=1)
        assert Client(hoist.address).opened().status == 101


# --- handshakes ----------------------------------------------------------------

def test_handshakes_of_an_address_beyond_its_rate_are_429_for_a_while():
    with serve("--address-rate=1",
               "--address-burst=3") as hoist:
        worker = Worker(hoist.workers, "echo")
        first = [Client(hoist.address).opened() for _ in range(3)]
        assert all(client.status == 101 for client in first)
        assert until(lambda: answer(Client(hoist.address)) == (429, 1),
                     "a handshake that comes too fast")
        assert hoist.stats("GATEWAY")["address_throttled"] >= 1
        hoist.find("GATEWAY-ADDRESS-REFUSED (ip=127.0.0.1 limit=handshake-rate)")
        assert_works(From("127.0.0.2", hoist.address).opened(), worker)
        assert_works(first[0], worker)
        assert until(lambda: answer(Client(hoist.address))[0] == 101,
                     "its next token", pause_s=0.3)
        Client.close_all()
        hoist.soon("GATEWAY", addresses=0)  # when their tokens are back


def test_handshakes_of_all_beyond_their_rate_are_429_for_a_while():
    with serve("--handshake-rate=1", "--handshake-burst=2") as hoist:
        worker = Worker(hoist.workers, "echo")
        first = Client(hoist.address).opened()
        assert From("127.0.0.2", hoist.address).opened().status == 101
        assert until(lambda: answer(From("127.0.0.3", hoist.address)) == (429, 1),
                     "a handshake that comes too fast")
        assert hoist.stats("GATEWAY")["handshakes_throttled"] >= 1
        hoist.find("(GATEWAY-HANDSHAKES-FAST ip=127.0.0.3)")
        assert_works(first, worker)
        assert until(lambda: answer(Client(hoist.address))[0] == 101,
                     "the next token", pause_s=0.3)


def test_sockets_of_an_address_that_come_too_fast_are_turned_away():
    with serve("--address-rate=1") as hoist:
        worker = Worker(hoist.workers, "echo")
        bystander = From("127.0.0.2", hoist.address).opened()
        line = "GATEWAY-ADDRESS-REFUSED ip=127.0.0.1 limit=socket-rate"
        assert until(lambda: is_turned_away(lambda: Client(hoist.address)) and
                     line in hoist.log(),  # one address has five lines a second
                     "a socket that comes too fast", pause_s=0)
        assert hoist.stats("GATEWAY")["address_sockets_refused"] >= 1
        assert_works(bystander, worker)


# --- behind a proxy ------------------------------------------------------------

def test_clients_of_a_trusted_proxy_are_counted_and_the_proxy_is_not():
    with serve("--address-connections=1",
               "--trusted-proxies=127.0.0.1") as hoist:
        def forwarded(ip):
            return Client(hoist.address, headers=f"X-Forwarded-For: {ip}\r\n")
        assert all(Client(hoist.address).opened().status == 101 for _ in range(20))
        assert forwarded("203.0.113.1").opened().status == 101
        assert forwarded("203.0.113.2").opened().status == 101
        assert answer(forwarded("203.0.113.1")) == (429, 10)
        hoist.find("GATEWAY-ADDRESS-REFUSED (ip=203.0.113.1)")


def test_of_ipv6_a_network_of_64_bits_counts_as_one_address():
    with serve("--address-connections=1", "--trusted-proxies=127.0.0.1",
               "--proxy-protocol") as hoist:
        assert Proxied("2001:db8::1", hoist.address).opened().status == 101
        assert answer(Proxied("2001:db8::2", hoist.address)) == (429, 10)
        assert Proxied("2001:db8:0:1::1", hoist.address).opened().status == 101
        hoist.soon("GATEWAY", addresses=2)


def test_its_length_is_a_setting():
    with serve("--address-connections=1", "--trusted-proxies=127.0.0.1",
               "--proxy-protocol", "--address-bits=48") as hoist:
        assert Proxied("2001:db8::1", hoist.address).opened().status == 101
        assert answer(Proxied("2001:db8:0:1::1", hoist.address)) == (429, 10)
        assert Proxied("2001:db8:1::1", hoist.address).opened().status == 101


def test_who_has_many_networks_is_forgotten_with_each_of_them():
    with serve("--address-rate=1", "--trusted-proxies=127.0.0.1",
               "--proxy-protocol") as hoist:
        for i in range(300):
            client = Proxied(f"2001:db8:0:{i:x}::1", hoist.address)
            assert client.opened().status == 101
            client.sock.close()
        hoist.soon("GATEWAY", connects=300, connections=0, addresses=0)


# --- what is sent ---------------------------------------------------------------

def test_who_sends_messages_too_fast_has_to_wait_and_loses_none():
    with serve("--message-rate=5") as hoist:
        worker = Worker(hoist.workers, "$default")
        bystander = Client(hoist.address).opened()
        client = Client(hoist.address).opened()
        begun = time.monotonic()
        for i in range(15):
            client.send(f"{i}")
        assert texts(worker, 5) == [f"{i}" for i in range(5)]
        bystander.send("mine")  # before the sixth, a fifth of a second later
        rest = texts(worker, 11)
        assert rest[-1] != "mine", rest
        rest.remove("mine")
        assert rest == [f"{i}" for i in range(5, 15)]
        assert time.monotonic() - begun >= 1.9  # 10 tokens, 5 a second
        assert hoist.stats("GATEWAY")["throttled"] >= 1
        assert len(re.findall("CONN-THROTTLED ip=127.0.0.1 limit=message-rate",
                              hoist.log())) == 1


def test_it_is_not_read_meanwhile_so_its_tcp_waits():
    with serve("--message-rate=1", "--message-burst=1") as hoist:
        worker = Worker(hoist.workers, "$default")
        client = Client(hoist.address).opened()
        client.sock.settimeout(1)
        try:
            while True:
                client.send("x" * 65000)
        except TimeoutError:
            pass
        assert hoist.stats("GATEWAY")["bytes_in"] < 1 << 20
        bystander = Client(hoist.address).opened()
        bystander.send("mine")
        until(lambda: texts(worker, 1) == ["mine"], "the bystander's message")


def test_who_sends_bytes_too_fast_has_to_wait_and_loses_none():
    with serve("--byte-rate=20000") as hoist:
        worker = Worker(hoist.workers, "$default")
        client = Client(hoist.address).opened()
        begun = time.monotonic()
        for i in range(4):
            client.send(f"{i}" + "x" * 19990)
        assert [text[0] for text in texts(worker, 4)] == ["0", "1", "2", "3"]
        # The last read, of 16 KiB at most, is taken while they are owed.
        assert time.monotonic() - begun >= (80000 - 20000 - 16384) / 20000 - 0.1
        hoist.find("CONN-THROTTLED (ip=127.0.0.1 limit=byte-rate)")


# --- the rest --------------------------------------------------------------------

def test_a_connection_is_in_so_many_groups_and_no_more():
    with serve("--max-groups=2") as hoist:
        worker = Worker(hoist.workers, "echo")
        client = Client(hoist.address).opened()
        client.send('{"action":"echo"}')
        request = worker.get(REQUEST)
        for group in ("a", "b", "c"):
            worker.send([JOIN, group, request[3]])
        assert worker.get(ERROR)[1] == "groups"
        worker.send([PUSH, ["group", "a"], "to a"], [PUSH, ["group", "c"], "to c"])
        worker.reply(request, body="done")
        assert [client.recv() for _ in range(2)] == [(1, b"to a"), (1, b"done")]
        hoist.soon("GATEWAY", groups_refused=1)
        hoist.find(f"(GATEWAY-GROUPS-FULL conn={request[3]})")


def test_an_origin_that_is_not_listed_is_counted_and_said():
    with serve("--origins=https://example.org") as hoist:
        client = Client(hoist.address, headers="Origin: https://example.net\r\n")
        assert answer(client) == (403, None)
        hoist.soon("GATEWAY", origins_refused=1)
        hoist.find('GATEWAY-ORIGIN-REFUSED (ip=127.0.0.1 origin="https://example.net")')
        forged = Client(hoist.address, headers='Origin: x" ip="192.0.2.1\r\n')
        assert answer(forged) == (403, None)
        hoist.find("GATEWAY-ORIGIN-REFUSED (ip=127.0.0.1 origin=\"x' ip='192.0.2.1\")")


if __name__ == "__main__":
    run(sys.modules[__name__])
