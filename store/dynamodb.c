/* SPDX-License-Identifier: MIT
 *
 * What was submitted waits in the queue until an errand takes it along: one or
 * more calls of the API, one after the other, for one operation, or one call
 * for up to 25 writes.  So many errands are under way at once; when more waits
 * than they can carry, writes go together, which is where the throughput comes
 * from.
 */
#include "store/dynamodb.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "store/dynamodb_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERRANDS_MAX   DYNAMODB_CONNECTIONS
#define HEAVY_MAX     8     /* lists and counts under way, of those errands */
#define HEAVY_MS      60000 /* that one may take, with all its calls */
#define TOGETHER_FROM 16    /* writes that wait: fewer go one by one */
#define PROBE_MS      1000  /* between looks at a store that is down */

static void dispatch(store_dynamodb_t *self);

/* --- the ends of operations ---------------------------------------------- */

static void tell(store_dynamodb_t *self, store_op_t *op, int rc,
                 const store_result_t *result)
{
    if (rc == 0) {
        self->store.stats.store_done++;
    } else {
        self->store.stats.store_failed++;
    }
    op->done(op, rc, rc == 0 ? result : NULL);
}

static void end_task(store_dynamodb_t *self, dynamodb_task_t *task, int rc,
                     const store_result_t *result)
{
    store_op_t *op = task->op;

    dynamodb_queue_end(&self->queue, task);
    self->store.stats.store_pending = self->queue.count;
    tell(self, op, rc, result);
    dynamodb_task_destroy(&task);
}

static void free_errand(dynamodb_errand_t *errand)
{
    list_remove(&errand->linked);
    errand->self->errand_count--;
    errand->self->heavy_count -= errand->is_heavy;
    dynamodb_cancel(&errand->call);
    dynamodb_page_fini(&errand->page);
    free(errand->leases);
    buf_fini(&errand->bytes);
    free(errand);
}

void dynamodb_errand_end(dynamodb_errand_t *errand, int rc,
                         const store_result_t *result)
{
    store_dynamodb_t *self = errand->self;

    for (size_t i = 0; i < errand->task_count; i++) {
        dynamodb_task_t *task = errand->tasks[i];
        bool is_busy = rc == -ETIMEDOUT && task->is_throttled;
        end_task(self, task, is_busy ? -EBUSY : rc, result);
    }
    free_errand(errand);
    if (!self->is_ending) {
        dispatch(self);
    }
}

/* --- up and down --------------------------------------------------------- */

static void start_probing(store_dynamodb_t *self, double after_s)
{
    ev_timer_stop(self->loop, &self->probe_timer);
    ev_timer_set(&self->probe_timer, after_s, 0);
    ev_timer_start(self->loop, &self->probe_timer);
}

static void note_up(store_dynamodb_t *self)
{
    if (self->store.stats.store_up != 0) {
        return;
    }
    self->store.stats.store_up = 1;
    self->is_told_down = false;
    ev_timer_stop(self->loop, &self->probe_timer);
    log_info("STORE-UP", "store=dynamodb://%s", self->url.table);
}

static void note_down(store_dynamodb_t *self, const char *reason)
{
    self->store.stats.store_up = 0;
    if (!self->is_told_down) {
        self->is_told_down = true;
        log_warn("STORE-DOWN", "store=dynamodb://%s reason=\"%s\"",
                 self->url.table, reason);
    }
    if (self->probe == NULL && !ev_is_active(&self->probe_timer)) {
        start_probing(self, PROBE_MS / 1e3);
    }
}

/* What the end of a call says of the store. */
static void note(store_dynamodb_t *self, int rc, const dynamodb_fault_t *fault)
{
    switch (rc) {
    case 0:
    case -ESTALE:
        note_up(self);
        break;
    case -EBUSY: /* it answers, but has no capacity */
    case -ENOMEM:
        break;
    case -EREMOTEIO:
        if (strcmp(fault->type, "ValidationException") == 0) {
            log_braked(&self->brake, LEVEL_WARN, "STORE-REFUSED",
                       "store=dynamodb://%s reason=\"%s\"", self->url.table,
                       fault->message);
            break;
        }
        note_down(self, fault->message);
        break;
    default:
        note_down(self,
                  fault->message[0] != '\0' ? fault->message : strerror(-rc));
    }
}

