/* SPDX-License-Identifier: MIT */
#include "manage/manager.h"

#include "base/hash.h"
#include "base/rand.h"
#include "base/utf8.h"
#include "base/xalloc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DETAIL_MAX  65536 /* bytes; a head is not longer */
#define MESSAGE_MAX 4096  /* bytes of a target or a question */

struct manager {
    manager_options_t options;
    const char *boot;              /* borrowed */
    uplink_t *uplinks[ROSTER_MAX]; /* owned; by slot */
    calls_t calls;
    uint64_t node;     /* half of our request ids */
    uint64_t requests; /* the other half */
    int64_t now_ms, wall_ms;
    manage_stats_t stats;
    log_brake_t brake;
    log_brake_t denials; /* of its own: strangers cannot silence the rest */
};

/* --- answers ------------------------------------------------------------- */

static uint64_t *counter_of(manage_stats_t *stats, unsigned status)
{
    switch (status) {
    case 200:
    case 204:
        return &stats->done;
    case 403:
        return &stats->denied;
    case 410:
        return &stats->gone;
    case 429:
        return &stats->limited;
    default:
        return status < 500 ? &stats->bad : &stats->failed;
    }
}

static void say(manager_t *self, manager_caller_t caller,
                const api_reply_t *answer)
{
    ++*counter_of(&self->stats, answer->status);
    self->options.answer(self->options.user, caller, answer);
}

/* What is to be looked into: somebody knocks, or does not get through. */
static void log_fault(manager_t *self, const fault_t *fault)
{
    if (fault->status == 403) {
        log_braked(&self->denials, LEVEL_WARN, "MANAGE-DENIED", "reason=\"%s\"",
                   fault->message);
    } else if (fault->status >= 500) {
        log_braked(&self->brake, LEVEL_WARN, "MANAGE-FAILED", "reason=\"%s\"",
                   fault->message);
    }
}

static void say_fault(manager_t *self, manager_caller_t caller,
                      const fault_t *fault, wire_bytes_t detail,
                      const char *request)
{
    api_reply_t answer;

    log_fault(self, fault);
    api_reply_init(&answer);
    api_reply_fault(&answer, fault, detail, request);
    say(self, caller, &answer);
    api_reply_fini(&answer);
}

/* As AWS writes them; ours are a number of this process and one of the
 * request. */
static void next_request_id(manager_t *self, char text[CALLS_UUID])
{
    uint64_t node = self->node, number = ++self->requests;

    snprintf(text, CALLS_UUID,
             "%08" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%04" PRIx64
             "-%012" PRIx64,
             node >> 32, node >> 16 & 0xffff, node & 0xffff,
             number >> 48 & 0xffff, number & UINT64_C(0xffffffffffff));
}

/* --- calls --------------------------------------------------------------- */

static void call_free(manager_t *self, call_t *call)
{
    calls_free(&self->calls, call);
    self->stats.under_way--;
}

static void finish(manager_t *self, call_t *call, const api_reply_t *answer)
{
    manager_caller_t caller = call->caller;

    call_free(self, call);
    say(self, caller, answer);
}

static void finish_status(manager_t *self, call_t *call, unsigned status)
{
    api_reply_t answer;

    api_reply_init(&answer);
    api_reply_status(&answer, status, call->request);
    finish(self, call, &answer);
    api_reply_fini(&answer);
}

static void fail(manager_t *self, call_t *call, const fault_t *fault)
{
    manager_caller_t caller = call->caller;

    call_free(self, call);
    say_fault(self, caller, fault, (wire_bytes_t){NULL, 0}, call->request);
}

/* --- orders become messages ---------------------------------------------- */

static wire_bytes_t name_of(const order_t *order)
{
    return (wire_bytes_t){order->name, order->name_len};
}

/* ["connection", id], ["group", name], ["all"]: a target, and a question. */
static int put_target(buf_t *out, const order_t *order)
{
    int rc = wire_put_array(out, order->name_len > 0 ? 2 : 1);

    if (rc == 0 && (rc = wire_put_text(out, order->type)) == 0 &&
        order->name_len > 0) {
        rc = wire_put_str(out, name_of(order));
    }
    return rc;
}

