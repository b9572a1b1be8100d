/* SPDX-License-Identifier: MIT
 *
 * The open WebSocket: messages to the broker, replies and pushes to the
 * client, windows, pings, closing.  What comes before 101 is in opening.c.
 *
 * Back-pressure.  Before each message is read from the bytes at hand the
 * windows are looked at; when one is spent the rest of the bytes stays in
 * `in`, the socket is not read, and TCP pushes back to the client.
 */
#include "gateway/session.h"

#include "base/xalloc.h"
#include "gateway/delivery.h"
#include "gateway/error_frame.h"
#include "gateway/hub.h"
#include "gateway/opening.h"
#include "gateway/placement.h"
#include "gateway/presence.h"
#include "gateway/throttle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINGER_MS        3000              /* for the client's last bytes … */
#define LINGER_BYTES     262144            /* … which are so many at most */
#define OUT_KEEP         16384             /* bytes allocated between turns */
#define OUT_MAX          ((size_t)1 << 30) /* bytes; out_hard is checked before */
#define CLOSE_GOING_AWAY 1001
#define CLOSE_ABNORMAL   1006
#define CLOSE_TRY_LATER  1013

_Static_assert(offsetof(session_t, member) + sizeof(uint64_t) <= 240,
               "what a message touches is in four lines, from where malloc "
               "lets it begin");

static const char default_route[] = "$default";
static const wire_bytes_t nothing;

/* --- life -------------------------------------------------------------- */

/* It may become a connection: a broker is at its CONNECT, even where its client
 * has left, or is to be. */
static bool is_asking(const session_t *self)
{
    return self->state == SESSION_WAITING || self->state == SESSION_GATED ||
           self->is_connecting;
}

/* Put the session's share in the gauges (by 1) or take it out (by -1). */
static void count(const session_t *self, int by)
{
    hub_t *hub = self->hub;
    uint64_t one = (uint64_t)(int64_t)by;

    if (self->state < SESSION_OPEN) {
        hub->handshakes += one;
    }
    if (is_asking(self)) {
        hub->gated += one;
        admission_count(self->source, by);
    }
    if (self->state == SESSION_BODY || self->state == SESSION_ASKED) {
        hub->managing += one;
    }
    if (self->state == SESSION_OPEN) {
        hub->stats.connections += one;
        admission_count(self->source, by);
    }
    if (self->state == SESSION_LINGERING) {
        hub->lingering += one;
    }
}

void session_enter(session_t *self, session_state_t state)
{
    count(self, -1);
    self->state = state;
    count(self, 1);
}

/* Its address gets its share back when nothing of it stands, be it a socket or
 * a CONNECT: who opens and leaves has as much at the broker as who stays. */
static void leave_source(session_t *self)
{
    if (self->sock == NULL && !self->is_connecting) {
        admission_leave(&self->hub->admission, self->source);
        self->source = NULL;
    }
}

void session_end_connect(session_t *self)
{
    count(self, -1);
    self->is_connecting = false;
    count(self, 1);
    leave_source(self);
}

void session_locate(session_t *self, const ip_t *client)
{
    self->address = *client;
    ip_format(client, self->ip);
}

void session_init(session_t *self, const ip_t *from)
{
    const gateway_options_t *options = &self->hub->options;
    int64_t now_ms = self->hub->now_ms;

    self->state = SESSION_HEAD;
    count(self, 1);
    list_init(&self->dirty);
    list_init(&self->wait);
    list_init(&self->move);
    list_init(&self->touched);
    member_init(&self->member);
    wheel_node_init(&self->timer);
    buf_init(&self->in, opening_in_max(options));
    buf_init(&self->out, OUT_MAX);
    ws_reader_init(&self->reader, options->max_frame, options->max_message);
    self->opened_ms = self->heard_ms = self->message_ms = now_ms;
    self->peer = *from;
    session_locate(self, from);
    opening_await(self);
}

