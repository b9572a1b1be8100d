/* SPDX-License-Identifier: MIT */
#include "broker/dispatch.h"

#include "base/xalloc.h"
#include "broker/conns.h"
#include "broker/outcome.h"
#include "broker/peers.h"
#include "broker/requests.h"
#include "broker/routing.h"
#include "broker/spans.h"
#include "broker/watch.h"

#include <errno.h>

#define HEAD_BYTES 64 /* of a REQUEST, beside its variable parts */
#define RUN_MAX    16 /* requests of one mailbox fed to a worker at once */

/* What is to become of the first request of a mailbox. */
typedef enum {
    GO,          /* to the worker, now */
    WAIT_WORKER, /* until the worker that holds its forerunners has room */
    WAIT_ROUTE,  /* until some worker of the route has room */
    WAIT_TURN,   /* until its forerunners are answered */
    WAIT_ANYONE, /* until some worker serves its route */
    NOWHERE,     /* no worker serves its route */
} verdict_t;

typedef struct {
    verdict_t verdict;
    route_t *route;
    worker_t *worker;
} place_t;

static void schedule(core_t *core, conn_t *conn);

/* --- where to ------------------------------------------------------------ */

/*
 * A MESSAGE's key is text of the client: one that begins with '$' must not
 * reach the handlers of $connect and $disconnect.
 */
static route_t *resolve(core_t *core, uint8_t event, wire_bytes_t key)
{
    if (event != EVENT_MESSAGE) {
        return routing_find(core, key);
    }
    route_t *route = key.data[0] != '$' ? routing_find(core, key) : NULL;
    return route != NULL ? route : routing_find(core, wire_bytes("$default"));
}

/* What it will take of a worker's window, near enough. */
static uint64_t cost_of(const conn_t *conn, const parts_t *parts)
{
    return HEAD_BYTES + parts->route.len + parts->body.bytes.len +
           parts->details.len + conn->record->context_len;
}

/* Is it a message that may overtake others of its connection? */
static bool is_loose(uint8_t event, const route_t *route)
{
    return event == EVENT_MESSAGE && route != NULL &&
           routing_is_unordered(route);
}

/* The end is the last of all: it waits for what goes without order, too. */
static bool is_held_up(const conn_t *conn, uint8_t event)
{
    return event == EVENT_DISCONNECT && conn->loose > 0;
}

/* As far as order goes, and what the worker serves. */
static bool may_go_to(const conn_t *conn, uint8_t event, const route_t *route,
                      const worker_t *worker)
{
    if (route == NULL || worker->crew == NULL ||
        routing_terms(worker->crew, route) == NULL || is_held_up(conn, event)) {
        return false;
    }
    return conn->worker == NULL || conn->worker == worker ||
           is_loose(event, route);
}

static place_t place_bound(const conn_t *conn, uint8_t event, route_t *route,
                           uint64_t cost)
{
    worker_t *worker = conn->worker;
    place_t place = {.verdict = WAIT_TURN, .route = route, .worker = worker};

    if (may_go_to(conn, event, route, worker)) {
        bool is_first = list_is_empty(&worker->waiters);
        place.verdict =
            is_first && worker_has_room(worker, cost) ? GO : WAIT_WORKER;
    }
    return place;
}

/* Are workers about to come back, since the broker was restarted? */
static bool is_settling(const core_t *core)
{
    return core->is_successor &&
           core->now_ms - core->born_ms < core->options.route_grace_ms;
}

/*
 * Is a request worth keeping although no worker serves its route?  All are
 * after a restart of ours; a CONNECT is, where nobody may get in without a
 * handler's word, and a DISCONNECT while those who serve them may only be
 * restarting: it must not be missing.
 */
static bool may_wait(const core_t *core, const conn_t *conn, uint8_t event)
{
    if (is_settling(core)) {
        return true;
    }
    if (event == EVENT_CONNECT) {
        return conn->gateway->requires_connect;
    }
    return event == EVENT_DISCONNECT &&
           core->now_ms - core->disconnect_gone_ms < DISCONNECT_MS;
}