static int put_ack(buf_t *out, uint64_t id)
{
    int rc = wire_put_map(out, 1);

    if (rc == 0 && (rc = wire_put_text(out, "ack")) == 0) {
        rc = wire_put_uint(out, id);
    }
    return rc;
}

static int put_live(buf_t *out, bool is_live)
{
    int rc = wire_put_map(out, is_live ? 1 : 0);

    if (rc == 0 && is_live && (rc = wire_put_text(out, "live")) == 0) {
        rc = wire_put_bool(out, true);
    }
    return rc;
}

/* What a client sent as bytes is text where it can be: a browser, and every
 * client of API Gateway, expects text frames. */
static body_t body_of(wire_bytes_t bytes)
{
    bool is_text = utf8_is_valid(bytes.data, bytes.len);

    return (body_t){is_text ? BODY_TEXT : BODY_BINARY, bytes};
}

static int put_push(call_t *call, wire_bytes_t body, buf_t *scratch)
{
    int rc = put_target(scratch, &call->order);
    size_t target_len = scratch->len;

    if (rc < 0 || (rc = put_ack(scratch, call->id)) < 0) {
        return rc;
    }
    message_push_t push = {
        .target = {scratch->data, target_len},
        .body = body_of(body),
        .options = {scratch->data + target_len, scratch->len - target_len},
    };
    call->step = STEP_PUSH;
    return uplink_push(call->uplink, &push);
}

static int put_query(call_t *call, step_t step, buf_t *scratch)
{
    int rc = put_target(scratch, &call->order);
    size_t what_len = scratch->len;

    if (rc < 0 || (rc = put_live(scratch, step != STEP_STORED)) < 0) {
        return rc;
    }
    message_query_t query = {
        .id = call->id,
        .what = {scratch->data, what_len},
        .options = {scratch->data + what_len, scratch->len - what_len},
    };
    call->step = step;
    return message_put_query(&call->uplink->out, &query);
}

static int put_close(call_t *call)
{
    const order_t *order = &call->order;
    message_close_t message = {
        .conn = name_of(order),
        .code = order->code,
        .reason = {order->reason, order->reason_len},
    };

    return message_put_close(&call->uplink->out, &message);
}

static int push(call_t *call, wire_bytes_t body)
{
    buf_t scratch;

    buf_init(&scratch, MESSAGE_MAX);
    int rc = put_push(call, body, &scratch);
    buf_fini(&scratch);
    return rc;
}

/* What it asks in this step, and what belongs before that. */
static int ask(call_t *call, step_t step)
{
    int rc = step == STEP_CLOSED ? put_close(call) : 0;
    buf_t scratch;

    buf_init(&scratch, MESSAGE_MAX);
    if (rc == 0) {
        rc = put_query(call, step, &scratch);
    }
    buf_fini(&scratch);
    return rc;
}

static int start(call_t *call, wire_bytes_t body)
{
    order_verb_t verb = call->order.verb;
    bool is_push = verb == ORDER_POST || verb == ORDER_CAST;

    return is_push ? push(call, body) : ask(call, STEP_LIVE);
}

/* --- requests ------------------------------------------------------------ */

static size_t count_up(const manager_t *self)
{
    size_t count = 0;

    for (size_t i = 0; i < ROSTER_MAX; i++) {
        count +=
            self->uplinks[i] != NULL && self->uplinks[i]->state == UPLINK_UP;
    }
    return count;
}

/* One that is up, and the same for the same name, so that what is said to it
 * stays in order. */
static uplink_t *choose(const manager_t *self, const order_t *order)
{
    size_t up = count_up(self);
    size_t left = up == 0 ? 0 : hash_bytes(order->name, order->name_len) % up;

    for (size_t i = 0; up > 0 && i < ROSTER_MAX; i++) {
        uplink_t *uplink = self->uplinks[i];
        if (uplink != NULL && uplink->state == UPLINK_UP && left-- == 0) {
            return uplink;
        }
    }
    return NULL;
}

