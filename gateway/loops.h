/* SPDX-License-Identifier: MIT
 *
 * A gateway of several loops, as the one that its owner knows.  Each loop is an
 * actor (gateway.c) with its own clients, brokers and listening socket on the
 * same port, over which the kernel spreads who connects; they share nothing.
 * The actor before them has no clients.  It starts them, hands on what it is
 * told (loops.c), and puts what it is asked to all of them, or, of a page of a
 * list, to the one that has it; when all have answered it adds up
 * (inquiries.c).  A loop that does not answer in time keeps it from answering,
 * which is how whoever asks learns of it.  Its thread only.
 */
#ifndef GATEWAY_LOOPS_H
#define GATEWAY_LOOPS_H

#include "base/actor_ref.h"
#include "base/log.h"
#include "gateway/gateway.h"
#include "gateway/summary.h"

#define INQUIRIES_MAX 64   /* questions under way; more have no answer */
#define INQUIRY_MS    3000 /* for all loops; who asks gives up before */

struct loops;

typedef struct {
    struct loops *loops; /* borrowed */
    gateway_options_t options;
    actor_ref_t actor;       /* none: it has not begun, or has ended */
    char name[16];           /* of its thread */
    zsock_t *asking, *asked; /* owned: our end and its end of a pipe */
    zwatch_t ended, answers;
    zmsg_t *last;             /* owned: its last word; NULL: none yet */
    wire_bytes_t last_report; /* lent by it */
} loop_t;

struct inquiry;

/* Append what is said when all have answered; returns the status. */
typedef unsigned render_fn(struct loops *self, const struct inquiry *inquiry,
                           buf_t *out);

/* A question that was put to loops. */
typedef struct inquiry {
    uint64_t number; /* grows with each; 0: free */
    render_fn
        *render; /* NULL: what the one that was asked has said, as it is */
    actor_call_t call; /* whose it is */
    bool is_ours;      /* nobody waits: it is for the log */
    uint64_t limit;    /* of rows */
    int64_t deadline_ms;
    uint64_t due;            /* loops that have not answered, a bit each */
    actor_answer_t *answers; /* owned: of each loop; status 0: none */
} inquiry_t;

_Static_assert(GATEWAY_LOOPS_MAX <= 64, "a bit of inquiry_t.due for each");

typedef struct loops {
    actor_t actor;
    const gateway_options_t *options; /* borrowed */
    char *address;                    /* owned: where all listen */
    loop_t *loops;                    /* owned: options->loops of them */
    report_t *reports;                /* owned: room for one of each */
    size_t count;                     /* of those that have begun */
    bool is_stopping;
    int64_t now_ms;
    uint64_t inquiry_number; /* of the last */
    inquiry_t inquiries[INQUIRIES_MAX];
    log_brake_t brake;
} loops_t;

/* Which of them it is, from 0. */
static inline size_t loop_index(const loop_t *loop)
{
    return (size_t)(loop - loop->loops->loops);
}

/* --- inquiries.c --------------------------------------------------------- */

/* With room for answers of all loops. */
void inquiries_init(loops_t *self);
void inquiries_fini(loops_t *self);

/* A question that is only a word: for actor_ops_t.defers; user: the loops. */
void inquiries_ask(void *user, actor_call_t call, const char *question);

/* Log the counters of all when all have told theirs, or those of now. */
void inquiries_log(loops_t *self);
void inquiries_log_last(loops_t *self);

/* Take what a loop has answered: for zwatch_start; user: the loop. */
void inquiries_take(void *user);

/* Nobody waits any more for a loop that has ended. */
void inquiries_lose(loops_t *self, const loop_t *loop);

/* Give up those that are too old. */
void inquiries_end(loops_t *self);

#endif
