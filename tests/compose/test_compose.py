#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`docker compose up` for real: images are built, containers scaled and killed
while clients talk, and nothing may be lost.

    test_compose.py [--all]

Without --all what every change is tested with: the image on Debian 13, and the
story of `up` with one version of compose.  With it also Debian 12, the profiles,
and the other version.  Where no Docker Engine runs, or can be started, it says so
and ends with 77.

An engine that runs here already is used as it is, with the images that it pulls.
One that was started for the test has none, and gets stand-ins made of Debian
packages (images.py).
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import signal
import sys
import time
import urllib.parse
import urllib.request

import images
from engine import CannotStart, Engine
from patience import free_port, until
from talkers import Crowd, Socket

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROJECT = "hoist-test"
IMAGE_MAX = 120_000_000  # bytes
CLIENTS = 16
V2, V1 = ["docker", "compose"], ["docker-compose"]
OURS = ("gateway", "broker", "worker")
SKIPPED = 77


BEGAN = time.monotonic()


def say(text):
    print(f"{time.monotonic() - BEGAN:6.0f} s  {text}", flush=True)


class Stack:
    """docker-compose.yml of this folder, by one version of compose."""

    def __init__(self, engine, compose, *flags):
        self.engine = engine
        self.compose_words = [*compose, "--project-name", PROJECT, *flags]
        self.address = f"127.0.0.1:{free_port()}"
        self.environment = {"HOIST_HTTP": self.address}
        self.scale = {"gateway": 1, "broker": 1, "worker": 2}

    def compose(self, *words):
        return self.engine.run(*self.compose_words, *words, cwd=ROOT, env=self.environment)

    def up(self, *services, build="--no-build", **scale):
        """As many as these of each, others as they are."""
        self.scale.update(scale)
        counts = [f"--scale={name}={count}" for name, count in self.scale.items()]
        self.compose("up", "--detach", build, *counts, *services)

    def containers(self, service):
        """docker inspect of each that runs."""
        names = self.engine.docker(
            "ps", "--quiet", "--filter", f"label=com.docker.compose.project={PROJECT}",
            "--filter", f"label=com.docker.compose.service={service}").split()
        return json.loads(self.engine.docker("inspect", *names)) if names else []

    def page(self):
        try:
            with urllib.request.urlopen(f"http://{self.address}/", timeout=5) as answer:
                return answer.read().decode()
        except OSError:
            return ""

    def metrics(self, service):
        """{name: value} of each container of a service."""
        ask = ("exec 3<>/dev/tcp/127.0.0.1/9100 && "
               "printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3 && cat <&3")
        texts = [self.engine.docker("exec", one["Id"], "bash", "-c", ask)
                 for one in self.containers(service)]
        return [{name: float(value) for name, value in re.findall(r"^(\w+) (\S+)$", text, re.M)}
                for text in texts]

    def have(self, service, count, **values):
        """Are there so many containers, of whose metrics each has at least that?"""
        all_of = self.metrics(service)
        return len(all_of) == count and all(
            one[name] >= value for one in all_of for name, value in values.items())

    def is_healthy(self, service):
        return all(one["State"]["Health"]["Status"] == "healthy"
                   for one in self.containers(service))

    def logs(self):
        return self.compose("logs", "--no-color")

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is not None:
            print(self.logs()[-20000:])
        self.compose("down", "--volumes", "--timeout", "1")


# --- what is checked ----------------------------------------------------------

def check_image(engine, release):
    """Small, of nobody's, and with its health check."""
    [image] = json.loads(engine.docker("image", "inspect", "hoist"))
    config = image["Config"]
    assert image["Size"] < IMAGE_MAX, image["Size"]
    assert config["User"] == "10001:10001" and config["Healthcheck"], config
    assert config["Labels"]["org.opencontainers.image.title"] == "hoist"
    inside = engine.docker("run", "--rm", "--entrypoint", "cat", "hoist", "/etc/debian_version")
    assert inside.startswith(f"{release}."), inside
    assert "hoist 0." in engine.docker("run", "--rm", "hoist", "version")
    check_alone(engine)
    say(f"an image on Debian {release}: {image['Size'] / 1e6:.1f} MB")


