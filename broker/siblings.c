/* SPDX-License-Identifier: MIT */
#include "broker/siblings.h"

#include "base/hash.h"
#include "broker/peers.h"
#include "broker/routing.h"

#include <string.h>

static bool is_alone(const worker_t *worker)
{
    return worker->process_len == 0;
}

static list_t *bucket_of(core_t *core, const worker_t *worker)
{
    uint64_t hash = hash_bytes(worker->process, worker->process_len);

    return &core->process_buckets[hash % PEER_BUCKETS];
}

void siblings_join(core_t *core, worker_t *worker, wire_bytes_t options)
{
    wire_bytes_t process = wire_map_str(options, "process");

    list_init(&worker->siblings);
    list_init(&worker->unasked);
    if (worker->is_manager || process.len < 1 || process.len > BOOT_ID_MAX) {
        return;
    }
    memcpy(worker->process, process.data, process.len);
    worker->process_len = process.len;
    list_prepend(bucket_of(core, worker), &worker->siblings);
}

void siblings_leave(worker_t *worker)
{
    list_remove(&worker->siblings);
    list_remove(&worker->unasked);
}

static bool are_siblings(const worker_t *a, const worker_t *b)
{
    return a->process_len == b->process_len &&
           memcmp(a->process, b->process, a->process_len) == 0 &&
           a->peer->principal == b->peer->principal;
}

static bool is_unasked(const worker_t *worker)
{
    return !list_is_empty(&worker->unasked);
}

/* An answer to an earlier question was on its way before the loss. */
static void doubt(core_t *core, worker_t *worker)
{
    worker->doubt = ++core->doubts;
    worker->doubted_ms = core->now_ms;
    routing_suspend(worker);
    list_append(&core->unasked, &worker->unasked);
}

/* Once one is in doubt in this turn, all that have joined before it are: a
 * process that dies with many links costs one walk over them. */
void siblings_doubt(core_t *core, const worker_t *lost)
{
    if (is_alone(lost)) {
        return;
    }
    list_foreach(link, bucket_of(core, lost)) {
        worker_t *worker = list_entry(link, worker_t, siblings);
        if (worker == lost || !are_siblings(worker, lost)) {
            continue;
        }
        if (is_unasked(worker)) {
            return;
        }
        doubt(core, worker);
    }
}

static void ask(core_t *core, worker_t *worker)
{
    peer_t *peer = worker->peer;
    const message_ping_t ping = {.number = worker->doubt};

    if (!peer_is_doomed(peer)) {
        peer_sent(core, peer, message_put_ping(peer_out(core, peer), &ping));
    }
}

void siblings_ask(core_t *core)
{
    list_t *link;

    while ((link = list_take(&core->unasked)) != NULL) {
        ask(core, list_entry(link, worker_t, unasked));
    }
}

bool siblings_answer(worker_t *worker, const message_pong_t *pong)
{
    if (worker->doubt != 0 && pong->number == worker->doubt &&
        !is_unasked(worker)) {
        worker->doubt = 0;
        routing_resume(worker);
    }
    return !is_alone(worker);
}

bool siblings_is_late(const core_t *core, const worker_t *worker)
{
    return worker->doubt != 0 &&
           core->now_ms - worker->doubted_ms > worker->peer->liveness_ms;
}
