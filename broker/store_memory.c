/* SPDX-License-Identifier: MIT */
#include "base/hash.h"
#include "base/xalloc.h"
#include "broker/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS 1024 /* a power of two, as ever after */

typedef struct {
    store_t store;      /* first: a store_t is its kind */
    record_t **buckets; /* owned; one reference a record */
    size_t mask, count;
} store_memory_t;

record_t *record_new(const conn_id_t *id, wire_bytes_t context)
{
    record_t *self = malloc(sizeof *self + context.len);

    if (self == NULL) {
        return NULL;
    }
    self->references = 1;
    self->context_len = (uint32_t)context.len;
    self->next = NULL;
    self->id = *id;
    if (context.len != 0) {
        memcpy(self->context, context.data, context.len);
    }
    return self;
}

void record_drop(record_t *self)
{
    if (self != NULL && --self->references == 0) {
        free(self);
    }
}

static record_t **bucket_of(const store_memory_t *self, const conn_id_t *id)
{
    uint32_t key[3] = {id->loop, id->slot,
                       (uint32_t)id->generation ^ id->random};

    return &self->buckets[hash_bytes(key, sizeof key) & self->mask];
}

/* The link that points at the record of this id, or at the chain's end. */
static record_t **find(const store_memory_t *self, const conn_id_t *id)
{
    record_t **link = bucket_of(self, id);

    while (*link != NULL && !conn_id_equal(&(*link)->id, id)) {
        link = &(*link)->next;
    }
    return link;
}

/* Twice the buckets; without memory the chains just grow longer. */
static void grow(store_memory_t *self)
{
    record_t **old = self->buckets;
    size_t old_mask = self->mask;
    record_t **buckets = calloc((old_mask + 1) * 2, sizeof *buckets);

    if (buckets == NULL) {
        return;
    }
    self->buckets = buckets;
    self->mask = old_mask * 2 + 1;
    for (size_t i = 0; i <= old_mask; i++) {
        while (old[i] != NULL) {
            record_t *record = old[i];
            record_t **to = bucket_of(self, &record->id);
            old[i] = record->next;
            record->next = *to;
            *to = record;
        }
    }
    free(old);
}

static int memory_remove(store_t *store, const conn_id_t *id)
{
    store_memory_t *self = (store_memory_t *)store;
    record_t **link = find(self, id);
    record_t *record = *link;

    if (record == NULL) {
        return -ENOENT;
    }
    *link = record->next;
    record_drop(record);
    self->count--;
    return 0;
}

static int memory_save(store_t *store, record_t *record)
{
    store_memory_t *self = (store_memory_t *)store;

    (void)memory_remove(store, &record->id);
    if (self->count > self->mask) {
        grow(self);
    }
    record_t **bucket = bucket_of(self, &record->id);
    record->next = *bucket;
    *bucket = record;
    record->references++;
    self->count++;
    return 0;
}

static size_t memory_count(const store_t *store)
{
    return ((const store_memory_t *)store)->count;
}

static void memory_destroy(store_t *store)
{
    store_memory_t *self = (store_memory_t *)store;

    for (size_t i = 0; i <= self->mask; i++) {
        while (self->buckets[i] != NULL) {
            record_t *record = self->buckets[i];
            self->buckets[i] = record->next;
            record_drop(record);
        }
    }
    free(self->buckets);
    free(self);
}

store_t *store_memory_new(void)
{
    static const store_ops_t ops = {
        .save = memory_save,
        .remove = memory_remove,
        .count = memory_count,
        .destroy = memory_destroy,
    };
    store_memory_t *self = xcalloc(1, sizeof *self);

    self->store.ops = &ops;
    self->buckets = xcalloc(FIRST_BUCKETS, sizeof *self->buckets);
    self->mask = FIRST_BUCKETS - 1;
    return &self->store;
}
