/* SPDX-License-Identifier: MIT
 *
 * What workers say to a connection while its $connect is being decided: it is
 * kept here and follows the 101.  Pure; made when something is said, owned by
 * the session.  Loop thread only.
 */
#ifndef GATEWAY_EARLY_H
#define GATEWAY_EARLY_H

#include "base/buf.h"
#include "proto/message.h"

#include <stdbool.h>

/* Who pushed. */
typedef struct {
    uint64_t from; /* the broker's own word */
    uint32_t link; /* serial of the broker's link, or … */
} pusher_t;

#define PUSHER_NOBODY UINT32_MAX /* … this: it was pushed to a name */

typedef struct early {
    buf_t frames;       /* the pushes, framed, in the order they came */
    buf_t senders;      /* pusher_t each: whom a GONE is for */
    size_t told;        /* bytes of senders handed out */
    uint16_t kick_code; /* of the CLOSE behind them; 0: none came */
    uint8_t kick_len;   /* bytes of kick_reason */
    uint8_t kick_reason[REASON_MAX];
} early_t;

/*
 * Keep a push.  *self_p NULL: it is made.  limit: bytes for all.
 * Returns 0; -ENOTCONN behind a CLOSE; -ENOBUFS past the limit; -ENOMEM.
 */
int early_push(early_t **self_p, const body_t *body, pusher_t pusher,
               size_t limit);

/*
 * Keep a CLOSE; nothing is kept behind it.
 * Returns 0; -ENOTCONN behind a CLOSE; -ENOMEM.
 */
int early_kick(early_t **self_p, uint16_t code, wire_bytes_t reason);

/* How many pushes are kept.  NULL: 0. */
size_t early_count(const early_t *self);

/* Hand out the sender of the next push; false when there is none. */
bool early_take_sender(early_t *self, pusher_t *pusher);

void early_destroy(early_t **self_p);

#endif
