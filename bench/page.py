#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The tables and plots of docs/performance.md, made of docs/performance/results.json.
In the page a table stands between <!-- NAME --> and <!-- /NAME -->.

    bench/page.py                       write them anew
    bench/page.py --take RESULTS        of another run, what bench/run.py wrote; of one of
                                        some parts those, and the others stay
    bench/page.py --check               exit status 1: they are not what is made of it
"""
import argparse
import json
import pathlib
import re
import sys

import curves
import plot
import sizes
import targets

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/performance.md"
FOLDER = ROOT / "docs/performance"
RESULTS = FOLDER / "results.json"
DIGITS = 5  # of a figure that are kept
BUSY = 3  # load before a run: others are at work, too
OF_A_RUN = {"machine", "date", "rounds", "seconds", "later"}  # all else are its parts

short = plot.short


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def percent(share):
    return f"{100 * share:.1f} %"


# --- tables -------------------------------------------------------------------

def machine(results):
    of = results["machine"]
    loads = " and ".join(f"{of[key][0]:.1f}" for key in ("load", "load_after"))
    shared = (" Other programs used the machine meanwhile. That lengthens all times, and "
              "CPU as well, where caches are shared: only large differences say "
              "something.") if of["load"][0] > BUSY else ""
    return (f"Taken on {results['date']}: {of['cores']} cores of {of['processor'].strip()}, "
            f"Linux {of['kernel']}; load average at the beginning and at the end {loads} "
            f"(at the end the benchmarks' own is in it). {results['rounds']} rounds of "
            f"{results['seconds']:g} s, medians.{shared}{later_parts(results)}"
            f"{missing_peers(results)}")


def later_parts(results):
    """Which parts are of other runs, and what else the machine did then."""
    runs = {}
    for part, run in results.get("later", {}).items():
        runs.setdefault((run["date"], run["load"]), []).append(part)
    return "".join(f" Of another run, on {date} with a load of {load:.1f} before it: "
                   f"{', '.join(parts)}." for (date, load), parts in runs.items())


def missing_peers(results):
    """Where what is optional was not installed."""
    without = [part for part, names in (("echo", results["echo"]["1 x 1"]),
                                        ("trips", results["trips"])) if "NATS" not in names]
    return f" Taken without NATS: {', '.join(without)}." if without else ""


def target_rows(results):
    return table(["What", "Wanted", "Measured", ""],
                 [[t.what, t.wanted, short(t.value) + t.unit + t.beside, t.verdict]
                  for t in targets.all_of(results)])


def echo(results):
    rows = []
    for scenario, servers in results["echo"].items():
        for name, r in servers.items():
            ratio = short(r["ratio"]) if len(servers) > 1 else ""
            rows.append([scenario, name, short(r["replies_per_s"]), short(r["p50_us"]),
                         short(r["p99_us"]), short(r["cpu_us_total"]), ratio])
    return table(["Scenario", "Server", "Replies/s", "p50 µs", "p99 µs", "CPU µs", "Ratio"],
                 rows)


def trips(results):
    return table(["Path", "p50 µs", "p99 µs", "p50 by that of the hops"],
                 [[name, short(r["p50_us"]), short(r["p99_us"]), short(r["ratio"])]
                  for name, r in results["trips"].items()])


def idle(results):
    return table(["Connections", "Gateway KB each", "Broker KB each", "Gateway, of a core",
                  "A ping, µs of CPU"],
                 [[f"{int(count):,}", short(r["connection_kb"]["gateway"]),
                   short(r["connection_kb"]["broker"]), percent(r["cores"]["gateway"]),
                   short(r["ping_us"]["gateway"])]
                  for count, r in results["idle"]["connections"].items()])


def crowd(results):
    of = results["crowd"]
    rows = [[f"{what}, {unit}", *(words(cells[kind]) for kind in ("gateway", "broker")),
             words(sum(cells.values()))]
            for what, row in (("with none", of["empty"]), ("with all", of["full"]))
            for unit, words, cells in (
                ("MB", lambda kb: short(kb / 1000), row["rss_kb"]),
                ("of a core", lambda share: f"{100 * share:.2f} %", row["cores"]))]
    return table([f"{of['connections']:,} connections", f"{of['gateways']} gateways", "Broker",
                  "All"], rows)


def openings(results):
    return table(["Server", "Opened/s", "CPU µs", "Rate by the best bare one's"],
                 [[name, short(r["per_s"]), short(r["cpu_us"]), short(r["ratio"])]
                  for name, r in results["idle"]["openings"].items()])


def scale(results):
    return table(["Brokers", "Gateways", "Workers", "Replies/s", "Of ideal", "Handler µs",
                  "Busy, least", "most"],
                 [[r["brokers"], r["gateways"], r["workers"], short(r["per_s"]),
                   percent(r["of_ideal"]), short(r["handler_us"]), percent(min(r["busy"])),
                   percent(max(r["busy"]))] for r in results["scale"]])


def loops(results):
    return table(["Messages", "Gateway", "Replies/s", "p50 µs", "p99 µs", "Gateway's CPU µs",
                  "CPU of all µs", "Of the gateway's, the least busy loop"],
                 [[scenario, name, short(r["replies_per_s"]), short(r["p50_us"]),
                   short(r["p99_us"]), short(r["gateway_us"]), short(r["total_us"]),
                   percent(r["least_loop"])]
                  for scenario, rows in results["loops"].items() for name, r in rows.items()])


CORE_BY = {curves.FRAMES: "messages of a worker in a turn"}


def core(results):
    return table(["By", "How many", "Instructions", "Lines", "ns a message", "Messages/s",
                  "Allocations", "Bytes a connection"],
                 [[CORE_BY.get(what, what), f"{r[what]:,}", short(r["instructions"]),
                   f"{r['lines']:.1f}", short(r["ns"]), short(1e9 / r["ns"]),
                   f"{r['allocations']:.4f}", short(r["connection_bytes"])]
                  for what, rows in results["curves"].items() for r in rows])


def inside(results):
    return table(["Operation", "ns", "Bytes", "Allocations"],
                 [[r["name"], short(r["ns"]), short(r["bytes"]), short(r["allocations"])]
                  for r in results["inside"].values()])


def costs(results):
    columns = ("gateway", "broker", "worker", "redis")
    return table(["Of", *(name.capitalize() for name in columns)],
                 [[what, *(short(row[name]) if name in row else "" for name in columns)]
                  for what, row in sizes.costs(results).items()])


def size_rows(results):
    return table(["", *(f"{n:,}" for n in sizes.CONNECTIONS)],
                 [[what, *cells] for what, cells in sizes.rows(results).items()])


def fanout(results):
    rows = []
    for scenario, servers in results["fanout"]["cost"].items():
        for name, r in servers.items():
            rows.append([scenario, name, short(r["deliveries_per_s"]),
                         short(r["last_p50_us"] / 1000), short(r["cpu_us_total"])])
    return table(["Members", "Server", "Deliveries/s", "Last, p50 ms", "CPU µs"], rows)


TABLES = {"machine": machine, "targets": target_rows, "echo": echo, "trips": trips,
          "idle": idle, "crowd": crowd, "openings": openings, "scale": scale, "loops": loops,
          "core": core, "inside": inside, "fanout": fanout, "costs": costs,
          "sizes": size_rows}


# --- the page -----------------------------------------------------------------

def filled(page, results):
    """The page, with its tables as the results say."""
    for name, made in TABLES.items():
        pattern = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.S)
        if len(pattern.findall(page)) != 1:
            sys.exit(f"{PAGE.name} has not one place for {name}")
        words = made(results)
        page = pattern.sub(lambda found, w=words: f"{found[1]}{w}\n{found[2]}", page)
    return page


def rounded(value):
    if isinstance(value, dict):
        return {key: rounded(of_it) for key, of_it in value.items()}
    if isinstance(value, list):
        return [rounded(of_it) for of_it in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def merged(before, taken):
    """A run of all parts, or of some in place of those of the run before."""
    parts = set(taken) - OF_A_RUN
    if parts >= set(before) - OF_A_RUN:
        return taken
    run = {"date": taken["date"], "load": taken["machine"]["load"][0]}
    return before | {part: taken[part] for part in parts} | {
        "later": before.get("later", {}) | {part: run for part in sorted(parts)}}


def made():
    """What each file is to have in it."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    files = {FOLDER / name: drawn for name, drawn in plot.plots(results).items()}
    return files | {PAGE: filled(PAGE.read_text(encoding="utf-8"), results)}


def differing():
    for path, wanted in made().items():
        if not path.is_file() or path.read_text(encoding="utf-8") != wanted:
            yield f"{path.relative_to(ROOT)} is not what bench/page.py makes of the results"
    for path in FOLDER.iterdir():
        if path != RESULTS and path.name not in plot.PLOTS:
            yield f"{path.relative_to(ROOT)} is made by nobody"
        if path.suffix == ".svg" and f"(performance/{path.name})" not in PAGE.read_text(
                encoding="utf-8"):
            yield f"{PAGE.name} does not show {path.name}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("--take", type=pathlib.Path, metavar="RESULTS")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if options.check:
        wrong = list(differing())
        print("\n".join(wrong))
        return 1 if wrong else 0
    FOLDER.mkdir(exist_ok=True)
    if options.take:
        before, taken = (json.loads(path.read_text(encoding="utf-8"))
                         for path in (RESULTS, options.take))
        RESULTS.write_text(json.dumps(rounded(merged(before, taken)), indent=1) + "\n",
                           encoding="utf-8")
    for path, wanted in made().items():
        path.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
