/* SPDX-License-Identifier: MIT
 *
 * Spans as an ExportTraceServiceRequest of OTLP, in its JSON encoding.  Pure.
 */
#ifndef TRACE_OTLP_H
#define TRACE_OTLP_H

#include "base/buf.h"
#include "trace/span.h"

/* Who made the spans; lent texts. */
typedef struct {
    const char *service;  /* "hoist-gateway" */
    const char *name;     /* of the process, for people; may be "" */
    const char *instance; /* new at each start */
} otlp_source_t;

/*
 * Append a request with count spans.
 *
 * wall_us  what is to be added to times of the monotonic clock
 *
 * Returns 0, -ENOBUFS or -ENOMEM; then out is as it was.
 */
int otlp_put(buf_t *out, const otlp_source_t *source, const span_t *spans,
             size_t count, int64_t wall_us);

#endif
