/* SPDX-License-Identifier: MIT
 *
 * The request head stays in `in` until the handshake is answered and is
 * parsed again then: a second parse is cheaper than keeping its parts in
 * every session.
 */
#include "gateway/opening.h"

#include "base/utf8.h"
#include "base/xalloc.h"
#include "gateway/admitting.h"
#include "gateway/client_cert.h"
#include "gateway/delivery.h"
#include "gateway/forwarded.h"
#include "gateway/handshake.h"
#include "gateway/hub.h"
#include "gateway/managing.h"
#include "gateway/placement.h"
#include "gateway/presence.h"
#include "proto/context.h"
#include "proto/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_MAX      65536 /* bytes, when max_head is off */
#define GATE_GRACE_MS 1000  /* behind the broker's own deadline */

size_t opening_head_max(const gateway_options_t *options)
{
    return options->max_head > 0 && options->max_head < HEAD_MAX
               ? (size_t)options->max_head
               : HEAD_MAX;
}

size_t opening_in_max(const gateway_options_t *options)
{
    return opening_head_max(options) + (size_t)2 * TRANSPORT_READ_MAX;
}

void opening_await(session_t *self)
{
    const hub_t *hub = self->hub;

    if (hub->options.handshake_ms > 0) {
        wheel_arm(&self->hub->wheel, &self->timer,
                  hub->now_ms + hub->options.handshake_ms);
    }
}

void opening_await_next(session_t *self)
{
    admitting_rest(self);
    hub_touch(self->hub, self);
    opening_await(self);
}

/* The head that opening_received found to be whole. */
static void parse_again(session_t *self, http_request_t *request)
{
    must(http_parse(self->in.data, self->in.len, self->in.len, request) == 0);
}

/* --- refusals and plain HTTP ------------------------------------------- */

static int put_retry(buf_t *out, int64_t retry_s)
{
    char text[24];

    snprintf(text, sizeof text, "%lld", (long long)retry_s);
    return http_put_text_header(out, "Retry-After", text);
}

static int put_answer(session_t *self, unsigned status, const char *text,
                      int64_t retry_s)
{
    buf_t *out = &self->out;
    wire_bytes_t body = wire_bytes(text);
    int rc = http_put_status(out, status);

    if (rc == 0 && retry_s > 0) {
        rc = put_retry(out, retry_s);
    }
    if (rc == 0 && status == 426 &&
        (rc = http_put_text_header(out, "Upgrade", "websocket")) == 0) {
        rc = http_put_text_header(out, "Sec-WebSocket-Version", "13");
    }
    if (rc == 0 && status == 405) {
        rc = http_put_text_header(out, "Allow", "GET, HEAD");
    }
    if (rc == 0 &&
        (rc = http_put_text_header(out, "Connection", "close")) == 0 &&
        (rc = http_put_text_header(out, "Content-Type",
                                   "text/plain; charset=utf-8")) == 0) {
        rc = http_put_body(out, body.data, body.len, true);
    }
    return rc;
}

static void refuse(session_t *self, unsigned status, const char *text,
                   int64_t retry_s)
{
    self->hub->stats.handshakes_failed++;
    if (put_answer(self, status, text, retry_s) < 0) {
        transport_kill(self->sock);
        return;
    }
    session_linger(self);
}

void opening_refuse(session_t *self, unsigned status, const char *body)
{
    refuse(self, status, body != NULL ? body : http_reason(status), 0);
}

static bool is_json(const body_t *body)
{
    wire_cursor_t in = wire_cursor(body->bytes);

    json_skip_space(&in);
    return body->type == BODY_TEXT && in.at < in.end &&
           (*in.at == '{' || *in.at == '[');
}

static const char *type_of(const body_t *body)
{
    return is_json(body)               ? "application/json"
           : body->type == BODY_BINARY ? "application/octet-stream"
                                       : "text/plain; charset=utf-8";
}

/* What a worker leaves unsaid about its body no browser is to guess. */
static int put_type(buf_t *out, wire_bytes_t headers, const body_t *body)
{
    if (handshake_has_header(headers, "content-type")) {
        return 0;
    }
    int rc = http_put_text_header(out, "Content-Type", type_of(body));
    return rc < 0
               ? rc
               : http_put_text_header(out, "X-Content-Type-Options", "nosniff");
}

