# SPDX-License-Identifier: MIT
"""What bash completes is what the help says: commands, verbs and options."""
import pathlib
import re
import subprocess
import sys

from harness import *

HOIST = BUILD + "/cli/hoist"
FILE = pathlib.Path(__file__).resolve().parents[2] / "cli/hoist.bash"
SERVERS = ("serve", "gateway", "broker")


def completed(*words):
    """What Tab would offer behind these words, the last of which has begun."""
    script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _hoist; '
              'printf "%s\\n" "${COMPREPLY[@]}"')
    run_it = subprocess.run(["bash", "-u", "-c", script, "bash", FILE, HOIST, *words],
                            check=True, timeout=WAIT_S, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)
    assert run_it.stderr == "", run_it.stderr
    return sorted(run_it.stdout.split())


def help_of(*words):
    return subprocess.run([HOIST, *words, "--help"], check=True, timeout=WAIT_S,
                          stdout=subprocess.PIPE, text=True).stdout


def commands():
    return re.findall(r"^  ([a-z]+)  ", help_of(), re.M)


def flags(*words):
    return sorted(re.findall(r"^  (--[a-z-]+)", help_of(*words), re.M))


def test_commands_are_those_of_the_help():
    assert {"serve", "status", "top", "connections", "send", "dead"} <= set(commands())
    assert completed("") == sorted(commands())
    assert completed("help", "") == sorted(commands())
    assert completed("sta") == ["status"]
    assert completed("x") == []


def test_verbs_are_those_of_the_help():
    assert completed("connections", "") == ["close", "get", "list"]
    assert completed("connections", "c") == ["close"]
    assert completed("dead", "") == ["drop", "list", "retry", "show"]
    assert completed("store", "") == ["check", "init", "watch"]


def test_options_are_those_of_the_help():
    for words in [("status",), ("top",), ("routes",), ("groups",), ("send",),
                  ("connections", "list"), ("connections", "get"),
                  ("connections", "close"), *((server,) for server in SERVERS)]:
        assert len(flags(*words)) >= 3, words
        assert completed(*words, "-") == flags(*words), words
        assert completed(*words, "--admin", "x", "--js") == \
            [flag for flag in flags(*words) if flag == "--json"], words


def test_values_and_words_of_people():
    assert completed("groups", "--type", "") == ["all", "group", "tenant", "user"]
    assert completed("groups", "--type", "=", "t") == ["tenant"]
    assert completed("groups", "--type", "=") == ["all", "group", "tenant", "user"]
    assert completed("send", "hel") == []
    assert completed("dead", "list", "") == []


def test_every_verb_has_its_help():
    for words in [(command,) for command in commands() if command not in
                  ("version", "settings", "help")] + [("connections", "list")]:
        assert help_of(*words).startswith("usage: hoist " + " ".join(words)), words
        assert subprocess.run([HOIST, "help", words[0]], check=True, timeout=WAIT_S,
                              stdout=subprocess.PIPE, text=True).stdout \
            == help_of(words[0])


run(sys.modules[__name__])
