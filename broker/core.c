/* SPDX-License-Identifier: MIT */
#include "base/hash.h"
#include "base/xalloc.h"
#include "broker/conns.h"
#include "broker/core_internal.h"
#include "broker/dispatch.h"
#include "broker/interests.h"
#include "broker/keeper.h"
#include "broker/live.h"
#include "broker/peers.h"
#include "broker/pushes.h"
#include "broker/queries.h"
#include "broker/requests.h"
#include "broker/returns.h"
#include "broker/siblings.h"
#include "broker/sweep.h"
#include "broker/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS         CREDIT_MS /* between two looks for silent peers */
#define ASK_AGAIN_MS    100       /* between two WHOs to one stranger */
#define ROUTE_BUCKETS   256       /* at first */
#define LIVENESS_MAX_MS 120000    /* that a worker may ask for */
#define SCRATCH_MAX     ((size_t)2 << 20) /* a target of TARGETS_MAX ids */

/* --- greeting ------------------------------------------------------------ */

static void ask_who(core_t *core, peer_t *peer)
{
    if (core->now_ms - peer->last_asked_ms < ASK_AGAIN_MS) {
        return;
    }
    peer->last_asked_ms = core->now_ms;
    core->stats.strangers++;
    peer_sent(core, peer, message_put_bare(peer_out(core, peer), KIND_WHO));
}

static void end_role(core_t *core, peer_t *peer)
{
    if (peer->worker != NULL) {
        worker_end(core, peer);
    }
    if (peer->gateway != NULL) {
        gateway_end(core, peer);
    }
    peers_clear_boot(peer);
}

/* As HELLO says it; NULL: a stranger's. */
static const char *role_of(const peer_t *peer)
{
    if (peer->gateway != NULL) {
        return "gateway";
    }
    if (peer->worker == NULL) {
        return NULL;
    }
    return peer->worker->is_manager ? "manager" : "worker";
}

static bool has_role(const peer_t *peer)
{
    return peer->gateway != NULL || peer->worker != NULL;
}

static int put_gateway_options(const core_t *core, const gateway_t *gateway,
                               const message_hello_t *hello, bool returned,
                               buf_t *out)
{
    const broker_options_t *options = &core->options;
    bool is_watched = core->is_watched && !gateway->is_unsure;
    bool was_ended = gateway_was_ended(core, hello);
    int64_t left_ms = core->born_ms + options->settle_ms - core->now_ms;
    uint64_t settles_ms = left_ms > 0 ? (uint64_t)left_ms : 0;
    uint64_t window = (uint64_t)options->gateway_window;
    uint64_t window_bytes = (uint64_t)options->gateway_window_bytes;
    uint64_t push_window = (uint64_t)options->push_window;
    uint64_t push_window_bytes = (uint64_t)options->push_window_bytes;
    int rc = wire_put_map(out, 10);

    if (rc == 0 &&
        (rc = wire_put_entry_uint(out, "settles_ms", settles_ms)) == 0 &&
        (rc = wire_put_entry_uint(out, "session", gateway->session)) == 0 &&
        (rc = wire_put_entry_bool(out, "ended", was_ended)) == 0 &&
        (rc = wire_put_entry_bool(out, "returns", true)) == 0 &&
        (rc = wire_put_entry_bool(out, "returned", returned)) == 0 &&
        (rc = wire_put_entry_bool(out, "presence", is_watched)) == 0 &&
        (rc = wire_put_entry_uint(out, "window", window)) == 0 &&
        (rc = wire_put_entry_uint(out, "window_bytes", window_bytes)) == 0 &&
        (rc = wire_put_entry_uint(out, "push_window", push_window)) == 0) {
        rc = wire_put_entry_uint(out, "push_window_bytes", push_window_bytes);
    }
    return rc;
}

/* "peer": which greeting it answers, of a worker that has had several lives;
 * "session": whether it was given up between two greetings of one life. */
