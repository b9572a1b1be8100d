/* SPDX-License-Identifier: MIT */
#include "tests/unit/ledger_fixture.h"

#include <errno.h>
#include <stdio.h>

test_ledger_t test_ledger;

static void note_name(hoist_text name)
{
    size_t len = strlen(test_ledger.names);

    (void)snprintf(test_ledger.names + len, sizeof test_ledger.names - len,
                   "%s%.*s", len > 0 ? " " : "", (int)name.len, name.data);
}

static int failed(hoist_reason *reason)
{
    (void)snprintf(reason->text, sizeof reason->text, "the test says so");
    return test_ledger.fails;
}

/* What was done, as it is heard of. */
static int heard(int rc, int lost)
{
    return test_ledger.is_mute ? lost : rc;
}

static void nobody_hears(const hoist_outcome *outcome, void *data)
{
    (void)outcome;
    (void)data;
}

static int spend(hoist_ledger *self, hoist_text name,
                 const hoist_bucket *bucket, int64_t *wait_ms,
                 hoist_reason *reason)
{
    (void)self;
    note_name(name);
    return test_ledger.fails != 0
               ? failed(reason)
               : buckets_spend(&test_ledger.buckets, name, bucket,
                               test_ledger.now_ms, wait_ms);
}

static int claim(hoist_ledger *self, const hoist_claim *wanted,
                 hoist_outcome_handler *found, void *data, hoist_reason *reason)
{
    (void)self;
    note_name(wanted->name);
    if (test_ledger.fails != 0) {
        return failed(reason);
    }
    found = test_ledger.is_mute ? nobody_hears : found;
    return heard(outcomes_claim(&test_ledger.outcomes, wanted, hoist_str(""),
                                test_ledger.now_ms, found, data),
                 HOIST_CLAIM_UNSURE);
}

static int settle(hoist_ledger *self, const hoist_claim *own,
                  const hoist_outcome *outcome, int64_t keep_ms,
                  hoist_reason *reason)
{
    (void)self;
    return test_ledger.fails != 0
               ? failed(reason)
               : heard(outcomes_settle(&test_ledger.outcomes, own, outcome,
                                       test_ledger.now_ms, keep_ms),
                       -ETIMEDOUT);
}

static int release(hoist_ledger *self, const hoist_claim *own,
                   hoist_reason *reason)
{
    (void)self;
    return test_ledger.fails != 0
               ? failed(reason)
               : heard(outcomes_release(&test_ledger.outcomes, own),
                       -ETIMEDOUT);
}

void test_ledger_opens(void)
{
    static const hoist_ledger_table table = {.size = sizeof table,
                                             .spend = spend,
                                             .claim = claim,
                                             .settle = settle,
                                             .release = release};

    test_ledger = (test_ledger_t){.ledger = {&table}, .now_ms = 1000000};
    buckets_init(&test_ledger.buckets, 1000);
    outcomes_init(&test_ledger.outcomes, 1000, 1 << 20);
}

void test_ledger_closes(void)
{
    buckets_fini(&test_ledger.buckets);
    outcomes_fini(&test_ledger.outcomes);
}
