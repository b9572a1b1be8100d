/* SPDX-License-Identifier: MIT */
#include "broker/pushes.h"

#include "base/utf8.h"
#include "base/xalloc.h"
#include "broker/conns.h"
#include "broker/interests.h"
#include "broker/peers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- credit -------------------------------------------------------------- */

/*
 * A frame of its own, with all the threads that it wakes, costs more than what
 * it says is worth while a worker has most of its window: credit goes with the
 * next frame to the worker, or when it is a share of the window, or at the next
 * tick.
 */

static bool is_due(const core_t *core, const worker_t *worker)
{
    const broker_options_t *options = &core->options;

    return worker->credit_pushes * CREDIT_SHARE >=
               (uint64_t)options->push_window ||
           worker->credit_bytes * CREDIT_SHARE >=
               (uint64_t)options->push_window_bytes;
}

/*
 * One push has been taken by all its gateways, or by none.  It stays in the
 * window until the worker is told, at the end of a turn: so the window also
 * bounds the work that one turn does for pushes to nobody.
 */
static void give_credit(core_t *core, worker_t *worker, uint64_t bytes)
{
    worker->credit_pushes++;
    worker->credit_bytes += bytes;
    if (list_is_empty(&worker->credited)) {
        list_append(&core->credited, &worker->credited);
    }
    if (is_due(core, worker)) {
        (void)peer_out(core, worker->peer);
    }
}

void pushes_settle(core_t *core, peer_t *peer)
{
    worker_t *worker = peer->worker;

    if (worker == NULL || worker->credit_pushes == 0) {
        return;
    }
    message_credit_t credit = {worker->credit_pushes, worker->credit_bytes};
    worker->pushes -= credit.messages;
    worker->push_bytes -= credit.bytes;
    worker->credit_pushes = 0;
    worker->credit_bytes = 0;
    list_remove(&worker->credited);
    peer_sent(core, peer, message_put_credit(&peer->out, &credit));
}

void pushes_tick(core_t *core)
{
    list_foreach(link, &core->credited) {
        (void)peer_out(core, list_entry(link, worker_t, credited)->peer);
    }
}

/* --- pushes on their way ------------------------------------------------- */

static push_t *push_new(core_t *core)
{
    push_t *push = core->free_pushes;

    if (push == NULL) {
        return malloc(sizeof *push);
    }
    core->free_pushes = push->next;
    return push;
}

static void push_free(core_t *core, push_t *push)
{
    push->next = core->free_pushes;
    core->free_pushes = push;
}

/* All gateways are done with it, and the worker wants to know. */
static void put_pushed(core_t *core, worker_t *worker, const push_t *push)
{
    message_pushed_t pushed = {push->ack, push->delivered, push->gone,
                               push->refused};

    peer_sent(core, worker->peer,
              message_put_pushed(peer_out(core, worker->peer), &pushed));
}

static void push_taken(core_t *core, push_t *push)
{
    if (--push->gateways > 0) {
        return;
    }
    worker_t *worker = peers_worker(core, push->worker);
    if (worker != NULL && push->is_asked) {
        put_pushed(core, worker, push);
    }
    if (worker != NULL) {
        give_credit(core, worker, push->bytes);
    }
    push_free(core, push);
}

/* What a gateway has said nothing of was lost with it. */
static void passed_taken(core_t *core, passed_t passed)
{
    free(passed.order);
    if (passed.push == NULL) {
        return;
    }
    if (!passed.is_told) {
        passed.push->gone += passed.named;
    }
    if (passed.joining != NULL) {
        interests_joined(core, passed.joining);
    }
    push_taken(core, passed.push);
}

static passed_t ring_take(gateway_t *gateway)
{
    passed_t passed = gateway->pushes[gateway->pushes_head];

    gateway->pushes_head = (gateway->pushes_head + 1) % gateway->pushes_cap;
    gateway->pushes_len--;
    gateway->pushes_first++;
    gateway->orders_bytes -= passed.order_len;
    return passed;
}

/* There is room. */
static void ring_put(gateway_t *gateway, const passed_t *passed)
{
    size_t at =
        (gateway->pushes_head + gateway->pushes_len) % gateway->pushes_cap;

    gateway->pushes[at] = *passed;
    gateway->pushes_len++;
    gateway->orders_bytes += passed->order_len;
}

void pushes_taken(core_t *core, gateway_t *gateway, uint64_t count)
{
    for (; count > 0 && gateway->pushes_len > 0; count--) {
        passed_taken(core, ring_take(gateway));
    }
}