void session_retire(session_t *self)
{
    list_remove(&self->dirty);
    list_remove(&self->wait);
    list_remove(&self->move);
    list_remove(&self->touched);
    delivery_end(self);
    wheel_cancel(&self->hub->wheel, &self->timer);
}

void session_fini(session_t *self)
{
    ws_reader_fini(&self->reader);
    buf_fini(&self->in);
    buf_fini(&self->out);
    early_destroy(&self->early);
    presence_fini(self);
    free(self->end_reason);
    free(self->context);
    free(self->trace);
}

void session_settle(session_t *self)
{
    if (self->is_known && self->is_ending) {
        session_resume(self);
    } else if (self->sock == NULL && !self->is_connecting && !self->is_known) {
        hub_release(self->hub, self);
    }
}

/* Whoever pushed to it while $connect decided learns that it never stood. */
static void discard_early(session_t *self)
{
    pusher_t pusher;

    while (early_take_sender(self->early, &pusher)) {
        hub_put_gone(self->hub, self, pusher);
    }
    early_destroy(&self->early);
}

/* Nothing more is taken from the client. */
static void leave(session_t *self, session_state_t state)
{
    session_enter(self, state);
    list_remove(&self->wait);
    buf_reset(&self->in, 0);
    delivery_end(self);
    discard_early(self);
}

/* The broker is to learn how it ended; once. */
static void end(session_t *self, uint16_t code, wire_bytes_t reason)
{
    if (self->is_ending) {
        return;
    }
    self->is_ending = true;
    self->end_code = code;
    if (reason.len > 0 && reason.len <= REASON_MAX &&
        (self->end_reason = malloc(reason.len)) != NULL) {
        memcpy(self->end_reason, reason.data, reason.len);
        self->end_reason_len = (uint8_t)reason.len;
    }
    if (self->is_known) {
        session_resume(self);
    }
}

void session_end(session_t *self, uint16_t code, const char *reason)
{
    end(self, code, wire_bytes(reason));
}

void session_closed(session_t *self)
{
    self->sock = NULL;
    self->hub->stats.sockets--;
    list_remove(&self->dirty);
    wheel_cancel(&self->hub->wheel, &self->timer);
    if (self->state != SESSION_LINGERING) {
        end(self, CLOSE_ABNORMAL, (wire_bytes_t){NULL, 0});
    }
    leave(self, SESSION_GONE);
    leave_source(self);
    session_settle(self);
}

/* So long the client has to read the last bytes and to end from its side: where
 * very many have, only until the turn is over in which they were written.  (Who
 * drains takes no new ones, whose descriptors these would be.) */
static int64_t linger_ms(hub_t *hub)
{
    if (hub->lingering <= GATEWAY_LINGERING_MAX || hub->is_draining) {
        return LINGER_MS;
    }
    hub->stats.lingers_cut++;
    return 1;
}

/* Finish: what is in `out` goes first, then FIN, then the client has a
 * moment to read and to end from its side. */
void session_linger(session_t *self)
{
    leave(self, SESSION_LINGERING);
    self->finishes = true;
    wheel_arm(&self->hub->wheel, &self->timer,
              self->hub->now_ms + linger_ms(self->hub));
    if (self->is_paused) {
        self->is_paused = false;
        transport_resume(self->sock);
    }
    hub_touch(self->hub, self);
}

/* --- to the client ----------------------------------------------------- */

size_t session_queued(const session_t *self)
{
    return self->out.len - self->out_at;
}

static int64_t earlier(int64_t due, int64_t start_ms, int64_t span_ms)
{
    return span_ms > 0 && start_ms + span_ms < due ? start_ms + span_ms : due;
}