def check_alone(engine):
    """Without a word it is `hoist serve`, well, and ends in order."""
    name = engine.docker("run", "--detach", "--read-only", "--cap-drop", "ALL", "hoist").strip()

    def state():
        return json.loads(engine.docker("inspect", name))[0]["State"]
    try:
        until(lambda: state()["Health"]["Status"] == "healthy", "the health of hoist serve")
        engine.docker("stop", name)
        assert state()["ExitCode"] == 0, state()
    finally:
        engine.docker("rm", "--force", name)


def check_containers(stack):
    """None can write, has a right of root's, or is reached from outside but the
    front, on loopback."""
    for service in (*OURS, "front", "redis"):
        [one, *_] = stack.containers(service)
        host = one["HostConfig"]
        until(lambda: stack.is_healthy(service), f"the health of {service}")
        assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"], service
        assert "no-new-privileges:true" in host["SecurityOpt"], service
        process = pathlib.Path(f"/proc/{one['State']['Pid']}/status").read_text("ascii")
        assert re.search(r"^Uid:\t[1-9]", process, re.M), f"{service} is root"
        assert re.search(r"^CapEff:\t0+$", process, re.M), service
        published = {to["HostIp"] for ports in (host["PortBindings"] or {}).values()
                     for to in ports}
        assert published == ({"127.0.0.1"} if service == "front" else set()), service


def check_ends(stack):
    """Told to stop, all of ours end in order within their time."""
    ours = [one["Id"] for service in OURS for one in stack.containers(service)]
    stack.compose("stop")
    for one in json.loads(stack.engine.docker("inspect", *ours)):
        assert one["State"]["ExitCode"] == 0, (one["Name"], one["State"])


def kill_process(stack, service):
    """kill -9, as a crash is; Docker starts it anew."""
    [one, *_] = stack.containers(service)
    os.kill(one["State"]["Pid"], signal.SIGKILL)

    def is_back():
        [now] = json.loads(stack.engine.docker("inspect", one["Id"]))
        return now["RestartCount"] == one["RestartCount"] + 1 and now["State"]["Running"]
    until(is_back, f"the {service} to be started anew")


# --- the stories --------------------------------------------------------------

