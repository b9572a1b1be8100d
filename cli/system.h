/* SPDX-License-Identifier: MIT
 *
 * The state of a system at one moment: what each process says of itself, and
 * the sums of their counters.  One thread.
 */
#ifndef CLI_SYSTEM_H
#define CLI_SYSTEM_H

#include "cli/ask.h"

/* Sums, of gateways and of brokers, as they call them (docs/counters.md). */
#define SYSTEM_GATEWAY_SUMS(X)                                                 \
    X(connections)                                                             \
    X(messages_in)                                                             \
    X(messages_out)                                                            \
    X(bytes_in)                                                                \
    X(bytes_out)                                                               \
    X(error_frames)                                                            \
    X(connects)
#define SYSTEM_BROKER_SUMS(X)                                                  \
    X(requests_in)                                                             \
    X(replies)                                                                 \
    X(waiting)                                                                 \
    X(requests)                                                                \
    X(timeouts)                                                                \
    X(worker_died)                                                             \
    X(no_worker)                                                               \
    X(pushes)

typedef struct {
#define X(name) uint64_t name;
    SYSTEM_GATEWAY_SUMS(X)
    SYSTEM_BROKER_SUMS(X)
#undef X
} sums_t;

typedef struct {
    const asked_t *asked; /* borrowed */
    reply_t replies[ASK_MAX];
    int64_t at_us; /* monotonic */
    size_t answered, gateways, brokers;
    bool is_well;
    json_t *reasons; /* owned: why it is not, or not quite */
    sums_t sum;
    json_t *boots;           /* owned: a key for each worker told of */
    uint64_t workers_untold; /* beside them */
} system_t;

void system_fetch(system_t *self, const asked_t *asked);
void system_fini(system_t *self);

/* Each once, however many brokers it has. */
uint64_t system_workers(const system_t *self);

/* An actor of a process, "gateway" or "broker", or NULL. */
json_t *system_actor(const system_t *self, size_t process, const char *actor);

/* What an actor counts under that name. */
uint64_t system_counter(const json_t *actor, const char *name);

/* Of an actor, for people: its name, or where it is asked. */
const char *system_name(const system_t *self, size_t process,
                        const json_t *actor);

/* How many of something a second. */
double system_rate(uint64_t now, uint64_t before, int64_t span_us);

/* In words: well or not, and how much of what there is, a line; and why, a line
 * each. */
void system_tell(const system_t *self, FILE *out);

/* The same as the exit status of a verb. */
int system_status(const system_t *self);

/* Until the next look. */
void system_pause(uint64_t ms);

#endif
