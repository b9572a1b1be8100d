/* SPDX-License-Identifier: MIT
 *
 * Decoding: one get_ function a kind, which reads the fields in the order of
 * PROTOCOL.md.  The generic parts (array head, kind, trailing elements of a
 * newer version) stand once, around them.
 */
#include "proto/message.h"

#include "base/utf8.h"

#include <errno.h>

/* A map, or nil for none; *map is empty for nil. */
static inline int get_map_or_nil(wire_cursor_t *in, size_t max,
                                 wire_bytes_t *map)
{
    *map = (wire_bytes_t){NULL, 0};
    if (wire_get_nil(in) == 0) {
        return 0;
    }
    int rc = wire_get_raw_map(in, map);
    return rc == 0 && map->len > max ? -EPROTO : rc;
}

/* The map that may stand at the end; absent reads as empty. */
static inline int get_last_map(wire_cursor_t *in, uint32_t *fields,
                               wire_bytes_t *map)
{
    *map = (wire_bytes_t){NULL, 0};
    if (*fields == 0) {
        return 0;
    }
    (*fields)--;
    return get_map_or_nil(in, OPTIONS_MAX, map);
}

static inline int get_last_uint(wire_cursor_t *in, uint32_t *fields,
                                uint64_t *value)
{
    *value = 0;
    if (*fields == 0) {
        return 0;
    }
    (*fields)--;
    return wire_get_uint(in, value);
}

static inline int get_conn(wire_cursor_t *in, wire_bytes_t *conn)
{
    int rc = wire_get_str(in, conn);
    return rc == 0 && conn->len != CONN_ID_TEXT ? -EPROTO : rc;
}

/* How many fields a kind has at least; fewer is malformed. */
static bool take_fields(uint32_t *fields, uint32_t wanted)
{
    if (*fields < wanted) {
        return false;
    }
    *fields -= wanted;
    return true;
}

static int get_hello(wire_cursor_t *in, uint32_t *fields,
                     message_hello_t *hello)
{
    if (!take_fields(fields, 4) || wire_get_uint(in, &hello->version) < 0 ||
        wire_get_str_max(in, ROLE_MAX, &hello->role) < 0 ||
        wire_get_str_max(in, BOOT_ID_MAX, &hello->boot) < 0 ||
        wire_get_str_max(in, PEER_NAME_MAX, &hello->name) < 0 ||
        hello->boot.len == 0) {
        return -EPROTO;
    }
    return get_last_map(in, fields, &hello->options);
}

static int get_welcome(wire_cursor_t *in, uint32_t *fields,
                       message_welcome_t *welcome)
{
    if (!take_fields(fields, 5) || wire_get_uint(in, &welcome->version) < 0 ||
        wire_get_str_max(in, BOOT_ID_MAX, &welcome->boot) < 0 ||
        welcome->boot.len == 0 ||
        wire_get_str_max(in, PEER_NAME_MAX, &welcome->name) < 0 ||
        wire_get_uint_max(in, DURATION_MAX, &welcome->heartbeat_ms) < 0 ||
        wire_get_uint_max(in, DURATION_MAX, &welcome->liveness_ms) < 0) {
        return -EPROTO;
    }
    return get_last_map(in, fields, &welcome->options);
}

static int get_ready(wire_cursor_t *in, uint32_t *fields,
                     message_ready_t *ready)
{
    if (!take_fields(fields, 3) || wire_get_raw_array(in, &ready->routes) < 0 ||
        wire_get_uint(in, &ready->window) < 0 ||
        wire_get_uint(in, &ready->window_bytes) < 0) {
        return -EPROTO;
    }
    return 0;
}

static inline int get_last_str(wire_cursor_t *in, uint32_t *fields, size_t max,
                               wire_bytes_t *text)
{
    *text = (wire_bytes_t){NULL, 0};
    if (*fields == 0) {
        return 0;
    }
    (*fields)--;
    return wire_get_str_max(in, max, text);
}

