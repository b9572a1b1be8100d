/* SPDX-License-Identifier: MIT
 *
 * Middleware in the order of registration, and the stack that an event goes
 * through: those of the app, then those of its route, then the handler.  Owner
 * thread only; a stack that was made is only read.
 */
#ifndef WORKERS_C_CHAIN_H
#define WORKERS_C_CHAIN_H

#include "workers/c/hoist.h"

#define MIDDLEWARE_MAX 64 /* of an app, and of a route */

typedef struct {
    hoist_layer *run; /* borrowed: code; NULL: the end of a stack */
    void *state;      /* borrowed: what init made, or the program's */
} layer_t;

typedef struct {
    layer_t *layers; /* owned; outermost first */
    size_t count;
} chain_t;

/* A chain of nothing is {0}. */
void chain_fini(chain_t *self);

static inline bool chain_is_full(const chain_t *self)
{
    return self->count == MIDDLEWARE_MAX;
}

/* Put a layer behind the others.  There is room for it. */
void chain_put(chain_t *self, const layer_t *layer);

/* One behind the other, and an end.  The caller frees it. */
layer_t *chain_stack(const chain_t *outer, const chain_t *inner);

#endif