/* NULL: it is under way. */
static const fault_t *begin(manager_t *self, manager_caller_t caller,
                            const order_t *order, wire_bytes_t body,
                            const char *request)
{
    uplink_t *uplink = choose(self, order);

    if (uplink == NULL) {
        return &fault_down;
    }
    if (!calls_have_room(&self->calls, uplink, order, self->now_ms)) {
        self->stats.late++;
        return &fault_down;
    }
    call_t *call = calls_new(&self->calls, caller, order, self->now_ms);
    if (call == NULL) {
        return &fault_busy;
    }
    self->stats.under_way++;
    call_at(call, uplink, self->now_ms);
    memcpy(call->request, request, sizeof call->request);
    int rc = start(call, body);
    if (rc < 0) {
        call_free(self, call);
        return rc == -EAGAIN ? &fault_busy : &fault_memory;
    }
    return NULL;
}

/* What can be told by the head comes first: a body that is not here, be it too
 * large or nobody's, cannot be verified. */
static const fault_t *check(manager_t *self, bool is_trusted,
                            const http_request_t *request, wire_bytes_t body)
{
    if (!is_trusted && (self->options.auth == NULL ||
                        http_header(request, "authorization") == NULL)) {
        return &fault_no_credentials;
    }
    if (request->is_chunked) {
        return &fault_length;
    }
    if (request->content_length > self->options.body_max ||
        request->content_length != body.len) {
        return &fault_too_large;
    }
    if (is_trusted) {
        return NULL;
    }
    const fault_t *fault =
        auth_check(self->options.auth, request, body, self->wall_ms / 1000);
    self->stats.replayed += fault == &fault_replayed;
    return fault;
}

void manager_ask(manager_t *self, manager_caller_t caller, bool is_trusted,
                 const http_request_t *request, wire_bytes_t body)
{
    char id[CALLS_UUID];
    order_t order;
    buf_t detail;

    self->stats.requests++;
    next_request_id(self, id);
    buf_init(&detail, DETAIL_MAX);
    const fault_t *fault = check(self, is_trusted, request, body);
    if (fault == NULL) {
        fault = order_read(request, self->options.stage, &order, &detail);
    }
    if (fault == NULL) {
        fault = begin(self, caller, &order, body, id);
    }
    if (fault != NULL) {
        say_fault(self, caller, fault, (wire_bytes_t){detail.data, detail.len},
                  id);
    }
    buf_fini(&detail);
}

void manager_look(manager_t *self, manager_caller_t caller,
                  const http_request_t *request)
{
    const fault_t *fault =
        self->options.auth == NULL
            ? &fault_no_credentials
            : auth_look(self->options.auth, request, self->wall_ms / 1000);
    api_reply_t go_on = {.status = 100};
    char id[CALLS_UUID];

    if (fault == NULL) {
        self->options.answer(self->options.user, caller, &go_on);
        return;
    }
    self->stats.requests++;
    next_request_id(self, id);
    say_fault(self, caller, fault, (wire_bytes_t){NULL, 0}, id);
}

/* --- answers of brokers -------------------------------------------------- */

/* A broker takes for gone whom its gateways have not: so is who is at a gateway
 * that it does not know. */
static void doubt_gone(manager_t *self, call_t *call)
{
    if (ask(call, STEP_LIVE) < 0) {
        fail(self, call, &fault_memory);
    }
}

static void on_pushed(manager_t *self, call_t *call,
                      const message_pushed_t *pushed)
{
    api_reply_t answer;

    if (call->order.verb == ORDER_CAST) {
        api_reply_init(&answer);
        api_reply_counts(&answer, pushed, call->request);
        finish(self, call, &answer);
        api_reply_fini(&answer);
    } else if (pushed->delivered > 0) {
        finish_status(self, call, 200);
    } else if (pushed->refused == 0) {
        doubt_gone(self, call);
    } else {
        fail(self, call, &fault_slow);
    }
}

/* The context of the only row; empty when there is none. */
static wire_bytes_t context_of(const message_result_t *result)
{
    wire_cursor_t in = wire_cursor(result->rows);
    wire_bytes_t id, context = {NULL, 0};
    uint32_t count;

    if (wire_get_array(&in, &count) == 0 && count > 0 &&
        wire_get_array(&in, &count) == 0 && count >= 2 &&
        wire_get_str(&in, &id) == 0) {
        (void)wire_get_raw_map(&in, &context);
    }
    return context;
}

