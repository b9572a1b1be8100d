/* SPDX-License-Identifier: MIT
 *
 * REQUESTs that wait, in the order they came, encoded as they came.  Owner
 * thread only.
 */
#ifndef WORKERS_C_KEPT_H
#define WORKERS_C_KEPT_H

#include "proto/message.h"

typedef struct {
    buf_t bytes;  /* owned: each REQUEST behind the time when it came */
    size_t at;    /* bytes of it that are done */
    size_t count; /* REQUESTs that are not */
} kept_t;

/* A REQUEST to be handled. */
typedef struct {
    message_request_t request; /* lent, until kept_done */
    wire_bytes_t raw;          /* likewise: its bytes */
    int64_t came_ms;
    size_t len; /* bytes of kept_t */
} kept_request_t;

/* limit: bytes, also of what is done. */
void kept_init(kept_t *self, size_t limit);
void kept_fini(kept_t *self);

/* Forget all. */
void kept_reset(kept_t *self);

/* Put a REQUEST that was decoded before; it is copied.  Returns as buf_put. */
int kept_put(kept_t *self, wire_bytes_t raw, int64_t came_ms);

/* The first of those that wait, of which there is one.  Nothing may be put
 * before it is done. */
void kept_next(const kept_t *self, kept_request_t *next);
void kept_done(kept_t *self, const kept_request_t *done);

/* When the first came; INT64_MAX: there is none. */
int64_t kept_oldest_ms(const kept_t *self);

#endif