def grow(stack, crowd):
    """Nothing may fail: an error frame or a cut ends the test."""
    stack.up(worker=8)
    until(lambda: stack.have("broker", 1, hoist_broker_workers=8), "8 workers")
    crowd.go_on()
    stack.up(gateway=2)
    until(lambda: stack.have("broker", 1, hoist_broker_gateways=2), "2 gateways")
    crowd.grow(CLIENTS)
    until(lambda: stack.have("gateway", 2, hoist_gateway_connections=CLIENTS // 2),
          "clients at both gateways")
    crowd.go_on()
    stack.up(broker=2)
    until(lambda: stack.have("broker", 2, hoist_broker_workers=8, hoist_broker_gateways=2,
                             hoist_broker_connections=1), "connections at both brokers")
    crowd.go_on()
    assert crowd.total("moved") == 0
    say(f"  scaled up: {crowd.total('heard')} messages, none lost, nobody moved")


def shrink(stack, crowd):
    until(lambda: crowd.grow(2) or stack.have("gateway", 2, hoist_gateway_connections=4),
          "clients at both gateways, of which one has just been killed")
    stack.up(gateway=1, broker=1, worker=2)
    crowd.go_on()
    until(lambda: stack.have("broker", 1, hoist_broker_workers=2,
                             hoist_broker_connections=len(crowd.talkers)),
          "one broker to have them all")
    crowd.go_on()
    assert crowd.total("moved") >= 4
    say(f"  scaled down: {crowd.total('heard')} messages, none lost, "
        f"{crowd.total('moved')} moved to another gateway by 1012")


def crash(stack, crowd):
    """What a killed process had in hand may fail; all else goes on."""
    before = crowd.total("failed") + crowd.total("cut")
    crowd.is_rough = True
    for service in ("worker", "broker", "gateway"):
        kill_process(stack, service)
        crowd.go_on()
    until(lambda: stack.have("broker", 2, hoist_broker_workers=8, hoist_broker_gateways=2),
          "all to have found each other again")
    crowd.go_on()
    crowd.is_rough = False
    crowd.go_on()
    say(f"  killed a worker, a broker, a gateway: "
        f"{crowd.total('failed') + crowd.total('cut') - before} messages failed")


def rows(stack):
    """Of connections, in Redis."""
    [redis] = stack.containers("redis")
    script = ("local n = 0 for _, owner in ipairs(redis.call('zrange', 'hoist:owners', 0, -1)) "
              "do n = n + redis.call('hlen', 'hoist:{o:' .. owner .. '}') end return n")
    return int(stack.engine.docker("exec", redis["Id"], "redis-cli", "eval", script, "0"))


def story(stack):
    say("up: the page answers")
    stack.up(build="--build")
    assert "<title>" in until(stack.page, "the page")
    check_containers(stack)
    crowd = Crowd(stack.address)
    crowd.grow(CLIENTS)
    crowd.go_on()
    say("scaled up and down while clients talk")
    grow(stack, crowd)
    crash(stack, crowd)
    shrink(stack, crowd)
    until(lambda: rows(stack) == len(crowd.talkers), "a row for each client")
    crowd.stop()
    crowd.check()
    until(lambda: rows(stack) == 0, "their rows to go")
    say("stopped: each process ends in order")
    check_ends(stack)


def short_story(stack):
    stack.up(build="--build")
    until(stack.page, "the page")
    crowd = Crowd(stack.address)
    crowd.grow(CLIENTS)
    crowd.go_on()
    stack.up(gateway=2, broker=2, worker=3)
    until(lambda: stack.have("broker", 2, hoist_broker_workers=3, hoist_broker_gateways=2,
                             hoist_broker_connections=1), "connections at both brokers")
    stack.up(gateway=1, broker=1, worker=2)
    crowd.go_on()
    crowd.stop()
    crowd.check()
    say(f"  {crowd.total('heard')} messages, none lost")
    check_ends(stack)


def polyglot(stack):
    """Workers in Python and Node.js answer echoes."""
    stack.up(build="--build")
    for language in ("python", "node"):
        stack.compose("stop", "worker-python", "worker-node")
        stack.compose("start", f"worker-{language}")
        until(lambda: stack.have("broker", 1, hoist_broker_workers=3), language)
        client = until(lambda: enter(stack), "the chat")
        client.send('{"action":"echo","n":1}')
        assert client.recv() == (1, b'{"action":"echo","n":1}')
        client.sock.close()


def enter(stack):
    try:
        client = Socket(stack.address, "/?name=Ada")
        return client if client.opened().status == 101 else None
    except (OSError, EOFError):
        return None


def dynamodb(stack):
    """The broker records connections in the table that was made."""
    stack.up()
    until(lambda: stack.have("broker", 1, hoist_store_up=1), "the table")
    client = until(lambda: enter(stack), "the chat")
    until(lambda: stack.have("broker", 1, hoist_store_done_total=1), "a row")
    client.send('{"action":"who"}')
    assert json.loads(client.recv()[1])["names"] == ["Ada"]
    client.sock.close()


def expressions():
    """Of the dashboard."""
    text = (ROOT / "deploy/grafana/hoist.json").read_text("utf-8")
    panels = json.loads(text)["panels"]
    return [(panel["title"], target["expr"])
            for panel in panels for target in panel.get("targets", [])]


def ask_prometheus(stack, path, **query):
    [one] = stack.containers("prometheus")
    url = f"http://127.0.0.1:9090/api/v1/{path}?{urllib.parse.urlencode(query)}"
    return json.loads(stack.engine.docker("exec", one["Id"], "wget", "-qO-", url))["data"]


def observe(stack):
    """Prometheus finds every process, and each panel has something to show."""
    stack.up("front", "worker", "prometheus", gateway=2, broker=2)
    until(lambda: sorted(target["labels"]["job"] + " " + target["health"] for target in
                         ask_prometheus(stack, "targets")["activeTargets"]) ==
          2 * ["broker up"] + 2 * ["gateway up"], "2 gateways and 2 brokers")
    rules = [rule["name"] for group in ask_prometheus(stack, "rules")["groups"]
             for rule in group["rules"]]
    assert "HoistNoBroker" in rules, rules
    client = until(lambda: enter(stack), "the chat")  # routes are told of once they are used
    for title, expression in expressions():
        expression = expression.replace("$__rate_interval", "30s")
        until(lambda: ask_prometheus(stack, "query", query=expression)["result"],
              f"data of {title!r}: {expression}")
    say(f"  {len(expressions())} expressions of the dashboard have values; "
        "Grafana itself was not run")
    client.sock.close()


# --- what runs when -----------------------------------------------------------

def build(engine, release):
    engine.docker("build", "--quiet", "--build-arg", f"DEBIAN={release}", "--tag", "hoist",
                  str(ROOT))
    check_image(engine, release)


STAND_INS = {"redis": "redis:7", "haproxy": "haproxy:3.0"}
STAND_INS_OF_PROFILES = {"prometheus": "prom/prometheus:v2.53.3", "python": "python:3.13-slim",
                         "node": "node:22-slim", "dynamodb": "amazon/dynamodb-local:2.5.2"}


def prepare(engine, stand_ins):
    """Two things beside each other: it is the network that is slow."""
    if not engine.is_ours:
        say("with the engine that runs here")
        if not engine.can_pull("debian:13-slim"):
            raise CannotStart("the one that runs here cannot pull images")
        build(engine, 13)
        return
    say("with an engine of our own, and images made of Debian packages: some minutes")
    images.make_debian(engine, 13)
    images.fetch_plugins(engine)
    engine.environment["DOCKER_BUILDKIT"] = "1"
    context = images.make_context(engine, "node" in stand_ins)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(build, engine, 13),
                     *(pool.submit(images.make_stand_in, engine, target, name, context)
                       for target, name in stand_ins.items())]:
            done.result()


