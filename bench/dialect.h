/* SPDX-License-Identifier: MIT
 *
 * What a load generator and a server say to each other over a WebSocket: each
 * message is a frame of its own (dialect_plain), or the frames carry NATS's
 * protocol, whose pieces they cut anywhere (dialect_nats).  Bytes in, bytes
 * out: no I/O.  What is not understood is refused, and nothing is kept of what
 * a server sends but the head of one frame.
 */
#ifndef BENCH_DIALECT_H
#define BENCH_DIALECT_H

#include "bench/form.h"

#include <stddef.h>
#include <stdint.h>

#include <sys/types.h>

#define DIALECT_SAY_MAX  256 /* bytes of a greeting or an answer */
#define DIALECT_HEAD_MAX 10  /* bytes of a frame's head, unmasked */

/* Where in a frame the next byte is. */
typedef struct {
    uint64_t left; /* bytes of its payload to come; 0: a head comes */
    size_t head_len;
    uint8_t head[DIALECT_HEAD_MAX]; /* the beginning of one */
} dialect_frames_t;

/* What is to be said. */
typedef struct {
    size_t len; /* 0: nothing */
    uint8_t bytes[DIALECT_SAY_MAX];
} dialect_say_t;

typedef struct {
    /* How a body of so many bytes goes out and comes back. */
    void (*shape)(form_t *out, form_t *in, const char *body);

    /* What a client of that name says first. */
    void (*greet)(dialect_say_t *say, uint64_t name);

    /* Leave of `len` new bytes those in which messages are looked for, moved to
     * the front; returns how many, or -EPROTO.  NULL: that is all of them. */
    ssize_t (*unwrap)(dialect_frames_t *frames, uint8_t *bytes, size_t len);

    /* What begins otherwise than a message does, and what to answer.  Returns
     * its length, 0 when it is not whole, or -EPROTO. */
    ssize_t (*hear)(const uint8_t *bytes, size_t len, dialect_say_t *answer);
} dialect_t;

extern const dialect_t dialect_plain, dialect_nats;

/* The one of that name, "plain" or "nats"; NULL: there is none. */
const dialect_t *dialect_find(const char *name);

#endif
