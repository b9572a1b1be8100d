/* SPDX-License-Identifier: MIT
 *
 * Which gateways have connections of a name: a user, a tenant, a group
 * (PROTOCOL.md section 8).  A gateway whose list is not known yet, or is longer
 * than may be kept, is keen: it gets what goes to any name.
 */
#ifndef BROKER_INTERESTS_H
#define BROKER_INTERESTS_H

#include "broker/state.h"

typedef enum { NAME_USER, NAME_TENANT, NAME_GROUP } name_type_t;

void interests_init(core_t *core);
void interests_fini(core_t *core);

/* A gateway has come: it is keen.  It is lost: it has no names any more. */
void interests_start(core_t *core, gateway_t *gateway);
void interests_end(core_t *core, gateway_t *gateway);

/* What it told may have been lost: it has every name until its next list is
 * whole. */
void interests_doubt(core_t *core, gateway_t *gateway);

/* A gateway tells. */
void interests_take(core_t *core, gateway_t *gateway,
                    const message_interest_t *interest);

/* Append the `targeted` of each gateway that a push to the name is for. */
void interests_target(core_t *core, name_type_t type, wire_bytes_t name,
                      list_t *targeted);

/* The gateway with the lowest loop number from this one on that may have
 * connections of the name, or NULL. */
gateway_t *interests_next(const core_t *core, name_type_t type,
                          wire_bytes_t name, uint32_t loop);

/*
 * A JOIN of this group is on its way to the gateway: it counts as if it had
 * arrived, until interests_joined.  Returns NULL when the gateway is keen for
 * want of room; then that is not needed.
 */
interest_t *interests_joining(core_t *core, gateway_t *gateway,
                              wire_bytes_t group);
void interests_joined(core_t *core, interest_t *interest);

/* The type that this word stands for, or -EPROTO. */
int name_type_of(wire_bytes_t word);

/* Is it as long as a name of this type may be, and not empty? */
bool name_fits(name_type_t type, wire_bytes_t name);

#endif
