# SPDX-License-Identifier: MIT
"""The plots of docs/performance.md: SVG made of the figures of a run, the same bytes
for the same figures.  Colours follow what the reader prefers, light or dark."""
import math

import curves

WIDTH, LEFT, RIGHT, TOP, LINE = 720, 190, 70, 56, 20
PLOT_HEIGHT, AXIS, MARGIN = 240, 80, 40  # of curves
STYLE = """text{font:13px sans-serif;fill:#1f2328}
.title{font-size:15px;font-weight:600}.small{font-size:11px}
.back{fill:#fff}.grid{stroke:#d1d9e0;fill:none}
.fill0{fill:#8c959f}.fill1{fill:#0969da}.fill2{fill:#bc4c00}
.line0{stroke:#8c959f}.line1{stroke:#0969da}.line2{stroke:#bc4c00}
.line{fill:none;stroke-width:2}.dashed{stroke-dasharray:5 4}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.back{fill:#0d1117}
.grid{stroke:#3d444d}.fill1{fill:#58a6ff}.fill2{fill:#f0883e}
.line1{stroke:#58a6ff}.line2{stroke:#f0883e}}"""


def short(value):
    """A number as a reader wants it: 1.07, 33.4, 712, 1,000,000."""
    digits = max(0, 2 - int(math.floor(math.log10(abs(value))))) if value else 0
    return f"{value:,.{min(digits, 2)}f}"


def text(x, y, words, anchor="start", of=""):
    kind = f' class="{of}"' if of else ""
    words = str(words).replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"{kind}>{words}</text>'


def svg(height, title, parts):
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'role="img" aria-label="{title}">\n<style>{STYLE}</style>\n'
            f'<rect class="back" width="{WIDTH}" height="{height}"/>')
    return "\n".join([head, text(16, 24, title, of="title"), *parts, "</svg>"]) + "\n"


def legend(names, y):
    parts, x = [], 16
    for i, name in enumerate(names):
        parts += [f'<rect class="fill{i}" x="{x}" y="{y - 9}" width="10" height="10"/>',
                  text(x + 15, y, name, of="small")]
        x += 30 + 7 * len(name)
    return parts


def bars(title, names, groups):
    """Bars that lie: a group for each of {label: values}, a bar in it for each of the
    names, or for the first of them."""
    most = max(max(values) for values in groups.values())
    scale, y, parts = (WIDTH - LEFT - RIGHT) / most, TOP + 8, legend(names, 44)
    for label, values in groups.items():
        middle = y + LINE * len(values) / 2 + 2
        parts.append(text(LEFT - 10, middle, label, "end"))
        for i, value in enumerate(values):
            parts += [f'<rect class="fill{i}" x="{LEFT}" y="{y}" '
                      f'width="{max(1, value * scale):.1f}" height="{LINE - 4}"/>',
                      text(LEFT + value * scale + 6, y + 13, short(value), of="small")]
            y += LINE
        y += 10
    return svg(y + 6, title, parts)


def step_of(top):
    """Between the lines of a grid: 1, 2 or 5 and noughts, for about five of them."""
    decade = 10 ** math.floor(math.log10(top / 5))
    return next(decade * by for by in (1, 2, 5, 10) if decade * by >= top / 5)


def grid(step, top, height_of):
    parts = []
    for i in range(int(top / step) + 1):
        y = height_of(i * step)
        parts += [f'<path class="grid" d="M{AXIS} {y:.1f}H{WIDTH - MARGIN}"/>',
                  text(AXIS - 8, y + 4, f"{i * step:,.0f}", "end", "small")]
    return parts


def curve(kind, places):
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    fill = kind.split()[0]
    return [f'<polyline class="line line{kind}" points="{points}"/>',
            *(f'<circle class="fill{fill}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>'
              for x, y in places)]


def lines(title, axes, series, across=float):
    """A curve for each of {name: [(x, y), …]}; an ideal one is dashed.  `across` says
    where on its axis an x is."""
    points = [point for curve_of in series.values() for point in curve_of]
    xs = sorted({x for x, _ in points})
    top, bottom = max(y for _, y in points) * 1.08, TOP + PLOT_HEIGHT
    first, width = across(xs[0]), across(xs[-1]) - across(xs[0])

    def place(x, y):
        return (AXIS + (WIDTH - AXIS - MARGIN) * (across(x) - first) / width,
                bottom - PLOT_HEIGHT * y / top)

    parts = legend(series, 44) + grid(step_of(top), top, lambda y: place(xs[0], y)[1])
    parts += [text(place(x, 0)[0], bottom + 18, f"{x:,}", "middle", "small") for x in xs]
    for i, (name, curve_of) in enumerate(series.items()):
        parts += curve(f"{i} dashed" if name == "ideal" else f"{i}",
                       [place(x, y) for x, y in curve_of])
    parts.append(text(WIDTH / 2, bottom + 38, axes, "middle", "small"))
    return svg(bottom + 50, title, parts)


def cheapest(table, kind):
    """CPU of the best server whose name begins so; none where there is none."""
    return sorted(r["cpu_us_total"] for name, r in table.items() if name.startswith(kind))[:1]


def plot_echo(results):
    groups = {name: [*cheapest(table, "bare"), *cheapest(table, "hoist"),
                     *cheapest(table, "NATS")]
              for name, table in results["echo"].items()
              if "bare coalesced" in table and name != "1 x 1"}
    names = ("best bare server", "hoist", "NATS")[:max(map(len, groups.values()))]
    return bars("CPU of an echo in all server processes, µs", names, groups)


def plot_trips(results):
    return bars("Round trip of one message at a time, cores awake, µs", ("p50", "p99"), {
        name: [r["p50_us"], r["p99_us"]] for name, r in results["trips"].items()})


def plot_curves(results, title, axes, figure):
    return lines(title, axes, {
        what: [(row[what], row[figure]) for row in rows]
        for what, rows in curves.level(results["curves"]).items()}, across=math.log10)


def plot_core(results):
    return plot_curves(results, "A message in the broker's core: time",
                       "ns of CPU, by how many there are", "ns")


def plot_core_work(results):
    return plot_curves(results, "A message in the broker's core: work",
                       "instructions, by how many there are", "instructions")


def plot_scale(results):
    rows = [row for row in results["scale"] if row["brokers"] == row["gateways"] == 1]
    return lines("Replies a second with a handler of a millisecond", "by workers", {
        "ideal": [(r["workers"], r["workers"] * 1e6 / r["handler_us"]) for r in rows],
        "one broker, one gateway": [(r["workers"], r["per_s"]) for r in rows]})


PLOTS = {"echo.svg": plot_echo, "trips.svg": plot_trips, "core.svg": plot_core,
         "core-work.svg": plot_core_work, "scale.svg": plot_scale}


def plots(results):
    """The text of each file."""
    return {name: plot(results) for name, plot in PLOTS.items()}
