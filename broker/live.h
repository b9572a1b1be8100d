/* SPDX-License-Identifier: MIT
 *
 * What workers ask of gateways, which know better than the store what stands
 * now (PROTOCOL.md, "Queries"): of one about its connection, of all that have a
 * group about its members, one gateway after the other.  A question lies at
 * the gateway that is asked until that has answered, is lost, or the time is
 * over; the windows of queries.c bound how many there are.
 */
#ifndef BROKER_LIVE_H
#define BROKER_LIVE_H

#include "broker/state.h"

#define LIVE_MS       5000   /* for the answer; then status 504 */
#define LIVE_ROWS_MAX 131072 /* bytes of its rows; more get status 503 */

/* Who asks: the worker's handle, and its own id of the QUERY. */
typedef struct {
    uint64_t worker, id;
} asker_t;

/* Members of a group; lent. */
typedef struct {
    wire_bytes_t group;
    wire_bytes_t cursor; /* empty: from the first on */
    uint32_t limit;      /* rows */
    bool is_count;       /* only how many there are */
} members_t;

/* Each returns 0 when the RESULT follows, possibly at once, or the status of
 * the refusal. */
uint64_t live_connection(core_t *core, asker_t asker, const conn_id_t *conn);
uint64_t live_members(core_t *core, asker_t asker, const members_t *members);

/* A RESULT of the gateway.  false: it answers none of these questions. */
bool live_told(core_t *core, gateway_t *gateway,
               const message_result_t *result);

/* The gateway is lost: what it was asked goes on without it. */
void live_lost(core_t *core, gateway_t *gateway);

/* Its transport broke: what it has not answered it is asked once more. */
void live_cut(core_t *core, gateway_t *gateway);

/* Now and then: look for questions whose time is over. */
void live_turn(core_t *core);

#endif
