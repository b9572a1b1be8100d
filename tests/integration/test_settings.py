# SPDX-License-Identifier: MIT
"""The hoist program from outside: its settings and where they come from, what
it says about a wrong one, its commands, its signals and its exit status."""
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile

from harness import *

PORTS = ["--listen=127.0.0.1:0", "--workers=tcp://127.0.0.1:*"]


def hoist(*arguments, variables=None):
    """Run the program to its end."""
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith("HOIST_")}
    return subprocess.run([BUILD + "/cli/hoist", *arguments], timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, env={**environment, **(variables or {})})


def config(text):
    """A file with that text; it goes when it is closed."""
    file = tempfile.NamedTemporaryFile("w", suffix=".cfg")
    file.write(text)
    file.flush()
    return file


def assert_wrong(ended, *words):
    """One line that holds these words, and status 2."""
    assert ended.returncode == 2, ended
    assert ended.stdout == "", ended
    assert ended.stderr.count("\n") == 1, ended.stderr
    for word in words:
        assert word in ended.stderr, (word, ended.stderr)


def wins(flag=None, variable=None, line=None):
    """Which of three wrong values is complained about; all name 'stage'."""
    with config("" if line is None else f'stage = "{line}"\n') as file:
        arguments = ["serve", *PORTS, "--config", file.name]
        if flag is not None:
            arguments.append("--stage=" + flag)
        variables = {} if variable is None else {"HOIST_STAGE": variable}
        return hoist(*arguments, variables=variables)


def limit_of(*flags, variables=None):
    """The most bytes that a running hoist takes in a message."""
    for name, value in (variables or {}).items():
        os.environ[name] = value
    try:
        with Hoist("--drain-time=0", *flags) as running:
            for size in (10, 20, 30, 40):
                client = Client(running.address).opened()
                client.frame(2, b"x" * (size + 1))
                first = client.recv()
                if first[0] == 8:
                    assert struct.unpack(">H", first[1][:2])[0] == 1009
                    return size
        return None
    finally:
        for name in variables or {}:
            del os.environ[name]


def test_only_what_has_won_is_looked_at():
    with config("max-frame = none\nstage = \"a/b\"\n") as file:
        by_file = ["serve", *PORTS, "--config", file.name]
        assert_wrong(hoist(*by_file, "--stage=ok"), "max-frame", "'none'")
        assert_wrong(hoist(*by_file, "--max-frame=5"), "stage", "'a/b'")
        by_variable = {"HOIST_ADMIN": "127.0.0.1:9100,127.0.0.1:9101", "HOIST_MAX_FRAME": "0"}
        assert_wrong(hoist("serve", *PORTS, "--max-frame=5", variables=by_variable),
                     "HOIST_ADMIN")
        assert_wrong(hoist(*by_file, "--max-frame=5", "--admin=", variables=by_variable),
                     "stage")
        with Hoist("--drain-time=0", "--config", file.name, "--max-frame=5", "--stage=ok"):
            pass


def test_one_setting_has_one_line():
    with config("stage = \"a\"\nmax-frame = 5\nstage = \"a\"\n") as file:
        assert_wrong(hoist("serve", *PORTS, "--config", file.name), file.name + ": stage",
                     "one line")


def test_a_wrong_store_is_a_wrong_setting_and_shows_no_password():
    for url, reason in [("memcached://a", "unknown store memcached"),
                        ("redis://u:hidden@host:none", "a port is a number"),
                        ("dynamodb://?hidden", "dynamodb")]:
        ended = hoist("serve", *PORTS, "--store", url)
        assert_wrong(ended, "--store: ", reason)
        assert "hidden" not in ended.stderr
        assert_wrong(hoist("broker", variables={"HOIST_STORE": url}), "HOIST_STORE: ", reason)


def test_a_setting_of_another_command_is_named_so():
    assert_wrong(hoist("gateway", "--workers=x"), "--workers: ", "of the broker, not of the gateway")
    assert_wrong(hoist("broker", "--listen=x"), "--listen: ", "of the gateway, not of the broker")


