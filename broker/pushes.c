/* SPDX-License-Identifier: MIT */
#include "broker/pushes.h"

#include "base/utf8.h"
#include "base/xalloc.h"
#include "broker/conns.h"
#include "broker/peers.h"

#include <errno.h>
#include <stdlib.h>

/* --- credit -------------------------------------------------------------- */

static worker_t *worker_of(const core_t *core, uint64_t handle)
{
    worker_t *worker =
        core->workers[handle % (uint64_t)core->options.max_workers];

    return worker != NULL && worker->handle == handle ? worker : NULL;
}

/*
 * One push has been taken by all its gateways, or by none.  It stays in the
 * window until the worker is told, at the end of the turn: so the window also
 * bounds the work that one turn does for pushes to nobody.
 */
static void give_credit(core_t *core, worker_t *worker, uint64_t bytes)
{
    worker->credit_pushes++;
    worker->credit_bytes += bytes;
    if (list_is_empty(&worker->credited)) {
        list_append(&core->credited, &worker->credited);
    }
}

void pushes_settle(core_t *core)
{
    list_t *link;

    while ((link = list_take(&core->credited)) != NULL) {
        worker_t *worker = list_entry(link, worker_t, credited);
        message_credit_t credit = {worker->credit_pushes, worker->credit_bytes};
        worker->pushes -= credit.messages;
        worker->push_bytes -= credit.bytes;
        worker->credit_pushes = 0;
        worker->credit_bytes = 0;
        peer_sent(core, worker->peer,
                  message_put_credit(peer_out(core, worker->peer), &credit));
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

static void push_taken(core_t *core, push_t *push)
{
    if (--push->gateways > 0) {
        return;
    }
    worker_t *worker = worker_of(core, push->worker);
    if (worker != NULL) {
        give_credit(core, worker, push->bytes);
    }
    push_free(core, push);
}

void pushes_taken(core_t *core, gateway_t *gateway, uint64_t count)
{
    for (; count > 0 && gateway->pushes_len > 0; count--) {
        push_t *push = gateway->pushes[gateway->pushes_head];
        gateway->pushes_head = (gateway->pushes_head + 1) % gateway->pushes_cap;
        gateway->pushes_len--;
        push_taken(core, push);
    }
}

static int ring_grow(gateway_t *gateway)
{
    size_t cap = gateway->pushes_cap == 0 ? 64 : gateway->pushes_cap * 2;
    push_t **ring = malloc(cap * sizeof(push_t *));

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

static int ring_add(gateway_t *gateway, push_t *push)
{
    if (gateway->pushes_len == gateway->pushes_cap && ring_grow(gateway) < 0) {
        return -ENOMEM;
    }
    size_t at =
        (gateway->pushes_head + gateway->pushes_len) % gateway->pushes_cap;
    gateway->pushes[at] = push;
    gateway->pushes_len++;
    push->gateways++;
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
    worker_t *worker = worker_of(core, gone->from);

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
static void target_id(core_t *core, worker_t *worker, wire_bytes_t id,
                      list_t *targeted)
{
    gateway_t *gateway = gateway_to_ask(core, id);

    if (gateway == NULL) {
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

/* Returns NULL with the ids noted down, or what is wrong with the target. */
static const char *target_ids(core_t *core, worker_t *worker,
                              wire_bytes_t target, list_t *targeted)
{
    wire_cursor_t in = wire_cursor(target);
    uint32_t count;
    wire_bytes_t word;

    if (wire_get_array(&in, &count) < 0 || count < 2 ||
        count - 1 > TARGETS_MAX || wire_get_str(&in, &word) < 0) {
        return "the target is no array of a word and 1 to 65536 ids";
    }
    if (!wire_is(word, "connection")) {
        return "the target is of an unknown type";
    }
    wire_cursor_t ids = in;
    for (uint32_t i = 1; i < count; i++) {
        if (wire_get_str(&in, &word) < 0) {
            return "an id is no str";
        }
    }
    for (uint32_t i = 1; i < count; i++) {
        (void)wire_get_str(&ids, &word);
        target_id(core, worker, word, targeted);
    }
    return NULL;
}

/* The noted ids as a target of their own, in core->scratch. */
static int put_target(core_t *core, gateway_t *gateway)
{
    wire_bytes_t ids = {gateway->targets.data, gateway->targets.len};

    buf_reset(&core->scratch, CONTEXT_MAX);
    return wire_put_array(&core->scratch, gateway->target_count + 1) < 0 ||
                   wire_put_text(&core->scratch, "connection") < 0 ||
                   wire_put_raw(&core->scratch, ids) < 0
               ? -ENOMEM
               : 0;
}

/* {"from": handle}, so that a GONE finds back. */
static wire_bytes_t put_from(core_t *core, uint64_t handle)
{
    size_t start = core->scratch.len;

    if (wire_put_map(&core->scratch, 1) < 0 ||
        wire_put_text(&core->scratch, "from") < 0 ||
        wire_put_uint(&core->scratch, handle) < 0) {
        core->scratch.len = start;
        return (wire_bytes_t){0};
    }
    return (wire_bytes_t){core->scratch.data + start,
                          core->scratch.len - start};
}

static void put_push(core_t *core, gateway_t *gateway, push_t *push,
                     const message_push_t *from_worker)
{
    message_push_t message = {.body = from_worker->body};

    if (put_target(core, gateway) < 0 || ring_add(gateway, push) < 0) {
        return;
    }
    size_t target_len = core->scratch.len;
    message.options = put_from(core, push->worker);
    message.target = (wire_bytes_t){core->scratch.data, target_len};
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

static void spread(core_t *core, worker_t *worker, push_t *push,
                   const message_push_t *message, list_t *targeted)
{
    list_t *link;

    *push = (push_t){.worker = worker->handle,
                     .bytes = cost_of(message),
                     .gateways = 1}; /* ours, until all have been sent */
    worker->pushes++;
    worker->push_bytes += push->bytes;
    while ((link = list_take(targeted)) != NULL) {
        gateway_t *gateway = list_entry(link, gateway_t, targeted);
        put_push(core, gateway, push, message);
        buf_reset(&gateway->targets, 4096);
        gateway->target_count = 0;
    }
    push_taken(core, push);
}

void pushes_put(core_t *core, worker_t *worker, const message_push_t *message)
{
    list_t targeted;

    if (message->body.type == BODY_NONE) {
        peer_fault(core, worker->peer, "push", "a push needs a body");
        return;
    }
    if (!message_body_is_valid(&message->body)) {
        peer_fault(core, worker->peer, "text",
                   "the body of a PUSH is no UTF-8");
        return;
    }
    if (is_over_window(core, worker, cost_of(message))) {
        core->stats.push_window++;
        peer_error(core, worker->peer, "push-window",
                   "more pushes on their way than the window allows");
        return;
    }
    push_t *push = push_new(core);
    must(push != NULL);
    list_init(&targeted);
    const char *fault = target_ids(core, worker, message->target, &targeted);
    if (fault != NULL) {
        push_free(core, push);
        peer_fault(core, worker->peer, "push", fault);
        return;
    }
    core->stats.pushes++;
    spread(core, worker, push, message, &targeted);
}

/* --- closes -------------------------------------------------------------- */

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
    peer_t *peer = gateway->peer;
    peer_sent(core, peer, message_put_close(peer_out(core, peer), &passed));
}
