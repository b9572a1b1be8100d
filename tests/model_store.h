/* SPDX-License-Identifier: MIT
 *
 * A shared store for tests: one table of rows, seen by any number of brokers
 * through a view each, that answers when it is told to, or fails.
 */
#ifndef TESTS_MODEL_STORE_H
#define TESTS_MODEL_STORE_H

#include "store/memory.h"

/* What brokers share. */
typedef struct {
    store_options_t options;
    store_t *rows; /* owned */
} model_table_t;

void model_table_init(model_table_t *self);
void model_table_fini(model_table_t *self);

/* All that was in it is lost. */
void model_table_empty(model_table_t *self);

/* What one broker sees of it. */
typedef struct {
    store_t store;
    model_table_t *table; /* borrowed */
    const char *writer;   /* borrowed for as long as the table has its rows */
    list_t held;          /* operations that wait, oldest first */
    size_t held_count;
    bool holds;             /* it answers only by model_store_answer */
    int failure;            /* it answers this to everything; 0: it works */
    bool refuses_lists;     /* it has no right to tell of an owner's rows */
    unsigned lists;         /* so often it was asked to */
    bool refuses_keeps;     /* it keeps no lease */
    bool does_all_the_same; /* what it says has failed */
} model_store_t;

void model_store_init(model_store_t *self, model_table_t *table,
                      const char *writer);

/* store_destroy does the same; the struct is the caller's. */
void model_store_fini(model_store_t *self);

/* Answer the oldest of those that wait; false: there is none. */
bool model_store_answer(model_store_t *self);

/*
 * The same for the one behind `skip` others, unless one of these is about the
 * same connection or lease: order is kept for each, and not between them.
 */
bool model_store_answer_behind(model_store_t *self, size_t skip);

/* Does an operation of this kind wait? */
bool model_store_holds(const model_store_t *self, store_verb_t verb);

/* It stops or goes on working; what waits is answered accordingly. */
void model_store_fail(model_store_t *self, int failure);

#endif
