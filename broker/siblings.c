/* SPDX-License-Identifier: MIT */
#include "broker/siblings.h"

#include "base/hash.h"
#include "broker/peers.h"
#include "broker/routing.h"

#include <string.h>

static list_t *bucket_of(core_t *core, const char *process)
{
    uint64_t hash = hash_bytes(process, strlen(process));

    return &core->process_buckets[hash % PEER_BUCKETS];
}

void siblings_join(core_t *core, worker_t *worker, wire_bytes_t options)
{
    wire_bytes_t process = wire_map_str(options, "process");

    list_init(&worker->siblings);
    if (worker->is_manager || process.len < 1 || process.len > BOOT_ID_MAX) {
        return;
    }
    memcpy(worker->process, process.data, process.len);
    worker->process[process.len] = '\0';
    list_append(bucket_of(core, worker->process), &worker->siblings);
}

void siblings_leave(worker_t *worker)
{
    list_remove(&worker->siblings);
}

static bool are_siblings(const worker_t *a, const worker_t *b)
{
    return strcmp(a->process, b->process) == 0 &&
           a->peer->principal == b->peer->principal;
}

/* An answer to an earlier question was on its way before the loss. */
static void doubt(core_t *core, worker_t *worker)
{
    peer_t *peer = worker->peer;

    worker->doubt = ++core->doubts;
    routing_suspend(worker);
    peer_sent(core, peer,
              message_put_ping(peer_out(core, peer),
                               &(message_ping_t){.number = worker->doubt}));
}

void siblings_doubt(core_t *core, const worker_t *lost)
{
    if (*lost->process == '\0') {
        return;
    }
    list_foreach(link, bucket_of(core, lost->process)) {
        worker_t *worker = list_entry(link, worker_t, siblings);
        if (worker != lost && are_siblings(worker, lost)) {
            doubt(core, worker);
        }
    }
}

bool siblings_answer(worker_t *worker, const message_pong_t *pong)
{
    if (worker->doubt != 0 && pong->number == worker->doubt) {
        worker->doubt = 0;
        routing_resume(worker);
    }
    return *worker->process != '\0';
}
