/* SPDX-License-Identifier: MIT
 *
 * What a broker leaves in a shared store when it dies, others tidy up.
 *
 * A broker keeps a lease for each of its gateways, whose name is the gateway's
 * loop and the broker's boot id, and whose value changes each time.  One that
 * has not changed for long enough, as we have seen it while the store answered,
 * is over: nobody need agree on the time.  One broker claims it and looks
 * through the gateway's rows that the dead broker wrote.  A connection that
 * stands has been written anew by then, by the broker that has it; what is left
 * are connections whose $disconnect is missing, and whose rows go when that is
 * done.
 */
#ifndef BROKER_SWEEP_H
#define BROKER_SWEEP_H

#include "broker/state.h"

void sweep_init(core_t *core);
void sweep_fini(core_t *core);

/* Now and then: keep our leases, look at those of others. */
void sweep_turn(core_t *core);

/* At the end of each turn: go on with what an answer made possible. */
void sweep_step(core_t *core);

/* The gateway's last connection here is over: so is its lease. */
void sweep_release(core_t *core, const gateway_t *gateway);

#endif
