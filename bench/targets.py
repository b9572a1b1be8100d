# SPDX-License-Identifier: MIT
"""What hoist is to keep, and whether a run did."""
import dataclasses

import curves

HOPS = "bare hops"
PINGS_S = 25  # default of --ping-interval
MANY = 100000  # connections


@dataclasses.dataclass
class Target:
    what: str
    sign: str  # "at most", "below" or "at least"
    limit: float
    value: float
    unit: str = ""
    is_computed: bool = False
    beside: str = ""  # what else is to be known of the value

    @property
    def wanted(self):
        return f"{self.sign} {self.limit:,}{self.unit}"

    @property
    def verdict(self):
        is_met = {"at most": self.value <= self.limit, "below": self.value < self.limit,
                  "at least": self.value >= self.limit}[self.sign]
        return ("met" if is_met else "**missed**") + (", computed" * self.is_computed)


def paths(results):
    echo = results["echo"]
    for scenario, limit in (("500 x 1", 1.5), ("50 x 16", 3), ("50 x 1, 4 KB", 1.6)):
        yield Target(f"echo, {scenario}: CPU by the best bare server's", "at most", limit,
                     echo[scenario]["hoist"]["ratio"])
    cost = {name: table["hoist"]["cpu_us_total"] for name, table in echo.items()}
    yield Target("10,000 connections, 100 of them active: CPU of a reply by that of 500",
                 "at most", 1.3, cost["100 of 10,000 x 1"] / cost["500 of 500 x 1"])
    trips = results["trips"]
    yield Target("round trip, gateway and broker apart: p50 by that of the ZeroMQ hops",
                 "at most", 1.5, trips["hoist apart"]["ratio"])
    yield Target("the same, `hoist serve`", "below", 1, trips["hoist"]["ratio"])
    if "NATS" in trips:
        yield Target("round trip, `hoist serve`: p50 by that of NATS", "at most", 1,
                     trips["hoist"]["p50_us"] / trips["NATS"]["p50_us"])
    half = echo["half of the peak"]["hoist"]
    yield Target("at half of the peak rate: p99 by p50", "at most", 5,
                 half["p99_us"] / half["p50_us"])


def gateway(results):
    idle = results["idle"]
    most = max(idle["connections"], key=int)
    row = idle["connections"][most]
    yield Target("gateway: an idle connection", "at most", 4,
                 row["connection_kb"]["gateway"], " KB")
    yield Target("openings a second by those of the best bare server", "at least", 0.7,
                 idle["openings"]["hoist"]["ratio"])


def crowd(results):
    """100,000 connections: what all processes took, or what a gateway would."""
    if "crowd" not in results:
        yield from computed_crowd(results["idle"]["connections"])
        return
    full = results["crowd"]["full"]
    yield Target("100,000 idle connections: memory of gateways and broker", "at most", 500,
                 sum(full["rss_kb"].values()) / 1000, " MB")
    yield Target("the same: of a core, with pings", "below", 5,
                 100 * sum(full["cores"].values()), " %")


def computed_crowd(connections):
    most = max(connections, key=int)
    row = connections[most]
    base_kb = row["rss_kb"]["gateway"] - int(most) * row["connection_kb"]["gateway"]
    yield Target("gateway: 100,000 idle connections", "at most", 500,
                 (base_kb + MANY * row["connection_kb"]["gateway"]) / 1000, " MB",
                 is_computed=True)
    pings = MANY / PINGS_S * row["ping_us"]["gateway"] / 1e6
    yield Target("gateway: of a core for those, with pings", "below", 5,
                 100 * (row["cores"]["gateway"] + pings), " %", is_computed=True)


def broker(results):
    by = results["curves"]
    yield Target("broker's core: requests/s with 10,000 connections", "at least", 1_000_000,
                 1e9 / point(by["connections"], "connections", 10000)["ns"])
    yield Target("broker's core: allocations of a request", "at most", 0.001,
                 max(row["allocations"] for rows in by.values() for row in rows))
    for what, rows in curves.level(by).items():
        yield Target(f"broker's core under load, {rows[0][what]:,} to {rows[-1][what]:,} {what}: "
                     "instructions, dearest by cheapest", "at most", 1.1,
                     spread(rows, "instructions"), beside=f" (ns: {spread(rows, 'ns'):.2f})")
    yield Target("broker: an idle connection, with its row in memory", "at most", 256,
                 point(by["connections"], "connections", 100000)["connection_bytes"],
                 " B")


def spread(rows, figure):
    """The dearest by the cheapest."""
    values = [row[figure] for row in rows]
    return max(values) / min(values)


def point(rows, what, count):
    return next(row for row in rows if row[what] == count)


def sdk(results):
    ns = {key: row["ns"] for key, row in results["inside"].items()}
    yield Target("C worker: route key to handler", "at most", 10,
                 ns["routing"] - ns["nothing"], " ns")
    yield Target("C worker: handler execution", "at most", 300, ns["handler"], " ns")
    yield Target("C worker: connection management, on top", "at most", 60,
                 ns["connection"] - ns["handler"], " ns")
    yield Target("C worker: `hoist_ws`", "at most", 1,
                 max(0, ns["conversion"] - ns["nothing"]), " ns")
    yield Target("C worker: a layer of middleware", "at most", 5,
                 (ns["middleware"] - ns["handler"]) / 5, " ns")


def scale(results):
    rows = results["scale"]
    one, eight = rows[0], point(rows, "workers", 8)
    yield Target("8 workers, by 8 times what one carries", "at least", 0.9,
                 eight["per_s"] / 8 / one["per_s"])
    yield Target("busiest by least busy worker, in all systems", "at most", 1.1,
                 max(max(r["busy"]) / min(r["busy"]) for r in rows))


def fanout(results):
    yield Target("fan-out to 1,000, pipelined: CPU of a delivery", "at most", 2.5,
                 results["fanout"]["cost"]["1000 members, pipelined"]["hoist"]
                 ["cpu_us_total"], " µs")


def all_of(results):
    for part in (paths, gateway, crowd, broker, sdk, scale, fanout):
        yield from part(results)
