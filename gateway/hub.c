/* SPDX-License-Identifier: MIT */
#include "gateway/hub.h"

#include "base/rand.h"
#include "base/xalloc.h"
#include "gateway/admitting.h"
#include "gateway/answering.h"
#include "gateway/busiest.h"
#include "gateway/delivery.h"
#include "gateway/listing.h"
#include "gateway/placement.h"
#include "gateway/presence.h"
#include "gateway/standing.h"
#include "gateway/telling.h"
#include "gateway/throttle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY   256
#define SLOTS_MAX        (CONN_ID_SLOT_MAX + 1)
#define REQUEST_OVERHEAD 512  /* bytes of a REQUEST beside body and details */
#define DRAINED_AT_ONCE  64   /* sessions: a few need no patience */
#define RESUMES_PER_TURN 1024 /* sessions woken when room comes back */

/* --- the table --------------------------------------------------------- */

static int grow(hub_t *self)
{
    uint32_t capacity =
        self->capacity > 0 ? self->capacity * 2 : FIRST_CAPACITY;
    if (capacity > SLOTS_MAX) {
        return -ENOBUFS;
    }
    session_t **table = realloc(self->table, capacity * sizeof(session_t *));
    if (table == NULL) {
        return -ENOMEM;
    }
    self->table = table;
    uint16_t *generation =
        realloc(self->generation, capacity * sizeof *generation);
    if (generation == NULL) {
        return -ENOMEM;
    }
    self->generation = generation;
    uint32_t *slots = realloc(self->free_slots, capacity * sizeof *slots);
    if (slots == NULL) {
        return -ENOMEM;
    }
    self->free_slots = slots;
    for (uint32_t i = self->capacity; i < capacity; i++) {
        table[i] = NULL;
        generation[i] = 0;
    }
    self->capacity = capacity;
    return 0;
}

static int take_slot(hub_t *self, uint32_t *slot)
{
    if (self->free_count > 0) {
        *slot = self->free_slots[--self->free_count];
        return 0;
    }
    if (self->used == self->capacity) {
        int rc = grow(self);
        if (rc < 0) {
            return rc;
        }
    }
    *slot = self->used++;
    return 0;
}

session_t *hub_find_slot(const hub_t *self, uint32_t slot, uint16_t generation)
{
    session_t *session = slot < self->used ? self->table[slot] : NULL;

    return session != NULL && session->id.generation == generation ? session
                                                                   : NULL;
}

session_t *hub_find(const hub_t *self, const conn_id_t *id)
{
    session_t *session = hub_find_slot(self, id->slot, id->generation);

    return session != NULL && conn_id_equal(&session->id, id) ? session : NULL;
}

session_t *hub_find_conn(const hub_t *self, wire_bytes_t conn)
{
    conn_id_t id;

    return conn_id_parse(conn.data, conn.len, &id) < 0 ? NULL
                                                       : hub_find(self, &id);
}

void hub_release(hub_t *self, session_t *session)
{
    uint32_t slot = session->id.slot;

    must(self->table[slot] == session);
    self->table[slot] = NULL;
    self->free_slots[self->free_count++] = slot;
    self->sessions--;
    session_retire(session);
    list_append(&self->dead, &session->dirty);
}

/* A session may end deep inside a call of its own (a write that fails, say),
 * so memory goes at the end of turn. */
static void reap(hub_t *self)
{
    for (list_t *node; (node = list_take(&self->dead)) != NULL;) {
        session_t *session = list_entry(node, session_t, dirty);
        session_fini(session);
        free(session);
    }
}

void hub_touch(hub_t *self, session_t *session)
{
    if (session->sock != NULL && list_is_empty(&session->dirty)) {
        list_append(&self->dirty, &session->dirty);
    }
}

/* --- from the transport ------------------------------------------------ */

static session_t *add_session(hub_t *self)
{
    uint32_t slot;

    if (take_slot(self, &slot) < 0) {
        self->stats.handshakes_refused++;
        return NULL;
    }
    session_t *session = calloc(1, sizeof *session);
    if (session == NULL) {
        self->free_slots[self->free_count++] = slot;
        return NULL;
    }
    self->table[slot] = session;
    self->sessions++;
    self->stats.sockets++;
    self->stats.sockets_accepted++;
    session->hub = self;
    session->id = (conn_id_t){.loop = self->loop,
                              .slot = slot,
                              .generation = ++self->generation[slot],
                              .random = rand_u32()};
    return session;
}