/* The worker's own answer: its status, headers and body. */
static void refuse_as_worker(session_t *self, const message_reply_t *reply)
{
    unsigned status = reply->status < 300 ? 502 : (unsigned)reply->status;
    wire_bytes_t body = reply->body.type != BODY_NONE
                            ? reply->body.bytes
                            : wire_bytes(http_reason(status));
    wire_bytes_t headers = {NULL, 0};
    wire_cursor_t value;
    buf_t *out = &self->out;

    if (wire_map_find(reply->options, "headers", &value)) {
        (void)wire_get_raw_array(&value, &headers);
    }
    self->hub->stats.handshakes_failed++;
    int rc = http_put_status(out, status);
    if (rc == 0 &&
        (rc = http_put_text_header(out, "Connection", "close")) == 0 &&
        (rc = handshake_put_headers(out, headers)) == 0 &&
        (rc = put_type(out, headers, &reply->body)) == 0) {
        rc = http_put_body(out, body.data, body.len, true);
    }
    if (rc < 0) {
        transport_kill(self->sock);
        return;
    }
    session_linger(self);
}

void opening_timeout(session_t *self)
{
    self->hub->stats.handshakes_late++;
    switch (self->state) {
    case SESSION_HEAD:
    case SESSION_BODY:
        if (self->in.len == 0) {
            transport_kill(self->sock); /* nothing was asked */
        } else {
            opening_refuse(self, 408, NULL);
        }
        return;
    case SESSION_WAITING:
        opening_refuse(self, 503, NULL);
        return;
    default:
        opening_refuse(self, 504, NULL);
        return;
    }
}

static void serve_file(session_t *self, const http_request_t *request)
{
    hub_t *hub = self->hub;
    bool has_body = request->content_length > 0 || request->is_chunked;
    /* A client that sends requests ahead could have any number of files
     * gathered in `out`: it gets one and asks again. */
    bool is_ahead = self->in.len > request->head_len;
    bool stays = request->keeps_alive && !has_body && !is_ahead;

    if (static_files_answer(hub->files, request, stays, &self->out) < 0) {
        transport_kill(self->sock);
        return;
    }
    if (!stays) {
        session_linger(self);
        return;
    }
    buf_drop(&self->in, request->head_len);
    opening_await_next(self);
}

/* --- CONNECT ----------------------------------------------------------- */

/*
 * What a client wrote, as a str.  A header may hold any byte above 0x7f, and an
 * escape in a URL stands for any; workers whose MessagePack is strict must not
 * stumble over that.
 */
static int put_clients_text(buf_t *out, wire_bytes_t text)
{
    buf_t repaired;

    if (utf8_is_valid(text.data, text.len)) {
        return wire_put_str(out, text);
    }
    buf_init(&repaired, (size_t)3 * HEAD_MAX);
    int rc = utf8_put_repaired(&repaired, text.data, text.len);
    if (rc == 0) {
        rc = wire_put_str(out, (wire_bytes_t){repaired.data, repaired.len});
    }
    buf_fini(&repaired);
    return rc;
}

static int put_pair(buf_t *out, wire_bytes_t name, wire_bytes_t value)
{
    int rc = wire_put_array(out, 2);
    if (rc == 0 && (rc = put_clients_text(out, name)) == 0) {
        rc = put_clients_text(out, value);
    }
    return rc;
}

static int put_headers(buf_t *out, const http_request_t *request)
{
    uint8_t lower[256];
    int rc = wire_put_array(out, (uint32_t)request->header_count);

    for (size_t i = 0; rc == 0 && i < request->header_count; i++) {
        wire_bytes_t name = request->headers[i].name;
        size_t len = name.len < sizeof lower ? name.len : sizeof lower;
        for (size_t j = 0; j < len; j++) {
            uint8_t c = name.data[j];
            lower[j] = c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
        }
        rc = put_pair(out, (wire_bytes_t){lower, len},
                      request->headers[i].value);
    }
    return rc;
}

static uint32_t count_pairs(wire_bytes_t query)
{
    wire_bytes_t name, value;
    uint32_t count = 0;

    while (http_next_pair(&query, &name, &value)) {
        count++;
    }
    return count;
}

