# SPDX-License-Identifier: MIT
"""traceparent from the handshake to the worker, the spans of a message on its way
there and back, and that nobody minds a receiver that is slow or not there."""
import json
import subprocess
import sys
import time

from harness import *
from otlp_receiver import Receiver

ECHO = BUILD + "/workers/examples/echo"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
JOINING = f"traceparent: 00-{TRACE}-{PARENT}-01\r\n"
MESSAGE_TEXT = '{"action":"echo"}'
TRACEPARENT = 11  # where it stands in a REQUEST


def place_of(request):
    """(trace, span, flags) of a REQUEST, or None."""
    if len(request) <= TRACEPARENT:
        return None
    version, *place = request[TRACEPARENT].split("-")
    assert version == "00"
    return tuple(place)


def nanoseconds(span):
    return int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])


def one_message_is_followed(gateway, broker, receiver):
    """A client that is in a trace says a word; a worker answers it."""
    before = time.time_ns()
    worker = Worker(broker.workers, "echo")
    client = Client(gateway.address, headers=JOINING).opened()
    client.send(MESSAGE_TEXT)
    request = worker.get(REQUEST)
    trace, dispatch_id, flags = place_of(request)
    assert (trace, flags) == (TRACE, "01")
    worker.reply(request, body="back")
    assert client.recv() == (1, b"back")
    spans = until(lambda: {"hoist message", "hoist queue", "hoist dispatch"} <=
                  receiver.of(TRACE).keys() and receiver.of(TRACE), "all spans")
    event, queue, dispatch = (spans[name] for name in
                              ("hoist message", "hoist queue", "hoist dispatch"))
    # client -> gateway -> broker -> worker
    assert event["parentSpanId"] == PARENT
    assert queue["parentSpanId"] == dispatch["parentSpanId"] == event["spanId"]
    assert dispatch["spanId"] == dispatch_id
    assert len({PARENT, event["spanId"], queue["spanId"], dispatch["spanId"]}) == 4
    assert [span["kind"] for span in (event, queue, dispatch)] == [2, 1, 3]
    for span, service in ((event, "hoist-gateway"), (queue, "hoist-broker"),
                          (dispatch, "hoist-broker")):
        assert span["source"]["service.name"] == service
        assert span["attributes"]["hoist.route"] == "echo"
        assert span["attributes"]["hoist.connection"] == request[3]
        assert span["attributes"]["hoist.request"] == request[9]
        assert span["attributes"]["hoist.status"] == 200
        assert span["status"] == {}
        start, end = nanoseconds(span)
        assert before - 10**9 <= start <= end <= time.time_ns() + 10**9
    assert nanoseconds(queue)[1] == nanoseconds(dispatch)[0]


def test_a_message_is_followed_through_one_process():
    with Receiver() as receiver, \
         Hoist(f"--trace-endpoint={receiver.url}", "--trace-sample=1") as hoist:
        one_message_is_followed(hoist, hoist, receiver)


def test_a_message_is_followed_through_gateway_and_broker():
    with Receiver() as receiver, \
         Hoist(f"--trace-endpoint={receiver.url}", command="broker") as broker, \
         Hoist(f"--trace-endpoint={receiver.url}", "--trace-sample=1",
               f"--broker={broker.gateways}", command="gateway") as gateway:
        one_message_is_followed(gateway, broker, receiver)
        until(lambda: gateway.stats("GATEWAY")["spans_exported"] == 2, "connect and message")
        until(lambda: broker.stats("BROKER")["spans_exported"] >= 2, "the broker's")


def test_a_broker_without_a_receiver_passes_the_gateways_place_on():
    with Receiver() as receiver, Hoist(command="broker") as broker, \
         Hoist(f"--trace-endpoint={receiver.url}", "--trace-sample=1",
               f"--broker={broker.gateways}", command="gateway") as gateway:
        worker = Worker(broker.workers, "echo")
        client = Client(gateway.address).opened()
        client.send(MESSAGE_TEXT)
        request = worker.get(REQUEST)
        trace, parent, _ = place_of(request)
        worker.reply(request, body="back")
        client.recv()
        spans = until(lambda: receiver.of(trace), "the gateway's span")
        assert [span["spanId"] for span in spans.values()] == [parent]


def test_clients_are_not_trusted_and_who_is_in_no_trace_costs_nothing():
    with Receiver() as receiver, Hoist(f"--trace-endpoint={receiver.url}") as hoist:
        worker = Worker(hoist.workers, "echo")
        Client(hoist.address).opened().send(MESSAGE_TEXT)
        plain = worker.get(REQUEST)
        assert place_of(plain) is None and len(plain) == 10
        worker.reply(plain)
        Client(hoist.address, headers=JOINING).opened().send(MESSAGE_TEXT)
        assert place_of(worker.get(REQUEST)) == (TRACE, PARENT, "00")
        assert hoist.stats("GATEWAY")["spans"] == hoist.stats("BROKER")["spans"] == 0


def test_where_they_are_trusted_their_flag_decides():
    with Receiver() as receiver, \
         Hoist(f"--trace-endpoint={receiver.url}", "--trace-trust") as hoist:
        one_message_is_followed(hoist, hoist, receiver)
        spans = hoist.stats("GATEWAY")["spans"]
        Client(hoist.address).opened()
        assert hoist.stats("GATEWAY")["spans"] == spans


