/* SPDX-License-Identifier: MIT
 *
 * The addresses of one host, looked up in a thread of its own, since
 * getaddrinfo(3) takes as long as it likes and a loop must not wait for it.  An
 * answer that nobody waits for any more is thrown away.  One thread, that of
 * the loop.
 */
#ifndef STORE_REDIS_LOOKUP_H
#define STORE_REDIS_LOOKUP_H

#include "store/redis_url.h"

#include <sys/socket.h>

#include <ev.h>

#define REDIS_ADDRESSES_MAX 4

typedef struct {
    int error; /* of getaddrinfo; 0: none */
    size_t count;
    struct sockaddr_storage addresses[REDIS_ADDRESSES_MAX];
} redis_addresses_t;

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
