/* SPDX-License-Identifier: MIT
 *
 * A hash table of nodes that are embedded in what they find.  It grows with
 * what is in it, so that a look-up costs the same however much that is; a node
 * keeps its hash, so that only those are compared that may be the one looked
 * for.  Which hash that is, and what is equal, its owner knows:
 *
 *     for (lookup_node_t *node = lookup_first(table, hash); node != NULL;
 *          node = lookup_next(table, node))
 *         … list_entry(node, thing_t, hashed) …
 *
 * Owner thread only.
 */
#ifndef BASE_LOOKUP_H
#define BASE_LOOKUP_H

#include "base/list.h"

#include <stdint.h>

typedef struct {
    list_t link; /* in its bucket, or alone */
    uint64_t hash;
} lookup_node_t;

typedef struct {
    list_t *buckets;     /* owned */
    size_t bucket_count; /* a power of two */
    size_t count;        /* nodes */
} lookup_t;

/* buckets: at first; a power of two. */
void lookup_init(lookup_t *self, size_t buckets);

/* It must be empty. */
void lookup_fini(lookup_t *self);

/* Put a node, which is in no table, behind those with its hash.  Without memory
 * the buckets only grow longer. */
void lookup_put(lookup_t *self, lookup_node_t *node, uint64_t hash);

void lookup_remove(lookup_t *self, lookup_node_t *node);

static inline list_t *lookup_bucket(const lookup_t *self, uint64_t hash)
{
    return &self->buckets[hash & (self->bucket_count - 1)];
}

/* The first node from *link on that has this hash, or NULL. */
static inline lookup_node_t *lookup_seek(const list_t *bucket, list_t *link,
                                         uint64_t hash)
{
    for (; link != bucket; link = link->next) {
        lookup_node_t *node = list_entry(link, lookup_node_t, link);
        if (node->hash == hash) {
            return node;
        }
    }
    return NULL;
}

static inline lookup_node_t *lookup_first(const lookup_t *self, uint64_t hash)
{
    const list_t *bucket = lookup_bucket(self, hash);

    return lookup_seek(bucket, bucket->next, hash);
}

static inline lookup_node_t *lookup_next(const lookup_t *self,
                                         const lookup_node_t *node)
{
    return lookup_seek(lookup_bucket(self, node->hash), node->link.next,
                       node->hash);
}

#endif
