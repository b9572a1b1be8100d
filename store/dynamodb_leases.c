/* SPDX-License-Identifier: MIT */
#include "store/dynamodb_store.h"

#include <errno.h>
#include <stdlib.h>

static void on_kept(dynamodb_errand_t *errand, json_t *answer)
{
    store_result_t result = {.was_there =
                                 json_object_get(answer, "Attributes") != NULL};

    dynamodb_errand_end(errand, 0, &result);
}

void dynamodb_send_keep(dynamodb_errand_t *errand)
{
    const dynamodb_task_t *task = errand->tasks[0];

    errand->on_answer = on_kept;
    dynamodb_errand_call(
        errand, "PutItem",
        dynamodb_put_body(errand->self->url.table,
                          dynamodb_lease(task->key, task->value)),
        NULL);
}

void dynamodb_send_claim(dynamodb_errand_t *errand)
{
    const dynamodb_task_t *task = errand->tasks[0];
    const char *table = errand->self->url.table;

    errand->on_answer = on_kept;
    dynamodb_errand_call(errand, "PutItem",
                         dynamodb_claim_body(table, task->key, task->expected,
                                             task->value, false),
                         dynamodb_claim_body(table, task->key, task->expected,
                                             task->value, true));
}

void dynamodb_send_drop(dynamodb_errand_t *errand)
{
    const dynamodb_task_t *task = errand->tasks[0];
    const char *table = errand->self->url.table;

    errand->on_answer = on_kept;
    dynamodb_errand_call(
        errand, "DeleteItem",
        dynamodb_drop_body(table, task->key, task->expected, false),
        dynamodb_drop_body(table, task->key, task->expected, true));
}

/* Lengths first: the bytes may move while more come in. */
static int take_lease(dynamodb_errand_t *errand, const json_t *item)
{
    store_lease_t *lease = &errand->leases[errand->lease_count];

    int rc = dynamodb_lease_read(item, &errand->bytes, &lease->name.len,
                                 &lease->value.len);
    if (rc == 0) {
        errand->lease_count++;
    }
    return rc == -ENOMEM ? rc : 0;
}

static int take_leases(dynamodb_errand_t *errand, const json_t *items)
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

static void end_leases(dynamodb_errand_t *errand)
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
    dynamodb_errand_end(errand, 0, &result);
}

static void on_leases(dynamodb_errand_t *errand, json_t *answer)
{
    const json_t *items = json_object_get(answer, "Items");
    json_t *next = json_object_get(answer, "LastEvaluatedKey");
    int rc = json_is_array(items) ? take_leases(errand, items) : -EPROTO;

    if (rc < 0) {
        dynamodb_errand_end(errand, rc, NULL);
    } else if (next != NULL && errand->lease_count < STORE_LEASES_MAX) {
        dynamodb_errand_call(
            errand, "Query",
            dynamodb_leases_body(errand->self->url.table, json_incref(next)),
            NULL);
    } else {
        end_leases(errand);
    }
}

void dynamodb_send_leases(dynamodb_errand_t *errand)
{
    errand->on_answer = on_leases;
    dynamodb_errand_call(errand, "Query",
                         dynamodb_leases_body(errand->self->url.table, NULL),
                         NULL);
}
