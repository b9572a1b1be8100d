# SPDX-License-Identifier: MIT
"""The management API, @connections: each status on the admin listener and, with
credentials, on the public one."""
import contextlib
import http.client
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time

import harness
import sigv4
from harness import Client, Hoist, Worker, first_of, until
from test_liveness import stopped

NOBODY = "AAAAAAAAAAAAAAAA"
ISO_8601 = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def admin_of(hoist):
    return hoist.find(r"ADMIN-LISTENING address=(\S+)")


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def error(self):
        return self.headers["x-amzn-ErrorType"]

    def json(self):
        return json.loads(self.body)


def ask(address, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection(address, timeout=harness.WAIT_S)
    try:
        connection.request(method, path, body, headers or {})
        return Answer(connection.getresponse())
    finally:
        connection.close()


def dial(address, source="127.0.0.1"):
    host, port = address.split(":")
    return socket.create_connection((host, int(port)), harness.WAIT_S, (source, 0))


def ask_until(status, *arguments):
    """Asked while the manager has no broker yet it says 503."""
    def asked():
        answer = ask(*arguments)
        return answer if answer.status == status else None
    return until(asked, f"status {status}")


@contextlib.contextmanager
def secret_file(text, mode=0o600):
    with tempfile.NamedTemporaryFile("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.chmod(file.name, mode)
        yield file.name


TOKEN = "a-token-that-is-long-enough"


class Connection(Client):
    """A WebSocket that is open, and the id that its worker was told."""

    def __init__(self, hoist, worker, headers="", options=None):
        super().__init__(hoist.address, headers=headers)
        request = worker.get(harness.REQUEST)
        self.id = request[3]
        worker.reply(request, options=options)
        assert self.opened().status == 101


class Stage:
    """hoist serve, a worker and a client."""

    def __init__(self, *flags):
        self.hoist = Hoist("--admin=127.0.0.1:0", *flags)

    def __enter__(self):
        self.hoist.__enter__()
        self.admin = admin_of(self.hoist)
        self.hoist.find(r"MANAGE-BROKER-UP broker=(\S+)")
        self.worker = Worker(self.hoist.workers, "$connect",
                             options={"liveness": 120000})
        return self

    def __exit__(self, *error):
        self.hoist.__exit__(*error)

    def client(self, headers="", options=None):
        return Connection(self.hoist, self.worker, headers, options)

    def nobody(self):
        """An id of the gateway that stands for no connection."""
        conn = self.client().id
        return conn[:-1] + ("B" if conn[-1] == "A" else "A")


def test_a_post_reaches_the_client_as_text():
    with Stage() as stage:
        client = stage.client()
        for path in ("/@connections/", "/%40connections/", "/prod/@connections/",
                     "/prod/%40connections/"):
            answer = ask(stage.admin, "POST", path + client.id, path)
            assert (answer.status, answer.body) == (200, b""), answer.status
            assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
                                answer.headers["x-amzn-RequestId"])
            assert client.recv() == (1, path.encode())


def test_an_id_may_be_escaped():
    with Stage() as stage:
        client = stage.client()
        escaped = "".join(f"%{ord(c):02x}" for c in client.id)
        assert ask(stage.admin, "POST", "/@connections/" + escaped, "x").status == 200
        assert client.recv() == (1, b"x")


def test_what_is_no_text_is_a_binary_frame():
    with Stage() as stage:
        client = stage.client()
        assert ask(stage.admin, "POST", "/@connections/" + client.id,
                   b"\xff\x00").status == 200
        assert client.recv() == (2, b"\xff\x00")


def test_a_get_tells_of_the_connection():
    with Stage() as stage:
        client = stage.client("User-Agent: \"cli\"\r\n")
        answer = ask(stage.admin, "GET", "/@connections/" + client.id)
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "application/json"
        told = answer.json()
        assert told["identity"] == {"sourceIp": "127.0.0.1", "userAgent": '"cli"'}
        assert re.fullmatch(ISO_8601, told["connectedAt"])
        assert re.fullmatch(ISO_8601, told["lastActiveAt"])
        assert told["lastActiveAt"] >= told["connectedAt"]
        assert told["groups"] == [] and not {"user", "tenant"} & set(told)


def test_it_has_room_for_whatever_is_in_names():
    """Control characters, which JSON has as six bytes each."""
    nasty = "\x01" * 126
    whose = {"user": nasty * 2, "tenant": "\x02" + nasty,
             "groups": [f"{nasty}{i:02}" for i in range(64)]}
    with Stage() as stage:
        client = stage.client(f"User-Agent: {'x' * 3000}\r\n", whose)
        told = ask(stage.admin, "GET", "/@connections/" + client.id).json()
        assert {key: told[key] for key in whose} == whose


def test_a_delete_closes_it():
    with Stage() as stage:
        client = stage.client()
        answer = ask(stage.admin, "DELETE", "/@connections/" + client.id)
        assert (answer.status, answer.body) == (204, b"")
        assert client.close_code() == 1000


def test_a_delete_may_say_why():
    with Stage() as stage:
        client = stage.client()
        answer = ask(stage.admin, "DELETE", "/@connections/" + client.id +
                     "?code=4001&reason=over%20and+out")
        assert answer.status == 204
        assert client.recv() == (8, b"\x0f\xa1over and out")


def test_a_code_that_cannot_be_sent_is_refused():
    with Stage() as stage:
        client = stage.client()
        for query in ("code=1005", "code=x", "code=99999", "reason=" + "x" * 124,
                      "reason=%ff", "code="):
            answer = ask(stage.admin, "DELETE", f"/@connections/{client.id}?{query}")
            assert (answer.status, answer.error) == (400, "BadRequestException"), query


def test_one_that_is_not_there_is_gone():
    with Stage() as stage:
        client = stage.client()
        client.frame(8, b"\x03\xe8")
        assert client.close_code() == 1000
        for id in (client.id, stage.nobody()):
            for method in ("POST", "GET", "DELETE"):
                answer = ask(stage.admin, method, "/@connections/" + id,
                             "x" if method == "POST" else None)
                assert (answer.status, answer.error) == (410, "GoneException"), \
                    (method, id, answer.status)
                assert answer.json() == {"message": "Gone"}


def test_whom_no_gateway_can_have_is_gone_when_all_have_greeted():
    with Stage() as stage:
        answer = ask_until(410, stage.admin, "POST", "/@connections/" + NOBODY, "x")
        assert answer.error == "GoneException"


def test_what_is_no_id_is_refused():
    with Stage() as stage:
        for id in ("bob", "AAAAAAAAAAAAAAA%3D", "", "x" * 2000):
            answer = ask(stage.admin, "POST", "/@connections/" + id, "x")
            assert (answer.status, answer.error) == (400, "BadRequestException"), id
            assert answer.json()["message"].startswith("Invalid connectionId: ")
        assert ask(stage.admin, "GET", "/@connections/bob").json() == {
            "message": "Invalid connectionId: bob"}


def test_another_path_or_method_is_forbidden():
    with Stage("--stage=prod") as stage:
        for method, path in (("PUT", "/@connections/" + NOBODY),
                             ("POST", "/@connections"),
                             ("POST", "/@connections/a/b"),
                             ("POST", "/test/@connections/" + NOBODY),
                             ("GET", "/@users/bob"), ("POST", "/@all/x"),
                             ("POST", "/@kings/bob")):
            answer = ask(stage.admin, method, path, "x" if method == "POST" else None)
            assert (answer.status, answer.error) == (403, "ForbiddenException"), path
            assert answer.json() == {"message": "Forbidden"}
        for path in ("/prod/@connections/", "/@connections/"):
            ask_until(410, stage.admin, "POST", path + NOBODY, "x")


def test_a_body_that_is_too_large_is_refused():
    with Stage() as stage:
        client = stage.client()
        most = b"x" * 131072
        assert ask(stage.admin, "POST", "/@connections/" + client.id, most).status == 200
        assert client.recv() == (1, most)
        answer = ask(stage.admin, "POST", "/@connections/" + client.id, most + b"x")
        assert (answer.status, answer.error) == (413, "PayloadTooLargeException")
        assert answer.json() == {"message": "Request Too Long"}


def test_names_are_counted():
    with Stage() as stage:
        clients = [Client(stage.hoist.address) for _ in range(3)]
        for i in range(3):
            stage.worker.reply(stage.worker.get(harness.REQUEST), options={
                "user": "böb", "tenant": "t", "groups": ["a/b"] if i else []})
        for client in clients:
            assert client.opened().status == 101
        for path, count in (("/@users/b%C3%B6b", 3), ("/@tenants/t", 3),
                            ("/@groups/a%2Fb", 2), ("/@all", 3), ("/@groups/none", 0)):
            # as soon as the broker has read what the gateway tells of names
            harness.until(lambda: ask(stage.admin, "POST", path, path).json() ==
                          {"delivered": count, "gone": 0, "refused": 0}, path)
        assert clients[0].recv() == (1, b"/@users/b%C3%B6b")


def test_a_client_that_does_not_read_is_a_limit():
    with Stage("--out-hard=65536", "--manage-body=3000000") as stage:
        client = stage.client()
        for _ in range(10):  # more than the kernel takes for it
            answer = ask(stage.admin, "POST", "/@connections/" + client.id, b"x" * 3000000)
            if answer.status != 200:
                break
        assert (answer.status, answer.error) == (429, "LimitExceededException")


def test_a_browser_is_not_served():
    with Stage() as stage:
        path = "/@connections/" + stage.nobody()
        for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"},
                        {"Sec-Fetch-Site": "cross-site"},
                        {"Host": "evil.example:80"}, {"Host": "[::1].evil.example"}):
            assert ask(stage.admin, "POST", path, "x", headers).status == 403
            assert ask(stage.admin, "GET", "/connections", "", headers).status == 403
            assert ask(stage.admin, "GET", "/healthz", "", headers).status == 200
        for headers in ({"Sec-Fetch-Site": "none"}, {"Host": "localhost:1"},
                        {"Host": "[::1]:9"}):
            assert ask(stage.admin, "POST", path, "x", headers).status == 410