static void tell_connection(manager_t *self, call_t *call,
                            const message_result_t *result)
{
    wire_bytes_t context = context_of(result);
    api_reply_t answer;

    if (context.len == 0) {
        fail(self, call, &fault_down);
        return;
    }
    api_reply_init(&answer);
    api_reply_connection(&answer, context, call->request);
    finish(self, call, &answer);
    api_reply_fini(&answer);
}

static void close_connection(manager_t *self, call_t *call)
{
    if (ask(call, STEP_CLOSED) < 0) {
        fail(self, call, &fault_memory);
    }
}

/* One that is up and was not asked; or NULL. */
static uplink_t *find_unasked(const manager_t *self, const call_t *call)
{
    for (size_t i = 0; i < ROSTER_MAX; i++) {
        uplink_t *uplink = self->uplinks[i];
        if (uplink != NULL && uplink->state == UPLINK_UP &&
            !call_was_at(call, uplink)) {
            return uplink;
        }
    }
    return NULL;
}

/* This broker has no such gateway: another may, or else the store. */
static void ask_further(manager_t *self, call_t *call)
{
    uplink_t *uplink = find_unasked(self, call);

    if (uplink != NULL) {
        call_at(call, uplink, self->now_ms);
    }
    if (ask(call, uplink != NULL ? STEP_LIVE : STEP_STORED) < 0) {
        fail(self, call, &fault_memory);
    }
}

static bool are_all_settled(const manager_t *self)
{
    for (size_t i = 0; i < ROSTER_MAX; i++) {
        if (self->uplinks[i] != NULL &&
            !uplink_is_settled(self->uplinks[i], self->now_ms)) {
            return false;
        }
    }
    return true;
}

/* Nobody has the gateway, nor the store the connection.  But not all stores are
 * shared, nor always up to date; who is not there cannot be asked, and who has
 * come since then was not. */
static void judge_unknown(manager_t *self, call_t *call)
{
    if (find_unasked(self, call) != NULL) {
        ask_further(self, call);
    } else {
        fail(self, call, are_all_settled(self) ? &fault_gone : &fault_down);
    }
}

static const fault_t *fault_of(uint64_t status)
{
    switch (status) {
    case 404:
        return &fault_gone;
    case 429:
        return &fault_busy;
    case 504:
        return &fault_late;
    default: /* of the store's 200, too: nobody can reach it now */
        return &fault_down;
    }
}

static void on_result(manager_t *self, call_t *call,
                      const message_result_t *result)
{
    bool is_live = call->step == STEP_LIVE;

    if (call->step == STEP_CLOSED && result->status == 404) {
        finish_status(self, call, 204);
    } else if (is_live && result->status == 503) {
        ask_further(self, call);
    } else if (call->step == STEP_STORED && result->status == 404) {
        judge_unknown(self, call);
    } else if (!is_live || result->status != 200) {
        fail(self, call, fault_of(result->status));
    } else if (call->order.verb == ORDER_POST) {
        fail(self, call, &fault_down); /* it is there, and did not get it */
    } else if (call->order.verb == ORDER_GET) {
        tell_connection(self, call, result);
    } else {
        close_connection(self, call);
    }
}

static void on_news(manager_t *self, const uplink_t *uplink,
                    const message_t *message)
{
    bool is_pushed = message->kind == KIND_PUSHED;
    uint64_t id = is_pushed ? message->pushed.id : message->result.id;
    call_t *call = calls_find(&self->calls, uplink, id);

    if (call == NULL || is_pushed != (call->step == STEP_PUSH)) {
        return; /* too late */
    }
    if (is_pushed) {
        on_pushed(self, call, &message->pushed);
    } else {
        on_result(self, call, &message->result);
    }
}

/* --- brokers that are lost ----------------------------------------------- */

/* A question does no harm twice, nor does a CLOSE.  false: there is nobody else
 * to ask. */
static bool ask_another(manager_t *self, call_t *call)
{
    uplink_t *uplink = choose(self, &call->order);

    if (call->step == STEP_PUSH || uplink == NULL ||
        !calls_have_room(&self->calls, uplink, &call->order, self->now_ms)) {
        return false;
    }
    call_at(call, uplink, self->now_ms);
    return ask(call, call->step == STEP_CLOSED ? STEP_CLOSED : STEP_LIVE) == 0;
}