static int put_worker_options(const core_t *core, const peer_t *peer,
                              buf_t *out)
{
    uint64_t window = (uint64_t)core->options.push_window;
    uint64_t window_bytes = (uint64_t)core->options.push_window_bytes;
    int rc = wire_put_map(out, 4);

    if (rc == 0 &&
        (rc = wire_put_entry_str(out, "peer", wire_bytes(peer->boot))) == 0 &&
        (rc = wire_put_entry_uint(out, "session", peer->worker->handle)) == 0 &&
        (rc = wire_put_entry_uint(out, "push_window", window)) == 0) {
        rc = wire_put_entry_uint(out, "push_window_bytes", window_bytes);
    }
    return rc;
}

static void welcome(core_t *core, peer_t *peer, const message_hello_t *hello,
                    bool returned)
{
    message_welcome_t welcome = {
        .version = PROTOCOL_VERSION,
        .boot = wire_bytes(core->boot),
        .name = wire_bytes(core->options.name),
        .heartbeat_ms = (uint64_t)core->options.heartbeat_ms,
        .liveness_ms = (uint64_t)core->options.liveness_ms,
    };

    buf_reset(&core->scratch, CONTEXT_MAX);
    int rc = peer->gateway != NULL
                 ? put_gateway_options(core, peer->gateway, hello, returned,
                                       &core->scratch)
                 : put_worker_options(core, peer, &core->scratch);
    if (rc == 0) {
        welcome.options = (wire_bytes_t){core->scratch.data, core->scratch.len};
    }
    peer_sent(core, peer, message_put_welcome(peer_out(core, peer), &welcome));
}

/* Managers come to either socket: to that which their process knows. */
static bool is_role_of(side_t side, wire_bytes_t role)
{
    return wire_is(role, "manager") ||
           wire_is(role, side == SIDE_GATEWAYS ? "gateway" : "worker");
}

static bool speaks_ours(const message_hello_t *hello)
{
    return wire_map_uint(hello->options, "oldest", 1) <= PROTOCOL_VERSION &&
           hello->version >= PROTOCOL_VERSION;
}

/* Returns NULL, or the error code with *text set. */
static const char *check_hello(const core_t *core, const peer_t *peer,
                               const message_hello_t *hello, const char **text)
{
    bool is_gateway = wire_is(hello->role, "gateway");
    uint64_t loop = wire_map_uint(hello->options, "loop", UINT64_MAX);

    if (!speaks_ours(hello)) {
        *text = "version 1 is spoken here";
        return "version";
    }
    if (!is_role_of(peer->side, hello->role)) {
        *text = peer->side == SIDE_GATEWAYS
                    ? "this socket is for gateways and managers"
                    : "this socket is for workers and managers";
        return "role";
    }
    if (!is_gateway) {
        return NULL;
    }
    const gateway_t *holder =
        loop <= CONN_ID_LOOP_MAX ? gateway_of_loop(core, (uint32_t)loop) : NULL;
    if (loop > CONN_ID_LOOP_MAX ||
        (holder != NULL && !wire_is(hello->boot, holder->peer->boot))) {
        *text = "the loop number is missing, too large or taken";
        return "loop";
    }
    return NULL;
}

static int64_t liveness_of(const core_t *core, const message_hello_t *hello)
{
    int64_t ours = core->options.liveness_ms;

    if (!wire_is(hello->role, "worker")) {
        return ours;
    }
    uint64_t wish = wire_map_uint(hello->options, "liveness", (uint64_t)ours);
    if (wish > LIVENESS_MAX_MS) {
        wish = LIVENESS_MAX_MS;
    }
    return (int64_t)wish > ours ? (int64_t)wish : ours;
}

/* Then there have been workers, too, who come back like the gateways. */
static bool knew_another(const core_t *core, const message_hello_t *hello)
{
    wire_bytes_t broker = wire_map_str(hello->options, "broker");

    return broker.len > 0 && !wire_is(broker, core->boot);
}

static int start_role(core_t *core, peer_t *peer, const message_hello_t *hello)
{
    int started = wire_is(hello->role, "gateway")
                      ? gateway_start(core, peer, hello)
                      : worker_start(core, peer, hello);
    if (started < 0) {
        core->stats.refused++;
        peer_error(core, peer, "full", "as many peers as there may be");
        return started;
    }
    peers_set_boot(core, peer, hello->boot);
    core->is_successor |= peer->gateway != NULL && knew_another(core, hello);
    log_info("PEER-UP", "role=%s name=%s", role_of(peer), peer->name);
    return 0;
}

