/* SPDX-License-Identifier: MIT
 *
 * Replies out of what a server sent: hiredis' reader, with the bounds that it
 * lacks, so that a server that is broken or is none costs a connection and
 * not the process.  One thread.
 */
#ifndef STORE_REDIS_READER_H
#define STORE_REDIS_READER_H

#include "proto/wire.h"

#include <hiredis/hiredis.h>

#define REDIS_REPLY_MAX    ((size_t)32 << 20) /* bytes of one reply */
#define REDIS_ELEMENTS_MAX 262144             /* of all arrays of one */

typedef struct {
    redisReader *reader;                    /* owned */
    const redisReplyObjectFunctions *plain; /* borrowed: hiredis' own */
    redisReplyObjectFunctions bounded;
    size_t elements; /* of the arrays of the reply that is being read */
    size_t bytes;    /* fed since the last whole reply */
} redis_reader_t;

/* Returns 0 or -ENOMEM.  *self must stay where it is. */
int redis_reader_init(redis_reader_t *self);
void redis_reader_fini(redis_reader_t *self);

/* Returns 0, -EPROTO when a reply is too large, -ENOMEM. */
int redis_reader_feed(redis_reader_t *self, const void *bytes, size_t len);

/*
 * The next whole reply; freeReplyObject frees it.
 * Returns 1, 0 when more bytes must come, or -EPROTO.
 */
int redis_reader_next(redis_reader_t *self, redisReply **reply);

/* --- what is in a reply -------------------------------------------------- */

/* Its text; no bytes when it has none. */
static inline wire_bytes_t redis_text(const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_STRING ||
        reply->type == REDIS_REPLY_STATUS || reply->type == REDIS_REPLY_ERROR) {
        return (wire_bytes_t){(const uint8_t *)reply->str, (size_t)reply->len};
    }
    return (wire_bytes_t){NULL, 0};
}

/* Is it an array of this many elements? */
static inline bool redis_is_array(const redisReply *reply, size_t elements)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == elements;
}

#endif
