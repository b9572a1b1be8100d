# SPDX-License-Identifier: MIT
"""Proxies in front of a gateway: whose client a socket is, as they say by the
PROXY protocol or X-Forwarded-For, and who is believed."""
import json
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import urllib.request

from harness import *

TRUST = "--trusted-proxies=127.0.0.1,::1"
PROXY = (TRUST, "--proxy-protocol")
LINE = b"PROXY TCP4 192.0.2.7 10.0.0.1 51200 443\r\n"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def version_2(ip, command=0x21, extra=b""):
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    us = "2001:db8::1" if ":" in ip else "10.0.0.1"
    addresses = socket.inet_pton(family, ip) + socket.inet_pton(family, us) + \
        struct.pack(">HH", 51200, 443) + extra
    return SIGNATURE + struct.pack(">BBH", command, 0x21 if ":" in ip else 0x11,
                                   len(addresses)) + addresses


class Proxied(Client):
    """A client whose proxy says this before it."""

    def __init__(self, address, header, **rest):
        self.header = header
        super().__init__(address, **rest)

    def connect(self, host, port):
        sock = super().connect(host, port)
        sock.sendall(self.header)
        return sock


def address_of(worker, client):
    """That a handler sees of a client which has just asked to be let in."""
    request = worker.get(REQUEST)
    worker.reply(request)
    assert client.opened().status == 101
    return request[7]["ip"]


def is_closed(sock):
    sock.settimeout(WAIT_S)
    try:
        return sock.recv(4096) == b""
    except ConnectionError:
        return True


def dial(hoist):
    host, port = hoist.address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), WAIT_S)


# --- the PROXY protocol --------------------------------------------------------

