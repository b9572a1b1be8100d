/* SPDX-License-Identifier: MIT */
#include "tests/model_store.h"

#include "base/xalloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An operation that waits, with what its caller only lent. */
typedef struct {
    list_t linked;
    store_op_t op;
    store_op_t *outer; /* borrowed: the caller's */
    record_t *record;  /* one reference */
    uint8_t bytes[];   /* key, cursor, value, expected */
} held_op_t;

/* --- the table ----------------------------------------------------------- */

void model_table_init(model_table_t *self)
{
    store_options_init(&self->options);
    self->rows = store_memory_new(&self->options);
}

void model_table_fini(model_table_t *self)
{
    store_destroy(&self->rows);
}

void model_table_empty(model_table_t *self)
{
    store_destroy(&self->rows);
    self->rows = store_memory_new(&self->options);
}

/* --- waiting ------------------------------------------------------------- */

static wire_bytes_t keep(uint8_t **to, wire_bytes_t from)
{
    uint8_t *kept = *to;

    if (from.len != 0) {
        memcpy(kept, from.data, from.len);
    }
    *to += from.len;
    return (wire_bytes_t){kept, from.len};
}

static void hold(model_store_t *self, store_op_t *op)
{
    size_t len =
        op->key.len + op->cursor.len + op->value.len + op->expected.len;
    held_op_t *held = xcalloc(1, sizeof *held + len);
    uint8_t *to = held->bytes;

    held->op = *op;
    held->outer = op;
    held->op.key = keep(&to, op->key);
    held->op.cursor = keep(&to, op->cursor);
    held->op.value = keep(&to, op->value);
    held->op.expected = keep(&to, op->expected);
    if (op->record != NULL) {
        held->record = record_new(&op->record->id, record_context(op->record),
                                  op->record->ttl_s);
        must(held->record != NULL);
        held->op.record = held->record;
    }
    list_append(&self->held, &held->linked);
    self->held_count++;
}

static void on_answer(store_op_t *op, int rc, const store_result_t *result)
{
    store_op_t *outer = op->user;

    outer->done(outer, rc, result);
}

/* Each broker has rows of its own making: a record is not shared here. */
static void ask_table(model_store_t *self, const store_op_t *op,
                      store_op_t *outer)
{
    store_op_t inner = *op;

    self->lists += op->verb == STORE_LIST_OWNER;
    if ((op->verb == STORE_LIST_OWNER && self->refuses_lists) ||
        (op->verb == STORE_KEEP && self->refuses_keeps)) {
        outer->done(outer, -EACCES, NULL);
        return;
    }
    self->table->options.writer = self->writer;
    inner.done = on_answer;
    inner.user = outer;
    store_begin(self->table->rows, self->store.now_ms);
    store_submit(self->table->rows, &inner);
}

static void ignore(store_op_t *op, int rc, const store_result_t *result)
{
    (void)op;
    (void)rc;
    (void)result;
}

/* Its answer was lost on the way. */
static void do_unheard(model_store_t *self, const store_op_t *op)
{
    store_op_t nobody = {.done = ignore};

    ask_table(self, op, &nobody);
}

static void answer(model_store_t *self, held_op_t *held)
{
    list_remove(&held->linked);
    self->held_count--;
    if (self->failure != 0) {
        if (self->does_all_the_same) {
            do_unheard(self, &held->op);
        }
        held->outer->done(held->outer, self->failure, NULL);
    } else {
        ask_table(self, &held->op, held->outer);
    }
    record_drop(held->record);
    free(held);
}

bool model_store_answer(model_store_t *self)
{
    list_t *link = list_peek(&self->held);

    if (link == NULL) {
        return false;
    }
    answer(self, list_entry(link, held_op_t, linked));
    return true;
}

bool model_store_holds(const model_store_t *self, store_verb_t verb)
{
    list_foreach(link, &self->held) {
        if (list_entry(link, held_op_t, linked)->op.verb == verb) {
            return true;
        }
    }
    return false;
}

/* About the same connection, or lease? */
static bool is_akin(const held_op_t *a, const held_op_t *b)
{
    if (a->record != NULL && b->record != NULL) {
        return conn_id_equal(&a->record->id, &b->record->id);
    }
    return a->record == NULL && b->record == NULL &&
           wire_equal(a->op.key, b->op.key);
}

static bool may_overtake(const model_store_t *self, const held_op_t *held)
{
    list_foreach(link, &self->held) {
        const held_op_t *other = list_entry(link, held_op_t, linked);
        if (other == held) {
            return true;
        }
        if (is_akin(other, held)) {
            return false;
        }
    }
    return true;
}

bool model_store_answer_behind(model_store_t *self, size_t skip)
{
    list_foreach(link, &self->held) {
        held_op_t *held = list_entry(link, held_op_t, linked);
        if (skip-- == 0) {
            if (may_overtake(self, held)) {
                answer(self, held);
                return true;
            }
            break;
        }
    }
    return model_store_answer(self);
}

/* --- the store ----------------------------------------------------------- */

static void model_submit(store_t *store, store_op_t *op)
{
    model_store_t *self = (model_store_t *)(void *)store;

    hold(self, op);
    while (!self->holds && model_store_answer(self)) {
    }
}

static void model_destroy(store_t *store)
{
    model_store_fini((model_store_t *)(void *)store);
}

void model_store_init(model_store_t *self, model_table_t *table,
                      const char *writer)
{
    static const store_ops_t ops = {.submit = model_submit,
                                    .destroy = model_destroy};

    *self = (model_store_t){.table = table, .writer = writer};
    self->store.ops = &ops;
    self->store.is_shared = true;
    self->store.stats.store_up = 1;
    list_init(&self->held);
}

void model_store_fini(model_store_t *self)
{
    self->failure = -ECANCELED;
    self->does_all_the_same = false;
    while (model_store_answer(self)) {
    }
}

void model_store_fail(model_store_t *self, int failure)
{
    self->failure = failure;
    self->store.stats.store_up = failure == 0;
    if (failure != 0) {
        while (model_store_answer(self)) {
        }
    }
}
