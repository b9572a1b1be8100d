/* SPDX-License-Identifier: MIT
 *
 * The peers on both sockets: finding them, what is to be sent to them, and
 * when to give up on one.  A peer is never freed under the hands of whoever
 * works with it: it is doomed, and freed at the end of the frame or turn.
 */
#ifndef BROKER_PEERS_H
#define BROKER_PEERS_H

#include "broker/state.h"

/* The peer that the ROUTER of this side calls id, or NULL. */
peer_t *peers_find(core_t *core, side_t side, const void *id, size_t len);

/* Another live peer that greeted with this boot id on this side, or NULL. */
peer_t *peers_find_boot(core_t *core, const peer_t *but, wire_bytes_t boot);

/* It has greeted with this boot id; and it is a stranger again. */
void peers_set_boot(core_t *core, peer_t *peer, wire_bytes_t boot);
void peers_clear_boot(peer_t *peer);

/* A stranger.  NULL past the side's limit or without memory. */
peer_t *peers_add(core_t *core, const origin_t *origin);

/* Each gateway has one in its process at most, and so has the broker. */
static inline int64_t managers_max(const core_t *core)
{
    return core->options.max_gateways + 1;
}

/* The worker or manager that this handle stands for, or NULL when it is gone.
 */
worker_t *peers_worker(const core_t *core, uint64_t handle);

/* Free a peer that is neither worker nor gateway any more. */
void peers_remove(core_t *core, peer_t *peer);

/* It is to be given up at the end of this frame or turn.  why: a constant. */
void peer_doom(core_t *core, peer_t *peer, const char *why);

#define PEER_UNREACHABLE "unreachable" /* why: its transport is gone */

/* Send it an empty frame, which shows whether its transport stands. */
void peer_probe(core_t *core, peer_t *peer);

static inline bool peer_is_doomed(const peer_t *peer)
{
    return peer->doom != NULL;
}

/*
 * Where to put messages for the peer; they leave at the end of the turn, or
 * at once when much has gathered.
 */
buf_t *peer_out(core_t *core, peer_t *peer);

/*
 * What message_put_* returned: a peer that lets more pile up than it may is
 * doomed.
 */
static inline void peer_sent(core_t *core, peer_t *peer, int result)
{
    if (result < 0) {
        peer_doom(core, peer, "does not read");
    }
}

/* Offer what has gathered to its socket. */
void peer_flush(core_t *core, peer_t *peer);

/* Answer with ERROR, and count: too many faults and it is doomed. */
void peer_fault(core_t *core, peer_t *peer, const char *code, const char *text);

/* Answer with ERROR for what is no sign of a broken peer. */
void peer_error(core_t *core, peer_t *peer, const char *code, const char *text);

#endif
