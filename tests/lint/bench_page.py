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


def without_optional_ones():
    """The run of the page, as it were without NATS."""
    results = copy.deepcopy(json.loads(page.RESULTS.read_text(encoding="utf-8")))
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


if __name__ == "__main__":
    unittest.main(verbosity=2)
