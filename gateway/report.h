/* SPDX-License-Identifier: MIT
 *
 * What a gateway says of itself when it is asked: lines of text for people, and
 * its counters for Prometheus.  Loop thread only, as the hub.
 */
#ifndef GATEWAY_REPORT_H
#define GATEWAY_REPORT_H

#include "gateway/hub.h"

/*
 * Append a line for each reason not to be ready, or to be so with less.  It is
 * ready while new connections can be placed at a broker.
 * Returns 200 when it is ready, 503 when not, 500 without memory.
 */
unsigned gateway_ready(const hub_t *hub, buf_t *out);

/* Append the counters (base/metrics.h), and how long requests took.  Returns
 * 200, or 500 without memory. */
unsigned gateway_metrics(const gateway_stats_t *stats, const trips_t *trips,
                         buf_t *out);

/* Log them as event GATEWAY-STATS. */
void gateway_log_stats(const gateway_stats_t *stats);

#endif
