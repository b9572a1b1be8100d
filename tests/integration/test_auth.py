# SPDX-License-Identifier: MIT
"""Tokens of another implementation (PyJWT) at a worker with hoist_jwt,
hoist_authorize and hoist_ip_filter, between real processes."""
import base64
import hashlib
import hmac
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from harness import BUILD, WAIT_S, Client, Hoist, run, until
from test_examples import EXAMPLES, Example

SECRET = "0123456789abcdef0123456789abcdef"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CURVE = ec.generate_private_key(ec.SECP256R1())
EDWARDS = ed25519.Ed25519PrivateKey.generate()
SIGNERS = {"HS256": SECRET, "RS256": RSA, "ES256": CURVE, "EdDSA": EDWARDS}


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, size=None):
    return base64url(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def jwk(algorithm, kid):
    key = SIGNERS[algorithm]
    common = {"kid": kid, "alg": algorithm, "use": "sig"}
    if algorithm == "HS256":
        return {"kty": "oct", "k": base64url(key.encode()), **common}
    if algorithm == "EdDSA":
        raw = key.public_key().public_bytes(serialization.Encoding.Raw,
                                            serialization.PublicFormat.Raw)
        return {"kty": "OKP", "crv": "Ed25519", "x": base64url(raw), **common}
    numbers = key.public_key().public_numbers()
    if algorithm == "RS256":
        return {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e), **common}
    return {"kty": "EC", "crv": "P-256", "x": number(numbers.x, 32),
            "y": number(numbers.y, 32), **common}


def pem(key):
    return key.public_key().public_bytes(serialization.Encoding.PEM,
                                         serialization.PublicFormat.SubjectPublicKeyInfo)


def token(algorithm="HS256", kid=None, **claims):
    said = {"sub": "ada", "exp": time.time() + 600, **claims}
    return jwt.encode(said, SIGNERS[algorithm], algorithm,
                      headers={"kid": kid} if kid else None)


def forged(header, claims, secret):
    """HS256 with whatever as the secret, which PyJWT would not do."""
    text = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    mac = hmac.new(secret, text.encode(), hashlib.sha256).digest()
    return text + "." + base64url(mac)


class Guard(Example):
    """A worker with these variables; log() is its log."""

    PROGRAM = BUILD + "/tests/integration/doorman"

    def __init__(self, hoist, **variables):
        self.said = tempfile.NamedTemporaryFile(prefix="hoist-worker-")
        settings = [f"{name}={value}" for name, value in variables.items()]
        super().__init__(hoist, "env", *settings, self.PROGRAM,
                         "--broker", hoist.workers, "--metrics=127.0.0.1:0",
                         stderr=self.said)

    def log(self):
        with open(self.said.name, encoding="utf-8") as said:
            return said.read()

    def counted(self, sample):
        """A counter's value now."""
        address = re.search(r"WORKER-LISTENING metrics=(\S+)", self.log())[1]
        connection = http.client.HTTPConnection(address, timeout=WAIT_S)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return int(re.search(f"^{re.escape(sample)} (\\d+)$", text, re.M)[1])


class Protected(Guard):
    PROGRAM = BUILD + "/workers/examples/protected"


def visit(hoist, shown, headers=""):
    return Client(hoist.address, "/?token=" + shown, headers=headers).opened()


def visit_with_header(hoist, shown):
    return Client(hoist.address, headers=f"Authorization: Bearer {shown}\r\n").opened()