void pushes_cut(core_t *core, gateway_t *gateway)
{
    peer_t *peer = gateway->peer;

    for (size_t left = gateway->pushes_len; left > 0; left--) {
        passed_t passed = ring_take(gateway);
        if (passed.order == NULL) {
            core->stats.orders_lost += passed.named == 0 && !passed.is_early;
            passed_taken(core, passed);
            continue;
        }
        ring_put(gateway, &passed);
        peer_sent(
            core, peer,
            buf_put(peer_out(core, peer), passed.order, passed.order_len));
    }
}

void pushes_counted(gateway_t *gateway, const message_pushed_t *pushed)
{
    uint64_t behind = pushed->id - gateway->pushes_first;

    if (behind >= gateway->pushes_len) {
        return; /* of a session before */
    }
    size_t at = (gateway->pushes_head + behind) % gateway->pushes_cap;
    passed_t *passed = &gateway->pushes[at];
    if (!passed->is_told && passed->push != NULL) {
        passed->is_told = true;
        passed->push->delivered += pushed->delivered;
        passed->push->gone += pushed->gone;
        passed->push->refused += pushed->refused;
    }
}

static int ring_grow(gateway_t *gateway)
{
    size_t cap = gateway->pushes_cap == 0 ? 64 : gateway->pushes_cap * 2;
    passed_t *ring = malloc(cap * sizeof *ring);

    if (ring == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < gateway->pushes_len; i++) {
        ring[i] =
            gateway->pushes[(gateway->pushes_head + i) % gateway->pushes_cap];
    }
    free(gateway->pushes);
    gateway->pushes = ring;
    gateway->pushes_head = 0;
    gateway->pushes_cap = cap;
    return 0;
}

static int ring_add(gateway_t *gateway, const passed_t *passed)
{
    if (gateway->pushes_len == gateway->pushes_cap && ring_grow(gateway) < 0) {
        return -ENOMEM;
    }
    ring_put(gateway, passed);
    if (passed->push != NULL) {
        passed->push->gateways++;
    }
    return 0;
}

void pushes_fini(core_t *core)
{
    while (core->free_pushes != NULL) {
        push_t *push = core->free_pushes;
        core->free_pushes = push->next;
        free(push);
    }
}

/* --- targets ------------------------------------------------------------- */

/* An id may be a client's word: whatever it is, it is no fault of the worker.
 */
static void tell_gone(core_t *core, worker_t *worker, wire_bytes_t conn)
{
    message_gone_t gone = {.conn = conn};

    core->stats.gone++;
    if (conn.len > CONN_NAMED_MAX) {
        peer_error(core, worker->peer, "gone",
                   "an id of more than 128 bytes stands for no connection");
        return;
    }
    peer_sent(core, worker->peer,
              message_put_gone(peer_out(core, worker->peer), &gone));
}

void pushes_gone(core_t *core, const message_gone_t *gone)
{
    worker_t *worker = peers_worker(core, gone->from);

    if (worker != NULL) {
        tell_gone(core, worker, gone->conn);
    }
}

/*
 * The gateway to ask for the connection, or NULL when it is gone.  One that we
 * do not know may be another broker's: its gateway knows.  It also keeps what
 * comes before the 101.
 */
static gateway_t *gateway_to_ask(const core_t *core, wire_bytes_t text)
{
    conn_id_t id;

    if (conn_id_parse(text.data, text.len, &id) < 0) {
        return NULL;
    }
    gateway_t *gateway = gateway_of_loop(core, id.loop);
    const conn_t *conn = gateway != NULL ? conns_find_in(gateway, &id) : NULL;
    return conn != NULL && conn->state == CONN_CLOSING ? NULL : gateway;
}

/* Note the id down for the gateway that has it. */
static void target_id(core_t *core, worker_t *worker, push_t *push,
                      wire_bytes_t id, list_t *targeted)
{
    gateway_t *gateway = gateway_to_ask(core, id);

    if (gateway == NULL) {
        push->gone++;
        tell_gone(core, worker, id);
        return;
    }
    if (wire_put_str(&gateway->targets, id) < 0) {
        return; /* bounded by TARGETS_MAX ids: only without memory */
    }
    core->stats.push_targets++;
    gateway->target_count++;
    if (list_is_empty(&gateway->targeted)) {
        list_append(targeted, &gateway->targeted);
    }
}

