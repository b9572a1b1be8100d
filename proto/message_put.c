/* SPDX-License-Identifier: MIT
 *
 * Encoding: one message_put_ function a kind, which writes the fields in the
 * order of PROTOCOL.md.
 */
#include "proto/message.h"

/* The first error of a row of writes wins; later ones do nothing. */
typedef struct {
    buf_t *out;
    size_t start; /* length of *out before this message */
    int rc;
} put_t;

#define PUT(put, call)                                                         \
    do {                                                                       \
        if ((put)->rc == 0) {                                                  \
            (put)->rc = (call);                                                \
        }                                                                      \
    } while (0)

static put_t begin(buf_t *out, message_kind_t kind, uint32_t fields)
{
    put_t put = {out, out->len, 0};

    PUT(&put, wire_put_array(out, fields + 1));
    PUT(&put, wire_put_uint(out, kind));
    return put;
}

static int finish(const put_t *put)
{
    if (put->rc < 0) {
        put->out->len = put->start;
    }
    return put->rc;
}

static int put_raw_or_empty_map(buf_t *out, wire_bytes_t raw)
{
    return raw.len > 0 ? wire_put_raw(out, raw) : wire_put_map(out, 0);
}

static int put_raw_or_empty_array(buf_t *out, wire_bytes_t raw)
{
    return raw.len > 0 ? wire_put_raw(out, raw) : wire_put_array(out, 0);
}

int message_put_hello(buf_t *out, const message_hello_t *hello)
{
    put_t put = begin(out, KIND_HELLO, 5);

    PUT(&put, wire_put_uint(out, hello->version));
    PUT(&put, wire_put_str(out, hello->role));
    PUT(&put, wire_put_str(out, hello->boot));
    PUT(&put, wire_put_str(out, hello->name));
    PUT(&put, put_raw_or_empty_map(out, hello->options));
    return finish(&put);
}

int message_put_welcome(buf_t *out, const message_welcome_t *welcome)
{
    put_t put = begin(out, KIND_WELCOME, 6);

    PUT(&put, wire_put_uint(out, welcome->version));
    PUT(&put, wire_put_str(out, welcome->boot));
    PUT(&put, wire_put_str(out, welcome->name));
    PUT(&put, wire_put_uint(out, welcome->heartbeat_ms));
    PUT(&put, wire_put_uint(out, welcome->liveness_ms));
    PUT(&put, put_raw_or_empty_map(out, welcome->options));
    return finish(&put);
}

int message_put_ready(buf_t *out, const message_ready_t *ready)
{
    put_t put = begin(out, KIND_READY, 3);

    PUT(&put, put_raw_or_empty_array(out, ready->routes));
    PUT(&put, wire_put_uint(out, ready->window));
    PUT(&put, wire_put_uint(out, ready->window_bytes));
    return finish(&put);
}

/*
 * The two that each message of a client costs are written into room that is
 * made once, for heads as long as heads can be.
 */
static int reserve(buf_t *out, size_t fields, size_t bytes)
{
    return buf_reserve(out, (fields + 2) * WIRE_HEAD_MAX + bytes);
}

static uint8_t *write_head(uint8_t *to, message_kind_t kind, unsigned fields)
{
    to = wire_write_few(to, fields + 1);
    return wire_write_uint(to, kind);
}

static uint8_t *write_raw_or_nil(uint8_t *to, wire_bytes_t raw)
{
    return raw.len > 0 ? wire_write_raw(to, raw) : wire_write_nil(to);
}

int message_put_request(buf_t *out, const message_request_t *request)
{
    bool has_trace = request->traceparent.len > 0;
    bool has_attempt = request->attempt > 1 || has_trace;
    unsigned fields = has_trace ? 11 : has_attempt ? 10 : 9;
    int rc = reserve(out, fields,
                     request->conn.len + request->route.len +
                         request->body.bytes.len + request->context.len +
                         request->details.len + request->traceparent.len);
    if (rc < 0) {
        return rc;
    }
    uint8_t *to = write_head(out->data + out->len, KIND_REQUEST, fields);
    to = wire_write_uint(to, request->id);
    to = wire_write_uint(to, request->event);
    to = wire_write_str(to, request->conn);
    to = wire_write_str(to, request->route);
    to = wire_write_body(to, &request->body);
    to = wire_write_uint(to, request->deadline_ms);
    to = write_raw_or_nil(to, request->context);
    to = write_raw_or_nil(to, request->details);
    to = wire_write_uint(to, request->number);
    if (has_attempt) {
        to = wire_write_uint(to, request->attempt);
    }
    if (has_trace) {
        to = wire_write_str(to, request->traceparent);
    }
    out->len = (size_t)(to - out->data);
    return 0;
}

