# SPDX-License-Identifier: MIT
"""Stock SDKs of AWS at @connections, @aws-sdk/client-apigatewaymanagementapi of
npm and boto3 of PyPI: what they send is understood, and what they throw has its
type."""
import json
import os
import re
import subprocess
import sys

import harness
import sigv4
from harness import until
from test_manage import NOBODY, Guarded

AWS = os.path.join(os.path.dirname(__file__), "../aws")


class Sdk:
    """A program around an SDK, which reads orders and answers them."""

    def __init__(self, command, endpoint, secret=sigv4.SECRET):
        self.process = subprocess.Popen(
            [*command, endpoint, sigv4.KEY, secret], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.stdin.close()
        assert self.process.wait(harness.WAIT_S) == 0

    def __call__(self, what, id, **more):
        self.process.stdin.write(json.dumps({"do": what, "id": id, **more}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the program has ended"
        return json.loads(line)


SDKS = {
    "node": ["node", AWS + "/management.mjs"],
    "boto3": [AWS + "/.venv/bin/python", AWS + "/management.py"],
}


def each_sdk(stage, path="", **how):
    for command in SDKS.values():
        with Sdk(command, f"http://{stage.public}{path}", **how) as sdk:
            yield sdk


def test_a_post_a_get_and_a_delete():
    with Guarded() as stage:
        for path in ("", "/prod"):
            for sdk in each_sdk(stage, path):
                client = stage.client("User-Agent: tester\r\n")
                answer = sdk("post", client.id, data="grüß")
                assert answer["status"] == 200, answer
                assert client.recv() == (1, "grüß".encode())
                answer = sdk("get", client.id)
                assert re.match(r"\d{4}-\d\d-\d\dT", answer["ConnectedAt"]), answer
                assert re.match(r"\d{4}-\d\d-\d\dT", answer["LastActiveAt"]), answer
                identity = {key.lower(): value for key, value in answer["Identity"].items()}
                assert identity == {"sourceip": "127.0.0.1", "useragent": "tester"}
                assert sdk("delete", client.id)["status"] == 204
                assert client.close_code() == 1000


def test_what_is_said_twice_in_a_second_is_said_twice():
    # boto3 signs nothing that would tell two from a replay.
    with Guarded("--manage-allow-replays") as stage:
        for sdk in each_sdk(stage):
            client = stage.client()
            for _ in range(3):
                assert sdk("post", client.id, data="again")["status"] == 200
            assert [client.recv()[1] for _ in range(3)] == [b"again"] * 3


def test_to_npm_s_it_is_no_replay():
    with Guarded() as stage, \
            Sdk(SDKS["node"], f"http://{stage.public}") as sdk:
        client = stage.client()
        for _ in range(3):
            assert sdk("post", client.id, data="again")["status"] == 200
        assert [client.recv()[1] for _ in range(3)] == [b"again"] * 3


def assert_thrown(answer, status, name):
    assert (answer["status"], answer["name"], answer["type"]) == (status, name, name), answer


def test_one_that_is_gone():
    with Guarded() as stage:
        for sdk in each_sdk(stage):
            for what in ("post", "get", "delete"):
                answer = sdk(what, stage.nobody(), data="x")
                assert_thrown(answer, 410, "GoneException")


def test_a_payload_that_is_too_large():
    with Guarded() as stage:
        for sdk in each_sdk(stage):
            answer = sdk("post", NOBODY, size=131073)
            assert_thrown(answer, 413, "PayloadTooLargeException")


def test_a_client_that_does_not_read():
    with Guarded("--out-hard=65536") as stage:
        for sdk in each_sdk(stage):
            client = stage.client()
            answers = [sdk("post", client.id, size=131072)]
            until(lambda: answers.append(sdk("post", client.id, size=60000)) or
                  answers[-1]["status"] != 200, "a refusal")
            refused = next(a for a in answers if a["status"] != 200)
            assert_thrown(refused, 429, "LimitExceededException")


def test_another_stage_is_forbidden():
    with Guarded("--stage=prod") as stage:
        for sdk in each_sdk(stage, "/test"):
            assert_thrown(sdk("post", NOBODY, data="x"), 403, "ForbiddenException")


def test_a_wrong_secret():
    with Guarded() as stage:
        for sdk in each_sdk(stage, secret="wrong"):
            answer = sdk("post", NOBODY, data="x")
            assert (answer["status"], answer["name"]) == (403, "InvalidSignatureException")


def test_an_id_that_is_none():
    with Guarded() as stage:
        for sdk in each_sdk(stage):
            answer = sdk("get", "R1kmabcd=")
            assert (answer["status"], answer["name"]) == (400, "BadRequestException")
            assert "Invalid connectionId: R1kmabcd=" in answer["message"]


if __name__ == "__main__":
    harness.run(sys.modules[__name__])
