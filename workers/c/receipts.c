/* SPDX-License-Identifier: MIT */
#include "workers/c/receipts.h"

#include <errno.h>
#include <stdlib.h>

#define HEAD       0u  /* the ring's own place */
#define FIRST_CAP  64u /* places */
#define PLACE_BITS 20

_Static_assert(RECEIPTS_MAX < 1 << PLACE_BITS, "an id holds any place");

void receipts_init(receipts_t *self)
{
    *self = (receipts_t){0};
}

void receipts_fini(receipts_t *self)
{
    free(self->places);
    *self = (receipts_t){0};
}

static int grow(receipts_t *self)
{
    uint32_t cap = self->cap == 0 ? FIRST_CAP : self->cap * 2;
    receipt_place_t *places = realloc(self->places, cap * sizeof *places);

    if (places == NULL) {
        return -ENOMEM;
    }
    if (self->cap == 0) {
        places[HEAD] = (receipt_place_t){.older = HEAD, .newer = HEAD};
        self->used = 1;
    }
    self->places = places;
    self->cap = cap;
    return 0;
}

/* A place that is in no use; HEAD: there is no memory. */
static uint32_t take_place(receipts_t *self)
{
    uint32_t at = self->free;

    if (at != 0) {
        self->free = self->places[at].newer;
        return at;
    }
    if (self->used == self->cap && grow(self) < 0) {
        return HEAD;
    }
    return self->used++;
}

int receipts_put(receipts_t *self, const receipt_t *receipt, uint64_t *id)
{
    if (self->count == RECEIPTS_MAX) {
        return -EBUSY;
    }
    uint32_t at = take_place(self);
    if (at == HEAD) {
        return -ENOMEM;
    }
    receipt_place_t *head = &self->places[HEAD];
    *id = ++self->serial << PLACE_BITS | at;
    self->places[at] = (receipt_place_t){
        .receipt = *receipt, .id = *id, .older = head->older, .newer = HEAD};
    self->places[head->older].newer = at;
    head->older = at;
    self->count++;
    return 0;
}

static void take_out(receipts_t *self, uint32_t at, receipt_t *receipt)
{
    receipt_place_t *place = &self->places[at];

    *receipt = place->receipt;
    self->places[place->older].newer = place->newer;
    self->places[place->newer].older = place->older;
    *place = (receipt_place_t){.newer = self->free};
    self->free = at;
    self->count--;
}

static uint32_t place_of(uint64_t id)
{
    return (uint32_t)id & ((1u << PLACE_BITS) - 1);
}

bool receipts_has(const receipts_t *self, uint64_t id)
{
    return id != 0 && place_of(id) < self->used &&
           self->places[place_of(id)].id == id;
}

bool receipts_take(receipts_t *self, uint64_t id, receipt_t *receipt)
{
    bool is_there = receipts_has(self, id);

    if (is_there) {
        take_out(self, place_of(id), receipt);
    }
    return is_there;
}

/* The oldest is the next newer of the head. */
bool receipts_take_any(receipts_t *self, receipt_t *receipt)
{
    if (self->count == 0) {
        return false;
    }
    take_out(self, self->places[HEAD].newer, receipt);
    return true;
}

int64_t receipts_due_ms(const receipts_t *self)
{
    if (self->count == 0) {
        return INT64_MAX;
    }
    int64_t due_ms = self->places[self->places[HEAD].newer].due_ms;
    return due_ms != 0 ? due_ms : INT64_MAX;
}

bool receipts_take_late(receipts_t *self, int64_t now_ms, receipt_t *receipt)
{
    return now_ms >= receipts_due_ms(self) && receipts_take_any(self, receipt);
}

/* Those without a time are the newest. */
void receipts_tick(receipts_t *self, int64_t now_ms)
{
    if (self->count == 0) {
        return;
    }
    uint32_t at = self->places[HEAD].older;
    while (at != HEAD && self->places[at].due_ms == 0) {
        self->places[at].due_ms = now_ms + RECEIPT_MS;
        at = self->places[at].older;
    }
}