static void ask_to_drain(core_t *core, peer_t *peer)
{
    if (peer->gateway != NULL) {
        peer_sent(core, peer,
                  message_put_bare(peer_out(core, peer), KIND_DRAIN));
    }
}

static void set_name(peer_t *peer, wire_bytes_t name)
{
    memcpy(peer->name, name.data, name.len); /* as checked */
    peer->name[name.len] = '\0';
}

static void on_hello(core_t *core, peer_t *peer, const message_hello_t *hello)
{
    const char *text = "";
    const char *fault = check_hello(core, peer, hello, &text);

    if (!has_role(peer)) {
        set_name(peer, hello->name); /* of whom else would a fault be told? */
    }
    if (fault != NULL) {
        peer_fault(core, peer, fault, text);
        return;
    }
    peer_t *former = peers_find_boot(core, peer, hello->boot);
    if (former != NULL && former->principal != peer->principal) {
        peer_fault(core, peer, "boot",
                   "a peer with another key has that boot id");
        return;
    }
    bool returned = former != NULL && returns_take(core, former, peer, hello);
    if (former != NULL) { /* it has come back on another connection */
        end_role(core, former);
        peer_doom(core, former, "greeted anew");
    }
    if (has_role(peer) && (!wire_is(hello->boot, peer->boot) ||
                           !wire_is(hello->role, role_of(peer)))) {
        end_role(core, peer);
    }
    set_name(peer, hello->name);
    peer->liveness_ms = liveness_of(core, hello);
    if (wire_is(hello->role, "gateway") &&
        wire_map_bool(hello->options, "presence", false)) {
        watch_expect(core);
    }
    if (!has_role(peer) && start_role(core, peer, hello) < 0) {
        return;
    }
    welcome(core, peer, hello, returned);
    if (returned) {
        returns_welcomed(core, former, peer);
    }
    if (core->is_draining) {
        ask_to_drain(core, peer);
    }
}

/* --- messages ------------------------------------------------------------ */

/* By a transport that broke, and before that: all of it counts as lost. */
static void on_last_word(core_t *core, peer_t *peer, const message_t *message)
{
    if (message->kind == KIND_BYE) {
        peer_doom(core, peer, "bye");
    }
}

static void on_message(core_t *core, peer_t *peer, const message_t *message)
{
    if (peer->cut_ms != 0) {
        on_last_word(core, peer, message);
        return;
    }
    if (message->kind == KIND_HELLO) {
        on_hello(core, peer, &message->hello);
        return;
    }
    if (!has_role(peer)) {
        ask_who(core, peer);
        return;
    }
    if (message->kind == KIND_PING) {
        const message_pong_t pong = {message->ping.number};
        peer_sent(core, peer, message_put_pong(peer_out(core, peer), &pong));
        return;
    }
    bool was_expected = peer->worker != NULL
                            ? worker_message(core, peer, message)
                            : gateway_message(core, peer, message);
    if (!was_expected) {
        core->stats.unexpected++;
        peer_fault(core, peer, "unexpected", message_kind_name(message->kind));
    }
}

static void on_malformed(core_t *core, peer_t *peer, const char *text)
{
    core->stats.malformed++;
    peer_fault(core, peer, "malformed", text);
}

/* The next of a frame, as message_decode has read it. */
typedef struct {
    int got;
    message_t message;
} read_t;

static void take(core_t *core, peer_t *peer, const read_t *read)
{
    if (read->got > 0) {
        on_message(core, peer, &read->message);
    } else if (read->got == -ENOTSUP) {
        core->stats.unexpected++;
        peer_error(core, peer, "unknown-kind", "the message was skipped");
    } else {
        on_malformed(core, peer,
                     read->got == -EPROTO
                         ? "the message was skipped"
                         : "the rest of the frame was ignored");
    }
}

static size_t read_batch(wire_cursor_t *in, read_t batch[CONNS_AHEAD])
{
    size_t count = 0;

    for (; count < CONNS_AHEAD && !wire_at_end(in); count++) {
        batch[count].got = message_decode(in, &batch[count].message);
    }
    return count;
}

