/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include "base/xalloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 256 /* bytes: most messages fit, so one allocation each */

void buf_init(buf_t *self, size_t limit)
{
    *self = (buf_t){.limit = limit};
}

void buf_fini(buf_t *self)
{
    free(self->data);
    *self = (buf_t){.limit = self->limit};
}

int buf_grow(buf_t *self, size_t more)
{
    if (more > self->limit - self->len) {
        return -ENOBUFS;
    }
    size_t cap = self->cap ? self->cap : FIRST_CAP;
    while (cap < self->len + more) {
        cap = cap > self->limit / 2 ? self->limit : cap * 2;
    }
    if (cap > self->limit) {
        cap = self->limit;
    }
    uint8_t *data = realloc(self->data, cap);
    if (data == NULL) {
        return -ENOMEM;
    }
    self->data = data;
    self->cap = cap;
    return 0;
}

void buf_drop(buf_t *self, size_t len)
{
    must(len <= self->len);
    self->len -= len;
    if (len > 0 && self->len > 0) {
        memmove(self->data, self->data + len, self->len);
    }
}

void buf_wipe(buf_t *self)
{
    self->len = 0;
    if (self->cap > 0) {
        explicit_bzero(self->data, self->cap);
    }
}

void buf_reset(buf_t *self, size_t keep)
{
    self->len = 0;
    if (self->cap > keep) {
        buf_fini(self);
    }
}
