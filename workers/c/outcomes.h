/* SPDX-License-Identifier: MIT
 *
 * What was begun under a name, and with which outcome it ended.  What is under
 * way is never forgotten; what is done goes when its time is over.  Where there
 * is no room, whoever holds most, and more than a fair share, loses what is
 * longest done: one who fills the table takes from himself.  Where nobody holds
 * more than that, what is longest done of all goes, so that many who hold
 * little keep out nobody.  Time is handed in.  Not for several threads at once.
 */
#ifndef WORKERS_C_OUTCOMES_H
#define WORKERS_C_OUTCOMES_H

#include "workers/c/hoist_ledger.h"
#include "workers/c/holders.h"

typedef struct {
    keyed_table_t table;     /* in its line are those that are done */
    holders_t holders;       /* whose they are */
    size_t bytes, max_bytes; /* of bodies */
    uint64_t evicted;        /* outcomes that went before their time */
} outcomes_t;

/* max: names at once, and max_bytes of bodies. */
void outcomes_init(outcomes_t *self, size_t max, size_t max_bytes);
void outcomes_fini(outcomes_t *self);

/* As hoist_ledger_table.claim, but that it stands until it is settled or
 * released; holder: whose it is, a name.  Returns one of hoist_claimed; -ENOMEM
 * where there is no memory, or all that there may be is under way. */
int outcomes_claim(outcomes_t *self, const hoist_claim *claim,
                   hoist_text holder, int64_t now_ms,
                   hoist_outcome_handler *found, void *data);

/* As those of hoist_ledger_table; the outcomes of one table are kept equally
 * long.  Return 0; -ENOMEM for a body for which there is no room: then the
 * claim is released. */
int outcomes_settle(outcomes_t *self, const hoist_claim *claim,
                    const hoist_outcome *outcome, int64_t now_ms,
                    int64_t keep_ms);
int outcomes_release(outcomes_t *self, const hoist_claim *claim);

#endif
