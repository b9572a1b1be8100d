# SPDX-License-Identifier: MIT
"""Real Redis servers for tests: alone, in a cluster, behind sentinels; and the
store's driver (tests/unit/store_driver.c).  Never on Redis' own port, and each
is ended by its process."""
import contextlib
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from harness import BUILD, WAIT_S, free_port, until


def encode(words):
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        word = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
    return b"".join(parts)


class RedisError(Exception):
    pass


class Connection:
    """As much of a Redis client as tests need."""

    def __init__(self, port, password=None):
        self.sock = socket.create_connection(("127.0.0.1", port), WAIT_S)
        self.file = self.sock.makefile("rb")
        if password:
            self.ask("AUTH", password)

    def ask(self, *words):
        self.sock.sendall(encode(words))
        return self.read()

    def read(self):
        line = self.file.readline()
        if not line:
            raise EOFError
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            raise RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self.file.read(size + 2)[:-2]
        return [self.read() for _ in range(int(rest))]

    def close(self):
        self.file.close()
        self.sock.close()


@contextlib.contextmanager
def certificates():
    """A CA, and a certificate of it for 127.0.0.1 and localhost."""
    with tempfile.TemporaryDirectory(prefix="hoist-tls-") as folder:
        def openssl(*words):
            subprocess.run(["openssl", *words], check=True, cwd=folder,
                           capture_output=True)
        with open(folder + "/names", "w") as names:
            names.write("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test CA")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem",
                "-out", "csr.pem", "-subj", "/CN=test")
        openssl("x509", "-req", "-in", "csr.pem", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-days", "2", "-extfile", "names", "-out", "cert.pem")
        yield folder


class Server:
    """A redis-server in a folder of its own."""

    def __init__(self, *flags, password=None, sentinel=False, config="", tls=None):
        self.folder = tempfile.mkdtemp(prefix="hoist-redis-")
        self.password, self.sentinel, self.config = password, sentinel, config
        self.flags = list(flags) + (["--requirepass", password] if password else [])
        self.tls, self.process = tls, None
        self.start_somewhere()

    def start_somewhere(self):
        """On a port that is free; somebody else may take it first."""
        for attempt in range(5):
            self.port = free_port()
            try:
                self.start()
                return
            except AssertionError:
                if "in use" not in self.log() or attempt == 4:
                    raise

    def arguments(self):
        path = os.path.join(self.folder, "redis.conf")
        if not os.path.exists(path):  # a sentinel rewrites its own
            with open(path, "w", encoding="utf-8") as file:
                file.write(self.config)
        ports = ["--port", str(self.port)]
        if self.tls:
            ports = ["--port", "0", "--tls-port", str(self.port),
                     *[word for name, value in self.tls.items()
                       for word in ("--" + name, value)]]
        save = [] if self.sentinel else ["--save", ""]
        return ["redis-server", path, *ports, "--bind", "127.0.0.1", *save,
                "--dir", self.folder, "--daemonize", "no", *self.flags,
                *(["--sentinel"] if self.sentinel else [])]

    def start(self):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(self.arguments(), stdout=log,
                                            stderr=subprocess.STDOUT)
        if not self.tls:
            until(self.answers, "a Redis server")
        else:
            until(self.listens, "a Redis server")

    def listens(self):
        assert self.process.poll() is None, self.log()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def answers(self):
        assert self.process.poll() is None, self.log()
        try:
            return self.ask("PING") == "PONG"
        except (OSError, EOFError, RedisError):
            return False

    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8",
                  errors="replace") as log:
            return log.read()

    def ask(self, *words):
        connection = Connection(self.port, self.password)
        try:
            return connection.ask(*words)
        finally:
            connection.close()

    def rows(self):
        """Of hoist's, all there are."""
        return sum(self.ask("HLEN", key) for key in self.ask("KEYS", "hoist:{o:*"))

    def info(self, section):
        text = self.ask("INFO", section).decode()
        return dict(re.findall(r"^(\w+):(.*?)\r?$", text, re.M))

    def url(self, user="", options="", path=""):
        secret = f"{user}:{self.password}@" if self.password else ""
        return f"redis://{secret}127.0.0.1:{self.port}{path}{options}"

    def kill(self):
        self.process.kill()
        self.process.wait()

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()  # nothing of it is kept
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is not None:
            print(self.log()[-3000:])
        self.stop()


