# SPDX-License-Identifier: MIT
"""Workers in C with --processes: crew.c, its supervisor, and what becomes of
them when one dies, hangs, or cannot even begin."""
import json
import os
import resource
import signal
import subprocess
import sys

from harness import *
from test_threads import CREW, Crew, asks, enter, hears, says

# A crash is one in the sanitizers' builds, too, and leaves no file.
for options in ("ASAN_OPTIONS", "TSAN_OPTIONS"):
    os.environ[options] = os.environ.get(options, "") + ":handle_segv=0"
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

STARTED = r"WORKER-PROCESS-STARTED process=(\d+) pid=(\d+)"


def supervised(*brokers, processes=2, threads=1, flags=(), **process):
    return Crew(*brokers, flags=[f"--processes={processes}", f"--threads={threads}", *flags],
                workers=processes * threads, **process)


def pids(crew, count):
    """Those of the processes, once so many were started."""
    return [int(pid) for _, pid in crew.find(STARTED, count)]


def runs(pid):
    """Is there such a process, and no zombie?"""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def is_there(pid):
    return os.path.exists(f"/proc/{pid}")


def who(client):
    return json.loads(asks(client, "who"))["pid"]


def error_of(client):
    return json.loads(hears(client))["message"]


def test_processes_share_the_work():
    with Hoist() as hoist, supervised(hoist, threads=2) as crew:
        children = pids(crew, 2)
        clients = [enter(hoist) for _ in range(16)]
        seen = set()

        def all_seen():
            for client in clients:
                says(client, "who")
            seen.update(json.loads(hears(client))["pid"] for client in clients)
            return seen == set(children)
        until(all_seen, "both processes to be seen")
        assert crew.process.pid not in seen


def test_the_name_has_the_numbers_of_process_and_thread():
    with Hoist() as hoist, supervised(hoist, threads=2, flags=["--name=crew"]):
        names = re.findall(r"WORKER-READY name=(\S+)", hoist.log())
        assert sorted(names) == ["crew.1/1", "crew.1/2", "crew.2/1", "crew.2/2"]
    with Hoist() as hoist, supervised(hoist, flags=["--name=crew"]):
        names = re.findall(r"WORKER-READY name=(\S+)", hoist.log())
        assert sorted(names) == ["crew.1", "crew.2"]


def test_a_handler_that_crashes_costs_its_own_requests_and_its_worker_is_back():
    with Hoist() as hoist, supervised(hoist) as crew:
        victim, others = enter(hoist), [enter(hoist) for _ in range(8)]
        says(victim, "crash")
        assert error_of(victim) == "Internal server error"
        for client in others:  # at the other process, or when it is back
            who(client)
        dead = int(crew.find(r"WORKER-PROCESS-DIED process=\d+ pid=(\d+) "
                             r'reason="SIGSEGV" lived_ms=\d+')[0])
        assert crew.find(r"WORKER-PROCESS-AGAIN process=(\d+) pause_ms=100")
        alive = [pid for pid in pids(crew, 3) if pid != dead]
        hoist.soon(workers=2)
        assert who(victim) in alive
        assert not is_there(dead)  # no zombie either


def test_a_process_that_dies_costs_one_try_however_many_threads_it_has():
    with Hoist() as hoist, supervised(hoist, processes=2, threads=32) as crew:
        client = enter(hoist)
        for deaths in range(1, 6):
            assert asks(client, "end once") == "2"
            crew.find("WORKER-PROCESS-DIED", deaths)
            hoist.soon(workers=64)


def test_one_that_dies_again_and_again_is_started_ever_later():
    with Hoist() as hoist, supervised(hoist, processes=1) as crew:
        client = enter(hoist)
        for count in range(1, 4):
            says(client, "exit")
            assert error_of(client) == "Internal server error"
            crew.find("WORKER-PROCESS-AGAIN", count)
            hoist.soon(workers=1)
        assert crew.find(r"WORKER-PROCESS-DIED .* reason=\"exit status (\d)\"") == ["3"] * 3
        assert crew.find(r"pause_ms=(\d+)") == ["100", "200", "400"]


def test_a_crash_is_one_where_whoever_started_us_ignores_how_children_end():
    def ignore():
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with Hoist() as hoist, supervised(hoist, processes=1, preexec_fn=ignore) as crew:
        first, = pids(crew, 1)
        os.kill(first, signal.SIGKILL)
        crew.find(rf'WORKER-PROCESS-DIED process=1 pid={first} reason="SIGKILL"')
        pids(crew, 2)
        hoist.soon(workers=1)
        assert "WORKER-PROCESS-ENDED" not in crew.log()


def test_one_that_is_told_to_end_is_replaced_and_loses_nothing():
    with Hoist() as hoist, supervised(hoist) as crew:
        first, _ = pids(crew, 2)
        clients = [enter(hoist) for _ in range(8)]
        for client in clients:
            says(client, "slow")
        hoist.soon(requests_in=16)
        os.kill(first, signal.SIGTERM)
        assert all(hears(client) == "slow" for client in clients)
        crew.find(f"WORKER-PROCESS-ENDED process=1 pid={first}")
        assert len(pids(crew, 3)) == 3
        hoist.soon(workers=2)


