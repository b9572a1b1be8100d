/* SPDX-License-Identifier: MIT */
#include "base/hash.h"

#include <string.h>

#include <endian.h>

typedef struct {
    uint64_t v0, v1, v2, v3; /* names of the paper */
} sip_t;

static inline uint64_t rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static inline void mix(sip_t *self, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        self->v0 += self->v1;
        self->v2 += self->v3;
        self->v1 = rotate(self->v1, 13) ^ self->v0;
        self->v3 = rotate(self->v3, 16) ^ self->v2;
        self->v0 = rotate(self->v0, 32);
        self->v2 += self->v1;
        self->v0 += self->v3;
        self->v1 = rotate(self->v1, 17) ^ self->v2;
        self->v3 = rotate(self->v3, 21) ^ self->v0;
        self->v2 = rotate(self->v2, 32);
    }
}

static inline void take(sip_t *self, uint64_t word, unsigned rounds)
{
    self->v3 ^= word;
    mix(self, rounds);
    self->v0 ^= word;
}

/* What is left behind the last whole word, and the length above it. */
static inline uint64_t last_word(const uint8_t *at, size_t len)
{
    uint64_t word = (uint64_t)len << 56;

    for (size_t i = 0; i < len % 8; i++) {
        word |= (uint64_t)at[i] << (8 * i);
    }
    return word;
}

static inline sip_t begin(const hash_key_t *key)
{
    uint64_t k0 = le64toh(key->half[0]), k1 = le64toh(key->half[1]);

    return (sip_t){k0 ^ UINT64_C(0x736f6d6570736575),  /* "somepseu" */
                   k1 ^ UINT64_C(0x646f72616e646f6d),  /* "dorandom" */
                   k0 ^ UINT64_C(0x6c7967656e657261),  /* "lygenera" */
                   k1 ^ UINT64_C(0x7465646279746573)}; /* "tedbytes" */
}

static inline void take_all(sip_t *self, unsigned rounds, const void *bytes,
                            size_t len)
{
    const uint8_t *at = bytes;

    for (size_t left = len; left >= 8; at += 8, left -= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        take(self, le64toh(word), rounds);
    }
    take(self, last_word(at, len), rounds);
}

static inline uint64_t fold(const sip_t *self)
{
    return self->v0 ^ self->v1 ^ self->v2 ^ self->v3;
}

/* Inline, so that the rounds of hash_keyed are constants. */
static inline uint64_t sip(const hash_key_t *key, unsigned rounds,
                           unsigned last_rounds, const void *bytes, size_t len)
{
    sip_t self = begin(key);

    take_all(&self, rounds, bytes, len);
    self.v2 ^= 0xff;
    mix(&self, last_rounds);
    return fold(&self);
}

uint64_t hash_keyed(const hash_key_t *key, const void *bytes, size_t len)
{
    return sip(key, 1, 3, bytes, len);
}

uint64_t hash_sip(const hash_key_t *key, unsigned rounds, unsigned last_rounds,
                  const void *bytes, size_t len)
{
    return sip(key, rounds, last_rounds, bytes, len);
}

void hash_wide(const hash_key_t *key, const void *bytes, size_t len,
               uint8_t hash[HASH_WIDE])
{
    sip_t self = begin(key);
    uint64_t halves[2];

    self.v1 ^= 0xee;
    take_all(&self, 2, bytes, len);
    self.v2 ^= 0xee;
    mix(&self, 4);
    halves[0] = htole64(fold(&self));
    self.v1 ^= 0xdd;
    mix(&self, 4);
    halves[1] = htole64(fold(&self));
    memcpy(hash, halves, sizeof halves);
}