static void *on_opened(void *owner, const ip_t *from)
{
    hub_t *self = owner;
    source_t *source;

    if (!admitting_socket(self, from, &source)) {
        return NULL;
    }
    session_t *session = add_session(self);
    if (session == NULL) {
        admission_leave(&self->admission, source);
        return NULL;
    }
    session->source = source;
    session_init(session, from);
    return session;
}

static void on_unproxied(void *owner, const ip_t *peer, const char *reason)
{
    hub_t *self = owner;
    char ip[IP_TEXT];

    ip_format(peer, ip);
    self->stats.unproxied++;
    log_braked_from(&self->refusals.proxy, ip, LEVEL_WARN,
                    "GATEWAY-PROXY-REFUSED", "ip=%s reason=\"%s\"", ip, reason);
}

static void on_tls_failed(void *user, const char *by, const char *reason)
{
    session_t *session = user;
    hub_t *self = session->hub;

    self->stats.tls_failed++;
    log_braked_from(&self->refusals.tls, session->ip, LEVEL_INFO,
                    "GATEWAY-TLS-FAILED", "ip=%s by=%s reason=\"%s\"",
                    session->ip, by, reason);
}

static void on_bound(void *user, transport_sock_t *sock)
{
    session_t *session = user;
    session->sock = sock;
}

static void on_received(void *user, uint8_t *bytes, size_t len)
{
    session_received(user, bytes, len);
}

static void on_drained(void *user)
{
    session_drained(user);
}

static void on_closed(void *user)
{
    session_closed(user);
}

const transport_ops_t hub_transport_ops = {
    .opened = on_opened,
    .unproxied = on_unproxied,
    .tls_failed = on_tls_failed,
    .bound = on_bound,
    .received = on_received,
    .drained = on_drained,
    .closed = on_closed,
};

/* --- from a broker --------------------------------------------------- */

static void take_reply(hub_t *self, link_t *link, const message_reply_t *reply)
{
    link_request_t request;

    int rc = link_take(link, reply->id, &request);
    if (rc < 0) {
        self->stats.replies_unknown += rc == -ENOENT;
        return;
    }
    trips_end(self, &request, reply->status);
    session_t *session = hub_find_slot(self, request.origin.slot,
                                       request.origin.conn_generation);
    if (session == NULL) {
        return; /* it ended meanwhile; nobody is there to be told */
    }
    delivery_catch_up(session);
    switch (request.event) {
    case EVENT_CONNECT:
        session_connect_reply(session, reply);
        return;
    case EVENT_MESSAGE:
        session_message_reply(session, reply, reply->id, request.size);
        return;
    case EVENT_PRESENCE:
        presence_reply(session, reply->status);
        return;
    default:
        session_disconnect_reply(session);
        return;
    }
}

void hub_put_gone_to(hub_t *self, link_t *link, wire_bytes_t conn,
                     uint64_t from)
{
    message_gone_t gone = {conn, from};

    if (message_put_gone(&link->out, &gone) < 0) {
        log_braked(&self->brake, LEVEL_WARN, "GATEWAY-GONE-LOST", "conn=%.*s",
                   (int)conn.len, (const char *)conn.data);
        return;
    }
    self->stats.gone++;
}

/* NULL: it is gone. */
static link_t *find_link(const hub_t *self, uint32_t serial)
{
    for (size_t i = 0; i < self->link_count; i++) {
        if (self->links[i]->serial == serial) {
            return self->links[i];
        }
    }
    return NULL;
}

void hub_put_gone(hub_t *self, const session_t *session, pusher_t pusher)
{
    char conn[CONN_ID_TEXT];
    link_t *link = find_link(self, pusher.link);

    conn_id_format(&session->id, conn);
    /* While the list goes to a broker that forgot us nobody knows the sender.
     */
    if (link != NULL && link->state != LINK_LISTING) {
        hub_put_gone_to(self, link,
                        (wire_bytes_t){(const uint8_t *)conn, sizeof conn},
                        pusher.from);
    }
}

void hub_malformed(hub_t *self, const char *text)
{
    self->stats.broker_malformed++;
    log_braked(&self->brake, LEVEL_WARN, "GATEWAY-BROKER-MALFORMED",
               "text=\"%s\"", text);
}

