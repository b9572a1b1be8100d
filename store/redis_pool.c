/* SPDX-License-Identifier: MIT */
#include "store/redis_pool.h"

#include "base/clock.h"
#include "base/rand.h"
#include "base/xalloc.h"
#include "store/redis_scout.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODES_MAX        256
#define SENT_MAX         8192      /* requests that a node owes */
#define BACKLOG_MAX      (1 << 20) /* bytes that it has not taken */
#define REDIRECTS_MAX    16
#define BACKOFF_FIRST_MS 100
#define BACKOFF_LAST_MS  5000
#define REST_MS          1000 /* of a scout while all is well, and of reaping */

struct redis_node {
    list_t linked;
    redis_pool_t *pool; /* borrowed */
    redis_host_t host;
    redis_link_t link;
    list_t waiting, sent; /* requests */
    size_t sent_count;
    uint32_t number;  /* random, of its connection */
    ev_timer resting; /* until it is connected to again */
    unsigned failures;
    int64_t up_since_ms;   /* of its last connection */
    int64_t down_since_ms; /* 0: it is ready */
    int down_rc;           /* 0: not known yet */
    bool is_listed;        /* it is the single one, or has slots */
    bool must_leave;
};

/* --- backoff ------------------------------------------------------------- */

/* Full jitter: many who lost a server together must not come back together. */
int64_t redis_pool_backoff_ms(unsigned failures)
{
    int64_t most = BACKOFF_LAST_MS;

    if (failures < 6 && ((int64_t)BACKOFF_FIRST_MS << failures) < most) {
        most = (int64_t)BACKOFF_FIRST_MS << failures;
    }
    return 1 + (int64_t)(rand_u32() % (uint32_t)most);
}

void redis_pool_start_timer(const redis_pool_t *self, ev_timer *timer,
                            int64_t delay_ms)
{
    ev_timer_stop(self->manner.loop, timer);
    ev_timer_set(timer, (double)delay_ms / 1000.0, 0.0);
    ev_timer_start(self->manner.loop, timer);
}

/* --- how it stands ------------------------------------------------------- */

static bool is_ready(const redis_node_t *node)
{
    return node->link.state == LINK_READY;
}

bool redis_pool_is_ready(const redis_pool_t *self)
{
    size_t listed = 0;

    list_foreach(link, &self->nodes) {
        const redis_node_t *node = list_entry(link, redis_node_t, linked);
        if (node->is_listed) {
            listed++;
            if (!is_ready(node)) {
                return false;
            }
        }
    }
    return listed > 0 && self->kind != POOL_UNKNOWN;
}

void redis_pool_tell(redis_pool_t *self, const char *why)
{
    bool is_up = redis_pool_is_ready(self);

    if ((!self->is_told && (is_up || why != NULL)) ||
        (self->is_told && is_up != self->is_up)) {
        self->is_told = true;
        self->is_up = is_up;
        self->ops->changed(self->user, is_up, why == NULL ? "" : why);
    }
}

static redis_node_t *node_for(const redis_pool_t *self, uint16_t slot)
{
    return self->kind == POOL_SINGLE    ? self->single
           : self->kind == POOL_CLUSTER ? self->owners[slot]
                                        : NULL;
}

static int check(const redis_pool_t *self, uint16_t slot, int64_t grace_ms)
{
    const redis_node_t *node = node_for(self, slot);

    if (node != NULL && is_ready(node)) {
        return 0;
    }
    int rc = node != NULL ? node->down_rc : self->down_rc;
    int64_t since_ms = node != NULL ? node->down_since_ms : self->down_since_ms;
    if (rc == -EACCES || clock_mono_ms() - since_ms >= grace_ms) {
        return rc < 0 ? rc : -ENOTCONN;
    }
    return 0;
}

int redis_pool_check(const redis_pool_t *self, uint16_t slot)
{
    return check(self, slot, self->manner.timeout_ms);
}

int redis_pool_check_now(const redis_pool_t *self, uint16_t slot)
{
    return check(self, slot, -1);
}