static void expect(const gateway_t *gateway, const read_t *batch, size_t count)
{
    uint32_t slots[CONNS_AHEAD];
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        const message_t *message = &batch[i].message;
        if (batch[i].got > 0 && message->kind == KIND_REQUEST) {
            slots[used++] = conn_id_slot(message->request.conn.data);
        }
    }
    conns_expect(gateway, slots, used);
}

/*
 * Some messages are read before the first of them is handled: where there are
 * more connections than the caches hold, what is known of those is fetched
 * while they are read, and not waited for one after the other.
 */
static void read_frame(core_t *core, peer_t *peer, wire_bytes_t frame)
{
    wire_cursor_t in = wire_cursor(frame);
    read_t batch[CONNS_AHEAD];
    size_t count;

    while (!peer_is_doomed(peer) && (count = read_batch(&in, batch)) > 0) {
        if (peer->gateway != NULL) {
            expect(peer->gateway, batch, count);
        }
        for (size_t i = 0; i < count && !peer_is_doomed(peer); i++) {
            take(core, peer, &batch[i]);
        }
    }
}

/* By its own word, or was it lost? */
static bool said_bye(const peer_t *peer)
{
    return strcmp(peer->doom, "bye") == 0;
}

static void reap_doomed(core_t *core)
{
    list_t *link;

    while ((link = list_take(&core->doomed)) != NULL) {
        peer_t *peer = list_entry(link, peer_t, doomed);
        if (returns_keep(core, peer)) {
            continue;
        }
        if (has_role(peer)) {
            log_info("PEER-LOST", "role=%s name=%s reason=\"%s\"",
                     role_of(peer), peer->name, peer->doom);
            core->stats.peers_lost += !said_bye(peer);
        }
        if (peer->worker != NULL && !said_bye(peer)) {
            siblings_doubt(core, peer->worker);
        }
        end_role(core, peer);
        peer_flush(core, peer); /* a BYE or ERROR that it should still get */
        peers_remove(core, peer);
    }
}

/* The ROUTER has given the name of one that is gone to another, before we
 * noticed: what was for the former is not for that one. */
static void end_former(core_t *core, peer_t *former)
{
    former->is_mute = true;
    peer_doom(core, former, "its transport is gone");
    reap_doomed(core);
}

static peer_t *find_or_add(core_t *core, const origin_t *origin)
{
    peer_t *peer = peers_find(core, origin->side, origin->id, origin->id_len);

    if (peer != NULL && peer->principal != origin->principal) {
        end_former(core, peer);
        peer = NULL;
    }
    return peer != NULL ? peer : peers_add(core, origin);
}

void core_frame(core_t *core, const origin_t *origin, const void *frame,
                size_t len)
{
    peer_t *peer = find_or_add(core, origin);

    if (peer == NULL) {
        return;
    }
    peer->last_heard_ms = core->now_ms;
    if (len != 0) {
        read_frame(core, peer, (wire_bytes_t){frame, len});
    }
    if (peer->worker != NULL && !peer_is_doomed(peer)) {
        dispatch_feed(core,
                      peer->worker); /* all that its replies made room for */
    }
    reap_doomed(core);
}

void core_malformed(core_t *core, const origin_t *origin)
{
    peer_t *peer = find_or_add(core, origin);

    if (peer != NULL) {
        on_malformed(core, peer, "a message of this protocol has one part");
        reap_doomed(core);
    }
}

void core_revoke(core_t *core, side_t side, may_stay_fn *may_stay, void *user)
{
    list_foreach(link, &core->peers) {
        peer_t *peer = list_entry(link, peer_t, linked);
        if (peer->side == side && !peer_is_doomed(peer) &&
            !may_stay(user, side, peer->principal)) {
            peer_sent(core, peer,
                      message_put_bare(peer_out(core, peer), KIND_BYE));
            peer_doom(core, peer, "its key is not allowed any more");
        }
    }
    reap_doomed(core);
}

void core_refused_handshake(core_t *core)
{
    core->stats.handshakes_refused++;
}

void core_refused_frame(core_t *core)
{
    core->stats.revoked++;
}

/* --- turns --------------------------------------------------------------- */

/*
 * We stood still for a while (SIGSTOP, a suspended machine) and may not have
 * read what was said meanwhile: that was our silence, not the peers'.
 */