/* The two that each message of a client costs are read with a cursor of their
 * own, whose address nobody has. */
static int get_request(wire_cursor_t *in, uint32_t *fields,
                       message_request_t *request)
{
    wire_cursor_t at = *in;

    if (!take_fields(fields, 8) || wire_get_uint(&at, &request->id) < 0 ||
        wire_get_uint_max(&at, EVENT_PRESENCE, &request->event) < 0 ||
        request->event < EVENT_CONNECT || get_conn(&at, &request->conn) < 0 ||
        wire_get_str_max(&at, ROUTE_KEY_MAX, &request->route) < 0 ||
        request->route.len == 0 || wire_get_body(&at, &request->body) < 0 ||
        wire_get_uint_max(&at, DURATION_MAX, &request->deadline_ms) < 0 ||
        get_map_or_nil(&at, CONTEXT_MAX, &request->context) < 0 ||
        get_map_or_nil(&at, DETAILS_MAX, &request->details) < 0) {
        return -EPROTO;
    }
    int rc = get_last_uint(&at, fields, &request->number);
    if (rc < 0 || (rc = get_last_uint(&at, fields, &request->attempt)) < 0) {
        return rc;
    }
    rc = get_last_str(&at, fields, TRACEPARENT_MAX, &request->traceparent);
    *in = at;
    return rc;
}

static int get_reply(wire_cursor_t *in, uint32_t *fields,
                     message_reply_t *reply)
{
    wire_cursor_t at = *in;

    if (!take_fields(fields, 3) || wire_get_uint(&at, &reply->id) < 0 ||
        wire_get_uint_max(&at, STATUS_MAX, &reply->status) < 0 ||
        reply->status < STATUS_MIN || wire_get_body(&at, &reply->body) < 0) {
        return -EPROTO;
    }
    int rc = get_last_map(&at, fields, &reply->options);
    *in = at;
    return rc;
}

static int get_push(wire_cursor_t *in, uint32_t *fields, message_push_t *push)
{
    if (!take_fields(fields, 2) || wire_get_raw_array(in, &push->target) < 0 ||
        wire_get_body(in, &push->body) < 0 || push->body.type == BODY_NONE) {
        return -EPROTO;
    }
    return get_last_map(in, fields, &push->options);
}

static int get_pushed(wire_cursor_t *in, uint32_t *fields,
                      message_pushed_t *pushed)
{
    if (!take_fields(fields, 4) || wire_get_uint(in, &pushed->id) < 0 ||
        wire_get_uint(in, &pushed->delivered) < 0 ||
        wire_get_uint(in, &pushed->gone) < 0 ||
        wire_get_uint(in, &pushed->refused) < 0) {
        return -EPROTO;
    }
    return 0;
}

static int get_join(wire_cursor_t *in, uint32_t *fields, message_join_t *join)
{
    if (!take_fields(fields, 2) ||
        wire_get_str_max(in, GROUP_MAX, &join->group) < 0 ||
        join->group.len == 0 || wire_get_str(in, &join->conn) < 0) {
        return -EPROTO;
    }
    return get_last_uint(in, fields, &join->from);
}

static int get_close(wire_cursor_t *in, uint32_t *fields,
                     message_close_t *close)
{
    if (!take_fields(fields, 3) || wire_get_str(in, &close->conn) < 0 ||
        wire_get_uint_max(in, CLOSE_CODE_MAX, &close->code) < 0 ||
        close->code < CLOSE_CODE_MIN ||
        wire_get_str_max(in, REASON_MAX, &close->reason) < 0) {
        return -EPROTO;
    }
    return get_last_uint(in, fields, &close->from);
}

static int get_query(wire_cursor_t *in, uint32_t *fields,
                     message_query_t *query)
{
    if (!take_fields(fields, 2) || wire_get_uint(in, &query->id) < 0 ||
        wire_get_raw_array(in, &query->what) < 0) {
        return -EPROTO;
    }
    return get_last_map(in, fields, &query->options);
}

