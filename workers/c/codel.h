/* SPDX-License-Identifier: MIT
 *
 * Which of those that wait in a queue are to be dropped, so that waits stay
 * short while more comes than can be done.  As in CoDel (RFC 8289) a queue is
 * too long when nobody has waited less than a target for an interval; one that
 * is long for a moment is left alone.  What is dropped then differs: senders of
 * requests do not slow down by the root of the drops as TCP does, so whoever
 * has waited twice the target goes (Maurer, "Fail at Scale", ACM Queue 13.8,
 * 2015), until somebody has waited less than the target.  Pure: time is handed
 * in.  Not guarded: one thread at a time.
 */
#ifndef WORKERS_C_CODEL_H
#define WORKERS_C_CODEL_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int64_t target_ms;   /* that may be waited all the time */
    int64_t interval_ms; /* in which somebody is to have waited less */
    int64_t end_ms;      /* of this interval */
    int64_t least_ms;    /* waited in it */
    bool is_too_long;    /* the queue */
} codel_t;

static inline codel_t codel_of(int64_t target_ms, int64_t interval_ms)
{
    return (codel_t){.target_ms = target_ms, .interval_ms = interval_ms};
}

/* Is the one whose turn it is, and which has waited so long, to be dropped? */
bool codel_drops(codel_t *self, int64_t waited_ms, int64_t now_ms);

#endif