/* Set the timer of an open session for the first thing that may be due. */
static void arm(session_t *self)
{
    const gateway_options_t *options = &self->hub->options;
    int64_t due = self->hub->now_ms + SESSION_TICK_MAX_MS;
    int64_t ping_ms = options->ping_ms;

    due = earlier(due, self->message_ms, options->idle_ms);
    due = earlier(due, self->heard_ms,
                  self->is_pinged ? ping_ms + options->pong_ms : ping_ms);
    if (self->stuck_ms > 0) {
        due = earlier(due, self->stuck_ms, options->out_soft_ms);
    }
    if (self->is_throttled) {
        due = earlier(due, self->hub->now_ms, throttle_wait_ms(self));
    }
    wheel_arm(&self->hub->wheel, &self->timer, due);
}

static void put_close(session_t *self, uint16_t code, wire_bytes_t reason)
{
    if (!self->is_close_sent) {
        self->is_close_sent = true;
        (void)ws_put_close(&self->out, code, reason.data, reason.len);
    }
}

void session_close(session_t *self, uint16_t code, wire_bytes_t reason)
{
    if (self->state < SESSION_OPEN) {
        opening_refuse(self, 503, NULL);
    } else if (self->state == SESSION_OPEN) {
        put_close(self, code, reason);
        end(self, code, reason);
        session_linger(self);
    }
}

static void close_with(session_t *self, uint16_t code, const char *reason)
{
    session_close(self, code, wire_bytes(reason));
}

void session_forget(session_t *self, uint16_t code, const char *reason)
{
    list_remove(&self->move);
    self->is_arriving = false;
    self->is_known = false;
    session_end_connect(self);
    self->is_ending = true;
    if (self->sock != NULL) {
        close_with(self, code, reason);
    }
    session_settle(self);
}

void session_close_when_answered(session_t *self, bool at_once)
{
    self->is_draining = true;
    if (self->state == SESSION_ASKED && !at_once) {
        return; /* its answer is the last */
    }
    if (at_once || self->state != SESSION_OPEN || self->in_flight == 0) {
        close_with(self, 1012, "service restart");
    } else {
        session_pause(self);
    }
}

/* Nothing is dropped in silence: a client that does not read is closed.  What
 * waits goes first, if it still reads, and the close frame behind it. */
static void close_slow(session_t *self)
{
    self->hub->stats.slow_closed++;
    log_braked_from(&self->hub->refusals.slow, self->ip, LEVEL_INFO,
                    "CONN-SLOW-CLOSED", "ip=%s queued=%zu", self->ip,
                    session_queued(self));
    close_with(self, CLOSE_TRY_LATER, "client reads too slowly");
}

static bool has_room(const session_t *self, size_t payload)
{
    int64_t hard = self->hub->options.out_hard;

    return hard == 0 || session_queued(self) + payload <= (size_t)hard;
}

/* Returns 0, or -ENOBUFS when the client was closed for being too slow. */
static int put_frame(session_t *self, ws_opcode_t opcode, wire_bytes_t payload)
{
    if (!has_room(self, payload.len) ||
        ws_put_frame(&self->out, opcode, payload.data, payload.len) < 0) {
        close_slow(self);
        return -ENOBUFS;
    }
    hub_touch(self->hub, self);
    return 0;
}

static int put_message(session_t *self, const body_t *body)
{
    if (self->state != SESSION_OPEN) {
        return -ENOTCONN;
    }
    int rc = put_frame(self, body->type == BODY_TEXT ? WS_TEXT : WS_BINARY,
                       body->bytes);
    if (rc == 0) {
        self->message_ms = self->hub->now_ms;
        self->hub->stats.messages_out++;
        self->messages_out++;
    }
    return rc;
}

/* A frame that was built for many. */
static int put_shared(session_t *self, const job_t *job)
{
    if (self->state != SESSION_OPEN) {
        return -ENOTCONN;
    }
    if (!has_room(self, job->len - job->head) ||
        buf_put(&self->out, job->frame, job->len) < 0) {
        close_slow(self);
        return -ENOBUFS;
    }
    self->message_ms = self->hub->now_ms;
    self->hub->stats.messages_out++;
    self->messages_out++;
    hub_touch(self->hub, self);
    return 0;
}

