# SPDX-License-Identifier: MIT
"""A receiver of OTLP over HTTP, in its JSON encoding, as far as traces go."""
import http.server
import json
import threading


class Receiver:
    """On a port of its own.  `answers`: the statuses of the next requests; then
    it is 200.  A status of 0 is no answer: the request is held to the end.
    `length`: bytes of each answer."""

    def __init__(self, *answers, length=2):
        self.answers = list(answers)
        self.length = length
        self.spans, self.bodies, self.requests = [], [], 0
        self.over = threading.Event()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests += 1
                status = receiver.answers.pop(0) if receiver.answers else 200
                if status == 0:
                    receiver.over.wait()
                    self.close_connection = True
                    return
                if status == 200:
                    assert self.headers["Content-Type"] == "application/json"
                    receiver.take(json.loads(body.decode("utf-8", "strict")))
                self.send_response(status)
                self.send_header("Content-Length", str(receiver.length))
                self.end_headers()
                self.wfile.write(b"{" + b" " * (receiver.length - 2) + b"}")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1/traces"
        threading.Thread(target=self.server.serve_forever, args=(0.05,),
                         daemon=True).start()

    def take(self, request):
        for resource in request["resourceSpans"]:
            source = attributes(resource["resource"])
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    self.spans.append(dict(span, source=source,
                                           attributes=attributes(span)))

    def of(self, trace):
        """The spans of a trace, by name."""
        return {span["name"]: span for span in list(self.spans)
                if span["traceId"] == trace}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


def attributes(owner):
    """As a dictionary; an intValue is a number."""
    return {one["key"]: int(one["value"]["intValue"]) if "intValue" in one["value"]
            else one["value"]["stringValue"] for one in owner["attributes"]}