static int get_result(wire_cursor_t *in, uint32_t *fields,
                      message_result_t *result)
{
    if (!take_fields(fields, 3) || wire_get_uint(in, &result->id) < 0 ||
        wire_get_uint_max(in, STATUS_MAX, &result->status) < 0 ||
        result->status < STATUS_MIN ||
        wire_get_raw_array(in, &result->rows) < 0) {
        return -EPROTO;
    }
    return get_last_map(in, fields, &result->options);
}

static int get_gone(wire_cursor_t *in, uint32_t *fields, message_gone_t *gone)
{
    if (!take_fields(fields, 1) || wire_get_str(in, &gone->conn) < 0) {
        return -EPROTO;
    }
    return get_last_uint(in, fields, &gone->from);
}

static int get_credit(wire_cursor_t *in, uint32_t *fields,
                      message_credit_t *credit)
{
    if (!take_fields(fields, 2) || wire_get_uint(in, &credit->messages) < 0 ||
        wire_get_uint(in, &credit->bytes) < 0) {
        return -EPROTO;
    }
    return 0;
}

static int get_ping(wire_cursor_t *in, uint32_t *fields, message_ping_t *ping)
{
    if (get_last_uint(in, fields, &ping->in_flight) < 0 ||
        get_last_uint(in, fields, &ping->oldest_ms) < 0 ||
        get_last_uint(in, fields, &ping->number) < 0) {
        return -EPROTO;
    }
    return 0;
}

static int get_sync(wire_cursor_t *in, uint32_t *fields, message_sync_t *sync)
{
    if (!take_fields(fields, 2) ||
        wire_get_raw_array(in, &sync->connections) < 0 ||
        wire_get_bool(in, &sync->more) < 0 ||
        get_last_uint(in, fields, &sync->session) < 0 ||
        get_last_uint(in, fields, &sync->change) < 0) {
        return -EPROTO;
    }
    return 0;
}

static int get_error(wire_cursor_t *in, uint32_t *fields,
                     message_error_t *error)
{
    if (!take_fields(fields, 2) ||
        wire_get_str_max(in, ERROR_CODE_MAX, &error->code) < 0 ||
        wire_get_str_max(in, ERROR_TEXT_MAX, &error->text) < 0) {
        return -EPROTO;
    }
    return get_last_uint(in, fields, &error->from);
}

static int get_interest(wire_cursor_t *in, uint32_t *fields,
                        message_interest_t *interest)
{
    interest->more = false;
    if (!take_fields(fields, 2) || wire_get_uint(in, &interest->change) < 0 ||
        wire_get_raw_array(in, &interest->names) < 0) {
        return -EPROTO;
    }
    if (*fields > 0) {
        (*fields)--;
        if (wire_get_bool(in, &interest->more) < 0) {
            return -EPROTO;
        }
    }
    return get_last_uint(in, fields, &interest->session);
}

static int get_watch(wire_cursor_t *in, uint32_t *fields,
                     message_watch_t *watch)
{
    if (!take_fields(fields, 1) || wire_get_bool(in, &watch->presence) < 0) {
        return -EPROTO;
    }
    return 0;
}

