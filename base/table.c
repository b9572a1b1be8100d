/* SPDX-License-Identifier: MIT */
#include "base/table.h"

#include <errno.h>
#include <stdlib.h>

static list_t *make_buckets(size_t count)
{
    list_t *buckets = calloc(count, sizeof *buckets);

    for (size_t i = 0; buckets != NULL && i < count; i++) {
        list_init(&buckets[i]);
    }
    return buckets;
}

int table_init(table_t *self, size_t first)
{
    list_t *buckets = make_buckets(first);

    *self = (table_t){buckets, buckets != NULL ? first : 0, 0};
    return buckets != NULL ? 0 : -ENOMEM;
}

void table_fini(table_t *self)
{
    free(self->buckets);
    *self = (table_t){NULL, 0, 0};
}

static void grow(table_t *self)
{
    table_t old = *self;
    list_t *buckets = make_buckets(old.bucket_count * 2);

    if (buckets == NULL) {
        return;
    }
    self->buckets = buckets;
    self->bucket_count = old.bucket_count * 2;
    for (size_t i = 0; i < old.bucket_count; i++) {
        for (list_t *node; (node = list_take(&old.buckets[i])) != NULL;) {
            uint64_t hash = list_entry(node, hashed_t, linked)->hash;
            list_append(table_bucket(self, hash), node);
        }
    }
    free(old.buckets);
}

void table_add(table_t *self, hashed_t *entry, uint64_t hash)
{
    if (self->count >= self->bucket_count) {
        grow(self);
    }
    entry->hash = hash;
    list_append(table_bucket(self, hash), &entry->linked);
    self->count++;
}

void table_remove(table_t *self, hashed_t *entry)
{
    list_remove(&entry->linked);
    self->count--;
}
