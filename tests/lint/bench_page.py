#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/performance.md of runs that have a part, or a server, and of runs that do not."""
import copy
import json
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

import page  # noqa: E402
import plot  # noqa: E402
import targets  # noqa: E402

BY_NATS = "round trip, `hoist serve`: p50 by that of NATS"
CROWD = {"connections": 100_000, "gateways": 8, "opening_s": 30.0,
         "empty": {"rss_kb": {"gateway": 112_000, "broker": 14_000},
                   "cores": {"gateway": 0.01, "broker": 0.003}},
         "full": {"rss_kb": {"gateway": 300_000, "broker": 45_000},
                  "cores": {"gateway": 0.042, "broker": 0.004}}}


def without_optional_ones():
    """The run of the page, as it were without NATS and the crowd."""
    results = copy.deepcopy(json.loads(page.RESULTS.read_text(encoding="utf-8")))
    results.pop("crowd", None)
    for table in (results["trips"], *results["echo"].values()):
        for name in [name for name in table if name.startswith("NATS")]:
            del table[name]
    return results


def with_nats(cpu_us):
    """The same with NATS, whose round trip takes twice that of hoist."""
    results = without_optional_ones()
    hoist = results["trips"]["hoist"]
    results["trips"]["NATS"] = hoist | {"p50_us": 2 * hoist["p50_us"]}
    for name, table in results["echo"].items():
        if name in ("1 x 1", "500 x 1"):
            table["NATS"] = table["hoist"] | {"cpu_us_total": cpu_us}
            table["NATS batched"] = table["hoist"] | {"cpu_us_total": cpu_us + 1}
    return results


def target(results, what):
    return next((t for t in targets.all_of(results) if t.what.startswith(what)), None)


class Nats(unittest.TestCase):
    def test_where_it_is_hoist_is_held_against_it(self):
        found = target(with_nats(30), BY_NATS)
        self.assertEqual((found.value, found.wanted, found.verdict), (0.5, "at most 1", "met"))

    def test_where_it_is_slower_than_hoist_is_missed(self):
        results = with_nats(30)
        results["trips"]["NATS"]["p50_us"] = 0.9 * results["trips"]["hoist"]["p50_us"]
        self.assertEqual(target(results, BY_NATS).verdict, "**missed**")

    def test_where_it_is_not_nothing_is_held_against_it(self):
        self.assertIsNone(target(without_optional_ones(), BY_NATS))

    def test_the_page_says_where_it_is_not(self):
        self.assertIn("Taken without NATS: echo, trips.", page.machine(without_optional_ones()))
        self.assertNotIn("NATS", page.machine(with_nats(30)))

    def test_tables_have_it(self):
        self.assertIn("| 500 x 1 | NATS batched |", page.echo(with_nats(30)))
        self.assertIn("| NATS | ", page.trips(with_nats(30)))

    def test_the_plot_has_the_better_of_the_two(self):
        results = with_nats(31)
        self.assertEqual(plot.cheapest(results["echo"]["500 x 1"], "NATS"), [31])
        self.assertIn(">NATS<", plot.plot_echo(results))

    def test_a_plot_without_it_does_not_name_it(self):
        self.assertNotIn("NATS", plot.plot_echo(without_optional_ones()))


class Crowd(unittest.TestCase):
    def test_what_was_measured_counts(self):
        results = without_optional_ones() | {"crowd": CROWD}
        memory = target(results, "100,000 idle connections")
        self.assertEqual((memory.value, memory.unit, memory.verdict), (345, " MB", "met"))
        cores = target(results, "the same: of a core")
        self.assertEqual((round(cores.value, 6), cores.verdict), (4.6, "met"))
        self.assertIsNone(target(results, "gateway: 100,000"))

    def test_too_much_is_missed(self):
        results = without_optional_ones() | {"crowd": copy.deepcopy(CROWD)}
        results["crowd"]["full"]["cores"]["broker"] = 0.008
        self.assertEqual(target(results, "the same: of a core").verdict, "**missed**")

    def test_where_nothing_was_measured_it_is_computed(self):
        found = target(without_optional_ones(), "gateway: 100,000 idle connections")
        self.assertTrue(found.verdict.endswith(", computed"))

    def test_the_table_says_of_how_many_gateways_it_is(self):
        table = page.crowd(without_optional_ones() | {"crowd": CROWD})
        self.assertIn("| 100,000 connections | 8 gateways | Broker | All |", table)
        self.assertIn("| with all, of a core | 4.20 % | 0.40 % | 4.60 % |", table)


class Taking(unittest.TestCase):
    def test_a_new_part_joins_the_others_and_says_when(self):
        before = without_optional_ones()
        run = {"machine": {"load": [2.5]}, "date": "2026-01-02", "crowd": CROWD}
        merged = page.merged(before, run)
        self.assertEqual(merged["crowd"], CROWD)
        self.assertEqual(merged["echo"], before["echo"])
        self.assertEqual(merged["later"]["crowd"], {"date": "2026-01-02", "load": 2.5})


if __name__ == "__main__":
    unittest.main(verbosity=2)
