/* SPDX-License-Identifier: MIT */
#include "tests/unit/ledger_fixture.h"

#include <stdio.h>

test_ledger_t test_ledger;

static void note_name(hoist_text name)
{
    size_t len = strlen(test_ledger.names);

    (void)snprintf(test_ledger.names + len, sizeof test_ledger.names - len,
                   "%s%.*s", len > 0 ? " " : "", (int)name.len, name.data);
}

static int spend(hoist_ledger *self, hoist_text name,
                 const hoist_bucket *bucket, int64_t *wait_ms)
{
    (void)self;
    note_name(name);
    return test_ledger.fails != 0
               ? test_ledger.fails
               : buckets_spend(&test_ledger.buckets, name, bucket,
                               test_ledger.now_ms, wait_ms);
}

static int claim(hoist_ledger *self, const hoist_claim *wanted,
                 hoist_outcome_handler *found, void *data)
{
    (void)self;
    note_name(wanted->name);
    return test_ledger.fails != 0
               ? test_ledger.fails
               : outcomes_claim(&test_ledger.outcomes, wanted,
                                test_ledger.now_ms, found, data);
}

static int settle(hoist_ledger *self, const hoist_claim *own,
                  const hoist_outcome *outcome, int64_t keep_ms)
{
    (void)self;
    return test_ledger.fails != 0
               ? test_ledger.fails
               : outcomes_settle(&test_ledger.outcomes, own, outcome,
                                 test_ledger.now_ms, keep_ms);
}

static int release(hoist_ledger *self, const hoist_claim *own)
{
    (void)self;
    return test_ledger.fails != 0
               ? test_ledger.fails
               : outcomes_release(&test_ledger.outcomes, own);
}

static void explain(hoist_ledger *self, char *text, size_t size)
{
    (void)self;
    (void)snprintf(text, size, "the test says so");
}

void test_ledger_opens(void)
{
    static const hoist_ledger_table table = {.spend = spend,
                                             .claim = claim,
                                             .settle = settle,
                                             .release = release,
                                             .explain = explain};

    test_ledger = (test_ledger_t){.ledger = {&table}, .now_ms = 1000000};
    buckets_init(&test_ledger.buckets, 1000);
    outcomes_init(&test_ledger.outcomes, 1000, 1 << 20);
}

void test_ledger_closes(void)
{
    buckets_fini(&test_ledger.buckets);
    outcomes_fini(&test_ledger.outcomes);
}