/* --- requests ------------------------------------------------------------ */

static void give_back(redis_pool_t *self, redis_request_t *request, int rc,
                      redis_advice_t advice, const redisReply *reply)
{
    request->is_held = request->is_sent = false;
    request->node = NULL;
    self->ops->done(self->user, request, rc, advice, reply);
}

static void queue_at(redis_pool_t *self, redis_node_t *node,
                     redis_request_t *request)
{
    request->node = node;
    request->is_sent = false;
    list_append(node != NULL ? &node->waiting : &self->waiting, &request->link);
}

static void queue(redis_pool_t *self, redis_request_t *request)
{
    request->must_ask = false;
    queue_at(self, node_for(self, request->slot), request);
}

void redis_pool_submit(redis_pool_t *self, redis_request_t *request)
{
    list_init(&request->link);
    self->gathered++;
    request->is_held = true;
    request->redirects = 0;
    request->owes_asking = false;
    queue(self, request);
}

bool redis_pool_cancel(redis_pool_t *self, redis_request_t *request)
{
    (void)self;
    if (request->is_sent) {
        return false;
    }
    list_remove(&request->link);
    request->is_held = false;
    request->node = NULL;
    return true;
}

static void fail_all(redis_pool_t *self, list_t *from, int rc,
                     redis_advice_t advice)
{
    list_t failed; /* those who are submitted again meanwhile are not */

    list_init(&failed);
    while (!list_is_empty(from)) {
        list_append(&failed, list_take(from));
    }
    while (!list_is_empty(&failed)) {
        give_back(self, list_entry(list_take(&failed), redis_request_t, link),
                  rc, advice, NULL);
    }
}

/* Requests go to whoever has their slot now. */
static void rehome_list(redis_pool_t *self, list_t *from)
{
    list_t all;

    list_init(&all);
    while (!list_is_empty(from)) {
        list_append(&all, list_take(from));
    }
    while (!list_is_empty(&all)) {
        redis_request_t *request =
            list_entry(list_take(&all), redis_request_t, link);
        if (request->must_ask) {
            queue_at(self, request->node, request);
        } else {
            queue(self, request);
        }
    }
}

static void rehome(redis_pool_t *self)
{
    list_foreach(link, &self->nodes) {
        rehome_list(self, &list_entry(link, redis_node_t, linked)->waiting);
    }
    rehome_list(self, &self->waiting);
}

/* Put what waits, as much as the server is to have at a time. */
static void pump(redis_node_t *node)
{
    redis_pool_t *self = node->pool;

    while (is_ready(node) && !list_is_empty(&node->waiting) &&
           node->sent_count < SENT_MAX &&
           redis_link_backlog(&node->link) < BACKLOG_MAX) {
        redis_request_t *request =
            list_entry(list_take(&node->waiting), redis_request_t, link);
        redis_command_t command = {.out = redis_link_out(&node->link)};
        size_t before = command.out->len;
        if (request->must_ask) {
            redis_put_words(&command, 1);
            redis_put_text(&command, "ASKING");
        }
        request->server = node->number;
        self->ops->put(self->user, request, &command);
        if (command.rc < 0) {
            command.out->len = before;
            give_back(self, request, -ENOMEM, REDIS_GIVE_UP, NULL);
            continue;
        }
        request->is_sent = true;
        request->owes_asking = request->must_ask;
        redis_link_owes(&node->link, request->must_ask ? 2 : 1);
        request->must_ask = false;
        list_append(&node->sent, &request->link);
        node->sent_count++;
    }
}

void redis_pool_flush(redis_pool_t *self)
{
    if (self->is_flushing) {
        return; /* whoever flushes comes round to it */
    }
    self->is_flushing = true;
    self->gathered = 0;
    list_foreach(link, &self->nodes) {
        redis_node_t *node = list_entry(link, redis_node_t, linked);
        pump(node);
        if (redis_link_backlog(&node->link) > 0) {
            redis_link_flush(&node->link);
        }
    }
    self->is_flushing = false;
}

/* --- nodes --------------------------------------------------------------- */

