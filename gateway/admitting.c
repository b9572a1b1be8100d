/* SPDX-License-Identifier: MIT */
#include "gateway/admitting.h"

#include "base/rand.h"

#include <errno.h>

#define FULL_RETRY_S 10  /* nobody knows when a connection of another ends */
#define ORIGIN_SAID  128 /* bytes of an Origin in a log line */

static admission_limits_t limits_of(const gateway_options_t *options)
{
    return (admission_limits_t){
        .connections = options->address_connections,
        .rate = options->address_rate,
        .burst = options->address_burst,
        .all_rate = options->handshake_rate,
        .all_burst = options->handshake_burst,
        .network_bits = options->address_bits,
    };
}

void admitting_init(hub_t *hub)
{
    const admission_limits_t limits = limits_of(&hub->options);
    hash_key_t key;

    rand_bytes(&key, sizeof key);
    admission_init(&hub->admission, &limits, &key);
}

void admitting_limit(hub_t *hub)
{
    const admission_limits_t limits = limits_of(&hub->options);

    admission_limit(&hub->admission, &limits);
}

/* --- sockets ------------------------------------------------------------- */

static bool is_over(uint64_t count, int64_t limit)
{
    return limit > 0 && count >= (uint64_t)limit;
}

static void say_full(hub_t *hub, const ip_t *from)
{
    char ip[IP_TEXT];

    ip_format(from, ip);
    hub->stats.handshakes_refused++;
    log_braked_from(&hub->refusals.full, ip, LEVEL_WARN,
                    "GATEWAY-HANDSHAKES-FULL", "ip=%s", ip);
}

static void say_address(hub_t *hub, const char *ip, const char *limit)
{
    log_braked_from(&hub->refusals.address, ip, LEVEL_WARN,
                    "GATEWAY-ADDRESS-REFUSED", "ip=%s limit=%s", ip, limit);
}

/* Returns as admission_arrive.  Of a proxy that has not said whose client it
 * is there may be any number. */
static int arrive(hub_t *hub, const ip_t *from, source_t **source)
{
    char ip[IP_TEXT];

    *source = NULL;
    if (ip_nets_have(&hub->proxies, from)) {
        return 0;
    }
    int rc = admission_arrive(&hub->admission, from, hub->now_ms, source);
    if (rc < 0) {
        ip_format(from, ip);
        hub->stats.address_sockets_refused++;
        say_address(hub, ip, rc == -EBUSY ? "sockets" : "socket-rate");
    }
    return rc;
}

bool admitting_socket(hub_t *hub, const ip_t *from, source_t **source)
{
    if (is_over(hub->handshakes, hub->options.max_handshakes)) {
        say_full(hub, from);
        return false;
    }
    return arrive(hub, from, source) == 0;
}

unsigned admitting_locate(session_t *session, const ip_t *client,
                          int64_t *retry_s)
{
    hub_t *hub = session->hub;

    *retry_s = 0;
    if (ip_equal(client, &session->address)) {
        return 0;
    }
    session_locate(session, client);
    admission_leave(&hub->admission, session->source);
    int rc = arrive(hub, client, &session->source);
    if (rc == 0) {
        return 0;
    }
    *retry_s = rc == -EBUSY ? FULL_RETRY_S : 1;
    return 429;
}

void admitting_rest(session_t *session)
{
    hub_t *hub = session->hub;

    if (ip_nets_have(&hub->proxies, &session->peer)) {
        session_locate(session, &session->peer);
        admission_leave(&hub->admission, session->source);
        session->source = NULL;
    }
}

/* --- handshakes ---------------------------------------------------------- */

/* Those at the gate count too: each may become a connection. */
static bool is_full(const hub_t *hub)
{
    return is_over(hub->stats.connections + hub->gated,
                   hub->options.max_connections);
}

static void say_refused(session_t *session, admission_verdict_t verdict)
{
    hub_t *hub = session->hub;

    if (verdict == REFUSED_CONNECTIONS) {
        hub->stats.address_refused++;
        say_address(hub, session->ip, "connections");
    } else if (verdict == REFUSED_SOURCE_RATE) {
        hub->stats.address_throttled++;
        say_address(hub, session->ip, "handshake-rate");
    } else {
        hub->stats.handshakes_throttled++;
        log_braked_from(&hub->refusals.fast, session->ip, LEVEL_WARN,
                        "GATEWAY-HANDSHAKES-FAST", "ip=%s", session->ip);
    }
}

unsigned admitting_handshake(session_t *session, int64_t *retry_s)
{
    hub_t *hub = session->hub;
    int64_t wait_ms;

    *retry_s = 0;
    if (is_full(hub)) {
        hub->stats.connections_refused++;
        return 503;
    }
    if (hub->is_draining) {
        return 503;
    }
    admission_verdict_t verdict =
        admission_ask(&hub->admission, session->source, hub->now_ms, &wait_ms);
    if (verdict == ADMITTED) {
        return 0;
    }
    *retry_s = wait_ms > 0 ? (wait_ms + 999) / 1000 : FULL_RETRY_S;
    say_refused(session, verdict);
    return 429;
}

/* As it is, but for quotes, behind which it could go on as another field. */
static void put_origin(char text[ORIGIN_SAID + 1], const http_header_t *origin)
{
    size_t len = origin != NULL ? origin->value.len : 0;

    len = len < ORIGIN_SAID ? len : ORIGIN_SAID;
    for (size_t i = 0; i < len; i++) {
        char byte = (char)origin->value.data[i];
        text[i] = byte;
        if (byte == '"') {
            text[i] = '\'';
        }
    }
    text[len] = '\0';
}

void admitting_refuse_origin(session_t *session, const http_request_t *request)
{
    char origin[ORIGIN_SAID + 1];

    put_origin(origin, http_header(request, "origin"));
    session->hub->stats.origins_refused++;
    log_braked_from(&session->hub->refusals.origin, session->ip, LEVEL_WARN,
                    "GATEWAY-ORIGIN-REFUSED", "ip=%s origin=\"%s\"",
                    session->ip, origin);
}
