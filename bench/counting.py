# SPDX-License-Identifier: MIT
"""What valgrind counts of a program: a busy machine does not change it."""
import re
import subprocess

A_FRAME = 64  # messages of bench_broker and bench_gateway: a run carries whole frames
FEW, MANY = 200 * A_FRAME, 400 * A_FRAME  # messages of those

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


def of_one(command_of, few=FEW, many=MANY):
    """Instructions of one operation."""
    less, more = (figure(run("cachegrind", command_of(count), "--cache-sim=no"), r"I\s+refs")
                  for count in (few, many))
    return (more - less) / (many - few)


def of_one_with_lines(command, messages):
    """Of a program that says what is to be counted (counted.h), instructions of a message
    and the lines of memory that such caches did not have.  It does not matter whether
    somebody had to wait for one: what is fetched early counts, too."""
    said = run("callgrind", command, "--instr-atstart=no", "--cache-sim=yes", *CACHES)
    return (figure(said, r"I\s+refs") / messages, figure(said, r"LLd\s+misses") / messages)
