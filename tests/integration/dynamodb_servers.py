# SPDX-License-Identifier: MIT
"""Servers that stand in for DynamoDB: dynalite, moto, and a proxy in front of
one of them that checks each signature and does what a test tells it to instead
of passing a request on."""
import calendar
import hashlib
import hmac
import http.client
import http.server
import json
import pathlib
import socket
import subprocess
import sys
import threading
import time

AWS = pathlib.Path(__file__).resolve().parents[1] / "aws"
KEY, SECRET = "AKIDTEST", "wJalrXUtnFEMI/K7MDENG+test"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}  # environment
JSON = "application/x-amz-json-1.0"


class Program:
    """A server that prints its port."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                                        stderr=subprocess.DEVNULL, cwd=AWS)
        line = self.process.stdout.readline()
        assert line, f"{command} did not start: run scripts/npm-ci.sh and scripts/pip-venv.sh"
        self.port = int(line)

    def call(self, action, body, streams=False):
        return call(self.port, action, body, streams)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def dynalite():
    return Program("node", str(AWS / "dynalite.mjs"))


def moto():
    return Program(str(AWS / ".venv/bin/python"), str(AWS / "moto_server.py"))


def post(port, target, body):
    """(status, bytes) of a server that does not look at signatures."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", "/", body, {
        "Content-Type": JSON, "X-Amz-Target": target, "X-Amz-Date": "20260101T000000Z",
        "Authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/dynamodb/"
                         "aws4_request, SignedHeaders=host, Signature=0"})
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, data


def call(port, action, body, streams=False):
    api = "DynamoDBStreams" if streams else "DynamoDB"
    status, data = post(port, f"{api}_20120810.{action}", json.dumps(body))
    assert status == 200, data
    return json.loads(data)


# --- signatures, from their description ---------------------------------------

def keyed(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signature_fault(handler, body, keys):
    """Why this request is not signed as it should be; None: it is."""
    head = handler.headers
    parts = dict(part.strip().split("=", 1) for part in
                 head["Authorization"].removeprefix("AWS4-HMAC-SHA256 ").split(","))
    key, day, region, service, _ = parts["Credential"].split("/")
    if key not in keys:
        return "UnrecognizedClientException"
    secret, token = keys[key]
    names = parts["SignedHeaders"].split(";")
    if not {"host", "x-amz-date", "x-amz-target"} <= set(names) or names != sorted(names):
        return "IncompleteSignatureException"
    if (head["X-Amz-Security-Token"] or "") != token or \
            bool(token) != ("x-amz-security-token" in names):
        return "UnrecognizedClientException"
    then = calendar.timegm(time.strptime(head["X-Amz-Date"], "%Y%m%dT%H%M%SZ"))
    if abs(time.time() - then) > 60 or service != "dynamodb":
        return "InvalidSignatureException"
    canonical = "\n".join(["POST", "/", ""] +
                          [f"{name}:{head[name].strip()}" for name in names] +
                          ["", ";".join(names), hashlib.sha256(body).hexdigest()])
    scope = f"{day}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", head["X-Amz-Date"], scope,
                      hashlib.sha256(canonical.encode()).hexdigest()])
    signing = ("AWS4" + secret).encode()
    for part in (day, region, service, "aws4_request"):
        signing = keyed(signing, part)
    good = keyed(signing, text).hex()
    return None if good == parts["Signature"] else "InvalidSignatureException"


# --- the proxy ----------------------------------------------------------------

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.server.sockets.add(self.connection)

    def finish(self):
        self.server.sockets.discard(self.connection)
        super().finish()

    def answer(self, status, data, headers=()):
        self.send_response(status)
        self.send_header("Content-Type", JSON)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self):  # noqa: N802
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers["Content-Length"]))
        action = self.headers["X-Amz-Target"].split(".")[1]
        fault = signature_fault(self, body, proxy.keys)
        with proxy.lock:
            proxy.seen.append(action)
            proxy.used.append(self.headers["Authorization"].split("Credential=")[1]
                              .split("/")[0])
            handle = proxy.script.get(action) or proxy.script.get("*")
            if handle and handle["times"] > 0 and not fault:
                handle["times"] -= 1
            else:
                handle = None
        if fault:
            proxy.faults.append(fault)
            self.answer(400, error(fault))
        elif handle:
            handle["do"](self, action, body)
        else:
            self.answer(*self.passed_on(body))

    def passed_on(self, body):
        return post(self.server.proxy.backend, self.headers["X-Amz-Target"], body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):  # a client that has left
            super().handle_error(request, client_address)


class Proxy:
    """In front of the server at this port.  script: what to do with the next
    requests of an action ("*": any)."""

    def __init__(self, backend, port=0, keys=None):
        self.backend = backend
        self.keys = keys or {KEY: (SECRET, "")}
        self.seen, self.used, self.faults = [], [], []
        self.script, self.lock = {}, threading.Lock()
        self.server = Server(("127.0.0.1", port), Handler)
        self.server.proxy, self.server.sockets = self, set()
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def next(self, action, do, times=1):
        with self.lock:
            self.script[action] = {"do": do, "times": times}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        for sock in list(self.server.sockets):  # those that are kept alive
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has ended by itself


def error(kind, message="as told"):
    return json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{kind}",
                       "message": message}).encode()


def fails(kind, status=400):
    return lambda handler, action, body: handler.answer(status, error(kind))


def says(data, status=200):
    return lambda handler, action, body: handler.answer(status, data)


def hangs(handler, action, body):
    handler.rfile.read(1)  # until the client gives up
    handler.close_connection = True


def cuts(handler, action, body):
    handler.close_connection = True


def cuts_behind(handler, action, body):
    """It takes effect, but nobody hears of it."""
    handler.passed_on(body)
    handler.close_connection = True


def breaks_off(handler, action, body):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"Items": [')
    handler.close_connection = True


def floods(handler, action, body):
    """More than any answer may be."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(64 << 20))
    handler.end_headers()
    try:
        for _ in range(64):
            handler.wfile.write(b" " * (1 << 20))
    except OSError:
        pass
    handler.close_connection = True


def takes(count):
    """Of a batch only so many; the others are left."""
    def do(handler, action, body):
        whole = json.loads(body)
        [(table, requests)] = whole["RequestItems"].items()
        handler.passed_on(json.dumps({"RequestItems": {table: requests[:count]}}))
        handler.answer(200, json.dumps(
            {"UnprocessedItems": {table: requests[count:]}}).encode())
    return do


# --- a container's endpoint for credentials -----------------------------------

class CredentialsHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):  # noqa: N802
        endpoint = self.server.endpoint
        endpoint.asked.append(self.headers["Authorization"])
        status, data = endpoint.answers[min(len(endpoint.asked), len(endpoint.answers)) - 1]
        data = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


class Endpoint:
    """Gives these answers, (status, JSON), one after the other, the last ever
    again."""

    def __init__(self, *answers, address=("127.0.0.1", 0)):
        self.answers, self.asked = answers, []
        self.server = Server(address, CredentialsHandler)
        self.server.endpoint = self
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/creds?role=a"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def lent(key, secret, token, lasts_s):
    """Credentials as such an endpoint gives them."""
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + lasts_s))
    return 200, {"AccessKeyId": key, "SecretAccessKey": secret, "Token": token,
                 "Expiration": end}
