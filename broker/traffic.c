/* SPDX-License-Identifier: MIT */
#include "broker/traffic.h"

#include "base/xalloc.h"

#include <stdlib.h>
#include <string.h>

static void name(flow_t *flow, wire_bytes_t key)
{
    flow->key_len = key.len;
    memcpy(flow->key, key.data, key.len);
}

void traffic_init(traffic_t *self)
{
    *self = (traffic_t){.count = 0};
    self->none = xcalloc(1, sizeof *self->none);
    self->other = xcalloc(1, sizeof *self->other);
    name(self->other, wire_bytes("$other"));
}

void traffic_fini(traffic_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        free(self->flows[i]);
    }
    free(self->other);
    free(self->none);
}

flow_t *traffic_flow(traffic_t *self, wire_bytes_t key)
{
    for (size_t i = 0; i < self->count; i++) {
        flow_t *flow = self->flows[i];
        if (wire_equal((wire_bytes_t){flow->key, flow->key_len}, key)) {
            return flow;
        }
    }
    flow_t *flow =
        self->count < TRAFFIC_ROUTES ? calloc(1, sizeof *flow) : NULL;
    if (flow == NULL) {
        return self->other;
    }
    name(flow, key);
    self->flows[self->count++] = flow;
    return flow;
}

const flow_t *traffic_told(const traffic_t *self, size_t i)
{
    if (i < self->count) {
        return self->flows[i];
    }
    return i == self->count && self->other->requests > 0 ? self->other : NULL;
}