static void on_probed(void *user, int rc, json_t *answer,
                      const dynamodb_fault_t *fault)
{
    store_dynamodb_t *self = user;
    (void)answer;

    self->probe = NULL;
    note(self, rc, fault);
    if (self->store.stats.store_up == 0) {
        start_probing(self, PROBE_MS / 1e3);
    }
}

/* A read that nobody asked for, of what needs not be there. */
static void on_probe_time(struct ev_loop *loop, ev_timer *timer, int events)
{
    store_dynamodb_t *self = timer->data;
    (void)loop;
    (void)events;

    const dynamodb_request_t request = {
        .action = "GetItem",
        .body = dynamodb_get_body(self->url.table,
                                  dynamodb_lease_key(wire_bytes("probe"))),
        .deadline_ms = clock_mono_ms() + self->options->timeout_ms,
        .done = on_probed,
        .user = self};
    self->probe = dynamodb_start(self->client, &request);
    if (self->probe == NULL) {
        start_probing(self, PROBE_MS / 1e3);
    }
}

/* --- calls --------------------------------------------------------------- */

static void on_call_done(void *user, int rc, json_t *answer,
                         const dynamodb_fault_t *fault);

void dynamodb_errand_call(dynamodb_errand_t *errand, const char *action,
                          json_t *body, json_t *again)
{
    store_dynamodb_t *self = errand->self;
    dynamodb_task_t *first = errand->tasks[0];
    /* Each call of a long list is progress, and has the whole time; but a list
     * without end is not waited for. */
    int64_t now_ms = clock_mono_ms(), last_ms = errand->begun_ms + HEAVY_MS;
    int64_t deadline_ms = errand->calls++ == 0
                              ? first->deadline_ms
                              : now_ms + self->options->timeout_ms;
    const dynamodb_request_t request = {
        .action = action,
        .body = body,
        .again = again,
        .deadline_ms = deadline_ms < last_ms ? deadline_ms : last_ms,
        .done = on_call_done,
        .user = errand};

    errand->call = dynamodb_start(self->client, &request);
    if (errand->call == NULL) {
        dynamodb_errand_end(errand, -ENOMEM, NULL);
    }
}

void dynamodb_store_rest(store_dynamodb_t *self)
{
    if (!ev_is_active(&self->rest)) {
        double pause_s = (double)dynamodb_backoff_ms(++self->throttles) / 1e3;
        ev_now_update(self->loop);
        ev_timer_set(&self->rest, pause_s, 0);
        ev_timer_start(self->loop, &self->rest);
    }
}

/* One of them may be at fault: each for itself then. */
static void send_apart(dynamodb_errand_t *errand)
{
    store_dynamodb_t *self = errand->self;

    for (size_t i = errand->task_count; i > 0; i--) {
        errand->tasks[i - 1]->is_alone = true;
        dynamodb_queue_again(&self->queue, errand->tasks[i - 1]);
    }
    errand->task_count = 0;
    dynamodb_errand_end(errand, 0, NULL);
}

static void on_call_done(void *user, int rc, json_t *answer,
                         const dynamodb_fault_t *fault)
{
    dynamodb_errand_t *errand = user;

    errand->call = NULL;
    if (!errand->is_heavy || rc != -EACCES) {
        note(errand->self, rc, fault); /* the right to Scan is one of its own */
    }
    if (rc == 0) {
        errand->on_answer(errand, answer);
    } else if (rc == -EREMOTEIO && errand->task_count > 1 &&
               strcmp(fault->type, "ValidationException") == 0) {
        send_apart(errand);
    } else {
        dynamodb_errand_end(errand, rc, NULL);
    }
}

/* --- sending ------------------------------------------------------------- */

static dynamodb_errand_t *new_errand(store_dynamodb_t *self)
{
    dynamodb_errand_t *errand = xcalloc(1, sizeof *errand);

    errand->self = self;
    errand->begun_ms = clock_mono_ms();
    buf_init(&errand->bytes, 1);
    list_append(&self->errands, &errand->linked);
    self->errand_count++;
    return errand;
}

