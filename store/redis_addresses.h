/* SPDX-License-Identifier: MIT
 *
 * The addresses of one host, looked up in a thread of its own, since
 * getaddrinfo(3) takes as long as it likes and nobody here may wait for it.  An
 * answer that nobody waits for any more is thrown away.  Any thread.
 */
#ifndef STORE_REDIS_ADDRESSES_H
#define STORE_REDIS_ADDRESSES_H

#include "store/redis_url.h"

#include <sys/socket.h>

#define REDIS_ADDRESSES_MAX 4

typedef struct {
    int error; /* of getaddrinfo; 0: none */
    size_t count;
    struct sockaddr_storage addresses[REDIS_ADDRESSES_MAX];
} redis_addresses_t;

/*
 * Look it up.
 *
 * fd  -1, and there is the answer: it is an address and needs no thread.  Else
 *     what becomes readable when there is one, for redis_addresses_take; the
 *     caller closes it, then or when it waits no more.
 * Returns 0; -errno where there is no thread or descriptor for it.
 */
int redis_addresses_ask(const redis_host_t *host, redis_addresses_t *answer,
                        int *fd);

/* What a descriptor has; an error where it has nothing. */
void redis_addresses_take(int fd, redis_addresses_t *answer);

/* A socket that connects to one of them, without waiting, with the options of
 * one that is to last.  Returns the descriptor, or -errno. */
int redis_addresses_connect(const struct sockaddr_storage *to);

#endif
