/* SPDX-License-Identifier: MIT */
#include "workers/c/keyed.h"

#include "base/rand.h"

#include <stdlib.h>

#define FIRST_BUCKETS 64

void keyed_init(keyed_table_t *self, size_t entry_size, size_t max)
{
    *self = (keyed_table_t){.entry_size = entry_size, .max = max};
    rand_bytes(&self->key, sizeof self->key);
    list_init(&self->aged);
}

void keyed_fini(keyed_table_t *self)
{
    for (size_t i = 0; i < self->entries.bucket_count; i++) {
        list_foreach_safe(node, &self->entries.buckets[i]) {
            keyed_drop(self, list_entry(node, keyed_t, hashed.linked));
        }
    }
    table_fini(&self->entries);
}

/* Is there an entry, or was there one? */
static bool has_begun(const keyed_table_t *self)
{
    return self->entries.buckets != NULL;
}

static const void *name_of(const keyed_table_t *self, const keyed_t *entry)
{
    return (const char *)entry + self->entry_size;
}

static uint64_t hash_of(const keyed_table_t *self, hoist_text name)
{
    return hash_keyed(&self->key, name.data, name.len);
}

keyed_t *keyed_find(const keyed_table_t *self, hoist_text name)
{
    uint64_t hash = hash_of(self, name);

    if (!has_begun(self)) {
        return NULL;
    }
    for (hashed_t *at = table_first(&self->entries, hash); at != NULL;
         at = table_next(&self->entries, at)) {
        keyed_t *entry = list_entry(at, keyed_t, hashed);
        if (hoist_equal(name,
                        hoist_bytes(name_of(self, entry), entry->name_len))) {
            return entry;
        }
    }
    return NULL;
}

keyed_t *keyed_add(keyed_table_t *self, hoist_text name)
{
    if (keyed_is_full(self) ||
        (!has_begun(self) && table_init(&self->entries, FIRST_BUCKETS) < 0)) {
        return NULL;
    }
    keyed_t *entry = calloc(1, self->entry_size + name.len);
    if (entry == NULL) {
        return NULL;
    }
    entry->name_len = name.len;
    if (name.len > 0) {
        memcpy((char *)entry + self->entry_size, name.data, name.len);
    }
    list_init(&entry->aged);
    table_add(&self->entries, &entry->hashed, hash_of(self, name));
    return entry;
}

void keyed_drop(keyed_table_t *self, keyed_t *entry)
{
    table_remove(&self->entries, &entry->hashed);
    list_remove(&entry->aged);
    free(entry);
}
