# SPDX-License-Identifier: MIT
"""What a message costs in the broker's core by how many connections, routes and
workers there are: bench_broker for each point, once for its time and once under
valgrind."""
import concurrent.futures
import json
import os
import subprocess

import counting

# The others stay as they are in the first of a curve, but for routes: a worker has
# 1,024 of them at most.
CURVES = {
    "connections": (10, 100, 1000, 10000, 100000, 1000000),
    "routes": (1, 10, 100, 1000, 10000),
    "workers": (1, 10, 100, 1000),
}
OTHERS = {"connections": 10000, "routes": 1, "workers": 1}
MANY_ROUTES = {"workers": 10}


def command_of(build, what, count, *more):
    flags = OTHERS | (MANY_ROUTES if what == "routes" else {}) | {what: count}
    return [f"{build}/bench/bench_broker",
            *(f"--{name}={value}" for name, value in flags.items()), *more]


def count_point(build, what, count):
    command = command_of(build, what, count, f"--messages={2 * counting.FEW}")
    instructions, lines = counting.of_one_with_lines(command, counting.FEW)
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
