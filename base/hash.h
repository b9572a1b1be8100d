/* SPDX-License-Identifier: MIT
 *
 * Hashes of bytes, for what is in memory.  Those of 64 bits are for tables, and
 * do not say that two texts are the same.  hash_wide does, to whoever has the
 * key; base/digest.h to everybody.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/*
 * FNV-1a, 64 bits (Fowler, Noll, Vo; draft-eastlake-fnv): short, and the same
 * in every process.  For what those choose who are trusted, as endpoints,
 * routes and ids of processes: of clients some can look up, but none can
 * insert.
 */
static inline uint64_t hash_bytes(const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/* A secret of one table: 16 random bytes (rand_bytes), which never leave it. */
typedef struct {
    uint64_t half[2];
} hash_key_t;

/*
 * SipHash-1-3, as the tables of Rust and Python have it.  For names that others
 * choose: nobody without the key can find some that fall together more often
 * than by chance.  To begin FNV-1a with a secret does not do that: names that
 * collide for one secret do for each other one with the same lowest byte.
 */
uint64_t hash_keyed(const hash_key_t *key, const void *bytes, size_t len);

/* SipHash with so many rounds a word and at the end (Aumasson, Bernstein,
 * "SipHash: a fast short-input PRF", 2012). */
uint64_t hash_sip(const hash_key_t *key, unsigned rounds, unsigned last_rounds,
                  const void *bytes, size_t len);

#define HASH_WIDE 16 /* bytes */

/*
 * SipHash-2-4, 128 bits: two texts that have the same are the same.  Who does
 * not know the key finds no two that are not, however many he tries; who does
 * may.  So it is for what no other process is to compare.
 */
void hash_wide(const hash_key_t *key, const void *bytes, size_t len,
               uint8_t hash[HASH_WIDE]);

#endif
