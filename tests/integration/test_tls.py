# SPDX-License-Identifier: MIT
"""TLS at the gateway: by certificate and key file, what it says when one of them
is wrong, files that change while it runs, and certificates of clients."""
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
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


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def path(name):
    return os.path.join(folder.name, name)


class Authority:
    """Somebody who vouches for clients."""

    def __init__(self, name):
        self.cert, self.key = path(name + "-ca.pem"), path(name + "-ca-key.pem")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                f"/CN={name}", "-keyout", self.key, "-out", self.cert)

    def ask(self, name):
        """(certificate to come, key, request) of a client."""
        cert, key, asked = (path(f"{name}{end}") for end in (".pem", "-key.pem", ".csr"))
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
                f"/O=Devices/CN={name}", "-keyout", key, "-out", asked)
        return cert, key, asked

    def issue(self, name):
        """(certificate, key) of a client."""
        cert, key, asked = self.ask(name)
        openssl("x509", "-req", "-in", asked, "-CA", self.cert, "-CAkey", self.key,
                "-set_serial", "0x0a1bff", "-days", "2", "-out", cert)
        return cert, key

    def issue_of_2020(self, name):
        """The same, and its time is over."""
        cert, key, asked = self.ask(name)
        config = path("ca.cnf")
        with open(config, "w", encoding="ascii") as file:
            file.write(f"[ca]\ndefault_ca = one\n[one]\ndatabase = {path('index')}\n"
                       f"serial = {path('serial')}\nnew_certs_dir = {folder.name}\npolicy = any\n"
                       "[any]\norganizationName = optional\ncommonName = supplied\n")
        with open(path("index"), "w", encoding="ascii"):
            pass
        openssl("ca", "-batch", "-notext", "-config", config, "-md", "sha256",
                "-create_serial", "-cert", self.cert, "-keyfile", self.key, "-startdate",
                "20200101000000Z", "-enddate", "20200201000000Z", "-in", asked, "-out", cert)
        return cert, key


make_certificate()
OURS, THEIRS = Authority("ours"), Authority("theirs")
DEVICE, STRANGER = OURS.issue("device-7"), THEIRS.issue("stranger")
FLAGS = ("--tls-cert=" + CERTIFICATE, "--tls-key=" + KEY)


class TlsClient(Client):
    """A client that trusts nothing but the certificate of this test."""

    def connect(self, host, port):
        self.tls = self.context()
        return self.tls.wrap_socket(super().connect(host, port),
                                    server_hostname=host)

    def context(self):
        return ssl.create_default_context(cafile=CERTIFICATE)


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


def speak(hoist, context):
    """A handshake with whatever the context speaks; the socket."""
    host, port = hoist.address.rsplit(":", 1)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    sock = socket.create_connection((host, int(port)), WAIT_S)
    try:
        return context.wrap_socket(sock)
    except BaseException:
        sock.close()
        raise


def test_both_versions_that_are_left_are_spoken():
    with Hoist(*FLAGS) as hoist:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.minimum_version = context.maximum_version = version
            context.set_alpn_protocols(["h2", "http/1.1"])
            with speak(hoist, context) as sock:
                assert sock.version() == version.name.replace("_", ".")
                assert sock.selected_alpn_protocol() == "http/1.1"
                assert sock.compression() is None


def test_a_client_of_another_protocol_is_refused():
    with Hoist(*FLAGS) as hoist:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.set_alpn_protocols(["h2"])
        try:
            speak(hoist, context).close()
            raise AssertionError("h2 was taken")
        except (ssl.SSLError, ConnectionError):
            pass
        hoist.find('(GATEWAY-TLS-FAILED .* by=gateway reason="no application protocol")')


def test_who_speaks_http_without_tls_is_counted_and_told_of():
    with Hoist(*FLAGS) as hoist:
        host, port = hoist.address.rsplit(":", 1)
        for _ in range(2):
            with socket.create_connection((host, int(port)), WAIT_S) as sock:
                sock.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
                try:
                    assert sock.recv(1000) == b""
                except ConnectionError:
                    pass
        hoist.find(r'(GATEWAY-TLS-FAILED ip=127\.0\.0\.1 by=gateway reason="HTTP without TLS")')
        hoist.soon("GATEWAY", tls_failed=2, sockets=0)


