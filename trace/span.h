/* SPDX-License-Identifier: MIT
 *
 * What is recorded of a part of an event's way: from when to when, under which
 * place of its trace, and how it ended.  A span points nowhere, so that it can
 * be handed to another thread as its bytes.  Pure, but for a first span_new_id.
 */
#ifndef TRACE_SPAN_H
#define TRACE_SPAN_H

#include "proto/message.h"
#include "proto/traceparent.h"

#define SPAN_ROUTE_MAX 64 /* bytes of a route key that are kept */

typedef enum {
    SPAN_EVENT,    /* of a gateway: from the client's word to the outcome */
    SPAN_QUEUE,    /* of a broker: until a worker was given it */
    SPAN_DISPATCH, /* of a broker: from then until its reply came */
} span_kind_t;

#define SPAN_LOST 0 /* a status: the worker that had it was lost */

typedef struct {
    uint8_t trace[TRACE_ID_BYTES];
    uint8_t id[SPAN_ID_BYTES];
    uint8_t parent[SPAN_ID_BYTES]; /* all 0: it is the first */
    int64_t start_us, end_us;      /* of the monotonic clock */
    uint64_t number;               /* of the request */
    char conn[CONN_ID_TEXT];
    uint8_t kind;    /* span_kind_t */
    uint8_t event;   /* event_t */
    uint8_t attempt; /* from 1 on; 0: it makes no difference */
    uint8_t route_len;
    uint16_t status; /* of the outcome, as in HTTP, or SPAN_LOST */
    uint8_t route[SPAN_ROUTE_MAX];
} span_t;

/* Where a core puts a span that has ended; lent. */
typedef void span_fn(void *user, const span_t *span);

/* Where ids come from: they are to differ, and no secret.  A zeroed one is
 * seeded by the kernel when it is used first. */
typedef struct {
    uint64_t state; /* of rand_step */
    uint64_t node;  /* half of each trace's id; 0: not seeded */
} span_ids_t;

/* A new id; never all 0. */
void span_new_id(span_ids_t *self, uint8_t id[SPAN_ID_BYTES]);
void span_new_trace(span_ids_t *self, uint8_t trace[TRACE_ID_BYTES]);

/* Keep as much of the key as there is room for. */
void span_set_route(span_t *self, wire_bytes_t route);

/* Did it end in an error of ours, or of a worker's? */
static inline bool span_has_failed(const span_t *self)
{
    return self->status == SPAN_LOST || self->status >= 500;
}

#endif