def test_who_said_it_is_named_where_two_settings_do_not_fit():
    assert_wrong(hoist("broker", variables={"HOIST_LIVENESS": "1000"}), "HOIST_LIVENESS: '1000'")


def test_a_flag_wins_over_a_variable_and_a_variable_over_the_file():
    with config("max-message = 10\n") as file:
        by_file = ["--config", file.name]
        by_variable = {"HOIST_MAX_MESSAGE": "20"}
        assert limit_of(*by_file) == 10
        assert limit_of(*by_file, variables=by_variable) == 20
        assert limit_of(*by_file, "--max-message=30",
                        variables=by_variable) == 30


def test_a_wrong_value_is_told_with_the_place_it_came_from():
    assert_wrong(wins(line="a/b"), "stage", "'a/b'", ".cfg")
    assert_wrong(wins(variable="c/d"), "HOIST_STAGE", "'c/d'")
    assert_wrong(wins(flag="e/f"), "--stage", "'e/f'")


def test_the_file_may_be_named_by_a_variable():
    with config("max-frame = many\n") as file:
        ended = hoist("serve", *PORTS, variables={"HOIST_CONFIG": file.name})
        assert_wrong(ended, file.name, "max-frame", "'many'")


def test_each_kind_of_wrong_value_is_one_line_and_status_2():
    cases = {
        "--max-frame=many": "whole number of bytes from 1 to 33554432",
        "--max-frame=": "whole number",
        "--max-frame=-1": "from 1",
        "--max-frame=1k": "whole number",
        "--max-frame=0": "from 1",
        "--max-frame=33554433": "to 33554432",
        "--max-frame=99999999999999999999": "to 33554432",
        "--request-timeout=3600001": "ms from 1 to 3600000",
        "--require-connect=maybe": "true or false",
        "--log-format=xml": "text or json",
        "--trace-sample=1.1": "a number from 0 to 1",
        "--trace-sample=-1": "a number from 0 to 1",
        "--trace-sample=1e-3": "a number from 0 to 1",
        "--trace-sample=half": "a number from 0 to 1",
        "--trace-sample=": "a number from 0 to 1",
        "--log-level=loud": "error, warn, info or debug",
        "--listen=nowhere": "ADDRESS:PORT",
        "--listen=:8080": "0.0.0.0:8080 for every address",
        "--listen=:0": "127.0.0.1:0 for this machine alone",
        "--listen=:": "ADDRESS:PORT",
        "--listen=127.0.0.1:65536": "port from 0 to 65535",
        "--listen=127.0.0.1:http": "port from 0 to 65535",
        "--admin=:9100": "127.0.0.1:9100 for this machine alone",
        "--admin=65536": "port from 0 to 65535",
        "--admin=nowhere": "ADDRESS:PORT",
        "--admin=127.0.0.1:0,127.0.0.1:0": "one ADDRESS:PORT, where this process listens",
        "--workers=127.0.0.1:5555": "tcp://ADDRESS:PORT",
        "--workers=tcp://": "tcp://ADDRESS:PORT",
        "--workers=tcp://:5555": "tcp://ADDRESS:PORT",
        "--workers=tcp://:*": "tcp://ADDRESS:PORT",
        "--workers=tcp://127.0.0.1": "tcp://ADDRESS:PORT",
        "--broker=tcp://a:1,": "1 to 64 of tcp://HOST:PORT",
        "--broker=tcp://a:*": "tcp://HOST:PORT",
        "--broker=tcp://[::1:5": "tcp://HOST:PORT",
        "--broker=inproc://a": "tcp://HOST:PORT",
        "--resolve-interval=never": "ms from 0 to 86400000",
        "--broker=tcp://a:1,tcp://b:1,tcp://a:1": "each once",
        "--static=/no/where": "a directory that can be read (No such file",
        "--static=" + __file__: "a directory that can be read (Not a dir",
        "--tls-cert=/no/where": "a file that can be read (No such file",
        "--tls-key=/": "a file that can be read (Is a directory)",
        "--route-selection-expression=$body": "$request.body",
        "--stage=a/b": "one segment",
        "--name=" + "n" * 65: "at most 64 bytes",
    }
    for flag, right in cases.items():
        name, value = flag.split("=", 1)
        is_between = name in ("--broker", "--resolve-interval")
        command = "gateway" if is_between else "serve"
        assert_wrong(hoist(command, flag), name, f"'{value}'", right)


