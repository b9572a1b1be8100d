/* SPDX-License-Identifier: MIT
 *
 * Connection ids (PROTOCOL.md, "Connection ids"): 12 bytes,
 *
 *   loop(3) slot(3) generation(2) random(4)       big endian
 *
 * written as 16 base64url characters (RFC 4648 section 5, no padding).  The
 * loop names the gateway loop that owns the connection, so any broker finds
 * the owner without a look-up; slot finds the connection in the owner's
 * table; generation and random keep a reused slot from getting a stranger's
 * reply.  Pure; any thread.
 */
#ifndef PROTO_CONN_ID_H
#define PROTO_CONN_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONN_ID_TEXT      16        /* characters, without a final NUL */
#define CONN_ID_LOOP_TEXT 4         /* of these name the loop: the first */
#define CONN_ID_LOOP_MAX  0xffffffu /* also the number of slots, less one */
#define CONN_ID_SLOT_MAX  0xffffffu

typedef struct {
    uint32_t loop;       /* 0..CONN_ID_LOOP_MAX */
    uint32_t slot;       /* 0..CONN_ID_SLOT_MAX */
    uint16_t generation; /* of the slot; wraps */
    uint32_t random;
} conn_id_t;

static inline bool conn_id_equal(const conn_id_t *a, const conn_id_t *b)
{
    return a->loop == b->loop && a->slot == b->slot &&
           a->generation == b->generation && a->random == b->random;
}

/* Write the 16 characters; no NUL behind them. */
void conn_id_format(const conn_id_t *id, char text[CONN_ID_TEXT]);

/* Returns 0, or -EINVAL when text is not 16 base64url characters. */
int conn_id_parse(const void *text, size_t len, conn_id_t *id);

/* Returns 0, or -EINVAL when these are not the first CONN_ID_LOOP_TEXT
 * characters of any id. */
int conn_id_parse_loop(const void *text, size_t len, uint32_t *loop);

/* The slot that CONN_ID_TEXT characters name, where they are an id; else any.
 * For who only wants to know where to look. */
uint32_t conn_id_slot(const void *text);

#endif
