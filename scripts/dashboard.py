#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draw the dashboard deploy/grafana/hoist.json from what a Prometheus knows, each
panel in its place, as a picture for the documents.  Not by Grafana, which shows the
same expressions with controls of its own; needs python3-matplotlib.

    scripts/dashboard.py http://127.0.0.1:9090 PICTURE.png [--minutes 5]
"""
import argparse
import json
import pathlib
import time
import urllib.parse
import urllib.request

import matplotlib
matplotlib.use("Agg")
from matplotlib import dates, pyplot, ticker  # noqa: E402 (the backend comes first)

ROOT = pathlib.Path(__file__).resolve().parents[1]
UNIT_IN = 0.42     # of the dashboard's grid, which is 24 wide
STEP_S = 2
RATE_S = 16
SCALES = {"bytes": (1024, ["B", "KiB", "MiB", "GiB"]), "Bps": (1024, ["B/s", "KiB/s", "MiB/s"]),
          "short": (1000, ["", "k", "M"])}


def series(source, expression, start, end):
    """[(labels, times, values)] of an expression over the span."""
    query = urllib.parse.urlencode({
        "query": expression.replace("$__rate_interval", f"{RATE_S}s"),
        "start": start, "end": end, "step": STEP_S})
    with urllib.request.urlopen(f"{source}/api/v1/query_range?{query}", timeout=30) as answer:
        found = json.load(answer)["data"]["result"]
    for one in found:
        times, values = zip(*((float(at), float(value)) for at, value in one["values"]))
        yield one["metric"], times, values


def legend(pattern, labels):
    for name, value in labels.items():
        pattern = pattern.replace("{{%s}}" % name, value)
    return pattern


def readable(unit):
    """How a number of this unit is written."""
    def write(value, _=None):
        if unit == "percentunit":
            return f"{value:.1%}"
        if unit == "s":
            return f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.3g} s"
        step, names = SCALES.get(unit, SCALES["short"])
        for name in names[:-1]:
            if abs(value) < step:
                return f"{value:.3g} {name}".rstrip()
            value /= step
        return f"{value:.3g} {names[-1]}"
    return write


def draw_number(axes, panel, found):
    unit = panel["fieldConfig"]["defaults"].get("unit", "short")
    text = readable(unit)(found[0][2][-1]) if found else "no data"
    axes.text(0.5, 0.45, text, ha="center", va="center", fontsize=20)
    axes.set_axis_off()


def draw_lines(axes, panel, found):
    for name, times, values in found:
        axes.plot([dates.num2date(at / 86400) for at in times], values, label=name, linewidth=1)
    axes.set_ylim(bottom=0)
    axes.set_ylim(top=1.3 * axes.get_ylim()[1])  # for the legend
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(
        readable(panel["fieldConfig"]["defaults"].get("unit", "short"))))
    axes.xaxis.set_major_formatter(dates.DateFormatter("%H:%M"))
    axes.xaxis.set_major_locator(ticker.MaxNLocator(6))
    axes.tick_params(labelsize=6, length=2)
    axes.grid(linewidth=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if any(name for name, *_ in found):
        axes.legend(fontsize=5, loc="upper left", frameon=False, ncols=2)


def draw(axes, panel, source, span):
    found = [(legend(target.get("legendFormat", ""), labels), times, values)
             for target in panel["targets"]
             for labels, times, values in series(source, target["expr"], *span)]
    axes.set_title(panel["title"], fontsize=8, loc="left")
    (draw_number if panel["type"] == "stat" else draw_lines)(axes, panel, found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    parser.add_argument("prometheus")
    parser.add_argument("picture")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--end", type=float, default=time.time(), help="since 1970, in s")
    options = parser.parse_args()
    panels = json.loads((ROOT / "deploy/grafana/hoist.json").read_text("utf-8"))["panels"]
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    figure = pyplot.figure(figsize=(24 * UNIT_IN, height * UNIT_IN * 0.66), dpi=110)
    end = options.end
    for panel in panels:
        place = panel["gridPos"]
        axes = figure.add_axes([
            (place["x"] + 1.1) / 24, 1 - (place["y"] + place["h"] - 1.2) / height,
            (place["w"] - 1.6) / 24, (place["h"] - 2.6) / height])
        draw(axes, panel, options.prometheus, (end - options.minutes * 60, end))
    figure.savefig(options.picture, metadata={"Software": None})


if __name__ == "__main__":
    main()
