# SPDX-License-Identifier: MIT
"""TLS at the gateway: by certificate and key file, and what it says when one
of them is wrong."""
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import warnings

from harness import *

folder = tempfile.TemporaryDirectory()
CERTIFICATE, KEY, OTHER_KEY = (os.path.join(folder.name, name)
                               for name in ("cert.pem", "key.pem", "other.pem"))


def make_certificate():
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-keyout", KEY, "-out",
                    CERTIFICATE], check=True, capture_output=True)
    subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-out", OTHER_KEY],
                   check=True, capture_output=True)


make_certificate()
FLAGS = ("--tls-cert=" + CERTIFICATE, "--tls-key=" + KEY)


class TlsClient(Client):
    """A client that trusts nothing but the certificate of this test."""

    def connect(self, host, port):
        trust = ssl.create_default_context(cafile=CERTIFICATE)
        return trust.wrap_socket(super().connect(host, port),
                                 server_hostname=host)


def test_messages_of_all_sizes_travel_over_tls():
    with Hoist(*FLAGS) as hoist:
        worker = Worker(hoist.workers, "echo", window_bytes=1 << 22)
        client = TlsClient(hoist.address).opened()
        assert client.status == 101
        for size in (0, 100, 20_000, 100_000):
            text = json.dumps({"action": "echo", "pad": "x" * size})
            client.send(text)
            request = worker.get(REQUEST)
            worker.reply(request, body=request[5])
            assert client.recv() == (1, text.encode())


def test_many_clients_and_replies_at_once_over_tls():
    with Hoist(*FLAGS) as hoist:
        worker = Worker(hoist.workers, "echo")
        clients = [TlsClient(hoist.address).opened() for _ in range(8)]
        for client in clients:
            for i in range(25):
                client.send(json.dumps({"action": "echo", "i": i}))
        for _ in range(8 * 25):
            request = worker.get(REQUEST)
            worker.reply(request, body=request[5])
        for client in clients:
            assert [json.loads(client.recv()[1])["i"] for _ in range(25)] == \
                list(range(25))


def test_plain_http_on_the_tls_port_is_dropped_and_others_go_on():
    with Hoist(*FLAGS) as hoist:
        host, port = hoist.address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), WAIT_S) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            plain.settimeout(WAIT_S)
            try:
                answer = plain.recv(4096)
            except ConnectionError:
                answer = b""
            assert not answer.startswith(b"HTTP/1.1 ")
        assert TlsClient(hoist.address).opened().status == 101


def test_an_old_version_of_tls_is_refused():
    with Hoist(*FLAGS) as hoist:
        host, port = hoist.address.rsplit(":", 1)
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that they are deprecated
            old.minimum_version = ssl.TLSVersion.TLSv1
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.set_ciphers("ALL:@SECLEVEL=0")
        with socket.create_connection((host, int(port)), WAIT_S) as plain:
            try:
                old.wrap_socket(plain)
                raise AssertionError("TLS 1.1 was taken")
            except (ssl.SSLError, ConnectionError):
                pass
        assert TlsClient(hoist.address).opened().status == 101


def refused(*flags):
    """(status, what it said) of a gateway that cannot start."""
    done = subprocess.run(
        [BUILD + "/cli/hoist", "serve", "--listen=127.0.0.1:0",
         "--workers=tcp://127.0.0.1:*", *flags],
        capture_output=True, text=True, timeout=WAIT_S)
    return done.returncode, done.stderr


def test_a_key_of_another_certificate_keeps_it_from_starting():
    status, said = refused("--tls-cert=" + CERTIFICATE,
                           "--tls-key=" + OTHER_KEY)
    assert status == 1 and OTHER_KEY in said, (status, said)


def test_a_missing_file_keeps_it_from_starting():
    status, said = refused("--tls-cert=/nowhere/cert.pem",
                           "--tls-key=" + KEY)
    assert status == 2 and "/nowhere/cert.pem" in said, (status, said)


if __name__ == "__main__":
    run(sys.modules[__name__])
