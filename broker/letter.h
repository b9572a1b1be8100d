/* SPDX-License-Identifier: MIT
 *
 * A dead letter: a MESSAGE that was given to workers and that none of them
 * lived to answer.
 */
#ifndef BROKER_LETTER_H
#define BROKER_LETTER_H

#include "proto/conn_id.h"
#include "proto/wire.h"

/* What it points to is lent. */
typedef struct {
    uint64_t id; /* of one that was kept; 0: it is new */
    conn_id_t conn;
    wire_bytes_t route; /* the key that the gateway found */
    body_t body;
    wire_bytes_t context; /* map about the connection */
    uint64_t number;      /* of the request, end to end */
    uint64_t attempts;    /* times that it was given to a worker */
} letter_t;

/*
 * As a MessagePack array: version 1, time of death (Unix, ms), connection,
 * route key, body, context, number, attempts.
 * letter_put appends; returns 0, -ENOBUFS or -ENOMEM, and then *out may end in
 * a part of it.  letter_get lends from bytes and leaves the id alone; returns 0
 * or -EBADMSG.  Any thread.
 */
int letter_put(buf_t *out, const letter_t *letter, int64_t died_ms);
int letter_get(wire_bytes_t bytes, letter_t *letter, int64_t *died_ms);

#endif