static place_t place_of(core_t *core, const conn_t *conn, uint8_t event,
                        const parts_t *parts)
{
    uint64_t cost = cost_of(conn, parts);
    place_t place = {.route = resolve(core, event, parts->route)};

    if (is_held_up(conn, event)) {
        place.verdict = WAIT_TURN;
        return place;
    }
    if (conn->worker != NULL && !is_loose(event, place.route)) {
        return place_bound(conn, event, place.route, cost);
    }
    if (place.route == NULL) {
        place.verdict = may_wait(core, conn, event) ? WAIT_ANYONE : NOWHERE;
        return place;
    }
    if (list_is_empty(&place.route->waiters)) { /* else: first come */
        place.worker = routing_pick(place.route, cost);
    }
    place.verdict = place.worker != NULL ? GO : WAIT_ROUTE;
    return place;
}

/* --- to the worker ------------------------------------------------------- */

static uint64_t time_left(core_t *core, const request_t *request)
{
    int64_t left = request->due_ms - core->now_ms;

    if (left <= 0) {
        return request_has_deadline(request) ? 0 : DISCONNECT_MS;
    }
    return (uint64_t)left;
}

/* The id of its connection, with text for it where it is to be written. */
static wire_bytes_t conn_text(const request_t *request, const parts_t *parts,
                              char text[CONN_ID_TEXT])
{
    if (parts->conn != NULL) {
        return (wire_bytes_t){parts->conn, CONN_ID_TEXT};
    }
    conn_id_format(conn_id_of(request->conn), text);
    return (wire_bytes_t){(const uint8_t *)text, CONN_ID_TEXT};
}

static size_t put_request(core_t *core, request_t *request,
                          const route_t *route, worker_t *worker,
                          const parts_t *parts)
{
    char id[CONN_ID_TEXT], place[TRACEPARENT_TEXT];
    message_request_t message = {
        .id = request_id(request),
        .event = request->event,
        .conn = conn_text(request, parts, id),
        .route = {route->key, route->key_len},
        .body = parts->body,
        .deadline_ms = time_left(core, request),
        .context = record_context(request->conn->record),
        .details = parts->details,
        .number = request->number,
        .attempt = request->attempt,
        .traceparent = spans_place(core, request, place),
    };

    buf_t *out = peer_out(core, worker->peer);
    size_t before = out->len;
    peer_sent(core, worker->peer, message_put_request(out, &message));
    return out->len - before;
}

/*
 * What another worker is to have when this one dies is kept, and what has been
 * tried before, too: when its last attempt fails somebody may want to see it.
 */
static void keep_parts(request_t *request, const serves_t *terms,
                       const parts_t *parts)
{
    request->is_again = request->event == EVENT_DISCONNECT ||
                        request->event == EVENT_PRESENCE ||
                        request->attempt <= terms->redeliver;
    if (!request->is_again && request->attempt == 1 && request->letter == 0) {
        request_release_parts(request);
    } else if (request_hold(request, parts) < 0) {
        request->is_again = false;
    }
}

/* It is for this route (NULL: none yet), by what is known now. */
static void note_route(request_t *request, const route_t *route, flow_t *none)
{
    if (route != NULL && request->flow != route->flow) {
        route->flow->requests += request->flow == none;
        request->flow = route->flow;
    }
}

static void note_given(core_t *core, request_t *request, const route_t *route)
{
    note_route(request, route, core->traffic.none);
    histogram_add(&request->flow->wait, core->now_us - request->since_us);
    spans_given(core, request);
    request->flow->held++;
    request->since_us = core->now_us;
}

/* Parts may be lent by the request itself. */
static void hand_over(core_t *core, request_t *request, worker_t *worker,
                      const route_t *route, const parts_t *parts)
{
    if (request->attempt < UINT8_MAX) {
        request->attempt++;
    }
    size_t size = put_request(core, request, route, worker, parts);

    keep_parts(request, routing_terms(worker->crew, route), parts);
    note_given(core, request, route);
    request->worker = worker;
    request->worker_size = (uint32_t)size;
    request->is_loose = is_loose(request->event, route);
    list_append(&worker->in_flight, &request->link);
    worker->held++;
    worker->held_bytes += size;
    routing_level(worker);
    if (request->is_loose) {
        request->conn->loose++;
    } else {
        request->conn->worker = worker;
        request->conn->in_flight++;
    }
}