def test_ciphers_without_forward_secrecy_or_aead_are_refused():
    with Hoist(*FLAGS) as hoist:
        for ciphers in ("ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "AES128-GCM-SHA256"):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers(ciphers + ":@SECLEVEL=0")
            try:
                speak(hoist, context).close()
                raise AssertionError(ciphers + " was taken")
            except (ssl.SSLError, ConnectionError):
                pass
        hoist.find(r'(GATEWAY-TLS-FAILED ip=127\.0\.0\.1 by=gateway reason="handshake failure")')
        assert hoist.stats("GATEWAY")["tls_failed"] == 3


def test_renegotiation_is_refused():
    with Hoist(*FLAGS) as hoist:
        client = subprocess.Popen(
            ["openssl", "s_client", "-connect", hoist.address, "-tls1_2", "-CAfile",
             CERTIFICATE], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        said, _ = client.communicate("R\n", timeout=WAIT_S)
        assert "RENEGOTIATING" in said and "no renegotiation" in said, said
        assert TlsClient(hoist.address).opened().status == 101


def old_context():
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that they are deprecated
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    return old


def test_an_old_version_of_tls_is_refused():
    with Hoist(*FLAGS) as hoist:
        try:
            speak(hoist, old_context()).close()
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


def test_a_file_that_is_no_pem_keeps_it_from_starting():
    for flag, file in (("--tls-cert=", KEY), ("--tls-key=", CERTIFICATE),
                       ("--tls-client-ca=", KEY)):
        status, said = refused(*FLAGS, flag + file)
        assert status == 1 and file + ": no " in said, (status, said)


def test_a_key_with_a_password_is_not_asked_for():
    locked = path("locked.pem")
    openssl("pkey", "-in", KEY, "-aes256", "-passout", "pass:secret", "-out", locked)
    status, said = refused("--tls-cert=" + CERTIFICATE, "--tls-key=" + locked)
    assert status == 1 and locked in said, (status, said)


def test_clients_that_are_to_show_a_certificate_want_tls():
    status, said = refused("--tls-client-ca=" + OURS.cert)
    assert status == 2 and "--tls-cert" in said, (status, said)
    status, said = refused(*FLAGS, "--tls-client-optional")
    assert status == 2 and "--tls-client-ca" in said, (status, said)


# --- files that change ---------------------------------------------------------

def served(hoist):
    """The certificate that a new client gets, in PEM."""
    with speak(hoist, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)) as sock:
        return ssl.DER_cert_to_PEM_cert(sock.getpeercert(True))


def text_of(file):
    with open(file, encoding="ascii") as pem:
        return pem.read()


def make_pair(cert, key, kind, days="2"):
    openssl("req", "-x509", "-newkey", *kind, "-nodes", "-days", days, "-subj",
            "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key,
            "-out", cert)


EC = ("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
RSA = ("rsa:2048",)


class Files:
    """A pair of files that a test changes."""

    def __init__(self, kind=EC):
        self.cert, self.key = path("live.pem"), path("live-key.pem")
        make_pair(self.cert, self.key, kind)
        self.flags = ("--tls-cert=" + self.cert, "--tls-key=" + self.key)

    def renew(self, kind=EC, days="2"):
        make_pair(self.cert, self.key, kind, days)


def is_good_until(hoist):
    return hoist.stats("GATEWAY")["tls_until"]


def hang_up(hoist, event, times=1):
    """SIGHUP, and the line that comes of it, for the n-th time."""
    hoist.process.send_signal(signal.SIGHUP)
    until(lambda: hoist.log().count(event) == times, event)


def test_a_new_certificate_is_for_new_clients_and_others_stay():
    files = Files()
    with Hoist(*files.flags) as hoist:
        worker = Worker(hoist.workers, "echo")

        class Standing(TlsClient):
            def context(self):
                return ssl.create_default_context(cafile=files.cert)
        client = Standing(hoist.address).opened()
        files.renew()
        hang_up(hoist, "GATEWAY-TLS-READ")
        assert served(hoist) == text_of(files.cert)
        client.send('{"action": "echo"}')
        worker.reply(worker.get(REQUEST), body="still here")
        assert client.recv() == (1, b"still here")
        assert Standing(hoist.address).opened().status == 101


def test_a_handshake_that_has_begun_goes_on_with_the_former():
    files = Files()
    with Hoist(*files.flags) as hoist:
        former = text_of(files.cert)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        heard, said = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context.wrap_bio(heard, said)
        host, port = hoist.address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), WAIT_S) as sock:
            def step():
                try:
                    client.do_handshake()
                    return True
                except ssl.SSLWantReadError:
                    return False
                finally:
                    sock.sendall(said.read())
            assert not step()
            heard.write(sock.recv(65536))  # our certificate is in it
            files.renew()
            hang_up(hoist, "GATEWAY-TLS-READ")
            while not step():
                heard.write(sock.recv(65536))
            assert ssl.DER_cert_to_PEM_cert(client.getpeercert(True)) == former
        assert served(hoist) == text_of(files.cert) != former


