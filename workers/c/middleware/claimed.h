/* SPDX-License-Identifier: MIT
 *
 * An event's claim of hoist_idempotency, and what becomes of it: it is settled,
 * released, or both are left to what the event waits for.  Thread of the event.
 */
#ifndef WORKERS_C_MIDDLEWARE_CLAIMED_H
#define WORKERS_C_MIDDLEWARE_CLAIMED_H

#include "workers/c/ledger.h"
#include "workers/c/middleware/whose.h"

/* Of a use; but for `use`, constant. */
typedef struct {
    ledger_use_t use;
    int64_t keep_ms, hold_ms;
    size_t max_reply; /* bytes of a body that is kept */
    bool keeps_failures;
} claims_t;

typedef struct claimed claimed_t;
struct claimed {
    claims_t *of;      /* borrowed */
    claimed_t *before; /* borrowed: of another use, or run, of the event; or
                          NULL */
    hoist_claim claim; /* its name lies behind this; digest: the caller's */
    bool is_ours;      /* to be settled or released */
    bool waits;        /* what came back from inside was: wait */
    bool is_replay;
    char name[];
};

/* The memory of an event that is to claim this name, which hears of the
 * outcome; NULL: there is no room. */
claimed_t *claimed_new(claims_t *of, hoist_ctx *ctx, const whose_name_t *name);

/* The claim stands, from now on or still. */
void claimed_begin(claimed_t *self, const hoist_ctx *ctx);

/* This has come back from inside.  Returns it. */
int claimed_judge(claimed_t *self, hoist_ctx *ctx, int rc);

#endif
