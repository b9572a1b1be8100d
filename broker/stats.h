/* SPDX-License-Identifier: MIT
 *
 * Every counter and gauge of a broker, with unit and meaning; the docs and the
 * log line BROKER-STATS are held against this table by tests.  Counters only
 * grow; gauges say how many there are now.
 */
#ifndef BROKER_STATS_H
#define BROKER_STATS_H

#include <stdint.h>

/* X(name, kind, unit, meaning) */
#define BROKER_STATS(X)                                                        \
    X(workers, gauge, peers, "workers that have greeted")                      \
    X(gateways, gauge, peers, "gateways that have greeted")                    \
    X(managers, gauge, peers, "managers that have greeted")                    \
    X(connections, gauge, connections, "connections that stand")               \
    X(requests, gauge, requests, "requests waiting or at a worker")            \
    X(waiting, gauge, requests, "requests waiting for a worker")               \
    X(requests_in, counter, requests, "requests taken from gateways")          \
    X(replies, counter, replies, "replies that answered their request")        \
    X(no_worker, counter, requests, "no worker serves the route")              \
    X(over_window, counter, requests, "refused: gateway window spent")         \
    X(timeouts, counter, requests, "deadline passed")                          \
    X(worker_died, counter, requests, "worker lost while it held it")          \
    X(redelivered, counter, requests, "to be given to another after that")     \
    X(dead, counter, requests, "tried, and no worker lived to answer")         \
    X(dead_lost, counter, requests, "dead letters that could not be kept")     \
    X(revived, counter, requests, "dead letters that were tried once more")    \
    X(disconnects_made, counter, events, "DISCONNECTs made by the broker")     \
    X(presences, counter, events, "PRESENCEs taken from gateways")             \
    X(presences_made, counter, events, "PRESENCEs made by the broker")         \
    X(presences_lost, counter, events,                                         \
      "that nobody was there to be told of, or each that was died")            \
    X(unstored, counter, connections, "refused: their row was not written")    \
    X(unsaved, counter, rows, "that could not be written, for the time being") \
    X(repaired, counter, rows, "written or removed later than they should")    \
    X(swept, counter, rows, "of dead brokers that were removed")               \
    X(queries, counter, messages, "QUERY messages taken from workers")         \
    X(queries_live, counter, messages, "questions put to gateways for them")   \
    X(disconnects_lost, counter, events,                                       \
      "no worker came for them in time, or each that had them died")           \
    X(replies_unknown, counter, replies, "REPLY to a request not held")        \
    X(replies_late, counter, replies, "REPLY after the deadline")              \
    X(pushes, counter, messages, "PUSH messages taken from workers")           \
    X(push_targets, counter, connections, "ids in them that stood")            \
    X(push_names, counter, messages, "those of them to a name or to all")      \
    X(joins, counter, messages, "JOIN and LEAVE messages passed on")           \
    X(names, gauge, names, "that gateways have, each of each gateway")         \
    X(push_window, counter, messages, "refused: push window spent")            \
    X(gone, counter, connections, "push or close to no connection")            \
    X(closes, counter, messages, "CLOSE messages passed on")                   \
    X(moved_in, counter, connections, "came from another broker")              \
    X(moved_out, counter, connections, "went to another broker")               \
    X(malformed, counter, frames, "frames with a malformed message")           \
    X(unexpected, counter, messages, "messages of a wrong kind or time")       \
    X(strangers, counter, times, "asked WHO")                                  \
    X(refused, counter, peers, "frames of peers beyond the limit")             \
    X(handshakes_refused, counter, handshakes, "without CURVE, or by its key") \
    X(revoked, counter, frames, "of peers whose key is not allowed any more")  \
    X(peers_lost, counter, peers, "given up: silent, unreachable or banned")   \
    X(returned, counter, gateways, "back by another transport")                \
    X(orders_lost, counter, messages, "too many to be said again behind that") \
    X(spans, counter, spans, "of requests that were sampled")                  \
    X(spans_exported, counter, spans, "that the receiver has taken")           \
    X(spans_dropped, counter, spans, "for which there was no room or receiver")

typedef struct {
#define X(name, kind, unit, meaning) uint64_t name;
    BROKER_STATS(X)
#undef X
} broker_stats_t;

#endif