def test_another_kind_of_key_leaves_nothing_of_the_former():
    files = Files(EC)
    with Hoist(*files.flags) as hoist:
        files.renew(RSA)
        hang_up(hoist, "GATEWAY-TLS-READ")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
        try:
            speak(hoist, context).close()
            raise AssertionError("the former certificate was served")
        except (ssl.SSLError, ConnectionError):
            pass
        assert served(hoist) == text_of(files.cert)


def test_files_that_are_wrong_change_nothing():
    files = Files()
    with Hoist(*files.flags) as hoist:
        good = text_of(files.cert)
        shutil.copy(OTHER_KEY, files.key)
        hang_up(hoist, "GATEWAY-TLS-KEPT")
        with open(files.cert, "w", encoding="ascii") as cert:
            cert.write(good[:len(good) // 2])
        hang_up(hoist, "GATEWAY-TLS-KEPT", 2)
        os.unlink(files.key)
        hang_up(hoist, "GATEWAY-TLS-KEPT", 3)
        assert files.key + ": " in hoist.log() and files.cert + ": " in hoist.log()
        assert served(hoist) == good
        files.renew()
        hang_up(hoist, "GATEWAY-TLS-READ")
        assert served(hoist) == text_of(files.cert)


def test_operators_see_until_when_the_certificate_is_good():
    files = Files()
    with Hoist(*files.flags) as hoist:
        before = is_good_until(hoist)
        assert 0 < before - time.time() <= 2 * 86400
        files.renew(days="12")
        hang_up(hoist, "GATEWAY-TLS-READ")
        assert 9 * 86400 < is_good_until(hoist) - before <= 11 * 86400


def test_files_that_are_the_same_are_no_change():
    files = Files()
    with Hoist(*files.flags) as hoist:
        os.utime(files.cert)
        hang_up(hoist, "GATEWAY-TLS-UNCHANGED")
        assert served(hoist) == text_of(files.cert)


# --- certificates of clients ---------------------------------------------------

class Known(TlsClient):
    """A client that shows a certificate, if it is given one."""

    def __init__(self, address, shown=None, session=None, version=None):
        self.shown, self.session, self.version = shown, session, version
        super().__init__(address)

    def context(self):
        context = super().context()
        if self.version is not None:
            context.maximum_version = self.version
        if self.shown is not None:
            context.load_cert_chain(*self.shown)
        return context


VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


def is_refused(hoist, **client):
    """In TLS 1.3 a client learns it when it reads."""
    try:
        Known(hoist.address, **client).opened()
        return False
    except (ssl.SSLError, ConnectionError, EOFError):
        return True


def cert_of(worker, client):
    """What a handler finds of a client's certificate, or None."""
    request = worker.get(REQUEST)
    worker.reply(request)
    assert client.opened().status == 101
    return request[8].get("client_cert")


def test_a_handler_of_connect_sees_whose_certificate_it_is():
    with Hoist(*FLAGS, "--tls-client-ca=" + OURS.cert) as hoist:
        worker = Worker(hoist.workers, "$connect")
        for version in VERSIONS:
            cert = cert_of(worker, Known(hoist.address, DEVICE, version=version))
            assert cert["subject"] == "CN=device-7,O=Devices"
            assert cert["issuer"] == "CN=ours"
            assert cert["serial"] == "0a:1b:ff"
            assert cert["pem"] == text_of(DEVICE[0])
            assert cert["not_after"] - cert["not_before"] == 2 * 86400 * 1000


def test_who_has_none_or_another_does_not_get_in():
    with Hoist(*FLAGS, "--tls-client-ca=" + OURS.cert) as hoist:
        for version in VERSIONS:
            assert is_refused(hoist, version=version)
            assert is_refused(hoist, shown=STRANGER, version=version)
        until(lambda: hoist.stats("GATEWAY")["tls_failed"] == 4, "four failures")
        assert 'reason="unable to get local issuer certificate"' in hoist.log()
        assert 'reason="certificate required"' in hoist.log()


def test_a_client_that_does_not_trust_the_gateway_is_told_of():
    with Hoist(*FLAGS) as hoist:
        host, port = hoist.address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), WAIT_S) as sock:
            try:
                ssl.create_default_context(cafile=OURS.cert).wrap_socket(
                    sock, server_hostname=host)
                raise AssertionError("the client trusts it")
            except ssl.SSLError:
                pass
        hoist.find('(GATEWAY-TLS-FAILED .* by=client reason="unknown CA")')


