/* SPDX-License-Identifier: MIT
 *
 * What the admin listener counts; docs/counters.md has the table.
 */
#ifndef ADMIN_STATS_H
#define ADMIN_STATS_H

#include <stdint.h>

/* X(name, kind, unit, meaning) */
#define ADMIN_STATS(X)                                                         \
    X(sockets, gauge, sockets, "of clients that stand")                        \
    X(sockets_accepted, counter, sockets, "accepted")                          \
    X(sockets_refused, counter, sockets, "closed at once: all were at work")   \
    X(sockets_evicted, counter, sockets, "that asked nothing, for a new one")  \
    X(sockets_late, counter, sockets, "ended: too slow to ask or to read")     \
    X(requests, counter, requests, "heads that were read")                     \
    X(requests_refused, counter, requests, "answered with a status from 400")  \
    X(unanswered, counter, requests, "503: the broker or gateway was silent")

typedef struct {
#define X(name, kind, unit, meaning) uint64_t name;
    ADMIN_STATS(X)
#undef X
} admin_stats_t;

#endif
