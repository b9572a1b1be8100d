# SPDX-License-Identifier: MIT
"""The middleware of the C SDK that count, and that keep a worker well, from a
client's message to what the client is told, and what /metrics says of it."""
import contextlib
import json
import signal
import sys

from harness import Client, Hoist, run, until
from measured import MeasuredWorker


@contextlib.contextmanager
def steadfast(*flags):
    with Hoist() as hoist:
        with MeasuredWorker(hoist.workers, "--metrics=0", *flags,
                            program="tests/integration/steadfast") as worker:
            until(worker.is_ready, "the worker to be ready")
            hoist.find("(WORKER-READY)")
            yield hoist, worker
            worker.stop()


def send(client, action, **more):
    client.send(json.dumps({"action": action, **more}))


def answer(client):
    """What the client is told: text, or the code of an error."""
    text = client.recv()[1].decode()
    return json.loads(text)["code"] if text.startswith("{") else text


def told(client, action, **more):
    send(client, action, **more)
    return answer(client)


def test_who_is_too_late_is_told_so():
    with steadfast() as (hoist, worker):
        client = Client(hoist.address).opened()
        assert told(client, "prompt") == "done"
        assert told(client, "late") == "timeout"
        assert worker.metric("hoist_worker_timeouts_total") == 1
        assert worker.metric('hoist_worker_errors_total{route="late",event="message",'
                             'code="timeout"}') == 1


def test_a_breaker_opens():
    with steadfast() as (hoist, worker):
        client = Client(hoist.address).opened()
        for _ in range(3):
            assert told(client, "fragile", what="fail") == "internal"
        send(client, "fragile")
        refusal = json.loads(client.recv()[1])
        assert refusal["code"] == "unavailable"
        assert 0 < refusal["details"]["retryAfterMs"] <= 60000
        assert worker.metric('hoist_worker_breaker_state{breaker="fragile"}') == 2
        assert worker.metric('hoist_worker_breaker_opened_total{breaker="fragile"}') == 1


def test_a_breaker_closes_again():
    with steadfast() as (hoist, worker):
        client = Client(hoist.address).opened()
        for _ in range(3):
            assert told(client, "healing", what="fail") == "internal"
        until(lambda: told(client, "healing") == "done", "the breaker to let one through")
        for _ in range(2):
            assert told(client, "healing") == "done"
        assert worker.metric('hoist_worker_breaker_state{breaker="healing"}') == 0
        assert worker.metric('hoist_worker_breaker_opened_total{breaker="healing"}') == 1


def test_what_fails_is_tried_again():
    with steadfast() as (hoist, worker):
        client = Client(hoist.address).opened()
        before = worker.metric("hoist_worker_retries_total")  # of the $connect
        for _ in range(10):
            assert told(client, "moody") == "done"
        assert worker.metric("hoist_worker_retries_total") == before + 10
        assert worker.metric("hoist_worker_retries_failed_total") == 0


def test_a_connect_that_is_tried_again_keeps_nothing_of_the_first_run():
    with steadfast() as (hoist, _):
        client = Client(hoist.address).opened()
        assert told(client, "trace") == "second"


def test_more_at_once_than_a_bulkhead_takes_are_refused():
    with steadfast() as (hoist, worker):
        clients = [Client(hoist.address).opened() for _ in range(8)]
        worker.process.send_signal(signal.SIGSTOP)
        for client in clients:
            send(client, "narrow")
        hoist.soon("BROKER", requests=8)
        worker.process.send_signal(signal.SIGCONT)
        answers = [answer(client) for client in clients]
        assert set(answers) == {"done", "busy"}, answers
        refused = worker.metric("hoist_worker_bulkhead_refused_total")
        assert refused == answers.count("busy")
        assert worker.metric("hoist_worker_bulkhead_inside") == 0
        assert told(clients[0], "narrow") == "done"


def test_threads_are_in_the_same_bulkhead():
    with steadfast("--threads=4") as (hoist, worker):
        clients = [Client(hoist.address).opened() for _ in range(20)]
        for client in clients:
            for _ in range(5):
                send(client, "gate")
        answers = [answer(client) for client in clients for _ in range(5)]
        assert set(answers) == {"done", "busy"}, answers
        assert worker.metric("hoist_worker_bulkhead_refused_total") == answers.count("busy")
        assert worker.metric('hoist_worker_messages_total{route="gate"}') == 100


def test_of_a_queue_that_stays_long_some_are_refused():
    with steadfast() as (hoist, worker):
        clients = [Client(hoist.address).opened() for _ in range(40)]
        worker.process.send_signal(signal.SIGSTOP)
        for client in clients:
            for _ in range(5):
                send(client, "busy")
        hoist.soon("BROKER", requests=200)
        worker.process.send_signal(signal.SIGCONT)
        answers = [answer(client) for client in clients for _ in range(5)]
        assert set(answers) == {"done", "overloaded"}, answers
        assert worker.metric("hoist_worker_shed_total") == answers.count("overloaded")
        until(lambda: told(clients[0], "busy") == "done", "the queue to be short again")


def test_events_are_counted_by_route_and_connections_of_all():
    with steadfast() as (hoist, worker):
        clients = [Client(hoist.address).opened() for _ in range(3)]
        for client in clients:
            assert told(client, "trace") in ("second", "neither")
        assert worker.metric('hoist_worker_messages_total{route="trace"}') == 3
        assert worker.metric('hoist_worker_events_total{route="trace",event="message",'
                             'status="2xx"}') == 3
        assert worker.metric('hoist_worker_event_seconds_count{route="trace",'
                             'event="message"}') == 3
        assert worker.metric("hoist_worker_connections") == 3
        until(lambda: worker.metric("hoist_worker_connections_known") == 3,
              "the connections of all to be known")
        clients[0].sock.close()
        until(lambda: worker.metric("hoist_worker_connections") == 2,
              "the $disconnect to be counted")


if __name__ == "__main__":
    run(sys.modules[__name__])
