/* SPDX-License-Identifier: MIT
 *
 * What becomes of the requests of each route: counts, and how long they waited
 * here and took there.  A flow outlives its route, so that what it counts only
 * grows; and since workers choose what routes there are, only the first
 * TRAFFIC_ROUTES keys have one of their own.  All others share $other, which no
 * route can be called.  No allocation but for a new key.  Loop thread only.
 *
 *   came ---> waiting ---> held by a worker ---> replied, or lost with it
 *     \__________________/        \__ taken back: waiting again
 */
#ifndef BROKER_TRAFFIC_H
#define BROKER_TRAFFIC_H

#include "base/histogram.h"
#include "proto/message.h"

#define TRAFFIC_ROUTES 64 /* keys that are told apart */

/* X(name, kind, unit, meaning); docs/metrics.md */
#define ROUTE_STATS(X)                                                         \
    X(requests, counter, requests, "that came for the route")                  \
    X(replies, counter, replies, "that answered their request in time")        \
    X(refused, counter, replies, "of those, with a status from 400 to 499")    \
    X(failed, counter, replies, "of those, with a status from 500 on")         \
    X(late, counter, replies, "that came after the deadline")                  \
    X(timeouts, counter, requests, "whose deadline passed")                    \
    X(died, counter, requests, "whose worker was lost while it held them")     \
    X(waiting, gauge, requests, "that wait for a worker")                      \
    X(held, gauge, requests, "that workers hold")

/* In seconds; a request has as many of each as it is given to workers. */
#define ROUTE_TIMES(X)                                                         \
    X(wait, histogram, seconds, "until a worker was given the request")        \
    X(handler, histogram, seconds, "from then until its reply came")

typedef struct {
#define X(name, kind, unit, meaning) uint64_t name;
    ROUTE_STATS(X)
#undef X
#define X(name, kind, unit, meaning) histogram_t name;
    ROUTE_TIMES(X)
#undef X
    size_t key_len;
    uint8_t key[ROUTE_KEY_MAX];
} flow_t;

typedef struct {
    flow_t *none;  /* owned; of requests without a route, and told to nobody */
    flow_t *other; /* owned: $other */
    flow_t *flows[TRAFFIC_ROUTES]; /* owned; in the order they came */
    size_t count;
} traffic_t;

void traffic_init(traffic_t *self);
void traffic_fini(traffic_t *self);

/* The flow of a route key; lives until traffic_fini. */
flow_t *traffic_flow(traffic_t *self, wire_bytes_t key);

/* The i-th of those that have something to tell, or NULL behind the last. */
const flow_t *traffic_told(const traffic_t *self, size_t i);

#endif
