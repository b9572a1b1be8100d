/* SPDX-License-Identifier: MIT
 *
 * A worker, a link of its process: a model written from PROTOCOL.md, which
 * handles the events of a connection one at a time and different connections at
 * once, takes its time, fails, hangs, pushes and closes.  Tells truth.h when
 * its handlers run.
 */
#ifndef TESTS_SIMULATION_WORKER_NODE_H
#define TESTS_SIMULATION_WORKER_NODE_H

#include "base/list.h"
#include "proto/message.h"
#include "tests/simulation/wire.h"

/* What dies at once, with all its links. */
typedef struct {
    uint32_t number;
    uint32_t life; /* grows with each death */
} process_t;

typedef struct {
    const process_t *process;  /* borrowed: whose link it is */
    const char *const *routes; /* borrowed; ends with NULL */
    uint32_t window, window_bytes;
    unsigned hangs;   /* one handler in so many never ends; 0: none */
    unsigned drags;   /* one ends behind its request's deadline, maybe */
    unsigned pushes;  /* one in so many pushes to its client … */
    unsigned kicks;   /* … or closes it */
    unsigned joins;   /* … or lets it join a group, or leave one */
    unsigned cries;   /* … or says a word to a group, a user or all */
    unsigned refuses; /* one CONNECT in so many is refused */
    int64_t pace_ms;  /* each takes so long at least */
    bool is_stubborn; /* what its broker has ended goes on all the same */
} worker_options_t;

typedef struct {
    worker_options_t options;
    wire_t wire;
    uint32_t life;   /* grows with each start and end */
    uint32_t number; /* of this start, among all of all workers; 0: down */
    bool is_greeting, is_up, is_lost, is_draining; /* not two of the first 3 */
    uint32_t losses;              /* of its broker, since its start */
    uint64_t session;             /* of the last WELCOME … */
    char broker[BOOT_ID_MAX + 1]; /* … and the boot id of who said it */
    bool is_doubtful;             /* the broker may have given it up … */
    int64_t doubt_until_ms; /* … until then, and until it has answered … */
    uint64_t doubt_fence;   /* … the first PING behind it, counted as pings */
    int64_t heartbeat_ms, liveness_ms;
    int64_t greeted_ms, sent_ms, heard_ms, stopped_until_ms;
    int64_t silent_from_ms, silent_until_ms; /* the last time it was */
    list_t held;                             /* work, in the order it came */
    size_t held_count;
    uint64_t window_used, window_bytes_used;
    uint64_t most_used, most_bytes_used; /* since worker_node_probe */
    uint32_t last_come;                  /* of truth_came */
    list_t buried; /* work that is over, whose end may still be to come */
    uint64_t pings, pongs; /* since WELCOME */
    uint64_t fence;        /* the PING behind DRAIN, counted as pings */
    uint64_t push_window, push_window_bytes; /* granted */
    uint64_t pushes, push_bytes;             /* on their way */
    uint32_t words;                          /* said to clients */
    uint64_t asked, told; /* pushes that are to be answered with PUSHED */
} worker_node_t;

/* A run begins: the first worker that starts is number 1. */
void worker_node_begin(void);

void worker_node_init(worker_node_t *self, const worker_options_t *options,
                      router_t *broker);
void worker_node_fini(worker_node_t *self);

void worker_node_start(worker_node_t *self);
void worker_node_crash(worker_node_t *self);

/* The same, but what it said before still arrives for so long: only then does
 * its connection break. */
void worker_node_die(worker_node_t *self, int64_t ms);

/* SIGTERM: finish what is held and leave. */
void worker_node_drain(worker_node_t *self);

/* SIGSTOP, and SIGCONT after `ms`. */
void worker_node_stop(worker_node_t *self, int64_t ms);

/* Its network delivers nothing for `ms`. */
void worker_node_hole(worker_node_t *self, int64_t ms);

/* What a client's message says: who sent it, and which of his it is. */
void worker_node_read(wire_bytes_t body, uint32_t *attempt, uint32_t *n);

/* Note from now on how much of its window is used. */
void worker_node_probe(worker_node_t *self);

static inline bool worker_node_is_running(const worker_node_t *self)
{
    return self->number != 0;
}

#endif
