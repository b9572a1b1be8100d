/* SPDX-License-Identifier: MIT
 *
 * A table of entries by name, which clients may choose, and a line of those
 * that may go, the oldest first.  Of the entry types of its users keyed_t is
 * the first member; the name lies behind the rest.  Constant time (the table
 * grows as it fills); nothing is allocated but for an entry.  Not for several
 * threads at once.
 */
#ifndef WORKERS_C_KEYED_H
#define WORKERS_C_KEYED_H

#include "base/hash.h"
#include "base/table.h"
#include "workers/c/hoist.h"

typedef struct {
    hashed_t hashed; /* in keyed_table_t.entries */
    list_t aged;     /* in keyed_table_t.aged, or alone */
    size_t name_len;
} keyed_t;

typedef struct {
    table_t entries;   /* not begun until there is one */
    size_t max;        /* of them */
    size_t entry_size; /* bytes, without the name */
    hash_key_t key;    /* random */
    list_t aged;       /* those that may go */
} keyed_table_t;

void keyed_init(keyed_table_t *self, size_t entry_size, size_t max);

/* Entries are freed as keyed_drop does. */
void keyed_fini(keyed_table_t *self);

static inline size_t keyed_count(const keyed_table_t *self)
{
    return self->entries.count;
}

static inline bool keyed_is_full(const keyed_table_t *self)
{
    return keyed_count(self) >= self->max;
}

/* Lent until it is dropped, or NULL. */
keyed_t *keyed_find(const keyed_table_t *self, hoist_text name);

/* A zeroed entry of a name that has none, not in the line.
 * Returns NULL at max and without memory. */
keyed_t *keyed_add(keyed_table_t *self, hoist_text name);

/* Forget an entry; what it owns was freed before. */
void keyed_drop(keyed_table_t *self, keyed_t *entry);

/* To the end of the line, where the youngest are. */
static inline void keyed_touch(keyed_table_t *self, keyed_t *entry)
{
    list_remove(&entry->aged);
    list_append(&self->aged, &entry->aged);
}

/* The first in the line, or NULL. */
static inline keyed_t *keyed_oldest(const keyed_table_t *self)
{
    list_t *node = list_peek(&self->aged);

    return node != NULL ? list_entry(node, keyed_t, aged) : NULL;
}

#endif
