# SPDX-License-Identifier: MIT
"""A worker program with a metrics listener."""
import http.client
import re
import signal
import subprocess

from harness import BUILD, WAIT_S, Client


class MeasuredWorker:
    def __init__(self, endpoint, *flags, program="workers/examples/echo"):
        self.log = []
        self.process = subprocess.Popen(
            [f"{BUILD}/{program}", "--broker", endpoint, *flags],
            stderr=subprocess.PIPE, text=True)
        self.port = int(self.says(r"WORKER-LISTENING metrics=127\.0\.0\.1:(\d+)"))

    def says(self, pattern):
        """The first line of its log that has this."""
        for line in self.process.stderr:
            self.log.append(line)
            found = re.search(pattern, line)
            if found:
                return found[1]
        raise AssertionError(f"it never said {pattern}: {self.log}")

    def get(self, path, method="GET"):
        """(status, body) of a request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        connection.request(method, path)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def metric(self, sample):
        """Its value now, or None."""
        found = re.search(f"^{re.escape(sample)} (\\S+)$", self.get("/metrics")[1], re.M)
        return found and float(found[1])

    def is_ready(self):
        return self.get("/readyz") == (200, "ready\n")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        rest = self.process.stderr.read()
        assert self.process.wait(WAIT_S) == 0, rest

    def __enter__(self):
        return self

    def __exit__(self, *_):
        Client.close_all()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stderr.close()
