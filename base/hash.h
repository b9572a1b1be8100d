/* SPDX-License-Identifier: MIT
 *
 * FNV-1a, 64 bits (Fowler, Noll, Vo; draft-eastlake-fnv).  For tables whose
 * entries trusted processes create; a client can look up but never insert.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t hash_bytes(const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

#endif