def test_a_list_of_brokers_has_its_limits():
    brokers = ",".join(["ipc://a"] * 65)
    assert_wrong(hoist("gateway", "--broker=" + brokers), "--broker")


def test_settings_that_do_not_fit_together_are_wrong():
    assert_wrong(hoist("serve", "--liveness=1999"), "--liveness", "'1999'",
                 "--heartbeat of 1000")
    assert_wrong(hoist("serve", "--tls-cert=" + __file__), "--tls-key")
    assert_wrong(hoist("serve", "--tls-key=" + __file__), "--tls-cert")
    for of in ("handshake", "address", "message", "byte"):
        assert_wrong(hoist("serve", f"--{of}-burst=7"), f"--{of}-rate: '0'",
                     f"a rate, since --{of}-burst is 7")


def test_a_flag_that_is_not_there_or_lacks_its_value_is_wrong():
    assert_wrong(hoist("serve", "--no-such"), "--no-such", "--help")
    assert_wrong(hoist("serve", "stray"), "stray", "--help")
    assert_wrong(hoist("serve", "-x"), "-x", "--help")
    assert_wrong(hoist("broker", "--listen=127.0.0.1:0"), "--listen")
    assert_wrong(hoist("gateway", "--workers=tcp://127.0.0.1:*"), "--workers")
    assert_wrong(hoist("serve", "--max-frame"), "--max-frame", "bytes")
    assert_wrong(hoist("serve", "--config"), "--config", "a file")


def test_a_misspelt_name_is_told_with_the_right_one():
    assert_wrong(hoist("serve", "--max-frames=3"), "did you mean --max-frame?")
    assert_wrong(hoist("serve", "--stages"), "did you mean --stage?")
    with config("maxframe = 10\n") as file:
        ended = hoist("serve", "--config", file.name)
        assert_wrong(ended, file.name, "'maxframe' is no setting",
                     "did you mean max-frame?")
        assert "'10'" not in ended.stderr  # the value is not what is wrong
    with config("port = 10\n") as file:
        ended = hoist("serve", "--config", file.name)
        assert_wrong(ended, "'port' is no setting", "`hoist settings`")
        assert "did you mean" not in ended.stderr


def test_what_lies_between_gateway_and_broker_is_no_flag_of_serve():
    for flag in ("--broker", "--gateways"):
        assert_wrong(hoist("serve", flag + "=tcp://127.0.0.1:1"), flag, "not with serve")
        assert_wrong(hoist("serve", flag, "tcp://127.0.0.1:1"), flag, "not with serve")


def test_it_is_harmless_to_serve_where_others_read_it_too():
    of_workers = {"HOIST_BROKER": "tcp://10.0.0.1:5555,tcp://10.0.0.2:5555"}
    with config('broker = "tcp://127.0.0.1:1"\n') as file:
        ended = hoist("serve", "--config", file.name, "--stage=/", variables=of_workers)
        assert_wrong(ended, "--stage")  # so the rest was right


def test_true_or_false_may_follow_its_flag_in_the_same_argument_or_the_next():
    for word in ("true", "yes", "on", "1", "false", "no", "off", "0"):
        for flag in (["--require-connect=" + word], ["--require-connect", word]):
            assert_wrong(hoist("serve", *flag, "--stage=/"), "--stage")
    assert_wrong(hoist("serve", "--require-connect", "--stage=/"), "--stage")
    assert_wrong(hoist("serve", "--require-connect", "maybe"),
                 "--require-connect", "'maybe'", "true or false")
    assert_wrong(hoist("serve", "--require-connect", "false", "stray"), "stray")


def handshake_without_workers(*flags):
    """The status that a client hears of a server that has no worker."""
    with Hoist("--drain-time=0", "--request-timeout=200", *flags) as running:
        return Client(running.address).opened().status


