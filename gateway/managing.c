/* SPDX-License-Identifier: MIT */
#include "gateway/managing.h"

#include "base/xalloc.h"
#include "gateway/handshake.h"
#include "gateway/hub.h"
#include "gateway/opening.h"
#include "proto/api_path.h"

#include <string.h>

#define GENERATION_SHIFT 24 /* a slot has so many bits */

/* What can be told without asking. */
static const char busy_headers[] =
    "x-amzn-ErrorType: LimitExceededException\r\n"
    "Content-Type: application/json\r\n";
static const char busy_body[] = "{\"message\":\"Too Many Requests\"}";

bool managing_is_wanted(const session_t *self, const http_request_t *request)
{
    api_path_t path;

    return self->hub->ask != NULL && !handshake_is_wanted(request) &&
           api_path_parse(request->path, &path);
}

/* A body that we do not read, since it is too large or comes without
 * credentials; the answer says so. */
static bool is_unread(const session_t *self, const http_request_t *request)
{
    uint64_t max = (uint64_t)self->hub->options.manage_body;
    bool is_nobodys = http_header(request, "authorization") == NULL;

    return request->is_chunked || request->content_length > max ||
           (request->content_length > 0 && is_nobodys);
}

static uint64_t body_len(const session_t *self, const http_request_t *request)
{
    return is_unread(self, request) ? 0 : request->content_length;
}

/* --- the answer ---------------------------------------------------------- */

static int put_answer(session_t *self, unsigned status, wire_bytes_t headers,
                      wire_bytes_t body, bool with_body)
{
    buf_t *out = &self->out;
    int rc = http_put_status(out, status);

    if (rc == 0 && (rc = buf_put(out, headers.data, headers.len)) == 0 &&
        self->closes) {
        rc = http_put_text_header(out, "Connection", "close");
    }
    return rc < 0 ? rc : http_put_body(out, body.data, body.len, with_body);
}

/* The connection takes another request. */
static void go_on(session_t *self)
{
    buf_reset(&self->in, 0);
    self->in.limit = opening_in_max(&self->hub->options);
    session_enter(self, SESSION_HEAD);
    opening_await_next(self);
}

static void answer(session_t *self, unsigned status, wire_bytes_t headers,
                   wire_bytes_t body)
{
    if (put_answer(self, status, headers, body, !self->is_bodyless) < 0) {
        transport_kill(self->sock);
    } else if (self->closes) {
        session_linger(self);
    } else {
        go_on(self);
    }
}

static void answer_busy(session_t *self)
{
    self->closes = true;
    self->hub->stats.managed_refused++;
    answer(self, 429, wire_bytes(busy_headers), wire_bytes(busy_body));
}

static uint64_t number_of(const session_t *self)
{
    return (uint64_t)self->id.generation << GENERATION_SHIFT | self->id.slot;
}

static bool is_waiting(const session_t *self)
{
    return self->state == SESSION_ASKED ||
           (self->state == SESSION_BODY && self->is_looked_at);
}

static session_t *find(const hub_t *hub, uint64_t number)
{
    uint64_t slot = number & CONN_ID_SLOT_MAX;
    session_t *session = slot < hub->used ? hub->table[slot] : NULL;

    return session != NULL && is_waiting(session) &&
                   session->id.generation == number >> GENERATION_SHIFT
               ? session
               : NULL;
}

/* --- the request --------------------------------------------------------- */

static void ask_for_body(session_t *self, const http_request_t *request)
{
    static const char word[] = "HTTP/1.1 100 Continue\r\n\r\n";

    if (http_has_token(request, "expect", "100-continue")) {
        if (buf_put(&self->out, word, strlen(word)) == 0) {
            hub_touch(self->hub, self);
        }
    }
}

/* One whose body is to come, and its source. */
typedef struct {
    session_t *session;
    ip_t network;
} place_t;

static place_t place_of(session_t *session)
{
    const admission_t *admission = &session->hub->admission;

    return (place_t){session, admission_network(admission, &session->address)};
}

static size_t count_of(const place_t *places, size_t count, const ip_t *network)
{
    size_t found = 0;

    for (size_t i = 0; i < count; i++) {
        found += ip_equal(&places[i].network, network) ? 1 : 0;
    }
    return found;
}

