/* SPDX-License-Identifier: MIT */
#include "store/dynamodb_store.h"
#include "store/dynamodb_value.h"

#include <errno.h>

/* --- one row ------------------------------------------------------------- */

static void on_written(dynamodb_errand_t *errand, json_t *answer)
{
    const json_t *former = json_object_get(answer, "Attributes");
    store_result_t result = {.was_there = former != NULL &&
                                          dynamodb_expires_ms(former) >
                                              errand->tasks[0]->now_ms};

    errand->self->throttles = 0;
    dynamodb_errand_end(errand, 0, &result);
}

static json_t *item_of(const store_dynamodb_t *self,
                       const dynamodb_task_t *task)
{
    return dynamodb_row(task->record, self->options->writer,
                        self->options->ttl_s, task->now_ms);
}

void dynamodb_send_write(dynamodb_errand_t *errand)
{
    const store_dynamodb_t *self = errand->self;
    const dynamodb_task_t *task = errand->tasks[0];
    const char *table = self->url.table;

    errand->on_answer = on_written;
    if (task->verb == STORE_SAVE) {
        dynamodb_errand_call(errand, "PutItem",
                             dynamodb_put_body(table, item_of(self, task)),
                             NULL);
    } else {
        dynamodb_errand_call(
            errand, "DeleteItem",
            dynamodb_delete_body(table, dynamodb_row_key(&task->id)), NULL);
    }
}

static void on_got(dynamodb_errand_t *errand, json_t *answer)
{
    const json_t *item = json_object_get(answer, "Item");
    dynamodb_row_t row;

    int rc = item == NULL ? -ENOENT : dynamodb_row_read(item, &row);
    if (rc < 0) {
        dynamodb_errand_end(errand, rc, NULL);
        return;
    }
    if (row.row.expires_ms <= errand->tasks[0]->now_ms) {
        dynamodb_row_fini(&row);
        dynamodb_errand_end(errand, -ENOENT, NULL);
        return;
    }
    store_result_t result = {.rows = &row.row, .row_count = 1};
    dynamodb_errand_end(errand, 0, &result);
    buf_fini(&row.bytes);
}

void dynamodb_send_get(dynamodb_errand_t *errand)
{
    errand->on_answer = on_got;
    dynamodb_errand_call(
        errand, "GetItem",
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
static void on_written_together(dynamodb_errand_t *errand, json_t *answer)
{
    store_dynamodb_t *self = errand->self;
    const json_t *left = json_object_get(
        json_object_get(answer, "UnprocessedItems"), self->url.table);
    size_t done = 0;

    if (json_array_size(left) > 0) {
        self->store.stats.store_retries++;
        dynamodb_store_rest(self);
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
    dynamodb_errand_end(errand, 0, &(store_result_t){.was_there = false});
}

void dynamodb_send_together(dynamodb_errand_t *errand)
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
    dynamodb_errand_call(errand, "BatchWriteItem", body, NULL);
}