static void send_other(dynamodb_errand_t *errand)
{
    switch (errand->tasks[0]->verb) {
    case STORE_GET:
        dynamodb_send_get(errand);
        break;
    case STORE_COUNT:
        dynamodb_send_count(errand);
        break;
    case STORE_KEEP:
        dynamodb_send_keep(errand);
        break;
    case STORE_LEASES:
        dynamodb_send_leases(errand);
        break;
    case STORE_CLAIM:
        dynamodb_send_claim(errand);
        break;
    case STORE_DROP:
        dynamodb_send_drop(errand);
        break;
    default:
        dynamodb_send_list(errand);
    }
}

static bool dispatch_one(store_dynamodb_t *self, dynamodb_task_t *task,
                         bool is_heavy)
{
    if (task == NULL) {
        return false;
    }
    dynamodb_errand_t *errand = new_errand(self);
    errand->tasks[0] = task;
    errand->task_count = 1;
    errand->is_heavy = is_heavy;
    self->heavy_count += is_heavy;
    send_other(errand);
    return true;
}

/* Leases first, since brokers live by them; then what somebody waits for. */
static void dispatch_others(store_dynamodb_t *self)
{
    while (self->errand_count < ERRANDS_MAX &&
           dispatch_one(self, dynamodb_queue_take_other(&self->queue), false)) {
    }
}

/* Never so many that others find no connection. */
static void dispatch_heavy(store_dynamodb_t *self)
{
    while (self->errand_count < ERRANDS_MAX && self->heavy_count < HEAVY_MAX &&
           dispatch_one(self, dynamodb_queue_take_heavy(&self->queue), true)) {
    }
}

static bool next_is_alone(const store_dynamodb_t *self)
{
    list_t *link = list_peek(&self->queue.writes);

    return link != NULL && list_entry(link, dynamodb_task_t, ready)->is_alone;
}

static void dispatch_writes(store_dynamodb_t *self)
{
    dynamodb_errand_t *errand = new_errand(self);
    size_t most =
        self->queue.write_count >= TOGETHER_FROM ? DYNAMODB_TOGETHER_MAX : 1;

    do {
        errand->tasks[errand->task_count++] =
            dynamodb_queue_take_write(&self->queue);
    } while (errand->task_count < most && !errand->tasks[0]->is_alone &&
             self->queue.write_count > 0 && !next_is_alone(self));
    if (errand->task_count == 1) {
        dynamodb_send_write(errand);
    } else {
        dynamodb_send_together(errand);
    }
}

static void set_timer(store_dynamodb_t *self)
{
    const dynamodb_task_t *oldest = dynamodb_queue_oldest(&self->queue);

    if (oldest == NULL || ev_is_active(&self->timer)) {
        return; /* a timer that is too early looks again */
    }
    int64_t left_ms = oldest->deadline_ms - clock_mono_ms();
    ev_timer_set(&self->timer, left_ms > 0 ? (double)left_ms / 1e3 : 0, 0);
    ev_timer_start(self->loop, &self->timer);
}

static void dispatch_all(store_dynamodb_t *self)
{
    dispatch_others(self);
    dispatch_heavy(self);
    while (self->errand_count < ERRANDS_MAX && self->queue.write_count > 0 &&
           !ev_is_active(&self->rest)) {
        dispatch_writes(self);
    }
}

static void dispatch(store_dynamodb_t *self)
{
    if (self->is_dispatching) {
        self->is_due_again = true; /* an errand has ended at once */
        return;
    }
    self->is_dispatching = true;
    do {
        self->is_due_again = false;
        dispatch_all(self);
    } while (self->is_due_again);
    self->is_dispatching = false;
    set_timer(self);
}

static void on_rested(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    dispatch(timer->data);
}

/* What was not even sent in its time will not be. */
static void on_time(struct ev_loop *loop, ev_timer *timer, int events)
{
    store_dynamodb_t *self = timer->data;
    int64_t now_ms = clock_mono_ms();
    dynamodb_task_t *task;
    (void)loop;
    (void)events;

    while ((task = dynamodb_queue_oldest(&self->queue)) != NULL &&
           task->deadline_ms <= now_ms) {
        bool is_throttled = task->is_throttled || self->throttles > 0;
        end_task(self, task, is_throttled ? -EBUSY : -ETIMEDOUT, NULL);
    }
    dispatch(self);
}

