/* SPDX-License-Identifier: MIT
 *
 * Which handler serves a route key: filled at registration, then frozen into
 * a hash table that is only read.  A look-up allocates nothing and costs a few
 * nanoseconds.  Filling: owner thread; a frozen table: any thread.
 */
#ifndef WORKERS_C_ROUTES_H
#define WORKERS_C_ROUTES_H

#include "workers/c/chain.h"

#include <string.h>

typedef struct {
    char *key;              /* owned */
    size_t len;             /* bytes of key */
    hoist_handler *handler; /* borrowed: the program's code */
    chain_t own;            /* its middleware, inside of that of all routes */
    layer_t *stack;         /* owned: both; NULL until frozen */
    const layer_t *inmost;  /* the stack's end */
    uint8_t redeliver;      /* times, when a worker died of it */
    bool is_unordered;
    bool is_stand_in; /* whoever adds the route takes the handler's place */
} route_t;

typedef struct {
    uint32_t hash;  /* of the key; spares most comparisons of keys */
    uint32_t route; /* index into routes, plus 1; 0: empty */
} route_slot_t;

typedef struct {
    route_t *routes;       /* owned; in order of registration */
    size_t count, cap;     /* of routes */
    route_slot_t *slots;   /* owned; NULL until frozen */
    uint32_t mask;         /* number of slots, a power of two, less one */
    const route_t *orphan; /* borrowed: "$default", or NULL */
} routes_t;

void routes_init(routes_t *self);
void routes_fini(routes_t *self);

/*
 * Add a route; key is copied.  The table is no longer frozen.
 * Returns 0; -EINVAL for a key that PROTOCOL.md section 5 forbids; -EEXIST;
 * -ENOSPC at ROUTES_MAX.
 */
int routes_add(routes_t *self, const char *key, hoist_handler *handler);

/* Have a handler for the key until routes_add brings one; nothing where there
 * is one.  Returns as that, but for -EEXIST. */
int routes_stand_in(routes_t *self, const char *key, hoist_handler *handler);

/* The route of this key to be changed, or NULL.  Any time. */
route_t *routes_named(routes_t *self, const char *key);

/* Build the table for routes_find, and the stack of each route, with what is
 * around all of them. */
void routes_freeze(routes_t *self, const chain_t *around);

/* Has it exactly this key? */
static inline bool route_is(const route_t *self, const void *key, size_t len)
{
    return self->len == len && memcmp(self->key, key, len) == 0;
}

/* The route of exactly this key, or NULL.  Frozen tables only. */
const route_t *routes_find(const routes_t *self, const void *key, size_t len);

#endif