static void lose(manager_t *self, const uplink_t *uplink)
{
    list_foreach_safe(link, &self->calls.under_way) {
        call_t *call = list_entry(link, call_t, link);
        if (call->uplink != uplink) {
            continue;
        }
        call_lost(call);
        if (!ask_another(self, call)) {
            fail(self, call, &fault_down);
        }
    }
}

void manager_broken(manager_t *self, size_t slot)
{
    uplink_t *uplink = self->uplinks[slot];

    if (uplink_broken(uplink, self->now_ms) == UPLINK_LOST) {
        lose(self, uplink);
    }
}

/* --- frames -------------------------------------------------------------- */

static void note_error(manager_t *self, const uplink_t *uplink,
                       wire_bytes_t text)
{
    log_braked(&self->brake, LEVEL_WARN, "MANAGE-BROKER-ERROR",
               "broker=%s error=\"%.*s\"", uplink->endpoint, (int)text.len,
               (const char *)text.data);
}

void manager_frame(manager_t *self, size_t slot, wire_bytes_t frame)
{
    uplink_t *uplink = self->uplinks[slot];
    wire_cursor_t in = wire_cursor(frame);
    message_t message;
    int got;

    uplink_heard(uplink, self->now_ms);
    while ((got = message_decode(&in, &message)) != 0) {
        if (got == -ENOTSUP) {
            continue; /* a kind of a later release */
        }
        if (got < 0 || message.kind == KIND_ERROR) {
            note_error(self, uplink,
                       got < 0 ? wire_bytes("malformed") : message.error.text);
            continue;
        }
        switch (uplink_take(uplink, &message, self->now_ms)) {
        case UPLINK_NEWS:
            on_news(self, uplink, &message);
            break;
        case UPLINK_LOST:
            lose(self, uplink);
            break;
        default:
            break;
        }
    }
}

/* --- turns --------------------------------------------------------------- */

void manager_begin(manager_t *self, int64_t now_ms, int64_t wall_ms)
{
    self->now_ms = now_ms;
    self->wall_ms = wall_ms;
}

static void expire(manager_t *self)
{
    list_t late, *link;

    calls_take_late(&self->calls, self->now_ms, &late);
    while ((link = list_peek(&late)) != NULL) {
        self->stats.late++;
        fail(self, list_entry(link, call_t, link), &fault_late);
    }
}

void manager_end(manager_t *self)
{
    expire(self);
    for (size_t i = 0; i < ROSTER_MAX; i++) {
        uplink_t *uplink = self->uplinks[i];
        if (uplink != NULL &&
            uplink_tick(uplink, self->now_ms) == UPLINK_LOST) {
            lose(self, uplink);
        }
    }
    self->stats.brokers = count_up(self);
}

/* --- start and end ------------------------------------------------------- */

manager_t *manager_new(const manager_options_t *options, const char *boot)
{
    manager_t *self = xcalloc(1, sizeof *self);

    self->options = *options;
    self->boot = boot;
    rand_bytes(&self->node, sizeof self->node);
    calls_init(&self->calls);
    return self;
}

void manager_destroy(manager_t **self_p)
{
    manager_t *self = *self_p;

    if (self == NULL) {
        return;
    }
    for (size_t i = 0; i < ROSTER_MAX; i++) {
        manager_remove_broker(self, i);
    }
    free(self);
    *self_p = NULL;
}

uplink_t *manager_add_broker(manager_t *self, size_t slot, const char *endpoint)
{
    uplink_t *uplink = xcalloc(1, sizeof *uplink);

    uplink_init(uplink, slot, endpoint, self->boot, self->options.name,
                self->now_ms);
    self->uplinks[slot] = uplink;
    return uplink;
}

void manager_remove_broker(manager_t *self, size_t slot)
{
    uplink_t *uplink = self->uplinks[slot];

    if (uplink != NULL) {
        self->uplinks[slot] = NULL;
        lose(self, uplink);
        uplink_fini(uplink);
        free(uplink);
    }
}

void manager_bye(manager_t *self)
{
    for (size_t i = 0; i < ROSTER_MAX; i++) {
        if (self->uplinks[i] != NULL) {
            uplink_bye(self->uplinks[i]);
        }
    }
}

const manage_stats_t *manager_stats(const manager_t *self)
{
    return &self->stats;
}