static void forgive_silence(core_t *core, int64_t pause_ms)
{
    list_foreach(link, &core->peers) {
        peer_t *peer = list_entry(link, peer_t, linked);
        peer->last_heard_ms += pause_ms;
        peer->cut_ms += peer->cut_ms != 0 ? pause_ms : 0;
        if (peer->worker != NULL) {
            peer->worker->doubted_ms += pause_ms;
        }
    }
}

void core_begin(core_t *core, int64_t now_us)
{
    int64_t pause_ms = now_us / 1000 - core->now_ms;

    core->now_us = now_us;
    core->now_ms = now_us / 1000;
    if (pause_ms >= CORE_PAUSE_MS) {
        log_warn("BROKER-PAUSED", "ms=%lld", (long long)pause_ms);
        forgive_silence(core, pause_ms);
    }
}

static void expire_requests(core_t *core)
{
    wheel_node_t *node;

    while ((node = wheel_take(&core->wheel, core->now_ms)) != NULL) {
        dispatch_timeout(core, list_entry(node, request_t, deadline));
    }
}

static void tick(core_t *core)
{
    if (core->now_ms - core->ticked_ms < TICK_MS) {
        return;
    }
    core->ticked_ms = core->now_ms;
    dispatch_tick(core);
    keeper_turn(core);
    sweep_turn(core);
    live_turn(core);
    pushes_tick(core);
    list_foreach(link, &core->peers) {
        peer_t *peer = list_entry(link, peer_t, linked);
        if (core->now_ms - peer->last_heard_ms > peer->liveness_ms) {
            peer_doom(core, peer, "silent");
        } else if (returns_is_late(core, peer)) {
            peer_doom(core, peer, PEER_UNREACHABLE);
        } else if (peer->worker != NULL &&
                   siblings_is_late(core, peer->worker)) {
            peer_doom(core, peer, "does not answer");
        }
    }
    reap_doomed(core);
}

static void flush_all(core_t *core)
{
    list_foreach_safe(link, &core->dirty) {
        peer_t *peer = list_entry(link, peer_t, dirty);
        pushes_settle(core, peer);
        peer_flush(core, peer);
    }
}

void core_end(core_t *core)
{
    expire_requests(core);
    tick(core);
    sweep_step(core);
    watch_step(core);
    siblings_ask(core);
    flush_all(core);
    /* What the end of an unreachable peer makes leaves in the same turn. */
    while (!list_is_empty(&core->doomed)) {
        reap_doomed(core);
        siblings_ask(core);
        flush_all(core);
    }
}

int core_revive(core_t *core, const letter_t *letter)
{
    return dispatch_letter(core, letter);
}

void core_count_spans(core_t *core, uint64_t exported, uint64_t dropped)
{
    core->stats.spans_exported = exported;
    core->stats.spans_dropped = dropped;
}

void core_lost_letter(core_t *core)
{
    core->stats.dead_lost++;
}

bool core_is_parked(const core_t *core)
{
    return !list_is_empty(&core->dirty);
}

void core_probe(core_t *core)
{
    list_foreach(link, &core->peers) {
        peer_probe(core, list_entry(link, peer_t, linked));
    }
    reap_doomed(core);
}

void core_drain(core_t *core)
{
    core->is_draining = true;
    list_foreach(link, &core->peers) {
        ask_to_drain(core, list_entry(link, peer_t, linked));
    }
    flush_all(core);
}

/* DISCONNECTs and PRESENCEs of gateways that nobody serves now: they are said
 * again to our successor. */
static uint64_t count_stranded(const core_t *core)
{
    uint64_t count = 0;

    list_foreach(link, &core->stranded) {
        const conn_t *conn = list_entry(link, conn_t, queued);
        const request_t *first =
            list_entry(list_peek(&conn->waiting), request_t, link);
        count += !event_is_counted(first->event) && !first->is_answered;
    }
    return count;
}

bool core_is_drained(const core_t *core)
{
    list_foreach(link, &core->gateways) {
        const gateway_t *gateway = list_entry(link, gateway_t, linked);
        if (gateway->peer != NULL && !gateway->is_drained) {
            return false;
        }
    }
    return !core_is_parked(core) && keeper_is_idle(core) &&
           core->stats.requests <= count_stranded(core);
}

