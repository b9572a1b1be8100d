# SPDX-License-Identifier: MIT
"""What a message, a connection and a heartbeat cost each process, and what so many
connections take, computed from it."""
import math

CONNECTIONS = (10_000, 1_000_000, 10_000_000)
MESSAGE_S = 60  # each client sends one in as many seconds, and gets an answer
PING_S = 25
A_GATEWAY = 20_000  # connections: what is lost with one
HANDLER_MS = 2
BUSY = 0.6  # share of the time that a worker may be
BROKER_BUSY = 0.5  # of a core
USUAL = "10,000/s over 1,000 connections"


def costs(results):
    """Of each thing, what it takes in each process."""
    sizing, idle = results["sizing"], results["idle"]["connections"]
    pings = idle[max(idle, key=int)]["ping_us"]
    rows = {"a process at its start, KB": sizing["redis"]["base_kb"],
            "a silent connection, KB": sizing["redis"]["connection_kb"],
            "an opening, memory store, µs of CPU": sizing["memory"]["opening_us"],
            "an opening, Redis, µs of CPU": sizing["redis"]["opening_us"],
            "an end, Redis, µs of CPU": sizing["redis"]["end_us"]}
    for name, row in sizing["messages"].items():
        rows[f"a message and its reply, {name}, µs of CPU"] = row["us"]
    rows["a heartbeat of a client, µs of CPU"] = {"gateway": max(0, pings["gateway"])}
    return rows


def size(results, connections):
    """(what, how many or how much) for so many."""
    memory = results["sizing"]["redis"]["connection_kb"]
    base = results["sizing"]["redis"]["base_kb"]
    message = results["sizing"]["messages"][USUAL]["us"]
    ping_us = costs(results)["a heartbeat of a client, µs of CPU"]["gateway"]
    rate, pings = connections / MESSAGE_S, connections / PING_S
    gateways = max(2, math.ceil(connections / A_GATEWAY))
    broker_cores = rate * message["broker"] / 1e6
    brokers = math.ceil(broker_cores / BROKER_BUSY) + 1
    workers = max(2, math.ceil(rate * HANDLER_MS / 1e3 / BUSY))
    each = connections / gateways
    gateway_cores = (rate * message["gateway"] + pings * ping_us) / 1e6 / gateways
    yield "messages/s", f"{rate:,.0f}"
    yield "heartbeats/s", f"{pings:,.0f}"
    yield "gateways", f"{gateways:,}"
    yield "a gateway: memory, MB", f"{(base['gateway'] + each * memory['gateway']) / 1e3:,.0f}"
    yield "a gateway: of a core", f"{100 * gateway_cores:.2g} %"
    yield "brokers, one of them to spare", f"{brokers:,}"
    yield "a broker, when one is lost: memory, MB", (
        f"{(base['broker'] + connections / (brokers - 1) * memory['broker']) / 1e3:,.0f}")
    yield "a broker, when one is lost: of a core", (
        f"{100 * broker_cores / (brokers - 1):.2g} %")
    yield "Redis: memory, MB", f"{connections * memory['redis'] / 1e3:,.0f}"
    yield "workers", f"{workers:,}"
    yield "links", f"{brokers * (gateways + workers):,}"
    yield "a gateway is lost: CPU of its clients' openings, s", (
        f"{each * sum(results['sizing']['redis']['opening_us'].values()) / 1e6:.2g}")


def rows(results):
    """Of each thing, a cell for each of CONNECTIONS."""
    columns = [dict(size(results, count)) for count in CONNECTIONS]
    return {what: [column[what] for column in columns] for what in columns[0]}
