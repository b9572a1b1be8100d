/* SPDX-License-Identifier: MIT */
#include "workers/c/keyed.h"

#include "base/hash.h"
#include "base/rand.h"

#include <stdlib.h>

#define FIRST_BITS 6

void keyed_init(keyed_table_t *self, size_t entry_size, size_t max)
{
    *self = (keyed_table_t){.entry_size = entry_size, .max = max};
    rand_bytes(&self->key, sizeof self->key);
    list_init(&self->aged);
}

void keyed_fini(keyed_table_t *self)
{
    size_t count = self->rows == NULL ? 0 : (size_t)1 << self->row_bits;

    for (size_t i = 0; i < count; i++) {
        list_foreach_safe(node, &self->rows[i]) {
            keyed_drop(self, list_entry(node, keyed_t, hashed));
        }
    }
    free(self->rows);
    self->rows = NULL;
}

static list_t *row_of(const keyed_table_t *self, uint64_t hash)
{
    return &self->rows[hash >> (64 - self->row_bits)];
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

    if (self->rows == NULL) {
        return NULL;
    }
    list_foreach(node, row_of(self, hash)) {
        keyed_t *entry = list_entry(node, keyed_t, hashed);
        if (entry->hash == hash &&
            hoist_equal(name,
                        hoist_bytes(name_of(self, entry), entry->name_len))) {
            return entry;
        }
    }
    return NULL;
}

static list_t *make_rows(unsigned bits)
{
    size_t count = (size_t)1 << bits;
    list_t *rows = calloc(count, sizeof *rows);

    for (size_t i = 0; rows != NULL && i < count; i++) {
        list_init(&rows[i]);
    }
    return rows;
}

/* Without memory the rows only grow longer. */
static void grow(keyed_table_t *self)
{
    size_t count = (size_t)1 << self->row_bits;
    list_t *old = self->rows, *rows = make_rows(self->row_bits + 1);

    if (rows == NULL) {
        return;
    }
    self->rows = rows;
    self->row_bits++;
    for (size_t i = 0; i < count; i++) {
        for (list_t *node; (node = list_take(&old[i])) != NULL;) {
            keyed_t *entry = list_entry(node, keyed_t, hashed);
            list_append(row_of(self, entry->hash), node);
        }
    }
    free(old);
}

/* Is there a row for one entry more? */
static bool has_rows(keyed_table_t *self)
{
    if (self->rows == NULL) {
        self->row_bits = FIRST_BITS;
        self->rows = make_rows(FIRST_BITS);
    } else if (self->count >> self->row_bits > 0) {
        grow(self);
    }
    return self->rows != NULL;
}

keyed_t *keyed_add(keyed_table_t *self, hoist_text name)
{
    if (self->count >= self->max || !has_rows(self)) {
        return NULL;
    }
    keyed_t *entry = calloc(1, self->entry_size + name.len);
    if (entry == NULL) {
        return NULL;
    }
    entry->hash = hash_of(self, name);
    entry->name_len = name.len;
    if (name.len > 0) {
        memcpy((char *)entry + self->entry_size, name.data, name.len);
    }
    list_init(&entry->aged);
    list_append(row_of(self, entry->hash), &entry->hashed);
    self->count++;
    return entry;
}

void keyed_drop(keyed_table_t *self, keyed_t *entry)
{
    list_remove(&entry->hashed);
    list_remove(&entry->aged);
    self->count--;
    free(entry);
}
