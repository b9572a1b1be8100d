#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Our signatures against botocore's, over random requests, both ways: what it
signs we verify and would have signed alike, so what we sign is right for it.

    compare_sigv4.py PROGRAM        with the Python of tests/aws/.venv
"""
import calendar
import json
import random
import string
import subprocess
import sys
import time
import urllib.parse

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ROUNDS = 4000
TEXT = string.ascii_letters + string.digits + "-._~/:@!$'()*,;= %+äß日😀"


def text(rng, low, high, letters=TEXT):
    return "".join(rng.choice(letters) for _ in range(rng.randint(low, high)))


def path(rng):
    kind = rng.randint(0, 3)
    if kind == 0:
        return "/@connections/" + urllib.parse.quote(text(rng, 1, 20), safe="")
    if kind == 1:
        return "/%40connections/" + text(rng, 15, 15, string.ascii_letters) + "%3D"
    if kind == 2:
        return "/" + "/".join(rng.choice(("a", "", ".", "..", "b c", "é", "%2F"))
                              for _ in range(rng.randint(0, 6)))
    return urllib.parse.quote("/" + text(rng, 0, 30))


def query(rng):
    return "&".join(f"{urllib.parse.quote(text(rng, 1, 6), safe='-_.~')}="
                    f"{urllib.parse.quote(text(rng, 0, 8), safe='-_.~')}"
                    for _ in range(rng.choice((0, 0, 1, 2, 5))))


def signed(rng):
    """A request that botocore has signed, as sigv4_verdicts reads it."""
    secret = text(rng, 1, 60, string.ascii_letters + "/+")
    token = text(rng, 1, 200, string.ascii_letters + "/+=") if rng.random() < 0.4 else ""
    region, service = rng.choice(("us-east-1", "eu-west-3")), rng.choice(("execute-api", "dynamodb"))
    where, what = path(rng), query(rng)
    body = text(rng, 0, 100)
    headers = {"Host": rng.choice(("example.com", "localhost:4566", "a.b.c"))}
    for _ in range(rng.randint(0, 5)):
        headers["X-" + text(rng, 1, 12, string.ascii_letters + "-")] = \
            text(rng, 0, 20, string.ascii_letters + "  ,;=\"") or "-"
    request = AWSRequest(rng.choice(("GET", "POST", "DELETE")),
                         f"http://{headers['Host']}{where}{'?' + what if what else ''}",
                         headers=headers, data=body.encode())
    SigV4Auth(Credentials("AKID", secret, token or None), service, region).add_auth(request)
    pairs = [[name, value] for name, value in request.headers.items()
             if name != "Authorization"]
    then = time.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ")
    return {"method": request.method, "path": where, "query": what, "body": body,
            "headers": pairs + [["Authorization", request.headers["Authorization"]]],
            "key": "AKID", "secret": secret, "token": token, "region": region,
            "service": service, "now": calendar.timegm(then)}


def forged(rng, request):
    """The same with one thing that is otherwise."""
    other = json.loads(json.dumps(request))
    what = rng.choice(("method", "path", "query", "body", "secret", "header", "region"))
    if what == "header":
        rng.choice(other["headers"][:-1])[1] += "x"
    elif what == "query":
        other["query"] += ("&" if other["query"] else "") + "x=1"
    else:
        other[what] += "x"
    return other


def main():
    rng = random.Random(7)
    good = [signed(rng) for _ in range(ROUNDS)]
    bad = [forged(rng, request) for request in good]
    lines = "".join(json.dumps(request) + "\n" for request in good + bad)
    answers = subprocess.run([sys.argv[1]], input=lines, text=True, timeout=50,
                             stdout=subprocess.PIPE, check=True).stdout.splitlines()
    assert len(answers) == len(good) + len(bad), "an answer to each"
    wrong = 0
    for request, answer in zip(good, answers):
        if answer != "0 " + request["headers"][-1][1]:
            wrong += 1
            print(f"{request}: we say {answer}") if wrong < 10 else None
    for request, answer in zip(bad, answers[ROUNDS:]):
        if answer.startswith("0 "):
            wrong += 1
            print(f"forged, and verified: {request}")
    print(f"{len(good)} requests and as many forged ones, {wrong} judged wrong")
    return 1 if wrong else 0


sys.exit(main())