def test_a_client_is_at_the_address_that_its_proxy_says():
    headers = [(LINE, "192.0.2.7"),
               (b"PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n", "2001:db8::7"),
               (version_2("192.0.2.7"), "192.0.2.7"),
               (version_2("2001:db8::7"), "2001:db8::7"),
               (version_2("192.0.2.7", extra=b"\x04\x00\x01\x00"), "192.0.2.7"),
               (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
               (version_2("192.0.2.7", command=0x20), "127.0.0.1")]
    with Hoist(*PROXY) as hoist:
        worker = Worker(hoist.workers, "$connect")
        for header, ip in headers:
            assert address_of(worker, Proxied(hoist.address, header)) == ip


def test_operators_see_that_address_too():
    with Hoist(*PROXY, "--admin=127.0.0.1:0") as hoist:
        client = Proxied(hoist.address, LINE).opened()
        assert client.status == 101
        admin = hoist.find(r"ADMIN-LISTENING address=(\S+)")
        with urllib.request.urlopen(f"http://{admin}/connections", timeout=WAIT_S) as said:
            rows = json.load(said)["gateway"]["connections"]
        assert [row["ip"] for row in rows] == ["192.0.2.7"]


def test_a_header_that_drips_is_waited_for_and_the_rest_not_taken():
    with Hoist(*PROXY) as hoist:
        worker = Worker(hoist.workers, "$connect")

        class Dripping(Proxied):
            def connect(self, host, port):
                sock = socket.create_connection((host, port), WAIT_S)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for byte in self.header:
                    sock.sendall(bytes([byte]))
                return sock
        for header in (LINE, version_2("192.0.2.7")):
            assert address_of(worker, Dripping(hoist.address, header)) == "192.0.2.7"


def test_who_is_no_trusted_proxy_is_closed_at_once():
    with Hoist("--trusted-proxies=10.0.0.0/8", "--proxy-protocol") as hoist:
        with dial(hoist) as sock:
            assert is_closed(sock)
        hoist.find(r'(GATEWAY-PROXY-REFUSED ip=127\.0\.0\.1 reason="it is none of '
                   r'--trusted-proxies")')
        assert hoist.stats("GATEWAY")["unproxied"] == 1


def test_a_socket_without_a_header_is_closed():
    with Hoist(*PROXY) as hoist:
        for first in (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01\x02\x00",
                      b"PROXY TCP4 192.0.2.7\r\n",
                      SIGNATURE + b"\x21\x11\xff\xff"):
            with dial(hoist) as sock:
                sock.sendall(first)
                assert is_closed(sock)
        hoist.soon("GATEWAY", unproxied=4, sockets=0)
        assert "sends no PROXY header" in hoist.log()
        assert "PROXY header is too long" in hoist.log()


def test_a_proxy_that_says_nothing_is_not_waited_for():
    with Hoist(*PROXY, "--handshake-timeout=100") as hoist:
        with dial(hoist) as silent, dial(hoist) as slow:
            slow.sendall(LINE[:20])
            assert is_closed(silent) and is_closed(slow)
        hoist.soon("GATEWAY", unproxied=2)


def test_proxies_that_say_nothing_are_only_so_many():
    with Hoist(*PROXY, "--max-handshakes=2") as hoist:
        with dial(hoist) as first, dial(hoist) as second:
            first.sendall(LINE[:6])
            second.sendall(LINE[:6])
            with dial(hoist) as third:
                assert is_closed(third)
            assert hoist.stats("GATEWAY")["unproxied"] == 1
            first.sendall(LINE[6:] + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert first.recv(4096).startswith(b"HTTP/1.1 426 ")


def test_who_only_looks_whether_somebody_listens_is_no_fault():
    with Hoist(*PROXY) as hoist:
        for _ in range(3):
            dial(hoist).close()
        assert address_of(Worker(hoist.workers, "$connect"),
                          Proxied(hoist.address, LINE)) == "192.0.2.7"
        assert hoist.stats("GATEWAY")["unproxied"] == 0


def test_a_gateway_that_stops_waits_for_no_header():
    with Hoist(*PROXY) as hoist:
        with dial(hoist) as sock:
            sock.sendall(LINE[:6])
            hoist.process.terminate()
            assert is_closed(sock) and hoist.process.wait(WAIT_S) == 0


def test_what_the_client_writes_itself_is_not_believed():
    with Hoist(*PROXY) as hoist:
        worker = Worker(hoist.workers, "$connect")
        client = Proxied(hoist.address, LINE,
                         headers="X-Forwarded-For: 203.0.113.9\r\n")
        assert address_of(worker, client) == "192.0.2.7"


# --- X-Forwarded-For -----------------------------------------------------------

def forwarded(hoist, worker, value):
    return address_of(worker, Client(hoist.address,
                                     headers=f"X-Forwarded-For: {value}\r\n"))


def test_a_trusted_proxy_is_believed_whose_client_it_is():
    with Hoist(TRUST) as hoist:
        worker = Worker(hoist.workers, "$connect")
        assert forwarded(hoist, worker, "203.0.113.9, 192.0.2.7, ::1") == "192.0.2.7"
        assert forwarded(hoist, worker, "[2001:db8::7]:4711") == "2001:db8::7"
        assert forwarded(hoist, worker, "nonsense") == "127.0.0.1"
        assert address_of(worker, Client(hoist.address)) == "127.0.0.1"


def test_without_trust_the_header_is_ignored():
    for flags in ((), ("--trusted-proxies=10.0.0.0/8",)):
        with Hoist(*flags) as hoist:
            worker = Worker(hoist.workers, "$connect")
            assert forwarded(hoist, worker, "192.0.2.7") == "127.0.0.1"


# --- settings ------------------------------------------------------------------

def said_of(*flags):
    done = subprocess.run([BUILD + "/cli/hoist", "serve", *flags],
                          capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode == 2, done
    return done.stderr


def test_what_is_no_network_is_a_wrong_setting():
    for value in ("proxy", "10.0.0.0/33", "10.0.0.0/8,"):
        assert "ADDRESS/BITS" in said_of("--trusted-proxies=" + value)


def test_the_proxy_protocol_wants_somebody_to_trust():
    assert "--trusted-proxies" in said_of("--proxy-protocol")


# --- HAProxy -------------------------------------------------------------------

CONFIG = """
global
    log stdout format raw local0
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    timeout tunnel 30s
frontend clients
    bind 127.0.0.1:{port}
    default_backend gateways
backend gateways
    {option}
    server one {gateway} {word} source 127.0.0.1
"""


class Haproxy:
    """In front of a gateway."""

    def __init__(self, gateway, word="", option=""):
        self.port = free_port()
        self.file = tempfile.NamedTemporaryFile("w", suffix=".cfg")
        self.file.write(CONFIG.format(port=self.port, gateway=gateway, word=word,
                                      option=option))
        self.file.flush()
        self.process = subprocess.Popen(["haproxy", "-q", "-db", "-f", self.file.name])
        self.address = f"127.0.0.1:{self.port}"

    def is_up(self):
        assert self.process.poll() is None
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        except ConnectionError:
            return False

    def __enter__(self):
        until(self.is_up, "HAProxy")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.file.close()


class FromElsewhere(Client):
    """A client at another address of this host."""

    def connect(self, host, port):
        return socket.create_connection((host, port), WAIT_S,
                                        source_address=("127.0.0.9", 0))


def comes_through(gateway_flags, *server):
    with Hoist(*gateway_flags) as hoist, Haproxy(hoist.address, *server) as front:
        worker = Worker(hoist.workers, "$connect", "echo")
        assert address_of(worker, FromElsewhere(front.address)) == "127.0.0.9"


def test_haproxy_says_it_in_each_of_its_ways():
    if shutil.which("haproxy") is None:
        print("  (no HAProxy here)")
        return
    comes_through(PROXY, "send-proxy-v2")
    comes_through(PROXY, "send-proxy")
    comes_through((TRUST,), "", "option forwardfor")


run(sys.modules[__name__])
