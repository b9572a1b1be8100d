/* SPDX-License-Identifier: MIT */
#include "base/xalloc.h"
#include "broker/core_internal.h"
#include "broker/dispatch.h"
#include "broker/peers.h"
#include "broker/pushes.h"
#include "broker/queries.h"
#include "broker/routing.h"
#include "broker/siblings.h"

#include <errno.h>
#include <stdlib.h>

#define WINDOW_MAX       65536u      /* requests; a larger wish is cut */
#define WINDOW_BYTES_MAX (32u << 20) /* below what one frame may carry */
#define SLOW_START       8           /* requests, at first */

/* The gauge that it counts in. */
static uint64_t *gauge_of(core_t *core, bool is_manager)
{
    return is_manager ? &core->stats.managers : &core->stats.workers;
}

static bool is_full(core_t *core, bool is_manager)
{
    int64_t limit = is_manager ? managers_max(core) : core->options.max_workers;

    return *gauge_of(core, is_manager) >= (uint64_t)limit;
}

int worker_start(core_t *core, peer_t *peer, const message_hello_t *hello)
{
    bool is_manager = wire_is(hello->role, "manager");

    if (is_full(core, is_manager)) {
        return -EUSERS;
    }
    worker_t *worker = calloc(1, sizeof *worker);
    if (worker == NULL) {
        return -ENOMEM;
    }
    do {
        worker->handle = ++core->next_handle;
    } while (core->workers[worker->handle % core->handles] != NULL);
    core->workers[worker->handle % core->handles] = worker;
    worker->peer = peer;
    worker->is_manager = is_manager;
    worker->window = worker->opened = worker->window_bytes = 1;
    list_init(&worker->in_crew);
    list_init(&worker->in_flight);
    list_init(&worker->waiters);
    list_init(&worker->credited);
    siblings_join(core, worker, hello->options);
    peer->worker = worker;
    ++*gauge_of(core, is_manager);
    return 0;
}

void worker_end(core_t *core, peer_t *peer)
{
    worker_t *worker = peer->worker;

    dispatch_worker_lost(core, worker);
    list_remove(&worker->credited);
    siblings_leave(worker);
    core->workers[worker->handle % core->handles] = NULL;
    --*gauge_of(core, worker->is_manager);
    peer->worker = NULL;
    free(worker);
}

static uint64_t at_most(uint64_t value, uint64_t limit)
{
    return value < limit ? value : limit;
}

static void on_ready(core_t *core, worker_t *worker,
                     const message_ready_t *ready)
{
    bool is_first = worker->enlisted == NULL && worker->held == 0;
    const char *fault = routing_check(ready->routes);

    if (fault == NULL && (ready->window < 1 || ready->window_bytes < 1)) {
        fault = "a window is less than 1";
    }
    if (fault != NULL) {
        peer_fault(core, worker->peer, "ready", fault);
        return;
    }
    dispatch_drain(core, worker);
    worker->window = at_most(ready->window, WINDOW_MAX);
    worker->window_bytes = at_most(ready->window_bytes, WINDOW_BYTES_MAX);
    worker->opened =
        at_most(is_first ? SLOW_START : worker->opened, worker->window);
    if (routing_join(core, worker, ready->routes) < 0) {
        peer_doom(core, worker->peer, "no memory");
        return;
    }
    dispatch_stranded(core);
    log_info("WORKER-READY", "name=%s window=%llu window_bytes=%llu",
             worker->peer->name, (unsigned long long)worker->window,
             (unsigned long long)worker->window_bytes);
}

/* What has to do with requests. */
static bool on_work(core_t *core, worker_t *worker, const message_t *message)
{
    switch (message->kind) {
    case KIND_READY:
        on_ready(core, worker, &message->ready);
        return true;
    case KIND_REPLY:
        dispatch_reply(core, worker, &message->reply);
        return true;
    case KIND_DRAIN:
        dispatch_drain(core, worker);
        return true;
    case KIND_PONG:
        return siblings_answer(worker, &message->pong);
    default:
        return false;
    }
}

bool worker_message(core_t *core, peer_t *peer, const message_t *message)
{
    worker_t *worker = peer->worker;

    switch (message->kind) {
    case KIND_PUSH:
        pushes_put(core, worker, &message->push);
        return true;
    case KIND_JOIN:
    case KIND_LEAVE:
        pushes_join(core, worker, message->kind, &message->join);
        return true;
    case KIND_CLOSE:
        pushes_close(core, worker, &message->close);
        return true;
    case KIND_QUERY:
        queries_ask(core, worker, &message->query);
        return true;
    case KIND_BYE:
        peer_doom(core, peer, "bye");
        return true;
    default:
        return !worker->is_manager && on_work(core, worker, message);
    }
}
