/* SPDX-License-Identifier: MIT
 *
 * The traceparent of W3C Trace Context: a place in a trace, as text.  Pure; any
 * thread.
 */
#ifndef PROTO_TRACEPARENT_H
#define PROTO_TRACEPARENT_H

#include "proto/wire.h"

#define TRACE_ID_BYTES 16
#define SPAN_ID_BYTES  8

/* What is below it in its trace has it as the parent. */
typedef struct {
    uint8_t trace[TRACE_ID_BYTES]; /* not all 0 */
    uint8_t span[SPAN_ID_BYTES];   /* likewise */
    bool is_sampled;               /* it is recorded somewhere */
} trace_place_t;

#define TRACEPARENT_TEXT 55 /* characters, in version 00 */

/*
 * Read a traceparent of version 00, or the part of a later one that is like it.
 * Returns 0, or -EINVAL: there is none.
 */
int traceparent_parse(wire_bytes_t text, trace_place_t *place);

/* Write it, in version 00; no NUL behind it. */
void traceparent_format(const trace_place_t *place,
                        char text[TRACEPARENT_TEXT]);

/* len bytes as 2 * len lower-case digits; no NUL behind them. */
void traceparent_put_hex(char *text, const uint8_t *bytes, size_t len);

#endif
