/* SPDX-License-Identifier: MIT
 *
 * Entries that are found by a hash of their name, whatever a name is there: who
 * looks compares it.  Of the struct of an entry hashed_t is a member; the table
 * owns its buckets and no entry.  Constant time, but for twice as many buckets
 * now and then.  Pure; not for several threads at once.
 *
 *     for (hashed_t *at = table_first(table, hash); at != NULL;
 *          at = table_next(table, at))
 *         … list_entry(at, thing_t, hashed) …
 */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include "base/list.h"

#include <stddef.h>
#include <stdint.h>

typedef struct {
    list_t linked; /* in one of the table's buckets */
    uint64_t hash;
} hashed_t;

typedef struct {
    list_t *buckets;     /* owned; NULL: it has not begun */
    size_t bucket_count; /* a power of two */
    size_t count;        /* entries */
} table_t;

/* first: buckets to begin with, a power of two.  Returns 0, or -ENOMEM: then it
 * has not begun. */
__attribute__((warn_unused_result)) int table_init(table_t *self, size_t first);

/* Frees the buckets; the entries were freed, or are forgotten.  Harmless
 * twice, and for a table of zeros. */
void table_fini(table_t *self);

/* Without memory for more buckets they only grow longer. */
void table_add(table_t *self, hashed_t *entry, uint64_t hash);
void table_remove(table_t *self, hashed_t *entry);

/* Where entries of this hash are linked, beside others. */
static inline list_t *table_bucket(const table_t *self, uint64_t hash)
{
    return &self->buckets[hash & (self->bucket_count - 1)];
}

static inline hashed_t *table_seek(const list_t *bucket, list_t *from,
                                   uint64_t hash)
{
    for (; from != bucket; from = from->next) {
        hashed_t *entry = list_entry(from, hashed_t, linked);
        if (entry->hash == hash) {
            return entry;
        }
    }
    return NULL;
}

/* The first entry of this hash, in the order in which they were added, or
 * NULL. */
static inline hashed_t *table_first(const table_t *self, uint64_t hash)
{
    const list_t *bucket = table_bucket(self, hash);

    return table_seek(bucket, bucket->next, hash);
}

/* The next of the same hash, or NULL. */
static inline hashed_t *table_next(const table_t *self, const hashed_t *entry)
{
    return table_seek(table_bucket(self, entry->hash), entry->linked.next,
                      entry->hash);
}

#endif
