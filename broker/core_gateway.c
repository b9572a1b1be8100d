/* SPDX-License-Identifier: MIT */
#include "base/hash.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "broker/conns.h"
#include "broker/core_internal.h"
#include "broker/dispatch.h"
#include "broker/interests.h"
#include "broker/keeper.h"
#include "broker/live.h"
#include "broker/peers.h"
#include "broker/pushes.h"
#include "broker/requests.h"
#include "broker/spans.h"
#include "broker/sweep.h"
#include "broker/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TARGETS_BYTES ((size_t)TARGETS_MAX * (CONN_ID_TEXT + 1))
#define DEADLINE_MAX  3600000             /* ms; a longer one is cut to it */
#define FIRST_PUSHES  (UINT64_C(1) << 52) /* none comes from there to 2^53 */

/* --- sessions ------------------------------------------------------------ */

/* What is still said of pushes of a session before is about none of this,
 * whichever broker they were; and a double holds all of the number. */
static uint64_t first_push(const core_t *core, uint64_t session)
{
    return (hash_bytes(core->boot, strlen(core->boot)) + (session << 32)) %
           FIRST_PUSHES;
}

static void mark_synced(core_t *core, uint64_t session, bool was_synced)
{
    uint8_t *byte = &core->was_synced[session % SESSIONS_KEPT / 8];
    uint8_t bit = (uint8_t)(1u << (session % 8));

    *byte = was_synced ? *byte | bit : (uint8_t)(*byte & ~bit);
}

bool gateway_was_ended(const core_t *core, const message_hello_t *hello)
{
    wire_bytes_t boot = wire_map_str(hello->options, "broker");
    uint64_t session = wire_map_uint(hello->options, "session", 0);
    uint64_t loop = wire_map_uint(hello->options, "loop", UINT64_MAX);

    if (loop <= CONN_ID_LOOP_MAX && sweep_has_ended(core, (uint32_t)loop)) {
        return true;
    }
    if (!wire_is(boot, core->boot) || session == 0 ||
        session > core->next_session) {
        return false;
    }
    return core->next_session - session >= SESSIONS_KEPT ||
           (core->was_synced[session % SESSIONS_KEPT / 8] >> session % 8 & 1);
}

int gateway_start(core_t *core, peer_t *peer, const message_hello_t *hello)
{
    wire_bytes_t options = hello->options;

    if (core->stats.gateways >= (uint64_t)core->options.max_gateways) {
        return -EUSERS;
    }
    gateway_t *gateway = calloc(1, sizeof *gateway);
    if (gateway == NULL) {
        return -ENOMEM;
    }
    gateway->peer = peer;
    gateway->loop = (uint32_t)wire_map_uint(options, "loop", 0);
    gateway->session = ++core->next_session;
    gateway->pushes_first = first_push(core, gateway->session);
    mark_synced(core, gateway->session, false);
    gateway->requires_connect =
        wire_map_bool(options, "require_connect", false);
    gateway->returns = wire_map_bool(options, "returns", false);
    buf_init(&gateway->targets, TARGETS_BYTES);
    list_init(&gateway->targeted);
    list_init(&gateway->unleased);
    list_init(&gateway->questions);
    interests_start(core, gateway);
    gateway_add(core, gateway);
    peer->gateway = gateway;
    core->stats.gateways++;
    sweep_greet(core, gateway);
    return 0;
}

static bool is_idle(const conn_t *conn)
{
    return conn->in_flight == 0 && conn->loose == 0 &&
           list_is_empty(&conn->waiting);
}

/*
 * A list that broke off says nothing about who is still there: a gateway that
 * lives lists them again, under its next session.
 */
static void end_lost(core_t *core, conn_t *conn)
{
    const gateway_t *gateway = conn->gateway;
    bool was_half_listed = conn->round != 0 && !gateway->was_synced;

    if (was_half_listed && is_idle(conn)) {
        conn->is_moved = true; /* its row, if shared, is another's by now */
        conns_unlist(core, conn);
        conns_reap(core, conn);
        return;
    }
    dispatch_end(core, conn, 1006, "gateway lost");
}

void gateway_end(core_t *core, peer_t *peer)
{
    gateway_t *gateway = peer->gateway;

    gateway->peer = NULL;
    list_remove(&gateway->by_loop);
    peer->gateway = NULL;
    core->stats.gateways--;
    gateway->conns++; /* ours, so that it outlives its last connection */
    conns_each(core, gateway, end_lost);
    pushes_taken(core, gateway, UINT64_MAX);
    interests_end(core, gateway);
    live_lost(core, gateway);
    gateway->conns--;
    gateway_reap(core, gateway);
}

/* --- requests ------------------------------------------------------------ */

static void refuse(core_t *core, gateway_t *gateway, uint64_t id,
                   uint64_t status)
{
    message_reply_t reply = {.id = id, .status = status};

    peer_sent(core, gateway->peer,
              message_put_reply(peer_out(core, gateway->peer), &reply));
}