def versions(engine):
    """Of compose, those that are here."""
    def is_here(words):
        try:
            return engine.run(*words, "version", "--short")
        except (AssertionError, FileNotFoundError):
            return ""
    found = [words for words in (V2, V1) if is_here(words)]
    assert found, "neither `docker compose` nor `docker-compose`"
    return found


def read_all(engine, compose):
    """This version understands the file with all that can be switched on."""
    flags = ["--env-file", "deploy/dynamodb.env", *(word for profile in
             ("observe", "polyglot", "dynamodb") for word in ("--profile", profile))]
    engine.run(*compose, *flags, "config", "--quiet", cwd=ROOT)


def run_all(engine, compose, *others):
    for profile, check in (("observe", observe), ("polyglot", polyglot)):
        say(f"profile {profile}")
        with Stack(engine, compose, "--profile", profile) as stack:
            check(stack)
    say("DynamoDB in place of Redis")
    with Stack(engine, compose, "--env-file", "deploy/dynamodb.env") as stack:
        dynamodb(stack)
    for other in others:
        say("the same file with " + engine.run(*other, "version", "--short").strip())
        read_all(engine, other)
        with Stack(engine, other) as stack:
            short_story(stack)
    if engine.is_ours:
        images.make_debian(engine, 12)
    build(engine, 12)
    with Stack(engine, compose) as stack:
        stack.environment["DEBIAN"] = "12"
        short_story(stack)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    folder = ROOT / "build/compose"
    try:
        with Engine(folder) as engine:
            prepare(engine, {**STAND_INS, **(STAND_INS_OF_PROFILES if options.all else {})})
            found = versions(engine)
            with Stack(engine, found[0]) as stack:
                story(stack)
            if options.all:
                run_all(engine, *found)
    except CannotStart as why:
        print(f"NOT RUN: no Docker Engine: {why}")
        return SKIPPED
    say("passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