int message_put_reply(buf_t *out, const message_reply_t *reply)
{
    unsigned fields = reply->options.len > 0 ? 4 : 3;
    int rc = reserve(out, fields, reply->body.bytes.len + reply->options.len);
    if (rc < 0) {
        return rc;
    }
    uint8_t *to = write_head(out->data + out->len, KIND_REPLY, fields);
    to = wire_write_uint(to, reply->id);
    to = wire_write_uint(to, reply->status);
    to = wire_write_body(to, &reply->body);
    to = wire_write_raw(to, reply->options);
    out->len = (size_t)(to - out->data);
    return 0;
}

int message_put_push(buf_t *out, const message_push_t *push)
{
    bool has_options = push->options.len > 0;
    put_t put = begin(out, KIND_PUSH, has_options ? 3 : 2);

    PUT(&put, wire_put_raw(out, push->target));
    PUT(&put, wire_put_body(out, &push->body));
    if (has_options) {
        PUT(&put, wire_put_raw(out, push->options));
    }
    return finish(&put);
}

int message_put_pushed(buf_t *out, const message_pushed_t *pushed)
{
    put_t put = begin(out, KIND_PUSHED, 4);

    PUT(&put, wire_put_uint(out, pushed->id));
    PUT(&put, wire_put_uint(out, pushed->delivered));
    PUT(&put, wire_put_uint(out, pushed->gone));
    PUT(&put, wire_put_uint(out, pushed->refused));
    return finish(&put);
}

int message_put_join(buf_t *out, message_kind_t kind,
                     const message_join_t *join)
{
    put_t put = begin(out, kind, 3);

    PUT(&put, wire_put_str(out, join->group));
    PUT(&put, wire_put_str(out, join->conn));
    PUT(&put, wire_put_uint(out, join->from));
    return finish(&put);
}

int message_put_close(buf_t *out, const message_close_t *close)
{
    put_t put = begin(out, KIND_CLOSE, 4);

    PUT(&put, wire_put_str(out, close->conn));
    PUT(&put, wire_put_uint(out, close->code));
    PUT(&put, wire_put_str(out, close->reason));
    PUT(&put, wire_put_uint(out, close->from));
    return finish(&put);
}

int message_put_gone(buf_t *out, const message_gone_t *gone)
{
    put_t put = begin(out, KIND_GONE, 2);

    PUT(&put, wire_put_str(out, gone->conn));
    PUT(&put, wire_put_uint(out, gone->from));
    return finish(&put);
}

int message_put_query(buf_t *out, const message_query_t *query)
{
    bool has_options = query->options.len > 0;
    put_t put = begin(out, KIND_QUERY, has_options ? 3 : 2);

    PUT(&put, wire_put_uint(out, query->id));
    PUT(&put, wire_put_raw(out, query->what));
    if (has_options) {
        PUT(&put, wire_put_raw(out, query->options));
    }
    return finish(&put);
}

int message_put_result(buf_t *out, const message_result_t *result)
{
    bool has_options = result->options.len > 0;
    put_t put = begin(out, KIND_RESULT, has_options ? 4 : 3);

    PUT(&put, wire_put_uint(out, result->id));
    PUT(&put, wire_put_uint(out, result->status));
    PUT(&put, put_raw_or_empty_array(out, result->rows));
    if (has_options) {
        PUT(&put, wire_put_raw(out, result->options));
    }
    return finish(&put);
}

int message_put_credit(buf_t *out, const message_credit_t *credit)
{
    put_t put = begin(out, KIND_CREDIT, 2);

    PUT(&put, wire_put_uint(out, credit->messages));
    PUT(&put, wire_put_uint(out, credit->bytes));
    return finish(&put);
}