/* -EPROTO for a query whose escapes are broken. */
static int put_query(buf_t *out, wire_bytes_t query)
{
    wire_bytes_t name, value;
    buf_t text;

    buf_init(&text, HEAD_MAX);
    int rc = wire_put_array(out, count_pairs(query));
    while (rc == 0 && http_next_pair(&query, &name, &value)) {
        text.len = 0;
        rc = http_decode(name, true, &text);
        size_t name_len = text.len;
        if (rc == 0) {
            rc = http_decode(value, true, &text);
        }
        if (rc == 0) {
            rc = put_pair(
                out, (wire_bytes_t){text.data, name_len},
                (wire_bytes_t){text.data + name_len, text.len - name_len});
        }
    }
    buf_fini(&text);
    return rc;
}

static int put_subprotocols(buf_t *out, const http_request_t *request)
{
    wire_bytes_t list = {NULL, 0}, name;
    uint32_t count = 0;
    size_t at = 0;

    while (handshake_next_subprotocol(request, &at, &list, &name)) {
        count++;
    }
    int rc = wire_put_array(out, count);
    at = 0;
    while (rc == 0 && handshake_next_subprotocol(request, &at, &list, &name)) {
        rc = put_clients_text(out, name);
    }
    return rc;
}

/* What the client has shown by TLS, if it has. */
static int put_client_cert(buf_t *out, const X509 *cert)
{
    if (cert == NULL) {
        return 0;
    }
    int rc = wire_put_text(out, "client_cert");
    return rc < 0 ? rc : client_cert_put(out, cert);
}

static int put_details(buf_t *out, const http_request_t *request,
                       const X509 *cert)
{
    buf_t path;

    buf_init(&path, HEAD_MAX);
    int rc = http_decode(request->path, false, &path);
    if (rc == 0 && (rc = wire_put_map(out, cert == NULL ? 4 : 5)) == 0 &&
        (rc = wire_put_text(out, "path")) == 0 &&
        (rc = put_clients_text(out, (wire_bytes_t){path.data, path.len})) ==
            0 &&
        (rc = wire_put_text(out, "query")) == 0 &&
        (rc = put_query(out, request->query)) == 0 &&
        (rc = wire_put_text(out, "headers")) == 0 &&
        (rc = put_headers(out, request)) == 0 &&
        (rc = wire_put_text(out, "subprotocols")) == 0 &&
        (rc = put_subprotocols(out, request)) == 0) {
        rc = put_client_cert(out, cert);
    }
    buf_fini(&path);
    return rc;
}

static int put_entry(buf_t *out, const char *key, wire_bytes_t text)
{
    int rc = wire_put_text(out, key);
    return rc < 0 ? rc : put_clients_text(out, text);
}

static wire_bytes_t header_value(const http_request_t *request,
                                 const char *name, size_t max)
{
    const http_header_t *header = http_header(request, name);
    wire_bytes_t none = {NULL, 0};

    return header != NULL && header->value.len <= max ? header->value : none;
}

static int put_context(buf_t *out, const session_t *self,
                       const http_request_t *request)
{
    int rc = wire_put_map(out, 5);

    if (rc == 0 && (rc = put_entry(out, "ip", wire_bytes(self->ip))) == 0 &&
        (rc = wire_put_text(out, "connected_at")) == 0 &&
        (rc = wire_put_uint(out, (uint64_t)self->hub->now_wall_ms)) == 0 &&
        (rc = put_entry(out, "user_agent",
                        header_value(request, "user-agent", 512))) == 0 &&
        (rc = put_entry(out, "domain", header_value(request, "host", 261))) ==
            0) {
        rc = put_entry(out, "stage", wire_bytes(self->hub->options.stage));
    }
    return rc;
}

/* Keep a copy of an encoded map; replaces the one before. */
static int keep_context(session_t *self, const buf_t *map)
{
    uint8_t *copy = malloc(map->len);
    if (copy == NULL) {
        return -ENOMEM;
    }
    memcpy(copy, map->data, map->len);
    free(self->context);
    self->context = copy;
    self->context_len = (uint32_t)map->len;
    return 0;
}

/* Encode context and details, and put the CONNECT. */
static int put_connect(session_t *self, link_t *link,
                       const http_request_t *request, buf_t *context,
                       buf_t *details)
{
    hub_t *hub = self->hub;
    char conn[CONN_ID_TEXT];

    int rc = put_context(context, self, request);
    if (rc < 0 ||
        (rc = put_details(details, request,
                          transport_client_cert(self->sock))) < 0 ||
        (rc = keep_context(self, context)) < 0) {
        return rc;
    }
    tracing_join(self, request);
    conn_id_format(&self->id, conn);
    message_request_t connect = {
        .event = EVENT_CONNECT,
        .conn = {(const uint8_t *)conn, sizeof conn},
        .route = wire_bytes("$connect"),
        .deadline_ms = (uint64_t)hub->options.request_ms,
        .context = {context->data, context->len},
        .details = {details->data, details->len},
    };
    return trips_put(self, link, &connect);
}

