# SPDX-License-Identifier: MIT
"""The HTTP side of the gateway: what is no handshake is refused with its
status, and the gate's answer becomes the client's."""
import os
import sys
import tempfile

from harness import *

UPGRADE = {"Host": "test", "Upgrade": "websocket", "Connection": "Upgrade",
           "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
           "Sec-WebSocket-Version": "13"}


def head(start="GET / HTTP/1.1", **changed):
    """A handshake but for what is changed; None leaves a header out."""
    headers = dict(UPGRADE)
    for name, value in changed.items():
        headers[name.replace("_", "-")] = value
    lines = [f"{name}: {value}" for name, value in headers.items()
             if value is not None]
    return "\r\n".join([start, *lines, "", ""]).encode()


def ask(hoist, data, ends=True):
    """(status, head, body) of the answer to raw bytes."""
    host, port = hoist.address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), WAIT_S) as sock:
        sock.sendall(data)
        answer = b""
        while ends or b"\r\n\r\n" not in answer:
            more = sock.recv(65536)
            if not more:
                break
            answer += more
    text, _, body = answer.partition(b"\r\n\r\n")
    return int(text.split()[1]), text.decode(), body


class Beside:
    """hoist, with a worker and a client that go on whatever a test asks."""

    def __init__(self, *flags, gate=False, path="/", headers=""):
        self.hoist = Hoist(*flags)
        routes = ["echo", "$connect"] if gate else ["echo"]
        self.worker = Worker(self.hoist.workers, *routes)
        self.client = Client(self.hoist.address, path, headers)
        if gate:
            self.worker.reply(self.worker.get(REQUEST))
        assert self.client.opened().status == 101

    def __enter__(self):
        return self

    def goes_on(self):
        self.client.send('{"action":"echo"}')
        self.worker.reply(self.worker.get(REQUEST), body="well")
        assert self.client.recv() == (1, b"well")
        assert self.hoist.process.poll() is None

    def opens(self, path="/", headers=""):
        """The status that this handshake ends with."""
        return Client(self.hoist.address, path, headers).opened().status

    def __exit__(self, kind, error, trace):
        try:
            if kind is None:
                self.goes_on()
        finally:
            self.hoist.__exit__(kind, error, trace)


REFUSED = [
    ("garbage", b"\x16\x03\x01\x02\x00\x01\x00", 400),
    ("long garbage", b"x" * 100, 400),
    ("no version", b"GET /\r\nHost: t\r\n\r\n", 400),
    ("a version of another kind", head("GET / HTTP/2.0"), 400),
    ("absolute form", head("GET http://t/ HTTP/1.1"), 400),
    ("no host", head(Host=None), 400),
    ("a host that is none", head(Host="a b"), 400),
    ("two hosts", head(Host="a\r\nHost: b"), 400),
    ("a space before a colon", head(Host="a\r\nX : b"), 400),
    ("plain GET", b"GET / HTTP/1.1\r\nHost: t\r\n\r\n", 426),
    ("plain POST", b"POST / HTTP/1.1\r\nHost: t\r\n\r\n", 426),
    ("POST", head("POST / HTTP/1.1"), 405),
    ("HTTP/1.0", head("GET / HTTP/1.0"), 400),
    ("an old version", head(Sec_WebSocket_Version="8"), 426),
    ("no WebSocket version", head(Sec_WebSocket_Version=None), 426),
    ("no key", head(Sec_WebSocket_Key=None), 400),
    ("a short key", head(Sec_WebSocket_Key="c2hvcnQ="), 400),
    ("a key that is not base64", head(Sec_WebSocket_Key="!" * 22 + "=="), 400),
    ("no Connection: Upgrade", head(Connection="keep-alive"), 400),
    ("a body", head(Content_Length="5"), 400),
    ("two lengths", head(Content_Length="0\r\nContent-Length: 1"), 400),
    ("a broken escape in the query", head("GET /?a=%zz HTTP/1.1"), 400),
    ("too long a head", head(X="x" * 20000), 431),
    ("a head that never ends", b"GET / HTTP/1.1\r\nX: " + b"x" * 20000, 431),
    ("too many headers",
     head(X="\r\n".join(["1"] + [f"X{i}: 1" for i in range(200)])), 431),
]


def test_what_is_no_handshake_is_refused_with_its_status():
    with Beside() as at:
        for what, data, want in REFUSED:
            status, text, _ = ask(at.hoist, data)
            assert status == want, (what, status)
            assert "\r\nConnection: close" in text, what
            if want == 426:
                assert "\r\nSec-WebSocket-Version: 13" in text, what
            at.goes_on()
        stats = at.hoist.stats("GATEWAY")
        assert stats["handshakes_failed"] == len(REFUSED)


def test_the_accept_header_is_that_of_the_rfc():
    with Hoist() as hoist:
        status, text, _ = ask(hoist, head(), ends=False)
        assert status == 101
        assert "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in text


def test_half_a_handshake_times_out_with_408():
    with Beside("--handshake-timeout=1000") as at:
        assert ask(at.hoist, head()[:-2])[0] == 408