static void open_node(redis_node_t *node)
{
    if (node->link.state == LINK_CLOSED && !ev_is_active(&node->resting)) {
        redis_link_open(&node->link, &node->host);
    }
}

/* The single node of several hosts, or of sentinels, may be elsewhere now. */
static void on_rested(struct ev_loop *loop, ev_timer *timer, int events)
{
    redis_node_t *node = timer->data;
    redis_pool_t *self = node->pool;
    const redis_url_t *url = self->manner.url;
    (void)loop;
    (void)events;

    if (self->mode == REDIS_SENTINEL) {
        redis_scout_soon(self, 0);
        return;
    }
    if (self->kind == POOL_SINGLE && url->host_count > 1) {
        self->host = (self->host + 1) % url->host_count;
        node->host = url->hosts[self->host];
    }
    open_node(node);
    self->ops->turned(self->user);
}

static void on_node_ready(void *user)
{
    redis_node_t *node = user;

    node->up_since_ms = clock_mono_ms();
    node->down_since_ms = 0;
    node->down_rc = 0;
    node->must_leave = false;
    node->number = rand_u32();
    node->pool->ops->connected(node->pool->user);
    redis_pool_tell(node->pool, NULL);
}

static void explain(const redis_host_t *host, const char *why,
                    char text[REDIS_WHY_TEXT + REDIS_ADDRESS_TEXT])
{
    char address[REDIS_ADDRESS_TEXT];

    redis_host_format(host, address);
    snprintf(text, REDIS_WHY_TEXT + REDIS_ADDRESS_TEXT, "%s: %s", address, why);
}

/* What was to ask here asks the owner of its slot again. */
static void forget_asking(redis_node_t *node)
{
    list_foreach(link, &node->waiting) {
        list_entry(link, redis_request_t, link)->must_ask = false;
    }
    rehome_list(node->pool, &node->waiting);
}

static void on_node_lost(void *user, int rc, const char *why)
{
    redis_node_t *node = user;
    redis_pool_t *self = node->pool;
    char text[REDIS_WHY_TEXT + REDIS_ADDRESS_TEXT];

    if (node->down_since_ms == 0) {
        node->down_since_ms = clock_mono_ms();
        if (node->down_since_ms - node->up_since_ms > BACKOFF_LAST_MS) {
            node->failures = 0;
        }
    }
    node->down_rc = rc;
    node->sent_count = 0;
    explain(&node->host, why, text);
    redis_pool_tell(self, text);
    redis_pool_start_timer(self, &node->resting,
                           redis_pool_backoff_ms(node->failures++));
    if (self->kind == POOL_CLUSTER) {
        redis_scout_soon(self, redis_pool_backoff_ms(self->scout_failures));
    }
    forget_asking(node);
    fail_all(self, &node->sent, -ENOTCONN, REDIS_LEAVE_SERVER);
    if (rc == -EACCES) {
        fail_all(self, &node->waiting, rc, REDIS_GIVE_UP);
    }
}

static void on_node_turned(void *user)
{
    redis_node_t *node = user;

    node->pool->ops->turned(node->pool->user);
}

static redis_node_t *find_node(const redis_pool_t *self,
                               const redis_host_t *host)
{
    list_foreach(link, &self->nodes) {
        redis_node_t *node = list_entry(link, redis_node_t, linked);
        if (node->host.port == host->port &&
            strcmp(node->host.host, host->host) == 0) {
            return node;
        }
    }
    return NULL;
}

static void on_node_reply(void *user, const redisReply *reply);

static redis_node_t *add_node(redis_pool_t *self, const redis_host_t *host)
{
    static const redis_link_ops_t ops = {.ready = on_node_ready,
                                         .reply = on_node_reply,
                                         .lost = on_node_lost,
                                         .turned = on_node_turned};

    if (self->node_count == NODES_MAX) {
        return NULL;
    }
    redis_node_t *node = xcalloc(1, sizeof *node);
    node->pool = self;
    node->host = *host;
    node->down_since_ms = clock_mono_ms();
    list_init(&node->waiting);
    list_init(&node->sent);
    redis_link_init(&node->link, &self->manner, &ops, node);
    node->link.wants_master =
        self->mode == REDIS_SENTINEL || self->kind == POOL_SINGLE;
    ev_init(&node->resting, on_rested);
    node->resting.data = node;
    list_append(&self->nodes, &node->linked);
    self->node_count++;
    return node;
}

