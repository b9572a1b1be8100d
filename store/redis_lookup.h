/* SPDX-License-Identifier: MIT
 *
 * The addresses of one host, told to a loop when they are there.  One thread,
 * that of the loop.
 */
#ifndef STORE_REDIS_LOOKUP_H
#define STORE_REDIS_LOOKUP_H

#include "store/redis_addresses.h"

#include <ev.h>

typedef void redis_lookup_fn(void *user, const redis_addresses_t *addresses);

typedef struct {
    struct ev_loop *loop; /* borrowed */
    redis_lookup_fn *done;
    void *user; /* borrowed */
    int fd;     /* our end of a socket pair; -1: nothing is looked up */
    ev_io io;
} redis_lookup_t;

void redis_lookup_init(redis_lookup_t *self, struct ev_loop *loop,
                       redis_lookup_fn *done, void *user);

/*
 * Look it up.  An address needs no thread: then `done` is called in here.
 * Returns 0, or -errno: there is no thread or descriptor for it.
 */
int redis_lookup_start(redis_lookup_t *self, const redis_host_t *host);

/* Forget it; harmless when there is none. */
void redis_lookup_stop(redis_lookup_t *self);

#endif
