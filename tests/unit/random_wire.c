/* SPDX-License-Identifier: MIT */
#include "tests/unit/random_wire.h"

#include "base/xalloc.h"

#include <stdlib.h>
#include <string.h>

#define PIECE_MAX 65536 /* bytes */

void random_init(random_t *self, uint64_t seed)
{
    self->state = seed;
    self->arena = xcalloc(1, ARENA_BYTES);
    self->used = 0;
}

void random_fini(random_t *self)
{
    free(self->arena);
    self->arena = NULL;
}

void random_reuse(random_t *self)
{
    self->used = 0;
}

/* splitmix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number
 * Generators", 2014). */
uint64_t random_u64(random_t *self)
{
    uint64_t z = self->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t random_below(random_t *self, uint64_t limit)
{
    return random_u64(self) % limit;
}

uint64_t random_uint(random_t *self)
{
    return random_u64(self) >> random_below(self, 64);
}

wire_bytes_t random_keep(random_t *self, const void *bytes, size_t len)
{
    uint8_t *copy = self->arena + self->used;

    must(len <= ARENA_BYTES - self->used);
    if (len > 0) {
        memcpy(copy, bytes, len);
    }
    self->used += len;
    return (wire_bytes_t){copy, len};
}

wire_bytes_t random_text(random_t *self, size_t min, size_t max)
{
    size_t len = min + random_below(self, max - min + 1);
    char text[512];

    must(len <= sizeof text);
    for (size_t i = 0; i < len; i++) {
        text[i] = (char)(' ' + random_below(self, 95));
    }
    return random_keep(self, text, len);
}

body_t random_body(random_t *self)
{
    body_type_t type = (body_type_t)random_below(self, 3);

    if (type == BODY_NONE) {
        return (body_t){.type = BODY_NONE};
    }
    return (body_t){type, random_text(self, 0, 300)};
}

static void put_bytes(buf_t *out, const void *bytes, size_t len)
{
    must(buf_put(out, bytes, len) == 0);
}

/* Heads that our encoder never writes: wide integers, floats, ext. */
static void put_foreign(random_t *self, buf_t *out)
{
    static const struct {
        uint8_t first;
        uint8_t payload; /* bytes of any value behind it */
    } kinds[] = {{0xd0, 1},  {0xd1, 2}, {0xd2, 4}, {0xd3, 8}, {0xca, 4},
                 {0xcb, 8},  {0xd4, 2}, {0xd5, 3}, {0xd6, 5}, {0xd7, 9},
                 {0xd8, 17}, {0xcc, 1}, {0xcd, 2}, {0xce, 4}, {0xcf, 8},
                 {0xe0, 0},  {0xff, 0}};
    size_t i = random_below(self, sizeof kinds / sizeof kinds[0]);
    uint8_t any[17];

    for (size_t b = 0; b < sizeof any; b++) {
        any[b] = (uint8_t)random_u64(self);
    }
    put_bytes(out, &kinds[i].first, 1);
    put_bytes(out, any, kinds[i].payload);
}

static void put_container(random_t *self, buf_t *out, unsigned depth)
{
    uint32_t count = (uint32_t)random_below(self, 4);

    if (random_below(self, 2) == 0) {
        must(wire_put_array(out, count) == 0);
        for (; count > 0; count--) {
            random_element(self, out, depth - 1);
        }
        return;
    }
    must(wire_put_map(out, count) == 0);
    for (; count > 0; count--) {
        must(wire_put_str(out, random_text(self, 0, 12)) == 0);
        random_element(self, out, depth - 1);
    }
}

void random_element(random_t *self, buf_t *out, unsigned depth)
{
    switch (random_below(self, depth > 0 ? 7 : 5)) {
    case 0:
        must(wire_put_uint(out, random_uint(self)) == 0);
        return;
    case 1:
        must(wire_put_bool(out, random_below(self, 2) == 0) == 0);
        return;
    case 2: {
        body_t body = random_body(self);
        must(wire_put_body(out, &body) == 0);
        return;
    }
    case 3:
        put_foreign(self, out);
        return;
    case 4:
        must(wire_put_nil(out) == 0);
        return;
    default:
        put_container(self, out, depth);
    }
}

static wire_bytes_t keep_buf(random_t *self, buf_t *piece)
{
    wire_bytes_t kept = random_keep(self, piece->data, piece->len);
    buf_fini(piece);
    return kept;
}

wire_bytes_t random_map(random_t *self)
{
    uint32_t count = (uint32_t)random_below(self, 4);
    buf_t piece;

    buf_init(&piece, PIECE_MAX);
    must(wire_put_map(&piece, count) == 0);
    for (; count > 0; count--) {
        must(wire_put_str(&piece, random_text(self, 0, 12)) == 0);
        random_element(self, &piece, 2);
    }
    return keep_buf(self, &piece);
}

wire_bytes_t random_array(random_t *self, uint32_t count)
{
    buf_t piece;

    buf_init(&piece, PIECE_MAX);
    must(wire_put_array(&piece, count) == 0);
    for (; count > 0; count--) {
        random_element(self, &piece, 2);
    }
    return keep_buf(self, &piece);
}
