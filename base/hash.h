/* SPDX-License-Identifier: MIT
 *
 * FNV-1a, 64 bits (Fowler, Noll, Vo; draft-eastlake-fnv).  For tables whose
 * entries trusted processes create; a client can look up but never insert.
 * Where those may pass on what a client chose, as the name of a user, the hash
 * begins with a secret: what collides is then not known outside.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* To go on from the hash of what came before, or from a secret. */
static inline uint64_t hash_more(uint64_t hash, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static inline uint64_t hash_bytes(const void *bytes, size_t len)
{
    return hash_more(UINT64_C(0xcbf29ce484222325), bytes, len);
}

#endif
