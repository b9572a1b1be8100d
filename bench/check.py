#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Has anything become slower since somebody last looked?  Counts the instructions
of each operation of the benchmarks without sockets, which a busy machine does not
change, and compares them with bench/baseline.json.

    bench/check.py BUILD             exit status 1: something differs by more than 3 %
    bench/check.py BUILD --update    what is counted now is the baseline

valgrind counts a run and a longer one; the difference, by operations, is what one
costs.  Where the benchmark plays the peers of what it measures, it says what is to
be counted, and its own work is left out.
The counts are those of one compiler and C library: beside others there is
nothing to compare (exit status 77), until --update makes a baseline of them.
"""
import argparse
import concurrent.futures
import json
import os
import platform
import re
import subprocess
import sys

import counting

TOLERANCE = 0.03
BASELINE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "baseline.json")
SKIPPED = 77

IN_PROCESS = ("routing", "selection", "handler", "connection", "row", "conversion", "nothing",
              "middleware", "builtins", "rate limit", "idempotency", "validation", "legacy",
              "unlimited", "limited", "push", "member", "authorize", "connect", "ip filter",
              "metrics", "timeout", "bulkhead", "breaker", "shed", "retry")
# Connections, routes, workers.
BROKERS = ((1, 1, 1), (100, 1, 1), (10000, 1, 1), (100000, 1, 1),
           (10000, 1, 10), (10000, 100, 10), (10000, 10000, 10),
           (10000, 1, 100), (10000, 1, 1000))

SAMPLED = (0, 1)  # shares of the messages in the gateway


def rows_of(build):
    for key in IN_PROCESS:
        yield key, counting.of_one, (lambda ops, k=key: [
            f"{build}/bench/inproc", k, str(ops)]), 1000, 11000
    for connections, routes, workers in BROKERS:
        yield (f"broker, {connections} connections, {routes} routes, {workers} workers",
               counting.of_one_inside, lambda ops, c=connections, r=routes, w=workers: [
                   f"{build}/bench/bench_broker", f"--connections={c}", f"--routes={r}",
                   f"--workers={w}", f"--messages={ops}"], counting.messages_of(workers))
    for share in SAMPLED:
        yield (f"gateway, {share:.0%} of the messages sampled",
               counting.of_one_inside, lambda ops, s=share: [
                   f"{build}/bench/bench_gateway", f"--sampled={s}", f"--messages={ops}"],
               counting.messages_of())


def count_all(build):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = {name: pool.submit(*how) for name, *how in rows_of(build)}
        return {name: round(future.result(), 1) for name, future in counts.items()}


def toolchain(build):
    """What the counts depend on, besides the sources."""
    comment = subprocess.run(["readelf", "-p", ".comment", f"{build}/bench/inproc"],
                             check=True, stdout=subprocess.PIPE, text=True).stdout
    compiler = re.search(r"(GCC: .*|.*clang version.*)", comment)[1].strip()
    return f"{compiler}, {' '.join(platform.libc_ver())}, {platform.machine()}"


def compare(counts, baseline):
    """Prints a row each; returns how many differ."""
    wrong = 0
    print(f"{'instructions of an operation':52}{'now':>10}{'baseline':>10}{'change':>9}")
    for name, now in counts.items():
        before = baseline.get(name)
        change = now / before - 1 if before else 1
        is_wrong = abs(change) > TOLERANCE
        wrong += is_wrong
        print(f"  {name:50}{now:10.0f}{before or 0:10.0f}{change:9.1%}"
              f"{'  !' if is_wrong else ''}")
    return wrong


def write(chain, counts):
    with open(BASELINE, "w", encoding="utf-8") as file:
        json.dump({"toolchain": chain, "instructions": counts}, file, indent=1)
        file.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("build")
    parser.add_argument("--update", action="store_true")
    options = parser.parse_args()
    chain = toolchain(options.build)
    with open(BASELINE, encoding="utf-8") as file:
        baseline = json.load(file)
    if chain != baseline["toolchain"] and not options.update:
        print(f"the baseline is of {baseline['toolchain']}, this is {chain}")
        return SKIPPED
    counts = count_all(options.build)
    wrong = compare(counts, baseline["instructions"])
    if options.update:
        write(chain, counts)
        return 0
    if wrong:
        print(f"{wrong} differ by more than {TOLERANCE:.0%}.  If it is meant, or better:"
              f" bench/check.py {options.build} --update, and say why in the commit.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
