/* SPDX-License-Identifier: MIT
 *
 * SHA-256 (FIPS 180-4), for libraries that have no OpenSSL: what has the same
 * digest is the same, also where somebody wished that it were not.
 */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_BYTES 32
#define DIGEST_BLOCK 64

typedef struct {
    uint32_t state[DIGEST_BYTES / 4];
    uint64_t len;                /* bytes so far */
    uint8_t block[DIGEST_BLOCK]; /* those behind the last whole block */
} digest_t;

void digest_init(digest_t *self);

/* In as many pieces as the caller likes. */
void digest_add(digest_t *self, const void *bytes, size_t len);

/* Nothing can be added behind it. */
void digest_end(digest_t *self, uint8_t digest[DIGEST_BYTES]);

#endif
