/* SPDX-License-Identifier: MIT
 *
 * Who holds how much of a table, so that where there is no room it is taken
 * from whoever holds most.  What is held is of two kinds, names and bytes, and
 * each has a heap of its own.  Logarithmic time; nothing is allocated but for a
 * holder.  Not for several threads at once.
 */
#ifndef WORKERS_C_HOLDERS_H
#define WORKERS_C_HOLDERS_H

#include "workers/c/keyed.h"

typedef enum { HELD_NAMES, HELD_BYTES } held_t;

#define HELD_KINDS 2

typedef struct {
    keyed_t keyed; /* first: it is one; by who it is */
    list_t held;   /* what may be taken from it, the oldest first: its user's */
    size_t uses;   /* holders_take less holders_leave */
    size_t amount[HELD_KINDS];
    size_t place[HELD_KINDS]; /* in the heap */
} holder_t;

typedef struct {
    keyed_table_t table;
    holder_t **heaps[HELD_KINDS]; /* owned: who holds most is the first */
    size_t room;                  /* of each */
} holders_t;

/* max: holders at once. */
void holders_init(holders_t *self, size_t max);
void holders_fini(holders_t *self);

/* The holder of this name, new if there is none; it stays until each that took
 * it has left.  NULL without memory. */
holder_t *holders_take(holders_t *self, hoist_text name);
void holders_leave(holders_t *self, holder_t *holder);

/* It holds a name more, with so many bytes; or a name less. */
void holders_add(holders_t *self, holder_t *holder, size_t bytes);
void holders_remove(holders_t *self, holder_t *holder, size_t bytes);

static inline size_t holders_count(const holders_t *self)
{
    return keyed_count(&self->table);
}

/* Who holds most of this kind; NULL: nobody holds any. */
holder_t *holders_most(const holders_t *self, held_t kind);

#endif