/* The worker holds it no longer, and what it still says of it is nobody's. */
static void let_go(request_t *request)
{
    worker_t *worker = request->worker;
    conn_t *conn = request->conn;

    list_remove(&request->link);
    request->flow->held--;
    request->worker = NULL;
    request_renew(request);
    conn->overdue -= request->is_overdue;
    request->is_overdue = false;
    worker->held--;
    worker->held_bytes -= request->worker_size;
    if (request->is_loose) {
        conn->loose--;
    } else if (--conn->in_flight == 0) {
        conn->worker = NULL;
    }
}

/* --- the mailbox --------------------------------------------------------- */

static request_t *first_waiting(const conn_t *conn)
{
    list_t *link = list_peek(&conn->waiting);

    return link == NULL ? NULL : list_entry(link, request_t, link);
}

static void start_waiting(core_t *core, request_t *request)
{
    list_append(&request->conn->waiting, &request->link);
    spans_wait(request);
    request->flow->waiting++;
    core->stats.waiting++;
}

static void stop_waiting(core_t *core, request_t *request)
{
    list_remove(&request->link);
    request->flow->waiting--;
    core->stats.waiting--;
}

static void enqueue(core_t *core, conn_t *conn, const place_t *place)
{
    if (place->verdict == WAIT_ANYONE) {
        conn->queue = QUEUE_STRANDED;
        list_append(&core->stranded, &conn->queued);
    } else if (place->verdict == WAIT_ROUTE) {
        routing_wait(conn, place->route);
    } else if (place->verdict == WAIT_WORKER) {
        conn->queue = QUEUE_WORKER;
        list_append(&place->worker->waiters, &conn->queued);
    }
}

/* Send the first request of the mailbox, which is in no queue. */
static void send_first(core_t *core, conn_t *conn, worker_t *worker,
                       const route_t *route)
{
    request_t *request = first_waiting(conn);
    parts_t parts = request_parts(request);

    stop_waiting(core, request);
    hand_over(core, request, worker, route, &parts);
}

/* Send what can be sent of a mailbox that is in no queue; queue the rest. */
static void schedule(core_t *core, conn_t *conn)
{
    request_t *request;

    conn->is_busy = true;
    while (conn->queue == QUEUE_NONE &&
           (request = first_waiting(conn)) != NULL) {
        parts_t parts = request_parts(request);
        place_t place = place_of(core, conn, request->event, &parts);
        if (place.verdict == GO) {
            send_first(core, conn, place.worker, place.route);
        } else if (place.verdict == NOWHERE) {
            stop_waiting(core, request);
            outcome_nowhere(core, request);
        } else {
            enqueue(core, conn, &place);
            break;
        }
    }
    conn->is_busy = false;
    conns_reap(core, conn);
}

/* Its place in a queue is void: find it a new one. */
static void reschedule(core_t *core, conn_t *conn)
{
    routing_unqueue(conn);
    schedule(core, conn);
}

/* Past the mailbox, where there is room; else it waits there like others. */
static bool may_overtake(core_t *core, const conn_t *conn, uint8_t event,
                         const parts_t *parts, place_t *place)
{
    route_t *route = resolve(core, event, parts->route);

    *place = (place_t){.verdict = WAIT_TURN, .route = route};
    if (!is_loose(event, route)) {
        return false;
    }
    *place = place_of(core, conn, event, parts);
    return place->verdict == GO;
}

/* It goes to a worker, comes to its end, or joins its mailbox. */
static void admit(core_t *core, request_t *request, const parts_t *parts)
{
    conn_t *conn = request->conn;
    place_t place = {.verdict = WAIT_TURN};

    if (list_is_empty(&conn->waiting)) {
        place = place_of(core, conn, request->event, parts);
    } else if (!may_overtake(core, conn, request->event, parts, &place)) {
        place.verdict = WAIT_TURN;
    }
    note_route(request, place.route, core->traffic.none);
    if (place.verdict == GO) {
        hand_over(core, request, place.worker, place.route, parts);
    } else if (place.verdict == NOWHERE) {
        outcome_nowhere(core, request);
    } else if (request_hold(request, parts) < 0) {
        outcome_fail(core, request, 500);
        outcome_finish(core, request);
    } else {
        start_waiting(core, request);
        enqueue(core, conn, &place);
    }
}