static void take_message(hub_t *self, link_t *link, const message_t *message)
{
    switch (message->kind) {
    case KIND_REPLY:
        take_reply(self, link, &message->reply);
        return;
    case KIND_PUSH:
        delivery_push(self, link, &message->push);
        return;
    case KIND_JOIN:
    case KIND_LEAVE:
        delivery_join(self, link, message->kind, &message->join);
        return;
    case KIND_CLOSE:
        delivery_close(self, link, &message->close);
        return;
    case KIND_WATCH:
        link->watches++;
        presence_watch(self, link, message->watch.presence);
        return;
    case KIND_QUERY:
        answering_query(self, link, &message->query);
        return;
    case KIND_WELCOME:
        standing_welcomed(self, link, &message->welcome);
        return;
    case KIND_WHO:
        standing_asked(self, link);
        return;
    case KIND_PONG:
        link_pong(link, &message->pong);
        return;
    case KIND_BYE:
        standing_left(self, link);
        return;
    case KIND_DRAIN:
        standing_drains(self, link);
        return;
    case KIND_ERROR:
        standing_refused(self, link, &message->error);
        return;
    default:
        return;
    }
}

void hub_frame(hub_t *self, link_t *link, const uint8_t *bytes, size_t len)
{
    wire_cursor_t frame = wire_cursor((wire_bytes_t){bytes, len});
    message_t message;
    int rc;

    link->last_heard_ms = self->now_ms;
    link->broken_ms = 0;
    link->missing.has_heard |= len > 0;
    while ((rc = message_decode(&frame, &message)) != 0) {
        if (rc == 1) {
            take_message(self, link, &message);
        } else if (rc == -EPROTO) {
            hub_malformed(self, "a message was skipped");
        } else if (rc != -ENOTSUP) {
            hub_malformed(self, "the rest of the frame was ignored");
        }
    }
}

void hub_broken(hub_t *self, link_t *link)
{
    link_broke(link, self->now_ms);
}

/* --- turns ------------------------------------------------------------- */

void hub_begin(hub_t *self, int64_t now_us, int64_t now_wall_ms)
{
    int64_t now_ms = now_us / 1000, pause_ms = now_ms - self->now_ms;

    self->now_us = now_us;
    self->now_ms = now_ms;
    self->now_wall_ms = now_wall_ms;
    if (pause_ms >= HUB_PAUSE_MS) {
        log_warn("GATEWAY-PAUSED", "ms=%lld", (long long)pause_ms);
        for (size_t i = 0; i < self->link_count; i++) { /* it was ours */
            if (self->links[i]->last_heard_ms > 0) {
                self->links[i]->last_heard_ms += pause_ms;
            }
            self->links[i]->last_stood_ms += pause_ms;
            if (self->links[i]->broken_ms > 0) {
                self->links[i]->broken_ms += pause_ms;
            }
        }
    }
}

static void run_timers(hub_t *self)
{
    for (wheel_node_t *node;
         (node = wheel_take(&self->wheel, self->now_ms)) != NULL;) {
        session_tick(list_entry(node, session_t, timer));
    }
}

/* Wake those that wait for room, in the order they came, while there is. */
static void resume_waiting(link_t *link)
{
    for (int i = 0; i < RESUMES_PER_TURN && link_has_room(link); i++) {
        list_t *node = list_take(&link->waiting);
        if (node == NULL) {
            return;
        }
        link->is_feeding = true;
        session_resume(list_entry(node, session_t, wait));
        link->is_feeding = false;
    }
}

bool hub_is_busy(const hub_t *self)
{
    for (size_t i = 0; i < self->link_count; i++) {
        const link_t *link = self->links[i];
        if (!list_is_empty(&link->waiting) && link_has_room(link) &&
            link->out.len == 0) {
            return true;
        }
    }
    return false;
}

static void flush(hub_t *self)
{
    for (list_t *node; (node = list_take(&self->dirty)) != NULL;) {
        session_flush(list_entry(node, session_t, dirty));
    }
}

void hub_manage(hub_t *self, hub_ask_fn *ask, void *user)
{
    self->ask = ask;
    self->ask_user = user;
}

void hub_trace(hub_t *self, span_fn *put, void *user)
{
    self->tracing.put = put;
    self->tracing.user = user;
}

void hub_drain(hub_t *self)
{
    self->is_draining = true;
    self->drain_from_ms = self->now_ms;
    self->drain_slots = self->used;
    self->drained = 0;
}

/*
 * Clients come back as soon as they are closed, so they are not closed all at
 * once, but spread over the first half of the time: each when its requests are
 * answered, and at three quarters of the time whoever is left.
 */
