/* SPDX-License-Identifier: MIT
 *
 * What the management API counts; docs/counters.md has the table.
 */
#ifndef MANAGE_STATS_H
#define MANAGE_STATS_H

#include <stdint.h>

/* X(name, kind, unit, meaning) */
#define MANAGE_STATS(X)                                                        \
    X(brokers, gauge, brokers, "that have welcomed it")                        \
    X(under_way, gauge, requests, "that wait for a broker's answer")           \
    X(requests, counter, requests, "taken")                                    \
    X(done, counter, requests, "answered with 200 or 204")                     \
    X(gone, counter, requests, "410: there is no such connection")             \
    X(limited, counter, requests, "429: too many, or the client is slow")      \
    X(denied, counter, requests, "403: credentials, path, stage or method")    \
    X(bad, counter, requests, "another status from 400 to 499")                \
    X(failed, counter, requests, "a status from 500: no broker, or no answer") \
    X(late, counter, requests,                                                 \
      "failed since they, or others, waited too long")                         \
    X(replayed, counter, requests, "those denied since they came before")

typedef struct {
#define X(name, kind, unit, meaning) uint64_t name;
    MANAGE_STATS(X)
#undef X
} manage_stats_t;

#endif
