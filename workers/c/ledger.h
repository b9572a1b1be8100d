/* SPDX-License-Identifier: MIT
 *
 * How a middleware uses a ledger: that of the program, or else one of its own
 * in memory.  What that of the program cannot be told when it happens is told
 * later.  Any thread: what is in memory has locks, which are held for a
 * look-up.
 */
#ifndef WORKERS_C_LEDGER_H
#define WORKERS_C_LEDGER_H

#include "workers/c/brake.h"
#include "workers/c/hoist_ledger.h"
#include "workers/c/hoist_metrics.h"
#include "workers/c/outcomes.h"
#include "workers/c/owed.h"

#define LEDGER_KEYS  65536 /* of one in memory, where nobody says */
#define LEDGER_BYTES ((size_t)16 << 20) /* of outcomes' bodies */

/* What one in memory may have; and what counts. */
typedef struct {
    size_t keys, bytes;     /* 0: as usual */
    hoist_counter *evicted; /* borrowed: it went before its time */
} ledger_memory_t;

/* What counts that something was told later, and that it never was. */
typedef struct {
    hoist_counter *told, *dropped; /* borrowed */
} ledger_late_t;

typedef struct {
    const char *middleware; /* borrowed: constant, for the log */
    hoist_ledger *ledger;   /* borrowed: the program's, or memory */
    hoist_ledger *memory;   /* owned, or NULL */
    brake_t failed, dropped;
    ledger_late_t late;
    pthread_mutex_t lock; /* of all below */
    owed_t owed;          /* to the program's */
    uint64_t counted;     /* of what was dropped */
} ledger_use_t;

/* What is wrong with settings, for people. */
#define NO_WHEN_DOWN "when_down: it is none of hoist_when_down"
#define LEDGER_LACKS "ledger: its table lacks what this version needs"

static inline bool is_when_down(hoist_when_down wanted)
{
    return (unsigned)wanted <= HOIST_WHEN_DOWN_REFUSE;
}

/*
 * ledger      NULL: one in memory
 * middleware  its name; constant
 * late        copied; NULL for one that claims nothing
 * Returns 0; -EINVAL for a ledger whose table lacks something; -ENOMEM.
 */
int ledger_use_init(ledger_use_t *self, const char *middleware,
                    hoist_ledger *ledger, const ledger_memory_t *memory,
                    const ledger_late_t *late);

/* What it is owed still is told, if it listens. */
void ledger_use_fini(ledger_use_t *self);

/* Do others share it? */
static inline bool ledger_is_shared(const ledger_use_t *self)
{
    return self->memory == NULL;
}

/*
 * As those of the ledger; that it could not tell is logged.  Of a claim it may
 * be known here what the ledger was not told yet; one that may stand although
 * it failed is released.  holder: whose it is, where memory has no room.
 */
int ledger_spend(ledger_use_t *self, hoist_text name,
                 const hoist_bucket *bucket, int64_t *wait_ms);
int ledger_claim(ledger_use_t *self, const hoist_claim *claim,
                 hoist_text holder, hoist_outcome_handler *found, void *data);
void ledger_settle(ledger_use_t *self, const hoist_claim *claim,
                   const hoist_outcome *outcome, int64_t keep_ms);
void ledger_release(ledger_use_t *self, const hoist_claim *claim);

/* Tell the ledger what it is owed, until all is told, it cannot be, or so many
 * ms have passed. */
void ledger_tell(ledger_use_t *self, int64_t ms);

#endif
