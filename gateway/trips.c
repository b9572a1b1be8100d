/* SPDX-License-Identifier: MIT */
#include "gateway/trips.h"

#include "gateway/hub.h"

#include <stdlib.h>

const char *trips_event(size_t event)
{
    static const char *const names[TRIPS_EVENTS] = {
        [EVENT_CONNECT] = "connect",
        [EVENT_MESSAGE] = "message",
        [EVENT_DISCONNECT] = "disconnect",
        [EVENT_PRESENCE] = "presence",
    };

    return event < TRIPS_EVENTS ? names[event] : NULL;
}

/* Of a session that is in a trace, or an event that may be sampled. */
static int put_traced(session_t *session, link_t *link,
                      message_request_t *request, link_origin_t *origin)
{
    char place[TRACEPARENT_TEXT];

    origin->span = tracing_begin(session->hub, session, request, place);
    int rc = link_put(link, request, origin);
    if (rc < 0) {
        free(origin->span);
    } else if (origin->span != NULL) {
        origin->span->number = request->number;
    }
    return rc;
}

int trips_put(session_t *session, link_t *link, message_request_t *request)
{
    const hub_t *hub = session->hub;
    link_origin_t origin = {.since_us = hub->now_us,
                            .slot = session->id.slot,
                            .conn_generation = session->id.generation};

    return tracing_concerns(&hub->tracing, session->trace)
               ? put_traced(session, link, request, &origin)
               : link_put(link, request, &origin);
}

void trips_end(hub_t *hub, link_request_t *request, uint64_t status)
{
    histogram_add(&hub->trips.request[request->event],
                  hub->now_us - request->origin.since_us);
    if (request->origin.span != NULL) {
        tracing_end(hub, &request->origin.span, status);
    }
}

void trips_merge(trips_t *self, const trips_t *other)
{
    for (size_t i = 0; i < TRIPS_EVENTS; i++) {
        histogram_merge(&self->request[i], &other->request[i]);
    }
}