def test_true_or_false_is_what_counts():
    assert handshake_without_workers("--require-connect") == 503
    assert handshake_without_workers("--require-connect", "yes") == 503
    assert handshake_without_workers("--require-connect", "off") == 101


def test_a_file_that_cannot_be_used_is_wrong():
    assert_wrong(hoist("serve", "--config=/no/such"), "--config", "'/no/such'",
                 "No such file")
    ended = hoist("serve", variables={"HOIST_CONFIG": "/no/such"})
    assert_wrong(ended, "HOIST_CONFIG: '/no/such'", "No such file")
    ended = hoist("serve", "--config=/no/such", variables={"HOIST_CONFIG": "/no"})
    assert_wrong(ended, "--config: '/no/such'")
    with tempfile.TemporaryDirectory() as folder:
        assert_wrong(hoist("serve", "--config=" + folder), "--config", folder,
                     "Is a directory")
    cases = {
        "max-frame = 10\n        deep = 1\n  odd = 2\n": "max-frame = 4096",
        'stage = "open\n': 'missing "',
        "max-frames = 10\n": "max-frames",
        "max-frame = 10\n    below = 1\n": "'below'",
        "max-frame = 10 20\n": "'10 20'",
        "max-frame\n": "max-frame",
        "max-frame = last": "'last'",
    }
    for text, word in cases.items():
        with config(text) as file:
            assert_wrong(hoist("serve", "--config", file.name), file.name, word)


def test_a_file_may_hold_nothing_and_end_without_a_newline():
    for text in ("", "#   nothing\n", "\n", "name = last"):
        with config(text) as file:
            ended = hoist("serve", "--config", file.name, "--stage=/")
            assert_wrong(ended, "--stage", "'/'")  # so the file was right


def test_a_file_may_serve_gateway_and_broker():
    with config("max-message = 10\nmax-workers = 5\n") as file:
        with Hoist("--config", file.name, command="broker"):
            pass


def test_an_unknown_command_is_told_and_status_2():
    ended = hoist("sevre")
    assert ended.returncode == 2 and ended.stdout == ""
    assert "'sevre'" in ended.stderr.splitlines()[0]
    assert "serve" in ended.stderr
    ended = hoist()
    assert ended.returncode == 2 and ended.stderr.startswith("usage"), ended


def test_a_wrong_store_is_not_shown_since_it_may_hold_a_password():
    ended = subprocess.run([BUILD + "/cli/hoist", "broker",
                            "--store=redis://u:sekret@h/?" + "x" * 1024],
                           stderr=subprocess.PIPE, text=True, timeout=WAIT_S)
    assert ended.returncode == 2 and "--store: '…' is wrong" in ended.stderr
    assert "sekret" not in ended.stderr, ended.stderr


def test_a_wrong_receiver_of_spans_is_not_shown_either():
    for value in ("otlp://u:sekret@h/", "http://", "http://h/ sekret"):
        ended = hoist("serve", "--trace-endpoint=" + value)
        assert ended.returncode == 2 and "sekret" not in ended.stderr, ended
        assert "--trace-endpoint: '…' is wrong; give http://" in ended.stderr, ended


def test_spans_need_a_receiver():
    ended = hoist("gateway", "--trace-sample=0.5")
    assert_wrong(ended, "--trace-endpoint", "''", "--trace-sample is not 0")


def test_help_shows_every_setting_with_its_default():
    for command in ("serve", "gateway", "broker"):
        ended = hoist(command, "--help", variables={"HOIST_MAX_FRAME": "7"})
        assert ended.returncode == 0 and ended.stderr == "", ended
        flags = re.findall(r"^  --", ended.stdout, re.M)
        defaults = re.findall(r"^      .* \[.*\]$", ended.stdout, re.M)
        assert len(flags) == len(defaults) + 1, ended.stdout  # but for --help
        assert max(map(len, ended.stdout.splitlines())) <= 80, ended.stdout
        assert hoist("help", command).stdout == ended.stdout
    assert hoist("help", "dead").stdout == hoist("dead", "--help").stdout != ""
    ended = hoist("help", "sevre")
    assert ended.returncode == 2 and "'sevre'" in ended.stderr, ended
    for words in (["help"], ["--help"], ["-h"]):
        ended = hoist(*words)
        assert ended.returncode == 0 and "gateway" in ended.stdout


