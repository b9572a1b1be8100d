/* SPDX-License-Identifier: MIT
 *
 * The life of a task (redis_store.h):
 *
 *   new -> waits for another on its connection, or for room among the heavy
 *       -> at work: step by step, resting in between when Redis is busy
 *       -> told -> what is left: replies that nobody waits for, tidying up
 *       -> released
 */
#include "store/redis.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/xalloc.h"
#include "store/redis_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#define TICK_S        0.05
#define BUCKETS_MIN   1024
#define BUCKETS_MAX   65536
#define HEAVY_MAX     8 /* lists and counts at a time: each may be large */
#define REST_FIRST_MS 50
#define REST_DOUBLES  4 /* times that a rest becomes twice as long */
#define BRIEF_TRIES   3
#define TIDY_TRIES    5
#define VOUCH_MS      60000 /* an owner is vouched for again after so long */
#define VOUCH_PARTS   8     /* or after this part of a row's time */

static void start(redis_task_t *task);

static bool is_of_connection(store_verb_t verb)
{
    return verb == STORE_SAVE || verb == STORE_REMOVE || verb == STORE_GET;
}

static bool is_list(store_verb_t verb)
{
    return verb == STORE_LIST_USER || verb == STORE_LIST_TENANT ||
           verb == STORE_LIST_OWNER;
}

/* Of all owners. */
static bool is_tally(store_verb_t verb)
{
    return verb == STORE_COUNT || verb == STORE_OWNERS;
}

static bool is_heavy(store_verb_t verb)
{
    return is_list(verb) || is_tally(verb);
}

/* --- one at work for each connection ------------------------------------- */

/* Ids differ in slot and random part; a multiplication mixes them upwards. */
static redis_task_t **bucket_of(store_redis_t *self, const conn_id_t *id)
{
    uint32_t mixed = (id->random ^ id->slot << 8) * UINT32_C(2654435761);

    return &self->buckets[mixed >> 16 & self->mask];
}

static redis_task_t **find_worker(store_redis_t *self, const conn_id_t *id)
{
    redis_task_t **link = bucket_of(self, id);

    while (*link != NULL && !conn_id_equal(&(*link)->id, id)) {
        link = &(*link)->next;
    }
    return link;
}

/* The next on this connection, if any, and all that wait behind that. */
static void hand_over(redis_task_t *task)
{
    redis_task_t **link = find_worker(task->store, &task->id);

    must(*link == task);
    *link = task->next;
    if (list_is_empty(&task->followers)) {
        return;
    }
    redis_task_t *next =
        list_entry(list_take(&task->followers), redis_task_t, turn);
    while (!list_is_empty(&task->followers)) {
        list_append(&next->followers, list_take(&task->followers));
    }
    link = bucket_of(task->store, &task->id);
    next->next = *link;
    *link = next;
    start(next);
}

static void start_heavy(store_redis_t *self)
{
    while (self->heavy_count < HEAVY_MAX && !list_is_empty(&self->heavy)) {
        self->heavy_count++;
        start(list_entry(list_take(&self->heavy), redis_task_t, turn));
    }
}

/* Start it, or let it wait for its turn. */
static void enter(redis_task_t *task)
{
    store_redis_t *self = task->store;

    if (is_heavy(task->verb)) {
        list_append(&self->heavy, &task->turn);
        start_heavy(self);
        return;
    }
    if (is_of_connection(task->verb)) {
        redis_task_t **link = find_worker(self, &task->id);
        if (*link != NULL) {
            list_append(&(*link)->followers, &task->turn);
            return;
        }
        *link = task;
    }
    start(task);
}

static void release(redis_task_t *task)
{
    store_redis_t *self = task->store;

    list_remove(&task->turn);
    list_remove(&task->linked);
    if (task->is_at_work && is_of_connection(task->verb)) {
        hand_over(task);
    }
    bool leaves_room = task->is_at_work && is_heavy(task->verb);
    redis_page_free(task);
    redis_count_free(task);
    record_drop(task->record);
    free(task);
    self->task_count--;
    if (leaves_room) {
        self->heavy_count--;
        start_heavy(self);
    }
}

/* --- the end ------------------------------------------------------------- */

