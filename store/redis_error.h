/* SPDX-License-Identifier: MIT
 *
 * What an error that Redis answered means for who asked.  Pure.
 */
#ifndef STORE_REDIS_ERROR_H
#define STORE_REDIS_ERROR_H

#include "proto/wire.h"
#include "store/redis_url.h"

typedef enum {
    REDIS_GIVE_UP,      /* tell the caller */
    REDIS_TRY_LATER,    /* it has not done it, and may do it in a while */
    REDIS_TRY_BRIEFLY,  /* the same, but a while will hardly help */
    REDIS_GO_THERE,     /* MOVED: that node has the slot now */
    REDIS_ASK_THERE,    /* ASK: that node may have the key already */
    REDIS_SEND_SCRIPT,  /* NOSCRIPT: it knows the script by its text only */
    REDIS_LEAVE_SERVER, /* READONLY: it is a replica by now */
} redis_advice_t;

typedef struct {
    redis_advice_t advice;
    int rc; /* as store.h has it, for when nobody tries again */
} redis_verdict_t;

redis_verdict_t redis_verdict_of(wire_bytes_t error);

/*
 * Of MOVED and ASK: the slot and where.  An empty host is `from` itself.
 * Returns 0 or -EPROTO.
 */
int redis_error_place(wire_bytes_t error, const char *from, uint16_t *slot,
                      redis_host_t *host);

#endif
