#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docker-compose.yml, the Dockerfiles and what is in deploy/ against the rest:
variables are settings, processes have the time that they take to end, nothing is
published that should not be, and the dashboard asks for metrics that are there.

    tests/lint/deploy.py
"""
import json
import pathlib
import re
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
OURS = ("gateway", "broker", "worker")
PUBLISHED = {"front": "${HOIST_HTTP:-127.0.0.1:8080}:8080",
             "grafana": "${HOIST_GRAFANA:-127.0.0.1:3000}:3000"}
WORKER_DRAIN_MS = 30000  # of an option of the SDK, workers/c/settings.c
# What the builder of Docker 20.10, or docker-compose 1.29, does not know.
TOO_NEW = {"# syntax=": "a frontend that is pulled", "<<": "a heredoc",
           "@sha256:": "a digest", "--mount": "a mount", "pull_policy: always": "a forced pull"}


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


SERVICES = yaml.safe_load(read("docker-compose.yml"))["services"]
DOCKERFILES = ["Dockerfile", *(str(path.relative_to(ROOT))
                               for path in ROOT.glob("deploy/*.Dockerfile"))]


def cells(page):
    """The first cells of the rows of its tables, and the second ones."""
    return [(row[1].strip("` "), row[2].strip("` ")) for row in
            (line.split("|") for line in read(page).splitlines() if line.startswith("| `"))]


def variables_are_settings():
    known = {variable for _, variable in cells("docs/settings.md")}
    for name, service in SERVICES.items():
        for variable in service.get("environment", {}):
            if variable.startswith("HOIST_") and variable not in known:
                yield f"{name}: {variable} is no setting"


def seconds(text):
    assert re.fullmatch(r"\d+s", text), text
    return int(text[:-1])


def processes_may_end_in_order():
    for name in OURS:
        drain_ms = SERVICES[name]["environment"].get("HOIST_DRAIN_TIME", WORKER_DRAIN_MS)
        if seconds(SERVICES[name]["stop_grace_period"]) * 1000 <= int(drain_ms):
            yield f"{name}: Docker kills it before it has drained for {drain_ms} ms"
    if f'"drain", "MS", "{WORKER_DRAIN_MS}"' not in read("workers/c/settings.c"):
        yield "workers drain for another time than this test thinks"


def containers_are_locked():
    for name, service in SERVICES.items():
        if not (service.get("read_only") and service.get("cap_drop") == ["ALL"] and
                service.get("security_opt") == ["no-new-privileges:true"]):
            yield f"{name}: is not locked"


def nothing_else_is_published():
    for name, service in SERVICES.items():
        wanted = [PUBLISHED[name]] if name in PUBLISHED else []
        if service.get("ports", []) != wanted:
            yield f"{name}: publishes {service.get('ports')}, not {wanted}"


def old_versions_can_read_them():
    for name in [*DOCKERFILES, "docker-compose.yml"]:
        text = read(name)
        for word, what in TOO_NEW.items():
            if word in (text if name in DOCKERFILES else text.replace("<<: ", "")):
                yield f"{name}: {what} ({word})"


def the_builder_gets_all_libraries():
    [folders] = re.findall(r"foreach\(folder ([a-z ]+)\)", read("CMakeLists.txt"))
    for folder in set(folders.split()) - {"bench"}:
        if f"!{folder}\n" not in read(".dockerignore"):
            yield f".dockerignore leaves out {folder}"


def each_file_is_explained():
    """Itself, or a folder that it is in."""
    page = read("docs/deploying.md")
    for path in (ROOT / "deploy").rglob("*"):
        name = path.relative_to(ROOT)
        names = {f"`{name}`", *(f"`{folder}/`" for folder in name.parents)}
        if path.is_file() and not any(one in page for one in names):
            yield f"docs/deploying.md does not say what {name} is"


# --- the dashboard ------------------------------------------------------------

BOARD = json.loads(read("deploy/grafana/hoist.json"))
WORDS = {"sum", "max", "count", "rate", "by", "up", "job", "instance", "le", "route",
         "event", "topk", "histogram_quantile"}


def kind_of(name, kinds):
    """A histogram is asked for by its buckets, which count."""
    is_bucket = kinds.get(re.sub("_bucket$", "", name)) == "histogram"
    return "counter" if is_bucket and name.endswith("_bucket") else kinds.get(name)


def the_dashboard_asks_for_metrics_that_are_there():
    kinds = dict(cells("docs/metrics.md"))
    for panel in BOARD["panels"]:
        for target in panel["targets"]:
            expression = re.sub(r'"[^"]*"|\[\$__rate_interval\]', "", target["expr"])
            for name in set(re.findall(r"[a-z_]+", expression)) - WORDS:
                is_rate = re.search(rf"rate\({name}[){{]", expression) is not None
                kind = kind_of(name, kinds)
                if kind not in ("counter", "gauge"):
                    yield f"{panel['title']}: there is no metric {name}"
                elif is_rate != (kind == "counter"):
                    yield f"{panel['title']}: {name} is a {kind}"


def the_dashboard_finds_its_source():
    [source] = yaml.safe_load(read("deploy/grafana/datasource.yml"))["datasources"]
    for panel in BOARD["panels"]:
        if panel["datasource"] != {"type": source["type"], "uid": source["uid"]}:
            yield f"{panel['title']}: of another source than {source['uid']}"
    if len({panel["id"] for panel in BOARD["panels"]}) != len(BOARD["panels"]):
        yield "two panels have the same id"


def panels_lie_side_by_side():
    taken = {}
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                if x > 23 or taken.setdefault((x, y), panel["title"]) != panel["title"]:
                    yield f"{panel['title']}: lies on {taken.get((x, y), 'the edge')}"
                    return


def main():
    wrong = [line for check in (
        variables_are_settings, processes_may_end_in_order, containers_are_locked,
        nothing_else_is_published, old_versions_can_read_them,
        the_builder_gets_all_libraries, each_file_is_explained,
        the_dashboard_asks_for_metrics_that_are_there, the_dashboard_finds_its_source,
        panels_lie_side_by_side) for line in check()]
    print("\n".join(wrong) or f"{len(SERVICES)} services, {len(BOARD['panels'])} panels: "
          "all as it should be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
