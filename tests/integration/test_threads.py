# SPDX-License-Identifier: MIT
"""Workers in C with several handler threads: crew.c against the real server."""
import json
import signal
import subprocess
import sys
import tempfile

from harness import *

CREW = BUILD + "/tests/integration/crew"
THREADS = 4


class Crew:
    """crew.c at these servers, ready when so many workers are."""

    def __init__(self, *brokers, flags=(), workers=THREADS, **process):
        self.said = tempfile.NamedTemporaryFile(prefix="hoist-crew-")
        self.status = 0  # with which it ends, if it is not killed
        before = [broker.log().count("WORKER-READY") for broker in brokers]
        self.process = subprocess.Popen(
            [CREW, "--broker", ",".join(broker.workers for broker in brokers), *flags],
            stderr=self.said, **process)
        for broker, count in zip(brokers, before):
            until(lambda: broker.log().count("WORKER-READY") >= count + workers,
                  f"{workers} workers to be ready")

    def log(self):
        with open(self.said.name, encoding="utf-8", errors="replace") as said:
            return said.read()

    def find(self, pattern, count=1):
        """That many matches of the log, when they are there."""
        return until(lambda: (found := re.findall(pattern, self.log(), re.M)) and
                     len(found) >= count and found, pattern)

    def ends(self, status=0):
        assert self.process.wait(2 * WAIT_S) == status, self.log()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        Client.close_all()
        if self.process.poll() is None:
            self.process.terminate()
        status = self.process.wait(2 * WAIT_S)
        if kind is not None or status not in (self.status, -signal.SIGKILL):
            print(self.log())
        self.said.close()
        assert status in (self.status, -signal.SIGKILL), status


def threaded(*brokers, threads=THREADS, flags=()):
    return Crew(*brokers, flags=[f"--threads={threads}", *flags], workers=threads)


def says(client, action):
    client.send(json.dumps({"action": action}))


def hears(client):
    opcode, text = client.recv()
    assert opcode == 1
    return text.decode()


def asks(client, action):
    says(client, action)
    return hears(client)


def threads_of(clients):
    """Which threads handle the next event of each of them, at once."""
    for client in clients:
        says(client, "who")
    return {json.loads(hears(client))["thread"] for client in clients}


def enter(hoist, path="/"):
    client = Client(hoist.address, path).opened()
    assert client.status == 101
    return client


def test_every_thread_handles_events():
    with Hoist() as hoist, threaded(hoist):
        clients = [enter(hoist) for _ in range(32)]
        seen = set()
        until(lambda: seen.update(threads_of(clients)) or len(seen) == THREADS,
              "every thread to be seen")


def test_no_two_threads_have_one_connection_at_once():
    with Hoist() as hoist, threaded(hoist):
        clients = [enter(hoist) for _ in range(16)]
        for _ in range(10):
            for client in clients:
                for _ in range(5):
                    says(client, "alone")
            for client in clients:
                assert [hears(client) for _ in range(5)] == ["alone"] * 5


def test_timers_and_posts_are_the_first_threads():
    with Hoist() as hoist, threaded(hoist) as crew:
        listener = enter(hoist, "/?ticks=yes")
        ticks = {hears(listener) for _ in range(10)}
        assert ticks == {f"tick {crew.process.pid}"}
        clients = [enter(hoist) for _ in range(8)]
        for client in clients:
            assert asks(client, "post") == f"posted {crew.process.pid}"


def test_the_broker_knows_each_thread_as_a_worker():
    with Hoist() as hoist, threaded(hoist, flags=["--name=crew", "--window=10"]):
        names = re.findall(r"WORKER-READY name=(\S+) window=(\d+)", hoist.log())
        assert sorted(names) == [(f"crew/{i}", "10") for i in range(1, THREADS + 1)]


def test_a_name_that_is_long_has_room_for_its_number():
    with Hoist() as hoist, threaded(hoist, flags=["--name=" + "ä" * 32]):
        names = set(re.findall(r"WORKER-READY name=(\S+)", hoist.log()))
        assert names == {"ä" * 31 + f"/{i}" for i in range(1, THREADS + 1)}


def test_a_thread_that_stands_still_holds_up_its_own_events_only():
    with Hoist() as hoist, threaded(hoist, threads=2) as crew:
        stuck = enter(hoist)
        says(stuck, "hang")
        hoist.soon(requests=1, waiting=0)
        seen = [threads_of([enter(hoist)]) for _ in range(8)]  # one after the other
        assert all(threads == seen[0] for threads in seen), seen
        crew.process.kill()


def test_a_reply_does_not_wait_for_the_next_slow_handler():
    with Hoist() as hoist, threaded(hoist, threads=1) as crew:
        clients = first, quick, stuck = [enter(hoist) for _ in range(3)]
        asks(quick, "who")  # it is known
        hoist.soon(requests_in=4)
        for count, (client, action) in enumerate(zip(clients, ["slow", "who", "hang"]), 5):
            says(client, action)
            hoist.soon(requests_in=count)
        assert hears(first) == "slow"
        assert json.loads(hears(quick))["pid"] == crew.process.pid
        crew.process.kill()


