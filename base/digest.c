/* SPDX-License-Identifier: MIT
 *
 * Words are named as in the standard, which numbers them a to h.
 */
#include "base/digest.h"

#include <string.h>

#include <endian.h>

#define ROUNDS     64
#define LEN_BYTES  8 /* at the end of the last block, behind a 1 and zeros */
#define BLOCK_LAST (DIGEST_BLOCK - LEN_BYTES)

/* Of the cube roots of the first primes, and of their square roots. */
static const uint32_t constants[ROUNDS] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
    0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
    0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static const uint32_t beginning[] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

static inline uint32_t rotate(uint32_t word, unsigned bits)
{
    return word >> bits | word << (32 - bits);
}

static inline uint32_t fold(uint32_t word, unsigned a, unsigned b, unsigned c)
{
    return rotate(word, a) ^ rotate(word, b) ^ rotate(word, c);
}

static void spread(uint32_t words[ROUNDS], const uint8_t *block)
{
    memcpy(words, block, DIGEST_BLOCK);
    for (size_t i = 0; i < DIGEST_BLOCK / 4; i++) {
        words[i] = be32toh(words[i]);
    }
    for (size_t i = DIGEST_BLOCK / 4; i < ROUNDS; i++) {
        uint32_t near = words[i - 2], far = words[i - 15];
        words[i] =
            (rotate(near, 17) ^ rotate(near, 19) ^ near >> 10) + words[i - 7] +
            (rotate(far, 7) ^ rotate(far, 18) ^ far >> 3) + words[i - 16];
    }
}

static void take(uint32_t state[8], const uint8_t *block)
{
    uint32_t words[ROUNDS];
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];

    spread(words, block);
    for (size_t i = 0; i < ROUNDS; i++) {
        uint32_t one = h + fold(e, 6, 11, 25) + ((e & f) ^ (~e & g)) +
                       constants[i] + words[i];
        uint32_t two = fold(a, 2, 13, 22) + ((a & b) ^ (a & c) ^ (b & c));
        h = g;
        g = f;
        f = e;
        e = d + one;
        d = c;
        c = b;
        b = a;
        a = one + two;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
}

void digest_init(digest_t *self)
{
    self->len = 0;
    memcpy(self->state, beginning, sizeof self->state);
}

void digest_add(digest_t *self, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    size_t held = self->len % DIGEST_BLOCK;

    self->len += len;
    if (held > 0 && held + len >= DIGEST_BLOCK) {
        memcpy(self->block + held, at, DIGEST_BLOCK - held);
        take(self->state, self->block);
        at += DIGEST_BLOCK - held;
        len -= DIGEST_BLOCK - held;
        held = 0;
    }
    for (; held == 0 && len >= DIGEST_BLOCK;
         at += DIGEST_BLOCK, len -= DIGEST_BLOCK) {
        take(self->state, at);
    }
    if (len > 0) {
        memcpy(self->block + held, at, len);
    }
}

void digest_end(digest_t *self, uint8_t digest[DIGEST_BYTES])
{
    static const uint8_t padding[DIGEST_BLOCK] = {0x80};
    const uint64_t bits = htobe64(self->len * 8);
    size_t held = self->len % DIGEST_BLOCK;

    digest_add(self, padding,
               (held < BLOCK_LAST ? BLOCK_LAST : DIGEST_BLOCK + BLOCK_LAST) -
                   held);
    digest_add(self, &bits, sizeof bits);
    for (size_t i = 0; i < DIGEST_BYTES / 4; i++) {
        const uint32_t word = htobe32(self->state[i]);
        memcpy(digest + 4 * i, &word, sizeof word);
    }
}