void opening_connect(session_t *self)
{
    hub_t *hub = self->hub;
    http_request_t request;
    buf_t context, details;

    link_t *link = placement_choose(hub, &self->id);
    if (link == NULL || !link_has_turn(link)) {
        if (list_is_empty(&self->wait)) {
            list_append(link == NULL ? &hub->unplaced : &link->waiting,
                        &self->wait);
        }
        return;
    }
    parse_again(self, &request);
    buf_init(&context, CONTEXT_MAX);
    buf_init(&details, DETAILS_MAX);
    int rc = put_connect(self, link, &request, &context, &details);
    buf_fini(&context);
    buf_fini(&details);
    if (rc < 0) {
        opening_refuse(self,
                       rc == -EPROTO    ? 400
                       : rc == -ENOBUFS ? 431
                                        : 503,
                       NULL);
        return;
    }
    self->link = link;
    self->is_told = true;
    self->is_connecting = true;
    session_enter(self, SESSION_GATED);
    wheel_arm(&hub->wheel, &self->timer,
              hub->now_ms + hub->options.request_ms + GATE_GRACE_MS);
}

/* --- the request head -------------------------------------------------- */

/* With a stage, clients connect to /STAGE and nowhere else. */
static bool is_at_stage(const session_t *self, const http_request_t *request)
{
    const char *stage = self->hub->options.stage;
    wire_bytes_t path = request->path;
    size_t len = strlen(stage);

    if (len == 0) {
        return true;
    }
    if (path.len > 1 && path.data[path.len - 1] == '/') {
        path.len--;
    }
    return path.len == len + 1 && memcmp(path.data + 1, stage, len) == 0;
}

static void take_upgrade(session_t *self, const http_request_t *request)
{
    unsigned status = handshake_check(request, self->hub->options.origins);
    int64_t retry_s = 0;

    if (status == 403) {
        admitting_refuse_origin(self, request);
    }
    if (status == 0 && !is_at_stage(self, request)) {
        status = 403;
    }
    if (status == 0) {
        status = admitting_handshake(self, &retry_s);
    }
    if (status != 0) {
        refuse(self, status, http_reason(status), retry_s);
        return;
    }
    session_enter(self, SESSION_WAITING);
    opening_connect(self);
}

/* A proxy hands on requests of several clients on one socket.  Returns false
 * when this one was refused. */
static bool locate_client(session_t *self, const http_request_t *request)
{
    const ip_nets_t *proxies = &self->hub->proxies;
    int64_t retry_s;

    if (!ip_nets_have(proxies, &self->peer)) {
        return true;
    }
    ip_t client = forwarded_for(request, proxies, &self->peer);
    unsigned status = admitting_locate(self, &client, &retry_s);
    if (status != 0) {
        refuse(self, status, http_reason(status), retry_s);
    }
    return status == 0;
}

static void take_request(session_t *self, const http_request_t *request)
{
    bool is_endpoint =
        self->hub->files == NULL ||
        (self->hub->options.stage[0] != '\0' && is_at_stage(self, request));

    if (managing_is_wanted(self, request)) {
        managing_take(self, request);
    } else if (handshake_is_wanted(request)) {
        take_upgrade(self, request);
    } else if (is_endpoint) {
        opening_refuse(self, 426, NULL);
    } else {
        serve_file(self, request);
    }
}

/* A head, or a body behind it. */
static bool is_reading(const session_t *self)
{
    return self->state == SESSION_HEAD || self->state == SESSION_BODY;
}

