/* SPDX-License-Identifier: MIT
 *
 * The broker as an actor: one thread, one loop, two ROUTER sockets around the
 * core (broker/core.h).
 *
 * Messages on the actor's pipe (text frames):
 *
 *   actor -> owner   READY workers-endpoint gateways-endpoint
 *                    FAILED reason                     it ends by itself then
 *                    STOPPED                           after $TERM
 *   owner -> actor   $TERM     say BYE to all peers and end
 *                    STATS     log the counters (event BROKER-STATS)
 *
 * zactor_new() loses a failed start, so the owner waits for READY or FAILED
 * before it counts on the actor.
 */
#ifndef BROKER_BROKER_H
#define BROKER_BROKER_H

#include <stdint.h>

#include <czmq.h>

typedef struct {
    const char *name;     /* for people; at most PEER_NAME_MAX bytes */
    const char *workers;  /* endpoint to bind for workers */
    const char *gateways; /* endpoint to bind for gateways */

    int64_t heartbeat_ms; /* peers send something at least this often */
    int64_t liveness_ms;  /* silence after which a peer is lost */

    int64_t gateway_window;       /* requests of one gateway without a REPLY */
    int64_t gateway_window_bytes; /* their encoded size */
    int64_t push_window;          /* pushes of one worker on their way */
    int64_t push_window_bytes;    /* their bodies */

    int64_t max_workers;  /* peers on the workers' socket; more are refused */
    int64_t max_gateways; /* peers on the gateways' socket */
} broker_options_t;

/* Set every field to its documented default (docs/settings.md). */
void broker_options_init(broker_options_t *options);

/*
 * The actor: zactor_new(broker_actor, &options).  options is read before the
 * READY or FAILED message and not kept.
 */
void broker_actor(zsock_t *pipe, void *options);

#endif