void redis_task_tell(redis_task_t *self, int rc, const store_result_t *result)
{
    store_redis_t *store = self->store;
    store_op_t *op = self->op;

    if (op == NULL) {
        return;
    }
    self->op = NULL;
    list_remove(&self->linked);
    list_append(&store->remains, &self->linked);
    store->store.stats.store_pending--;
    if (rc == 0) {
        store->store.stats.store_done++;
    } else {
        store->store.stats.store_failed++;
    }
    op->done(op, rc, rc == 0 ? result : NULL);
}

static void finish(redis_task_t *task, int rc, const store_result_t *result)
{
    redis_task_tell(task, rc, result);
    if (task->pending == 0) {
        release(task);
    } else {
        task->is_cut = true;
    }
}

static uint16_t slot_of(const redis_task_t *task, redis_word_t what,
                        uint32_t at)
{
    if (redis_pool_is_single(&task->store->pool)) {
        return 0;
    }
    redis_key_t key = redis_words_key(task, what, at);
    return redis_key_slot(&key);
}

/* The slot of what it asks first. */
static uint16_t first_slot(const redis_task_t *task)
{
    static const redis_word_t words[] = {
        [STORE_SAVE] = SAY_ROW_SET,         [STORE_REMOVE] = SAY_ROW_DROP,
        [STORE_GET] = SAY_ROW_GET,          [STORE_LIST_USER] = SAY_PAGE_IDS,
        [STORE_LIST_TENANT] = SAY_PAGE_IDS, [STORE_LIST_OWNER] = SAY_PAGE_SCAN,
        [STORE_COUNT] = SAY_OWNERS,         [STORE_OWNERS] = SAY_OWNERS,
        [STORE_KEEP] = SAY_LEASE_SET,       [STORE_LEASES] = SAY_LEASES,
        [STORE_CLAIM] = SAY_LEASE_CLAIM,    [STORE_DROP] = SAY_LEASE_DROP,
    };

    return slot_of(task, words[task->verb], 0);
}

static void cancel_requests(redis_task_t *task)
{
    for (size_t i = 0; i < task->request_count; i++) {
        if (task->requests[i].is_held &&
            redis_pool_cancel(&task->store->pool, &task->requests[i])) {
            task->pending--;
        }
    }
    redis_page_cancel(task);
    redis_count_cancel(task);
}

/* It has had its time. */
static void time_out(redis_task_t *task)
{
    int rc = task->last_rc == -EBUSY
                 ? -EBUSY
                 : redis_pool_check_now(&task->store->pool, first_slot(task));

    if (task->is_at_work) {
        cancel_requests(task);
    }
    finish(task, rc < 0 ? rc : -ETIMEDOUT, NULL);
}

/* --- owners -------------------------------------------------------------- */

static redis_owner_t *owner_of(store_redis_t *self, uint32_t loop)
{
    redis_owner_t *owner = &self->owners[loop & (REDIS_OWNERS_KNOWN - 1)];

    if (owner->loop != loop) {
        *owner = (redis_owner_t){.loop = loop};
    }
    return owner;
}

/*
 * Until an owner is known to be in the set of owners each row that is saved
 * says so itself, since a count misses it otherwise; later one in a while does.
 */
static bool must_vouch(redis_task_t *task)
{
    redis_owner_t *owner = owner_of(task->store, task->id.loop);
    int64_t now_ms = task->deadline_ms - task->store->options->timeout_ms;
    int64_t part_ms = task->net_ms / REDIS_NET_TIMES / VOUCH_PARTS;
    int64_t every_ms = part_ms < VOUCH_MS ? part_ms : VOUCH_MS;

    if (owner->confirmed_ms == 0 || owner->net_ms < task->net_ms) {
        return true;
    }
    if (now_ms - owner->confirmed_ms < every_ms ||
        now_ms - owner->asked_ms < every_ms / VOUCH_PARTS) {
        return false;
    }
    owner->asked_ms = now_ms;
    return true;
}

/* Whatever is there may be empty: a server that was started anew, or one in
 * which a lease is missing. */
static void forget_owners(store_redis_t *self)
{
    memset(self->owners, 0, sizeof self->owners);
}

static void confirm_owner(redis_task_t *task)
{
    redis_owner_t *owner = owner_of(task->store, task->id.loop);

    owner->confirmed_ms = clock_mono_ms();
    if (task->net_ms > owner->net_ms) {
        owner->net_ms = task->net_ms;
    }
}

/* --- steps --------------------------------------------------------------- */

