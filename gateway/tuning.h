/* SPDX-License-Identifier: MIT
 *
 * Limits of admission that are set anew while the gateway runs; which they are
 * says gateway_can_set (gateway.h).  Whoever is in stays in; what comes from
 * then on is measured by the new ones, from a full bucket.  Loop thread only.
 */
#ifndef GATEWAY_TUNING_H
#define GATEWAY_TUNING_H

#include "gateway/hub.h"

/*
 * Keep a value, the process's, which was checked, for the next tuning_apply.
 * What is read from the options for each newcomer (max-connections,
 * max-handshakes, origins) counts at once. Returns 0, or -ENOENT for a setting
 * that cannot be changed so.
 */
int tuning_set(hub_t *hub, const char *name, const char *value);

/*
 * Limits of all clients together are the process's: the options of one of its
 * loops get that loop's share of them.
 */
void tuning_divide(gateway_options_t *options);

/* From now on all that was kept counts. */
void tuning_apply(hub_t *hub);

#endif