static redis_node_t *find_or_add(redis_pool_t *self, const redis_host_t *host)
{
    redis_node_t *node = find_node(self, host);

    if (node == NULL) {
        node = add_node(self, host);
    }
    if (node != NULL) {
        open_node(node);
    }
    return node;
}

static void free_node(redis_pool_t *self, redis_node_t *node)
{
    ev_timer_stop(self->manner.loop, &node->resting);
    redis_link_fini(&node->link);
    list_remove(&node->linked);
    self->node_count--;
    free(node);
}

/* Nodes that have neither slots nor requests any more. */
static void on_reaping(struct ev_loop *loop, ev_timer *timer, int events)
{
    redis_pool_t *self = timer->data;
    bool is_left = false;
    (void)loop;
    (void)events;

    list_foreach_safe(link, &self->nodes) {
        redis_node_t *node = list_entry(link, redis_node_t, linked);
        if (!node->is_listed) {
            bool is_idle =
                list_is_empty(&node->waiting) && list_is_empty(&node->sent);
            if (is_idle) {
                free_node(self, node);
            }
            is_left = is_left || !is_idle;
        }
    }
    if (is_left) {
        redis_pool_start_timer(self, &self->reaping, REST_MS);
    }
}

/* --- replies ------------------------------------------------------------- */

/* A single server that speaks of slots is a node of a cluster after all. */
static void become_cluster(redis_pool_t *self)
{
    if (self->kind == POOL_SINGLE) {
        self->single->is_listed = false;
        redis_pool_start_timer(self, &self->reaping, 0);
        self->single = NULL;
        self->mode = REDIS_CLUSTER;
        self->kind = POOL_UNKNOWN;
        self->down_since_ms = clock_mono_ms();
        self->down_rc = 0;
    }
}

static void follow(redis_node_t *from, redis_request_t *request,
                   const redisReply *reply, bool is_for_good)
{
    redis_pool_t *self = from->pool;
    redis_node_t *to = NULL;
    redis_host_t host;
    uint16_t slot;

    if (redis_error_place(redis_text(reply), from->host.host, &slot, &host) ==
            0 &&
        request->redirects++ < REDIRECTS_MAX) {
        become_cluster(self);
        to = find_or_add(self, &host);
    }
    if (to == NULL) {
        give_back(self, request, -EREMOTEIO, REDIS_TRY_LATER, NULL);
        return;
    }
    request->slot = slot;
    if (is_for_good) {
        to->is_listed = true;
        self->owners[slot] = to;
        redis_scout_soon(self, self->kind == POOL_UNKNOWN ? 0 : REST_MS);
        queue(self, request);
    } else {
        redis_pool_start_timer(self, &self->reaping, REST_MS);
        request->must_ask = true;
        queue_at(self, to, request);
    }
}

static void take_error(redis_node_t *node, redis_request_t *request,
                       const redisReply *reply)
{
    redis_pool_t *self = node->pool;
    redis_verdict_t verdict = redis_verdict_of(redis_text(reply));

    switch (verdict.advice) {
    case REDIS_GO_THERE:
    case REDIS_ASK_THERE:
        follow(node, request, reply, verdict.advice == REDIS_GO_THERE);
        break;
    case REDIS_SEND_SCRIPT:
        request->wants_text = true;
        queue_at(self, node, request);
        break;
    case REDIS_LEAVE_SERVER:
        node->must_leave = true;
        give_back(self, request, verdict.rc, verdict.advice, NULL);
        break;
    default:
        if (self->kind == POOL_CLUSTER && verdict.advice == REDIS_TRY_LATER) {
            redis_scout_soon(self, REST_MS);
        }
        give_back(self, request, verdict.rc, verdict.advice, NULL);
    }
}

