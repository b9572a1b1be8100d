/* SPDX-License-Identifier: MIT
 *
 * How a middleware uses a ledger: that of the program, or else one of its own
 * in memory.  Any thread: what is in memory has a lock, which is held for a
 * look-up.
 */
#ifndef WORKERS_C_LEDGER_H
#define WORKERS_C_LEDGER_H

#include "workers/c/brake.h"
#include "workers/c/hoist_ledger.h"
#include "workers/c/hoist_metrics.h"
#include "workers/c/outcomes.h"

#define LEDGER_KEYS  65536 /* of one in memory, where nobody says */
#define LEDGER_BYTES ((size_t)16 << 20) /* of outcomes' bodies */

typedef struct {
    const char *middleware; /* borrowed: constant, for the log */
    hoist_ledger *ledger;   /* borrowed: the program's, or memory */
    hoist_ledger *memory;   /* owned, or NULL */
    brake_t brake;
} ledger_use_t;

/* What one in memory may have, and what counts that something had to go before
 * its time. */
typedef struct {
    size_t keys, bytes;      /* 0: as usual */
    outcomes_whose_t *whose; /* of an outcome, by its name; or NULL */
    hoist_counter *evicted;  /* borrowed */
} ledger_memory_t;

static inline bool is_when_down(hoist_when_down wanted)
{
    return (unsigned)wanted <= HOIST_WHEN_DOWN_REFUSE;
}

/*
 * ledger      NULL: one in memory
 * middleware  its name; constant
 * Returns 0; -EINVAL for a ledger whose table lacks something; -ENOMEM.
 */
int ledger_use_init(ledger_use_t *self, const char *middleware,
                    hoist_ledger *ledger, const ledger_memory_t *memory);
void ledger_use_fini(ledger_use_t *self);

/* As those of the ledger; that it could not tell is logged. */
int ledger_spend(ledger_use_t *self, hoist_text name,
                 const hoist_bucket *bucket, int64_t *wait_ms);
int ledger_claim(ledger_use_t *self, const hoist_claim *claim,
                 hoist_outcome_handler *found, void *data);
void ledger_settle(ledger_use_t *self, const hoist_claim *claim,
                   const hoist_outcome *outcome, int64_t keep_ms);
void ledger_release(ledger_use_t *self, const hoist_claim *claim);

#endif
