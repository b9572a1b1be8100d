/* SPDX-License-Identifier: MIT
 *
 * Takes spans from an actor and has them sent to a receiver of OTLP, in a
 * thread of its own (outgoing.c), so that the actor never waits for anybody:
 * spans go into a socket pair whose kernel buffer bounds them, and what does
 * not fit is dropped and counted.  The two share nothing else.  All calls are
 * the actor's.
 */
#ifndef TRACE_EXPORTER_H
#define TRACE_EXPORTER_H

#include "trace/otlp.h"

typedef struct exporter exporter_t;

/* What became of spans; they only grow. */
typedef struct {
    uint64_t exported; /* the receiver has taken them */
    uint64_t dropped;  /* there was no room, or the receiver refused them */
} exporter_counts_t;

/*
 * endpoint: an http or https URL; texts are copied.
 * Returns 0 with *self_p set, NULL for an empty endpoint; -errno when there is
 * no thread or no descriptor for it.
 */
int exporter_new(exporter_t **self_p, const char *endpoint,
                 const otlp_source_t *source);

/* Take a span; never blocks. */
void exporter_put(exporter_t *self, const span_t *span);

/* At the end of a turn: hand over what was taken.  Harmless for NULL. */
void exporter_flush(exporter_t *self);

/* What is known by now; zeros for NULL. */
exporter_counts_t exporter_counts(exporter_t *self);

/* Waits up to EXPORTER_END_MS for what was taken to be sent.  Harmless for
 * NULL. */
void exporter_destroy(exporter_t **self_p);

#define EXPORTER_END_MS 1000

#endif
