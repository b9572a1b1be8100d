/* SPDX-License-Identifier: MIT */
#include "store/redis_slots.h"

#include "store/redis_keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int get_number(const redisReply *reply, long long min, long long max,
                      uint16_t *number)
{
    if (reply->type != REDIS_REPLY_INTEGER || reply->integer < min ||
        reply->integer > max) {
        return -EPROTO;
    }
    *number = (uint16_t)reply->integer;
    return 0;
}

/* [host, port, id, …]; a host that is nil, empty or "?" is unknown to it. */
static int get_master(const redisReply *reply, const char *from,
                      redis_host_t *master)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2 ||
        get_number(reply->element[1], 1, UINT16_MAX, &master->port) < 0) {
        return -EPROTO;
    }
    wire_bytes_t host = redis_text(reply->element[0]);
    if (host.len == 0 || wire_is(host, "?")) {
        host = wire_bytes(from);
    }
    if (host.len >= sizeof master->host ||
        memchr(host.data, '\0', host.len) != NULL) {
        return -EPROTO;
    }
    memcpy(master->host, host.data, host.len);
    master->host[host.len] = '\0';
    return 0;
}

/* [first, last, master, replica, …] */
static int get_range(const redisReply *reply, const char *from,
                     redis_range_t *range)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 3 ||
        get_number(reply->element[0], 0, REDIS_SLOTS - 1, &range->first) < 0 ||
        get_number(reply->element[1], range->first, REDIS_SLOTS - 1,
                   &range->last) < 0) {
        return -EPROTO;
    }
    return get_master(reply->element[2], from, &range->master);
}

int redis_slots_parse(const redisReply *reply, const char *from,
                      redis_range_t **ranges)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements > REDIS_SLOTS) {
        return -EPROTO;
    }
    *ranges = calloc(reply->elements + 1, sizeof **ranges);
    if (*ranges == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < reply->elements; i++) {
        if (get_range(reply->element[i], from, &(*ranges)[i]) < 0) {
            free(*ranges);
            *ranges = NULL;
            return -EPROTO;
        }
    }
    return (int)reply->elements;
}