void core_stop(core_t *core)
{
    list_foreach(link, &core->peers) {
        peer_t *peer = list_entry(link, peer_t, linked);
        peer_sent(core, peer, message_put_bare(peer_out(core, peer), KIND_BYE));
    }
    flush_all(core);
}

const broker_stats_t *core_stats(core_t *core)
{
    return &core->stats;
}

/* --- start and end ------------------------------------------------------- */

/* What peers still say to a broker that was here before names nothing of ours;
 * and everybody's numbers hold all of an id, JavaScript's too. */
static void seed_ids(core_t *core)
{
    uint64_t seed = hash_bytes(core->boot, strlen(core->boot));

    requests_init(&core->requests, seed);
    core->next_question = core->next_handle = seed >> 16;
}

core_t *core_new(const broker_options_t *options, const char *boot,
                 const core_ops_t *ops, void *user, store_t *store,
                 int64_t now_ms)
{
    core_t *core = xcalloc(1, sizeof *core);

    core->options = *options;
    core->ops = *ops;
    core->user = user;
    core->store = store;
    core->now_ms = core->born_ms = now_ms;
    core->now_us = now_ms * 1000;
    core->ticked_ms = now_ms;
    core->disconnect_gone_ms = now_ms - DISCONNECT_MS; /* nobody ever did */
    memcpy(core->boot, boot, strnlen(boot, BOOT_ID_MAX));
    list_init(&core->nobody.linked);
    list_init(&core->nobody.targeted);
    core->handles =
        (uint64_t)options->max_workers + (uint64_t)managers_max(core);
    core->workers = xcalloc((size_t)core->handles, sizeof(worker_t *));
    keeper_init(core);
    sweep_init(core);
    queries_init(core);
    interests_init(core);
    wheel_init(&core->wheel, now_ms);
    seed_ids(core);
    must(table_init(&core->routes, ROUTE_BUCKETS) == 0);
    traffic_init(&core->traffic);
    buf_init(&core->scratch, SCRATCH_MAX);
    list_t *heads[] = {&core->peers,    &core->dirty,    &core->doomed,
                       &core->gateways, &core->credited, &core->crews,
                       &core->deserted, &core->stranded, &core->unasked};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        list_init(heads[i]);
    }
    for (int i = 0; i < PEER_BUCKETS; i++) {
        list_init(&core->peer_buckets[i]);
        list_init(&core->boot_buckets[i]);
        list_init(&core->process_buckets[i]);
    }
    for (int i = 0; i < LOOP_BUCKETS; i++) {
        list_init(&core->loop_buckets[i]);
    }
    return core;
}

static int drop_frame(void *user, side_t side, const uint8_t *id, size_t id_len,
                      const uint8_t *frame, size_t len)
{
    (void)user;
    (void)side;
    (void)id;
    (void)id_len;
    (void)frame;
    (void)len;
    return 0;
}

/* Gateways first: then workers' deaths are the end of the last requests. */
static void end_side(core_t *core, side_t side)
{
    list_foreach(link, &core->peers) {
        peer_t *peer = list_entry(link, peer_t, linked);
        if (peer->side == side) {
            list_remove(&peer->doomed); /* nobody is waited for any more */
            peer->doom = NULL;
            peer_doom(core, peer, "the broker ends");
        }
    }
    reap_doomed(core);
}

void core_destroy(core_t **core_p)
{
    core_t *core = *core_p;

    if (core == NULL) {
        return;
    }
    core->ops.send = drop_frame;
    queries_fini(core);
    sweep_fini(core);
    keeper_fini(core);
    end_side(core, SIDE_GATEWAYS);
    end_side(core, SIDE_WORKERS);
    core->options.route_grace_ms = 0; /* no worker comes any more */
    dispatch_tick(core);
    core->disconnect_gone_ms = core->now_ms - DISCONNECT_MS;
    dispatch_tick(core);
    must(list_is_empty(&core->stranded) && core->nobody.conns == 0);
    pushes_fini(core);
    interests_fini(core);
    requests_fini(&core->requests);
    must(core->routes.count == 0);
    table_fini(&core->routes);
    traffic_fini(&core->traffic);
    buf_fini(&core->scratch);
    free(core->workers);
    free(core);
    *core_p = NULL;
}

const traffic_t *core_traffic(const core_t *core)
{
    return &core->traffic;
}
