/* SPDX-License-Identifier: MIT */
#include "workers/c/outbox.h"

#include "base/xalloc.h"

#include <errno.h>
#include <string.h>

/* Room for what waits at the hard bound, the one push that went past it, and a
 * reply of any size.  Several handlers may have pushed and replied that much
 * before anything is sent: the reserve behind it is there for those that find
 * it full. */
#define LIMIT (OUTBOX_HARD_MAX + 2 * OUTBOX_BODY_MAX + (4u << 20))
#define KEEP  ((size_t)1 << 20) /* memory that an empty buffer may keep */

void outbox_init(outbox_t *self)
{
    *self = (outbox_t){.window = UINT64_MAX, .window_bytes = UINT64_MAX};
    buf_init(&self->ready, LIMIT + OUTBOX_RESERVE);
    buf_init(&self->held, LIMIT + OUTBOX_RESERVE);
}

void outbox_fini(outbox_t *self)
{
    buf_fini(&self->ready);
    buf_fini(&self->held);
}

void outbox_reset(outbox_t *self, uint64_t window, uint64_t window_bytes)
{
    buf_reset(&self->ready, KEEP);
    buf_reset(&self->held, KEEP);
    self->held_at = 0;
    self->window = window;
    self->window_bytes = window_bytes;
    self->pushes = 0;
    self->push_bytes = 0;
}

/* Where the next message goes: behind what is held, if anything is. */
static buf_t *tail(outbox_t *self)
{
    return outbox_is_holding(self) ? &self->held : &self->ready;
}

/* One push is allowed whatever its size when none is on its way, as the
 * broker allows it: else one larger than the window could never go. */
static bool window_allows(const outbox_t *self, size_t cost)
{
    return self->pushes == 0 || (self->pushes < self->window &&
                                 self->push_bytes + cost <= self->window_bytes);
}

static void spend(outbox_t *self, size_t cost)
{
    self->pushes++;
    self->push_bytes += cost;
}

/* What a push takes of the window, in bytes. */
static size_t cost_of(const message_push_t *push)
{
    return push->target.len + push->body.bytes.len;
}

/* Where what takes `cost` of the window goes now: behind what is held, or into
 * what is held where the window does not allow it. */
static buf_t *place_for(outbox_t *self, size_t cost)
{
    bool must_wait = outbox_is_holding(self) || !window_allows(self, cost);

    return must_wait ? &self->held : &self->ready;
}

/* What was put at `start` of a buffer stays if the reserve is whole behind it.
 * Returns rc, or -ENOBUFS. */
static int keep_reserve(buf_t *to, size_t start, int rc)
{
    if (rc == 0 && to->len > LIMIT) {
        to->len = start;
        return -ENOBUFS;
    }
    return rc;
}

int outbox_reply(outbox_t *self, const message_reply_t *reply,
                 outbox_mark_t *mark)
{
    if (reply->body.bytes.len > OUTBOX_BODY_MAX) {
        return -EMSGSIZE;
    }
    buf_t *to = tail(self);
    *mark = (outbox_mark_t){to == &self->held, to->len, 0};
    int rc = keep_reserve(to, mark->at, message_put_reply(to, reply));
    mark->len = to->len - mark->at;
    return rc;
}

int outbox_reply_failure(outbox_t *self, const message_reply_t *reply,
                         outbox_mark_t *mark)
{
    buf_t *to = tail(self);
    *mark = (outbox_mark_t){to == &self->held, to->len, 0};
    int rc = message_put_reply(to, reply);
    mark->len = to->len - mark->at;
    return rc;
}

void outbox_take_back(outbox_t *self, const outbox_mark_t *mark)
{
    buf_t *from = mark->held ? &self->held : &self->ready;
    size_t end = mark->at + mark->len;

    must(end <= from->len);
    memmove(from->data + mark->at, from->data + end, from->len - end);
    from->len -= mark->len;
}

int outbox_push(outbox_t *self, const message_push_t *push)
{
    if (push->body.bytes.len > OUTBOX_BODY_MAX) {
        return -EMSGSIZE;
    }
    if (outbox_waiting(self) > OUTBOX_HARD_MAX) {
        return -ENOBUFS;
    }
    buf_t *to = place_for(self, cost_of(push));
    size_t start = to->len;
    int rc = keep_reserve(to, start, message_put_push(to, push));
    if (rc == 0 && to == &self->ready) {
        spend(self, cost_of(push));
    }
    return rc;
}

