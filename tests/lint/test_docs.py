#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The tables of docs/ say what the code says, no more and no less.

    HOIST_BUILD=build/release tests/lint/test_docs.py
"""
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = os.environ.get("HOIST_BUILD", "build/release")
HOIST = BUILD + "/cli/hoist"
WORKER = BUILD + "/workers/examples/echo"
PROGRAMS = ("base", "proto", "store", "trace", "broker", "gateway", "admin", "manage", "cli", "workers")
LEVELS = {"err": "error", "warn": "warn", "info": "info", "debug": "debug",
          "ERROR": "error", "WARN": "warn", "INFO": "info", "DEBUG": "debug"}

# log_warn("EVENT", and log_line(LEVEL_WARN, "EVENT", and log_braked(x, LEVEL_…
# and hoist_log(HOIST_LOG_WARN, "EVENT",
LOG_CALL = re.compile(r'log(?:_(err|warn|info|debug)\(|(?:_(?:line|braked|braked_from|pairs))?\('
                      r'[^;"]*?'
                      r'(?:LEVEL|LOG)_(\w+),)\s*("[A-Z][A-Z0-9-]+".*?)\);', re.S)


def run(*arguments):
    return subprocess.run([HOIST, *arguments], check=True, timeout=30,
                          stdout=subprocess.PIPE, text=True).stdout


def rows(text):
    """The cells of each row of Markdown tables, their heads left out."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line[1:-1].split("|")]
            for line in lines]


def page(name):
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def differences(where, documented, real):
    """What only one of two dictionaries has, or has otherwise."""
    for key in sorted(real.keys() - documented.keys()):
        yield f"{where}: {key} is missing: {real[key]}"
    for key in sorted(documented.keys() - real.keys()):
        yield f"{where}: {key} is gone from the code"
    for key in sorted(documented.keys() & real.keys()):
        if documented[key] != real[key]:
            yield f"{where}: {key} is {documented[key]}, the code says {real[key]}"


def order(where, names):
    if len(set(names)) != len(names):
        yield f"{where}: something is listed twice"


def settings_are_those_of_the_program():
    documented = {row[0].strip("`"): row for row in rows(page("settings.md"))}
    real = {row[0].strip("`"): row for row in rows(run("settings"))}
    yield from differences("settings.md", documented, real)


def help_says_what_the_table_says():
    """`--help` of each command: what is for it, and the same of each."""
    table = rows(page("settings.md"))
    for command in ("serve", "gateway", "broker"):
        found = re.findall(r"^  (--[\w-]+) (.*)  (HOIST_\w+)\n      (.*) \[(.*)\]$",
                           run(command, "--help"), re.M)
        shown = {flag: rest for flag, *rest in found if flag != "--config"}
        documented = {row[0].strip("`"):
                      [row[3], row[1].strip("`"), row[5], row[4].strip("`")]
                      for row in table if is_for(row, command)}
        yield from differences(f"settings.md, hoist {command}", documented, shown)


def chapters_of(text, heading, flag):
    """The flags below each heading, in their order."""
    lines = [re.match(f"{heading}|{flag}", line) for line in text.splitlines()]
    chapters = []
    for found in filter(None, lines):
        if found["title"]:
            chapters.append((found["title"], []))
        elif chapters:
            chapters[-1][1].append(found["flag"])
    return [(title, flags) for title, flags in chapters if flags]


def chapters_are_those_of_the_program():
    """settings.md, `hoist settings` and each --help have the same, in one order."""
    markdown = ("## (?P<title>.*)$", r"\| `(?P<flag>--[\w-]+)`")
    documented = chapters_of(page("settings.md"), *markdown)
    assert len(documented) > 5
    if chapters_of(run("settings"), *markdown) != documented:
        yield "settings.md: its chapters are not those of `hoist settings`"
    table = {row[0].strip("`"): row for row in rows(page("settings.md"))}
    for command in ("serve", "gateway", "broker"):
        shown = chapters_of(run(command, "--help"), "(?P<title>[A-Z].*):$",
                            r"  (?P<flag>--[\w-]+) ")
        wanted = [(title, [flag for flag in flags if is_for(table[flag], command)])
                  for title, flags in documented]
        if shown[:-1] != [(title, flags) for title, flags in wanted if flags]:
            yield f"settings.md: its chapters are not those of `hoist {command} --help`"