void redis_task_say(redis_task_t *self, redis_request_t *request,
                    redis_word_t what, uint32_t at)
{
    request->user = self;
    request->what = (uint8_t)what;
    request->at = at;
    request->slot = slot_of(self, what, at);
    request->wants_text = false;
    self->pending++;
    redis_pool_submit(&self->store->pool, request);
}

static void say(redis_task_t *task, redis_word_t what)
{
    redis_task_say(task, &task->requests[task->request_count++], what, 0);
}

static bool has_name(const redis_task_t *task, const char *key)
{
    return wire_map_str(record_context(task->record), key).len > 0;
}

/*
 * The row, and then what points to it.  On one server both leave together, as
 * it keeps the order; in a cluster they may go to two.
 */
static void say_save(redis_task_t *task)
{
    if (task->step == 0) {
        task->vouches = must_vouch(task);
        say(task, SAY_ROW_SET);
        if (task->vouches) {
            say(task, SAY_OWNER_STRETCH);
        }
        if (!redis_pool_is_single(&task->store->pool)) {
            return;
        }
        task->step = 1;
    }
    if (has_name(task, "user")) {
        say(task, SAY_USER_ADD);
    }
    if (has_name(task, "tenant")) {
        say(task, SAY_TENANT_ADD);
    }
    if (task->vouches) {
        say(task, SAY_OWNER_VOUCH);
    }
}

/* The other way round. */
static void say_remove(redis_task_t *task)
{
    if (task->step == 0) {
        if (has_name(task, "user")) {
            say(task, SAY_USER_DROP);
        }
        if (has_name(task, "tenant")) {
            say(task, SAY_TENANT_DROP);
        }
        if (task->pending > 0 && !redis_pool_is_single(&task->store->pool)) {
            return;
        }
        task->step = 1;
    }
    say(task, SAY_ROW_DROP);
}

static int say_step(redis_task_t *task)
{
    switch (task->verb) {
    case STORE_SAVE:
        say_save(task);
        return 0;
    case STORE_REMOVE:
        say_remove(task);
        return 0;
    case STORE_GET:
        say(task, SAY_ROW_GET);
        return 0;
    case STORE_COUNT:
    case STORE_OWNERS:
        return redis_count_step(task);
    case STORE_KEEP:
        say(task, SAY_LEASE_SET);
        say(task, SAY_LEASES_STRETCH);
        return 0;
    case STORE_LEASES:
        say(task, SAY_LEASES);
        return 0;
    case STORE_CLAIM:
        say(task, SAY_LEASE_CLAIM);
        return 0;
    case STORE_DROP:
        say(task, SAY_LEASE_DROP);
        return 0;
    default:
        return redis_page_step(task);
    }
}

static void step_over(redis_task_t *task);

/* Begin its step, once more maybe. */
static void start(redis_task_t *task)
{
    task->is_at_work = true;
    task->request_count = 0;
    task->rc = 0;
    int rc = say_step(task);
    if (rc < 0) {
        finish(task, rc, NULL);
    } else if (task->pending == 0) {
        step_over(task);
    }
}

static void rest(redis_task_t *task)
{
    unsigned doubles = task->tries < REST_DOUBLES ? task->tries : REST_DOUBLES;
    uint32_t most_ms = (uint32_t)REST_FIRST_MS << doubles;

    task->tries++;
    task->wake_ms =
        clock_mono_ms() + most_ms / 2 + rand_u32() % (most_ms / 2 + 1);
    list_append(&task->store->resting, &task->turn);
}

/* Of CLAIM and DROP nobody knows whether they were done: the second time they
 * would find what the first one left. */
static bool may_repeat(const redis_task_t *task)
{
    bool repeats = task->verb != STORE_CLAIM && task->verb != STORE_DROP;

    if (task->op == NULL) {
        return repeats && task->tries < TIDY_TRIES;
    }
    return task->advice == REDIS_LEAVE_SERVER  ? repeats
           : task->advice == REDIS_TRY_LATER   ? true
           : task->advice == REDIS_TRY_BRIEFLY ? task->tries < BRIEF_TRIES
                                               : false;
}

static void repeat_step(redis_task_t *task)
{
    task->last_rc = task->rc;
    if (task->advice == REDIS_GIVE_UP || !may_repeat(task)) {
        finish(task, task->rc, NULL);
        return;
    }
    task->store->store.stats.store_retries++;
    if (!is_heavy(task->verb)) {
        task->step = 0;
    }
    if (task->advice == REDIS_LEAVE_SERVER && task->op != NULL) {
        start(task);
    } else {
        rest(task);
    }
}