void dispatch_request(core_t *core, request_t *request, const parts_t *parts)
{
    conn_t *conn = request->conn;
    bool was_busy = conn->is_busy;

    core->stats.requests++;
    request->flow = core->traffic.none;
    request->since_us = core->now_us;
    if (request_has_deadline(request)) {
        wheel_arm(&core->wheel, &request->deadline, request->due_ms);
    }
    if (request->event == EVENT_PRESENCE) {
        (void)request_hold(request, parts); /* for outcome.c */
    }
    conn->is_busy = true;
    admit(core, request, parts);
    conn->is_busy = was_busy;
    conns_reap(core, conn);
}

/* The connection of a letter: as it stands, or a stand-in. */
static int conn_of_letter(core_t *core, const letter_t *letter, conn_t **conn_p)
{
    conn_t *conn = conns_find(core, &letter->conn);

    if (conn != NULL && conn->state == CONN_OPEN) {
        *conn_p = conn;
        return 0;
    }
    return conns_add_gone(core, &letter->conn, letter->context, conn_p);
}

int dispatch_letter(core_t *core, const letter_t *letter)
{
    request_t *request = requests_take(&core->requests);
    parts_t parts = {.route = letter->route, .body = letter->body};

    if (request == NULL) {
        return -ENOMEM;
    }
    if (request_hold(request, &parts) < 0 ||
        conn_of_letter(core, letter, &request->conn) < 0) {
        requests_give(&core->requests, request);
        return -ENOMEM;
    }
    request->event = EVENT_MESSAGE;
    request->letter = letter->id;
    request->number = letter->number;
    request->is_answered = true; /* its client was told long ago */
    request->due_ms = core->now_ms + DISCONNECT_MS;
    core->stats.revived++;
    dispatch_request(core, request, &parts);
    return 0;
}

/* --- ends ---------------------------------------------------------------- */

static int put_end(buf_t *out, uint64_t code, const char *reason)
{
    return wire_put_map(out, 2) < 0 ||
                   wire_put_entry_uint(out, "code", code) < 0 ||
                   wire_put_entry_str(out, "reason", wire_bytes(reason)) < 0
               ? -ENOMEM
               : 0;
}

/* An event of our own making, its details in core->scratch.  -ENOMEM. */
static int queue_own(core_t *core, conn_t *conn, event_t event,
                     const char *route)
{
    request_t *request = requests_take(&core->requests);
    parts_t parts = {
        .route = wire_bytes(route),
        .details = {core->scratch.data, core->scratch.len},
    };

    if (request == NULL) {
        return -ENOMEM;
    }
    request->conn = conn;
    request->event = (uint8_t)event;
    request->is_answered = true;
    request->number = 0;
    request->due_ms = core->now_ms + DISCONNECT_MS;
    dispatch_request(core, request, &parts);
    return 0;
}

/* Nobody else is left to say that it is in no group any more. */
void dispatch_leave(core_t *core, conn_t *conn)
{
    buf_reset(&core->scratch, CONTEXT_MAX);
    int rc = watch_put_end(core, conn);
    if (rc == 0) {
        core->stats.presences_made++;
        rc = queue_own(core, conn, EVENT_PRESENCE, "$presence");
    }
    if (rc == -ENOMEM) {
        log_err("BROKER-MEMORY", "a PRESENCE was lost");
    }
}

static void queue_disconnect(core_t *core, conn_t *conn, uint64_t code,
                             const char *reason)
{
    buf_reset(&core->scratch, CONTEXT_MAX);
    core->stats.disconnects_made++;
    if (put_end(&core->scratch, code, reason) < 0 ||
        queue_own(core, conn, EVENT_DISCONNECT, "$disconnect") < 0) {
        log_err("BROKER-MEMORY", "a DISCONNECT was lost");
    }
}

/* A CONNECT that no worker has seen need not be. */
static void forget_connect(core_t *core, conn_t *conn)
{
    request_t *request = first_waiting(conn);

    if (request != NULL && request->event == EVENT_CONNECT) {
        routing_unqueue(conn);
        stop_waiting(core, request);
        outcome_status(core, request, 504);
        outcome_finish(core, request);
    }
}