def is_for(row, command):
    if command == "serve":
        return "(not with serve)" not in row[5]
    return row[2] in (command, "both")


def known_variables_are_those_of_settings_and_workers():
    """base/variables.c: what is in neither list is told as a misspelling."""
    text = (ROOT / "base/variables.c").read_text(encoding="utf-8")
    known = set(re.findall(r'^    "(\w+)",$', text, re.M))
    read = {row[1].strip("`") for row in rows(page("settings.md"))} | {"HOIST_CONFIG"}
    options = subprocess.run([WORKER, "--help"], check=True, timeout=30,
                             stdout=subprocess.PIPE, text=True).stdout
    read |= set(re.findall(r"environment (\w+)", options))
    yield from differences("base/variables.c", dict.fromkeys(known, "read"),
                           dict.fromkeys((name[len("HOIST_"):] for name in read), "read"))


def counter_tables():
    """(folder, rows) of each part of counters.md."""
    parts = page("counters.md").split("\n## ")[1:]
    titles = [part.split("\n")[0] for part in parts]
    assert titles == ["Broker", "Store", "Gateway", "Admin", "Manage"], titles
    return [(title.lower(), rows(part)) for title, part in zip(titles, parts)]


def counters_of(folder, file="stats.h"):
    """(name, kind, unit) of each row of its stats.h."""
    source = (ROOT / folder / file).read_text(encoding="utf-8")
    return re.findall(r"X\((\w+), (counter|gauge|histogram), (\w+),", source)


def counters_are_those_of_the_sources():
    for folder, table in counter_tables():
        real = {name: (kind, unit) for name, kind, unit in counters_of(folder)}
        documented = {row[0].strip("`"): (row[1], row[2]) for row in table}
        assert real
        yield from order("counters.md", [row[0] for row in table])
        yield from differences(f"counters.md, {folder}", documented, real)
        for row in table:
            if len(row) != 4 or not row[3].endswith("."):
                yield f"counters.md: {row[0]} has no sentence"


def metric(folder, name, kind, unit):
    """What Prometheus calls a counter (base/metrics.h)."""
    name = re.sub(f"^{folder}_", "", name)
    if unit == "bytes":
        name = re.sub("^bytes_", "", name) + "_bytes"
    end = {"counter": "_total", "histogram": "_seconds"}
    return f"hoist_{folder}_{name}" + end.get(kind, "")


def metrics_are_those_of_the_sources():
    """Those of counters say what counters.md says."""
    real = {}
    for folder, table in counter_tables():
        meanings = {row[0].strip("`"): row[3] for row in table}
        for name, kind, unit in counters_of(folder):
            real[metric(folder, name, kind, unit)] = (kind, unit, meanings.get(name))
    of_routes = {metric("broker", "route_" + name, kind, unit): (kind, unit)
                 for name, kind, unit in counters_of("broker", "traffic.h")}
    of_routes.update({metric("gateway", name, kind, unit): (kind, unit)
                      for name, kind, unit in counters_of("gateway", "trips.h")})
    source = (ROOT / "base/process.c").read_text(encoding="utf-8")
    of_process = re.findall(r'\{"(\w+)",\s*"(counter|gauge)",\s*"(\w+):', source)
    assert len(of_process) > 5
    table = rows(page("metrics.md").split("\n## Metrics\n")[1].split("\n## ")[0])
    documented = {row[0].strip("`"): tuple(row[1:]) for row in table}
    assert len(of_routes) > 5
    of_routes.update({name: (kind, unit) for name, kind, unit in of_process})
    for name, (kind, unit) in of_routes.items():
        real[name] = (kind, unit, documented.get(name, ("", "", "a sentence"))[2])
    yield from order("metrics.md", [row[0] for row in table])
    yield from differences("metrics.md", documented, real)


def metrics_of_workers_are_those_of_the_sources():
    """What the library asks for by hoist_counter_of and the like (hoist_metrics.h)."""
    kinds = {"_total": "counter", "_seconds": "histogram", "_bytes": "histogram"}
    real = {}
    for path in sorted((ROOT / "workers/c").rglob("*.c")):
        for name, texts in re.findall(r'"(hoist_worker_\w+)",\s*(?:\.help = )?'
                                      r'((?:"(?:[^"\\]|\\.)*"\s*)+)',
                                      path.read_text(encoding="utf-8")):
            ending = re.search("_[a-z]+$", name)[0]
            meaning = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', texts))
            real[name] = (kinds.get(ending, "gauge"), meaning)
    table = [row for row in rows(page("metrics.md").split("\n## Metrics of workers in C\n")[1])
             if len(row) == 4]
    documented = {row[0].strip("`"): (row[1], row[3]) for row in table}
    assert real
    yield from order("metrics.md", [row[0] for row in table])
    yield from differences("metrics.md, workers", documented, real)


