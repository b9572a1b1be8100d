/* SPDX-License-Identifier: MIT
 *
 * Connections, found by their id through the gateway that owns them.
 */
#ifndef BROKER_CONNS_H
#define BROKER_CONNS_H

#include "broker/state.h"

#define CONNS_A_PAGE 256u

/*
 * A connection in the gateway's table, its state CONN_OPENING.
 * Returns 0 with *conn_p set; -EEXIST when the slot is taken; -ENOMEM.
 */
int conns_add(core_t *core, gateway_t *gateway, const conn_id_t *id,
              wire_bytes_t context, conn_t **conn_p);

/*
 * A connection that is gone, for a letter of it; nobody finds it, and it is
 * freed with its last request.  0 with *conn_p set, -ENOMEM.
 */
int conns_add_gone(core_t *core, const conn_id_t *id, wire_bytes_t context,
                   conn_t **conn_p);

static inline const conn_id_t *conn_id_of(const conn_t *conn)
{
    return &conn->record->id;
}

/* Of this gateway, or NULL. */
conn_t *conns_find_in(const gateway_t *gateway, const conn_id_t *id);

#define CONNS_AHEAD 8 /* a batch of conns_expect at most */

/* Messages of the connections in these slots, if they are there, come next:
 * their memory is fetched for all of them at once. */
void conns_expect(const gateway_t *gateway, const uint32_t *slots,
                  size_t count);

/* Of the live gateway that has the id's loop number, or NULL. */
conn_t *conns_find(const core_t *core, const conn_id_t *id);

/*
 * From now on nobody finds it, and its slot is free.  It lives until its
 * requests are over; conns_reap frees it.
 */
void conns_unlist(core_t *core, conn_t *conn);

/* Free it when it is unlisted and has no requests. */
void conns_reap_unlisted(core_t *core, conn_t *conn);

static inline void conns_reap(core_t *core, conn_t *conn)
{
    if (!conn->is_listed) {
        conns_reap_unlisted(core, conn);
    }
}

/* Give its mailbox another context.  0, -ENOMEM. */
int conns_set_context(conn_t *conn, wire_bytes_t context);

/* Call fn for each listed connection; fn may unlist it. */
void conns_each(core_t *core, gateway_t *gateway,
                void (*fn)(core_t *core, conn_t *conn));

/*
 * The same for those in the next `slots` slots from *slot on, which moves.
 * Returns whether that was the last of them.
 */
bool conns_walk(core_t *core, gateway_t *gateway, uint32_t *slot,
                uint32_t slots, void (*fn)(core_t *core, conn_t *conn));

/*
 * The connection of *slot, NULL where none is or a page is not there, and the
 * next slot to look at.  Returns false behind the last slot.
 */
bool conns_next(const gateway_t *gateway, uint32_t *slot, const conn_t **conn);

/* It stands: gateway_of_loop finds it until its by_loop is taken out. */
void gateway_add(core_t *core, gateway_t *gateway);

/* The live gateway with this loop number, or NULL. */
gateway_t *gateway_of_loop(const core_t *core, uint32_t loop);

/* Free it when it is lost and its last connection is. */
void gateway_reap(core_t *core, gateway_t *gateway);

#endif
