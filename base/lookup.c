/* SPDX-License-Identifier: MIT */
#include "base/lookup.h"

#include "base/xalloc.h"

#include <stdlib.h>

static void init_buckets(list_t *buckets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        list_init(&buckets[i]);
    }
}

void lookup_init(lookup_t *self, size_t buckets)
{
    must((buckets & (buckets - 1)) == 0);
    *self = (lookup_t){.buckets = xcalloc(buckets, sizeof *self->buckets),
                       .bucket_count = buckets};
    init_buckets(self->buckets, buckets);
}

void lookup_fini(lookup_t *self)
{
    must(self->count == 0);
    free(self->buckets);
    self->buckets = NULL;
}

static void grow(lookup_t *self)
{
    list_t *old = self->buckets;
    size_t count = self->bucket_count;
    list_t *buckets = calloc(count * 2, sizeof *buckets);

    if (buckets == NULL) {
        return;
    }
    init_buckets(buckets, count * 2);
    self->buckets = buckets;
    self->bucket_count = count * 2;
    for (size_t i = 0; i < count; i++) {
        for (list_t *link; (link = list_take(&old[i])) != NULL;) {
            uint64_t hash = list_entry(link, lookup_node_t, link)->hash;
            list_append(lookup_bucket(self, hash), link);
        }
    }
    free(old);
}

void lookup_put(lookup_t *self, lookup_node_t *node, uint64_t hash)
{
    if (self->count >= self->bucket_count) {
        grow(self);
    }
    node->hash = hash;
    list_append(lookup_bucket(self, hash), &node->link);
    self->count++;
}

void lookup_remove(lookup_t *self, lookup_node_t *node)
{
    list_remove(&node->link);
    self->count--;
}