def test_one_that_has_expired_does_not_get_in():
    expired = OURS.issue_of_2020("expired")
    with Hoist(*FLAGS, "--tls-client-ca=" + OURS.cert) as hoist:
        assert is_refused(hoist, shown=expired)
        hoist.find('(reason="certificate has expired")')


def test_where_it_is_optional_who_has_none_gets_in():
    with Hoist(*FLAGS, "--tls-client-ca=" + OURS.cert, "--tls-client-optional") as hoist:
        worker = Worker(hoist.workers, "$connect")
        assert cert_of(worker, Known(hoist.address)) is None
        assert cert_of(worker, Known(hoist.address, DEVICE))["issuer"] == "CN=ours"
        assert is_refused(hoist, shown=STRANGER)


def test_who_leaves_without_a_word_has_not_failed():
    with Hoist(*FLAGS) as hoist:
        host, port = hoist.address.rsplit(":", 1)
        client = TlsClient(hoist.address).opened()
        hoist.soon("GATEWAY", connections=1)
        raw = socket.socket(fileno=os.dup(client.sock.detach()))
        raw.shutdown(socket.SHUT_RDWR)  # no close_notify
        raw.close()
        socket.create_connection((host, int(port)), WAIT_S).close()
        hoist.soon("GATEWAY", sockets=0, sockets_accepted=2, tls_failed=0)
        assert "GATEWAY-TLS-FAILED" not in hoist.log()


def test_where_nobody_asks_a_certificate_is_not_shown():
    with Hoist(*FLAGS) as hoist:
        worker = Worker(hoist.workers, "$connect")
        assert cert_of(worker, Known(hoist.address, DEVICE)) is None


def test_who_shows_a_certificate_shows_it_each_time():
    """A session that was resumed would outlive the certificate."""
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with Hoist(*FLAGS, "--tls-client-ca=" + OURS.cert) as hoist:
            worker = Worker(hoist.workers, "$connect")
            context = ssl.create_default_context(cafile=CERTIFICATE)
            context.minimum_version = context.maximum_version = version
            context.load_cert_chain(*DEVICE)

            class Resuming(TlsClient):
                session = None

                def connect(self, host, port):
                    return context.wrap_socket(Client.connect(self, host, port),
                                               server_hostname=host,
                                               session=Resuming.session)
            client = Resuming(hoist.address)
            assert cert_of(worker, client)["issuer"] == "CN=ours"
            assert not (client.sock.session and client.sock.session.has_ticket)
            Resuming.session = client.sock.session
            client = Resuming(hoist.address)
            assert cert_of(worker, client)["issuer"] == "CN=ours"
            assert not client.sock.session_reused


def test_who_is_of_a_former_authority_does_not_get_in():
    authority = path("authority.pem")
    shutil.copy(OURS.cert, authority)
    with Hoist(*FLAGS, "--tls-client-ca=" + authority) as hoist:
        worker = Worker(hoist.workers, "$connect")
        assert cert_of(worker, Known(hoist.address, DEVICE))["issuer"] == "CN=ours"
        shutil.copy(THEIRS.cert, authority)
        hang_up(hoist, "GATEWAY-TLS-READ")
        assert is_refused(hoist, shown=DEVICE)


def test_a_proxys_header_comes_before_tls():
    with Hoist(*FLAGS, "--trusted-proxies=127.0.0.1", "--proxy-protocol") as hoist:
        worker = Worker(hoist.workers, "$connect")

        class Proxied(TlsClient):
            def connect(self, host, port):
                plain = Client.connect(self, host, port)
                plain.sendall(b"PROXY TCP4 192.0.2.7 10.0.0.1 1 2\r\n")
                return self.context().wrap_socket(plain, server_hostname=host)
        client = Proxied(hoist.address)
        request = worker.get(REQUEST)
        worker.reply(request)
        assert client.opened().status == 101 and request[7]["ip"] == "192.0.2.7"


def test_a_hello_that_comes_with_the_proxys_header_can_be_wrong():
    with Hoist(*FLAGS, "--trusted-proxies=127.0.0.1", "--proxy-protocol") as hoist:
        said, hello = ssl.MemoryBIO(), ssl.MemoryBIO()
        try:
            old_context().wrap_bio(said, hello).do_handshake()
        except ssl.SSLWantReadError:
            pass
        host, port = hoist.address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), WAIT_S) as sock:
            sock.sendall(b"PROXY TCP4 192.0.2.7 10.0.0.1 1 2\r\n" + hello.read())
            hoist.find(r'(GATEWAY-TLS-FAILED ip=192\.0\.2\.7 by=gateway reason="protocol version")')
        hoist.soon("GATEWAY", tls_failed=1, sockets=0)


if __name__ == "__main__":
    run(sys.modules[__name__])