static void on_node_reply(void *user, const redisReply *reply)
{
    redis_node_t *node = user;

    must(!list_is_empty(&node->sent));
    redis_request_t *request =
        list_entry(list_peek(&node->sent), redis_request_t, link);
    if (request->owes_asking) {
        request->owes_asking = false;
        return;
    }
    list_remove(&request->link);
    node->sent_count--;
    if (reply->type == REDIS_REPLY_ERROR) {
        take_error(node, request, reply);
    } else {
        node->failures = 0;
        give_back(node->pool, request, 0, REDIS_GIVE_UP, reply);
    }
    if (node->must_leave && is_ready(node)) {
        node->must_leave = false;
        redis_link_lose(&node->link, -ENOTCONN, "it is a replica by now");
    }
}

/* --- what the scout found out -------------------------------------------- */

void redis_pool_become_single(redis_pool_t *self, const redis_host_t *host)
{
    self->kind = POOL_SINGLE;
    if (self->single == NULL) {
        self->single = add_node(self, host);
        self->single->is_listed = true;
    }
    if (self->single->link.state == LINK_CLOSED) {
        self->single->host = *host;
        ev_timer_stop(self->manner.loop, &self->single->resting);
        open_node(self->single);
    }
    rehome(self);
}

static void list_nodes(redis_pool_t *self, const redis_range_t *ranges,
                       size_t count)
{
    list_foreach(link, &self->nodes) {
        list_entry(link, redis_node_t, linked)->is_listed = false;
    }
    memset(self->owners, 0, sizeof self->owners);
    for (size_t i = 0; i < count; i++) {
        redis_node_t *node = find_or_add(self, &ranges[i].master);
        if (node != NULL) {
            node->is_listed = true;
            for (size_t slot = ranges[i].first; slot <= ranges[i].last;
                 slot++) {
                self->owners[slot] = node;
            }
        }
    }
}

void redis_pool_become_cluster(redis_pool_t *self, const redis_range_t *ranges,
                               size_t count)
{
    self->kind = POOL_CLUSTER;
    list_nodes(self, ranges, count);
    rehome(self);
    redis_pool_start_timer(self, &self->reaping, 0);
}

void redis_pool_miss(redis_pool_t *self, const redis_host_t *host, int rc,
                     const char *why)
{
    char text[REDIS_WHY_TEXT + REDIS_ADDRESS_TEXT];

    self->down_rc = rc;
    explain(host, why, text);
    redis_pool_tell(self, text);
    if (rc == -EACCES) {
        fail_all(self, &self->waiting, rc, REDIS_GIVE_UP);
    }
}

const redis_host_t *redis_pool_host(const redis_pool_t *self, size_t at)
{
    list_foreach(link, &self->nodes) {
        if (at-- == 0) {
            return &list_entry(link, redis_node_t, linked)->host;
        }
    }
    return NULL;
}

/* --- the pool ------------------------------------------------------------ */

void redis_pool_init(redis_pool_t *self, const redis_manner_t *manner,
                     const redis_pool_ops_t *ops, void *user)
{
    memset(self, 0, sizeof *self);
    self->manner = *manner;
    self->ops = ops;
    self->user = user;
    self->mode = manner->url->mode;
    self->down_since_ms = clock_mono_ms();
    list_init(&self->nodes);
    list_init(&self->waiting);
    redis_scout_init(self);
    ev_init(&self->reaping, on_reaping);
    self->reaping.data = self;
    if (self->mode == REDIS_PLAIN) {
        redis_pool_become_single(self, &manner->url->hosts[0]);
    } else {
        redis_scout_soon(self, 0);
    }
}

void redis_pool_fini(redis_pool_t *self)
{
    redis_scout_fini(self);
    ev_timer_stop(self->manner.loop, &self->reaping);
    list_foreach_safe(link, &self->nodes) {
        free_node(self, list_entry(link, redis_node_t, linked));
    }
}
