/* SPDX-License-Identifier: MIT
 *
 * Sockets of proxies that have not said yet whose they are: with
 * --proxy-protocol each waits here from accept until its PROXY header is whole.
 * What follows the header stays in the socket.  Loop thread only.
 */
#ifndef GATEWAY_ARRIVALS_H
#define GATEWAY_ARRIVALS_H

#include "base/ip.h"

#include <stdint.h>

#include <ev.h>

typedef struct {
    /* The header was read.  client is lent; the descriptor is the callee's. */
    void (*arrived)(void *user, int fd, const ip_t *client);

    /* The socket was closed, for this reason. */
    void (*refused)(void *user, const ip_t *peer, const char *reason);
} arrivals_ops_t;

typedef struct {
    struct ev_loop *loop;      /* borrowed */
    const arrivals_ops_t *ops; /* borrowed */
    void *user;                /* borrowed */
    const char *proxies;       /* that may send a header: a list of networks */
    int64_t max;               /* at once; 0: no limit */
    int64_t timeout_ms;        /* for a whole header */
} arrivals_options_t;

typedef struct arrivals arrivals_t;

/* NULL: that is no list of networks. */
arrivals_t *arrivals_new(const arrivals_options_t *options);

/* Close those that wait. */
void arrivals_destroy(arrivals_t **self_p);

/* So many at once, from now on; 0: no limit. */
void arrivals_limit(arrivals_t *self, int64_t max);

/* An accepted socket, which is ours from now on. */
void arrivals_put(arrivals_t *self, int fd, const ip_t *peer);

#endif
