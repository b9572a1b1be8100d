/* SPDX-License-Identifier: MIT */
#include "broker/outcome.h"

#include "broker/conns.h"
#include "broker/dispatch.h"
#include "broker/keeper.h"
#include "broker/peers.h"
#include "broker/requests.h"
#include "broker/spans.h"
#include "broker/watch.h"
#include "proto/context.h"

#include <errno.h>

/* --- outcomes ------------------------------------------------------------ */

/* A gateway must not give a connection to another broker while a handler of it
 * runs, so it is told of those that it waits for no longer: {"runs": true}. */
void outcome_answer(core_t *core, request_t *request,
                    const message_reply_t *reply)
{
    static const uint8_t runs[] = {0x81, 0xa4, 'r', 'u', 'n', 's', 0xc3};
    gateway_t *gateway = request->conn->gateway;
    message_reply_t mine = *reply;

    wheel_cancel(&core->wheel, &request->deadline);
    if (request->is_answered) {
        return;
    }
    request->is_answered = true;
    if (event_is_counted(request->event)) {
        gateway->held--;
        gateway->held_bytes -= request->size;
    }
    if (gateway->peer != NULL && gateway->peer->cut_ms == 0) {
        if (request->conn->overdue > 0 && request->event == EVENT_MESSAGE) {
            mine.options = (wire_bytes_t){runs, sizeof runs};
        }
        mine.id = request->gateway_id;
        peer_sent(core, gateway->peer,
                  message_put_reply(peer_out(core, gateway->peer), &mine));
    }
}

void outcome_status(core_t *core, request_t *request, uint64_t status)
{
    outcome_answer(core, request, &(message_reply_t){.status = status});
}

/* An outcome that no worker made; the connection's state follows from it. */
void outcome_fail(core_t *core, request_t *request, uint64_t status)
{
    outcome_status(core, request, status);
    if (event_is_edge(request->event)) {
        request->conn->state = CONN_CLOSING;
        conns_unlist(core, request->conn);
    }
}

void outcome_finish(core_t *core, request_t *request)
{
    conn_t *conn = request->conn;

    if (request->letter != 0) {
        core->ops.settled(core->user, request->letter);
    }
    wheel_cancel(&core->wheel, &request->deadline);
    if (conn->farewell == request) {
        conn->farewell = NULL;
    }
    if (request->event == EVENT_PRESENCE && conn->presence == request) {
        conn->presence = NULL;
    }
    spans_end(core, request);
    requests_give(&core->requests, request);
    core->stats.requests--;
    conns_reap(core, conn);
}

/*
 * It has been tried and never answered, or was dead before: somebody may want
 * to see it.  Of others the client is told, and that is all.
 */
void outcome_bury(core_t *core, request_t *request)
{
    bool was_tried =
        request->attempt > 0 && request->held != NULL && !request->is_answered;

    if (request->event != EVENT_MESSAGE ||
        (!was_tried && request->letter == 0)) {
        return;
    }
    parts_t parts = request_parts(request);
    letter_t letter = {.id = request->letter,
                       .conn = *conn_id_of(request->conn),
                       .route = parts.route,
                       .body = parts.body,
                       .context = record_context(request->conn->record),
                       .number = request->number,
                       .attempts = request->attempt};
    core->stats.dead++;
    request->letter = 0;
    if (core->ops.dead != NULL) {
        core->ops.dead(core->user, &letter);
    }
}

/* Remember what the handler said about the connection.  0 or an HTTP status. */
static uint64_t remember(core_t *core, conn_t *conn, wire_bytes_t options)
{
    buf_reset(&core->scratch, CONTEXT_MAX);
    int merged =
        context_merge(&core->scratch, record_context(conn->record), options);
    if (merged < 0) {
        return merged == -EPROTO ? 502 : 500;
    }
    wire_bytes_t context = {core->scratch.data, core->scratch.len};
    return conns_set_context(conn, context) < 0 ? 500 : 0;
}

static bool is_success(uint64_t status)
{
    return status >= 200 && status <= 299;
}

static void refuse(core_t *core, request_t *request,
                   const message_reply_t *reply)
{
    conn_t *conn = request->conn;

    outcome_answer(core, request, reply);
    conn->state = CONN_CLOSING;
    conns_unlist(core, conn);
    outcome_finish(core, request);
}

/* Its handler let it in, and it is not: the handler is told so. */
static void take_back(core_t *core, request_t *request, uint64_t status,
                      uint64_t code, const char *reason)
{
    conn_t *conn = request->conn;

    conn->state = CONN_OPEN;
    outcome_status(core, request, status);
    dispatch_end(core, conn, code, reason);
    outcome_finish(core, request);
}

static void let_in(core_t *core, request_t *request,
                   const message_reply_t *reply)
{
    request->conn->state = CONN_OPEN;
    outcome_answer(core, request, reply);
    outcome_finish(core, request);
}

/* --- until its row is written -------------------------------------------- */

/* The reply waits in the place of the parts that the worker had. */
static int hold_reply(core_t *core, request_t *request,
                      const message_reply_t *reply)
{
    parts_t parts = {.body = reply->body, .details = reply->options};

    request_release_parts(request);
    if (request_hold(request, &parts) < 0) {
        return -ENOMEM;
    }
    request->status = (uint16_t)reply->status;
    request->conn->held = request;
    wheel_cancel(&core->wheel, &request->deadline); /* the store has its own */
    return 0;
}