int session_deliver(session_t *self, const job_t *job)
{
    body_t body = {job->type, {job->frame + job->head, job->len - job->head}};
    pusher_t nobody = {.link = PUSHER_NOBODY};

    return self->state == SESSION_GATED ? opening_push(self, &body, nobody)
                                        : put_shared(self, job);
}

int session_push(session_t *self, const body_t *body, pusher_t pusher)
{
    return self->state == SESSION_GATED ? opening_push(self, body, pusher)
                                        : put_message(self, body);
}

int session_kick(session_t *self, uint16_t code, wire_bytes_t reason)
{
    if (self->state == SESSION_GATED) {
        return opening_kick(self, code, reason);
    }
    if (self->state != SESSION_OPEN) {
        return -ENOTCONN;
    }
    session_close(self, code, reason);
    return 0;
}

static void put_error_frame(session_t *self, uint64_t status, uint64_t number)
{
    char text[ERROR_FRAME_MAX];
    size_t len = error_frame_format(text, status, &self->id, number);
    body_t body = {BODY_TEXT, {(const uint8_t *)text, len}};

    if (put_message(self, &body) == 0) {
        self->hub->stats.error_frames++;
    }
}

/* In pieces that the transport holds when the kernel does not take them: so
 * what waits is known, and each `drained` is progress. */
static void write_out(session_t *self)
{
    while (session_queued(self) > 0 && self->sock != NULL &&
           transport_is_drained(self->sock)) {
        size_t len = session_queued(self);
        if (len > TRANSPORT_WRITE_MAX) {
            len = TRANSPORT_WRITE_MAX;
        }
        const uint8_t *at = self->out.data + self->out_at;
        self->out_at += len; /* before the write, which may end the session */
        self->hub->stats.bytes_out += len;
        transport_write(self->sock, at, len);
    }
    if (session_queued(self) == 0) {
        buf_reset(&self->out, OUT_KEEP);
        self->out_at = 0;
    } else if (self->out_at > self->out.len / 2) {
        buf_drop(&self->out, self->out_at);
        self->out_at = 0;
    }
}

/* The soft limit's clock runs while too much waits. */
static void watch_backlog(session_t *self)
{
    int64_t soft = self->hub->options.out_soft;
    bool is_over = self->state == SESSION_OPEN && soft > 0 &&
                   session_queued(self) >= (size_t)soft;

    if (!is_over) {
        self->stuck_ms = 0;
    } else if (self->stuck_ms == 0) {
        self->stuck_ms = self->hub->now_ms;
        arm(self);
    }
}

void session_flush(session_t *self)
{
    write_out(self);
    watch_backlog(self);
    if (self->sock != NULL && self->finishes && session_queued(self) == 0 &&
        transport_is_drained(self->sock)) {
        self->finishes = false;
        transport_shutdown(self->sock);
    }
}

void session_drained(session_t *self)
{
    session_flush(self);
}

/* --- from the client --------------------------------------------------- */

static bool may_take(const session_t *self)
{
    const gateway_options_t *options = &self->hub->options;

    return link_has_turn(self->link) && throttle_allows(self) &&
           !self->is_arriving && !self->is_leaving && !self->is_draining &&
           (options->conn_window == 0 ||
            self->in_flight < options->conn_window) &&
           (options->conn_window_bytes == 0 ||
            self->in_flight_bytes < options->conn_window_bytes);
}

void session_pause(session_t *self)
{
    if (!self->is_paused) {
        self->is_paused = true;
        self->hub->stats.paused++;
        transport_pause(self->sock);
    }
}

