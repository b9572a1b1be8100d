/* SPDX-License-Identifier: MIT */
#include "store/redis_scout.h"

#include "store/redis_slots.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUCCESSOR_MS 100 /* before the one of a node can be known */

/* Returns 0, or -errno with the reason. */
static int take_slots(redis_pool_t *pool, const redisReply *reply,
                      const char **why)
{
    redis_range_t *ranges;
    int count = redis_slots_parse(reply, pool->scout.host.host, &ranges);

    if (count < 0) {
        *why = "its answer to CLUSTER SLOTS cannot be understood";
        return count;
    }
    if (count > 0) {
        redis_pool_become_cluster(pool, ranges, (size_t)count);
    }
    free(ranges);
    *why = "no node of the cluster has slots";
    return count > 0 ? 0 : -EBUSY;
}

static int take_master(redis_pool_t *pool, const redisReply *reply,
                       const char **why)
{
    redis_host_t host = {.port = 0};

    if (reply->type == REDIS_REPLY_NIL) {
        *why = "this sentinel knows no master of that name";
        return -EREMOTEIO;
    }
    *why = "a sentinel's answer cannot be understood";
    if (!redis_is_array(reply, 2)) {
        return -EPROTO;
    }
    wire_bytes_t name = redis_text(reply->element[0]);
    wire_bytes_t port = redis_text(reply->element[1]);
    if (name.len == 0 || name.len >= sizeof host.host || port.len == 0) {
        return -EPROTO;
    }
    memcpy(host.host, name.data, name.len);
    host.host[name.len] = '\0';
    host.port = (uint16_t)strtoul((const char *)port.data, NULL, 10);
    if (host.port == 0) {
        return -EPROTO;
    }
    redis_pool_become_single(pool, &host);
    return 0;
}

/* Asked for slots, a server that is in no cluster answers with an error, and
 * so does one where we may not ask. */
static int take_answer(redis_pool_t *pool, const redisReply *reply,
                       const char **why)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        redis_verdict_t verdict = redis_verdict_of(redis_text(reply));
        if (pool->mode == REDIS_AUTO && verdict.advice == REDIS_GIVE_UP) {
            pool->host = (pool->scouted - 1) % pool->manner.url->host_count;
            redis_pool_become_single(pool, &pool->scout.host);
            return 0;
        }
        *why = reply->str;
        return verdict.rc;
    }
    return pool->mode == REDIS_SENTINEL ? take_master(pool, reply, why)
                                        : take_slots(pool, reply, why);
}

static void fail(redis_pool_t *pool, int rc, const char *why)
{
    redis_pool_miss(pool, &pool->scout.host, rc, why);
    redis_scout_soon(pool, redis_pool_backoff_ms(pool->scout_failures++));
}

static void on_ready(void *user)
{
    redis_pool_t *pool = user;
    redis_command_t command = {.out = redis_link_out(&pool->scout)};

    if (pool->mode == REDIS_SENTINEL) {
        redis_put_words(&command, 3);
        redis_put_text(&command, "SENTINEL");
        redis_put_text(&command, "get-master-addr-by-name");
        redis_put_text(&command, pool->manner.url->master);
    } else {
        redis_put_words(&command, 2);
        redis_put_text(&command, "CLUSTER");
        redis_put_text(&command, "SLOTS");
    }
    redis_link_owes(&pool->scout, 1);
    redis_link_flush(&pool->scout);
}

static void on_reply(void *user, const redisReply *reply)
{
    redis_pool_t *pool = user;
    char text[REDIS_WHY_TEXT];
    const char *why = "";

    int rc = take_answer(pool, reply, &why);
    snprintf(text, sizeof text, "%s", why);
    redis_link_close(&pool->scout);
    if (rc < 0) {
        fail(pool, rc, text);
        return;
    }
    redis_pool_tell(pool, NULL);
    if (pool->kind == POOL_CLUSTER && !redis_pool_is_ready(pool)) {
        /* One that is gone may have a successor soon. */
        redis_scout_soon(
            pool, SUCCESSOR_MS + redis_pool_backoff_ms(pool->scout_failures++));
    } else {
        pool->scout_failures = 0;
    }
}

static void on_lost(void *user, int rc, const char *why)
{
    fail(user, rc, why);
}

static void on_turned(void *user)
{
    redis_pool_t *pool = user;

    pool->ops->turned(pool->user);
}

/* Hosts of the URL and nodes that are known, in turns: either may be gone. */
static const redis_host_t *next_candidate(redis_pool_t *pool)
{
    const redis_url_t *url = pool->manner.url;
    size_t known = pool->mode == REDIS_SENTINEL ? 0 : pool->node_count;
    size_t at = pool->scouted++ % (url->host_count + known);

    if (at < url->host_count) {
        return &url->hosts[at];
    }
    return redis_pool_host(pool, at - url->host_count);
}

static void on_scouting(struct ev_loop *loop, ev_timer *timer, int events)
{
    redis_pool_t *pool = timer->data;
    (void)loop;
    (void)events;

    if (pool->scout.state == LINK_CLOSED) {
        redis_link_open(&pool->scout, next_candidate(pool));
        pool->ops->turned(pool->user);
    }
}

void redis_scout_soon(redis_pool_t *pool, int64_t delay_ms)
{
    if (pool->scout.state != LINK_CLOSED ||
        (ev_is_active(&pool->scouting) &&
         ev_timer_remaining(pool->manner.loop, &pool->scouting) <=
             (double)delay_ms / 1000.0)) {
        return;
    }
    redis_pool_start_timer(pool, &pool->scouting, delay_ms);
}

void redis_scout_init(redis_pool_t *pool)
{
    static const redis_link_ops_t ops = {.ready = on_ready,
                                         .reply = on_reply,
                                         .lost = on_lost,
                                         .turned = on_turned};

    redis_link_init(&pool->scout, &pool->manner, &ops, pool);
    pool->scout.is_sentinel = pool->mode == REDIS_SENTINEL;
    ev_init(&pool->scouting, on_scouting);
    pool->scouting.data = pool;
}

void redis_scout_fini(redis_pool_t *pool)
{
    ev_timer_stop(pool->manner.loop, &pool->scouting);
    redis_link_fini(&pool->scout);
}
