/* SPDX-License-Identifier: MIT */
#include "store/record.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

record_t *record_new(const conn_id_t *id, wire_bytes_t context, uint32_t ttl_s)
{
    /* Not sizeof: what it has behind its last member is the context's. */
    record_t *self = context.len <= UINT16_MAX
                         ? malloc(offsetof(record_t, context) + context.len)
                         : NULL;

    if (self == NULL) {
        return NULL;
    }
    self->next = NULL;
    self->place = 0;
    self->expires_ms = 0;
    self->writer = NULL;
    self->references = 1;
    self->ttl_s = ttl_s;
    self->id = *id;
    self->context_len = (uint16_t)context.len;
    if (context.len != 0) {
        memcpy(self->context, context.data, context.len);
    }
    return self;
}

void record_drop(record_t *self)
{
    if (self != NULL && --self->references == 0) {
        free(self);
    }
}
