#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""All benchmarks that `make bench` runs, one part after the other: tables on standard
output, and JSON beside the build.

    bench/run.py BUILD [--rounds N] [--seconds S] [--parts NAME,NAME,…]
"""
import argparse
import json
import os
import signal
import sys
import time

import crowd
import curves
import echo
import fanout
import idle
import inside
import loops
import scale
import servers
import sizing
import stores
import trips

SHORT_FANOUTS = (100, 1000)  # members; 10,000 take long to open


def measure_stores(options):
    report = stores.measure(options.build, options.rounds, options.seconds)
    stores.show(report)
    return report


PARTS = {
    "echo": lambda o: echo.measure(o.build, o.rounds, o.seconds),
    "trips": lambda o: trips.measure(o.build, o.rounds, o.seconds),
    "idle": lambda o: idle.measure(o.build, o.rounds, o.seconds),
    "crowd": lambda o: crowd.measure(o.build),
    "scale": lambda o: scale.measure(o.build, o.rounds, o.seconds),
    "loops": lambda o: loops.measure(o.build, o.rounds, o.seconds),
    "curves": lambda o: curves.measure(o.build),
    "inside": lambda o: inside.measure(o.build),
    "sizing": lambda o: sizing.measure(o.build, o.seconds),
    "fanout": lambda o: fanout.measure(o.build, o.rounds, o.seconds / 4, SHORT_FANOUTS),
    "stores": measure_stores,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--parts", default=",".join(PARTS), help="of " + ", ".join(PARTS))
    options = parser.parse_args()
    parts = options.parts.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error("no part: " + ", ".join(sorted(unknown)))
    servers.raise_file_limit()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # and so do the servers
    report = {"machine": servers.machine(), "date": time.strftime("%Y-%m-%d"),
              "rounds": options.rounds, "seconds": options.seconds}
    path = f"{options.build}/bench/results.json"
    for part in parts:
        began = time.monotonic()
        report[part] = PARTS[part](options)
        report["machine"]["load_after"] = os.getloadavg()
        print(f"{part}: {time.monotonic() - began:.0f} s", flush=True)
        with open(path, "w", encoding="utf-8") as out:  # what is had is had
            json.dump(report, out, indent=1)
    print(f"JSON: {path}")


if __name__ == "__main__":
    main()
