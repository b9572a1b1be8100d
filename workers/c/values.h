/* SPDX-License-Identifier: MIT
 *
 * What the middleware and handlers of one event keep for each other: memory,
 * values by key, and who is to be told of the outcome.  An event that waits for
 * an answer takes it along.  Nothing is allocated once a context has its
 * memory.
 */
#ifndef WORKERS_C_VALUES_H
#define WORKERS_C_VALUES_H

#include "workers/c/hoist.h"

#define KEYS_MAX    16                /* of hoist_set */
#define FINALLY_MAX 16                /* of hoist_finally */
#define FINALLY_ALL (FINALLY_MAX + 1) /* with one that watches */
#define MEMORY_MAX  4096              /* bytes of hoist_alloc, of an event */

typedef struct {
    const void *key; /* borrowed: compared, never read */
    void *value;     /* borrowed */
} value_t;

typedef struct {
    hoist_finally_handler *run; /* borrowed: code */
    void *data;                 /* borrowed */
} finally_t;

/* How much there is; in one word, which is remembered for each layer. */
typedef struct {
    _Alignas(8) uint16_t used; /* bytes of memory */
    uint8_t values, finally;
    uint8_t watching;   /* of those of finally: not the program's */
    bool tells_failure; /* in words, not by the gateway's error frame */
    bool has_request_id;
} values_size_t;

typedef struct {
    uint8_t *memory; /* owned; NULL until somebody wants some */
    values_size_t size;
    value_t values[KEYS_MAX];
    finally_t finally[FINALLY_ALL];
    hoist_text request_id; /* of a middleware; in memory */
} values_t;

_Static_assert(MEMORY_MAX <= UINT16_MAX, "its size has room");

/* What there was, for values_return. */
typedef struct {
    values_size_t size;
    value_t values[KEYS_MAX];
    hoist_text request_id; /* where there is one */
} values_mark_t;

void values_fini(values_t *self);

/* Another event begins. */
static inline void values_reset(values_t *self)
{
    self->size = (values_size_t){0};
}

static inline void values_mark(const values_t *self, values_mark_t *mark)
{
    mark->size = self->size;
    if (self->size.has_request_id) {
        mark->request_id = self->request_id;
    }
    if (self->size.values > 0) {
        memcpy(mark->values, self->values,
               self->size.values * sizeof *self->values);
    }
}

/* All is as it was then; who was to be told since has been. */
void values_return(values_t *self, const values_mark_t *mark);

/* Another context goes on with the event: it has all but those values that are
 * not in memory, which may be gone when it does.  What it had is given back. */
void values_move(values_t *from, values_t *to);

/* size zeroed bytes for any object, or NULL. */
void *values_alloc(values_t *self, size_t size);

/* 0; -ENOBUFS at KEYS_MAX, FINALLY_MAX. */
int values_set(values_t *self, const void *key, void *value);
int values_finally(values_t *self, const finally_t *finally);

/* Of an event whose layers are yet to run: who watches it from outside of all.
 * Once; it takes none of FINALLY_MAX. */
void values_watch(values_t *self, const finally_t *finally);

/* NULL when it was never set. */
void *values_get(const values_t *self, const void *key);

/* All that were registered and not taken, but for the first `kept`, in that
 * order.  Returns how many. */
size_t values_take_finally(values_t *self, size_t kept,
                           finally_t taken[FINALLY_ALL]);

#endif
