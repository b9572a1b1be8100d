/* SPDX-License-Identifier: MIT */
#include "store/dynamodb_queue.h"

#include "base/hash.h"
#include "base/xalloc.h"

#include <stdlib.h>
#include <string.h>

/* --- tasks --------------------------------------------------------------- */

static wire_bytes_t copy(uint8_t **at, wire_bytes_t from)
{
    wire_bytes_t to = {*at, from.len};

    if (from.len > 0) {
        memcpy(*at, from.data, from.len);
        *at += from.len;
    }
    return to;
}

static bool is_of_a_row(store_verb_t verb)
{
    return verb == STORE_SAVE || verb == STORE_REMOVE || verb == STORE_GET;
}

static bool is_write(store_verb_t verb)
{
    return verb == STORE_SAVE || verb == STORE_REMOVE;
}

dynamodb_task_t *dynamodb_task_new(store_op_t *op, int64_t now_ms,
                                   int64_t deadline_ms)
{
    size_t len =
        op->key.len + op->cursor.len + op->value.len + op->expected.len;
    dynamodb_task_t *task = calloc(1, sizeof *task + len);

    if (task == NULL) {
        return NULL;
    }
    uint8_t *at = task->bytes;
    task->op = op;
    task->verb = op->verb;
    task->id = is_write(op->verb) ? op->record->id : op->id;
    task->record = op->verb == STORE_SAVE ? record_hold(op->record) : NULL;
    task->now_ms = now_ms;
    task->deadline_ms = deadline_ms;
    task->limit = op->limit;
    task->key = copy(&at, op->key);
    task->cursor = copy(&at, op->cursor);
    task->value = copy(&at, op->value);
    task->expected = copy(&at, op->expected);
    list_init(&task->chained);
    list_init(&task->ready);
    list_init(&task->waiting);
    return task;
}

void dynamodb_task_destroy(dynamodb_task_t **task_p)
{
    if (*task_p != NULL) {
        record_drop((*task_p)->record);
        free(*task_p);
        *task_p = NULL;
    }
}

/* --- order --------------------------------------------------------------- */

static list_t *bucket_of(const dynamodb_queue_t *self, const conn_id_t *id)
{
    uint32_t key[3] = {id->loop, id->slot,
                       (uint32_t)id->generation ^ id->random};

    return &self->buckets[hash_bytes(key, sizeof key) & (DYNAMODB_BUCKETS - 1)];
}

/* The first task on this connection; NULL: none. */
static dynamodb_task_t *first_of(const dynamodb_queue_t *self,
                                 const conn_id_t *id)
{
    list_t *bucket = bucket_of(self, id);

    list_foreach(link, bucket) {
        dynamodb_task_t *task = list_entry(link, dynamodb_task_t, chained);
        if (conn_id_equal(&task->id, id)) {
            return task;
        }
    }
    return NULL;
}

static bool is_heavy(store_verb_t verb)
{
    return verb == STORE_LIST_USER || verb == STORE_LIST_TENANT ||
           verb == STORE_LIST_OWNER || verb == STORE_COUNT;
}

static void make_ready(dynamodb_queue_t *self, dynamodb_task_t *task)
{
    if (is_write(task->verb)) {
        list_append(&self->writes, &task->ready);
        self->write_count++;
    } else if (is_heavy(task->verb)) {
        list_append(&self->heavy, &task->ready);
    } else {
        list_append(task->verb == STORE_GET ? &self->gets : &self->leases,
                    &task->ready);
    }
}

static void leave(dynamodb_queue_t *self, dynamodb_task_t *task)
{
    if (is_write(task->verb) && !list_is_empty(&task->ready)) {
        self->write_count--;
    }
    list_remove(&task->ready);
    list_remove(&task->waiting);
}

/* --- public -------------------------------------------------------------- */

void dynamodb_queue_init(dynamodb_queue_t *self)
{
    *self = (dynamodb_queue_t){
        .buckets = xcalloc(DYNAMODB_BUCKETS, sizeof *self->buckets)};
    for (size_t i = 0; i < DYNAMODB_BUCKETS; i++) {
        list_init(&self->buckets[i]);
    }
    list_init(&self->writes);
    list_init(&self->leases);
    list_init(&self->gets);
    list_init(&self->heavy);
    list_init(&self->waiting);
}

void dynamodb_queue_fini(dynamodb_queue_t *self)
{
    must(self->count == 0);
    free(self->buckets);
}

void dynamodb_queue_put(dynamodb_queue_t *self, dynamodb_task_t *task)
{
    bool is_first = true;

    if (is_of_a_row(task->verb)) {
        is_first = first_of(self, &task->id) == NULL;
        list_append(bucket_of(self, &task->id), &task->chained);
    }
    if (is_first) {
        make_ready(self, task);
    }
    list_append(&self->waiting, &task->waiting);
    self->count++;
}

static dynamodb_task_t *take(dynamodb_queue_t *self, const list_t *from)
{
    list_t *link = list_peek(from);

    if (link == NULL) {
        return NULL;
    }
    dynamodb_task_t *task = list_entry(link, dynamodb_task_t, ready);
    leave(self, task);
    return task;
}

dynamodb_task_t *dynamodb_queue_take_write(dynamodb_queue_t *self)
{
    return take(self, &self->writes);
}

dynamodb_task_t *dynamodb_queue_take_other(dynamodb_queue_t *self)
{
    dynamodb_task_t *task = take(self, &self->leases);

    return task != NULL ? task : take(self, &self->gets);
}

dynamodb_task_t *dynamodb_queue_take_heavy(dynamodb_queue_t *self)
{
    return take(self, &self->heavy);
}

void dynamodb_queue_again(dynamodb_queue_t *self, dynamodb_task_t *task)
{
    list_prepend(&self->writes, &task->ready);
    list_prepend(&self->waiting, &task->waiting);
    self->write_count++;
}

dynamodb_task_t *dynamodb_queue_oldest(const dynamodb_queue_t *self)
{
    list_t *link = list_peek(&self->waiting);

    return link == NULL ? NULL : list_entry(link, dynamodb_task_t, waiting);
}

void dynamodb_queue_end(dynamodb_queue_t *self, dynamodb_task_t *task)
{
    bool is_chained = is_of_a_row(task->verb);
    bool was_first = is_chained && first_of(self, &task->id) == task;

    leave(self, task);
    list_remove(&task->chained);
    self->count--;
    dynamodb_task_t *next = was_first ? first_of(self, &task->id) : NULL;
    if (next != NULL) {
        make_ready(self, next);
    }
}