int outbox_join(outbox_t *self, message_kind_t kind, const message_join_t *join)
{
    if (outbox_waiting(self) > OUTBOX_HARD_MAX) {
        return -ENOBUFS;
    }
    buf_t *to = place_for(self, 0);
    size_t start = to->len;
    int rc = keep_reserve(to, start, message_put_join(to, kind, join));
    if (rc == 0 && to == &self->ready) {
        spend(self, 0);
    }
    return rc;
}

int outbox_close(outbox_t *self, const message_close_t *close)
{
    if (outbox_waiting(self) > OUTBOX_HARD_MAX) {
        return -ENOBUFS;
    }
    buf_t *to = tail(self);
    size_t start = to->len;
    return keep_reserve(to, start, message_put_close(to, close));
}

int outbox_query(outbox_t *self, wire_bytes_t query)
{
    size_t start = self->ready.len;

    return keep_reserve(&self->ready, start, wire_put_raw(&self->ready, query));
}

int outbox_ready(outbox_t *self, const message_ready_t *ready)
{
    size_t start = self->ready.len;

    return keep_reserve(&self->ready, start,
                        message_put_ready(&self->ready, ready));
}

int outbox_pong(outbox_t *self, const message_pong_t *pong)
{
    size_t start = self->ready.len;

    return keep_reserve(&self->ready, start,
                        message_put_pong(&self->ready, pong));
}

static bool is_counted(message_kind_t kind)
{
    return kind == KIND_PUSH || kind == KIND_JOIN || kind == KIND_LEAVE;
}

/* Move messages from held to ready while the window allows, and the reserve of
 * ready stays whole. */
static void move(outbox_t *self)
{
    while (outbox_is_holding(self)) {
        wire_bytes_t rest = {self->held.data + self->held_at,
                             self->held.len - self->held_at};
        wire_cursor_t cursor = wire_cursor(rest);
        message_t message;

        must(message_decode(&cursor, &message) == 1); /* we encoded it */
        bool counts = is_counted(message.kind);
        size_t cost = message.kind == KIND_PUSH ? cost_of(&message.push) : 0;
        if ((counts && !window_allows(self, cost)) ||
            self->ready.len + message.size > LIMIT ||
            buf_put(&self->ready, rest.data, message.size) < 0) {
            return;
        }
        if (counts) {
            spend(self, cost);
        }
        self->held_at += message.size;
    }
    buf_reset(&self->held, KEEP);
    self->held_at = 0;
}

/* And give their memory back before it outgrows what waits. */
static void release(outbox_t *self)
{
    move(self);
    if (self->held_at > KEEP && self->held_at > self->held.len / 2) {
        buf_drop(&self->held, self->held_at);
        self->held_at = 0;
    }
}

void outbox_credit(outbox_t *self, const message_credit_t *credit)
{
    /* More than was spent is the broker's mistake and buys nothing. */
    self->pushes -=
        credit->messages < self->pushes ? credit->messages : self->pushes;
    self->push_bytes -=
        credit->bytes < self->push_bytes ? credit->bytes : self->push_bytes;
    release(self);
}

size_t outbox_frame(const outbox_t *self, size_t most)
{
    wire_bytes_t all = {self->ready.data, self->ready.len};
    wire_cursor_t cursor = wire_cursor(all);
    wire_bytes_t message;
    size_t len = 0;

    if (all.len <= most) {
        return all.len;
    }
    while (!wire_at_end(&cursor)) {
        must(wire_get_raw(&cursor, &message) == 0); /* we encoded it */
        if (len > 0 && len + message.len > most) {
            break;
        }
        len += message.len;
    }
    return len;
}

void outbox_sent(outbox_t *self, size_t len)
{
    buf_drop(&self->ready, len);
    if (self->ready.len == 0) {
        buf_reset(&self->ready, KEEP);
    }
    /* ready may have been full when credit came. */
    if (outbox_is_holding(self)) {
        release(self);
    }
}