static bool is_over_window(const core_t *core, const gateway_t *gateway,
                           const message_t *message)
{
    const broker_options_t *options = &core->options;

    return event_is_counted(message->request.event) && gateway->held > 0 &&
           (gateway->held >= (uint64_t)options->gateway_window ||
            gateway->held_bytes + message->size >
                (uint64_t)options->gateway_window_bytes);
}

/*
 * The connection that the request is of; a CONNECT makes it.
 * Returns 0 with *conn_p set, or the status of the refusal.
 */
static uint64_t find_conn(core_t *core, gateway_t *gateway,
                          const message_request_t *request, conn_t **conn_p)
{
    conn_id_t id;

    if (conn_id_parse(request->conn.data, request->conn.len, &id) < 0 ||
        id.loop != gateway->loop) {
        return 400;
    }
    if (request->event == EVENT_CONNECT) {
        return conns_add(core, gateway, &id, request->context, conn_p) < 0 ? 500
                                                                           : 0;
    }
    *conn_p = conns_find_in(gateway, &id);
    if (request->event == EVENT_DISCONNECT) {
        return *conn_p == NULL ? 200 : 0; /* ended by us, or done */
    }
    return *conn_p == NULL || (*conn_p)->state != CONN_OPEN ? 500 : 0;
}

/*
 * A DISCONNECT or PRESENCE said again after a broken link, while the first is
 * under way.  A gateway forgets a connection, or a change, when it is answered,
 * which must not be before a handler knows: the later question gets the
 * handler's answer.
 */
static void repeat(core_t *core, request_t *first,
                   const message_request_t *again)
{
    refuse(core, first->conn->gateway, first->gateway_id, 200);
    first->gateway_id = again->id;
}

/* What the event is, if it is said again; or NULL. */
static request_t *first_of(const conn_t *conn, uint64_t event)
{
    return event == EVENT_PRESENCE ? conn->presence : conn->farewell;
}

/* What follows for the connection from the request that it now has. */
static void note_event(core_t *core, request_t *request,
                       const message_request_t *given)
{
    conn_t *conn = request->conn;

    if (given->event == EVENT_DISCONNECT) {
        conn->state = CONN_CLOSING;
        conn->farewell = request;
        dispatch_leave(core, conn);
    } else if (given->event == EVENT_PRESENCE) {
        core->stats.presences++;
        conn->presence = request;
        watch_told(conn, given->details);
    }
    if (event_is_counted(given->event)) {
        conn->gateway->held++;
        conn->gateway->held_bytes += request->size;
    }
}

/* There is no memory for it. */
static void drop_event(core_t *core, conn_t *conn, uint64_t event)
{
    if (event == EVENT_DISCONNECT) {
        log_err("BROKER-MEMORY", "a DISCONNECT was lost");
    }
    if (event_is_edge(event)) {
        conns_unlist(core, conn); /* its slot is free for the next */
        conns_reap(core, conn);
    }
}

static int64_t due_of(const core_t *core, const message_request_t *request)
{
    uint64_t left = request->deadline_ms;

    return core->now_ms +
           (int64_t)(left < DEADLINE_MAX ? left : (uint64_t)DEADLINE_MAX);
}

static void on_request(core_t *core, gateway_t *gateway,
                       const message_t *message)
{
    const message_request_t *given = &message->request;
    conn_t *conn = NULL;

    if (!gateway->was_synced) {
        return; /* made under a session that is over: it is abandoned there */
    }
    core->stats.requests_in++;
    if (is_over_window(core, gateway, message)) {
        core->stats.over_window++;
        refuse(core, gateway, given->id, 429);
        return;
    }
    uint64_t status = find_conn(core, gateway, given, &conn);
    if (status == 0 && first_of(conn, given->event) != NULL) {
        repeat(core, first_of(conn, given->event), given);
        return;
    }
    request_t *request = status == 0 ? requests_take(&core->requests) : NULL;
    if (request == NULL) {
        refuse(core, gateway, given->id, status == 0 ? 500 : status);
        if (status == 0) {
            drop_event(core, conn, given->event);
        }
        return;
    }
    request->conn = conn;
    request->event = (uint8_t)given->event;
    request->gateway_id = given->id;
    request->number = given->number;
    request->size = (uint32_t)message->size;
    request->due_ms = due_of(core, given);
    spans_begin(request, given->traceparent);
    note_event(core, request, given);
    dispatch_request(core, request,
                     &(parts_t){.route = given->route,
                                .body = given->body,
                                .details = given->details,
                                .conn = given->conn.data});
}

/* --- SYNC ---------------------------------------------------------------- */

/* A line of a SYNC; lent. */
typedef struct {
    conn_id_t id;
    wire_bytes_t context;
    wire_bytes_t groups; /* array; empty when it is left out */
} line_t;

/* [connection, context, groups?] */
static int get_line(const gateway_t *gateway, wire_cursor_t *in, line_t *line)
{
    uint32_t count;
    wire_bytes_t text;

    *line = (line_t){.groups = {NULL, 0}};

    if (wire_get_array(in, &count) < 0 || count < 2 ||
        wire_get_str(in, &text) < 0 ||
        wire_get_raw_map(in, &line->context) < 0 ||
        line->context.len > CONTEXT_MAX ||
        conn_id_parse(text.data, text.len, &line->id) < 0 ||
        line->id.loop != gateway->loop ||
        (count > 2 && wire_get_raw_array(in, &line->groups) < 0)) {
        return -EPROTO;
    }
    for (uint32_t i = 3; i < count; i++) {
        if (wire_get_raw(in, &text) < 0) {
            return -EPROTO;
        }
    }
    return 0;
}