def test_a_body_is_asked_for():
    with Stage() as stage:
        client = stage.client()
        asker = dial(stage.admin)
        asker.sendall(f"POST /@connections/{client.id} HTTP/1.1\r\nHost: {stage.admin}\r\n"
                      "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n".encode())
        assert asker.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        asker.sendall(b"hi")
        assert asker.recv(100).startswith(b"HTTP/1.1 200 ")
        asker.close()
        assert client.recv() == (1, b"hi")


def test_a_connection_of_the_other_gateway_is_reached():
    with Hoist("--admin=127.0.0.1:0", command="broker") as first, \
            Hoist("--admin=127.0.0.1:0", command="broker") as second:
        brokers = f"--broker={first.gateways},{second.gateways}"
        with Hoist(brokers, "--admin=127.0.0.1:0", command="gateway") as one, \
                Hoist(brokers, "--admin=127.0.0.1:0", command="gateway") as other:
            workers = [Worker(broker.workers, "echo") for broker in (first, second)]
            for gateway in (one, other):
                until(lambda gateway=gateway: gateway.log().count("MANAGE-BROKER-UP") == 2,
                      "both brokers")
            clients = [Client(other.address).opened() for _ in range(4)]
            for client in clients:
                client.send('{"action":"echo"}')
            for _ in clients:
                _, request = first_of(workers, lambda message:
                                      message[0] == harness.REQUEST, "a request")
                for i, where in enumerate((one, other, first, second)):
                    answer = ask_until(200, admin_of(where), "POST",
                                       "/@connections/" + request[3], str(i))
                    assert answer.body == b""
                assert ask(admin_of(one), "GET", "/@connections/" + request[3]).status == 200
            for client in clients:
                assert [client.recv() for _ in range(4)] == [
                    (1, str(i).encode()) for i in range(4)]
            answer = ask(admin_of(first), "POST", "/@all", "all")
            assert answer.json()["delivered"] == 4


