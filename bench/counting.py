# SPDX-License-Identifier: MIT
"""What valgrind counts of a program: a busy machine does not change it."""
import re
import subprocess

A_FRAME = 64  # messages of bench_gateway, and for each worker of bench_broker in a turn
A_TURN = 64 * A_FRAME  # of those for all workers, at most
TURNS = 8  # to be counted, at least
WHERE_IT_SAYS = ("--instr-atstart=no", "--collect-atstart=no")


def messages_of(workers=1, frame=A_FRAME):
    """To be counted: whole turns, and so many that single ones do not matter."""
    turn = min(workers * frame, A_TURN)
    return max(TURNS, -(-12800 // turn)) * turn


# Of a core: 48 KB nearest to it, and 2 MB of its own behind them.
CACHES = ("--I1=32768,8,64", "--D1=49152,12,64", "--LL=2097152,16,64")


def run(tool, command, *options):
    """What valgrind says of it."""
    done = subprocess.run(
        ["valgrind", f"--tool={tool}", *options, f"--{tool}-out-file=/dev/null", *command],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: {done.stdout}")
    return done.stdout


def figure(said, name):
    return int(re.search(rf"{name}:\s+([\d,]+)", said)[1].replace(",", ""))


def of_one(command_of, few, many):
    """Instructions of one operation."""
    less, more = (figure(run("cachegrind", command_of(count), "--cache-sim=no"), r"I\s+refs")
                  for count in (few, many))
    return (more - less) / (many - few)


def of_one_inside(command_of, messages):
    """Of a program that says what is to be counted (counted.h), instructions of a
    message.  It counts the second half."""
    said = run("callgrind", command_of(2 * messages), *WHERE_IT_SAYS)
    collected = figure(said, r"Collected ")
    if collected == 0:
        raise SystemExit(f"{command_of(0)[0]} was built without valgrind/callgrind.h")
    return collected / messages


def of_one_with_lines(command_of, messages):
    """The same, and the lines of memory that such caches did not have.  It does not matter
    whether somebody had to wait for one: what is fetched early counts, too."""
    said = run("callgrind", command_of(2 * messages), *WHERE_IT_SAYS, "--cache-sim=yes",
               *CACHES)
    return (figure(said, r"I\s+refs") / messages, figure(said, r"LLd\s+misses") / messages)
