/* SPDX-License-Identifier: MIT */
#include "trace/span.h"

#include "base/rand.h"
#include "base/utf8.h"

/* Readers take an id of zeros for none. */
static void fill(uint8_t *id, size_t len)
{
    static const uint8_t none[TRACE_ID_BYTES];

    do {
        rand_bytes(id, len);
    } while (memcmp(id, none, len) == 0);
}

void span_new_id(uint8_t id[SPAN_ID_BYTES])
{
    fill(id, SPAN_ID_BYTES);
}

void span_new_trace(uint8_t trace[TRACE_ID_BYTES])
{
    fill(trace, TRACE_ID_BYTES);
}

void span_set_route(span_t *self, wire_bytes_t route)
{
    size_t len = utf8_cut(route.data, route.len, SPAN_ROUTE_MAX);

    memcpy(self->route, route.data, len);
    self->route_len = (uint8_t)len;
}
