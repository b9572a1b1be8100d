#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The DynamoDB store against servers that stand in for it.

dynalite knows pages and conditions well, but no TTL and no streams; moto has
those, and is wrong in other places; neither looks at signatures, which a proxy
of our own does.  What one of them gets wrong is left out there by name."""
import base64
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import msgpack

from dynamodb_servers import (CREDENTIALS, KEY, SECRET, Endpoint, Proxy, breaks_off, cuts,
                              cuts_behind, dynalite, fails, floods, hangs, lent, moto, says,
                              takes)
from harness import BUILD, Client, Hoist, free_port, run, until

TOOL = BUILD + "/tests/integration/store_tool"
CONFORMANCE = BUILD + "/tests/unit/store_conformance"
HOIST = BUILD + "/cli/hoist"
# For the conformance program.  moto goes through the whole table, as Python
# objects, for each page of it: that is where the time of its run goes.
WHOLE_S = 500
NOWHERE = "/nonexistent/aws"


def environment(**more):
    """Nothing of the user's own, and these credentials."""
    clean = {name: value for name, value in os.environ.items()
             if not name.startswith(("AWS_", "HOIST_STORE"))
             and name.lower() not in ("http_proxy", "https_proxy", "all_proxy")}
    clean.update(AWS_SHARED_CREDENTIALS_FILE=NOWHERE, AWS_CONFIG_FILE=NOWHERE)
    clean.update(more or CREDENTIALS)
    return clean


def url(port, table="sessions"):
    return f"dynamodb://{table}?region=us-east-1&endpoint=http://127.0.0.1:{port}"


