/* SPDX-License-Identifier: MIT
 *
 * Random MessagePack for property tests: a seeded generator, so that a
 * failure replays, and elements of every type and width, nested.  Pieces are
 * kept in an arena that never moves, because messages lend their parts.
 */
#ifndef TESTS_RANDOM_WIRE_H
#define TESTS_RANDOM_WIRE_H

#include "proto/wire.h"

#define ARENA_BYTES ((size_t)1 << 20)

typedef struct {
    uint64_t state; /* of the generator; the seed at first */
    uint8_t *arena; /* owned; ARENA_BYTES */
    size_t used;    /* bytes of it */
} random_t;

void random_init(random_t *self, uint64_t seed);
void random_fini(random_t *self);

/* Forget the pieces made so far. */
void random_reuse(random_t *self);

uint64_t random_u64(random_t *self);

/* 0..limit-1. */
uint64_t random_below(random_t *self, uint64_t limit);

/* A number whose width in bits is random, so that every encoding occurs. */
uint64_t random_uint(random_t *self);

/* min..max bytes of printable text. */
wire_bytes_t random_text(random_t *self, size_t min, size_t max);

body_t random_body(random_t *self);

/* Append one element of any type; `depth` bounds what is inside of it. */
void random_element(random_t *self, buf_t *out, unsigned depth);

/* A map with text keys, of at most 200 bytes or so. */
wire_bytes_t random_map(random_t *self);

/* An array of `count` elements. */
wire_bytes_t random_array(random_t *self, uint32_t count);

/* Keep a copy of bytes in the arena. */
wire_bytes_t random_keep(random_t *self, const void *bytes, size_t len);

#endif