def test_a_stop_drains_them_all():
    with Hoist() as hoist, supervised(hoist) as crew:
        children = pids(crew, 2)
        clients = [enter(hoist) for _ in range(8)]
        for client in clients:
            says(client, "slow")
        hoist.soon(requests_in=16)
        crew.process.terminate()
        crew.ends()
        assert all(hears(client) == "slow" for client in clients)
        assert not any(is_there(pid) for pid in children)
        assert crew.log().count("WORKER-PROCESS-ENDED") == 2
        assert "WORKER-PROCESS-DIED" not in crew.log()


def test_an_interrupt_of_the_whole_terminal_is_one_stop():
    with Hoist() as hoist, supervised(hoist) as crew:
        client = enter(hoist)
        says(client, "slow")
        hoist.soon(requests_in=2)
        for pid in [*pids(crew, 2), crew.process.pid]:
            os.kill(pid, signal.SIGINT)
        assert hears(client) == "slow"
        crew.ends()
        assert "WORKER-DRAIN-CUT" not in crew.log()


def test_one_that_hangs_is_killed_when_the_time_to_drain_is_over():
    with Hoist() as hoist, supervised(hoist, flags=["--drain=100"]) as crew:
        client = enter(hoist)
        says(client, "hang")
        hoist.soon(requests=1, waiting=0)
        crew.process.terminate()
        crew.status = 1
        crew.ends(1)
        assert error_of(client) == "Internal server error"
        assert len(crew.find(r"WORKER-PROCESS-KILLED .* after_ms=\d{4,}")) == 1, crew.log()
        assert 'reason="SIGKILL"' in crew.log()
        assert not any(is_there(pid) for pid in pids(crew, 2))


def test_nobody_outlives_a_supervisor_that_is_killed():
    with Hoist() as hoist, supervised(hoist) as crew:
        client = enter(hoist)
        says(client, "hang")  # not even who hangs
        hoist.soon(requests=1, waiting=0)
        children = pids(crew, 2)
        crew.process.kill()
        until(lambda: not any(runs(pid) for pid in children), "the processes to end")
        hoist.soon(workers=0)


def test_sighup_reloads_each():
    with Hoist() as hoist, supervised(hoist) as crew:
        pids(crew, 2)
        clients = [enter(hoist) for _ in range(16)]
        crew.process.send_signal(signal.SIGHUP)
        crew.find("WORKER-RELOADED handler=yes", 2)
        crew.find("WORKER-RELOADED processes=2")
        assert all(asks(client, "reloads") == "1" for client in clients)


def test_each_process_is_told_that_it_starts_also_one_that_is_started_again():
    with Hoist() as hoist, supervised(hoist, processes=1) as crew:
        client = enter(hoist)
        first, = pids(crew, 1)
        assert asks(client, "starts") == f"1 in {first}"
        says(client, "exit")
        assert error_of(client) == "Internal server error"
        second = pids(crew, 2)[1]
        hoist.soon(workers=1)
        assert asks(client, "starts") == f"1 in {second}"


def test_each_process_is_told_that_it_ends_and_their_supervisor_is_not():
    with Hoist() as hoist, supervised(hoist) as crew:
        client = enter(hoist)
        children = pids(crew, 2)
        says(client, "exit")  # which is no end in order
        assert error_of(client) == "Internal server error"
        children += pids(crew, 3)[2:]
        hoist.soon(workers=2)
        crew.process.terminate()
        crew.ends()
        ended = [int(pid) for pid in re.findall(r"CREW-ENDED pid=(\d+)", crew.log())]
        assert len(ended) == 2 and set(ended) < set(children), (ended, children)


def test_each_has_metrics_at_a_port_of_its_own():
    with Hoist() as hoist, supervised(hoist, flags=["--metrics=0"]) as crew:
        addresses = crew.find(r"WORKER-LISTENING metrics=(\S+)", 2)
        assert len(set(addresses)) == 2
    first = free_port()
    with Hoist() as hoist, supervised(hoist, processes=1, flags=[f"--metrics={first}"]) as crew:
        assert crew.find(r"WORKER-LISTENING metrics=(\S+)") == [f"127.0.0.1:{first}"]


def ends_with(status, *flags):
    ended = subprocess.run([CREW, "--processes=2", *flags], stderr=subprocess.PIPE,
                           timeout=2 * WAIT_S, text=True)
    assert ended.returncode == status, ended
    return ended.stderr


def test_a_wrong_setting_ends_the_run_and_nothing_is_started_again():
    assert "--processes" in ends_with(2, "--processes=65")
    said = ends_with(2, "--curve-broker=" + "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7")
    assert "curve-key is missing" in said and said.count("\n") == 1
    said = ends_with(2, "--metrics=65535")
    assert "metrics has no port for each process" in said and said.count("\n") == 1
    said = ends_with(1, "--broker=ipc:///tmp/" + "x" * 200)
    assert 'WORKER-FAILED error="File name too long"' in said
    assert "WORKER-PROCESS-AGAIN" not in said


def test_a_process_that_the_program_stops_itself_is_started_again():
    with Hoist() as hoist, supervised(hoist, processes=1) as crew:
        first = pids(crew, 1)
        client = enter(hoist)
        assert asks(client, "stop") == "stopping"
        second = pids(crew, 2)[1:]
        assert who(client) in second and first != second


if __name__ == "__main__":
    run(sys.modules[__name__])
