# SPDX-License-Identifier: MIT
"""What a message costs in the broker's core by how many connections, routes and
workers there are, and by how many messages go together: bench_broker for each point, once
for its time and once under valgrind."""
import concurrent.futures
import json
import os
import subprocess

import counting

# Messages for a worker in a turn: what a frame costs, and so no level curve.
FRAMES = "frame"

# A worker has 1,024 routes at most.  Of many workers each has as many messages in a turn
# as one alone, where the broker reads so many in one: their frames are as large as they
# can be.
CURVES = {
    "connections": (10, 100, 1000, 10000, 100000, 1000000),
    "routes": (1, 10, 100, 1000, 10000),
    "workers": (1, 10, 100, 1000),
    FRAMES: (64, 16, 4, 1),
}
OTHERS = {"connections": 10000, "routes": 1, "workers": 1, FRAMES: counting.A_FRAME}
BESIDE = {"routes": {"workers": 10}, FRAMES: {"workers": 64}}


def level(report):
    """The curves of what is not to matter."""
    return {what: rows for what, rows in report.items() if what != FRAMES}


def flags_of(what, count):
    return OTHERS | BESIDE.get(what, {}) | {what: count}


def command_of(build, what, count, *more):
    return [f"{build}/bench/bench_broker",
            *(f"--{name}={value}" for name, value in flags_of(what, count).items()), *more]


def count_point(build, what, count):
    flags = flags_of(what, count)
    instructions, lines = counting.of_one_with_lines(
        lambda messages: command_of(build, what, count, f"--messages={messages}"),
        counting.messages_of(flags["workers"], flags[FRAMES]))
    return {"instructions": instructions, "lines": lines}


def count_all(build):
    """{(what, count): figures}, on all cores: nothing else is measured meanwhile."""
    points = [(what, count) for what, counts in CURVES.items() for count in counts]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        figures = pool.map(lambda point: count_point(build, *point), points)
        return dict(zip(points, figures))


def measure_point(build, what, count):
    done = subprocess.run(command_of(build, what, count), check=True, text=True,
                          stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def measure(build):
    counted = count_all(build)
    report = {}
    print(f"\n{'the broker core, by':24}{'instructions':>14}{'lines':>7}{'ns a message':>14}"
          f"{'allocations':>13}{'bytes a connection':>20}")
    for what, counts in CURVES.items():
        report[what] = []
        for count in counts:
            row = measure_point(build, what, count) | counted[what, count]
            report[what].append(row)
            print(f"  {count:10} {what:11}{row['instructions']:14.0f}{row['lines']:7.1f}"
                  f"{row['ns']:14.0f}{row['allocations']:13.4f}"
                  f"{row['connection_bytes']:20.0f}", flush=True)
    return report