static void drain_some(hub_t *self)
{
    int64_t elapsed_ms = self->now_ms - self->drain_from_ms;
    int64_t time_ms = self->options.drain_ms + 1;
    int64_t share = (int64_t)self->drain_slots * 2 * elapsed_ms / time_ms;
    bool is_late = 4 * elapsed_ms >= 3 * time_ms;

    if (is_late) { /* those who came meanwhile, too */
        self->drained = 0;
        self->drain_slots = self->used;
        share = self->used;
    }
    for (; self->drained < self->drain_slots &&
           (int64_t)self->drained < share + DRAINED_AT_ONCE;
         self->drained++) {
        session_t *session = self->table[self->drained];
        if (session != NULL && session->state <= SESSION_OPEN) {
            session_close_when_answered(session, is_late);
        }
    }
}

void hub_end(hub_t *self)
{
    for (size_t i = 0; i < self->link_count; i++) {
        standing_step(self, self->links[i]);
        listing_step(self, self->links[i]);
    }
    placement_step(self);
    if (self->is_draining) {
        drain_some(self);
    }
    run_timers(self);
    for (size_t i = 0; i < self->link_count; i++) {
        resume_waiting(self->links[i]);
    }
    delivery_step(self);
    busiest_step(self);
    admission_step(&self->admission, self->now_ms);
    self->stats.addresses = self->admission.table.count;
    flush(self);
    reap(self);
    telling_flush(self);
    presence_step(self);
    for (size_t i = 0; i < self->link_count; i++) {
        telling_step(self, self->links[i]);
        link_settle(self->links[i], self->now_ms);
    }
}

bool hub_is_empty(const hub_t *self)
{
    return self->sessions == 0;
}

/* --- start and end ----------------------------------------------------- */

static uint64_t largest_request(const gateway_options_t *options)
{
    uint64_t message =
        options->max_message > 0 && options->max_message < WS_MESSAGE_CEILING
            ? (uint64_t)options->max_message
            : WS_MESSAGE_CEILING;
    uint64_t connect = CONTEXT_MAX + DETAILS_MAX;
    return REQUEST_OVERHEAD + (message > connect ? message : connect);
}

hub_t *hub_new(const gateway_options_t *options, int64_t now_ms, char *error,
               size_t error_size)
{
    hub_t *self = xcalloc(1, sizeof *self);

    self->options = *options;
    self->now_ms = self->born_ms = self->busiest.began_ms = now_ms;
    self->now_us = now_ms * 1000;
    tracing_init(&self->tracing, options->trace_sample, options->trace_trust);
    list_init(&self->dirty);
    list_init(&self->dead);
    wheel_init(&self->wheel, now_ms);
    list_init(&self->unplaced);
    list_init(&self->bodies);
    self->loop = rand_u32() & CONN_ID_LOOP_MAX;
    self->reserve = largest_request(options);
    rand_hex(self->boot);
    delivery_init(self);
    presence_init(self);
    admitting_init(self);
    self->message_rate =
        throttle_rate(options->message_rate, options->message_burst);
    self->byte_rate = throttle_rate(options->byte_rate, options->byte_burst);
    if (route_expr_compile(options->route_selection_expression,
                           &self->route_expr, error, error_size) < 0) {
        goto fail;
    }
    if (!options->proxy_protocol &&
        ip_nets_parse(options->trusted_proxies, &self->proxies) < 0) {
        snprintf(error, error_size, "no list of networks: %s",
                 options->trusted_proxies);
        goto fail;
    }
    if (options->static_dir[0] != '\0') {
        self->files = static_files_new(options->static_dir);
        if (self->files == NULL) {
            snprintf(error, error_size, "cannot open the directory %s: %s",
                     options->static_dir, strerror(errno));
            goto fail;
        }
    }
    return self;
fail:
    hub_destroy(&self);
    return NULL;
}

void hub_destroy(hub_t **self_p)
{
    hub_t *self = *self_p;

    if (self == NULL) {
        return;
    }
    *self_p = NULL;
    for (uint32_t slot = 0; slot < self->used; slot++) {
        if (self->table[slot] != NULL) {
            hub_release(self, self->table[slot]);
        }
    }
    reap(self);
    delivery_fini(self);
    admission_fini(&self->admission);
    free(self->table);
    free(self->generation);
    free(self->free_slots);
    free(self->origins);
    farewells_fini(&self->farewells);
    static_files_destroy(&self->files);
    route_expr_destroy(&self->route_expr);
    for (size_t i = 0; i < self->link_count; i++) {
        link_fini(self->links[i]);
        free(self->links[i]);
    }
    free(self);
}