void dispatch_end(core_t *core, conn_t *conn, uint64_t code, const char *reason)
{
    bool was_busy = conn->is_busy;

    conn->is_busy = true;
    conns_unlist(core, conn);
    outcome_abandon_entry(core, conn);
    if (conn->state == CONN_OPENING) {
        forget_connect(core, conn);
    } else if (conn->state == CONN_OPEN) {
        conn->state = CONN_CLOSING;
        dispatch_leave(core, conn);
        queue_disconnect(core, conn, code, reason);
    }
    conn->is_busy = was_busy;
    conns_reap(core, conn);
}

void dispatch_drop(core_t *core, conn_t *conn)
{
    bool was_busy = conn->is_busy;
    request_t *request;

    conn->is_busy = true;
    outcome_abandon_entry(core, conn);
    conn->is_moved = true;
    conn->state = CONN_CLOSING;
    conns_unlist(core, conn);
    routing_unqueue(conn);
    while ((request = first_waiting(conn)) != NULL) {
        stop_waiting(core, request);
        outcome_bury(core, request);
        outcome_status(core, request, 500);
        outcome_finish(core, request);
    }
    conn->is_busy = was_busy;
    conns_reap(core, conn);
}

/* Does it wait for some worker to serve its route? */
static bool is_unserved(const conn_t *conn)
{
    return conn->queue == QUEUE_STRANDED ||
           (conn->queue == QUEUE_ROUTE && list_is_empty(&conn->route->crews));
}

void dispatch_timeout(core_t *core, request_t *request)
{
    conn_t *conn = request->conn;
    bool is_first = first_waiting(conn) == request;

    core->stats.timeouts++;
    request->flow->timeouts++;
    bool had_nobody = request->event == EVENT_CONNECT && is_unserved(conn);
    if (request->worker == NULL) {
        outcome_bury(core, request);
    } else { /* it may be at it */
        request->is_overdue = true;
        conn->overdue++;
    }
    outcome_fail(core, request, had_nobody ? 503 : 504);
    if (request->worker != NULL) {
        return;
    }
    conn->is_busy = true;
    stop_waiting(core, request);
    outcome_finish(core, request);
    conn->is_busy = false;
    if (is_first) {
        reschedule(core, conn);
    }
}

/* --- workers ------------------------------------------------------------- */

static void note_reply(core_t *core, request_t *request, uint64_t status)
{
    flow_t *flow = request->flow;

    histogram_add(&flow->handler, core->now_us - request->since_us);
    spans_returned(core, request, status);
    if (request->is_answered && request_has_deadline(request)) {
        flow->late++;
        return;
    }
    flow->replies++;
    flow->refused += status >= 400 && status <= 499;
    flow->failed += status >= 500;
}

void dispatch_reply(core_t *core, worker_t *worker,
                    const message_reply_t *given)
{
    request_t *request = requests_find(&core->requests, given->id);

    if (request == NULL || request->worker != worker) {
        core->stats.replies_unknown++;
        return;
    }
    conn_t *conn = request->conn;
    note_reply(core, request, given->status);
    let_go(request);
    if (worker->opened < worker->window) {
        worker->opened++;
    }
    routing_level(worker);
    conn->is_busy = true;
    outcome_reply(core, request, worker, given);
    if (conn->worker == NULL && conn->queue == QUEUE_WORKER) {
        routing_unqueue(conn); /* free to go to a less busy one */
    }
    schedule(core, conn);
}

/*
 * It was just given the connection's first request: let it have the next ones
 * too, up to RUN_MAX.  What belongs to one client stays together on its way,
 * and leaves the gateway in one write; others wait a little longer in turn.
 */
static void extend_run(core_t *core, conn_t *conn, worker_t *worker)
{
    request_t *request;

    for (int i = 1; i < RUN_MAX && (request = first_waiting(conn)) != NULL;
         i++) {
        parts_t parts = request_parts(request);
        route_t *route = resolve(core, request->event, parts.route);
        if (!may_go_to(conn, request->event, route, worker) ||
            !worker_has_room(worker, cost_of(conn, &parts))) {
            return;
        }
        send_first(core, conn, worker, route);
    }
}

/*
 * After its run: what is left queues behind the others of its worker, where
 * schedule() would let it go on as long as there is room.
 */
