#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The processes of deploy/kubernetes/overlays/redis-curve as their pods run them: with
the variables of the manifests, and the keys where and as the kubelet puts them.  What
a pod has for itself, its addresses and its files, is a port and a folder here.

    HOIST_BUILD=build/release tests/kubernetes/test_processes.py
"""
import base64
import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

import keys  # noqa: E402
import kustomize  # noqa: E402
import redis_server  # noqa: E402
from harness import BUILD, WAIT_S, Client, Hoist, run, until  # noqa: E402

PAGE = str(HERE.parents[1] / "workers/examples/chat")


class Secret:
    """A volume of a pod: files are links into a folder that is a link, and a change
    is another folder that this link comes to mean."""

    def __init__(self, folder, data):
        self.folder = folder
        folder.mkdir(parents=True)
        self.versions = 0
        self.put(data)
        for name in data:
            (folder / name).symlink_to(pathlib.Path("..data") / name)

    def put(self, data):
        self.versions += 1
        version = self.folder / f"..{self.versions}"
        version.mkdir()
        for name, value in data.items():
            (version / name).write_bytes(value)
            (version / name).chmod(0o440)
        (self.folder / "..tmp").symlink_to(version.name)
        (self.folder / "..tmp").rename(self.folder / "..data")


class Cluster:
    """The overlay's objects, and a Redis."""

    def __init__(self, folder):
        self.folder = folder
        self.objects = kustomize.build(
            keys.copy_with_keys(folder / "kubernetes", os.path.abspath(BUILD + "/cli/hoist"))
            / keys.OVERLAY)
        self.secrets = {}
        self.redis = redis_server.Server()
        self.here = {"redis://hoist-redis:6379": f"redis://127.0.0.1:{self.redis.port}",
                     "tcp://0.0.0.0:5555": "tcp://127.0.0.1:*",
                     "tcp://0.0.0.0:5556": "tcp://127.0.0.1:*",
                     "0.0.0.0:8080": "127.0.0.1:0", "0.0.0.0:9100": "127.0.0.1:0",
                     "/usr/local/share/hoist/chat": PAGE}

    def data(self, secret):
        encoded = kustomize.find(self.objects, "Secret", secret)["data"]
        return {name: base64.b64decode(value) for name, value in encoded.items()}

    def environment(self, name):
        """Of the pod of a Deployment, whose volumes are made."""
        pod = kustomize.find(self.objects, "Deployment", name)["spec"]["template"]["spec"]
        [container] = pod["containers"]
        volumes = {one["name"]: one["secret"]["secretName"] for one in pod["volumes"]}
        for mount in container["volumeMounts"]:
            place = self.folder / name / mount["mountPath"].strip("/")
            secret = volumes[mount["name"]]
            self.secrets[name, secret] = Secret(place, self.data(secret))
            self.here[mount["mountPath"]] = str(place)
        return {one["name"]: self.translate(one.get("value", name))
                for one in container["env"]}

    def translate(self, value):
        for there, here in sorted(self.here.items(), reverse=True):
            if value == there or value.startswith(there + "/"):
                return here + value[len(there):]
        return value

    def start(self, command, name):
        with variables(self.environment(name)):
            return Hoist(command=command, endpoints=False, finds_broker=False)


@contextlib.contextmanager
def variables(values):
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def worker(cluster):
    process = subprocess.Popen([BUILD + "/workers/examples/chat"],
                               env={**os.environ, **cluster.environment("hoist-chat")})
    try:
        yield process
    finally:
        process.terminate()
        assert process.wait(WAIT_S) == 0


@contextlib.contextmanager
def system():
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(pathlib.Path(folder))
        try:
            with cluster.start("broker", "hoist-broker") as broker:
                cluster.here["tcp://hoist-broker:5555"] = broker.workers
                cluster.here["tcp://hoist-broker:5556"] = broker.gateways
                with cluster.start("gateway", "hoist-gateway") as gateway, worker(cluster):
                    broker.soon(workers=1, gateways=1)
                    yield cluster, broker, gateway
        finally:
            cluster.redis.stop()


def answer_of(process, path):
    address = process.find(r"ADMIN-LISTENING address=(\S+)")
    with urllib.request.urlopen(f"http://{address}{path}", timeout=WAIT_S) as answer:
        return answer.status


def test_they_find_each_other_and_a_client_is_served():
    with system() as (cluster, broker, gateway):
        for process in (broker, gateway):
            assert (answer_of(process, "/healthz"), answer_of(process, "/readyz")) == (200, 200)
            assert "VARIABLE-UNKNOWN" not in process.log()
        client = Client(gateway.address, "/?name=Ada").opened()
        assert client.status == 101
        client.send('{"action":"who"}')
        assert b'"Ada"' in client.recv()[1]
        until(lambda: cluster.redis.rows() == 1, "its row in Redis")


def test_a_key_that_leaves_the_secret_leaves_the_broker():
    with system() as (cluster, broker, _):
        lists = cluster.secrets["hoist-broker", "hoist-broker-lists"]
        lists.put({**cluster.data("hoist-broker-lists"), "workers": b""})
        broker.soon(workers=0, gateways=1)
        lists.put(cluster.data("hoist-broker-lists"))
        broker.soon(workers=1, gateways=1)


if __name__ == "__main__":
    run(sys.modules[__name__])