/* It opened at a time, or at a broker, that we know nothing of. */
static int add_open(core_t *core, gateway_t *gateway, const line_t *line)
{
    conn_t *conn;

    int rc = conns_add(core, gateway, &line->id, line->context, &conn);
    if (rc < 0) {
        return rc; /* -EEXIST: two connections in one slot */
    }
    conn->state = CONN_OPEN;
    conn->round = gateway->round;
    conn->is_stored = true; /* by the broker that had it before */
    watch_listed(conn, line->groups);
    keeper_save(core, conn);
    return 0;
}

static int sync_one(core_t *core, gateway_t *gateway,
                    const message_sync_t *sync, wire_cursor_t *in)
{
    line_t line;

    if (get_line(gateway, in, &line) < 0) {
        return -EPROTO;
    }
    conn_t *conn = conns_find_in(gateway, &line.id);
    if (sync->change == SYNC_DROP) {
        if (conn != NULL) {
            core->stats.moved_out++;
            dispatch_drop(core, conn);
        }
        return 0;
    }
    if (conn != NULL) {
        conn->round = gateway->round;
        return 0;
    }
    if (sync->change == SYNC_ADD) {
        core->stats.moved_in++;
        /* We may be so young that those who serve its end are not here yet. */
        if (core->disconnect_gone_ms < core->born_ms) {
            core->disconnect_gone_ms = core->born_ms;
        }
        return add_open(core, gateway, &line);
    }
    /* Named by a later list, its end was on its way when that was made. */
    if (gateway->was_synced) {
        return 0;
    }
    /* Older than we are: so may be those who serve its end. */
    core->disconnect_gone_ms = core->now_ms;
    return add_open(core, gateway, &line);
}

/* What the list does not name is over, whatever we were told before: the
 * gateway makes the list first of all that it says in a session. */
static void end_unlisted(core_t *core, conn_t *conn)
{
    if (conn->round != conn->gateway->round) {
        dispatch_end(core, conn, 1006, "unknown to its gateway");
    }
}

static void on_sync(core_t *core, gateway_t *gateway,
                    const message_sync_t *sync)
{
    wire_cursor_t in = wire_cursor(sync->connections);
    uint32_t count = 0;

    bool is_list = sync->change == SYNC_LIST;

    if (sync->session != 0 && sync->session != gateway->session) {
        return; /* made before it heard that it had been given up */
    }
    if (sync->change > SYNC_DROP) {
        peer_fault(core, gateway->peer, "malformed", "the change of the SYNC");
        return;
    }
    if (is_list) {
        gateway->round += !gateway->is_syncing;
        gateway->is_syncing = sync->more;
    }
    if (sync->change == SYNC_DROP) {
        sweep_moved(core, gateway->loop);
    }
    (void)wire_get_array(&in, &count);
    int bad = 0;
    for (uint32_t i = 0; i < count; i++) {
        wire_bytes_t raw; /* one line, so that a wrong one shifts no other */
        must(wire_get_raw(&in, &raw) == 0); /* the codec has read the array */
        wire_cursor_t line = wire_cursor(raw);
        int rc = sync_one(core, gateway, sync, &line);
        if (rc == -ENOMEM) {
            peer_doom(core, gateway->peer, "no memory for its connections");
            return;
        }
        bad += rc < 0;
    }
    if (bad > 0) {
        peer_fault(core, gateway->peer, "malformed",
                   "a connection of the SYNC");
    }
    if (is_list && !sync->more) {
        gateway->was_synced = true;
        mark_synced(core, gateway->session, true);
        sweep_listed(core, gateway->loop);
        conns_each(core, gateway, end_unlisted);
    }
}

bool gateway_message(core_t *core, peer_t *peer, const message_t *message)
{
    gateway_t *gateway = peer->gateway;

    switch (message->kind) {
    case KIND_REQUEST:
        on_request(core, gateway, message);
        return true;
    case KIND_SYNC:
        on_sync(core, gateway, &message->sync);
        return true;
    case KIND_CREDIT:
        pushes_taken(core, gateway, message->credit.messages);
        return true;
    case KIND_GONE:
        pushes_gone(core, &message->gone);
        return true;
    case KIND_PUSHED:
        pushes_counted(gateway, &message->pushed);
        return true;
    case KIND_INTEREST:
        interests_take(core, gateway, &message->interest);
        return true;
    case KIND_ERROR:
        return pushes_failed(core, &message->error);
    case KIND_RESULT:
        if (!live_told(core, gateway, &message->result)) {
            sweep_told(core, &message->result);
        }
        return true;
    case KIND_DRAIN: /* else it answers who was here before us */
        gateway->is_drained = core->is_draining;
        return true;
    case KIND_BYE:
        peer_doom(core, peer, "bye");
        return true;
    default:
        return false;
    }
}
