/* SPDX-License-Identifier: MIT */
#include "store/dynamodb_store.h"

#include <errno.h>
#include <stdlib.h>

#define CALLS_MAX 16     /* of a page that does not fill */
#define CALLS_TOP 4096   /* … and that cannot stop where it is */
#define SCAN_MAX  100000 /* items looked at by a call; 1 MB is less */

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

static void end_page(dynamodb_errand_t *errand)
{
    const dynamodb_page_t *page = &errand->page;
    store_row_t *rows = calloc(page->count + 1, sizeof *rows);

    if (rows == NULL) {
        dynamodb_errand_end(errand, -ENOMEM, NULL);
        return;
    }
    for (size_t i = 0; i < page->count; i++) {
        rows[i] = page->rows[i].row;
    }
    store_result_t result = {
        .rows = rows,
        .row_count = page->count,
        .cursor = {(const uint8_t *)page->cursor, page->cursor_len}};
    dynamodb_errand_end(errand, 0, &result);
    free(rows);
}

/* Rows that an owner has among many others are looked for in ever larger
 * steps; a dense list costs little more than its rows. */
static uint32_t next_scan(dynamodb_errand_t *errand, uint32_t wanted)
{
    uint32_t scan = errand->scan == 0 ? wanted : errand->scan * 4;

    errand->scan = scan < SCAN_MAX ? scan : SCAN_MAX;
    return errand->scan;
}

static void call_for_page(dynamodb_errand_t *errand, json_t *start)
{
    const dynamodb_task_t *task = errand->tasks[0];
    const index_t *index = index_of(task);
    const char *table = errand->self->url.table;
    uint32_t wanted = task->limit - (uint32_t)errand->page.count;

    if (index == NULL) {
        dynamodb_errand_call(errand, "Scan",
                             dynamodb_owner_body(table, task->key,
                                                 next_scan(errand, wanted),
                                                 start),
                             NULL);
    } else {
        dynamodb_errand_call(errand, "Query",
                             dynamodb_index_body(table, index->index,
                                                 index->key(task->key), wanted,
                                                 start),
                             NULL);
    }
}

static void on_page(dynamodb_errand_t *errand, json_t *answer)
{
    const dynamodb_task_t *task = errand->tasks[0];
    const index_t *index = index_of(task);
    dynamodb_page_t *page = &errand->page;

    int rc = dynamodb_page_take(page, answer,
                                index == NULL ? NULL : index->field, task->key);
    if (rc < 0 || errand->calls >= CALLS_TOP) {
        dynamodb_errand_end(errand, rc < 0 ? rc : -EPROTO, NULL);
    } else if (page->next == NULL || dynamodb_page_is_full(page) ||
               (errand->calls >= CALLS_MAX && dynamodb_page_stop(page))) {
        end_page(errand);
    } else {
        call_for_page(errand, json_incref(page->next));
    }
}

void dynamodb_send_list(dynamodb_errand_t *errand)
{
    const dynamodb_task_t *task = errand->tasks[0];
    json_t *start = task->cursor.len > 0 ? first_start(task) : NULL;

    dynamodb_page_init(&errand->page, task->limit, task->now_ms,
                       index_of(task) != NULL);
    errand->on_answer = on_page;
    if (task->cursor.len > 0 && start == NULL) {
        dynamodb_errand_end(errand, -EINVAL, NULL);
    } else {
        call_for_page(errand, start);
    }
}

/* --- count --------------------------------------------------------------- */

static void on_counted(dynamodb_errand_t *errand, json_t *answer)
{
    const json_t *count = json_object_get(answer, "Count");
    json_t *next = json_object_get(answer, "LastEvaluatedKey");
    const dynamodb_task_t *task = errand->tasks[0];

    if (!json_is_integer(count) || json_integer_value(count) < 0) {
        dynamodb_errand_end(errand, -EPROTO, NULL);
        return;
    }
    errand->counted += (uint64_t)json_integer_value(count);
    if (next != NULL) {
        dynamodb_errand_call(errand, "Scan",
                             dynamodb_count_body(errand->self->url.table,
                                                 task->now_ms / 1000,
                                                 json_incref(next)),
                             NULL);
        return;
    }
    dynamodb_errand_end(errand, 0, &(store_result_t){.count = errand->counted});
}

void dynamodb_send_count(dynamodb_errand_t *errand)
{
    errand->on_answer = on_counted;
    dynamodb_errand_call(errand, "Scan",
                         dynamodb_count_body(errand->self->url.table,
                                             errand->tasks[0]->now_ms / 1000,
                                             NULL),
                         NULL);
}
