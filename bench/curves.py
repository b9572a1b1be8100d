# SPDX-License-Identifier: MIT
"""What a message costs in the broker's core by how many connections, routes and
workers there are: bench_broker for each point."""
import json
import subprocess

# The others stay as they are in the first of a curve, but for routes, which many
# workers serve.
CURVES = {
    "connections": (10, 100, 1000, 10000, 100000, 1000000),
    "routes": (1, 10, 100, 1000, 10000),
    "workers": (1, 10, 100, 1000),
}
CONNECTIONS = 10000  # where they are not what changes


def measure_point(build, what, count):
    flags = {"connections": CONNECTIONS, "routes": 1, "workers": 1} | {what: count}
    done = subprocess.run([f"{build}/bench/bench_broker",
                           *(f"--{name}={value}" for name, value in flags.items())],
                          check=True, text=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def measure(build):
    report = {}
    print(f"\n{'the broker core, by':24}{'ns a message':>14}{'allocations':>13}"
          f"{'bytes a connection':>20}")
    for what, counts in CURVES.items():
        report[what] = [measure_point(build, what, count) for count in counts]
        for row in report[what]:
            print(f"  {row[what]:10} {what:11}{row['ns']:14.0f}{row['allocations']:13.4f}"
                  f"{row['connection_bytes']:20.0f}", flush=True)
    return report
