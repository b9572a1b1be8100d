/* SPDX-License-Identifier: MIT */
#include "workers/c/routes.h"

#include "base/xalloc.h"
#include "proto/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_PER_ROUTE 4 /* at least: a miss rarely meets a taken slot */

void routes_init(routes_t *self)
{
    *self = (routes_t){0};
}

static void thaw(routes_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        free(self->routes[i].stack);
        self->routes[i].stack = NULL;
    }
    free(self->slots);
    self->slots = NULL;
    self->orphan = NULL;
}

void routes_fini(routes_t *self)
{
    thaw(self);
    for (size_t i = 0; i < self->count; i++) {
        chain_fini(&self->routes[i].own);
        free(self->routes[i].key);
    }
    free(self->routes);
    routes_init(self);
}

static bool key_is_allowed(const char *key, size_t len)
{
    if (len == 0 || len > ROUTE_KEY_MAX) {
        return false;
    }
    return key[0] != '$' || strcmp(key, "$connect") == 0 ||
           strcmp(key, "$disconnect") == 0 || strcmp(key, "$default") == 0 ||
           strcmp(key, "$presence") == 0;
}

route_t *routes_named(routes_t *self, const char *key)
{
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp(self->routes[i].key, key) == 0) {
            return &self->routes[i];
        }
    }
    return NULL;
}

static void grow(routes_t *self)
{
    size_t cap = self->cap > 0 ? self->cap * 2 : 8;
    route_t *routes = xcalloc(cap, sizeof *routes);

    if (self->count > 0) {
        memcpy(routes, self->routes, self->count * sizeof *routes);
    }
    free(self->routes);
    self->routes = routes;
    self->cap = cap;
}

/* Its middleware stays where it is. */
static int take_place(route_t *route, hoist_handler *handler)
{
    if (!route->is_stand_in) {
        return -EEXIST;
    }
    route->handler = handler;
    route->is_stand_in = false;
    return 0;
}

int routes_add(routes_t *self, const char *key, hoist_handler *handler)
{
    if (key == NULL || handler == NULL || !key_is_allowed(key, strlen(key))) {
        return -EINVAL;
    }
    route_t *there = routes_named(self, key);
    if (there != NULL) {
        return take_place(there, handler);
    }
    if (self->count == ROUTES_MAX) {
        return -ENOSPC;
    }
    if (self->count == self->cap) {
        grow(self);
    }
    thaw(self);
    self->routes[self->count++] =
        (route_t){.key = xstrdup(key), .len = strlen(key), .handler = handler};
    return 0;
}

int routes_stand_in(routes_t *self, const char *key, hoist_handler *handler)
{
    if (routes_named(self, key) != NULL) {
        return 0;
    }
    int rc = routes_add(self, key, handler);
    if (rc == 0) {
        self->routes[self->count - 1].is_stand_in = true;
    }
    return rc;
}

/* Up to eight bytes as a number: two halves that overlap, or three bytes of
 * which two may be the same. */
static uint64_t last_word(const uint8_t *at, size_t len)
{
    uint32_t first, last;

    if (len < 4) {
        return len == 0 ? 0
                        : (uint64_t)at[0] << 16 | (uint64_t)at[len / 2] << 8 |
                              at[len - 1];
    }
    memcpy(&first, at, sizeof first);
    memcpy(&last, at + len - sizeof last, sizeof last);
    return (uint64_t)first << 32 | last;
}

/*
 * Eight bytes a step, each multiplied in (the idea of wyhash and its kin,
 * without their strength: only trusted programs insert).  FNV's byte a step
 * would cost more than the whole look-up may.
 */
static inline uint32_t hash_key(const uint8_t *at, size_t len)
{
    const uint64_t factor = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t hash = len * factor;
    uint64_t word;

    for (; len > 8; at += 8, len -= 8) {
        memcpy(&word, at, 8);
        hash = (hash ^ word) * factor;
        hash ^= hash >> 32;
    }
    hash = (hash ^ last_word(at, len)) * factor;
    return (uint32_t)(hash >> 32);
}

static void insert(routes_t *self, uint32_t route)
{
    const route_t *entry = &self->routes[route];
    uint32_t hash = hash_key((const uint8_t *)entry->key, entry->len);
    uint32_t at = hash & self->mask;

    while (self->slots[at].route != 0) {
        at = (at + 1) & self->mask;
    }
    self->slots[at] = (route_slot_t){hash, route + 1};
    if (strcmp(entry->key, "$default") == 0) {
        self->orphan = entry;
    }
}

static void build_stack(route_t *route, const chain_t *around)
{
    route->stack = chain_stack(around, &route->own);
    route->inmost = route->stack + around->count + route->own.count;
}

void routes_freeze(routes_t *self, const chain_t *around)
{
    uint32_t slots = 8;

    while (slots < self->count * SLOTS_PER_ROUTE) {
        slots *= 2;
    }
    thaw(self);
    self->slots = xcalloc(slots, sizeof *self->slots);
    self->mask = slots - 1;
    for (uint32_t i = 0; i < self->count; i++) {
        build_stack(&self->routes[i], around);
        insert(self, i);
    }
}

const route_t *routes_find(const routes_t *self, const void *key, size_t len)
{
    uint32_t hash = hash_key(key, len);

    for (uint32_t at = hash & self->mask; self->slots[at].route != 0;
         at = (at + 1) & self->mask) {
        if (self->slots[at].hash != hash) {
            continue;
        }
        const route_t *entry = &self->routes[self->slots[at].route - 1];
        if (route_is(entry, key, len)) {
            return entry;
        }
    }
    return NULL;
}