/* --- the store ----------------------------------------------------------- */

static bool is_lease_name(wire_bytes_t name)
{
    return name.len > 0 && name.len <= STORE_LEASE_MAX &&
           utf8_is_valid(name.data, name.len);
}

/* 0: it is to be sent.  1: its answer is clear, and empty. */
static int look_at(const store_op_t *op)
{
    switch (op->verb) {
    case STORE_LIST_USER:
    case STORE_LIST_TENANT:
    case STORE_LIST_OWNER:
        if (op->limit < 1 || op->limit > STORE_PAGE_MAX ||
            op->cursor.len > STORE_CURSOR_MAX) {
            return -EINVAL;
        }
        return op->key.len == 0 ? 1 : 0;
    case STORE_OWNERS:
        return 1; /* leases are items of the table, as rows are */
    case STORE_KEEP:
    case STORE_CLAIM:
    case STORE_DROP:
        return is_lease_name(op->key) && op->value.len <= STORE_LEASE_MAX &&
                       op->expected.len <= STORE_LEASE_MAX
                   ? 0
                   : -EINVAL;
    default:
        return op->verb <= STORE_DROP ? 0 : -EINVAL;
    }
}

static void submit(store_t *store, store_op_t *op)
{
    store_dynamodb_t *self = (store_dynamodb_t *)store;
    int rc = self->is_ending ? -ECANCELED : look_at(op);

    if (rc == 0 && self->queue.count >= (size_t)self->options->queue) {
        self->store.stats.store_refused++;
        op->done(op, -ENOBUFS, NULL);
        return;
    }
    if (rc != 0) {
        tell(self, op, rc < 0 ? rc : 0, &(store_result_t){.row_count = 0});
        return;
    }
    dynamodb_task_t *task = dynamodb_task_new(
        op, self->store.now_ms, clock_mono_ms() + self->options->timeout_ms);
    if (task == NULL) {
        tell(self, op, -ENOMEM, NULL);
        return;
    }
    dynamodb_queue_put(&self->queue, task);
    self->store.stats.store_pending = self->queue.count;
}

static void end(store_t *store)
{
    dispatch((store_dynamodb_t *)store);
}

static void destroy(store_t *store)
{
    store_dynamodb_t *self = (store_dynamodb_t *)store;
    dynamodb_task_t *task;

    self->is_ending = true;
    dynamodb_cancel(&self->probe);
    list_foreach_safe(link, &self->errands) {
        dynamodb_errand_t *errand = list_entry(link, dynamodb_errand_t, linked);
        dynamodb_cancel(&errand->call);
        dynamodb_errand_end(errand, -ECANCELED, NULL);
    }
    while ((task = dynamodb_queue_oldest(&self->queue)) != NULL) {
        end_task(self, task, -ECANCELED, NULL);
    }
    dynamodb_queue_fini(&self->queue);
    dynamodb_client_destroy(&self->client);
    ev_timer_stop(self->loop, &self->timer);
    ev_timer_stop(self->loop, &self->rest);
    ev_timer_stop(self->loop, &self->probe_timer);
    free(self);
}

static void init_timer(ev_timer *timer,
                       void (*on)(struct ev_loop *, ev_timer *, int),
                       store_dynamodb_t *self)
{
    ev_init(timer, on);
    timer->data = self;
}

store_t *store_dynamodb_new(const store_options_t *options,
                            struct ev_loop *loop, char *error,
                            size_t error_size)
{
    static const store_ops_t ops = {
        .submit = submit, .end = end, .destroy = destroy};
    store_dynamodb_t *self = xcalloc(1, sizeof *self);

    if (dynamodb_url_parse(options->url, &self->url, error, error_size) < 0) {
        free(self);
        return NULL;
    }
    self->store.ops = &ops;
    self->store.is_shared = true;
    self->options = options;
    self->loop = loop;
    dynamodb_queue_init(&self->queue);
    list_init(&self->errands);
    init_timer(&self->timer, on_time, self);
    init_timer(&self->rest, on_rested, self);
    init_timer(&self->probe_timer, on_probe_time, self);
    self->client = dynamodb_client_new(loop, &self->url, &self->store.stats);
    start_probing(self, 0);
    return &self->store;
}