def test_the_gate_decides_the_status():
    with Beside(gate=True) as at:
        for status in (401, 403, 409, 500):
            client = Client(at.hoist.address)
            at.worker.reply(at.worker.get(REQUEST), status, "because")
            assert client.opened().status == status
            assert client.take(7) == b"because"
            at.goes_on()


def test_a_gate_that_does_not_answer_is_504():
    with Beside("--request-timeout=2000", gate=True) as at:
        client = Client(at.hoist.address)
        request = at.worker.get(REQUEST)
        assert client.opened().status == 504
        at.worker.reply(request)  # too late; its end is not ours to serve
        at.goes_on()


def test_no_gate_is_503_when_one_is_required():
    # The CONNECT waits for a worker until its time is over.
    with Beside("--require-connect", "--request-timeout=2000",
                gate=True) as at:
        at.worker.send([READY, ["echo"], 64, 1 << 20], [PING])
        at.worker.get(PONG)
        assert at.opens() == 503


def test_a_subprotocol_is_named_only_when_the_client_offered_it():
    with Beside(gate=True) as at:
        for chosen, want in ((b"two", True), (b"three", False)):
            client = Client(at.hoist.address, "/",
                            "Sec-WebSocket-Protocol: one, two\r\n")
            at.worker.reply(at.worker.get(REQUEST), 200, None,
                            {"subprotocol": chosen.decode()})
            while b"\r\n\r\n" not in client.buffer:
                client.more()
            line = b"\r\nSec-WebSocket-Protocol: " + chosen + b"\r\n"
            assert (line in client.buffer) == want, chosen
            assert (b"Sec-WebSocket-Protocol" in client.buffer) == want
            assert client.opened().status == 101
            at.goes_on()


def test_only_listed_origins_may_connect():
    with Beside("--origins=https://a.example, https://b.example",
                headers="Origin: https://a.example\r\n") as at:
        for origin, want in (("https://a.example", 101),
                             ("HTTPS://B.EXAMPLE", 101),
                             ("https://c.example", 403),
                             ("https://a.example.org", 403), ("null", 403)):
            header = f"Origin: {origin}\r\n"
            assert at.opens("/", header) == want, origin
            at.goes_on()
        assert at.opens() == 403


def test_only_the_stage_is_a_path_for_clients():
    with Beside("--stage=prod", path="/prod") as at:
        for path, want in (("/prod", 101), ("/prod/", 101), ("/prod?a=b", 101),
                           ("/", 403), ("/production", 403),
                           ("/prod/../x", 403)):
            assert at.opens(path) == want, path
            at.goes_on()


OUTSIDE = [
    "/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt",
    "/%2e%2e%2fsecret.txt", "/x/../../secret.txt", "//../secret.txt",
    "/sub/../../secret.txt", "/..\\secret.txt", "/..%5csecret.txt",
    "/%252e%252e/secret.txt", "/%c0%ae%c0%ae/secret.txt",
    "/link.txt", "/up/secret.txt", "/.hidden", "/%2ehidden", "/fifo", "/sub",
    "/./page.txt", "//page.txt", "/sub/../page.txt", "/page.txt/",
    "/page.txt%00", "/page.txt%00.html", "/%", "/%2", "/%zz",
    "/" + "a/" * 4000, "/nothing.txt",
]


def make_files(top):
    os.makedirs(top + "/public/sub")
    for name in ("secret.txt", "public/page.txt", "public/.hidden",
                 "public/sub/index.html"):
        with open(f"{top}/{name}", "w", encoding="utf-8") as file:
            file.write(name)
    os.symlink("../secret.txt", top + "/public/link.txt")
    os.symlink("..", top + "/public/up")
    os.mkfifo(top + "/public/fifo")


def test_static_files_stay_in_their_directory():
    with tempfile.TemporaryDirectory() as top:
        make_files(top)
        with Beside(f"--static={top}/public") as at:
            def get(path):
                return ask(at.hoist, f"GET {path} HTTP/1.1\r\nHost: t\r\n"
                           "Connection: close\r\n\r\n".encode())[::2]
            assert get("/page.txt") == (200, b"public/page.txt")
            assert get("/sub/?x=../..") == (200, b"public/sub/index.html")
            for path in OUTSIDE:
                assert get(path) == (404, b"Not Found"), path
                at.goes_on()
            for path in ("secret.txt", "../secret.txt", "*", ""):
                assert get(path) == (400, b"Bad Request"), path
                at.goes_on()
            assert get("/page.txt") == (200, b"public/page.txt")


def test_bytes_behind_a_request_for_a_file_are_not_read():
    with tempfile.TemporaryDirectory() as top:
        make_files(top)
        with Beside(f"--static={top}/public") as at:
            asked = b"GET /page.txt HTTP/1.1\r\nHost: t\r\n\r\n"
            for junk in (b"\x00\xffjunk", asked, b"x" * 100000):
                status, text, body = ask(at.hoist, asked + junk)
                assert (status, body) == (200, b"public/page.txt"), junk[:9]
                assert "\r\nConnection: close" in text
                at.goes_on()


if __name__ == "__main__":
    run(sys.modules[__name__])
