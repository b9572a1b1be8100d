/* SPDX-License-Identifier: MIT */
#include "trace/span.h"

#include "base/rand.h"
#include "base/utf8.h"

/* The kernel's word for each span would cost as much as the rest of it. */
static void seed(span_ids_t *self)
{
    while (self->node == 0) {
        rand_bytes(self, sizeof *self);
    }
}

/* Readers take an id of zeros for none. */
void span_new_id(span_ids_t *self, uint8_t id[SPAN_ID_BYTES])
{
    uint64_t number = 0;

    seed(self);
    while (number == 0) {
        number = rand_step(&self->state);
    }
    memcpy(id, &number, SPAN_ID_BYTES);
}

void span_new_trace(span_ids_t *self, uint8_t trace[TRACE_ID_BYTES])
{
    seed(self);
    memcpy(trace, &self->node, sizeof self->node);
    span_new_id(self, trace + sizeof self->node);
}

_Static_assert(sizeof(uint64_t) == SPAN_ID_BYTES, "a number is an id");
_Static_assert(TRACE_ID_BYTES == 2 * SPAN_ID_BYTES, "two are a trace's");

void span_set_route(span_t *self, wire_bytes_t route)
{
    size_t len = utf8_cut(route.data, route.len, SPAN_ROUTE_MAX);

    memcpy(self->route, route.data, len);
    self->route_len = (uint8_t)len;
}
