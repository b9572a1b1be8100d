/* SPDX-License-Identifier: MIT
 *
 * A ledger whose clock the test drives, and that can be made to fail; otherwise
 * that of a worker's memory.  One at a time.
 */
#ifndef TESTS_LEDGER_FIXTURE_H
#define TESTS_LEDGER_FIXTURE_H

#include "workers/c/buckets.h"
#include "workers/c/outcomes.h"

typedef struct {
    hoist_ledger ledger; /* first: it is one */
    buckets_t buckets;
    outcomes_t outcomes;
    int64_t now_ms;
    int fails;        /* what each call returns, when not 0 */
    bool is_mute;     /* it does what it is asked, and its answer is lost */
    char names[1024]; /* that were asked for, with blanks between */
} test_ledger_t;

extern test_ledger_t test_ledger;

void test_ledger_opens(void);
void test_ledger_closes(void);

#endif
