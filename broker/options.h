/* SPDX-License-Identifier: MIT
 *
 * What a broker can be told (docs/settings.md has the table).
 */
#ifndef BROKER_OPTIONS_H
#define BROKER_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    const char *name;     /* for people; at most PEER_NAME_MAX bytes */
    const char *workers;  /* endpoint to bind for workers */
    const char *gateways; /* endpoint to bind for gateways */
    const char *inner;    /* another one for them, in this process; "": none */

    int64_t heartbeat_ms; /* peers send something at least this often */
    int64_t liveness_ms;  /* silence after which a peer is lost */

    int64_t settle_ms;      /* from its start: until all workers are back */
    int64_t route_grace_ms; /* a route is kept without a worker */

    int64_t gateway_window;       /* requests of one gateway without a REPLY */
    int64_t gateway_window_bytes; /* their encoded size */
    int64_t push_window;          /* pushes of one worker on their way */
    int64_t push_window_bytes;    /* their targets and bodies */

    const char *curve_key;      /* file of its secret key, "": no CURVE */
    const char *curve_workers;  /* files of the keys that may come, "": none; */
    const char *curve_gateways; /* see broker/allow_list.h */

    const char *trace_endpoint; /* "": spans are not sent anywhere */

    const char *dead_letters; /* folder to keep them in, "": none */
    int64_t dead_letters_max; /* bytes of all together */

    const char *store; /* URL; docs/stores.md */
    int64_t store_timeout_ms;
    int64_t store_queue;    /* operations */
    int64_t store_ttl_s;    /* that a row lasts untouched */
    int64_t store_lease_ms; /* after which a silent broker's rows are swept */
    bool require_store;     /* nobody gets in without a row */

    int64_t drain_ms;     /* from $TERM to the end, at most */
    int64_t max_workers;  /* peers on the workers' socket; more are refused */
    int64_t max_gateways; /* peers on the gateways' socket */

    void *questions; /* borrowed zsock_t, where it is asked (base/actor.h);
                        NULL: nobody does */
} broker_options_t;

/* Set every field to its documented default. */
void broker_options_init(broker_options_t *options);

#endif
