# SPDX-License-Identifier: MIT
"""The management API, @connections: each status on the admin listener and, with
credentials, on the public one."""
import http.client
import json
import re
import sys

import harness
from harness import Client, Hoist, Worker, until

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


def ask_until(status, *arguments):
    """Asked while the manager has no broker yet it says 503."""
    def asked():
        answer = ask(*arguments)
        return answer if answer.status == status else None
    return until(asked, f"status {status}")


class Connection(Client):
    """A WebSocket that is open, and the id that its worker was told."""

    def __init__(self, hoist, worker, headers=""):
        super().__init__(hoist.address, headers=headers)
        request = worker.get(harness.REQUEST)
        self.id = request[3]
        worker.reply(request)
        assert self.opened().status == 101


class Stage:
    """hoist serve, a worker and a client."""

    def __init__(self, *flags):
        self.hoist = Hoist("--admin=127.0.0.1:0", *flags)

    def __enter__(self):
        self.hoist.__enter__()
        self.admin = admin_of(self.hoist)
        self.hoist.find(r"MANAGE-BROKER-UP broker=(\S+)")
        self.worker = Worker(self.hoist.workers, "$connect", "$disconnect")
        return self

    def __exit__(self, *error):
        self.hoist.__exit__(*error)

    def client(self, headers=""):
        return Connection(self.hoist, self.worker, headers)


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
        left = stage.worker.get(harness.REQUEST)
        stage.worker.reply(left)
        for id in (client.id, NOBODY):
            for method in ("POST", "GET", "DELETE"):
                answer = ask(stage.admin, method, "/@connections/" + id,
                             "x" if method == "POST" else None)
                assert (answer.status, answer.error) == (410, "GoneException"), \
                    (method, id, answer.status)
                assert answer.json() == {"message": "Gone"}


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
            assert ask(stage.admin, "POST", path + NOBODY, "x").status == 410


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
            answer = ask(stage.admin, "POST", path, path)
            assert answer.status == 200
            assert answer.json() == {"delivered": count, "gone": 0, "refused": 0}, path
        assert clients[0].recv() == (1, b"/@users/b%C3%B6b")


def test_a_client_that_does_not_read_is_a_limit():
    with Stage("--out-hard=65536", "--manage-body=10000000") as stage:
        client = stage.client()
        answer = ask(stage.admin, "POST", "/@connections/" + client.id, b"x" * 9000000)
        assert (answer.status, answer.error) == (429, "LimitExceededException")


def test_a_browser_is_not_served():
    with Stage() as stage:
        path = "/@connections/" + NOBODY
        for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"},
                        {"Sec-Fetch-Site": "cross-site"},
                        {"Host": "evil.example:80"}):
            assert ask(stage.admin, "POST", path, "x", headers).status == 403
        for headers in ({"Sec-Fetch-Site": "none"}, {"Host": "localhost:1"},
                        {"Host": "[::1]:9"}):
            assert ask(stage.admin, "POST", path, "x", headers).status == 410


def test_a_body_is_asked_for():
    with Stage() as stage:
        client = stage.client()
        host, port = stage.admin.split(":")
        asker = Client.connect(None, host, int(port))
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
                until(lambda: any(w.pump(10) or any(m[0] == harness.REQUEST for m in w.inbox)
                                  for w in workers), "a request")
                worker = next(w for w in workers
                              if any(m[0] == harness.REQUEST for m in w.inbox))
                request = worker.get(harness.REQUEST)
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


def test_without_a_broker_it_is_unavailable():
    with Hoist("--broker=tcp://127.0.0.1:9", "--admin=127.0.0.1:0", command="gateway",
               finds_broker=False) as gateway:
        answer = ask(admin_of(gateway), "POST", "/@connections/" + NOBODY, "x")
        assert (answer.status, answer.error) == (503, "ServiceUnavailableException")
        assert answer.json() == {"message": "Service Unavailable"}


if __name__ == "__main__":
    harness.run(sys.modules[__name__])
