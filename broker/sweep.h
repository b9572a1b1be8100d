/* SPDX-License-Identifier: MIT
 *
 * What a broker leaves in a shared store when it dies, others tidy up.
 *
 * A broker keeps a lease for each of its gateways, whose name is the gateway's
 * loop and the broker's boot id, and whose value changes each time.  One that
 * has not changed for long enough, as we have seen it while the store answered,
 * is over: nobody need agree on the time.  One broker claims it and looks
 * through the gateway's rows that the dead broker wrote.  A connection that
 * stands has been written anew by then, by the broker that has it, unless that
 * cannot reach the store, or the dead one's last word came there behind its; so
 * its gateway, if it is here, is asked.  As long as such a row is left, so is
 * the lease, to be looked at again.  What else is left are connections whose
 * $disconnect is missing, and whose rows go when that is done.
 */
#ifndef BROKER_SWEEP_H
#define BROKER_SWEEP_H

#include "broker/state.h"

void sweep_init(core_t *core);
void sweep_fini(core_t *core);

/*
 * Have we ended connections of the gateway of this loop, while it was away, for
 * a broker before us?
 */
bool sweep_has_ended(const core_t *core, uint32_t loop);

/* It has listed those that it has by now. */
void sweep_listed(core_t *core, uint32_t loop);

/* Now and then: keep our leases, look at those of others. */
void sweep_turn(core_t *core);

/* At the end of each turn: go on with what an answer made possible. */
void sweep_step(core_t *core);

/* A gateway has greeted: keep a lease for it, before its rows are written. */
void sweep_greet(core_t *core, gateway_t *gateway);

/* A gateway answers whether it has a connection. */
void sweep_told(core_t *core, const message_result_t *result);

/* Connections of the gateway of this loop have gone to another broker. */
void sweep_moved(core_t *core, uint32_t loop);

/* The gateway's last connection here is over: so is its lease, unless rows of
 * connections that it moved to another broker may be left. */
void sweep_release(core_t *core, const gateway_t *gateway);

#endif
