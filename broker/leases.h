/* SPDX-License-Identifier: MIT
 *
 * Leases of the store as they were seen, and since when they have not changed:
 * a list of lease_t, in the order in which the store told of them last.
 */
#ifndef BROKER_LEASES_H
#define BROKER_LEASES_H

#include "store/store.h"

typedef struct {
    list_t linked;
    int64_t since_ms;
    bool is_told;     /* by the answer at hand */
    bool is_presumed; /* we have asked for it, and were not told of it yet */
    size_t name_len, value_len;
    uint8_t name[STORE_LEASE_MAX], value[STORE_LEASE_MAX];
} lease_t;

static inline wire_bytes_t lease_name(const lease_t *self)
{
    return (wire_bytes_t){self->name, self->name_len};
}

static inline wire_bytes_t lease_value(const lease_t *self)
{
    return (wire_bytes_t){self->value, self->value_len};
}

void lease_set_value(lease_t *self, wire_bytes_t value);

/* The gateway whose lease it is; false: it is no gateway's. */
bool lease_loop(const lease_t *self, uint32_t *loop);

/* The broker that it is of, where it is a gateway's. */
wire_bytes_t lease_boot(const lease_t *self);

/* The name of the lease that the broker `boot` keeps for this gateway; returns
 * its length. */
size_t lease_put_name(uint32_t loop, wire_bytes_t boot,
                      char name[STORE_LEASE_MAX]);

/* --- all of them ---------------------------------------------------------- */

/* NULL: none was seen. */
lease_t *leases_find(const list_t *all, wire_bytes_t name);

/* Was one for the gateway of this loop, of whatever broker? */
bool leases_have_loop(const list_t *all, uint32_t loop);

/* The store tells of it. */
void leases_take(list_t *all, const store_lease_t *lease, int64_t now_ms);

/* We have asked the store to keep it, and do not know whether it has. */
void leases_presume(list_t *all, const store_lease_t *lease, int64_t now_ms);

/* It has told of all that there are. */
void leases_forget_untold(list_t *all);

/* While the store does not answer, nobody can keep a lease. */
void leases_forgive(list_t *all, int64_t now_ms);

#endif