static void pause_reading(session_t *self)
{
    session_pause(self);
    if (!link_has_turn(self->link) && list_is_empty(&self->wait)) {
        list_append(&self->link->waiting, &self->wait);
    }
    if (!throttle_allows(self)) {
        throttle_begin(self);
        arm(self);
    }
}

static wire_bytes_t choose_route(session_t *self, const ws_event_t *event,
                                 char route[ROUTE_KEY_MAX])
{
    wire_bytes_t body = {event->data, event->len};
    size_t len;

    if (event->type == WS_TEXT &&
        route_expr_eval(self->hub->route_expr, body, route, &len) == 0) {
        return (wire_bytes_t){(const uint8_t *)route, len};
    }
    return wire_bytes(default_route);
}

static void take_message(session_t *self, const ws_event_t *event)
{
    hub_t *hub = self->hub;
    char route[ROUTE_KEY_MAX], conn[CONN_ID_TEXT];

    conn_id_format(&self->id, conn);
    /* No field is left out: to clear the rest would take as long as a twentieth
     * of the message. */
    message_request_t request = {
        .id = 0, /* this and the number are of link_put */
        .event = EVENT_MESSAGE,
        .conn = {(const uint8_t *)conn, sizeof conn},
        .route = choose_route(self, event, route),
        .body = {event->type == WS_TEXT ? BODY_TEXT : BODY_BINARY,
                 {event->data, event->len}},
        .deadline_ms = (uint64_t)hub->options.request_ms,
        .context = nothing,
        .details = nothing,
        .number = 0,
        .attempt = 0,
        .traceparent = nothing,
    };
    hub->stats.messages_in++;
    self->messages_in++;
    self->message_ms = hub->now_ms;
    size_t before = self->link->out.len;
    int rc = trips_put(self, self->link, &request);
    if (rc < 0) { /* out of memory: the one outcome is an error frame */
        put_error_frame(self, 500, 0);
        return;
    }
    self->in_flight++;
    self->in_flight_bytes += (uint32_t)(self->link->out.len - before);
}

static void take_close(session_t *self, const ws_event_t *event)
{
    wire_bytes_t reason = {event->data, event->len};

    put_close(self, event->code, reason);
    if (event->code == WS_NO_STATUS) {
        reason = wire_bytes("Client-side close frame status not set");
    }
    end(self, event->code, reason);
    session_linger(self);
}

static void take_event(session_t *self, const ws_event_t *event)
{
    throttle_spend_frame(self);
    switch (event->type) {
    case WS_TEXT:
    case WS_BINARY:
        take_message(self, event);
        return;
    case WS_PING:
        (void)put_frame(self, WS_PONG, (wire_bytes_t){event->data, event->len});
        return;
    case WS_CLOSE:
        take_close(self, event);
        return;
    default: /* a fragment; PONG: hearing from the client was what mattered */
        return;
    }
}

static void refuse_frame(session_t *self, const ws_event_t *event)
{
    gateway_stats_t *stats = &self->hub->stats;

    if (event->code == 1009) {
        stats->too_big++;
    } else {
        stats->protocol_errors++;
    }
    close_with(self, event->code, event->reason);
}

/* Take what can be taken; returns how many bytes were. */
static size_t take_bytes(session_t *self, uint8_t *bytes, size_t len)
{
    uint8_t *at = bytes;
    size_t left = len;

    while (self->state == SESSION_OPEN && left > 0) {
        ws_event_t event;
        if (!may_take(self)) {
            pause_reading(self);
            break;
        }
        int rc = ws_read(&self->reader, &at, &left, &event);
        if (rc < 0) {
            refuse_frame(self, &event);
        } else if (rc > 0) {
            take_event(self, &event);
        }
    }
    return len - left;
}

