/* SPDX-License-Identifier: MIT */
#include "broker/watch.h"

#include "base/xalloc.h"
#include "broker/peers.h"
#include "broker/routing.h"

#include <errno.h>
#include <stdlib.h>

#define NAMES_MAX ((size_t)KNOWN_MAX * (GROUP_MAX + 2)) /* bytes */

struct known {
    uint32_t count;
    buf_t names; /* str each, as they came */
};

/* --- whether anybody wants to know ---------------------------------------- */

static wire_bytes_t key(void)
{
    return wire_bytes("$presence");
}

/* One that cannot be reached misses it. */
static void tell_one(core_t *core, gateway_t *gateway)
{
    message_watch_t watch = {core->is_watched};
    peer_t *peer = gateway->peer;

    gateway->watches++;
    if (peer->cut_ms == 0) {
        peer_sent(core, peer, message_put_watch(peer_out(core, peer), &watch));
    }
}

static void tell(core_t *core, bool is_watched)
{
    core->is_watched = is_watched;
    list_foreach(link, &core->gateways) {
        gateway_t *gateway = list_entry(link, gateway_t, linked);
        if (gateway->peer != NULL) {
            tell_one(core, gateway);
        }
    }
}

void watch_returned(gateway_t *gateway, const message_hello_t *hello)
{
    uint64_t heard = wire_map_uint(hello->options, "watches", 0);

    gateway->is_unsure = heard != gateway->watches;
    gateway->watches = (uint32_t)heard;
}

/* If nobody watched for a moment that it missed, all that it told before is
 * void. */
void watch_welcomed(core_t *core, gateway_t *gateway)
{
    if (gateway->is_unsure && core->is_watched) {
        tell_one(core, gateway);
    }
    gateway->is_unsure = false;
}

void watch_step(core_t *core)
{
    if (core->watch_told != core->watch_era) { /* if only for a moment */
        core->watch_told = core->watch_era;
        if (core->is_watched) {
            tell(core, false);
        }
    }
    if (!core->is_watched && routing_find(core, key()) != NULL) {
        tell(core, true);
    }
}

void watch_expect(core_t *core)
{
    bool is_young = core->now_ms - core->born_ms < core->options.route_grace_ms;

    if (is_young && routing_find(core, key()) == NULL) {
        routing_expect(core, key());
        watch_step(core);
    }
}

/* --- the groups of a connection ------------------------------------------- */

void watch_forget(conn_t *conn)
{
    if (conn->groups != NULL) {
        buf_fini(&conn->groups->names);
        free(conn->groups);
        conn->groups = NULL;
    }
}

/* Who is in no group costs nothing. */
static void forget_if_none(conn_t *conn)
{
    if (conn->groups != NULL && conn->groups->count == 0) {
        watch_forget(conn);
    }
}

/* NULL without memory: then its last PRESENCE will not name them all. */
static known_t *known_of(conn_t *conn)
{
    if (conn->groups == NULL &&
        (conn->groups = calloc(1, sizeof *conn->groups)) != NULL) {
        buf_init(&conn->groups->names, NAMES_MAX);
    }
    return conn->groups;
}

static wire_cursor_t names_of(const known_t *known)
{
    return wire_cursor((wire_bytes_t){known->names.data, known->names.len});
}

/* Where the name lies among the others; *len is 0 when it does not. */
static size_t find(const known_t *known, wire_bytes_t name, size_t *len)
{
    wire_cursor_t in = names_of(known);
    wire_bytes_t other;

    *len = 0;
    while (!wire_at_end(&in)) {
        const uint8_t *start = in.at;
        must(wire_get_str(&in, &other) == 0); /* we have put it */
        if (wire_equal(other, name)) {
            *len = (size_t)(in.at - start);
            return (size_t)(start - known->names.data);
        }
    }
    return 0;
}

static void drop(known_t *known, wire_bytes_t name)
{
    size_t len, at = find(known, name, &len);

    if (len > 0) {
        buf_t *names = &known->names;
        memmove(names->data + at, names->data + at + len,
                names->len - at - len);
        names->len -= len;
        known->count--;
    }
}

static void drop_oldest(known_t *known)
{
    wire_cursor_t in = names_of(known);
    wire_bytes_t name;

    must(wire_get_str(&in, &name) == 0);
    drop(known, name);
}

/* Behind the others, although it may be among them: what was told before nobody
 * listened any more is the first to be forgotten. */
static void add(known_t *known, wire_bytes_t name)
{
    drop(known, name);
    if (known->count == KNOWN_MAX) {
        drop_oldest(known);
    }
    known->count += wire_put_str(&known->names, name) == 0;
}

static void each(known_t *known, wire_bytes_t array,
                 void (*fn)(known_t *known, wire_bytes_t name))
{
    wire_cursor_t in = wire_cursor(array);
    wire_bytes_t name;
    uint32_t count = 0;

    (void)wire_get_array(&in, &count);
    for (uint32_t i = 0; i < count && i < KNOWN_MAX; i++) {
        if (wire_get_str_max(&in, GROUP_MAX, &name) < 0) {
            return;
        }
        fn(known, name);
    }
}

static wire_bytes_t array_of(wire_bytes_t details, const char *name)
{
    wire_bytes_t array = {NULL, 0};
    wire_cursor_t value;

    if (wire_map_find(details, name, &value)) {
        (void)wire_get_raw_array(&value, &array);
    }
    return array;
}

void watch_told(conn_t *conn, wire_bytes_t details)
{
    known_t *known = known_of(conn);

    if (known != NULL) {
        each(known, array_of(details, "left"), drop);
        each(known, array_of(details, "joined"), add);
    }
    forget_if_none(conn);
}

void watch_untold(conn_t *conn, wire_bytes_t details, bool is_sure)
{
    known_t *known = known_of(conn);

    if (known != NULL) {
        if (is_sure) {
            each(known, array_of(details, "joined"), drop);
        }
        each(known, array_of(details, "left"), add);
    }
    forget_if_none(conn);
}

void watch_listed(conn_t *conn, wire_bytes_t groups)
{
    known_t *known = groups.len > 0 ? known_of(conn) : NULL;

    if (known != NULL) {
        each(known, groups, add);
    }
    forget_if_none(conn);
}

int watch_put_end(core_t *core, const conn_t *conn)
{
    const known_t *known = conn->groups;
    buf_t *out = &core->scratch;

    if (known == NULL || known->count == 0) {
        return -ENOENT;
    }
    return wire_put_map(out, 2) < 0 || wire_put_text(out, "joined") < 0 ||
                   wire_put_array(out, 0) < 0 ||
                   wire_put_text(out, "left") < 0 ||
                   wire_put_array(out, known->count) < 0 ||
                   wire_put_raw(out, (wire_bytes_t){known->names.data,
                                                    known->names.len}) < 0
               ? -ENOMEM
               : 0;
}
