# SPDX-License-Identifier: MIT
"""What does a message cost where a gateway has several loops?  Gateway, broker and worker
apart, in turns, with the same load generator.

A loop more is a core more only where there is one: with as many cores as loops, and load
generator, broker and worker on the same, this shows that the loops share the work and
that a message costs no more CPU, and not how much faster many cores are."""
import sys

import echo
import servers

LOOPS = (1, 2)
SCENARIOS = {
    "500 x 1": ["--connections=500", "--in-flight=1"],
    "50 x 16": ["--connections=50", "--in-flight=16"],
    "open 10k/s": ["--connections=100", "--rate=10000"],
}


def name_of(count):
    return f"{count} loop" + ("s" if count > 1 else "")


def start(build, count):
    server = servers.start_apart(build, f"--loops={count}")
    server.name = name_of(count)
    return server


def of_gateway(figures):
    """Its CPU µs of a reply, and of each loop's thread."""
    spent = {thread.removeprefix("gateway/"): us for thread, us in figures["cpu_us"].items()
             if thread.startswith("gateway/")}
    loops = [us for thread, us in spent.items() if thread.startswith("hoist-loop-")]
    return sum(spent.values()), loops


def summary(figures):
    gateway_us, loops = of_gateway(figures)
    return {"replies_per_s": figures["replies_per_s"], "p50_us": figures["p50_us"],
            "p99_us": figures["p99_us"], "gateway_us": gateway_us,
            "total_us": figures["cpu_us_total"],
            "least_loop": min(loops) / sum(loops) if loops else 1}


def show(scenario, results):
    print(f"\n{scenario:14}{'replies/s':>12}{'p50 µs':>10}{'p99 µs':>10}{'gateway µs':>13}"
          f"{'all µs':>9}{'least loop':>12}")
    for name, r in results.items():
        print(f"  {name:12}{r['replies_per_s']:12.0f}{r['p50_us']:10.0f}{r['p99_us']:10.0f}"
              f"{r['gateway_us']:13.2f}{r['total_us']:9.2f}{r['least_loop']:12.0%}")
    sys.stdout.flush()


def measure(build, rounds, seconds):
    report = {}
    with servers.all_of(*(lambda n=count: start(build, n) for count in LOOPS)) as running:
        for scenario, flags in SCENARIOS.items():
            found = servers.in_turns(running, rounds, lambda s, f=flags: echo.measure_load(
                build, s, f, seconds))
            report[scenario] = {name: summary(figures) for name, figures in found.items()}
            show(scenario, report[scenario])
    return report
