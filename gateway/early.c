/* SPDX-License-Identifier: MIT */
#include "gateway/early.h"

#include "gateway/ws.h"

#include <errno.h>
#include <stdlib.h>

/* The ceiling is looked at before each push: see early_push. */
#define NO_CEILING ((size_t)1 << 30)

static int make(early_t **self_p)
{
    if (*self_p == NULL) {
        early_t *self = calloc(1, sizeof *self);
        if (self == NULL) {
            return -ENOMEM;
        }
        buf_init(&self->frames, NO_CEILING);
        buf_init(&self->senders, NO_CEILING);
        *self_p = self;
    }
    return (*self_p)->kick_code != 0 ? -ENOTCONN : 0;
}

int early_push(early_t **self_p, const body_t *body, pusher_t pusher,
               size_t limit)
{
    int rc = make(self_p);
    if (rc < 0) {
        return rc;
    }
    early_t *self = *self_p;
    size_t kept = self->frames.len + self->senders.len;
    if (kept + ws_head_len(body->bytes.len) + body->bytes.len + sizeof pusher >
        limit) {
        return -ENOBUFS;
    }
    rc = buf_reserve(&self->senders, sizeof pusher);
    if (rc == 0) {
        rc = ws_put_frame(&self->frames,
                          body->type == BODY_TEXT ? WS_TEXT : WS_BINARY,
                          body->bytes.data, body->bytes.len);
    }
    return rc == 0 ? buf_put(&self->senders, &pusher, sizeof pusher) : rc;
}

int early_kick(early_t **self_p, uint16_t code, wire_bytes_t reason)
{
    int rc = make(self_p);
    if (rc < 0) {
        return rc;
    }
    early_t *self = *self_p;
    size_t len = reason.len < REASON_MAX ? reason.len : REASON_MAX;
    self->kick_code = code;
    self->kick_len = (uint8_t)len;
    if (len > 0) {
        memcpy(self->kick_reason, reason.data, len);
    }
    return 0;
}

size_t early_count(const early_t *self)
{
    return self != NULL ? self->senders.len / sizeof(pusher_t) : 0;
}

bool early_take_sender(early_t *self, pusher_t *pusher)
{
    if (self == NULL || self->told == self->senders.len) {
        return false;
    }
    memcpy(pusher, self->senders.data + self->told, sizeof *pusher);
    self->told += sizeof *pusher;
    return true;
}

void early_destroy(early_t **self_p)
{
    early_t *self = *self_p;

    if (self != NULL) {
        *self_p = NULL;
        buf_fini(&self->frames);
        buf_fini(&self->senders);
        free(self);
    }
}
