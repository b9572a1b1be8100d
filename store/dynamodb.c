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
#include "base/log.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "store/dynamodb_body.h"
#include "store/dynamodb_client.h"
#include "store/dynamodb_page.h"
#include "store/dynamodb_queue.h"
#include "store/dynamodb_value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERRANDS_MAX   DYNAMODB_CONNECTIONS
#define TOGETHER_MAX  25     /* of BatchWriteItem */
#define TOGETHER_FROM 16     /* writes that wait: fewer go one by one */
#define CALLS_MAX     16     /* of a page that does not fill */
#define CALLS_TOP     4096   /* … and that cannot stop where it is */
#define SCAN_MAX      100000 /* items looked at by a call; 1 MB is less */
#define PROBE_MS      1000   /* between looks at a store that is down */

typedef struct {
    store_t store;                  /* first: a store_t is its kind */
    const store_options_t *options; /* borrowed */
    struct ev_loop *loop;           /* borrowed */
    dynamodb_url_t url;
    dynamodb_client_t *client; /* owned */
    dynamodb_queue_t queue;
    list_t errands; /* owned: errand_t */
    size_t errand_count;
    unsigned throttles; /* in a row; writes rest until `rest` is over */
    bool is_told_down;  /* STORE-DOWN was the last that was logged */
    bool is_ending;
    ev_timer timer; /* for the one that waits longest */
    ev_timer rest;
    ev_timer probe_timer;
    dynamodb_call_t *probe; /* NULL: none under way */
    log_brake_t brake;
} store_dynamodb_t;

typedef struct errand errand_t;
typedef void answer_fn(errand_t *errand, json_t *answer);

struct errand {
    list_t linked;
    store_dynamodb_t *self; /* borrowed */
    dynamodb_call_t *call;
    dynamodb_task_t *tasks[TOGETHER_MAX]; /* the queue's */
    size_t task_count;
    answer_fn *on_answer;
    dynamodb_page_t page; /* of a list */
    uint32_t scan;        /* items that the last call looked at */
    unsigned calls;
    uint64_t counted;      /* COUNT */
    store_lease_t *leases; /* LEASES; owned, names and values in bytes */
    size_t lease_count;
    buf_t bytes;
};

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

static void free_errand(errand_t *errand)
{
    list_remove(&errand->linked);
    errand->self->errand_count--;
    dynamodb_cancel(&errand->call);
    dynamodb_page_fini(&errand->page);
    free(errand->leases);
    buf_fini(&errand->bytes);
    free(errand);
}