def is_refused(client, status, code):
    assert client.status == status, client.head
    length = int(client.head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    told = json.loads(client.take(length))
    assert told["code"] == code, told


def asks(client, action):
    client.send(json.dumps({"action": action}))
    return json.loads(client.recv()[1])


def is_let_in(client, user="ada"):
    assert client.status == 101, client.head
    assert asks(client, "me")["user"] == user


class Keys:
    """A file of keys as who rotates them writes it."""

    def __init__(self, *keys):
        self.folder = tempfile.TemporaryDirectory()
        self.path = self.folder.name + "/keys.json"
        self.write(*keys)

    def write(self, *keys):
        self.write_bytes(json.dumps({"keys": keys}).encode())

    def write_bytes(self, data):
        with open(self.path + ".new", "wb") as file:
            os.chmod(file.fileno(), 0o600)
            file.write(data)
        os.rename(self.path + ".new", self.path)


def all_keys():
    return [jwk(algorithm, algorithm + "-1") for algorithm in SIGNERS]


def test_a_token_of_each_algorithm_opens_a_connection():
    keys = Keys(*all_keys())
    with Hoist() as hoist, Protected(hoist, JWT_KEYS=keys.path):
        for algorithm in SIGNERS:
            is_let_in(visit(hoist, token(algorithm)))
            is_let_in(visit(hoist, token(algorithm, kid=algorithm + "-1")))


def test_public_keys_may_be_pem():
    keys = Keys()
    keys.write_bytes(pem(RSA) + pem(CURVE) + pem(EDWARDS))
    with Hoist() as hoist, Protected(hoist, JWT_KEYS=keys.path):
        for algorithm in ("RS256", "ES256", "EdDSA"):
            is_let_in(visit(hoist, token(algorithm, kid="any")))
        is_refused(visit(hoist, token("HS256")), 401, "token-invalid")


def test_a_token_may_come_as_header_or_subprotocol():
    with Hoist() as hoist, Protected(hoist, JWT_SECRET=SECRET):
        is_let_in(visit_with_header(hoist, token()))
        offer = f"Sec-WebSocket-Protocol: bearer.{token()}, orders.v1\r\n"
        client = Client(hoist.address, headers=offer).opened()
        is_let_in(client)
        assert b"Sec-WebSocket-Protocol: orders.v1\r\n" in client.head + b"\r\n", client.head
        assert b"bearer" not in client.head.lower()


def test_the_token_made_by_the_example_is_right():
    made = subprocess.run([EXAMPLES + "/token.sh", '"sub":"bob","tenant":"acme"'],
                          env={**os.environ, "JWT_SECRET": SECRET}, check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()
    with Hoist() as hoist, Protected(hoist, JWT_SECRET=SECRET):
        is_let_in(visit(hoist, made), "bob")


def test_every_later_event_has_what_the_token_said():
    with Hoist() as hoist, Protected(hoist, JWT_SECRET=SECRET):
        client = visit(hoist, token(tenant="acme", roles=["admin", "owner"],
                                    scope="reports:read x", email="ada@example.com"))
        for _ in range(2):
            assert asks(client, "me") == {
                "user": "ada", "tenant": "acme", "roles": "admin owner",
                "scopes": "reports:read x", "email": "ada@example.com"}


def test_what_is_not_right_is_refused_with_a_code():
    keys = Keys(*all_keys())
    now = time.time()
    claims = {"sub": "ada", "exp": now + 600}
    with Hoist() as hoist, Protected(hoist, JWT_KEYS=keys.path, JWT_ISSUER="us",
                                     JWT_AUDIENCE="orders") as worker:
        ours = {"iss": "us", "aud": ["x", "orders"]}
        is_let_in(visit(hoist, token(**ours)))

        missing = Client(hoist.address).opened()
        is_refused(missing, 401, "token-missing")
        assert b"WWW-Authenticate: Bearer\r\n" in missing.head, missing.head
        expired = visit(hoist, token(**ours, exp=now - 61))
        is_refused(expired, 401, "token-expired")
        assert b'WWW-Authenticate: Bearer error="invalid_token"' in expired.head
        is_let_in(visit(hoist, token(**ours, exp=now - 30)))  # leeway
        is_refused(visit(hoist, token(**ours, nbf=now + 100)), 401, "token-not-yet-valid")

        wrong = [
            jwt.encode(claims, None, "none"),
            forged({"alg": "none"}, claims, b""),
            forged({"alg": "HS256", "kid": "RS256-1"}, claims, pem(RSA)),
            forged({"alg": "HS256"}, claims, pem(RSA)),
            jwt.encode(claims, SECRET + "x", "HS256"),
            token("RS256", kid="ES256-1", **ours),
            token("ES256", kid="unknown", **ours),
            token(aud="orders"), token(iss="them", aud="orders"),
            token(iss="us"), token(iss="us", aud="stock"),
            token(**ours, sub=7), token(**ours)[:-2], token(**ours) + "A",
            token(**ours) + "=", token(**ours) + ".x", token(**ours) + "%0A",
            token(**ours, padding="x" * 9000), "x", "..",
        ]
        for shown in wrong:
            is_refused(visit(hoist, shown), 401, "token-invalid")
        log = worker.log() + hoist.log()
        assert "token-invalid" in log and "eyJ" not in log, "a token is in a log"


def test_what_is_refused_is_counted_and_by_what():
    with Hoist() as hoist, Protected(hoist, JWT_SECRET=SECRET, DENY="2001:db8::/32") as worker:
        is_let_in(visit(hoist, token()))
        is_refused(visit(hoist, token(exp=1)), 401, "token-expired")
        is_refused(visit(hoist, token() + "="), 401, "token-invalid")
        assert asks(visit(hoist, token()), "report")["code"] == "scope-missing"
        assert worker.counted("hoist_worker_tokens_accepted_total") == 2
        refused = "hoist_worker_tokens_refused_total"
        assert worker.counted(refused + '{reason="expired"}') == 1
        assert worker.counted(refused + '{reason="malformed"}') == 1
        assert worker.counted(refused + '{reason="missing"}') == 0
        assert worker.counted('hoist_worker_unauthorized_total{reason="scope"}') == 1
        assert worker.counted("hoist_worker_addresses_refused_total") == 0


def test_keys_are_rotated_under_a_worker_that_runs():
    keys = Keys(jwk("ES256", "old"))
    with Hoist() as hoist, Protected(hoist, JWT_KEYS=keys.path) as worker:
        is_let_in(visit(hoist, token("ES256", kid="old")))
        is_refused(visit(hoist, token("EdDSA", kid="new")), 401, "token-invalid")
        keys.write(jwk("ES256", "old"), jwk("EdDSA", "new"))
        until(lambda: visit(hoist, token("EdDSA", kid="new")).status == 101,
              "the new key to be known")
        is_let_in(visit(hoist, token("ES256", kid="old")))
        assert f"WORKER-KEYS-READ file={keys.path} keys=2" in worker.log()

        keys.write_bytes(b'{"keys":[')
        until(lambda: visit(hoist, token("ES256", kid="newer")).status == 401
              and "WORKER-KEYS-KEPT" in worker.log(), "the broken file to be noticed")
        is_let_in(visit(hoist, token("EdDSA", kid="new")))

        keys.write(jwk("EdDSA", "new"))
        until(lambda: visit(hoist, token("RS256", kid="newest")).status == 401
              and "keys=1" in worker.log(), "the old key to be gone")
        is_refused(visit(hoist, token("ES256", kid="old")), 401, "token-invalid")
        is_let_in(visit(hoist, token("EdDSA", kid="new")))


def test_a_worker_without_keys_does_not_run():
    for variables in ({}, {"JWT_SECRET": "short"}, {"JWT_KEYS": "/nowhere"}):
        settings = [f"{name}={value}" for name, value in variables.items()]
        ended = subprocess.run(["env", *settings, BUILD + "/workers/examples/protected"],
                               stderr=subprocess.PIPE, text=True, timeout=15)
        assert ended.returncode == 1, ended
        assert re.search(r'WORKER-REGISTRATION call=hoist_use\w* .* hint="hoist_jwt: ', ended.stderr), \
            ended.stderr
        assert "short" not in ended.stderr, ended.stderr


def test_a_worker_with_a_list_of_nobody_does_not_run():
    for name in ("ALLOW", "DENY"):
        ended = subprocess.run(["env", f"JWT_SECRET={SECRET}", f"{name}=",
                                BUILD + "/workers/examples/protected"],
                               stderr=subprocess.PIPE, text=True, timeout=15)
        assert ended.returncode == 1, ended
        assert re.search('WORKER-REGISTRATION call=hoist_use.* hint="hoist_ip_filter: '
                         f'{name.lower()}: it is empty', ended.stderr), ended.stderr


def test_roles_and_scopes_say_who_may_what():
    with Hoist() as hoist, Protected(hoist, JWT_SECRET=SECRET):
        admin = visit(hoist, token(sub="ada", tenant="acme", roles=["admin"]))
        reader = visit(hoist, token(sub="bob", tenant="acme", scope="reports:read"))
        other = visit(hoist, token(sub="eve", tenant="evil", roles=["admins"]))
        assert asks(reader, "report") == {"sold": 42}
        assert asks(admin, "report")["code"] == "scope-missing"
        assert asks(reader, "announce")["code"] == "role-missing"
        assert asks(other, "announce")["code"] == "role-missing"
        assert "me" in asks(other, "help")["actions"]
        assert asks(admin, "announce") == {"action": "announce"}
        assert json.loads(reader.recv()[1]) == {"action": "announce"}
        assert asks(other, "me")["user"] == "eve"  # and heard nothing


def test_addresses_are_refused_before_tokens_are_looked_at():
    with Hoist("--trusted-proxies=127.0.0.1") as hoist, \
            Protected(hoist, JWT_SECRET=SECRET, ALLOW="203.0.113.0/24,2001:db8::/32",
                      DENY="203.0.113.7"):
        def comes_from(address, shown=""):
            return visit(hoist, shown, f"X-Forwarded-For: {address}\r\n")
        is_let_in(comes_from("203.0.113.8", token()))
        is_let_in(comes_from("2001:db8::1", token()))
        is_refused(comes_from("203.0.113.8"), 401, "token-missing")
        is_refused(comes_from("203.0.113.7", token()), 403, "address-refused")
        is_refused(comes_from("198.51.100.1"), 403, "address-refused")
        is_refused(comes_from("2001:db9::1"), 403, "address-refused")


def test_tokens_are_asked_for_where_connect_has_no_handler():
    with Hoist() as hoist, Guard(hoist, JWT_SECRET=SECRET):
        is_refused(Client(hoist.address).opened(), 401, "token-missing")
        is_refused(visit(hoist, token()), 401, "token-missing")  # in the query
        is_refused(visit_with_header(hoist, token() + "="), 401, "token-invalid")
        client = visit_with_header(hoist, token())
        assert client.status == 101, client.head
        client.send('{"action":"who"}')
        assert client.recv() == (1, b"ada")


def test_addresses_are_refused_where_connect_has_no_handler():
    with Hoist("--trusted-proxies=127.0.0.1") as hoist, Guard(hoist, DENY="203.0.113.7"):
        def comes_from(address):
            return Client(hoist.address, headers=f"X-Forwarded-For: {address}\r\n").opened()
        is_refused(comes_from("203.0.113.7"), 403, "address-refused")
        assert comes_from("203.0.113.8").status == 101


if __name__ == "__main__":
    run(sys.modules[__name__])
