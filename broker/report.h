/* SPDX-License-Identifier: MIT
 *
 * What a broker says of itself when it is asked: lines of text for people, and
 * its counters for Prometheus.  Pure.
 */
#ifndef BROKER_REPORT_H
#define BROKER_REPORT_H

#include "base/buf.h"
#include "broker/stats.h"
#include "broker/traffic.h"
#include "store/stats.h"

#include <stdbool.h>

typedef struct {
    bool is_draining;
    bool is_store_up;
    bool requires_store;
} broker_state_t;

/*
 * Append a line for each reason not to be ready, or to be so with less.
 * Returns 200 when it is ready, 503 when not, 500 without memory.
 */
unsigned broker_ready(const broker_state_t *state, buf_t *out);

/* Append the counters (base/metrics.h).  Returns 200, or 500 without memory. */
unsigned broker_metrics(const broker_stats_t *stats, const store_stats_t *store,
                        const traffic_t *traffic, buf_t *out);

/* Log them as event BROKER-STATS. */
void broker_log_stats(const broker_stats_t *stats, const store_stats_t *store);

#endif
