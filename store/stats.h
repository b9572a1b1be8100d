/* SPDX-License-Identifier: MIT
 *
 * What a store counts; docs/counters.md has the table.
 */
#ifndef STORE_STATS_H
#define STORE_STATS_H

#include <stdint.h>

#define STORE_STATS(X)                                                         \
    X(store_up, gauge, boolean, "1 while the store answers")                   \
    X(store_pending, gauge, operations, "under way or queued")                 \
    X(store_done, counter, operations, "that succeeded")                       \
    X(store_failed, counter, operations, "that failed")                        \
    X(store_refused, counter, operations, "beyond the queue's bound")          \
    X(store_retries, counter, requests, "sent once more")                      \
    X(store_connects, counter, connections, "to the store that stood")

typedef struct {
#define X(name, kind, unit, meaning) uint64_t name;
    STORE_STATS(X)
#undef X
} store_stats_t;

#endif
