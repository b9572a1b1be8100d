# SPDX-License-Identifier: MIT
"""What the logs and the memory say at the end, and the report."""
import collections
import os
import re
import statistics

LINE = re.compile(r"^\d{4}-\d\d-\d\dT\S+ (error|warn|info|debug) ([A-Z-]+)(.*)")
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|"
                       r"runtime error:|Traceback|Assertion|must\(")
# Warnings that say that one of ours broke the protocol.
FAULTS = {"PEER-FAULT", "GATEWAY-BROKER-ERROR", "GATEWAY-BROKER-MALFORMED",
          "GATEWAY-HANDSHAKES-FULL", "GATEWAY-ACCEPT-PAUSED",
          "GATEWAY-GONE-LOST", "WORKER-BAD-FRAME", "WORKER-BROKER-ERROR",
          "WORKER-OVERRUN", "WORKER-UNEXPECTED"}

WARM_S = 30          # of a process's life, before its memory is looked at
LIFE_S = 90          # the shortest life that is looked at
GROWTH_KIB = 8192    # of its memory, that is allowed after that


def check_logs(soak):
    soak.warnings = collections.Counter()
    for node in soak.nodes:
        soak.truth.checks["logs-are-clean"] += 1
        for line in node.log().splitlines():
            found = LINE.match(line)
            if found and found.group(1) in ("warn", "error"):
                soak.warnings[f"{found.group(1)} {found.group(2)}"] += 1
            if SANITIZER.search(line) or (found and (
                    found.group(1) == "error" or found.group(2) in FAULTS)):
                soak.truth.violated("logs-are-clean", f"{node.name}: {line}")


def is_sanitized(build):
    try:
        with open(os.path.join(build, "CMakeCache.txt"),
                  encoding="utf-8") as cache:
            return re.search(r"^SANITIZE:\w+=\S", cache.read(), re.M)
    except FileNotFoundError:
        return False


def growth(life):
    """KiB between what a process had when warm and what it has at last."""
    warm = [kib for at, kib in life if WARM_S <= at <= WARM_S * 2]
    late = [kib for at, kib in life if at >= life[-1][0] - WARM_S]
    return round(statistics.median(late) - statistics.median(warm))


def check_memory(soak):
    soak.memory = {}
    for node in [*soak.gateways, *soak.brokers]:
        lives = [life for life in node.lives if life and life[-1][0] > LIFE_S]
        most = max((kib for life in node.lives for _, kib in life), default=0)
        grew = [growth(life) for life in lives]
        soak.memory[node.name] = {"most_kib": most, "lives": len(node.lives),
                                  "longest_s": round(max(
                                      (life[-1][0] for life in node.lives
                                       if life), default=0)),
                                  "growth_kib": grew}
        if is_sanitized(soak.options.build):
            continue
        for kib in grew:
            soak.truth.checks["memory-stands-still"] += 1
            if kib > GROWTH_KIB:
                soak.truth.violated("memory-stands-still",
                                    f"{node.name} has grown by {kib} KiB")


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * q))] if values else 0


def data_of(soak):
    truth = soak.truth
    return {
        "minutes": round(soak.seconds() / 60, 2), "seed": soak.seed,
        "clients": soak.options.clients, "brokers": len(soak.brokers),
        "gateways": len(soak.gateways), "attempts": truth.count,
        "worker_starts": soak.workers_started,
        "starts": {node.name: node.starts for node in soak.nodes},
        "lags_s": [round(s, 1) for s in soak.lags],
        "messages": truth.messages, "counts": dict(truth.counts),
        "latency_ms": {f"p{q}": round(quantile(truth.latencies, q / 100) * 1000,
                                      1) for q in (50, 99, 100)},
        "faults": dict(collections.Counter(kind
                                           for _, kind, _, _ in soak.faults)),
        "fault_log": [{"s": round(at, 2), "kind": kind, "node": node,
                       "detail": detail}
                      for at, kind, node, detail in soak.faults],
        "recoveries_s": {
            kind: {"count": len(times),
                   "from_fault": {"median": round(statistics.median(
                       t for t, _ in times), 2),
                       "worst": round(max(t for t, _ in times), 2)},
                   "from_restart": {"median": round(statistics.median(
                       t for _, t in times), 2),
                       "worst": round(max(t for _, t in times), 2)}}
            for kind, times in sorted(soak.recoveries.items())},
        "calm_after_s": [round(s, 2) for s in soak.calms],
        "memory": soak.memory, "warnings": dict(soak.warnings),
        "checks": dict(truth.checks), "violations": truth.violations}


def table(rows):
    """Lines of name and number."""
    return [f"  {name:<38} {number:>10}" for name, number in rows]


def make(soak):
    data = data_of(soak)
    lines = [f"soak of {data['minutes']} minutes, seed {data['seed']}: "
             f"{data['clients']} clients at a time, {data['gateways']} "
             f"gateways, {data['brokers']} broker(s), "
             f"{data['worker_starts']} starts of checking workers", ""]
    lines += ["messages and connections"]
    lines += table([("connections tried", data["attempts"]),
                    ("messages sent", data["messages"]),
                    *sorted(data["counts"].items())])
    lines += [f"  latency of replies, ms: median "
              f"{data['latency_ms']['p50']}, 99 % {data['latency_ms']['p99']}, "
              f"worst {data['latency_ms']['p100']}", "", "faults"]
    lines += table(sorted(data["faults"].items()))
    lines += ["", "recovery, seconds from the fault (and from the new start) "
              "to the first reply by way of it"]
    for kind, times in data["recoveries_s"].items():
        of, start = times["from_fault"], times["from_restart"]
        lines.append(f"  {kind:<18} {times['count']:>4} times, median "
                     f"{of['median']} ({start['median']}), worst {of['worst']} "
                     f"({start['worst']})")
    lines += ["  every client answered, from the end of the last fault: " +
              ", ".join(f"{s}" for s in data["calm_after_s"]), "", "memory"]
    for name, memory in data["memory"].items():
        lines.append(f"  {name:<12} at most {memory['most_kib'] / 1024:.1f} "
                     f"MiB in {memory['lives']} lives, the longest "
                     f"{memory['longest_s']} s; growth of the long ones, KiB: "
                     f"{memory['growth_kib']}")
    lines += ["", "the soak itself did not run, because of the machine: "
              f"{len(soak.lags)} times, {sum(soak.lags):.1f} s together"]
    lines += ["", "warnings in logs"] + table(sorted(data["warnings"].items()))
    lines += ["", "checks made"] + table(sorted(data["checks"].items()))
    lines += ["", f"violations: {len(data['violations'])}"]
    lines += [f"  {one['check']}: {one['text']}"
              for one in data["violations"][:50]]
    return "\n".join(lines), data
