# SPDX-License-Identifier: MIT
"""Do more workers carry more, does none of them starve, and is it so with more brokers
and gateways?  Each worker's handler sleeps for a millisecond (bench_sleeper), so that
many of them fit on few cores."""
import contextlib
import json
import subprocess

import servers

HANDLER_US = 1000
CONNECTIONS = 64  # of all gateways
WORKERS = (1, 2, 4, 8)
# Brokers, gateways, workers.
SYSTEMS = tuple((1, 1, workers) for workers in WORKERS) + ((2, 1, 8), (1, 2, 8), (2, 2, 8))
WARM_UP_S = 0.5


def start_worker(build, brokers):
    endpoints = ",".join(broker.found[0] for broker in brokers)
    worker = servers.Process(
        ["env", f"HANDLER_US={HANDLER_US}", f"{build}/bench/bench_sleeper", "--broker",
         endpoints])
    servers.until(lambda: worker.read_log().count("WORKER-BROKER-UP") == len(brokers),
                  "all brokers of a worker")
    return worker


def handled(worker):
    """What it had to do, in all: its last word."""
    worker.running.terminate()
    worker.running.wait(30)
    return json.loads(worker.read_log().splitlines()[-1])


def loads(build, gateways, seconds):
    """Replies a second, over all gateways."""
    running = [subprocess.Popen(
        [f"{build}/bench/load", f"--port={gateway.found[0]}", f"--seconds={seconds}",
         f"--warmup={WARM_UP_S}", f"--connections={CONNECTIONS // len(gateways)}"],
        stdout=subprocess.PIPE, text=True) for gateway in gateways]
    return sum(json.loads(load.communicate()[0].splitlines()[-1])["replies_per_s"]
               for load in running)


def measure_system(build, brokers, gateways, workers, seconds):
    with contextlib.ExitStack() as stack:
        def started(start, *args):
            process = start(build, *args)
            stack.callback(process.stop)
            return process
        routers = [started(servers.start_broker) for _ in range(brokers)]
        crew = [started(start_worker, routers) for _ in range(workers)]
        doors = [started(servers.start_gateway, routers) for _ in range(gateways)]
        per_s = loads(build, doors, seconds)
        done = [handled(worker) for worker in crew]
    span_us = max(worker["span_us"] for worker in done)
    busy = [worker["busy_us"] / span_us for worker in done]
    handler_us = sum(w["busy_us"] for w in done) / sum(w["handled"] for w in done)
    return {"brokers": brokers, "gateways": gateways, "workers": workers,
            "per_s": per_s, "handler_us": handler_us, "busy": busy,
            "of_ideal": per_s / (workers * 1e6 / handler_us),
            "apart": (max(busy) - min(busy)) / (sum(busy) / len(busy))}


def show(row):
    print(f"  {row['brokers']:7}{row['gateways']:10}{row['workers']:9}{row['per_s']:12.0f}"
          f"{row['handler_us']:12.0f}{row['of_ideal']:11.1%}{min(row['busy']):10.1%}"
          f"{max(row['busy']):8.1%}{row['apart']:8.1%}", flush=True)


def middle(rows):
    """The round that carried the median."""
    return sorted(rows, key=lambda row: row["per_s"])[len(rows) // 2]


def measure(build, rounds, seconds):
    found = {system: [] for system in SYSTEMS}
    for _ in range(rounds):
        for system, rows in found.items():
            rows.append(measure_system(build, *system, seconds))
    print(f"\n  {'brokers':>7}{'gateways':>10}{'workers':>9}{'replies/s':>12}"
          f"{'handler µs':>12}{'of ideal':>11}{'least':>10}{'most':>8}{'apart':>8}")
    report = [middle(rows) for rows in found.values()]
    for row in report:
        show(row)
    return report