def test_all_threads_drain():
    with Hoist() as hoist, threaded(hoist) as crew:
        clients = [enter(hoist) for _ in range(16)]
        for client in clients:
            says(client, "slow")
        hoist.soon(requests_in=32)  # and the CONNECTs
        crew.process.terminate()
        crew.ends()
        for client in clients:
            assert hears(client) == "slow"
        assert crew.log().count("WORKER-STOPPED") == THREADS
        assert "WORKER-DRAIN-CUT" not in crew.log()


def test_a_handler_may_stop_them_all():
    with Hoist() as hoist, threaded(hoist) as crew:
        assert asks(enter(hoist), "stop") == "stopping"
        crew.ends()


def test_failures_of_all_threads_are_logged():
    with Hoist() as hoist, threaded(hoist) as crew:
        clients = [enter(hoist) for _ in range(16)]
        for client in clients:
            says(client, "fail")
        for client in clients:
            assert json.loads(hears(client))["code"] == "failed"
        crew.find("WORKER-HANDLER-FAILED .* code=failed")


def test_other_threads_reply_later():
    with Hoist() as hoist, threaded(hoist) as crew:
        clients = [enter(hoist) for _ in range(16)]
        for _ in range(10):
            for client in clients:
                says(client, "later")
                says(client, "alone")  # behind it
            for client in clients:
                assert hears(client).startswith("later ")
                assert hears(client) == "alone"
        assert "WORKER-TASK-FAILED" not in crew.log()


def test_one_that_nobody_goes_on_with_ends_at_its_deadline():
    with Hoist("--request-timeout=500") as hoist, threaded(hoist):
        client = enter(hoist)
        says(client, "forget")
        assert json.loads(hears(client))["message"] == "Endpoint request timed out"
        assert asks(client, "alone") == "alone"


def test_over_two_brokers():
    brokers = [Hoist(command="broker") for _ in range(2)]
    gateway = Hoist("--broker=" + ",".join(broker.gateways for broker in brokers),
                    command="gateway")
    with gateway, threaded(*brokers):
        clients = [enter(gateway) for _ in range(16)]
        assert all(asks(client, "alone") == "alone" for client in clients)
        brokers[0].kill()
        for client in clients:
            until(lambda: asks(client, "alone") == "alone", "it to go on")
    for broker in brokers:
        broker.__exit__(None, None, None)


def test_without_descriptors_for_all_threads_the_run_ends_with_an_error():
    with Hoist() as hoist:
        limit = "import os, resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, " \
                "(60, 60)); os.execv(sys.argv[1], sys.argv[1:])"
        ended = subprocess.run(
            [sys.executable, "-c", limit, CREW, "--broker", hoist.workers, "--threads=64"],
            stderr=subprocess.PIPE, timeout=2 * WAIT_S, text=True)
        assert ended.returncode == 1, ended
        assert "WORKER-FAILED error=\"Too many open files\"" in ended.stderr, ended


def test_one_that_was_started_without_standard_error_works():
    with Hoist() as hoist:
        crew = subprocess.Popen(["/bin/sh", "-c", 'exec "$@" <&- 2>&-', "sh", CREW,
                                 "--broker", hoist.workers])
        hoist.soon(workers=1)
        client = enter(hoist)
        assert asks(client, "later").startswith("later ")
        assert asks(client, "post") == f"posted {crew.pid}"
        crew.terminate()
        assert crew.wait(2 * WAIT_S) == 0


def test_sighup_reloads_and_does_no_harm():
    with Hoist() as hoist, threaded(hoist) as crew:
        client = enter(hoist)
        assert asks(client, "reloads") == "0"
        crew.process.send_signal(signal.SIGHUP)
        crew.find("WORKER-RELOADED handler=yes")
        assert asks(client, "reloads") == "1"


def test_the_program_is_told_of_the_end_when_the_last_handler_has_ended():
    with Hoist() as hoist, threaded(hoist) as crew:
        listener = enter(hoist, "/?ticks=yes")
        clients = [enter(hoist) for _ in range(6)]
        hears(listener)
        for client in clients:
            says(client, "slow")
        hoist.soon(waiting=0, requests_in=13)
        crew.process.terminate()
        while (heard := hears(listener)).startswith("tick"):
            pass
        assert heard == "ended behind 6"  # what it posted has reached a broker
        assert all(hears(client) == "slow" for client in clients)
        crew.ends()
        assert crew.log().count("CREW-ENDED") == 1


class Pair(Crew):
    """pair.c: an app at each of two servers."""

    def __init__(self, here, there):
        self.status = 0
        self.said = tempfile.NamedTemporaryFile(prefix="hoist-pair-")
        self.process = subprocess.Popen(
            [BUILD + "/tests/integration/pair", here.workers, there.workers], stderr=self.said)
        here.find("WORKER-READY name=(first) ")
        there.find("WORKER-READY name=(second/1) ")
        there.find("WORKER-READY name=(second/2) ")


def test_two_apps_in_one_process_have_nothing_in_common_but_signals():
    with Hoist() as here, Hoist() as there, Pair(here, there) as pair:
        assert asks(enter(here), "name") == "first"
        other = enter(there)
        assert asks(other, "name") == "second"
        assert asks(enter(here), "stop") == "first"
        here.soon(workers=0)
        assert asks(other, "name") == "second"  # it goes on
        pair.process.terminate()
        pair.ends()


if __name__ == "__main__":
    run(sys.modules[__name__])
