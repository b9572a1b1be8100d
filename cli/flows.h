/* SPDX-License-Identifier: MIT
 *
 * The routes of a system: what its brokers tell of each, added up.  One thread.
 */
#ifndef CLI_FLOWS_H
#define CLI_FLOWS_H

#include "base/histogram.h"
#include "cli/ask.h"

/* What brokers count of a route: broker/traffic.h says what each is. */
#define FLOW_COUNTS(X)                                                         \
    X(requests)                                                                \
    X(replies)                                                                 \
    X(refused)                                                                 \
    X(failed)                                                                  \
    X(late)                                                                    \
    X(timeouts)                                                                \
    X(died)                                                                    \
    X(waiting)                                                                 \
    X(held)

typedef struct {
    json_t *key;      /* owned: a string, which may hold NUL */
    uint64_t workers; /* each as often as it is at a broker */
    bool is_unordered;
#define X(name) uint64_t name;
    FLOW_COUNTS(X)
#undef X
    histogram_t wait, handler;
} flow_row_t;

typedef struct {
    flow_row_t *rows; /* owned; by key */
    size_t count, cap;
} flows_t;

/*
 * Ask all brokers.  Returns how many answered; what is wrong with one that did
 * not is in problem.
 */
size_t flows_fetch(flows_t *self, const asked_t *asked,
                   char problem[ASK_PROBLEM_MAX]);
void flows_fini(flows_t *self);

/* The row of a key, or NULL. */
const flow_row_t *flows_find(const flows_t *self, const json_t *key);

/* A new reference of a JSON array. */
json_t *flows_json(const flows_t *self);

#endif