# As base/log_format.c has them.
CONVERSION = re.compile(r"%[-+ #0]*(?:\d+|\*)?(?:\.(?:\d+|\*)?)?"
                        r"(?:(?:hh?|ll?|[jzt])?[diouxX]|[lL]?[aAeEfFgG]|l?[cs]|[p%])")


def log_calls():
    """(event, level, names of fields, format) of each call in the programs."""
    for folder in PROGRAMS:
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            text = path.read_text(encoding="utf-8")
            if path.parent.name == "base" and path.stem in ("log", "log_json"):
                continue
            calls = re.findall(r"\b(?:log_(?:err|warn|info|debug|line|braked|braked_from|pairs)"
                               r"|hoist_log)\((?!hoist_log_level)", text)
            assert len(calls) == len(LOG_CALL.findall(text)), \
                f"{path}: a call of the log that this test cannot read"
            for call in LOG_CALL.finditer(text):
                texts = re.findall(r'"((?:[^"\\]|\\.)*)"', call[3])
                fields = re.findall(r"(\w+)=", " ".join(texts[1:]))
                # A text that ends in '%' has a PRIu64 or the like behind it.
                form = "".join(re.sub(r"%(\d*)$", r"%\1u", text) for text in texts[1:])
                if "log_braked" in call[0]:
                    fields.append("suppressed")
                yield (texts[0], LEVELS[call[1] or call[2]], fields,
                       form.replace('\\"', '"'))


def log_events_are_those_of_the_sources():
    real = {}
    for event, level, fields, _ in log_calls():
        levels, names = real.setdefault(event, (set(), set()))
        levels.add(level)
        names.update(fields)
    table = rows(page("logs.md"))
    documented = {row[0].strip("`"): ({row[1]}, set(re.findall(r"`(\w+)`", row[2])))
                  for row in table}
    assert len(real) > 20
    yield from order("logs.md", [row[0] for row in table])
    yield from differences("logs.md", documented, real)
    for row in table:
        if len(row) != 5 or not row[3].endswith(".") or not row[4].endswith("."):
            yield f"logs.md: {row[0]} lacks its meaning or what to do"


def log_formats_can_be_json():
    """base/log_json.c reads fields off them, and base/log_format.c knows these conversions."""
    for event, _, fields, form in log_calls():
        if len(set(fields)) != len(fields):
            yield f"{event}: a field is there twice"
        for name in set(fields) & {"time", "level", "event", "message", "cut"}:
            yield f"{event}: {name} is no name for a field"
        unknown = CONVERSION.sub("", form)
        if "%" in unknown:
            yield f"{event}: a conversion in '{form}' that cuts the line"
        rest = re.sub(r'(?:^| )[a-z0-9_]+=(?:"[^"]*"|[^ ]*)', "\0", form)
        if len([text for text in rest.split("\0") if text]) > 1:
            yield f"{event}: more than one text without a name in '{form}'"


def route_expressions_are_those_of_the_vectors():
    text = (ROOT / "proto/vectors/routes.json").read_text(encoding="utf-8")
    known = {(case["expression"], case["body"], case.get("key"))
             for case in json.loads(text)}
    table = rows(page("routes.md"))
    assert table
    for row in table:
        if tuple(cell.strip("`") for cell in row) not in known:
            yield f"routes.md: {row[0]} is no case of routes.json"


def main():
    wrong = 0
    for check in (settings_are_those_of_the_program,
                  help_says_what_the_table_says,
                  chapters_are_those_of_the_program,
                  known_variables_are_those_of_settings_and_workers,
                  counters_are_those_of_the_sources,
                  metrics_are_those_of_the_sources,
                  metrics_of_workers_are_those_of_the_sources,
                  log_events_are_those_of_the_sources,
                  log_formats_can_be_json,
                  route_expressions_are_those_of_the_vectors):
        print(check.__name__.replace("_", " "))
        for line in check():
            print("  " + line)
            wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
