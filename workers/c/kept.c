/* SPDX-License-Identifier: MIT */
#include "workers/c/kept.h"

#include "base/xalloc.h"

#define KEEP ((size_t)1 << 20) /* memory that may stay where nothing waits */

void kept_init(kept_t *self, size_t limit)
{
    *self = (kept_t){.count = 0};
    buf_init(&self->bytes, limit);
}

void kept_fini(kept_t *self)
{
    buf_fini(&self->bytes);
}

void kept_reset(kept_t *self)
{
    buf_reset(&self->bytes, KEEP);
    self->at = 0;
    self->count = 0;
}

int kept_put(kept_t *self, wire_bytes_t raw, int64_t came_ms)
{
    size_t start = self->bytes.len;
    int rc = wire_put_uint(&self->bytes, (uint64_t)came_ms);

    if (rc == 0) {
        rc = wire_put_raw(&self->bytes, raw);
    }
    if (rc < 0) {
        self->bytes.len = start;
        return rc;
    }
    self->count++;
    return 0;
}

/* Of what waits, behind the time of the first. */
static wire_cursor_t first(const kept_t *self, int64_t *came_ms)
{
    wire_bytes_t rest = {self->bytes.data + self->at,
                         self->bytes.len - self->at};
    wire_cursor_t at = wire_cursor(rest);
    uint64_t ms;

    must(self->count > 0 && wire_get_uint(&at, &ms) == 0); /* we wrote it */
    *came_ms = (int64_t)ms;
    return at;
}

void kept_next(const kept_t *self, kept_request_t *next)
{
    message_t message;
    wire_cursor_t at = first(self, &next->came_ms);

    must(message_decode(&at, &message) == 1); /* it was decoded before */
    next->request = message.request;
    next->raw = (wire_bytes_t){at.at - message.size, message.size};
    next->len = (size_t)(at.at - (self->bytes.data + self->at));
}

/* The bytes of what is done are given back before they outgrow what waits. */
void kept_done(kept_t *self, const kept_request_t *done)
{
    self->at += done->len;
    if (--self->count == 0) {
        kept_reset(self);
    } else if (self->at > self->bytes.len / 2) {
        buf_drop(&self->bytes, self->at);
        self->at = 0;
    }
}

int64_t kept_oldest_ms(const kept_t *self)
{
    int64_t came_ms = INT64_MAX;

    if (self->count > 0) {
        (void)first(self, &came_ms);
    }
    return came_ms;
}