/* Go on with the bytes that were kept; read again when all are taken. */
static void take_kept(session_t *self)
{
    self->is_throttled = !throttle_allows(self) && self->is_throttled;
    size_t taken = take_bytes(self, self->in.data, self->in.len);
    if (self->state != SESSION_OPEN) {
        return;
    }
    buf_drop(&self->in, taken);
    if (self->in.len > 0 || (self->is_paused && !may_take(self))) {
        pause_reading(self);
        return;
    }
    buf_fini(&self->in);
    if (self->is_paused) {
        self->is_paused = false;
        transport_resume(self->sock);
    }
}

static void keep(session_t *self, const uint8_t *bytes, size_t len)
{
    if (buf_put(&self->in, bytes, len) < 0) {
        transport_kill(self->sock); /* out of memory */
    }
}

static void receive(session_t *self, uint8_t *bytes, size_t len)
{
    if (self->in.len > 0) {
        keep(self, bytes, len); /* behind what waits already */
    } else {
        size_t taken = take_bytes(self, bytes, len);
        if (taken < len && self->state == SESSION_OPEN) {
            keep(self, bytes + taken, len - taken);
        }
    }
    throttle_spend_bytes(self, len);
}

/* Read and forgotten, so that the client sees our close.  No rate holds here:
 * who sends on for long is not read any more, and may still read. */
static void discard(session_t *self, size_t len)
{
    self->discarded += (uint32_t)len; /* of one read */
    if (self->discarded > LINGER_BYTES) {
        session_pause(self);
    }
}

void session_received(session_t *self, uint8_t *bytes, size_t len)
{
    self->heard_ms = self->hub->now_ms;
    self->is_pinged = false;
    self->hub->stats.bytes_in += len;
    if (self->state < SESSION_OPEN) {
        opening_received(self, bytes, len);
    } else if (self->state == SESSION_OPEN) {
        receive(self, bytes, len);
    } else {
        discard(self, len);
    }
}

/* --- from the broker --------------------------------------------------- */

static void put_disconnect(session_t *self)
{
    hub_t *hub = self->hub;
    char conn[CONN_ID_TEXT];
    buf_t details;
    wire_bytes_t reason = {self->end_reason, self->end_reason_len};

    conn_id_format(&self->id, conn);
    buf_init(&details, DETAILS_MAX);
    int rc = wire_put_map(&details, 2);
    if (rc == 0 && (rc = wire_put_text(&details, "code")) == 0 &&
        (rc = wire_put_uint(&details, self->end_code)) == 0 &&
        (rc = wire_put_text(&details, "reason")) == 0) {
        rc = wire_put_str(&details, reason);
    }
    message_request_t request = {
        .event = EVENT_DISCONNECT,
        .conn = {(const uint8_t *)conn, sizeof conn},
        .route = wire_bytes("$disconnect"),
        .deadline_ms = (uint64_t)hub->options.request_ms,
        .details = {details.data, details.len},
    };
    if (rc == 0) {
        rc = trips_put(self, self->link, &request);
    }
    buf_fini(&details);
    self->is_disconnecting = rc == 0;
    if (rc < 0 && list_is_empty(&self->wait)) {
        list_append(&self->link->waiting, &self->wait);
    }
}

void session_resume(session_t *self)
{
    list_remove(&self->wait);
    if (self->is_arriving) {
        return; /* its broker would not know whose it is */
    }
    if (self->is_known && self->is_ending && !self->is_disconnecting) {
        /* A broker that may be told of it once more must not have ended it. */
        if (list_is_empty(&self->move) && !presence_holds(self)) {
            put_disconnect(self);
        }
        return;
    }
    presence_touch(self);
    if (self->state == SESSION_WAITING) {
        opening_connect(self);
    }
    if (self->state == SESSION_OPEN && self->is_paused) {
        take_kept(self);
    }
}

/*
 * A request whose time is over may have a handler that still runs.  Its worker
 * handles the next one behind it, so that one's reply says that it has ended.
 */
static void note_binding(session_t *self, const message_reply_t *reply)
{
    if (reply->options.len > 0 &&
        wire_map_bool(reply->options, "runs", false)) {
        self->is_bound = true;
    } else if (reply->status < 400) {
        self->is_bound = false;
    }
}