SLOW = ["--admin=127.0.0.1:0", "--heartbeat=1000", "--liveness=60000"]  # a broker


def a_gateway(broker):
    gateway = Hoist("--broker=" + broker, "--admin=127.0.0.1:0", command="gateway")
    gateway.find(r"MANAGE-BROKER-UP broker=(\S+)")
    return gateway


def begin_post(address, conn):
    """A POST whose answer is not waited for."""
    sock = dial(address)
    sock.sendall(f"POST /@connections/{conn} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                 "Content-Length: 1\r\n\r\nx".encode())
    return sock


def test_others_do_not_wait_for_a_gateway_that_hangs():
    with Hoist(*SLOW, command="broker") as broker, \
            a_gateway(broker.gateways) as hung, a_gateway(broker.gateways) as other:
        worker = Worker(broker.workers, "$connect", options={"liveness": 120000})
        broker.soon(workers=1, managers=3)
        there, here = Connection(hung, worker), Connection(other, worker)
        with stopped(hung.process):
            waiting = [begin_post(admin_of(broker), there.id) for _ in range(48)]
            until(lambda: len(select.select(waiting, [], [], 0)[0]) == 44,
                  "all but four to be answered")
            assert ask(admin_of(broker), "POST", "/@connections/" + here.id,
                       "x").status == 200
            told, _, _ = select.select(waiting, [], [], 0)
            assert len(told) == 44
            for sock in told:
                assert sock.recv(1000).startswith(b"HTTP/1.1 504 ")
        assert there.recv() == (1, b"x")
        assert here.recv() == (1, b"x")
        for sock in waiting:
            sock.close()


def test_a_killed_broker_is_noticed_at_once():
    with Hoist(*SLOW, command="broker") as broker, a_gateway(broker.gateways) as gateway:
        with stopped(broker.process):
            sock = begin_post(admin_of(gateway), NOBODY)
            until(lambda: b"hoist_manage_under_way 1" in
                  ask(admin_of(gateway), "GET", "/metrics").body, "one under way")
            broker.kill()
        assert sock.recv(1000).startswith(b"HTTP/1.1 503 ")
        sock.close()
        gateway.find("MANAGE-BROKER-LOST .*reason=(broken)")


def test_without_a_broker_it_is_unavailable():
    with Hoist("--broker=tcp://127.0.0.1:9", "--admin=127.0.0.1:0", command="gateway",
               finds_broker=False) as gateway:
        answer = ask(admin_of(gateway), "POST", "/@connections/" + NOBODY, "x")
        assert (answer.status, answer.error) == (503, "ServiceUnavailableException")
        assert answer.json() == {"message": "Service Unavailable"}


class Guarded(Stage):
    """One whose clients' listener takes requests of who has credentials."""

    def __init__(self, *flags, keys=f"{sigv4.KEY} {sigv4.SECRET}\n"):
        self.files = contextlib.ExitStack()
        keys = self.files.enter_context(secret_file(keys))
        self.tokens = self.files.enter_context(secret_file(f"# of ops\n\n{TOKEN}\n"))
        super().__init__(f"--manage-keys={keys}", f"--manage-tokens={self.tokens}",
                         *flags)
        self.public = self.hoist.address

    def __exit__(self, *error):
        super().__exit__(*error)
        self.files.close()

    def ask(self, method, path, body="", **how):
        """Signed, and sent as it was signed."""
        headers = sigv4.signed(method, path, body.encode(), self.public, **how)
        return ask(self.public, method, path, body, headers)


def test_who_signs_is_served_by_the_clients_listener():
    with Guarded() as stage:
        client = stage.client()
        for path in ("/@connections/", "/%40connections/", "/prod/%40connections/"):
            assert stage.ask("POST", path + client.id, path).status == 200
            assert client.recv() == (1, path.encode())
        assert stage.ask("GET", "/@connections/" + client.id).status == 200
        answer = stage.ask("DELETE", f"/@connections/{client.id}?code=4000&reason=b+y%20e")
        assert answer.status == 204
        assert client.recv() == (8, b"\x0f\xa0b y e")
        assert stage.ask("POST", "/@connections/" + stage.nobody(), "x").error == "GoneException"


def test_so_is_a_bearer():
    with Guarded() as stage:
        client = stage.client()
        for scheme in ("Bearer", "bearer"):
            answer = ask(stage.public, "POST", "/@connections/" + client.id, scheme,
                         {"Authorization": f"{scheme} {TOKEN}"})
            assert answer.status == 200
            assert client.recv() == (1, scheme.encode())
        for token in ("x", TOKEN[:-1], TOKEN + "x", "# of ops"):
            answer = ask(stage.public, "POST", "/@connections/" + client.id, "x",
                         {"Authorization": f"Bearer {token}"})
            assert (answer.status, answer.json()) == (403, {"message": "Forbidden"}), token


def test_nobody_else_is():
    with Guarded() as stage:
        path = "/@connections/" + stage.client().id
        denied = {
            "MissingAuthenticationTokenException": [{}],
            "IncompleteSignatureException": [
                {"Authorization": "Basic YTpi"},
                sigv4.signed("POST", path, b"x", stage.public, names=("host",)),
                sigv4.signed("POST", path, b"x", stage.public, names=("x-amz-date",))],
            "InvalidSignatureException": [
                sigv4.signed("POST", path, b"x", stage.public, **wrong) for wrong in (
                    {"secret": "x"}, {"key": "nobody"}, {"service": "s3"},
                    {"at": time.time() - 310}, {"at": time.time() + 310})],
        }
        for error, requests in denied.items():
            for headers in requests:
                answer = ask(stage.public, "POST", path, "x", headers)
                assert (answer.status, answer.error) == (403, error), headers
                assert list(answer.json()) == ["message"]


def test_what_was_altered_is_refused():
    with Guarded() as stage:
        client = stage.client()
        path = "/@connections/" + client.id
        headers = sigv4.signed("POST", path, b"one", stage.public)
        for method, target, body, changed in (
                ("POST", path, "two", {}), ("POST", "/@connections/" + NOBODY, "one", {}),
                ("DELETE", path, "one", {}), ("POST", path + "?a=b", "one", {}),
                ("POST", path, "one", {"Host": "other"}),
                ("POST", path, "", {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})):
            answer = ask(stage.public, method, target, body, {**headers, **changed})
            assert (answer.status, answer.error) == (403, "InvalidSignatureException")
        assert ask(stage.public, "POST", path, "one", headers).status == 200
        assert client.recv() == (1, b"one")


def test_what_was_said_before_is_refused():
    with Guarded() as stage:
        client = stage.client()
        path = "/@connections/" + client.id
        headers = sigv4.signed("POST", path, b"one", stage.public)
        assert ask(stage.public, "POST", path, "one", headers).status == 200
        answer = ask(stage.public, "POST", path, "one", headers)
        assert (answer.status, answer.error) == (403, "InvalidSignatureException")
        assert client.recv() == (1, b"one")
        assert stage.ask("POST", path, "two").status == 200
        assert client.recv() == (1, b"two")


def test_a_key_may_be_of_one_region():
    with Guarded(keys=f"{sigv4.KEY} {sigv4.SECRET} eu-west-1\n") as stage:
        path = "/@connections/" + stage.nobody()
        assert stage.ask("POST", path, "x", region="eu-west-1").status == 410
        assert stage.ask("POST", path, "x", region="us-east-1").status == 403


def test_a_body_that_is_too_large_is_refused_to_who_signs():
    with Guarded() as stage:
        most = "x" * 131072
        answer = stage.ask("POST", "/@connections/" + NOBODY, most + "x")
        assert (answer.status, answer.error) == (413, "PayloadTooLargeException")
        assert stage.ask("POST", "/@connections/" + stage.nobody(), most).status == 410


def test_no_body_is_read_of_who_brings_no_credentials():
    with Guarded() as stage:
        host, port = stage.public.split(":")
        asker = Client.connect(None, host, int(port))
        asker.sendall(f"POST /@connections/{NOBODY} HTTP/1.1\r\nHost: x\r\n"
                      "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n".encode())
        answer = asker.recv(1000)
        assert answer.startswith(b"HTTP/1.1 403 ") and \
            b"MissingAuthenticationTokenException" in answer
        assert b"Connection: close" in answer
        asker.close()


def test_the_connection_is_kept():
    with Guarded() as stage:
        client = stage.client()
        connection = http.client.HTTPConnection(stage.public, timeout=harness.WAIT_S)
        for i in range(5):
            path, body = "/@connections/" + client.id, f"{i}" * 5000
            connection.request("POST", path, body,
                               sigv4.signed("POST", path, body.encode(), stage.public))
            sock = connection.sock
            assert connection.getresponse().read() == b""
            assert connection.sock is sock
            assert client.recv() == (1, body.encode())
        connection.close()


def head_of(path, headers, length):
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {path} HTTP/1.1\r\n{lines}Content-Length: {length}\r\n\r\n".encode()


def announcement(token):
    """A head whose body is to follow."""
    return head_of("/@connections/" + NOBODY,
                   {"Host": "x", "Authorization": f"Bearer {token}"}, 5)


def test_a_head_with_a_wrong_token_is_refused_before_its_body():
    with Guarded() as stage:
        for i in range(70):
            asker = dial(stage.public)
            asker.sendall(announcement("x"))
            answer = asker.recv(1000)
            assert answer.startswith(b"HTTP/1.1 403 ") and b"ForbiddenException" in answer
            assert b"Connection: close" in answer
            asker.close()
        assert stage.hoist.stats("GATEWAY")["managed_refused"] == 0
        assert stage.hoist.stats("MANAGE")["denied"] == 70


def test_so_is_one_that_nobody_signed_or_at_another_time():
    with Guarded() as stage:
        wrong = {
            "IncompleteSignatureException": {"Host": "x", "Authorization": "AWS4-HMAC-SHA256 x"},
            "InvalidSignatureException": sigv4.signed("POST", "/@all", b"hi", "x", key="nobody"),
            "Signature expired": sigv4.signed("POST", "/@all", b"hi", "x",
                                              at=time.time() - 310),
        }
        for fault, headers in wrong.items():
            asker = dial(stage.public)
            asker.sendall(head_of("/@all", headers, 2))
            answer = asker.recv(1000)
            assert answer.startswith(b"HTTP/1.1 403 ") and fault.encode() in answer, answer
            asker.close()


def test_many_at_once_are_too_many():
    with Guarded() as stage:
        waiting = [dial(stage.public) for _ in range(70)]
        for sock in waiting:  # whose bodies do not come
            sock.sendall(announcement(TOKEN))
        until(lambda: stage.hoist.stats("GATEWAY")["managed_refused"] == 6, "six refusals")
        told, _, _ = select.select(waiting, [], [], harness.WAIT_S)
        answer = told[0].recv(1000)
        assert answer.startswith(b"HTTP/1.1 429 ") and b"LimitExceededException" in answer
        # Others do not wait for them.
        assert stage.ask("POST", "/@connections/" + stage.nobody(), "x").status == 410
        assert stage.client().status == 101
        for sock in waiting:
            sock.close()


def test_who_knows_a_key_id_keeps_out_nobody():
    """A signature is checked with the body: until that comes, any will do."""
    with Guarded() as stage:
        client = stage.client()
        path = "/@connections/" + client.id
        headers = sigv4.signed("POST", path, b"hello", stage.public)
        slow = dial(stage.public)
        slow.sendall(head_of(path, headers, 5) + b"hel")
        forged = head_of(path, sigv4.signed("POST", path, b"hello", stage.public,
                                            secret="a guess"), 5)
        others = [dial(stage.public, source="127.0.0.2") for _ in range(200)]
        for sock in others:
            sock.sendall(forged)
        until(lambda: stage.hoist.stats("GATEWAY")["managed_refused"] == 137,
              "all but 63 are refused")
        assert stage.ask("POST", path, "mine").status == 200
        assert client.recv() == (1, b"mine")
        slow.sendall(b"lo")
        assert slow.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert client.recv() == (1, b"hello")
        for sock in [slow, *others]:
            sock.close()


def test_without_credentials_the_clients_listener_has_no_api():
    with Stage() as stage:
        answer = ask(stage.hoist.address, "POST", "/@connections/" + NOBODY, "x")
        assert answer.status == 426
        assert answer.error is None


def test_a_file_that_others_can_read_is_refused():
    for text, mode, why in (("a b\n", 0o644, "others may read it"),
                            ("one-word\n", 0o600, "line 1 is not ACCESS_KEY_ID SECRET")):
        with secret_file(text, mode) as path:
            hoist = subprocess.run(
                [harness.BUILD + "/cli/hoist", "serve", "--manage-keys=" + path,
                 "--listen=127.0.0.1:0", "--workers=tcp://127.0.0.1:*"],
                capture_output=True, text=True, timeout=harness.WAIT_S, check=False)
            assert hoist.returncode == 1
            assert why in hoist.stderr, hoist.stderr


def bearer_status(stage, conn, token):
    return ask(stage.public, "GET", "/@connections/" + conn, None,
               {"Authorization": f"Bearer {token}"}).status


def test_sighup_reads_credentials_again_and_keeps_them_where_they_are_wrong():
    other = "another-token-of-that-length"
    with Guarded() as stage:
        nobody = stage.nobody()
        assert bearer_status(stage, nobody, TOKEN) == 410
        for text, event in ((other, "MANAGE-CREDENTIALS-READ keys=1 tokens=1"),
                            ("short", "MANAGE-CREDENTIALS-KEPT error=.*line 1")):
            with open(stage.tokens, "w", encoding="ascii") as file:
                file.write(text + "\n")
            stage.hoist.process.send_signal(signal.SIGHUP)
            stage.hoist.find(f"({event})")
            assert bearer_status(stage, nobody, TOKEN) == 403
            assert bearer_status(stage, nobody, other) == 410


if __name__ == "__main__":
    harness.run(sys.modules[__name__])