static void end_run(core_t *core, conn_t *conn)
{
    const request_t *request = first_waiting(conn);

    if (request != NULL && conn->worker != NULL) {
        parts_t parts = request_parts(request);
        route_t *route = resolve(core, request->event, parts.route);
        place_t place = place_bound(conn, request->event, route, 0);
        if (place.verdict != WAIT_TURN && !is_loose(request->event, route)) {
            place.verdict = WAIT_WORKER;
            enqueue(core, conn, &place);
        }
    }
    schedule(core, conn);
}

/* Give it the first of those that are bound to it.  Did it take it? */
static bool feed_bound(core_t *core, worker_t *worker)
{
    list_t *link = list_peek(&worker->waiters);

    if (link == NULL) {
        return false;
    }
    conn_t *conn = list_entry(link, conn_t, queued);
    request_t *request = first_waiting(conn);
    parts_t parts = request_parts(request);
    if (!worker_has_room(worker, cost_of(conn, &parts))) {
        return false;
    }
    routing_unqueue(conn);
    /* Its route may be announced by others by now, and no longer be ours. */
    route_t *route = resolve(core, request->event, parts.route);
    place_t place = place_bound(conn, request->event, route, 0);
    if (place.verdict != WAIT_TURN) {
        send_first(core, conn, worker, place.route);
        extend_run(core, conn, worker);
    }
    end_run(core, conn);
    return true;
}

/* Give it the first of those that wait for one of its routes. */
static bool feed_route(core_t *core, worker_t *worker)
{
    list_t *link = list_peek(&worker->crew->hungry);

    if (link == NULL) {
        return false;
    }
    serves_t *serves = list_entry(link, serves_t, hungry);
    route_t *route = serves->route;
    conn_t *conn = list_entry(list_peek(&route->waiters), conn_t, queued);
    request_t *request = first_waiting(conn);
    parts_t parts = request_parts(request);
    if (!may_go_to(conn, request->event, route, worker)) {
        reschedule(core, conn); /* the route wants order by now */
        return true;
    }
    if (!worker_has_room(worker, cost_of(conn, &parts))) {
        return false;
    }
    list_remove(link); /* its routes take turns */
    list_append(&worker->crew->hungry, link);
    routing_unqueue(conn);
    send_first(core, conn, worker, route);
    extend_run(core, conn, worker);
    end_run(core, conn);
    return true;
}

void dispatch_feed(core_t *core, worker_t *worker)
{
    while (worker->crew != NULL && worker_has_room(worker, 0)) {
        bool is_route_turn = worker->is_route_turn;
        worker->is_route_turn = !is_route_turn;
        bool was_fed =
            is_route_turn
                ? feed_route(core, worker) || feed_bound(core, worker)
                : feed_bound(core, worker) || feed_route(core, worker);
        if (!was_fed) {
            return;
        }
    }
}

static void schedule_all(core_t *core, list_t *conns)
{
    list_t *link;

    while ((link = list_take(conns)) != NULL) {
        schedule(core, list_entry(link, conn_t, queued));
    }
}

void dispatch_stranded(core_t *core)
{
    list_t conns, *link;

    list_init(&conns);
    while ((link = list_peek(&core->stranded)) != NULL) {
        conn_t *conn = list_entry(link, conn_t, queued);
        routing_unqueue(conn);
        list_append(&conns, &conn->queued);
    }
    schedule_all(core, &conns);
}

/* Nobody came for the DISCONNECT of this connection. */
static void give_up_disconnect(core_t *core, conn_t *conn)
{
    request_t *request = first_waiting(conn);

    core->stats.disconnects_lost++;
    routing_unqueue(conn);
    stop_waiting(core, request);
    outcome_fail(core, request, 200);
    outcome_finish(core, request);
}

/* For what waits for a route whose time of grace is over, nobody comes. */
static void close_deserted(core_t *core)
{
    list_t orphans;

    list_init(&orphans);
    routing_close_deserted(core, &orphans);
    schedule_all(core, &orphans);
}

void dispatch_tick(core_t *core)
{
    close_deserted(core);
    list_foreach_safe(link, &core->stranded) {
        conn_t *conn = list_entry(link, conn_t, queued);
        uint8_t event = first_waiting(conn)->event;
        if (may_wait(core, conn, event)) {
            continue;
        }
        if (event == EVENT_DISCONNECT) {
            give_up_disconnect(core, conn);
        } else {
            reschedule(core, conn);
        }
    }
}

