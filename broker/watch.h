/* SPDX-License-Identifier: MIT
 *
 * Events of $presence (PROTOCOL.md section 8): whether gateways are to tell
 * who joins and leaves groups, and which groups handlers have been told of, so
 * that the last word about a connection whose gateway is lost can be said.
 */
#ifndef BROKER_WATCH_H
#define BROKER_WATCH_H

#include "broker/state.h"

#define KNOWN_MAX 128 /* groups of a connection: twice what it may be in */

/*
 * A gateway greets that knows somebody to serve $presence: if we are so young
 * that they may not have come back yet, they are waited for.
 */
void watch_expect(core_t *core);

/* End of turn: tell the gateways, if something has changed. */
void watch_step(core_t *core);

/* A gateway came back: it says how many WATCHes it has heard.  And it has been
 * welcomed, as one that is to be told nothing if it missed some. */
void watch_returned(gateway_t *gateway, const message_hello_t *hello);
void watch_welcomed(core_t *core, gateway_t *gateway);

/* The connection's PRESENCE has come with these details; and nobody has said
 * that he was told of it, after all.  Surely nobody was, if no worker had it.
 */
void watch_told(conn_t *conn, wire_bytes_t details);
void watch_untold(conn_t *conn, wire_bytes_t details, bool is_sure);

/* It comes from another broker, and handlers know it to be in these groups; an
 * array of str. */
void watch_listed(conn_t *conn, wire_bytes_t groups);

/*
 * Append to core->scratch the details of its last PRESENCE: all that it was in
 * is left.  Returns 0; -ENOENT when there is nothing to tell; -ENOMEM.
 */
int watch_put_end(core_t *core, const conn_t *conn);

void watch_forget(conn_t *conn);

#endif
