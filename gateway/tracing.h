/* SPDX-License-Identifier: MIT
 *
 * Which events are sampled, and their spans.  The traceparent of a client's
 * handshake is the parent of what its connection does; whether that is recorded
 * is decided here for each event, since clients are not trusted, unless they
 * are.  Loop thread only.
 */
#ifndef GATEWAY_TRACING_H
#define GATEWAY_TRACING_H

#include "proto/http.h"
#include "trace/span.h"

typedef struct hub hub_t;
typedef struct session session_t;

typedef struct {
    uint64_t threshold; /* an event is sampled when 32 random bits are below */
    uint64_t random;    /* state of rand_step */
    span_ids_t ids;
    bool trusts;  /* the flag of a client's traceparent decides */
    span_fn *put; /* NULL: nothing is sampled */
    void *user;
} tracing_t;

/* share: of events, 0 to 1. */
void tracing_init(tracing_t *self, double share, bool trusts);

/* The handshake says under which place of a trace its connection is. */
void tracing_join(session_t *session, const http_request_t *request);

/* Is there anything to do for an event?  client: of its session, or NULL. */
static inline bool tracing_concerns(const tracing_t *self,
                                    const trace_place_t *client)
{
    return self->threshold > 0 || client != NULL;
}

/*
 * Say in the request, with text for the bytes, under which place it is to be
 * handled.
 * Returns its span, which has begun, if it is sampled; the caller's.
 */
span_t *tracing_begin(hub_t *hub, const session_t *session,
                      message_request_t *request, char text[TRACEPARENT_TEXT]);

/* The outcome is there: put the span, and free it. */
void tracing_end(hub_t *hub, span_t **span_p, uint64_t status);

#endif
