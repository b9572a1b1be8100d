/* SPDX-License-Identifier: MIT
 *
 * What a gateway can be told (docs/settings.md has the table).
 */
#ifndef GATEWAY_OPTIONS_H
#define GATEWAY_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define GATEWAY_BROKERS_MAX   64
#define GATEWAY_LINGERING_MAX 4096 /* sockets that were refused or closed */
#define GATEWAY_LOOPS_MAX     64

typedef struct {
    const char *name;   /* for people; at most PEER_NAME_MAX bytes */
    const char *listen; /* ADDRESS:PORT, port 0 picks one; [::1]:8080 for v6 */
    int64_t loops;      /* threads, each a gateway of its own to brokers … */
    int64_t loop;       /* … and which of them this is, from 0 */
    const char *broker; /* ENDPOINT[,ENDPOINT…] of brokers' gateways sockets */
    const char *curve_key;    /* file of its secret key, "": no CURVE */
    const char *curve_broker; /* the brokers' public key, or a file with it */
    int64_t resolve_ms;       /* between look-ups of the names in it; 0: one */

    const char *route_selection_expression;
    const char *stage;      /* "" or the first path segment of clients' URLs */
    const char *static_dir; /* "" or the directory served to plain GETs */
    const char *tls_cert;   /* "" or PEM files; both or none */
    const char *tls_key;
    const char *tls_client_ca; /* "" or a PEM file: whose clients get in … */
    bool tls_client_optional;  /* … and who has no certificate */
    const char *trusted_proxies; /* "" (none) or a list of networks */
    bool proxy_protocol;         /* they say it in a PROXY header, not by
                                    X-Forwarded-For */
    const char *origins;         /* "" (any) or a comma separated allow-list */
    const char *trace_endpoint;  /* "": spans are not sent anywhere */
    double trace_sample;         /* share of events that are sampled */
    bool trace_trust;     /* a client's traceparent says what is sampled */
    bool require_connect; /* refuse clients while no worker serves $connect */

    /* Limits; 0 turns one off.  Bytes, milliseconds or counts as named. */
    int64_t max_connections;
    int64_t max_handshakes; /* clients between accept and 101 */
    int64_t max_frame;      /* bytes of payload of one WebSocket frame */
    int64_t max_message;    /* bytes of payload of one message */
    int64_t max_head;       /* bytes of an HTTP request head */
    int64_t handshake_ms;   /* from accept to a whole request head */
    int64_t request_ms;     /* deadline of each request to a worker */
    int64_t ping_ms;        /* idle time after which the client is pinged */
    int64_t pong_ms;        /* a client silent this long after is dead */
    int64_t idle_ms;        /* no message in either direction: 1001 */
    int64_t conn_window;    /* requests of one connection without a REPLY */
    int64_t conn_window_bytes;
    int64_t out_soft;    /* bytes waiting to be sent to one client … */
    int64_t out_soft_ms; /* … that long: closed with 1013 */
    int64_t out_hard;    /* bytes: closed with 1013 at once */
    int64_t drain_ms;    /* from $TERM to the end */

    /* Who may come, and how fast: admission.h, throttle.h; 0 turns one off, or
     * for a burst means as many as in a second. */
    int64_t address_connections; /* of one address */
    int64_t address_bits;        /* of one of IPv6 that count as one */
    int64_t handshake_rate;      /* a second, of all together */
    int64_t handshake_burst;
    int64_t address_rate; /* a second, of one address */
    int64_t address_burst;
    int64_t message_rate; /* a second, of one connection */
    int64_t message_burst;
    int64_t byte_rate; /* a second, of one connection */
    int64_t byte_burst;
    int64_t max_groups; /* of a connection; 1 to GROUPS_MAX */

    void *questions;     /* borrowed zsock_t, where it is asked (base/actor.h);
                            NULL: nobody does */
    void *const *manage; /* borrowed: a zsock_t for each loop, on which it asks
                            the management API for its clients; NULL: none */
    int64_t manage_body; /* bytes of a request's body to that */
} gateway_options_t;

/* Set every field to its documented default (docs/settings.md). */
void gateway_options_init(gateway_options_t *options);

#endif
