/* SPDX-License-Identifier: MIT
 *
 * Keeps the rows of the store equal to the connections that we have.  We know
 * them; the store only repeats it, so whatever is lost there is written again:
 * nothing is queued for a store that is down, but for the rows that are to go.
 */
#ifndef BROKER_KEEPER_H
#define BROKER_KEEPER_H

#include "broker/state.h"

void keeper_init(core_t *core);

/* What is under way ends without us: the store outlives the core. */
void keeper_fini(core_t *core);

/* The record of a connection; its `ttl` is in the context.  NULL: no memory. */
record_t *keeper_record(const conn_id_t *id, wire_bytes_t context);

/* Does a CONNECT wait for its row?  Not where nobody else would see it. */
static inline bool keeper_makes_wait(const core_t *core)
{
    return core->store != NULL && core->store->is_shared;
}

/* Write its row. */
void keeper_save(core_t *core, conn_t *conn);

/*
 * Write the row of the connection that this CONNECT let in, for which it
 * waits: outcome_entered follows, possibly at once.
 */
void keeper_enter(core_t *core, request_t *request);

/* The gateway's first lease was kept, or not: rows may be written, or not yet.
 */
void keeper_leased(core_t *core, gateway_t *gateway, bool is_leased);

/*
 * Remove the row of the connection whose DISCONNECT this is, which was handled
 * and waits for it, so that it is said again if we die before: outcome_left
 * follows, possibly at once.
 */
void keeper_leave(core_t *core, request_t *request);

/* It is about to be freed: its row goes, too, if it has one of ours. */
void keeper_forget(core_t *core, conn_t *conn);

/* Remove the row of a connection that is over, for the sweep at hand. */
void keeper_remove(core_t *core, record_t *record);

/* The store has lost the rows of this gateway: write them again. */
void keeper_rewrite(core_t *core, gateway_t *gateway);

/* Now and then: what is late, and rows that would end. */
void keeper_turn(core_t *core);

/* Has the store done all that it can do now? */
bool keeper_is_idle(const core_t *core);

#endif