def say(client, count):
    """So many messages, with a window of them under way, and their echoes."""
    for start in range(0, count, 50):
        batch = min(50, count - start)
        for _ in range(batch):
            client.send(MESSAGE_TEXT)
        for _ in range(batch):
            assert client.recv() == (1, MESSAGE_TEXT.encode())


class Echo:
    def __init__(self, hoist):
        self.process = subprocess.Popen([ECHO, "--broker", hoist.workers],
                                        stderr=subprocess.DEVNULL)
        hoist.soon(workers=1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        assert self.process.wait(WAIT_S) == 0


def test_what_the_receiver_cannot_take_now_is_said_again():
    with Receiver(503, 429) as receiver, \
         Hoist(f"--trace-endpoint={receiver.url}", "--trace-sample=1") as hoist, \
         Echo(hoist):
        say(Client(hoist.address).opened(), 100)
        names = lambda: [span["name"] for span in list(receiver.spans)]
        until(lambda: names().count("hoist message") == 100 ==
              names().count("hoist dispatch"), "all spans, each once")
        until(lambda: hoist.stats("GATEWAY")["spans_exported"] == 101, "its count")
        assert hoist.stats("GATEWAY")["spans_dropped"] == 0
        log = hoist.log()
        assert 1 <= log.count("TRACE-DOWN") <= 2 and "status 503" in log + "status 429"
        until(lambda: hoist.log().count("TRACE-UP") == hoist.log().count("TRACE-DOWN"),
              "it to be said that all is well again")


def test_what_it_refuses_is_dropped_and_counted():
    with Receiver(400, 400) as receiver, \
         Hoist(f"--trace-endpoint={receiver.url}", "--trace-sample=1") as hoist, \
         Echo(hoist):
        say(Client(hoist.address).opened(), 10)
        until(lambda: hoist.stats("GATEWAY")["spans_dropped"] >= 1 <=
              hoist.stats("BROKER")["spans_dropped"], "both to count")
        assert receiver.requests == 2


def test_the_last_spans_leave_before_the_process():
    with Receiver() as receiver:
        with Hoist(f"--trace-endpoint={receiver.url}", "--trace-sample=1") as hoist:
            worker = Worker(hoist.workers, "echo")
            client = Client(hoist.address).opened()
            client.send(MESSAGE_TEXT)
            worker.reply(worker.get(REQUEST), body="back")
            client.recv()
        names = {span["name"] for span in receiver.spans}
        assert {"hoist connect", "hoist message", "hoist dispatch"} <= names, names


def test_who_is_still_asked_when_a_drain_is_cut_ends_its_span():
    with Receiver() as receiver:
        with Hoist(f"--trace-endpoint={receiver.url}", "--trace-sample=1",
                   "--drain-time=300") as hoist:
            worker = Worker(hoist.workers, "echo")
            client = Client(hoist.address).opened()
            client.send(MESSAGE_TEXT)
            worker.get(REQUEST)
            hoist.process.terminate()  # and the worker never answers
            assert hoist.process.wait(WAIT_S) == 0
            assert "DRAIN-CUT" in hoist.log()
        assert "hoist dispatch" in {span["name"] for span in receiver.spans}


def test_an_answer_that_is_long_is_an_answer():
    with Receiver(length=1 << 20) as receiver, \
         Hoist(f"--trace-endpoint={receiver.url}", "--trace-sample=1") as hoist, \
         Echo(hoist):
        say(Client(hoist.address).opened(), 10)
        until(lambda: hoist.stats("GATEWAY")["spans_exported"] == 11, "its count")
        assert "TRACE-DOWN" not in hoist.log()


def test_a_receiver_that_is_not_there_is_nobodys_trouble():
    url = f"http://127.0.0.1:{free_port()}/v1/traces"
    with Hoist(f"--trace-endpoint={url}", "--trace-sample=1") as hoist, Echo(hoist):
        say(Client(hoist.address).opened(), 500)
        hoist.find("TRACE-DOWN service=hoist-(gateway) reason=")
        hoist.find("TRACE-DOWN service=hoist-(broker) reason=")
        say(Client(hoist.address).opened(), 500)
        assert hoist.log().count("TRACE-DOWN") == 2  # said once, not each time
        started = time.monotonic()
        Client.close_all()
        hoist.process.terminate()
        assert hoist.process.wait(WAIT_S) == 0
        assert time.monotonic() - started < 8  # a second for each, and the drain


def test_a_receiver_that_never_answers_costs_a_bounded_queue():
    with Receiver(*[0] * 100) as receiver, \
         Hoist(f"--trace-endpoint={receiver.url}", "--trace-sample=1") as hoist, \
         Echo(hoist):
        client = Client(hoist.address).opened()
        until(lambda: (say(client, 1000), hoist.stats("BROKER")["spans_dropped"])[1] > 0,
              "the queue to be full", patience_s=60)
        stats = hoist.stats("BROKER")
        assert stats["spans"] >= 8192 + stats["spans_dropped"]
        say(client, 100)


if __name__ == "__main__":
    run(sys.modules[__name__])
