#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""deploy/alerts.yml: each alert has what whoever is woken needs, asks for metrics
that are there, has its section in docs/alerts.md, and fires on what it is for
(promtool, of the package prometheus; tests/alerts/rules_test.yml).

    tests/lint/alerts.py
"""
import pathlib
import re
import shutil
import subprocess
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
SEVERITIES = {"info", "warning", "critical"}
HISTOGRAM_ENDS = ("_bucket", "_sum", "_count")
UNSET = 77  # "skipped", to ctest


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


GROUPS = yaml.safe_load(read("deploy/alerts.yml"))["groups"]
ALERTS = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}


def metrics():
    """What metrics.md has, by name: the kind."""
    table = read("docs/metrics.md").split("\n## Metrics\n")[1]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| `")]
    return {row[1].strip("` "): row[2].strip() for row in rows}


def each_is_complete_and_called_once():
    names = [rule["alert"] for group in GROUPS for rule in group["rules"]]
    for name in names:
        rule = ALERTS[name]
        if names.count(name) > 1 or not re.fullmatch(r"Hoist[A-Z]\w+", name):
            yield f"{name}: a bad name"
        if not re.fullmatch(r"\d+[sm]", rule.get("for", "")):
            yield f"{name}: has no time that it must last for"
        if rule["labels"].get("severity") not in SEVERITIES:
            yield f"{name}: a severity is one of {sorted(SEVERITIES)}"
        if not rule["annotations"]["summary"].endswith("."):
            yield f"{name}: its summary is no sentence"


def each_has_its_section_and_no_section_is_left():
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", read("docs/alerts.md"),
                               re.M | re.S))
    for name in sorted(ALERTS.keys() ^ sections.keys()):
        yield f"{name}: is in one of alerts.yml and alerts.md only"
    for name in ALERTS.keys() & sections.keys():
        anchor = f"docs/alerts.md#{name.lower()}"
        if ALERTS[name]["annotations"]["runbook"] != anchor:
            yield f"{name}: its runbook is not {anchor}"
        first = sections[name].strip().split(" ", 1)[0].strip(":").lower()
        if first != ALERTS[name]["labels"]["severity"]:
            yield f"{name}: its section begins with {first}, not its severity"
        if "* **Look**: " not in sections[name] or "* **Do**: " not in sections[name]:
            yield f"{name}: its section does not say where to look and what to do"


def each_asks_for_metrics_that_are_there():
    known = metrics()
    for name, rule in ALERTS.items():
        expression = re.sub(r'"[^"]*"', "", rule["expr"])
        for metric in set(re.findall(r"\b(?:hoist|process)_\w+", expression)):
            base = re.sub(f"({'|'.join(HISTOGRAM_ENDS)})$", "", metric)
            kind = known.get(metric) or known.get(base)
            is_rate = re.search(rf"(rate|increase)\({metric}\b", expression) is not None
            if kind is None or (metric not in known and kind != "histogram"):
                yield f"{name}: there is no metric {metric}"
            elif is_rate == (kind == "gauge"):
                yield f"{name}: {metric} is a {kind}"


def none_depends_on_what_jobs_are_called():
    for name, rule in ALERTS.items():
        if re.search(r"\bjob\s*[=!]", rule["expr"]):
            yield f"{name}: a job may have any name"


def the_observe_profile_loads_them():
    prometheus = yaml.safe_load(read("deploy/prometheus.yml"))
    if prometheus.get("rule_files") != ["alerts.yml"]:
        yield "deploy/prometheus.yml does not load alerts.yml"
    service = yaml.safe_load(read("docker-compose.yml"))["services"]["prometheus"]
    if "./deploy/alerts.yml:/etc/prometheus/alerts.yml:ro" not in service["volumes"]:
        yield "docker-compose.yml does not mount deploy/alerts.yml"


def each_is_tried():
    tried = read("tests/alerts/rules_test.yml")
    for name in ALERTS:
        if name not in tried:
            yield f"{name}: no test makes it fire"


def promtool(*arguments):
    done = subprocess.run(["promtool", *arguments], cwd=ROOT, timeout=120, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        yield done.stdout.strip()


def prometheus_reads_them_and_they_fire():
    yield from promtool("check", "rules", "deploy/alerts.yml")
    yield from promtool("test", "rules", "tests/alerts/rules_test.yml")


def main():
    checks = [each_is_complete_and_called_once, each_has_its_section_and_no_section_is_left,
              each_asks_for_metrics_that_are_there, none_depends_on_what_jobs_are_called,
              the_observe_profile_loads_them, each_is_tried]
    has_promtool = shutil.which("promtool") is not None
    if has_promtool:
        checks.append(prometheus_reads_them_and_they_fire)
    wrong = [line for check in checks for line in check()]
    print("\n".join(wrong) or f"{len(ALERTS)} alerts: all as it should be")
    if not wrong and not has_promtool:
        print("but promtool (package prometheus) is not here to try them")
        return UNSET
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
