/* SPDX-License-Identifier: MIT */
#include "workers/c/chain.h"

#include "base/xalloc.h"

#include <stdlib.h>
#include <string.h>

void chain_fini(chain_t *self)
{
    free(self->layers);
    *self = (chain_t){0};
}

void chain_put(chain_t *self, const layer_t *layer)
{
    must(!chain_is_full(self));
    if (self->layers == NULL) {
        self->layers = xcalloc(MIDDLEWARE_MAX, sizeof *self->layers);
    }
    self->layers[self->count++] = *layer;
}

static void copy(layer_t *to, const chain_t *from)
{
    if (from->count > 0) {
        memcpy(to, from->layers, from->count * sizeof *to);
    }
}

layer_t *chain_stack(const chain_t *outer, const chain_t *inner)
{
    layer_t *stack = xcalloc(outer->count + inner->count + 1, sizeof *stack);

    copy(stack, outer);
    copy(stack + outer->count, inner);
    return stack;
}