int message_put_ping(buf_t *out, const message_ping_t *ping)
{
    put_t put = begin(out, KIND_PING, ping->number > 0 ? 3 : 2);

    PUT(&put, wire_put_uint(out, ping->in_flight));
    PUT(&put, wire_put_uint(out, ping->oldest_ms));
    if (ping->number > 0) {
        PUT(&put, wire_put_uint(out, ping->number));
    }
    return finish(&put);
}

int message_put_pong(buf_t *out, const message_pong_t *pong)
{
    put_t put = begin(out, KIND_PONG, pong->number > 0);

    if (pong->number > 0) {
        PUT(&put, wire_put_uint(out, pong->number));
    }
    return finish(&put);
}

int message_put_sync(buf_t *out, const message_sync_t *sync)
{
    put_t put = begin(out, KIND_SYNC, 4);

    PUT(&put, put_raw_or_empty_array(out, sync->connections));
    PUT(&put, wire_put_bool(out, sync->more));
    PUT(&put, wire_put_uint(out, sync->session));
    PUT(&put, wire_put_uint(out, sync->change));
    return finish(&put);
}

int message_put_interest(buf_t *out, const message_interest_t *interest)
{
    put_t put = begin(out, KIND_INTEREST, 4);

    PUT(&put, wire_put_uint(out, interest->change));
    PUT(&put, put_raw_or_empty_array(out, interest->names));
    PUT(&put, wire_put_bool(out, interest->more));
    PUT(&put, wire_put_uint(out, interest->session));
    return finish(&put);
}

int message_put_watch(buf_t *out, const message_watch_t *watch)
{
    put_t put = begin(out, KIND_WATCH, 1);

    PUT(&put, wire_put_bool(out, watch->presence));
    return finish(&put);
}

static int put_error(buf_t *out, const message_error_t *error)
{
    put_t put = begin(out, KIND_ERROR, error->from != 0 ? 3 : 2);

    PUT(&put, wire_put_str(out, error->code));
    PUT(&put, wire_put_str(out, error->text));
    if (error->from != 0) {
        PUT(&put, wire_put_uint(out, error->from));
    }
    return finish(&put);
}

int message_put_error(buf_t *out, const char *code, const char *text)
{
    return message_put_error_to(out, 0, code, text);
}

int message_put_error_to(buf_t *out, uint64_t from, const char *code,
                         const char *text)
{
    message_error_t error = {wire_bytes(code), wire_bytes(text), from};
    return put_error(out, &error);
}

int message_put_bare(buf_t *out, message_kind_t kind)
{
    put_t put = begin(out, kind, 0);
    return finish(&put);
}

int message_put(buf_t *out, const message_t *message)
{
    switch (message->kind) {
    case KIND_HELLO:
        return message_put_hello(out, &message->hello);
    case KIND_WELCOME:
        return message_put_welcome(out, &message->welcome);
    case KIND_READY:
        return message_put_ready(out, &message->ready);
    case KIND_REQUEST:
        return message_put_request(out, &message->request);
    case KIND_REPLY:
        return message_put_reply(out, &message->reply);
    case KIND_PUSH:
        return message_put_push(out, &message->push);
    case KIND_PUSHED:
        return message_put_pushed(out, &message->pushed);
    case KIND_JOIN:
    case KIND_LEAVE:
        return message_put_join(out, message->kind, &message->join);
    case KIND_CLOSE:
        return message_put_close(out, &message->close);
    case KIND_GONE:
        return message_put_gone(out, &message->gone);
    case KIND_QUERY:
        return message_put_query(out, &message->query);
    case KIND_RESULT:
        return message_put_result(out, &message->result);
    case KIND_CREDIT:
        return message_put_credit(out, &message->credit);
    case KIND_PING:
        return message_put_ping(out, &message->ping);
    case KIND_PONG:
        return message_put_pong(out, &message->pong);
    case KIND_SYNC:
        return message_put_sync(out, &message->sync);
    case KIND_ERROR:
        return put_error(out, &message->error);
    case KIND_INTEREST:
        return message_put_interest(out, &message->interest);
    case KIND_WATCH:
        return message_put_watch(out, &message->watch);
    case KIND_DRAIN:
    case KIND_BYE:
    case KIND_WHO:
        return message_put_bare(out, message->kind);
    }
    return -EINVAL;
}
