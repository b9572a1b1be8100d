# SPDX-License-Identifier: MIT
"""scripts/run.sh: what `make run` starts, and that Ctrl-C ends all of it."""
import glob
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

from harness import BUILD, Client, run, until, WAIT_S

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")


def start(output, **settings):
    """The script on ports of its own, in a session of its own."""
    env = dict(os.environ, HOIST_LISTEN="127.0.0.1:0",
               HOIST_WORKERS="tcp://127.0.0.1:*", HOIST_DRAIN_TIME="1000")
    return subprocess.Popen(
        [ROOT + "/scripts/run.sh", os.path.abspath(BUILD)], env={**env, **settings},
        stdout=output, stderr=subprocess.STDOUT, start_new_session=True)


class Run:
    """The script, once it has started everything."""

    def __init__(self, **settings):
        self.output = tempfile.NamedTemporaryFile(prefix="hoist-run-")
        self.process = start(self.output, **settings)
        until(lambda: self.text().count("WORKER-READY") == 2, "two workers")
        until(lambda: "Ctrl-C" in self.text(), "the addresses")
        self.address = re.search(r"chat +http://(\S+)/", self.text()).group(1)

    def text(self):
        with open(self.output.name, encoding="utf-8") as output:
            return output.read()

    def children(self):
        """The pids beneath the script, each with what says it is still it."""
        listing = subprocess.run(["ps", "-e", "-o", "pid=,ppid=,args="], check=True,
                                 capture_output=True, text=True).stdout
        rows = [line.split(None, 2) for line in listing.splitlines()]
        return {int(pid): args for pid, parent, args in rows
                if int(parent) == self.process.pid}

    def stop(self, number):
        self.process.send_signal(number)
        return self.process.wait(WAIT_S)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        Client.close_all()
        if self.process.poll() is None:
            self.stop(signal.SIGTERM)
        if kind is not None:
            print(self.text())
        self.output.close()


def fetch(address, path="/"):
    with urllib.request.urlopen(f"http://{address}{path}", timeout=WAIT_S) as answer:
        return answer.status, answer.read().decode()


def marked(mark):
    """The processes that have mark in their environment."""
    for environment in glob.glob("/proc/[0-9]*/environ"):
        try:
            with open(environment, "rb") as variables:
                if mark.encode() in variables.read().split(b"\0"):
                    yield environment
        except OSError:  # it has ended, or is not ours
            pass


def is_there(pid):
    return os.path.exists(f"/proc/{pid}")


def test_run_serves_the_chat_page_and_both_workers():
    with Run() as started:
        status, page = fetch(started.address)
        assert status == 200 and "hoist chat" in " ".join(page.split())
        for path in re.findall(r'(?:href|src)="([^"]+)"', page):
            assert fetch(started.address, "/" + path)[0] == 200, path
        client = Client(started.address, "/?name=Ada").opened()
        assert client.status == 101
        client.send('{"action":"echo","hello":1}')
        assert client.recv() == (1, b'{"action":"echo","hello":1}')


def test_settings_of_the_log_do_not_keep_it_from_starting():
    for setting in ({"HOIST_LOG_FORMAT": "json"}, {"HOIST_LOG_LEVEL": "warn"}):
        with Run(**setting) as it:
            assert fetch(it.address)[0] == 200


def end_leaves_nothing(number):
    with Run() as started:
        children = started.children()
        programs = [args.split()[0].rsplit("/", 1)[-1] for args in children.values()]
        assert {"hoist", "chat", "echo"} <= set(programs), programs
        assert started.stop(number) == 0
        until(lambda: not any(map(is_there, children)), "the children to end")
        log = started.text()
        assert log.index("STOPPING") < log.index("WORKER-DRAINING"), log
        assert log.count("WORKER-STOPPED") == 2, log


def test_ctrl_c_ends_all_in_order_with_status_0():
    end_leaves_nothing(signal.SIGINT)


def test_so_does_sigterm():
    end_leaves_nothing(signal.SIGTERM)


def test_so_does_a_terminal_that_closes():
    end_leaves_nothing(signal.SIGHUP)


def test_a_second_ctrl_c_ends_all_at_once():
    with Run(HOIST_DRAIN_TIME="3600000") as started:
        children = started.children()
        client = Client(started.address, "/?name=Ada").opened()
        started.process.send_signal(signal.SIGINT)
        assert client.close_code() == 1012  # and the client does not answer
        started.process.send_signal(signal.SIGINT)
        assert started.process.wait(WAIT_S) == 0
        until(lambda: not any(map(is_there, children)), "the children to end")
        assert "ended at once" in started.text()
        assert "Killed" not in started.text()


def test_ctrl_c_at_any_moment_of_the_start_ends_all():
    """Bash drops a SIGINT that comes as a program in its foreground ends."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    moments = random.Random(seed)
    for turn in range(30):
        mark = f"RUN_TEST={os.getpid()}-{turn}"
        with tempfile.TemporaryFile() as output:
            process = start(output, RUN_TEST=mark.partition("=")[2])
            time.sleep(moments.uniform(0.01, 0.12))
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does
            process.wait(WAIT_S)
        assert not os.path.exists(f"{BUILD}/run.{process.pid}.log"), process.pid
        until(lambda: not any(marked(mark)), f"all of {process.pid} to end")


def test_a_port_in_use_is_said_with_the_way_out():
    with Run() as first, tempfile.TemporaryFile() as output:
        assert start(output, HOIST_LISTEN=first.address).wait(WAIT_S) == 1
        output.seek(0)
        said = output.read().decode()
        assert "START-FAILED" in said and "to use other ports" in said, said


if __name__ == "__main__":
    run(sys.modules[__name__])