static bool has_next_step(redis_task_t *task)
{
    if (task->verb == STORE_SAVE || task->verb == STORE_REMOVE) {
        return task->step++ == 0;
    }
    return is_list(task->verb)    ? redis_page_over(task)
           : is_tally(task->verb) ? redis_count_over(task)
                                  : false;
}

static void step_over(redis_task_t *task)
{
    if (task->is_cut) {
        release(task);
    } else if (task->rc < 0) {
        repeat_step(task);
    } else if (has_next_step(task)) {
        start(task);
    } else {
        if (task->verb == STORE_SAVE && task->vouches) {
            confirm_owner(task);
        } else if (task->verb == STORE_KEEP && !task->was_there) {
            forget_owners(task->store);
        }
        finish(task, 0, &(store_result_t){.was_there = task->was_there});
    }
}

/* --- replies ------------------------------------------------------------- */

static void fail_step(redis_task_t *task, int rc)
{
    task->rc = rc;
    task->advice = REDIS_GIVE_UP;
}

static void take_number(redis_task_t *task, const redis_request_t *request,
                        const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_INTEGER) {
        fail_step(task, -EPROTO);
    } else if (request->what == SAY_ROW_SET || request->what == SAY_LEASE_SET) {
        task->was_there = reply->integer == 0;
    } else if ((request->what == SAY_LEASE_CLAIM ||
                request->what == SAY_LEASE_DROP) &&
               reply->integer == 0) {
        fail_step(task, -ESTALE);
    }
}

static int read_row(const redis_task_t *task, const redisReply *reply,
                    store_row_t *row)
{
    if (reply->type == REDIS_REPLY_NIL) {
        return -ENOENT;
    }
    int rc = redis_row_get(redis_text(reply), row);
    return rc < 0                                         ? rc
           : row->expires_ms <= task->store->store.now_ms ? -ENOENT
                                                          : 0;
}

static void take_row(redis_task_t *task, const redisReply *reply)
{
    store_row_t row = {.id = task->id};
    int rc = read_row(task, reply, &row);

    if (rc < 0) {
        fail_step(task, rc);
        return;
    }
    redis_task_tell(task, 0, &(store_result_t){.rows = &row, .row_count = 1});
}

static void take_leases(redis_task_t *task, const redisReply *reply)
{
    store_result_t result = {.lease_count = 0};

    if (reply->type != REDIS_REPLY_ARRAY) {
        fail_step(task, -EPROTO);
        return;
    }
    store_lease_t *leases = calloc(reply->elements / 2 + 1, sizeof *leases);
    if (leases == NULL) {
        fail_step(task, -ENOMEM);
        return;
    }
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        store_lease_t lease = {redis_text(reply->element[i]),
                               redis_text(reply->element[i + 1])};
        if (lease.name.len <= STORE_LEASE_MAX &&
            lease.value.len <= STORE_LEASE_MAX &&
            result.lease_count < STORE_LEASES_MAX) {
            leases[result.lease_count++] = lease;
        }
    }
    result.leases = leases;
    redis_task_tell(task, 0, &result);
    free(leases);
}

static void take(redis_task_t *task, const redis_request_t *request,
                 const redisReply *reply)
{
    if (is_list(task->verb)) {
        redis_page_take(task, request, reply);
    } else if (is_tally(task->verb)) {
        redis_count_take(task, request, reply);
    } else if (request->what == SAY_ROW_GET) {
        take_row(task, reply);
    } else if (request->what == SAY_LEASES) {
        take_leases(task, reply);
    } else {
        take_number(task, request, reply);
    }
}

/* What is to be told counts more than what is to be tried later, and that more
 * than what can be tried now. */
static int weight(redis_advice_t advice)
{
    return advice == REDIS_GIVE_UP ? 3 : advice == REDIS_LEAVE_SERVER ? 1 : 2;
}

static void on_done(void *user, redis_request_t *request, int rc,
                    redis_advice_t advice, const redisReply *reply)
{
    redis_task_t *task = request->user;
    (void)user;

    task->pending--;
    if (rc == 0) {
        if (!task->is_cut && task->rc == 0) {
            take(task, request, reply);
        }
    } else if (task->rc == 0 || weight(advice) > weight(task->advice)) {
        task->rc = rc;
        task->advice = advice;
    }
    if (task->pending == 0) {
        step_over(task);
    }
}