void opening_received(session_t *self, const uint8_t *bytes, size_t len)
{
    http_request_t request;

    if (self->state == SESSION_ASKED) {
        managing_ignore(self);
        return;
    }
    if (buf_put(&self->in, bytes, len) < 0) {
        opening_refuse(self, 431, NULL);
        return;
    }
    while (is_reading(self) && self->in.len > 0) {
        int rc = http_parse(self->in.data, self->in.len,
                            opening_head_max(&self->hub->options), &request);
        if (rc == -EAGAIN) {
            return;
        }
        if (rc < 0) {
            opening_refuse(self, rc == -EMSGSIZE ? 431 : 400, NULL);
            return;
        }
        if (!locate_client(self, &request)) {
            return;
        }
        take_request(self, &request);
        if (self->state == SESSION_BODY) {
            return; /* more of it is to come */
        }
    }
    /* Frames may come early; not more of them than a head is long. */
    if (self->state < SESSION_OPEN && self->state > SESSION_ASKED &&
        self->in.len > opening_head_max(&self->hub->options)) {
        session_pause(self);
    }
}

/* --- what workers say meanwhile ----------------------------------------- */

int opening_push(session_t *self, const body_t *body, pusher_t pusher)
{
    int64_t hard = self->hub->options.out_hard;
    int rc = early_push(&self->early, body, pusher,
                        hard > 0 ? (size_t)hard : SIZE_MAX);
    if (rc == -ENOBUFS || rc == -ENOMEM) {
        opening_refuse(self, 503, NULL); /* no gap in what the client gets */
    }
    return rc;
}

int opening_kick(session_t *self, uint16_t code, wire_bytes_t reason)
{
    int rc = early_kick(&self->early, code, reason);
    if (rc == -ENOMEM) {
        opening_refuse(self, 503, NULL); /* it must not stay */
    }
    return rc;
}

/* The pushes that were kept follow the 101. */
static int put_early_pushes(session_t *self)
{
    const early_t *early = self->early;

    if (early == NULL) {
        return 0;
    }
    int rc = buf_put(&self->out, early->frames.data, early->frames.len);
    if (rc == 0) {
        self->hub->stats.messages_out += early_count(early);
    }
    return rc;
}

/* The CLOSE that was kept comes behind them. */
static void close_early(session_t *self, const early_t *early)
{
    if (early != NULL && early->kick_code != 0) {
        session_close(self, early->kick_code,
                      (wire_bytes_t){early->kick_reason, early->kick_len});
    }
}

/* --- the answer -------------------------------------------------------- */

static int put_101(session_t *self, const message_reply_t *reply,
                   http_request_t *request)
{
    wire_bytes_t base = {self->context, self->context_len};
    wire_bytes_t headers = {NULL, 0};
    wire_cursor_t value;
    buf_t merged;

    parse_again(self, request);
    if (wire_map_find(reply->options, "headers", &value)) {
        (void)wire_get_raw_array(&value, &headers);
    }
    buf_init(&merged, CONTEXT_MAX + ATTRIBUTES_MAX);
    int rc = context_merge(&merged, base, reply->options);
    if (rc == 0) {
        rc = keep_context(self, &merged);
    }
    buf_fini(&merged);
    if (rc == 0) {
        rc = handshake_accept(&self->out, request,
                              wire_map_str(reply->options, "subprotocol"),
                              headers);
    }
    return rc;
}

static void accept_client(session_t *self, const message_reply_t *reply)
{
    http_request_t request;
    size_t before = self->out.len;

    if (put_101(self, reply, &request) < 0 ||
        delivery_accept(self, reply->options) < 0) {
        self->out.len = before; /* no 101 after all */
        opening_refuse(self, 502, NULL);
        session_end(self, 1011, "handshake failed");
        return;
    }
    if (put_early_pushes(self) < 0) {
        transport_kill(self->sock);
        return;
    }
    early_t *early = self->early;
    bool is_kicked = early != NULL && early->kick_code != 0;
    self->early = NULL; /* delivered: nobody is told GONE */
    hub_touch(self->hub, self);
    presence_touch(self);
    /* Whom the handler closes is not listened to: what came with the head
     * must not reach another handler. */
    buf_drop(&self->in, is_kicked ? self->in.len : request.head_len);
    session_open(self);
    close_early(self, early);
    early_destroy(&early);
}

void session_connect_reply(session_t *self, const message_reply_t *reply)
{
    bool is_accepted = reply->status >= 200 && reply->status < 300;

    session_end_connect(self);
    self->is_known = is_accepted;
    if (self->state != SESSION_GATED) { /* the client, or its time, is gone */
        session_end(self, 1006, "");
        session_settle(self);
    } else if (is_accepted) {
        accept_client(self, reply);
        placement_settle(self);
    } else {
        refuse_as_worker(self, reply);
    }
}