static const char *target_ids(core_t *core, worker_t *worker, push_t *push,
                              wire_cursor_t in, uint32_t count,
                              list_t *targeted)
{
    wire_cursor_t ids = in;
    wire_bytes_t word;

    if (count < 1 || count > TARGETS_MAX) {
        return "the target has not 1 to 65536 ids";
    }
    for (uint32_t i = 0; i < count; i++) {
        if (wire_get_str(&in, &word) < 0) {
            return "an id is no str";
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        (void)wire_get_str(&ids, &word);
        target_id(core, worker, push, word, targeted);
    }
    return NULL;
}

static const char *target_all(core_t *core, uint32_t count, list_t *targeted)
{
    if (count > 0) {
        return "\"all\" has no names";
    }
    list_foreach(link, &core->gateways) {
        gateway_t *gateway = list_entry(link, gateway_t, linked);
        if (gateway->peer != NULL) {
            list_append(targeted, &gateway->targeted);
        }
    }
    core->stats.push_names++;
    return NULL;
}

static const char *target_name(core_t *core, wire_bytes_t word,
                               wire_cursor_t in, uint32_t count,
                               list_t *targeted)
{
    int type = name_type_of(word);
    wire_bytes_t name;

    if (type < 0) {
        return "the target is of an unknown type";
    }
    if (count != 1 || wire_get_str(&in, &name) < 0 ||
        !name_fits((name_type_t)type, name)) {
        return "the target is not one name of its length";
    }
    interests_target(core, (name_type_t)type, name, targeted);
    core->stats.push_names++;
    return NULL;
}

/* Returns NULL with the gateways listed and, where the target is ids, those
 * noted down; or what is wrong with the target. */
static const char *find_targets(core_t *core, worker_t *worker, push_t *push,
                                wire_bytes_t target, list_t *targeted)
{
    wire_cursor_t in = wire_cursor(target);
    wire_bytes_t word;
    uint32_t count;

    if (wire_get_array(&in, &count) < 0 || count < 1 ||
        wire_get_str(&in, &word) < 0) {
        return "the target is no array that begins with a word";
    }
    if (wire_is(word, "connection")) {
        return target_ids(core, worker, push, in, count - 1, targeted);
    }
    if (wire_is(word, "all")) {
        return target_all(core, count - 1, targeted);
    }
    return target_name(core, word, in, count - 1, targeted);
}

/* Returns NULL with the raw array, empty where there is none; or what is
 * wrong with it. */
static const char *get_except(wire_bytes_t options, wire_bytes_t *raw)
{
    static const char fault[] = "`except` is no array of at most 100 ids";
    wire_cursor_t value;
    wire_bytes_t word;
    uint32_t count;

    *raw = (wire_bytes_t){NULL, 0};
    if (!wire_map_find(options, "except", &value) ||
        wire_get_nil(&value) == 0) {
        return NULL;
    }
    wire_cursor_t ids = value;
    if (wire_get_raw_array(&value, raw) < 0 ||
        wire_get_array(&ids, &count) < 0 || count > EXCEPT_MAX) {
        return fault;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (wire_get_str(&ids, &word) < 0 || word.len > CONN_NAMED_MAX) {
            return fault;
        }
    }
    return NULL;
}

/* --- to a gateway -------------------------------------------------------- */

/* The noted ids as a target of their own, in core->scratch. */
static int put_target(core_t *core, gateway_t *gateway)
{
    wire_bytes_t ids = {gateway->targets.data, gateway->targets.len};

    return wire_put_array(&core->scratch, gateway->target_count + 1) < 0 ||
                   wire_put_text(&core->scratch, "connection") < 0 ||
                   wire_put_raw(&core->scratch, ids) < 0
               ? -ENOMEM
               : 0;
}

/* `from`, so that a GONE finds back; `ack`, `ttl` and `except`, if they are
 * there.  Appended to core->scratch. */
static int put_options(core_t *core, const gateway_t *gateway,
                       const push_t *push, wire_bytes_t given)
{
    buf_t *out = &core->scratch;
    uint64_t ttl_ms = wire_map_uint(given, "ttl", 0);
    wire_bytes_t except;

    (void)get_except(given, &except);
    int rc = wire_put_map(out, 1u + (push->is_asked ? 1u : 0u) +
                                   (ttl_ms > 0 ? 1u : 0u) +
                                   (except.len > 0 ? 1u : 0u));
    if (rc == 0) {
        rc = wire_put_entry_uint(out, "from", push->worker);
    }
    if (rc == 0 && push->is_asked) {
        rc = wire_put_entry_uint(out, "ack",
                                 gateway->pushes_first + gateway->pushes_len);
    }
    if (rc == 0 && ttl_ms > 0) {
        rc = wire_put_entry_uint(out, "ttl", ttl_ms);
    }
    if (rc == 0 && except.len > 0 && (rc = wire_put_text(out, "except")) == 0) {
        rc = wire_put_raw(out, except);
    }
    return rc;
}

static void put_push(core_t *core, gateway_t *gateway, push_t *push,
                     const message_push_t *from_worker)
{
    message_push_t message = {.target = from_worker->target,
                              .body = from_worker->body};
    uint32_t named = gateway->target_count;
    buf_t *scratch = &core->scratch;

    buf_reset(scratch, CONTEXT_MAX);
    if (named > 0 && put_target(core, gateway) < 0) {
        return;
    }
    size_t target_len = scratch->len;
    passed_t passed = {.push = push, .named = named > 0 ? named : 1};
    if (put_options(core, gateway, push, from_worker->options) < 0 ||
        ring_add(gateway, &passed) < 0) {
        return;
    }
    if (named > 0) {
        message.target = (wire_bytes_t){scratch->data, target_len};
    }
    message.options =
        (wire_bytes_t){scratch->data + target_len, scratch->len - target_len};
    peer_sent(core, gateway->peer,
              message_put_push(peer_out(core, gateway->peer), &message));
}

/* What it takes of the window, in bytes. */
static uint64_t cost_of(const message_push_t *message)
{
    return message->target.len + message->body.bytes.len;
}

static bool is_over_window(const core_t *core, const worker_t *worker,
                           uint64_t bytes)
{
    return worker->pushes > 0 &&
           (worker->pushes >= (uint64_t)core->options.push_window ||
            worker->push_bytes + bytes >
                (uint64_t)core->options.push_window_bytes);
}

static void refuse_over_window(core_t *core, worker_t *worker)
{
    core->stats.push_window++;
    peer_error(core, worker->peer, "push-window",
               "more pushes on their way than the window allows");
}

/* Ours, until all have been sent: push_taken. */
static push_t *begin(core_t *core, const worker_t *worker, uint64_t bytes)
{
    push_t *push = push_new(core);

    must(push != NULL);
    *push = (push_t){.worker = worker->handle, .bytes = bytes, .gateways = 1};
    return push;
}

static void count(worker_t *worker, const push_t *push)
{
    worker->pushes++;
    worker->push_bytes += push->bytes;
}

static void spread(core_t *core, push_t *push, const message_push_t *message,
                   list_t *targeted)
{
    list_t *link;

    while ((link = list_take(targeted)) != NULL) {
        gateway_t *gateway = list_entry(link, gateway_t, targeted);
        put_push(core, gateway, push, message);
        buf_reset(&gateway->targets, 4096);
        gateway->target_count = 0;
    }
    push_taken(core, push);
}

static void read_ack(push_t *push, wire_bytes_t options)
{
    wire_cursor_t value;

    push->is_asked = wire_map_find(options, "ack", &value) &&
                     wire_get_uint(&value, &push->ack) == 0;
}

static const char *check_body(const message_push_t *message, const char **code)
{
    *code = "push";
    if (message->body.type == BODY_NONE) {
        return "a push needs a body";
    }
    if (!message_body_is_valid(&message->body)) {
        *code = "text";
        return "the body of a PUSH is no UTF-8";
    }
    return NULL;
}

void pushes_put(core_t *core, worker_t *worker, const message_push_t *message)
{
    const char *code;
    wire_bytes_t except;
    list_t targeted;

    const char *fault = check_body(message, &code);
    if (fault == NULL) {
        fault = get_except(message->options, &except);
    }
    if (fault != NULL) {
        peer_fault(core, worker->peer, code, fault);
        return;
    }
    if (is_over_window(core, worker, cost_of(message))) {
        refuse_over_window(core, worker);
        return;
    }
    push_t *push = begin(core, worker, cost_of(message));
    list_init(&targeted);
    fault = find_targets(core, worker, push, message->target, &targeted);
    if (fault != NULL) {
        push_free(core, push);
        peer_fault(core, worker->peer, "push", fault);
        return;
    }
    core->stats.pushes++;
    read_ack(push, message->options);
    count(worker, push);
    spread(core, push, message, &targeted);
}

/* --- orders -------------------------------------------------------------- */

/*
 * Does the REPLY that lets the connection in come behind this?  Then the
 * gateway that has the REPLY has the order as well, and said again it would
 * undo the groups of the REPLY; and without the REPLY the connection is over.
 */
static bool is_before_entry(const gateway_t *gateway, wire_bytes_t text)
{
    conn_id_t id;

    if (conn_id_parse(text.data, text.len, &id) < 0) {
        return false;
    }
    const conn_t *conn = conns_find_in(gateway, &id);
    return conn != NULL && conn->state == CONN_OPENING;
}

/* What changes a connection must not be lost: of a gateway that can come back
 * it is kept until its CREDIT.  It has been put, behind `start`. */
static int keep_order(gateway_t *gateway, passed_t *passed, wire_bytes_t conn,
                      size_t start)
{
    const buf_t *out = &gateway->peer->out;
    size_t len = out->len - start;

    passed->is_early = is_before_entry(gateway, conn);
    if (gateway->returns && !passed->is_early &&
        gateway->orders_bytes + len <= ORDERS_MAX) {
        if ((passed->order = malloc(len)) == NULL) {
            return -ENOMEM;
        }
        memcpy(passed->order, out->data + start, len);
        passed->order_len = (uint32_t)len;
    }
    if (ring_add(gateway, passed) < 0) {
        free(passed->order);
        return -ENOMEM;
    }
    return 0;
}

/* --- joins --------------------------------------------------------------- */

static void put_join(core_t *core, gateway_t *gateway, push_t *push,
                     message_kind_t kind, const message_join_t *join)
{
    passed_t passed = {.push = push};
    peer_t *peer = gateway->peer;
    buf_t *out = peer_out(core, peer);
    size_t start = out->len;

    if (kind == KIND_JOIN) {
        passed.joining = interests_joining(core, gateway, join->group);
    }
    int rc = message_put_join(out, kind, join);
    if (rc == 0 && keep_order(gateway, &passed, join->conn, start) == 0) {
        core->stats.joins++;
        return;
    }
    out->len = start;
    if (passed.joining != NULL) {
        interests_joined(core, passed.joining);
    }
    peer_sent(core, peer, rc);
}

void pushes_join(core_t *core, worker_t *worker, message_kind_t kind,
                 const message_join_t *join)
{
    message_join_t passed = *join;

    if (!utf8_is_valid(join->group.data, join->group.len)) {
        peer_fault(core, worker->peer, "text",
                   "the group of a JOIN or LEAVE is no UTF-8");
        return;
    }
    if (is_over_window(core, worker, 0)) {
        refuse_over_window(core, worker);
        return;
    }
    push_t *push = begin(core, worker, 0);
    count(worker, push);
    passed.from = worker->handle;
    gateway_t *gateway = gateway_to_ask(core, join->conn);
    if (gateway == NULL) {
        tell_gone(core, worker, join->conn);
    } else {
        put_join(core, gateway, push, kind, &passed);
    }
    push_taken(core, push);
}

bool pushes_failed(core_t *core, const message_error_t *error)
{
    worker_t *worker = peers_worker(core, error->from);

    if (!wire_is(error->code, "groups")) {
        return false;
    }
    if (worker != NULL) {
        peer_error(core, worker->peer, "groups",
                   "its connection is in 64 groups already");
    }
    return true;
}

/* --- closes -------------------------------------------------------------- */

/* Who can come back gives CREDIT for it, too. */
static void put_close(core_t *core, gateway_t *gateway,
                      const message_close_t *close)
{
    passed_t passed = {.push = NULL};
    peer_t *peer = gateway->peer;
    buf_t *out = peer_out(core, peer);
    size_t start = out->len;
    int rc = message_put_close(out, close);

    if (rc == 0 && gateway->returns) {
        rc = keep_order(gateway, &passed, close->conn, start);
    }
    if (rc < 0) {
        out->len = start;
    }
    peer_sent(core, peer, rc);
}

void pushes_close(core_t *core, worker_t *worker, const message_close_t *close)
{
    message_close_t passed = *close;

    if (!close_code_is_allowed(close->code)) {
        peer_fault(core, worker->peer, "close", "close code not allowed");
        return;
    }
    if (!utf8_is_valid(close->reason.data, close->reason.len)) {
        peer_fault(core, worker->peer, "text",
                   "the reason of a CLOSE is no UTF-8");
        return;
    }
    gateway_t *gateway = gateway_to_ask(core, close->conn);
    if (gateway == NULL) {
        tell_gone(core, worker, close->conn);
        return;
    }
    core->stats.closes++;
    passed.from = worker->handle;
    put_close(core, gateway, &passed);
}
