/* SPDX-License-Identifier: MIT */
#include "store/record.h"

#include <stdlib.h>
#include <string.h>

record_t *record_new(const conn_id_t *id, wire_bytes_t context, uint32_t ttl_s)
{
    record_t *self = calloc(1, sizeof *self + context.len);

    if (self == NULL) {
        return NULL;
    }
    self->references = 1;
    self->context_len = (uint32_t)context.len;
    self->id = *id;
    self->ttl_s = ttl_s;
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