static int get_fields(wire_cursor_t *in, uint32_t *fields, message_t *message)
{
    switch (message->kind) {
    case KIND_HELLO:
        return get_hello(in, fields, &message->hello);
    case KIND_WELCOME:
        return get_welcome(in, fields, &message->welcome);
    case KIND_READY:
        return get_ready(in, fields, &message->ready);
    case KIND_REQUEST:
        return get_request(in, fields, &message->request);
    case KIND_REPLY:
        return get_reply(in, fields, &message->reply);
    case KIND_PUSH:
        return get_push(in, fields, &message->push);
    case KIND_PUSHED:
        return get_pushed(in, fields, &message->pushed);
    case KIND_JOIN:
    case KIND_LEAVE:
        return get_join(in, fields, &message->join);
    case KIND_CLOSE:
        return get_close(in, fields, &message->close);
    case KIND_GONE:
        return get_gone(in, fields, &message->gone);
    case KIND_QUERY:
        return get_query(in, fields, &message->query);
    case KIND_RESULT:
        return get_result(in, fields, &message->result);
    case KIND_CREDIT:
        return get_credit(in, fields, &message->credit);
    case KIND_PING:
        return get_ping(in, fields, &message->ping);
    case KIND_PONG:
        return get_last_uint(in, fields, &message->pong.number);
    case KIND_SYNC:
        return get_sync(in, fields, &message->sync);
    case KIND_ERROR:
        return get_error(in, fields, &message->error);
    case KIND_INTEREST:
        return get_interest(in, fields, &message->interest);
    case KIND_WATCH:
        return get_watch(in, fields, &message->watch);
    case KIND_DRAIN:
    case KIND_BYE:
    case KIND_WHO:
        return 0;
    }
    return -ENOTSUP;
}

static int decode(wire_cursor_t *in, message_t *message)
{
    uint32_t fields;
    uint64_t kind;
    wire_bytes_t skipped;

    if (wire_get_array(in, &fields) < 0 || fields == 0 ||
        wire_get_uint_max(in, KIND_MAX, &kind) < 0) {
        return -EPROTO;
    }
    fields--;
    message->kind = (message_kind_t)kind;
    int rc = get_fields(in, &fields, message);
    if (rc == -EPROTO) {
        return rc;
    }
    /* What a newer version added behind the fields that we know. */
    while (fields-- > 0) {
        if (wire_get_raw(in, &skipped) < 0) {
            return -EPROTO;
        }
    }
    return rc == 0 ? 1 : rc;
}

/* Move behind an array whatever is in it; else to the end of the frame. */
static int skip_malformed(wire_cursor_t *frame)
{
    wire_bytes_t skipped;

    if (wire_get_raw_array(frame, &skipped) == 0) {
        return -EPROTO;
    }
    frame->at = frame->end;
    return -EBADMSG;
}

int message_decode(wire_cursor_t *frame, message_t *message)
{
    wire_cursor_t start = *frame;

    if (wire_at_end(frame)) {
        return 0;
    }
    int rc = decode(frame, message);
    if (rc == -EPROTO) {
        *frame = start;
        rc = skip_malformed(frame);
    }
    message->size = (size_t)(frame->at - start.at);
    return rc;
}

bool message_body_is_valid(const body_t *body)
{
    return body->type != BODY_TEXT ||
           utf8_is_valid(body->bytes.data, body->bytes.len);
}

const char *message_kind_name(message_kind_t kind)
{
    switch (kind) {
    case KIND_HELLO:
        return "HELLO";
    case KIND_WELCOME:
        return "WELCOME";
    case KIND_READY:
        return "READY";
    case KIND_REQUEST:
        return "REQUEST";
    case KIND_REPLY:
        return "REPLY";
    case KIND_PUSH:
        return "PUSH";
    case KIND_PUSHED:
        return "PUSHED";
    case KIND_JOIN:
        return "JOIN";
    case KIND_LEAVE:
        return "LEAVE";
    case KIND_CLOSE:
        return "CLOSE";
    case KIND_GONE:
        return "GONE";
    case KIND_QUERY:
        return "QUERY";
    case KIND_RESULT:
        return "RESULT";
    case KIND_CREDIT:
        return "CREDIT";
    case KIND_PING:
        return "PING";
    case KIND_PONG:
        return "PONG";
    case KIND_SYNC:
        return "SYNC";
    case KIND_DRAIN:
        return "DRAIN";
    case KIND_BYE:
        return "BYE";
    case KIND_WHO:
        return "WHO";
    case KIND_ERROR:
        return "ERROR";
    case KIND_INTEREST:
        return "INTEREST";
    case KIND_WATCH:
        return "WATCH";
    }
    return "?";
}
