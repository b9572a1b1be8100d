/* SPDX-License-Identifier: MIT */
#include "broker/spans.h"

#include "broker/conns.h"

#include <stdlib.h>

void spans_begin(request_t *request, wire_bytes_t traceparent)
{
    trace_place_t place;

    if (traceparent.len == 0 || traceparent_parse(traceparent, &place) < 0) {
        return;
    }
    request->traced = calloc(1, sizeof *request->traced);
    if (request->traced != NULL) { /* else it goes on without */
        request->traced->place = place;
    }
}

static bool is_recorded(const core_t *core, const request_t *request)
{
    return core->ops.span != NULL && request->traced->place.is_sampled;
}

wire_bytes_t spans_make_place(core_t *core, request_t *request,
                              char text[TRACEPARENT_TEXT])
{
    traced_t *traced = request->traced;
    trace_place_t place = traced->place;

    if (is_recorded(core, request)) {
        span_new_id(&core->span_ids, traced->dispatch);
        memcpy(place.span, traced->dispatch, sizeof place.span);
    }
    traceparent_format(&place, text);
    return (wire_bytes_t){(const uint8_t *)text, TRACEPARENT_TEXT};
}

/* What both kinds have: a child of the gateway's that began at since_us. */
static span_t span_of(const core_t *core, const request_t *request,
                      span_kind_t kind, uint64_t status)
{
    const traced_t *traced = request->traced;
    const flow_t *flow = request->flow;
    span_t span = {.kind = (uint8_t)kind,
                   .event = request->event,
                   .attempt = request->attempt,
                   .start_us = request->since_us,
                   .end_us = core->now_us,
                   .number = request->number,
                   .status = (uint16_t)status};

    memcpy(span.trace, traced->place.trace, sizeof span.trace);
    memcpy(span.parent, traced->place.span, sizeof span.parent);
    conn_id_format(conn_id_of(request->conn), span.conn);
    span_set_route(&span, (wire_bytes_t){flow->key, flow->key_len});
    return span;
}

static void put(core_t *core, const span_t *span)
{
    core->stats.spans++;
    core->ops.span(core->user, span);
}

void spans_put_queue(core_t *core, request_t *request, uint64_t status)
{
    request->traced->waits = false;
    if (is_recorded(core, request)) {
        span_t span = span_of(core, request, SPAN_QUEUE, status);
        span_new_id(&core->span_ids, span.id);
        put(core, &span);
    }
}

void spans_put_dispatch(core_t *core, request_t *request, uint64_t status)
{
    if (is_recorded(core, request)) {
        span_t span = span_of(core, request, SPAN_DISPATCH, status);
        memcpy(span.id, request->traced->dispatch, sizeof span.id);
        put(core, &span);
    }
}

void spans_forget(core_t *core, request_t *request)
{
    if (request->traced->waits) { /* no worker came for it */
        spans_put_queue(core, request, 503);
    }
    free(request->traced);
    request->traced = NULL;
}
