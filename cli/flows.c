/* SPDX-License-Identifier: MIT */
#include "cli/flows.h"

#include "base/xalloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 65536

static flow_row_t *find(const flows_t *self, const json_t *key)
{
    for (size_t i = 0; i < self->count; i++) {
        if (json_equal(self->rows[i].key, key)) {
            return &self->rows[i];
        }
    }
    return NULL;
}

const flow_row_t *flows_find(const flows_t *self, const json_t *key)
{
    return find(self, key);
}

static flow_row_t *find_or_add(flows_t *self, json_t *key)
{
    flow_row_t *row = find(self, key);

    if (row != NULL) {
        return row;
    }
    if (self->count == self->cap) {
        self->cap = self->cap == 0 ? 16 : self->cap * 2;
        self->rows = realloc(self->rows, self->cap * sizeof *self->rows);
        must(self->rows != NULL);
    }
    row = &self->rows[self->count++];
    memset(row, 0, sizeof *row);
    row->key = json_incref(key);
    return row;
}

static void add_histogram(histogram_t *to, const json_t *told)
{
    json_t *buckets = json_object_get(told, "buckets");

    to->sum += ask_number(told, "sum_us");
    for (size_t i = 0; i < json_array_size(buckets); i++) {
        json_t *bucket = json_array_get(buckets, i);
        json_int_t index = json_integer_value(json_array_get(bucket, 0));
        json_int_t count = json_integer_value(json_array_get(bucket, 1));
        if (index >= 0 && index < HISTOGRAM_BUCKETS && count > 0) {
            to->bucket[index] += (uint64_t)count;
            to->count += (uint64_t)count;
        }
    }
}

static void on_row(void *user, const char *address, json_t *told)
{
    json_t *key = json_object_get(told, "route");
    (void)address;

    if (!json_is_string(key)) {
        return;
    }
    flow_row_t *row = find_or_add(user, key);
    row->workers += ask_number(told, "workers");
    row->is_unordered |= ask_flag(told, "unordered");
#define X(name) row->name += ask_number(told, #name);
    FLOW_COUNTS(X)
#undef X
    add_histogram(&row->wait, json_object_get(told, "wait"));
    add_histogram(&row->handler, json_object_get(told, "handler"));
}

static int by_key(const void *a, const void *b)
{
    const flow_row_t *left = a, *right = b;

    return strcmp(json_string_value(left->key), json_string_value(right->key));
}

size_t flows_fetch(flows_t *self, const asked_t *asked,
                   char problem[ASK_PROBLEM_MAX])
{
    char why[ASK_PROBLEM_MAX];
    const ask_list_t list = {.path = "/routes?buckets=1",
                             .actor = "broker",
                             .member = "routes",
                             .limit = ROWS_MAX,
                             .row = on_row,
                             .user = self};
    size_t answered = 0;

    *self = (flows_t){.count = 0};
    problem[0] = '\0';
    for (size_t i = 0; i < asked->count; i++) {
        int rc = ask_pages(asked->address[i], &list, why);
        answered += rc >= 0;
        if (rc == -EIO) {
            snprintf(problem, ASK_PROBLEM_MAX, "%.60s: %.180s",
                     asked->address[i], why);
        }
    }
    if (self->count > 0) {
        qsort(self->rows, self->count, sizeof *self->rows, by_key);
    }
    return answered;
}

void flows_fini(flows_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        json_decref(self->rows[i].key);
    }
    free(self->rows);
    *self = (flows_t){.count = 0};
}

static json_t *histogram_json(const histogram_t *histogram)
{
    json_t *told = json_object();

    json_object_set_new(told, "count",
                        json_integer((json_int_t)histogram->count));
    json_object_set_new(told, "sum_us",
                        json_integer((json_int_t)histogram->sum));
    static const struct {
        const char *key;
        double share;
    } shares[] = {
        {"p50_us", 0.5}, {"p90_us", 0.9}, {"p99_us", 0.99}, {"max_us", 1}};
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        json_object_set_new(
            told, shares[i].key,
            json_integer((json_int_t)histogram_at(histogram, shares[i].share)));
    }
    return told;
}

static json_t *row_json(const flow_row_t *row)
{
    json_t *told = json_object();

    json_object_set(told, "route", row->key);
    json_object_set_new(told, "workers",
                        json_integer((json_int_t)row->workers));
    json_object_set_new(told, "unordered", json_boolean(row->is_unordered));
#define X(name)                                                                \
    json_object_set_new(told, #name, json_integer((json_int_t)row->name));
    FLOW_COUNTS(X)
#undef X
    json_object_set_new(told, "wait", histogram_json(&row->wait));
    json_object_set_new(told, "handler", histogram_json(&row->handler));
    return told;
}

json_t *flows_json(const flows_t *self)
{
    json_t *rows = json_array();

    for (size_t i = 0; i < self->count; i++) {
        json_array_append_new(rows, row_json(&self->rows[i]));
    }
    return rows;
}