def test_a_variable_that_nobody_reads_is_told_and_no_fault():
    os.environ.update(HOIST_MAXFRAME="7", HOIST_PORT="tcp://10.0.0.1:80")
    try:
        with Hoist() as running:
            log = running.log()
            assert "VARIABLE-UNKNOWN name=HOIST_MAXFRAME meant=HOIST_MAX_FRAME\n" in log
            assert "HOIST_PORT" not in log
    finally:
        del os.environ["HOIST_MAXFRAME"], os.environ["HOIST_PORT"]


def test_variables_of_others_are_not_misspelt():
    others = {"HOIST_MAX_FRAME": "7", "HOIST_BROKER": "tcp://127.0.0.1:5555",
              "HOIST_WINDOW": "9", "HOIST_SIGNALS": "on", "HOIST_CONFIG": "/dev/null"}
    os.environ.update(others)
    try:
        with Hoist(command="broker") as running:
            for name in others:
                assert f"name={name}" not in running.log()
    finally:
        for name in others:
            del os.environ[name]


def test_version_is_one_line():
    for word in ("version", "--version"):
        ended = hoist(word)
        assert ended.returncode == 0 and ended.stderr == ""
        assert re.fullmatch(r"hoist \d+\.\d+\.\d+\n", ended.stdout)


def assert_failed(ended, address):
    """Status 1, and one line of level error that names the address."""
    errors = [line for line in ended.stderr.splitlines() if " error " in line]
    assert ended.returncode == 1, ended
    assert len(errors) == 1 and "START-FAILED" in errors[0], ended.stderr
    assert address in errors[0] and "in use" in errors[0], errors
    assert "STATS" not in ended.stderr, ended.stderr


def test_a_port_in_use_is_an_error_in_one_line_and_status_1():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        assert_failed(hoist("serve", PORTS[1], "--listen=" + address), address)
        assert_failed(hoist("serve", PORTS[0], "--workers=tcp://" + address),
                      address)
        assert_failed(hoist("broker", PORTS[1], "--gateways=tcp://" + address),
                      address)


def end_by(number, command):
    with Hoist(command=command) as running:
        running.process.send_signal(number)
        assert running.process.wait(WAIT_S) == 0
        assert f"STOPPING signal={int(number)}" in running.log()


def test_sigterm_and_sigint_end_it_in_order():
    for command in ("serve", "broker"):
        for number in (signal.SIGTERM, signal.SIGINT):
            end_by(number, command)


def test_sigusr1_logs_the_counters():
    with Hoist() as running:
        assert running.stats("BROKER")["gateways"] == 1
        assert running.stats("GATEWAY")["connections"] == 0


def hangs_up(running, file, text, line, which="GATEWAY"):
    """SIGHUP with another file of settings, and the line that comes of it."""
    before = running.log().count(" SETTINGS-")
    file.seek(0)
    file.truncate()
    file.write(text)
    file.flush()
    running.process.send_signal(signal.SIGHUP)
    until(lambda: running.log().count(" SETTINGS-") > before, "what came of SIGHUP")
    assert line in running.log(), running.log()
    running.stats(which)  # told to it behind the settings


def handshake(running):
    """The status of one more that stays."""
    return Client(running.address).opened().status


def test_sighup_ends_nothing_and_reads_limits_of_admission_again():
    with config("") as file:
        with Hoist("--drain-time=0", "--config", file.name) as running:
            assert handshake(running) == 101
            hangs_up(running, file, "max-connections = 2\naddress-connections = 5\n",
                     "info SETTINGS-READ changed=max-connections,address-connections "
                     "restart=none")
            assert [handshake(running), handshake(running)] == [101, 503]
            hangs_up(running, file, 'max-connections = 9\norigins = "https://a.example"\n',
                     "SETTINGS-READ changed=origins,max-connections,address-connections "
                     "restart=none")
            assert handshake(running) == 403
            assert running.process.poll() is None


