/* SPDX-License-Identifier: MIT
 *
 * Token buckets by name, of which clients can make any number: a bucket that is
 * full again goes, since a new one is full as well, and where there are too
 * many the one that was asked for longest ago goes, with what it owes.  Time is
 * handed in.  Not for several threads at once.
 */
#ifndef WORKERS_C_BUCKETS_H
#define WORKERS_C_BUCKETS_H

#include "workers/c/hoist_ledger.h"
#include "workers/c/keyed.h"

typedef struct {
    keyed_table_t table;
    uint64_t evicted; /* that went although they were not full */
} buckets_t;

/* max: buckets at once. */
void buckets_init(buckets_t *self, size_t max);
void buckets_fini(buckets_t *self);

/* As hoist_ledger_table.spend.  Returns 0; -ENOMEM.  now_ms: monotonic. */
int buckets_spend(buckets_t *self, hoist_text name, const hoist_bucket *bucket,
                  int64_t now_ms, int64_t *wait_ms);

#endif