/* --- what the pool tells ------------------------------------------------- */

static void on_changed(void *user, bool is_up, const char *why)
{
    store_redis_t *self = user;

    self->store.stats.store_up = is_up ? 1 : 0;
    if (is_up) {
        log_info("STORE-UP", "store=%s", self->name);
    } else {
        log_warn("STORE-DOWN", "store=%s reason=\"%s\"", self->name, why);
    }
}

static void on_connected(void *user)
{
    store_redis_t *self = user;

    self->store.stats.store_connects++;
    forget_owners(self);
}

static void on_turned(void *user)
{
    store_redis_t *self = user;

    redis_pool_flush(&self->pool);
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    store_redis_t *self = timer->data;
    int64_t now_ms = clock_mono_ms();
    (void)events;

    while (!list_is_empty(&self->tasks)) {
        redis_task_t *task =
            list_entry(list_peek(&self->tasks), redis_task_t, linked);
        if (task->deadline_ms > now_ms) {
            break;
        }
        time_out(task);
    }
    list_foreach_safe(link, &self->resting) {
        redis_task_t *task = list_entry(link, redis_task_t, turn);
        if (task->wake_ms <= now_ms) {
            list_remove(&task->turn);
            start(task);
        }
    }
    redis_pool_flush(&self->pool);
    if (self->task_count == 0) {
        ev_timer_stop(loop, timer);
    }
}

/* --- operations ---------------------------------------------------------- */

static bool is_valid(const store_op_t *op)
{
    switch (op->verb) {
    case STORE_LIST_USER:
    case STORE_LIST_TENANT:
    case STORE_LIST_OWNER:
        return op->limit >= 1 && op->limit <= STORE_PAGE_MAX &&
               redis_page_is_cursor(op->verb, op->cursor);
    case STORE_KEEP:
    case STORE_CLAIM:
    case STORE_DROP:
        return op->key.len >= 1 && op->key.len <= STORE_LEASE_MAX &&
               op->value.len <= STORE_LEASE_MAX &&
               op->expected.len <= STORE_LEASE_MAX;
    default:
        return op->verb <= STORE_DROP;
    }
}

static wire_bytes_t keep_bytes(redis_task_t *task, size_t *used,
                               wire_bytes_t from)
{
    uint8_t *to = task->bytes + *used;

    if (from.len > 0) {
        memcpy(to, from.data, from.len);
        *used += from.len;
    }
    return (wire_bytes_t){to, from.len};
}

static void set_row(redis_task_t *task, const store_op_t *op)
{
    store_redis_t *self = task->store;
    int64_t ttl_s = self->options->ttl_s;

    task->id = op->id;
    if (op->verb == STORE_SAVE || op->verb == STORE_REMOVE) {
        task->record = record_hold(op->record);
        task->id = op->record->id;
        ttl_s = op->record->ttl_s != 0 ? op->record->ttl_s : ttl_s;
    }
    conn_id_format(&task->id, task->id_text);
    task->expires_ms = self->store.now_ms + ttl_s * 1000;
    ttl_s = ttl_s > self->options->ttl_s ? ttl_s : self->options->ttl_s;
    task->net_ms = ttl_s * 1000 * REDIS_NET_TIMES;
}

static redis_task_t *new_task(store_redis_t *self, store_op_t *op)
{
    size_t used = 0;
    redis_task_t *task = calloc(1, sizeof *task + op->key.len + op->cursor.len +
                                       op->value.len + op->expected.len);

    if (task == NULL) {
        return NULL;
    }
    task->store = self;
    task->op = op;
    task->verb = op->verb;
    list_init(&task->turn);
    list_init(&task->followers);
    set_row(task, op);
    task->key = keep_bytes(task, &used, op->key);
    task->cursor = keep_bytes(task, &used, op->cursor);
    task->value = keep_bytes(task, &used, op->value);
    task->expected = keep_bytes(task, &used, op->expected);
    task->limit = op->limit;
    task->deadline_ms = clock_mono_ms() + self->options->timeout_ms;
    list_append(&self->tasks, &task->linked);
    self->task_count++;
    self->store.stats.store_pending++;
    return task;
}

