/* SPDX-License-Identifier: MIT
 *
 * The answer to CLUSTER SLOTS: which master has which slots.  Pure.
 */
#ifndef STORE_REDIS_SLOTS_H
#define STORE_REDIS_SLOTS_H

#include "store/redis_reader.h"
#include "store/redis_url.h"

typedef struct {
    uint16_t first, last;
    redis_host_t master;
} redis_range_t;

/*
 * The ranges of the answer that a node gave whose host we call `from`; a master
 * that the answer leaves without a host is that one.
 * Returns their number with *ranges to be freed; -EPROTO, -ENOMEM.
 */
int redis_slots_parse(const redisReply *reply, const char *from,
                      redis_range_t **ranges);

#endif
