/* SPDX-License-Identifier: MIT
 *
 * What the loops of a gateway say of themselves, as one: each puts a report,
 * and whoever has those of all (loops.c, or a loop that is alone) makes of them
 * what an operator is told.  A report is bytes for a pipe within the process.
 * What takes a hub is its loop's; the rest is pure.
 */
#ifndef GATEWAY_SUMMARY_H
#define GATEWAY_SUMMARY_H

#include "gateway/hub.h"

#define REPORT_MAX 1048576 /* bytes: as an actor answers */

/* Of one loop. */
typedef struct {
    uint32_t number; /* of the loop, from 1 */
    uint32_t id;     /* in connection ids */
    unsigned ready;  /* as gateway_ready returns */
    bool is_draining;
    uint64_t uptime_ms;
    uint64_t groups; /* names that it knows */
    gateway_stats_t stats;
    trips_t trips;
    uint32_t reasons_len;
    wire_bytes_t reasons; /* lent: lines, as of gateway_ready */
    wire_bytes_t brokers; /* lent: an array of JSON */
} report_t;

/* Append a report.  Returns 200, or 500 without memory. */
unsigned report_put(const hub_t *hub, buf_t *out);

/* bytes: one that was put; they lend the texts. */
void report_read(wire_bytes_t bytes, report_t *report);

/* The sum of counters, names and times of all; of the rest, what is said of the
 * first. */
void summary_sum(const report_t *loops, size_t count, report_t *sum);

/*
 * Append the reasons not to be ready, or to be so with less; where loops differ
 * each line says whose it is.  Returns the worst of their statuses, or 500.
 */
unsigned summary_ready(const report_t *loops, size_t count, buf_t *out);

/* Append what /status shows of a gateway.  Returns 200 or 500. */
unsigned summary_status(const report_t *loops, size_t count, const char *name,
                        const char *address, buf_t *text);

#endif