def test_sighup_says_what_waits_for_a_restart():
    with config("") as file:
        with Hoist("--drain-time=0", "--config", file.name, "--byte-rate=9") as running:
            hangs_up(running, file, "stage = prod\nlog-level = debug\nbyte-rate = 5\n",
                     "SETTINGS-READ changed=log-level restart=stage")
            hangs_up(running, file, "stage = prod\n",
                     "SETTINGS-READ changed=log-level restart=stage")
            hangs_up(running, file, "", "SETTINGS-READ changed=none restart=none")


def test_sighup_says_when_descriptors_are_too_few_for_what_has_changed():
    with config("") as file:
        with Hoist("--drain-time=0", "--max-workers=10", "--max-gateways=10",
                   "--max-connections=10", "--config", file.name) as running:
            hangs_up(running, file, "max-handshakes = 20\nbyte-rate = 5\n",
                     "SETTINGS-READ changed=max-handshakes,byte-rate")
            assert "DESCRIPTORS-FEW" not in running.log()
            pid = running.process.pid
            most = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (6000, most))
            hangs_up(running, file, "max-handshakes = 200000\n",
                     "SETTINGS-READ changed=max-handshakes,byte-rate restart=none")
            assert "warn DESCRIPTORS-FEW limit=6000 wanted=205150\n" in running.log()


def of_descriptors(limit, *flags):
    """What is said of them where there may be so many."""
    with Hoist(*flags, inside=("prlimit", f"--nofile={limit}:{limit}")) as running:
        return re.findall(r"\w+ DESCRIPTORS-.*", running.log())


def test_who_has_not_said_how_many_clients_come_is_not_warned():
    usual = 100000 + 10000 + 2 * 1000 + 4096 + 1024
    assert of_descriptors(7000) == [f"info DESCRIPTORS-LIMITED limit=7000 wanted={usual}"]
    assert of_descriptors(6119) == [f"warn DESCRIPTORS-FEW limit=6119 wanted={usual}"]
    assert of_descriptors(7000, "--max-connections=100000") == \
        [f"warn DESCRIPTORS-FEW limit=7000 wanted={usual}"]
    assert of_descriptors(7000, "--max-connections=100", "--max-handshakes=100",
                          "--max-workers=10", "--max-gateways=10") == []


def test_sighup_keeps_all_where_something_is_wrong():
    with config("max-connections = 1\n") as file:
        with Hoist("--drain-time=0", "--config", file.name) as running:
            hangs_up(running, file, "max-connections = 2\nmax-frame = many\n",
                     'warn SETTINGS-KEPT error="' + file.name + ": max-frame: 'many' is wrong")
            hangs_up(running, file, "max-connections = 2\nbyte-burst = 2\n",
                     "warn SETTINGS-KEPT error=\"--byte-rate: '0' is wrong")
            assert [handshake(running), handshake(running)] == [101, 503]


def test_each_limit_that_can_be_read_again_is_taken():
    limits = ["max-connections", "max-handshakes", "address-connections", "address-bits",
              "handshake-rate", "handshake-burst", "address-rate", "address-burst",
              "message-rate", "message-burst", "byte-rate", "byte-burst", "max-groups"]
    with config("") as file:
        with Hoist("--drain-time=0", "--config", file.name) as running:
            hangs_up(running, file, "".join(f"{limit} = 33\n" for limit in limits),
                     "SETTINGS-READ changed=" + ",".join(limits) + " restart=none")
            assert handshake(running) == 101


def test_a_broker_has_nothing_to_change_but_its_log():
    with config("") as file:
        with Hoist("--drain-time=0", "--config", file.name, command="broker") as running:
            hangs_up(running, file, "max-connections = 2\nmax-workers = 3\n"
                     "log-level = debug\n", "SETTINGS-READ changed=log-level restart=max-workers",
                     which="BROKER")


run(sys.modules[__name__])
