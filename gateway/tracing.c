/* SPDX-License-Identifier: MIT */
#include "gateway/tracing.h"

#include "base/rand.h"
#include "gateway/hub.h"

#include <stdlib.h>

#define WHOLE 4294967296.0 /* 2^32 */

void tracing_init(tracing_t *self, double share, bool trusts)
{
    *self =
        (tracing_t){.threshold = (uint64_t)(share * WHOLE), .trusts = trusts};
    if (self->threshold > 0) {
        rand_bytes(&self->random, sizeof self->random);
    }
}

/* --- the client's place --------------------------------------------------- */

/* The one header of that name; more than one is none, by the rules. */
static const http_header_t *only_header(const http_request_t *request)
{
    const http_header_t *found = NULL;

    for (size_t i = 0; i < request->header_count; i++) {
        const http_header_t *header = &request->headers[i];
        if (!http_equal_fold(header->name, wire_bytes("traceparent"))) {
            continue;
        }
        if (found != NULL) {
            return NULL;
        }
        found = header;
    }
    return found;
}

void tracing_join(session_t *session, const http_request_t *request)
{
    const http_header_t *header = only_header(request);
    trace_place_t place;

    if (header == NULL || session->trace != NULL ||
        traceparent_parse(header->value, &place) < 0) {
        return;
    }
    session->trace = malloc(sizeof place);
    if (session->trace != NULL) { /* else it is as if it had none */
        *session->trace = place;
    }
}

/* --- sampling ------------------------------------------------------------ */

static bool is_sampled(tracing_t *self, const trace_place_t *client)
{
    if (self->put == NULL) {
        return false;
    }
    if (client != NULL && self->trusts) {
        return client->is_sampled;
    }
    return rand_step(&self->random) >> 32 < self->threshold;
}

/* --- spans --------------------------------------------------------------- */

/* NULL without memory. */
static span_t *new_span(hub_t *hub, const session_t *session,
                        const message_request_t *request)
{
    span_t *span = calloc(1, sizeof *span);

    if (span == NULL) {
        return NULL;
    }
    if (session->trace != NULL) {
        memcpy(span->trace, session->trace->trace, sizeof span->trace);
        memcpy(span->parent, session->trace->span, sizeof span->parent);
    } else {
        span_new_trace(&hub->tracing.ids, span->trace);
    }
    span_new_id(&hub->tracing.ids, span->id);
    span->kind = SPAN_EVENT;
    span->event = (uint8_t)request->event;
    span->start_us = hub->now_us;
    memcpy(span->conn, request->conn.data, sizeof span->conn);
    span_set_route(span, request->route);
    return span;
}

static void say_place(message_request_t *request, const trace_place_t *place,
                      char text[TRACEPARENT_TEXT])
{
    traceparent_format(place, text);
    request->traceparent =
        (wire_bytes_t){(const uint8_t *)text, TRACEPARENT_TEXT};
}

span_t *tracing_begin(hub_t *hub, const session_t *session,
                      message_request_t *request, char text[TRACEPARENT_TEXT])
{
    tracing_t *self = &hub->tracing;
    span_t *span = is_sampled(self, session->trace)
                       ? new_span(hub, session, request)
                       : NULL;
    trace_place_t place;

    if (span != NULL) {
        memcpy(place.trace, span->trace, sizeof place.trace);
        memcpy(place.span, span->id, sizeof place.span);
        place.is_sampled = true;
        say_place(request, &place, text);
    } else if (session->trace != NULL) {
        place = *session->trace;
        place.is_sampled &= self->trusts; /* else it is no word for workers */
        say_place(request, &place, text);
    }
    return span;
}

void tracing_end(hub_t *hub, span_t **span_p, uint64_t status)
{
    span_t *span = *span_p;

    *span_p = NULL;
    span->end_us = hub->now_us;
    span->status = (uint16_t)status;
    hub->stats.spans++;
    hub->tracing.put(hub->tracing.user, span);
    free(span);
}