void outcome_entered(core_t *core, request_t *request, bool is_kept)
{
    conn_t *conn = request->conn;
    parts_t parts = request_parts(request);
    message_reply_t reply = {.status = request->status,
                             .body = parts.body,
                             .options = parts.details};
    bool was_busy = conn->is_busy;

    conn->is_busy = true;
    conn->held = NULL;
    if (is_kept || !core->options.require_store) {
        let_in(core, request, &reply);
    } else {
        core->stats.unstored++;
        take_back(core, request, 503, 1011, "not stored");
    }
    conn->is_busy = was_busy;
    conns_reap(core, conn);
}

void outcome_abandon_entry(core_t *core, conn_t *conn)
{
    request_t *request = conn->held;

    if (request == NULL || request->event != EVENT_CONNECT) {
        return;
    }
    conn->held = NULL;
    list_remove(&request->link); /* it may wait for its gateway's lease */
    conn->state = CONN_OPEN;     /* as its handler knows */
    outcome_status(core, request, 504);
    outcome_finish(core, request);
}

/* --- CONNECT ------------------------------------------------------------- */

static void connect(core_t *core, request_t *request,
                    const message_reply_t *reply)
{
    conn_t *conn = request->conn;

    if (!is_success(reply->status)) {
        refuse(core, request, reply);
        return;
    }
    if (!conn->is_listed) { /* the handler let in who is no longer there */
        take_back(core, request, 504, 1006, "left before it was connected");
        return;
    }
    uint64_t failure = remember(core, conn, reply->options);
    if (failure != 0) {
        take_back(core, request, failure, 1011, "context refused");
    } else if (!keeper_makes_wait(core)) {
        keeper_save(core, conn);
        let_in(core, request, reply);
    } else if (hold_reply(core, request, reply) < 0) {
        take_back(core, request, 500, 1011, "no memory");
    } else {
        keeper_enter(core, request);
    }
}

/* --- DISCONNECT ---------------------------------------------------------- */

/* If we die before the row is gone, the gateway is to say it again. */
static void disconnect(core_t *core, request_t *request)
{
    if (keeper_makes_wait(core) && !request->is_answered) {
        request->conn->held = request;
        keeper_leave(core, request);
    } else {
        outcome_left(core, request);
    }
}

void outcome_left(core_t *core, request_t *request)
{
    conn_t *conn = request->conn;
    bool was_busy = conn->is_busy;

    conn->is_busy = true;
    conn->held = NULL;
    outcome_fail(core, request, 200);
    outcome_finish(core, request);
    conn->is_busy = was_busy;
    conns_reap(core, conn);
}

/* --- PRESENCE ------------------------------------------------------------ */

/* 200, whatever the handler said of it: it was told; or 503: it was not. */
static void present(core_t *core, request_t *request, uint64_t status)
{
    bool is_lost = status == 503 && request->conn->state == CONN_CLOSING;

    core->stats.presences_lost += is_lost; /* no gateway says it again */
    if (status == 503 && !is_lost && request->held != NULL) {
        watch_untold(request->conn, request_parts(request).details,
                     request->attempt == 0);
    }
    outcome_status(core, request, status);
    outcome_finish(core, request);
}

/* --- without a worker ---------------------------------------------------- */

/* No worker serves its route. */
static void end_unserved(core_t *core, request_t *request)
{
    static const message_reply_t yes = {.status = 200};

    if (request->event == EVENT_CONNECT &&
        !request->conn->gateway->requires_connect) {
        connect(core, request, &yes);
        return;
    }
    if (request->event == EVENT_DISCONNECT) {
        disconnect(core, request);
        return;
    }
    if (request->event == EVENT_PRESENCE) {
        present(core, request, 503);
        return;
    }
    core->stats.no_worker++;
    outcome_fail(core, request, request->event == EVENT_CONNECT ? 503 : 403);
    outcome_finish(core, request);
}

/* The same for one that was tried, or waited: that is no Forbidden. */
void outcome_nowhere(core_t *core, request_t *request)
{
    if (request->event == EVENT_MESSAGE &&
        (request->attempt > 0 || request->letter != 0)) {
        outcome_bury(core, request);
        outcome_fail(core, request, 500);
        outcome_finish(core, request);
    } else {
        end_unserved(core, request);
    }
}

/* --- a worker's word ----------------------------------------------------- */

/* A text that is no UTF-8 would make the client close: it does not get it. */
static bool is_readable(const request_t *request, const message_reply_t *reply)
{
    bool goes_nowhere =
        request->event == EVENT_DISCONNECT ||
        request->event == EVENT_PRESENCE ||
        (request->event == EVENT_CONNECT && is_success(reply->status));

    return goes_nowhere || message_body_is_valid(&reply->body);
}

void outcome_reply(core_t *core, request_t *request, worker_t *worker,
                   const message_reply_t *reply)
{
    static const message_reply_t unreadable = {.status = 502};

    if (!is_readable(request, reply)) {
        peer_fault(core, worker->peer, "text",
                   "the body of a REPLY is no UTF-8");
        reply = &unreadable;
    }
    if (request->is_answered && request_has_deadline(request)) {
        core->stats.replies_late++;
    } else {
        core->stats.replies++;
    }
    if (request->event == EVENT_CONNECT) {
        connect(core, request, reply);
        return;
    }
    if (request->event == EVENT_DISCONNECT) {
        disconnect(core, request);
        return;
    }
    if (request->event == EVENT_PRESENCE) {
        present(core, request, 200);
        return;
    }
    outcome_answer(core, request, reply);
    outcome_finish(core, request);
}
