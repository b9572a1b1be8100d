/* SPDX-License-Identifier: MIT */
#include "workers/c/holders.h"

#include <stdlib.h>

#define FIRST_ROOM 16

static holder_t *holder_of(keyed_t *entry)
{
    return (holder_t *)entry;
}

void holders_init(holders_t *self, size_t max)
{
    *self = (holders_t){.room = 0};
    keyed_init(&self->table, sizeof(holder_t), max);
}

void holders_fini(holders_t *self)
{
    keyed_fini(&self->table);
    for (size_t kind = 0; kind < HELD_KINDS; kind++) {
        free(self->heaps[kind]);
    }
}

/* --- heaps --------------------------------------------------------------- */

/* Those below a place are at twice its number and one and two more; nobody
 * holds more than who is above. */

static void put(holders_t *self, held_t kind, size_t place, holder_t *holder)
{
    self->heaps[kind][place] = holder;
    holder->place[kind] = place;
}

/* It may hold more than those above now. */
static void rise(holders_t *self, held_t kind, holder_t *holder)
{
    holder_t *const *heap = self->heaps[kind];
    size_t place = holder->place[kind];

    while (place > 0) {
        size_t above = (place - 1) / 2;
        if (heap[above]->amount[kind] >= holder->amount[kind]) {
            break;
        }
        put(self, kind, place, heap[above]);
        place = above;
    }
    put(self, kind, place, holder);
}

/* It may hold less than those below now. */
static void sink(holders_t *self, held_t kind, holder_t *holder)
{
    holder_t *const *heap = self->heaps[kind];
    size_t count = keyed_count(&self->table);
    size_t place = holder->place[kind];

    for (;;) {
        size_t below = 2 * place + 1;
        if (below + 1 < count &&
            heap[below + 1]->amount[kind] > heap[below]->amount[kind]) {
            below++;
        }
        if (below >= count ||
            heap[below]->amount[kind] <= holder->amount[kind]) {
            break;
        }
        put(self, kind, place, heap[below]);
        place = below;
    }
    put(self, kind, place, holder);
}

/* One that holds nothing goes; the last of the heap has its place, and no less
 * than those below it. */
static void take_out(holders_t *self, held_t kind, const holder_t *holder)
{
    size_t last = keyed_count(&self->table) - 1;
    holder_t *moved = self->heaps[kind][last];

    if (moved != holder) {
        put(self, kind, holder->place[kind], moved);
        rise(self, kind, moved);
    }
}

static bool make_room(holders_t *self)
{
    size_t room = self->room > 0 ? 2 * self->room : FIRST_ROOM;

    if (keyed_count(&self->table) < self->room) {
        return true;
    }
    for (size_t kind = 0; kind < HELD_KINDS; kind++) {
        holder_t **heap =
            realloc(self->heaps[kind], room * sizeof *self->heaps[kind]);
        if (heap == NULL) {
            return false;
        }
        self->heaps[kind] = heap;
    }
    self->room = room;
    return true;
}

/* --- holders ------------------------------------------------------------- */

static holder_t *add_holder(holders_t *self, hoist_text name)
{
    size_t last = keyed_count(&self->table);
    keyed_t *entry = make_room(self) ? keyed_add(&self->table, name) : NULL;

    if (entry == NULL) {
        return NULL;
    }
    holder_t *holder = holder_of(entry);
    list_init(&holder->held);
    put(self, HELD_NAMES, last, holder); /* of nothing: below all */
    put(self, HELD_BYTES, last, holder);
    return holder;
}

holder_t *holders_take(holders_t *self, hoist_text name)
{
    keyed_t *entry = keyed_find(&self->table, name);
    holder_t *holder =
        entry != NULL ? holder_of(entry) : add_holder(self, name);

    if (holder != NULL) {
        holder->uses++;
    }
    return holder;
}

void holders_leave(holders_t *self, holder_t *holder)
{
    if (--holder->uses == 0) {
        take_out(self, HELD_NAMES, holder);
        take_out(self, HELD_BYTES, holder);
        keyed_drop(&self->table, &holder->keyed);
    }
}

void holders_add(holders_t *self, holder_t *holder, size_t bytes)
{
    holder->amount[HELD_NAMES]++;
    holder->amount[HELD_BYTES] += bytes;
    rise(self, HELD_NAMES, holder);
    rise(self, HELD_BYTES, holder);
}

void holders_remove(holders_t *self, holder_t *holder, size_t bytes)
{
    holder->amount[HELD_NAMES]--;
    holder->amount[HELD_BYTES] -= bytes;
    sink(self, HELD_NAMES, holder);
    sink(self, HELD_BYTES, holder);
}

holder_t *holders_most(const holders_t *self, held_t kind)
{
    holder_t *most =
        keyed_count(&self->table) > 0 ? self->heaps[kind][0] : NULL;

    return most != NULL && most->amount[kind] > 0 ? most : NULL;
}