class Cluster:
    """Three masters; all slots are covered."""

    def __init__(self):
        self.nodes = []
        try:
            for _ in range(3):
                self.nodes.append(Server("--cluster-enabled", "yes",
                                         "--cluster-port", str(free_port()),
                                         "--cluster-node-timeout", "2000"))
            self.create()
        except BaseException:
            self.stop()
            raise

    def create(self):
        made = subprocess.run(
            ["redis-cli", "--cluster", "create",
             *[f"127.0.0.1:{node.port}" for node in self.nodes], "--cluster-yes"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        assert made.returncode == 0, made.stdout
        until(lambda: all(b"cluster_state:ok" in node.ask("CLUSTER", "INFO")
                          for node in self.nodes), "the cluster")

    def url(self, options=""):
        return f"redis://127.0.0.1:{self.nodes[0].port}{options}"

    def slot(self, key):
        return self.nodes[0].ask("CLUSTER", "KEYSLOT", key)

    def owners(self, slot):
        """Whose the slot is, as each node sees it."""
        return [port for node in self.nodes
                for first, last, (_, port, *_), *_ in node.ask("CLUSTER", "SLOTS")
                if first <= slot <= last]

    def owner(self, slot):
        port = self.owners(slot)[0]
        return next(node for node in self.nodes if node.port == port)

    def begin_move(self, slot, source, target):
        """From here until end_move the source answers ASK for absent keys."""
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.ask("CLUSTER", "MYID"))
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target.ask("CLUSTER", "MYID"))

    def end_move(self, slot, source, target):
        while keys := source.ask("CLUSTER", "GETKEYSINSLOT", slot, 100):
            source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "REPLACE",
                       "KEYS", *keys)
        name = target.ask("CLUSTER", "MYID")
        for node in [target, source] + [n for n in self.nodes
                                        if n not in (source, target)]:
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", name)
        target.ask("CLUSTER", "BUMPEPOCH")
        until(lambda: self.agree(slot, target, name), "the nodes to agree")

    def agree(self, slot, owner, name):
        """All nodes know whose the slot is, and since which epoch: older news
        that are still on the way to them cannot take it back."""
        epochs = {re.search(rf"^{name.decode()} (?:\S+ ){{5}}(\d+) ",
                            node.ask("CLUSTER", "NODES").decode(), re.M).group(1)
                  for node in self.nodes}
        return len(epochs) == 1 and \
            self.owners(slot) == [owner.port] * len(self.nodes)

    def errors(self, word):
        """How often nodes have answered with this error."""
        return sum(int(re.search(r"count=(\d+)", node.info("errorstats").get(
            "errorstat_" + word, "count=0")).group(1)) for node in self.nodes)

    def stop(self):
        for node in self.nodes:
            node.stop()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.stop()


class Driver:
    """build/…/store_driver: many operations at a time, each with its answer."""

    def __init__(self, url, timeout_ms=5000, queue=100000):
        self.log_path = tempfile.mktemp(prefix="hoist-driver-")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [BUILD + "/tests/unit/store_driver", url, str(timeout_ms), str(queue)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        self.answers, self.buffer, self.tags = {}, b"", 0

    def log(self):
        with open(self.log_path, encoding="utf-8") as log:
            return log.read()

    def say(self, *words):
        """Start an operation; its tag."""
        self.tags += 1
        self.process.stdin.write(f"t{self.tags} {' '.join(map(str, words))}\n".encode())
        return f"t{self.tags}"

    def send(self):
        self.process.stdin.flush()

    def read(self, seconds):
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        if ready:
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, "the driver ended: " + self.log()
            *lines, self.buffer = (self.buffer + data).split(b"\n")
            for line in lines:
                tag, *words = line.decode().split(" ")
                self.answers[tag] = words

    def result(self, tag):
        """The words of an operation's answer, waited for."""
        end = time.monotonic() + WAIT_S
        self.send()
        while tag not in self.answers:
            assert time.monotonic() < end, f"no answer to {tag}: {self.log()}"
            self.read(0.1)
        return self.answers.pop(tag)

    def ask(self, *words):
        return self.result(self.say(*words))

    def rc(self, *words):
        return self.ask(*words)[0]

    def count(self):
        rc, _, count, *_ = self.ask("count")
        assert rc == "0", rc
        return int(count)

    def ids(self, *words):
        rc, _, _, _, ids, _ = self.ask(*words)
        assert rc == "0", rc
        return [] if ids == "-" else ids.split(",")

    def stats(self):
        return {name: int(value) for name, value in
                (word.split("=") for word in self.ask("stats")[1:])}

    def rss_kb(self):
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))

    def heals(self):
        """It works again, as the next operations find."""
        until(lambda: self.rc("count") == "0", "the store to heal: " + self.log())

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if self.process.poll() is None:
            self.process.stdin.close()
        status = self.process.wait(WAIT_S)
        log = self.log()
        os.unlink(self.log_path)
        if kind is not None or status != 0:
            print(log)
        assert status == 0, f"the driver ended with {status}"