/* All of its operations end alike. */
static void end_errand(errand_t *errand, int rc, const store_result_t *result)
{
    store_dynamodb_t *self = errand->self;

    for (size_t i = 0; i < errand->task_count; i++) {
        end_task(self, errand->tasks[i], rc, result);
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

/* The next call of the errand; ends it when there is no memory for one. */
static void call(errand_t *errand, const char *action, json_t *body,
                 json_t *again)
{
    store_dynamodb_t *self = errand->self;
    dynamodb_task_t *first = errand->tasks[0];
    /* Each call of a long list is progress, and has the whole time. */
    int64_t deadline_ms = errand->calls++ == 0
                              ? first->deadline_ms
                              : clock_mono_ms() + self->options->timeout_ms;
    const dynamodb_request_t request = {.action = action,
                                        .body = body,
                                        .again = again,
                                        .deadline_ms = deadline_ms,
                                        .done = on_call_done,
                                        .user = errand};

    errand->call = dynamodb_start(self->client, &request);
    if (errand->call == NULL) {
        end_errand(errand, -ENOMEM, NULL);
    }
}

static void rest(store_dynamodb_t *self)
{
    if (!ev_is_active(&self->rest)) {
        double pause_s = (double)dynamodb_backoff_ms(++self->throttles) / 1e3;
        ev_now_update(self->loop);
        ev_timer_set(&self->rest, pause_s, 0);
        ev_timer_start(self->loop, &self->rest);
    }
}

/* One of them may be at fault: each for itself then. */
static void send_apart(errand_t *errand)
{
    store_dynamodb_t *self = errand->self;

    for (size_t i = errand->task_count; i > 0; i--) {
        errand->tasks[i - 1]->is_alone = true;
        dynamodb_queue_again(&self->queue, errand->tasks[i - 1]);
    }
    errand->task_count = 0;
    end_errand(errand, 0, NULL);
}

static void on_call_done(void *user, int rc, json_t *answer,
                         const dynamodb_fault_t *fault)
{
    errand_t *errand = user;

    errand->call = NULL;
    note(errand->self, rc, fault);
    if (rc == 0) {
        errand->on_answer(errand, answer);
    } else if (rc == -EREMOTEIO && errand->task_count > 1 &&
               strcmp(fault->type, "ValidationException") == 0) {
        send_apart(errand);
    } else {
        end_errand(errand, rc, NULL);
    }
}

/* --- rows ---------------------------------------------------------------- */

static void on_written(errand_t *errand, json_t *answer)
{
    const json_t *former = json_object_get(answer, "Attributes");
    store_result_t result = {.was_there = former != NULL &&
                                          dynamodb_expires_ms(former) >
                                              errand->tasks[0]->now_ms};

    errand->self->throttles = 0;
    end_errand(errand, 0, &result);
}

static json_t *item_of(const store_dynamodb_t *self,
                       const dynamodb_task_t *task)
{
    return dynamodb_row(task->record, self->options->writer,
                        self->options->ttl_s, task->now_ms);
}

static void send_write(errand_t *errand)
{
    const store_dynamodb_t *self = errand->self;
    const dynamodb_task_t *task = errand->tasks[0];
    const char *table = self->url.table;

    errand->on_answer = on_written;
    if (task->verb == STORE_SAVE) {
        call(errand, "PutItem", dynamodb_put_body(table, item_of(self, task)),
             NULL);
    } else {
        call(errand, "DeleteItem",
             dynamodb_delete_body(table, dynamodb_row_key(&task->id)), NULL);
    }
}

static void on_got(errand_t *errand, json_t *answer)
{
    const json_t *item = json_object_get(answer, "Item");
    dynamodb_row_t row;

    int rc = item == NULL ? -ENOENT : dynamodb_row_read(item, &row);
    if (rc < 0) {
        end_errand(errand, rc, NULL);
        return;
    }
    if (row.row.expires_ms <= errand->tasks[0]->now_ms) {
        dynamodb_row_fini(&row);
        end_errand(errand, -ENOENT, NULL);
        return;
    }
    store_result_t result = {.rows = &row.row, .row_count = 1};
    end_errand(errand, 0, &result);
    buf_fini(&row.bytes);
}

static void send_get(errand_t *errand)
{
    errand->on_answer = on_got;
    call(errand, "GetItem",
         dynamodb_get_body(errand->self->url.table,
                           dynamodb_row_key(&errand->tasks[0]->id)),
         NULL);
}

/* --- rows together ------------------------------------------------------- */

/* Is it among those that the service had no capacity for? */
static bool is_left(const json_t *left, const dynamodb_task_t *task)
{
    bool is_save = task->verb == STORE_SAVE;
    json_t *pk = dynamodb_pk(&task->id);
    bool is_found = false;
    size_t i;
    json_t *one;

    json_array_foreach(left, i, one)
    {
        const json_t *key = json_object_get(
            json_object_get(one, is_save ? "PutRequest" : "DeleteRequest"),
            is_save ? "Item" : "Key");
        if (pk != NULL &&
            wire_equal(dynamodb_text_of(json_object_get(key, "pk")),
                       dynamodb_text_of(pk))) {
            is_found = true;
            break;
        }
    }
    json_decref(pk);
    return is_found;
}

/* Those that are left wait again, in front; the others are done. */
static void on_written_together(errand_t *errand, json_t *answer)
{
    store_dynamodb_t *self = errand->self;
    const json_t *left = json_object_get(
        json_object_get(answer, "UnprocessedItems"), self->url.table);
    size_t done = 0;

    if (json_array_size(left) > 0) {
        self->store.stats.store_retries++;
        rest(self);
    } else {
        self->throttles = 0;
    }
    for (size_t i = 0; i < errand->task_count; i++) {
        dynamodb_task_t *task = errand->tasks[i];
        if (json_array_size(left) > 0 && is_left(left, task)) {
            task->is_throttled = true;
            dynamodb_queue_again(&self->queue, task);
        } else {
            errand->tasks[done++] = task;
        }
    }
    errand->task_count = done;
    end_errand(errand, 0, &(store_result_t){.was_there = false});
}

static void send_together(errand_t *errand)
{
    const store_dynamodb_t *self = errand->self;
    const char *table = self->url.table;
    json_t *body = dynamodb_batch_body(table);

    errand->on_answer = on_written_together;
    for (size_t i = 0; i < errand->task_count && body != NULL; i++) {
        const dynamodb_task_t *task = errand->tasks[i];
        bool is_put = task->verb == STORE_SAVE
                          ? dynamodb_batch_put(body, table, item_of(self, task))
                          : dynamodb_batch_delete(body, table,
                                                  dynamodb_row_key(&task->id));
        if (!is_put) {
            json_decref(body);
            body = NULL;
        }
    }
    call(errand, "BatchWriteItem", body, NULL);
}

/* --- lists --------------------------------------------------------------- */

typedef struct {
    const char *index, *field;
    json_t *(*key)(wire_bytes_t text);
} index_t;

static const index_t of_user = {"gsi1", "user", dynamodb_user_key};
static const index_t of_tenant = {"gsi2", "tenant", dynamodb_tenant_key};

/* NULL: of an owner. */
static const index_t *index_of(const dynamodb_task_t *task)
{
    return task->verb == STORE_LIST_USER     ? &of_user
           : task->verb == STORE_LIST_TENANT ? &of_tenant
                                             : NULL;
}

static json_t *first_start(const dynamodb_task_t *task)
{
    const index_t *index = index_of(task);

    return index == NULL
               ? dynamodb_owner_start(task->cursor)
               : dynamodb_index_start(index->index, index->key(task->key),
                                      task->cursor);
}

static void end_page(errand_t *errand)
{
    const dynamodb_page_t *page = &errand->page;
    store_row_t *rows = calloc(page->count + 1, sizeof *rows);

    if (rows == NULL) {
        end_errand(errand, -ENOMEM, NULL);
        return;
    }
    for (size_t i = 0; i < page->count; i++) {
        rows[i] = page->rows[i].row;
    }
    store_result_t result = {
        .rows = rows,
        .row_count = page->count,
        .cursor = {(const uint8_t *)page->cursor, page->cursor_len}};
    end_errand(errand, 0, &result);
    free(rows);
}

/* Rows that an owner has among many others are looked for in ever larger
 * steps; a dense list costs little more than its rows. */
static uint32_t next_scan(errand_t *errand, uint32_t wanted)
{
    uint32_t scan = errand->scan == 0 ? wanted : errand->scan * 4;

    errand->scan = scan < SCAN_MAX ? scan : SCAN_MAX;
    return errand->scan;
}

static void call_for_page(errand_t *errand, json_t *start)
{
    const dynamodb_task_t *task = errand->tasks[0];
    const index_t *index = index_of(task);
    const char *table = errand->self->url.table;
    uint32_t wanted = task->limit - (uint32_t)errand->page.count;

    if (index == NULL) {
        call(errand, "Scan",
             dynamodb_owner_body(table, task->key, next_scan(errand, wanted),
                                 start),
             NULL);
    } else {
        call(errand, "Query",
             dynamodb_index_body(table, index->index, index->key(task->key),
                                 wanted, start),
             NULL);
    }
}

static void on_page(errand_t *errand, json_t *answer)
{
    const dynamodb_task_t *task = errand->tasks[0];
    const index_t *index = index_of(task);
    dynamodb_page_t *page = &errand->page;

    int rc = dynamodb_page_take(page, answer,
                                index == NULL ? NULL : index->field, task->key);
    if (rc < 0 || errand->calls >= CALLS_TOP) {
        end_errand(errand, rc < 0 ? rc : -EPROTO, NULL);
    } else if (page->next == NULL || dynamodb_page_is_full(page) ||
               (errand->calls >= CALLS_MAX && dynamodb_page_stop(page))) {
        end_page(errand);
    } else {
        call_for_page(errand, json_incref(page->next));
    }
}

static void send_list(errand_t *errand)
{
    const dynamodb_task_t *task = errand->tasks[0];
    json_t *start = task->cursor.len > 0 ? first_start(task) : NULL;

    dynamodb_page_init(&errand->page, task->limit, task->now_ms,
                       index_of(task) != NULL);
    errand->on_answer = on_page;
    if (task->cursor.len > 0 && start == NULL) {
        end_errand(errand, -EINVAL, NULL);
    } else {
        call_for_page(errand, start);
    }
}

/* --- count --------------------------------------------------------------- */

static void on_counted(errand_t *errand, json_t *answer)
{
    const json_t *count = json_object_get(answer, "Count");
    json_t *next = json_object_get(answer, "LastEvaluatedKey");
    const dynamodb_task_t *task = errand->tasks[0];

    if (!json_is_integer(count) || json_integer_value(count) < 0) {
        end_errand(errand, -EPROTO, NULL);
        return;
    }
    errand->counted += (uint64_t)json_integer_value(count);
    if (next != NULL) {
        call(errand, "Scan",
             dynamodb_count_body(errand->self->url.table, task->now_ms / 1000,
                                 json_incref(next)),
             NULL);
        return;
    }
    end_errand(errand, 0, &(store_result_t){.count = errand->counted});
}

static void send_count(errand_t *errand)
{
    errand->on_answer = on_counted;
    call(errand, "Scan",
         dynamodb_count_body(errand->self->url.table,
                             errand->tasks[0]->now_ms / 1000, NULL),
         NULL);
}

/* --- leases -------------------------------------------------------------- */

static void on_kept(errand_t *errand, json_t *answer)
{
    store_result_t result = {.was_there =
                                 json_object_get(answer, "Attributes") != NULL};

    end_errand(errand, 0, &result);
}

static void send_keep(errand_t *errand)
{
    const dynamodb_task_t *task = errand->tasks[0];

    errand->on_answer = on_kept;
    call(errand, "PutItem",
         dynamodb_put_body(errand->self->url.table,
                           dynamodb_lease(task->key, task->value)),
         NULL);
}

static void send_claim(errand_t *errand)
{
    const dynamodb_task_t *task = errand->tasks[0];
    const char *table = errand->self->url.table;

    errand->on_answer = on_kept;
    call(errand, "PutItem",
         dynamodb_claim_body(table, task->key, task->expected, task->value,
                             false),
         dynamodb_claim_body(table, task->key, task->expected, task->value,
                             true));
}

static void send_drop(errand_t *errand)
{
    const dynamodb_task_t *task = errand->tasks[0];
    const char *table = errand->self->url.table;

    errand->on_answer = on_kept;
    call(errand, "DeleteItem",
         dynamodb_drop_body(table, task->key, task->expected, false),
         dynamodb_drop_body(table, task->key, task->expected, true));
}

/* Lengths first: the bytes may move while more come in. */
static int take_lease(errand_t *errand, const json_t *item)
{
    store_lease_t *lease = &errand->leases[errand->lease_count];

    int rc = dynamodb_lease_read(item, &errand->bytes, &lease->name.len,
                                 &lease->value.len);
    if (rc == 0) {
        errand->lease_count++;
    }
    return rc == -ENOMEM ? rc : 0;
}

static int take_leases(errand_t *errand, const json_t *items)
{
    size_t i;
    json_t *item;
    int rc = 0;

    if (errand->leases == NULL) {
        errand->leases = calloc(STORE_LEASES_MAX, sizeof *errand->leases);
        buf_init(&errand->bytes,
                 (size_t)STORE_LEASES_MAX * 2 * STORE_LEASE_MAX);
    }
    if (errand->leases == NULL) {
        return -ENOMEM;
    }
    json_array_foreach(items, i, item)
    {
        if (rc == 0 && errand->lease_count < STORE_LEASES_MAX) {
            rc = take_lease(errand, item);
        }
    }
    return rc;
}

static void end_leases(errand_t *errand)
{
    const uint8_t *at = errand->bytes.data;

    for (size_t i = 0; i < errand->lease_count; i++) {
        store_lease_t *lease = &errand->leases[i];
        lease->name.data = at;
        lease->value.data = at + lease->name.len;
        at += lease->name.len + lease->value.len;
    }
    store_result_t result = {.leases = errand->leases,
                             .lease_count = errand->lease_count};
    end_errand(errand, 0, &result);
}

static void on_leases(errand_t *errand, json_t *answer)
{
    const json_t *items = json_object_get(answer, "Items");
    json_t *next = json_object_get(answer, "LastEvaluatedKey");
    int rc = json_is_array(items) ? take_leases(errand, items) : -EPROTO;

    if (rc < 0) {
        end_errand(errand, rc, NULL);
    } else if (next != NULL && errand->lease_count < STORE_LEASES_MAX) {
        call(errand, "Query",
             dynamodb_leases_body(errand->self->url.table, json_incref(next)),
             NULL);
    } else {
        end_leases(errand);
    }
}

static void send_leases(errand_t *errand)
{
    errand->on_answer = on_leases;
    call(errand, "Query", dynamodb_leases_body(errand->self->url.table, NULL),
         NULL);
}

/* --- sending ------------------------------------------------------------- */

static errand_t *new_errand(store_dynamodb_t *self)
{
    errand_t *errand = xcalloc(1, sizeof *errand);

    errand->self = self;
    buf_init(&errand->bytes, 1);
    list_append(&self->errands, &errand->linked);
    self->errand_count++;
    return errand;
}

static void send_other(errand_t *errand)
{
    switch (errand->tasks[0]->verb) {
    case STORE_GET:
        send_get(errand);
        break;
    case STORE_COUNT:
        send_count(errand);
        break;
    case STORE_KEEP:
        send_keep(errand);
        break;
    case STORE_LEASES:
        send_leases(errand);
        break;
    case STORE_CLAIM:
        send_claim(errand);
        break;
    case STORE_DROP:
        send_drop(errand);
        break;
    default:
        send_list(errand);
    }
}

static void dispatch_other(store_dynamodb_t *self)
{
    errand_t *errand = new_errand(self);

    errand->tasks[0] = dynamodb_queue_take_other(&self->queue);
    errand->task_count = 1;
    send_other(errand);
}

static bool next_is_alone(const store_dynamodb_t *self)
{
    list_t *link = list_peek(&self->queue.writes);

    return link != NULL && list_entry(link, dynamodb_task_t, ready)->is_alone;
}

static void dispatch_writes(store_dynamodb_t *self)
{
    errand_t *errand = new_errand(self);
    size_t most = self->queue.write_count >= TOGETHER_FROM ? TOGETHER_MAX : 1;

    do {
        errand->tasks[errand->task_count++] =
            dynamodb_queue_take_write(&self->queue);
    } while (errand->task_count < most && !errand->tasks[0]->is_alone &&
             self->queue.write_count > 0 && !next_is_alone(self));
    if (errand->task_count == 1) {
        send_write(errand);
    } else {
        send_together(errand);
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

static void dispatch(store_dynamodb_t *self)
{
    while (self->errand_count < ERRANDS_MAX &&
           !list_is_empty(&self->queue.others)) {
        dispatch_other(self);
    }
    while (self->errand_count < ERRANDS_MAX && self->queue.write_count > 0 &&
           !ev_is_active(&self->rest)) {
        dispatch_writes(self);
    }
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
        errand_t *errand = list_entry(link, errand_t, linked);
        dynamodb_cancel(&errand->call);
        end_errand(errand, -ECANCELED, NULL);
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
