/* SPDX-License-Identifier: MIT
 *
 * What a ledger is still to be told of claims, since it could not be when they
 * were settled or released.  Until it was, who claims the same name here is
 * told what is known.  Bounded in number, bytes and time.  Time is handed in.
 * Not for several threads at once.
 */
#ifndef WORKERS_C_OWED_H
#define WORKERS_C_OWED_H

#include "workers/c/hoist_ledger.h"
#include "workers/c/keyed.h"

#define OWED_MAX       1024
#define OWED_NAME_MAX  1024              /* of hoist_claim */
#define OWED_BYTES_MAX ((size_t)4 << 20) /* of names and bodies */

/* One thing that is to be told; what it points at is its own. */
typedef struct {
    hoist_claim claim;
    hoist_outcome outcome; /* where it was settled */
    bool is_settled;       /* else released */
    int64_t keep_ms;
    int64_t until_ms; /* it is told no later */
    size_t size;      /* bytes of name and body */
    char bytes[];
} debt_t;

typedef struct {
    keyed_table_t table; /* of debts; in its line by whose turn it is */
    debt_t *telling;     /* owned: somebody is at it; or NULL */
    size_t bytes;        /* of those in the table */
    uint64_t dropped;    /* that were never told */
} owed_t;

void owed_init(owed_t *self);
void owed_fini(owed_t *self);

/* Nothing is owed. */
static inline bool owed_is_empty(const owed_t *self)
{
    return keyed_count(&self->table) == 0 && self->telling == NULL;
}

/*
 * Owe that a claim was settled, or with an outcome of NULL, released: for as
 * long as it is held.  Where there is no room, the one whose turn is next goes;
 * without memory it is dropped itself.
 */
void owed_put(owed_t *self, const hoist_claim *claim,
              const hoist_outcome *outcome, int64_t keep_ms, int64_t now_ms);

/*
 * What is known here of a name that is claimed.  Its owner claims it anew: that
 * it was released is not told any more.
 * Returns one of hoist_claimed, as a ledger does; OURS: nothing, so the ledger
 * is to be asked.
 */
int owed_claim(owed_t *self, const hoist_claim *claim,
               hoist_outcome_handler *found, void *data);

/*
 * What is to be told next, lent until owed_told; NULL: nothing is, or somebody
 * is at it.  owed_told: it was; or not, and has its turn behind the others.
 */
const debt_t *owed_next(owed_t *self, int64_t now_ms);
void owed_told(owed_t *self, bool was_told);

#endif