void session_message_reply(session_t *self, const message_reply_t *reply,
                           uint64_t number, uint32_t size)
{
    self->in_flight--;
    self->in_flight_bytes -= size;
    note_binding(self, reply);
    if (reply->body.type != BODY_NONE) {
        (void)put_message(self, &reply->body);
    } else if (reply->status >= 400) {
        put_error_frame(self, reply->status, number);
    }
    placement_settle(self);
    if (self->is_draining && self->state == SESSION_OPEN) {
        session_close_when_answered(self, false);
    } else if (self->is_paused && self->state == SESSION_OPEN &&
               list_is_empty(&self->wait)) { /* else its turn comes */
        session_resume(self);
    }
}

void session_disconnect_reply(session_t *self)
{
    list_remove(&self->move);
    self->is_known = false;
    self->is_disconnecting = false;
    self->hub->stats.disconnects++;
    farewells_put(&self->hub->farewells, &self->id);
    session_settle(self);
}

/* --- time -------------------------------------------------------------- */

/* Whom we do not read cannot answer a ping, and is not dead for that: then
 * what counts is that its TCP still acknowledges. */
static void listen_below(session_t *self)
{
    if (!self->is_paused && transport_is_drained(self->sock)) {
        return;
    }
    int64_t heard_ms = self->hub->now_ms - transport_silent_ms(self->sock);
    if (heard_ms > self->heard_ms) {
        self->heard_ms = heard_ms;
        self->is_pinged = false;
    }
}

/* Close or ping what is due; re-arm for the next thing that may be. */
static void tick_open(session_t *self)
{
    hub_t *hub = self->hub;
    const gateway_options_t *options = &hub->options;
    int64_t now = hub->now_ms;
    int64_t ping_ms = options->ping_ms, idle_ms = options->idle_ms;

    listen_below(self);
    if (self->stuck_ms > 0 && now - self->stuck_ms >= options->out_soft_ms) {
        close_slow(self);
        return;
    }
    if (idle_ms > 0 && now - self->message_ms >= idle_ms) {
        hub->stats.idle_closed++;
        close_with(self, CLOSE_GOING_AWAY, "Going away");
        return;
    }
    if (self->is_pinged && now - self->heard_ms >= ping_ms + options->pong_ms) {
        hub->stats.dead_closed++;
        end(self, CLOSE_ABNORMAL, wire_bytes("ping timeout"));
        transport_kill(self->sock);
        return;
    }
    if (ping_ms > 0 && !self->is_pinged && now - self->heard_ms >= ping_ms) {
        self->is_pinged = true;
        if (put_frame(self, WS_PING, (wire_bytes_t){NULL, 0}) < 0) {
            return;
        }
    }
    if (self->is_throttled) {
        take_kept(self);
        if (self->state != SESSION_OPEN) {
            return; /* what it had sent was the end */
        }
    }
    if (session_queued(self) == 0) {
        buf_fini(&self->out); /* an idle connection holds no buffers */
    }
    ws_reader_trim(&self->reader);
    arm(self);
}

void session_open(session_t *self)
{
    session_enter(self, SESSION_OPEN);
    self->hub->stats.connects++;
    self->opened_ms = self->heard_ms = self->message_ms = self->hub->now_ms;
    arm(self);
    take_kept(self); /* frames right behind the request head */
}

void session_tick(session_t *self)
{
    switch (self->state) {
    case SESSION_HEAD:
    case SESSION_BODY:
    case SESSION_ASKED:
    case SESSION_WAITING:
    case SESSION_GATED:
        opening_timeout(self);
        return;
    case SESSION_OPEN:
        tick_open(self);
        return;
    case SESSION_LINGERING:
        transport_kill(self->sock);
        return;
    case SESSION_GONE:
        return;
    }
}