static void fail(store_redis_t *self, store_op_t *op, int rc)
{
    self->store.stats.store_failed++;
    op->done(op, rc, NULL);
}

static void redis_submit(store_t *store, store_op_t *op)
{
    store_redis_t *self = (store_redis_t *)store;

    if (self->is_destroyed || !is_valid(op)) {
        fail(self, op, self->is_destroyed ? -ECANCELED : -EINVAL);
        return;
    }
    if (self->task_count >= (size_t)self->options->queue) {
        self->store.stats.store_refused++;
        op->done(op, -ENOBUFS, NULL);
        return;
    }
    redis_task_t *task = new_task(self, op);
    if (task == NULL) {
        fail(self, op, -ENOMEM);
        return;
    }
    if (!ev_is_active(&self->tick)) {
        ev_timer_again(self->loop, &self->tick);
    }
    int rc = redis_pool_check(&self->pool, first_slot(task));
    if (rc < 0) {
        finish(task, rc, NULL);
        return;
    }
    enter(task);
    redis_pool_flush_many(&self->pool);
}

static void redis_end(store_t *store)
{
    redis_pool_flush(&((store_redis_t *)store)->pool);
}

/* --- the store ----------------------------------------------------------- */

static void free_tasks(store_redis_t *self, list_t *tasks)
{
    while (!list_is_empty(tasks)) {
        redis_task_t *task = list_entry(list_peek(tasks), redis_task_t, linked);
        redis_task_tell(task, -ECANCELED, NULL);
        list_remove(&task->linked);
        redis_page_free(task);
        redis_count_free(task);
        record_drop(task->record);
        free(task);
        self->task_count--;
    }
}

static void redis_destroy(store_t *store)
{
    store_redis_t *self = (store_redis_t *)store;

    self->is_destroyed = true;
    ev_timer_stop(self->loop, &self->tick);
    redis_pool_fini(&self->pool);
    free_tasks(self, &self->tasks);
    free_tasks(self, &self->remains);
    buf_fini(&self->scratch);
    SSL_CTX_free(self->tls);
    /* What OpenSSL has for this thread goes now: at the thread's end OpenSSL
     * itself may be gone. */
    OPENSSL_thread_stop();
    free(self->buckets);
    explicit_bzero(self->url.password, sizeof self->url.password);
    free(self);
}

static size_t bucket_count(int64_t queue)
{
    size_t count = BUCKETS_MIN;

    while (count < (size_t)queue && count < BUCKETS_MAX) {
        count *= 2;
    }
    return count;
}

static void begin(store_redis_t *self)
{
    static const redis_pool_ops_t ops = {.put = redis_words_put,
                                         .done = on_done,
                                         .changed = on_changed,
                                         .connected = on_connected,
                                         .turned = on_turned};
    const redis_manner_t manner = {.loop = self->loop,
                                   .url = &self->url,
                                   .tls = self->tls,
                                   .timeout_ms = self->options->timeout_ms};

    size_t buckets = bucket_count(self->options->queue);
    self->buckets = xcalloc(buckets, sizeof(redis_task_t *));
    self->mask = buckets - 1;
    list_init(&self->tasks);
    list_init(&self->remains);
    list_init(&self->resting);
    list_init(&self->heavy);
    buf_init(&self->scratch, REDIS_ROW_MAX);
    ev_init(&self->tick, on_tick);
    self->tick.repeat = TICK_S;
    self->tick.data = self;
    redis_words_init(self);
    redis_pool_init(&self->pool, &manner, &ops, self);
}

store_t *store_redis_new(const store_options_t *options, struct ev_loop *loop,
                         char *error, size_t error_size)
{
    static const store_ops_t ops = {
        .submit = redis_submit, .end = redis_end, .destroy = redis_destroy};
    store_redis_t *self = xcalloc(1, sizeof *self);

    self->store.ops = &ops;
    self->store.is_shared = true;
    self->options = options;
    self->loop = loop;
    if (redis_url_parse(options->url, &self->url, error, error_size) < 0) {
        goto fail;
    }
    redis_url_name(&self->url, self->name, sizeof self->name);
    if (self->url.has_tls) {
        self->tls = redis_tls_context(&self->url, error, error_size);
        if (self->tls == NULL) {
            goto fail;
        }
    }
    begin(self);
    return &self->store;
fail:
    explicit_bzero(self->url.password, sizeof self->url.password);
    free(self);
    return NULL;
}