class Tool:
    """The store at our hands (store_tool.c)."""

    def __init__(self, where, timeout_ms=5000, queue=1000, env=None):
        self.log_file = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [TOOL, where, str(timeout_ms), str(queue)], text=True, env=env or environment(),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log_file)

    def say(self, line):
        """The answer: its error under "rc", and numbers."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, self.log()
        rc, *fields = answer.split()
        return {"rc": rc, **{name: int(value) for name, value in
                             (field.split("=") for field in fields)}}

    def log(self):
        self.log_file.seek(0)
        return self.log_file.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        status = self.process.wait(30)
        log = self.log()
        self.process.stdout.close()
        self.log_file.close()
        assert status == 0, log
        for secret in (SECRET, "sesame", "open-door"):
            assert secret not in log, "a secret in the log"


def hoist(*arguments, env=None):
    done = subprocess.run([HOIST, "store", *arguments], text=True, timeout=60,
                          env=env or environment(), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    return done.returncode, done.stdout, done.stderr


def init(port, table="sessions"):
    return hoist("init", url(port, table))


class Sessions:
    """dynalite with a table, and the proxy in front of it."""

    def __enter__(self):
        self.server = dynalite()
        init(self.server.port)
        self.proxy = Proxy(self.server.port)
        return self.proxy

    def __exit__(self, *_):
        self.proxy.__exit__()
        self.server.__exit__()
        assert not self.proxy.faults or self.proxy.may_fault, self.proxy.faults


Proxy.may_fault = False  # its signatures are all right


# --- every kind of store does this --------------------------------------------

def conformance(port):
    done = subprocess.run([CONFORMANCE, url(port)], env=environment(), timeout=WHOLE_S,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout


def test_it_does_on_dynalite_what_every_store_does():
    with dynalite() as server:
        init(server.port)
        conformance(server.port)


def test_it_does_on_moto_what_every_store_does():
    with moto() as server:
        init(server.port)
        conformance(server.port)


# --- the table ----------------------------------------------------------------

def test_init_makes_the_table_and_is_harmless_when_it_exists():
    with moto() as server:
        status, out, _ = init(server.port)
        assert status == 0 and "table sessions is as it should be" in out, out
        table = server.call("DescribeTable", {"TableName": "sessions"})["Table"]
        assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        assert table["StreamSpecification"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
        assert {index["IndexName"]: index["Projection"]["ProjectionType"]
                for index in table["GlobalSecondaryIndexes"]} == {"gsi1": "ALL", "gsi2": "ALL"}
        ttl = server.call("DescribeTimeToLive", {"TableName": "sessions"})
        assert ttl["TimeToLiveDescription"] == {"TimeToLiveStatus": "ENABLED",
                                                "AttributeName": "ttl"}
        with Tool(url(server.port)) as tool:
            tool.say("save 1 ann acme")
        status, out, _ = init(server.port)
        assert status == 0 and "table sessions exists" in out, out
        with Tool(url(server.port)) as tool:
            assert tool.say("count")["count"] == 1


def make_table(server, name, **otherwise):
    keys = ["pk", "sk", "gsi1pk", "gsi1sk", "gsi2pk", "gsi2sk"]

    def schema(*names):
        return [{"AttributeName": key, "KeyType": kind}
                for key, kind in zip(names, ("HASH", "RANGE"))]
    body = {"TableName": name, "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}
                                     for key in keys],
            "KeySchema": schema("pk", "sk"),
            "GlobalSecondaryIndexes": [
                {"IndexName": index, "KeySchema": schema(index + "pk", index + "sk"),
                 "Projection": {"ProjectionType": "ALL"}} for index in ("gsi1", "gsi2")]}
    body.update(otherwise)
    used = {part["AttributeName"] for schema in [body["KeySchema"]] +
            [index["KeySchema"] for index in body["GlobalSecondaryIndexes"]] for part in schema}
    body["AttributeDefinitions"] = [one for one in body["AttributeDefinitions"]
                                    if one["AttributeName"] in used]
    server.call("CreateTable", body)


def test_check_says_in_words_what_is_wrong():
    def complaint(table):
        status, out, _ = hoist("check", url(server.port, table))
        assert status == 1, out
        return out

    with moto() as server:
        assert "there is no table absent in us-east-1" in complaint("absent")
        make_table(server, "plain")
        out = complaint("plain")
        assert "TTL is off" in out and "no stream" in out and "index" not in out, out
        one = {"IndexName": "gsi1", "Projection": {"ProjectionType": "KEYS_ONLY"},
               "KeySchema": [{"AttributeName": "gsi1pk", "KeyType": "HASH"},
                             {"AttributeName": "gsi1sk", "KeyType": "RANGE"}]}
        make_table(server, "thin", GlobalSecondaryIndexes=[one])
        out = complaint("thin")
        assert "index gsi2 is missing" in out and "index gsi1 does not hold all" in out, out
        make_table(server, "short", KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}])
        assert "the table's key is not pk (hash), sk (range)" in complaint("short")
        server.call("UpdateTimeToLive", {"TableName": "plain", "TimeToLiveSpecification": {
            "Enabled": True, "AttributeName": "expires"}})
        assert "TTL looks at the attribute expires instead of ttl" in complaint("plain")


def test_init_switches_on_what_is_off():
    with moto() as server:
        make_table(server, "sessions")
        status, out, _ = init(server.port)
        assert status == 0 and "its stream is switched on" in out, out
        assert "its TTL is switched on" in out, out


def test_a_wrong_url_is_one_line():
    for wrong, words in (("dynamodb://", "lacks the name of a table"),
                         ("dynamodb://x", "is no name of a table"),
                         ("dynamodb://a/b", "is no name of a table"),
                         ("dynamodb://sessions", "lacks a region"),
                         ("dynamodb://sessions?zone=a", "not 'zone'"),
                         ("dynamodb://sessions?region=", "region= has no value"),
                         ("dynamodb://sessions?region=a/b", "is no region"),
                         ("dynamodb://sessions?endpoint=ftp://a", "endpoint has to be"),
                         ("dynamodb://sessions?endpoint=http://u:p@a", "endpoint has to be"),
                         ("mongo://a", "unknown store")):
        status, out, err = hoist("check", wrong)
        assert status == 2 and not out and err.count("\n") == 1 and words in err, (wrong, err)
    assert hoist("check")[0] == 2
    assert hoist("mend", "memory")[0] == 2
    assert hoist("--help")[0] == 0


# --- the layout ---------------------------------------------------------------

def test_items_are_as_other_programs_read_them():
    with Sessions() as proxy, Tool(url(proxy.port)) as tool:
        tool.say("save 1 ann acme")
        [item] = proxy_scan(proxy)
        assert item["sk"] == {"S": "CONNECTION"}
        connection = item["id"]["S"]
        assert item["pk"]["S"] == item["gsi1sk"]["S"] == item["gsi2sk"]["S"] \
            == "CONNECTION#" + connection
        assert item["gsi1pk"] == {"S": "USER#ann"} and item["user_id"] == {"S": "ann"}
        assert item["gsi2pk"] == {"S": "TENANT#acme"} and item["tenant_id"] == {"S": "acme"}
        assert item["metadata"] == {"M": {"color": {"S": "blue"}}}
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", item["created_at"]["S"])
        assert abs(int(item["ttl"]["N"]) - time.time() - 86400) < 60
        assert item["owner"] == {"S": connection[:4]} and item["writer"] == {"S": "tool"}
        assert msgpack.unpackb(base64.b64decode(item["context"]["B"])) == {
            "user": "ann", "tenant": "acme", "attributes": {"color": "blue"}}


def proxy_scan(proxy):
    from dynamodb_servers import call
    return call(proxy.backend, "Scan", {"TableName": "sessions"})["Items"]


def test_who_has_no_user_has_no_key_in_an_index():
    with Sessions() as proxy, Tool(url(proxy.port)) as tool:
        tool.say("save 1 - -")
        [item] = proxy_scan(proxy)
        assert not {"gsi1pk", "gsi1sk", "gsi2pk", "gsi2sk", "user_id", "tenant_id"} & set(item)


def test_items_of_other_programs_are_passed_over():
    from dynamodb_servers import call
    with Sessions() as proxy, Tool(url(proxy.port)) as tool:
        for number in range(40):
            pk = f"CONNECTION#R1kmxc2VNj{number:02}FIA="
            call(proxy.backend, "PutItem", {"TableName": "sessions", "Item": {
                "pk": {"S": pk}, "sk": {"S": "CONNECTION"}, "gsi1pk": {"S": "USER#ann"},
                "gsi1sk": {"S": pk}, "user_id": {"S": "ann"}}})
        call(proxy.backend, "PutItem", {"TableName": "sessions", "Item": {
            "pk": {"S": "CONNECTION_COUNTER"}, "sk": {"S": "COUNTER"}, "count": {"N": "40"}}})
        tool.say("many 150 ann")
        assert tool.say("list ann")["rows"] == 150
        assert tool.say("owner")["rows"] == 150
        assert tool.say("count")["count"] == 150


# --- faults -------------------------------------------------------------------

def test_one_connection_serves_many_requests():
    with Sessions() as proxy, Tool(url(proxy.port)) as tool:
        for number in range(50):
            assert tool.say(f"save {number} ann -")["rc"] == "ok"
        assert tool.say("stats")["store_connects"] <= 2


def test_many_writes_go_together():
    with Sessions() as proxy, Tool(url(proxy.port)) as tool:
        tool.say("wait up")
        assert tool.say("many 1000 ann")["failed"] == 0
        # 25 rows each, and some of them twice where an answer came late
        assert 40 <= proxy.seen.count("BatchWriteItem") < 80
        assert tool.say("count")["count"] == 1000


def test_a_throttled_store_tries_again():
    with Sessions() as proxy, Tool(url(proxy.port)) as tool:
        tool.say("wait up")
        for kind in ("ProvisionedThroughputExceededException", "ThrottlingException",
                     "RequestLimitExceeded"):
            proxy.next("PutItem", fails(kind), times=2)
            assert tool.say("save 1 ann -")["rc"] == "ok"
        assert tool.say("stats")["store_retries"] == 6


def test_throttled_all_the_time_is_busy():
    with Sessions() as proxy, Tool(url(proxy.port), timeout_ms=500) as tool:
        tool.say("wait up")
        proxy.next("*", fails("ThrottlingException"), times=1000)
        answer = tool.say("save 1 ann -")
        assert answer["rc"] == "EBUSY" and answer["store_up"] == 1


def test_what_a_batch_leaves_is_sent_again():
    with Sessions() as proxy, Tool(url(proxy.port)) as tool:
        tool.say("wait up")
        proxy.next("BatchWriteItem", takes(10), times=6)
        assert tool.say("many 200 ann")["failed"] == 0
        assert tool.say("list ann")["rows"] == 200
        proxy.next("BatchWriteItem", takes(0), times=10000)
        with Tool(url(proxy.port), timeout_ms=2000) as hasty:
            answer = hasty.say("many 200 bob")
            assert answer["failed"] == 200 and answer["rc"] == "EBUSY"


def test_one_bad_row_does_not_take_its_batch_along():
    with Sessions() as proxy, Tool(url(proxy.port)) as tool:
        tool.say("wait up")
        proxy.next("BatchWriteItem", fails("ValidationException"), times=1)
        proxy.next("PutItem", fails("ValidationException"), times=1)
        answer = tool.say("many 25 ann")
        assert answer["failed"] == 1, answer
        assert tool.say("count")["count"] == 24
        assert "STORE-REFUSED" in tool.log()


def test_errors_of_the_server_are_tried_again():
    with Sessions() as proxy, Tool(url(proxy.port)) as tool:
        tool.say("wait up")
        for fault in (fails("InternalServerError", 500), says(b"<html>", 503), cuts,
                      breaks_off, says(b"{\"Attributes\":")):
            proxy.next("PutItem", fault, times=2)
            assert tool.say("save 1 ann -")["rc"] == "ok"


def test_what_cannot_be_mended_is_told_as_it_is():
    with Sessions() as proxy, Tool(url(proxy.port), timeout_ms=1500) as tool:
        tool.say("wait up")
        for fault, rc in ((fails("ResourceNotFoundException"), "EREMOTEIO"),
                          (fails("ValidationException"), "EREMOTEIO"),
                          (fails("AccessDeniedException"), "EACCES"),
                          (fails("InternalServerError", 500), "EREMOTEIO"),
                          (says(b"[1]"), "EPROTO"), (says(b"not json"), "EPROTO"),
                          (says(b"{}"), "EPROTO"), (floods, "EPROTO"),
                          (says(b'{"Items": 1}'), "EPROTO")):
            proxy.next("Query", fault, times=100000)
            answer = tool.say("list ann")
            assert answer["rc"] == rc, (rc, answer, tool.log())
        proxy.next("Query", fails("x"), times=0)
        assert tool.say("list ann")["rc"] == "ok"


def test_a_server_that_hangs_ends_an_attempt_and_not_the_operation():
    with Sessions() as proxy, Tool(url(proxy.port), timeout_ms=3000) as tool:
        tool.say("wait up")
        proxy.next("PutItem", hangs, times=1)
        assert tool.say("save 1 ann -")["rc"] == "ok"


def test_a_server_that_hangs_for_good_is_a_time_out():
    with Sessions() as proxy, Tool(url(proxy.port), timeout_ms=600) as tool:
        tool.say("wait up")
        proxy.next("*", hangs, times=1000)
        assert tool.say("get 1")["rc"] == "ETIMEDOUT"
        assert tool.say("many 300 ann")["failed"] == 300
        assert tool.say("stats")["store_pending"] == 0


def test_beyond_its_bound_an_operation_fails_at_once():
    with Sessions() as proxy, Tool(url(proxy.port), queue=100) as tool:
        tool.say("wait up")
        answer = tool.say("many 1000 ann")
        assert answer["failed"] == 900 and answer["store_refused"] == 900
        assert tool.say("count")["count"] == 100


def test_it_is_down_until_the_server_is_there():
    port = free_port()
    with dynalite() as server:
        init(server.port)
        with Tool(url(port), timeout_ms=500) as tool:
            answer = tool.say("save 1 ann -")
            assert answer["rc"] == "ENOTCONN" and answer["store_up"] == 0
            with Proxy(server.port, port):
                assert tool.say("wait up")["store_up"] == 1
                assert tool.say("save 1 ann -")["rc"] == "ok"
            assert tool.say("save 1 ann -")["rc"] == "ENOTCONN"
            log = tool.log()
            assert log.count("STORE-DOWN") == 2 and log.count("STORE-UP") == 1, log


def test_a_claim_whose_answer_was_lost_is_no_failure():
    with Sessions() as proxy, Tool(url(proxy.port)) as tool:
        tool.say("keep dead 9")
        proxy.next("PutItem", cuts_behind)
        assert tool.say("claim dead 9 mine")["rc"] == "ok"
        assert tool.say("claim dead 9 his")["rc"] == "ESTALE"
        proxy.next("DeleteItem", cuts_behind)
        assert tool.say("drop dead mine")["rc"] == "ok"
        assert tool.say("drop dead mine")["rc"] == "ESTALE"


# --- credentials --------------------------------------------------------------

def test_a_wrong_secret_is_told_once_and_is_not_tried_for_ever():
    with Sessions() as proxy:
        proxy.may_fault = True
        env = environment(AWS_ACCESS_KEY_ID=KEY, AWS_SECRET_ACCESS_KEY="open-door")
        with Tool(url(proxy.port), env=env) as tool:
            assert tool.say("save 1 ann -")["rc"] == "EACCES"
            assert "InvalidSignatureException" in tool.log()


def test_without_credentials_it_says_what_is_missing():
    with Tool(url(free_port()), env=environment(HOME="/nonexistent")) as tool:
        assert tool.say("save 1 ann -")["rc"] == "EACCES"
        assert "neither AWS_ACCESS_KEY_ID" in tool.log()


def write(folder, name, text):
    path = pathlib.Path(folder) / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_profile_is_read_and_read_again_when_it_was_refused():
    with Sessions() as proxy, tempfile.TemporaryDirectory() as folder:
        def profile(key, secret):
            return write(folder, "credentials",
                         "[default]\naws_access_key_id = other\naws_secret_access_key = x\n"
                         f"[ours]\n# mine\naws_access_key_id={key}\n"
                         f"aws_secret_access_key = {secret}\naws_session_token = sesame\n")
        config = write(folder, "config", "[default]\nregion = eu-west-1\n"
                                         "[profile ours]\nregion = eu-north-1\n")
        proxy.keys = {"OLD": ("old", "sesame")}
        env = environment(AWS_SHARED_CREDENTIALS_FILE=profile("OLD", "old"),
                          AWS_CONFIG_FILE=config, AWS_PROFILE="ours")
        where = f"dynamodb://sessions?endpoint=http://127.0.0.1:{proxy.port}"
        with Tool(where + "&region=us-east-1", env=env) as tool:
            assert tool.say("save 1 ann -")["rc"] == "ok"
            profile("NEW", "open-door")
            proxy.keys, proxy.may_fault = {"NEW": ("open-door", "sesame")}, True
            assert tool.say("save 1 ann -")["rc"] == "ok"
            assert set(proxy.used) == {"OLD", "NEW"}
        status, out, _ = hoist("check", where.replace("sessions", "absent"), env=env)
        assert status == 1 and "in eu-north-1" in out, out  # the profile's region


def test_a_containers_endpoint_is_asked_with_its_token():
    with Sessions() as proxy, tempfile.TemporaryDirectory() as folder, \
            Endpoint(lent("LENT", SECRET, "sesame", 3600)) as endpoint:
        proxy.keys = {"LENT": (SECRET, "sesame")}
        env = environment(AWS_CONTAINER_CREDENTIALS_FULL_URI=endpoint.url,
                          AWS_CONTAINER_AUTHORIZATION_TOKEN="open-door")
        with Tool(url(proxy.port), env=env) as tool:
            assert tool.say("many 100 ann")["failed"] == 0
        assert endpoint.asked == ["open-door"]
        token = write(folder, "token", "open-door-2\n")
        env = environment(AWS_CONTAINER_CREDENTIALS_FULL_URI=endpoint.url,
                          AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=token)
        with Tool(url(proxy.port), env=env) as tool:
            assert tool.say("save 1 ann -")["rc"] == "ok"
        assert endpoint.asked[-1] == "open-door-2"


def test_credentials_are_renewed_before_they_end_and_when_they_are_refused():
    with Sessions() as proxy, \
            Endpoint(lent("ONE", SECRET, "sesame", 60), lent("TWO", SECRET, "sesame", 3600),
                     lent("SIX", SECRET, "sesame", 3600)) as endpoint:
        proxy.keys = {"ONE": (SECRET, "sesame"), "TWO": (SECRET, "sesame")}
        env = environment(AWS_CONTAINER_CREDENTIALS_FULL_URI=endpoint.url)
        with Tool(url(proxy.port), env=env) as tool:
            until(lambda: tool.say("save 1 ann -")["rc"] == "ok" and "TWO" in proxy.used,
                  "credentials that end in a minute to be renewed")
            proxy.keys, proxy.may_fault = {"SIX": (SECRET, "sesame")}, True
            assert tool.say("save 1 ann -")["rc"] == "ok"
            assert len(endpoint.asked) == 3


def test_an_endpoint_that_fails_is_asked_again():
    with Sessions() as proxy, \
            Endpoint((500, {}), lent("ONE", SECRET, "sesame", 3600)) as endpoint:
        proxy.keys = {"ONE": (SECRET, "sesame")}
        env = environment(AWS_CONTAINER_CREDENTIALS_FULL_URI=endpoint.url)
        with Tool(url(proxy.port), env=env) as tool:
            assert tool.say("wait up")["store_up"] == 1
            assert tool.say("save 1 ann -")["rc"] == "ok"


def test_credentials_that_are_over_are_none_and_not_asked_for_without_a_pause():
    with Sessions() as proxy, Endpoint(lent("OLD", SECRET, "sesame", -10)) as endpoint:
        env = environment(AWS_CONTAINER_CREDENTIALS_FULL_URI=endpoint.url)
        with Tool(url(proxy.port), "1000", env=env) as tool:
            assert tool.say("save 1 ann -")["rc"] == "EACCES"
            assert "credentials that are over" in tool.log()
            assert len(endpoint.asked) <= 3, endpoint.asked


def test_credentials_are_not_asked_for_in_the_clear_from_afar():
    for address in ("http://192.0.2.1/creds", "http://localhost:80@192.0.2.1/creds",
                    "http://[::1]@192.0.2.1/creds"):
        env = environment(AWS_CONTAINER_CREDENTIALS_FULL_URI=address)
        with Tool(url(free_port()), env=env) as tool:
            assert tool.say("save 1 ann -")["rc"] == "EACCES"
            assert "neither https nor of this host" in tool.log()


NETWORK = ["unshare", "--map-root-user", "--net"]  # of its own


def test_on_ecs_the_endpoint_is_at_an_address_of_its_own():
    if subprocess.run([*NETWORK, "true"], stderr=subprocess.DEVNULL).returncode != 0:
        print("  skipped: this system gives no network of its own")
        return
    subprocess.run([*NETWORK, sys.executable, __file__, "on_ecs"], check=True, timeout=60)


def on_ecs():
    for command in ("ip link set lo up", "ip addr add 169.254.170.2/32 dev lo"):
        subprocess.run(command.split(), check=True)
    with Proxy(0) as proxy, Endpoint(lent("ECS", SECRET, "sesame", 3600),
                                     address=("169.254.170.2", 80)):
        proxy.keys = {"ECS": (SECRET, "sesame")}
        proxy.next("*", says(b"{}"), times=1000)
        env = environment(AWS_CONTAINER_CREDENTIALS_RELATIVE_URI="/v2/credentials/1")
        with Tool(url(proxy.port), env=env) as tool:
            assert tool.say("save 1 ann -")["rc"] == "ok"
        assert not proxy.faults


# --- the stream ---------------------------------------------------------------

class Watch:
    def __init__(self, where):
        self.err = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([HOIST, "store", "watch", where], text=True,
                                        env=environment(), stdout=subprocess.PIPE,
                                        stderr=self.err)
        until(lambda: "watching" in self.said(), "the watch to begin")

    def said(self):
        assert self.process.poll() is None, "the watch has ended"
        self.err.seek(0)
        return self.err.read()

    def event(self):
        return json.loads(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        status = self.process.wait(15)
        self.process.stdout.close()
        self.err.close()
        assert status == 0


def test_watch_tells_of_connections_that_come_change_and_leave():
    with moto() as server:
        init(server.port)
        with Tool(url(server.port)) as tool:
            tool.say("save 9 zoe -")  # before: nobody is told
            with Watch(url(server.port)) as watch:
                tool.say("save 1 ann acme")
                tool.say("save 1 ann acme")  # puts its end off
                tool.say("save 1 bob acme")
                tool.say("keep lease 1")  # is no connection
                tool.say("remove 1")
                seen = [watch.event() for _ in range(3)]
        assert [(one["event"], one["user"], one["tenant"]) for one in seen] == [
            ("connected", "ann", "acme"), ("changed", "bob", "acme"),
            ("disconnected", "bob", "acme")]
        assert len({one["connection"] for one in seen}) == 1


def test_a_watch_of_what_cannot_be_watched_ends_with_a_line():
    with moto() as server:
        make_table(server, "plain")
        status, _, err = hoist("watch", url(server.port, "plain"))
        assert status == 1 and "the table has no stream" in err, err
        status, _, err = hoist("watch", url(server.port, "absent"))
        assert status == 1 and "ResourceNotFoundException" in err, err


# --- hoist itself -------------------------------------------------------------

def test_hoist_keeps_its_connections_in_the_table():
    os.environ.update(environment())
    with Sessions() as proxy:
        def rows():
            return [item for item in proxy_scan(proxy) if item["sk"]["S"] == "CONNECTION"]
        with Hoist("--store=" + url(proxy.port)) as running:
            running.find("(STORE-UP) store=dynamodb://sessions")
            client = Client(running.address).opened()
            assert client.status == 101
            until(lambda: len(rows()) == 1, "the row of a connection")
            client.sock.close()
            until(lambda: not rows(), "the row of who has left to go")
            assert SECRET not in running.log()


if sys.argv[1:] == ["on_ecs"]:
    on_ecs()
else:
    run(sys.modules[__name__])
