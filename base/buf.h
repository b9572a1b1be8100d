/* SPDX-License-Identifier: MIT
 *
 * A growable run of bytes with a ceiling.  Owned by whoever embeds it; one
 * thread.  It is the only place where the project grows memory by a size that
 * a peer chose, so the ceiling given at creation is the bound on that peer.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    uint8_t *data; /* owned; NULL while nothing was ever put */
    size_t len;    /* bytes in use */
    size_t cap;    /* bytes allocated */
    size_t limit;  /* bytes, len never exceeds it */
} buf_t;

/* Start empty.  limit: bytes, > 0.  Allocates nothing. */
void buf_init(buf_t *self, size_t limit);

/* Free the bytes; *self is empty and usable afterwards. */
void buf_fini(buf_t *self);

/* The part of buf_reserve that allocates. */
__attribute__((warn_unused_result)) int buf_grow(buf_t *self, size_t more);

/*
 * Make room for `more` bytes behind len.
 * Returns 0, -ENOBUFS past the limit, -ENOMEM.  On error nothing changed.
 */
__attribute__((warn_unused_result)) static inline int buf_reserve(buf_t *self,
                                                                  size_t more)
{
    return more <= self->cap - self->len ? 0 : buf_grow(self, more);
}

/* Append a copy of bytes.  Returns as buf_reserve.  Inline, because most of
 * what the codec puts are a few bytes of a known number. */
__attribute__((warn_unused_result)) static inline int
buf_put(buf_t *self, const void *bytes, size_t len)
{
    int rc = buf_reserve(self, len);
    if (rc == 0 && len > 0) {
        memcpy(self->data + self->len, bytes, len);
        self->len += len;
    }
    return rc;
}

/* Drop the first len bytes (len <= self->len) and move the rest forward. */
void buf_drop(buf_t *self, size_t len);

/* Empty it, and leave nothing of what was ever in its memory: it was secret. */
void buf_wipe(buf_t *self);

/* Empty it and give memory above `keep` bytes back to the system. */
void buf_reset(buf_t *self, size_t keep);

#endif