/* The oldest of the source that has most of them, with the newcomer, which is
 * the one where no other body is to come.  Whoever sends heads and no bodies
 * pushes out but its own. */
static session_t *who_makes_room(session_t *newcomer)
{
    place_t places[MANAGING_MAX + 1];
    size_t count = 0, most = 0;
    session_t *chosen = NULL;

    list_foreach(link, &newcomer->hub->bodies) {
        places[count++] = place_of(list_entry(link, session_t, wait));
    }
    places[count++] = place_of(newcomer);
    for (size_t i = 0; i < count; i++) {
        size_t places_of_it = count_of(places, count, &places[i].network);
        if (places_of_it > most) {
            most = places_of_it;
            chosen = places[i].session;
        }
    }
    return chosen;
}

/* Returns false when it cost the newcomer its own place. */
static bool make_room(session_t *newcomer)
{
    if (newcomer->hub->managing < MANAGING_MAX) {
        return true;
    }
    session_t *session = who_makes_room(newcomer);
    answer_busy(session);
    return session != newcomer;
}

static void hand_on(session_t *self, const http_request_t *request)
{
    hub_t *hub = self->hub;
    size_t len = (size_t)body_len(self, request);
    wire_bytes_t head = {self->in.data, request->head_len};
    wire_bytes_t body = {self->in.data + request->head_len, len};

    self->closes |= self->in.len > request->head_len + len; /* as below */
    list_remove(&self->wait);
    session_enter(self, SESSION_ASKED);
    wheel_arm(&hub->wheel, &self->timer, hub->now_ms + MANAGING_MS);
    if (hub->ask(hub->ask_user, number_of(self), head, body) < 0) {
        answer_busy(self);
    }
}

static bool is_whole(const session_t *self, const http_request_t *request)
{
    return self->in.len >= request->head_len + body_len(self, request);
}

/* Anybody can announce a body, and never send it: it is waited for only where
 * the head shows nothing wrong. */
static void look(session_t *self, const http_request_t *request)
{
    hub_t *hub = self->hub;
    wire_bytes_t head = {self->in.data, request->head_len};

    self->is_looked_at = true;
    if (hub->ask(hub->ask_user, number_of(self), head,
                 (wire_bytes_t){NULL, 0}) < 0) {
        answer_busy(self);
    }
}

static void begin(session_t *self, const http_request_t *request)
{
    hub_t *hub = self->hub;

    self->is_bodyless = wire_is(request->method, "HEAD");
    self->closes = !request->keeps_alive || is_unread(self, request);
    if (!make_room(self)) {
        return;
    }
    hub->stats.managed++;
    session_enter(self, SESSION_BODY);
    list_append(&hub->bodies, &self->wait);
    self->in.limit += (size_t)body_len(self, request);
    self->is_looked_at = false;
    if (!is_whole(self, request)) {
        look(self, request);
    }
}

/* --- what is said of it -------------------------------------------------- */

/* It is worth reading. */
static void read_body(session_t *self)
{
    http_request_t request;

    must(http_parse(self->in.data, self->in.len, self->in.len, &request) == 0);
    if (is_whole(self, &request)) {
        hand_on(self, &request);
    } else {
        ask_for_body(self, &request);
    }
}

void managing_answer(hub_t *hub, uint64_t number, unsigned status,
                     wire_bytes_t headers, wire_bytes_t body)
{
    session_t *session = find(hub, number);

    if (session == NULL) {
        return;
    }
    if (session->state == SESSION_BODY) {
        session->is_looked_at = false;
        if (status == 100) {
            read_body(session);
            return;
        }
        session->closes = true; /* what is left of the body is not read */
    }
    session->closes |= hub->is_draining;
    answer(session, status, headers, body);
}

/* Who sends requests ahead gets one answer and asks again; and of a body that
 * is too large nobody wants the rest. */
void managing_ignore(session_t *self)
{
    self->closes = true;
}

void managing_take(session_t *self, const http_request_t *request)
{
    if (self->state == SESSION_HEAD) {
        begin(self, request);
    }
    if (self->state == SESSION_BODY && !self->is_looked_at &&
        is_whole(self, request)) {
        hand_on(self, request);
    }
}