static void unqueue_waiters(worker_t *worker, list_t *to)
{
    list_t *link;

    while ((link = list_peek(&worker->waiters)) != NULL) {
        conn_t *conn = list_entry(link, conn_t, queued);
        routing_unqueue(conn);
        list_append(to, &conn->queued);
    }
}

void dispatch_drain(core_t *core, worker_t *worker)
{
    list_t homeless;

    list_init(&homeless);
    unqueue_waiters(worker, &homeless);
    routing_leave(core, worker);
    schedule_all(core, &homeless);
    close_deserted(core);
}

/* Its connection is in our hands, to be scheduled when all is settled. */
static void make_homeless(conn_t *conn, list_t *homeless)
{
    conn->is_busy = true;
    routing_unqueue(conn);
    list_append(homeless, &conn->queued);
}

/* Not what has been answered meanwhile, nor the CONNECT of one who left. */
static bool is_to_be_had_again(const request_t *request)
{
    if (!request->is_again || request->conn->is_moved) {
        return false;
    }
    if (!event_is_counted(request->event)) {
        return request->attempt < DEATHS_MAX;
    }
    if (!request_has_deadline(request)) {
        return true;
    }
    return !request->is_answered &&
           (request->event != EVENT_CONNECT || request->conn->is_listed);
}

/* From the last to the first: each goes before what came behind it. */
static void take_back(core_t *core, worker_t *worker, list_t *homeless)
{
    list_foreach_back_safe(link, &worker->in_flight)
    {
        request_t *request = list_entry(link, request_t, link);
        if (is_to_be_had_again(request)) {
            make_homeless(request->conn, homeless);
            let_go(request);
            list_prepend(&request->conn->waiting, &request->link);
            spans_returned(core, request, SPAN_LOST);
            spans_wait(request);
            request->since_us = core->now_us;
            request->flow->waiting++;
            request->flow->died++;
            core->stats.waiting++;
            core->stats.worker_died++;
            core->stats.redelivered++;
        }
    }
}

/* What a dead worker held, and nobody is to have again. */
static void bury(core_t *core, worker_t *worker, list_t *homeless)
{
    list_t *link;

    while ((link = list_peek(&worker->in_flight)) != NULL) {
        request_t *request = list_entry(link, request_t, link);
        make_homeless(request->conn, homeless);
        let_go(request);
        spans_returned(core, request, SPAN_LOST);
        request->flow->died++;
        core->stats.worker_died++;
        core->stats.disconnects_lost += request->event == EVENT_DISCONNECT;
        core->stats.presences_lost += request->event == EVENT_PRESENCE;
        if (request->attempt > 1 || request->letter != 0) {
            outcome_bury(core, request);
        }
        outcome_fail(core, request,
                     request->event == EVENT_CONNECT ? 502 : 500);
        outcome_finish(core, request);
    }
}

/* What a gateway waits for no longer. */
typedef struct {
    core_t *core;
    list_t homeless;
} cut_t;

static void abandon(void *user, request_t *request)
{
    cut_t *cut = user;
    core_t *core = cut->core;
    conn_t *conn = request->conn;

    if (request->is_answered || !event_is_counted(request->event)) {
        return;
    }
    if (conn->held == request) {
        outcome_abandon_entry(core, conn);
    } else if (request->worker != NULL) { /* it may be at it */
        request->is_overdue = true;
        conn->overdue++;
        outcome_fail(core, request, 500);
    } else {
        make_homeless(conn, &cut->homeless);
        stop_waiting(core, request);
        outcome_bury(core, request);
        outcome_fail(core, request, 500);
        outcome_finish(core, request);
    }
}

void dispatch_cut(core_t *core, gateway_t *gateway)
{
    cut_t cut = {.core = core};

    list_init(&cut.homeless);
    requests_each(&core->requests, gateway, abandon, &cut);
    schedule_all(core, &cut.homeless);
    must(gateway->held == 0);
}

void dispatch_worker_lost(core_t *core, worker_t *worker)
{
    list_t homeless;

    list_init(&homeless);
    unqueue_waiters(worker, &homeless);
    routing_leave(core, worker);
    take_back(core, worker, &homeless);
    bury(core, worker, &homeless);
    schedule_all(core, &homeless);
    close_deserted(core);
}
