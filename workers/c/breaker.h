/* SPDX-License-Identifier: MIT
 *
 * A circuit breaker: what fails again and again is left alone for a while, and
 * then tried by few.  Pure: time is handed in.  Not guarded: one thread at a
 * time.
 *
 *            too many failures           its time is over
 *   CLOSED --------------------> OPEN --------------------> HALF_OPEN
 *      ^                          ^                             |
 *      |                          +-------- one fails ----------+
 *      +------------------ so many in a row succeed ------------+
 */
#ifndef WORKERS_C_BREAKER_H
#define WORKERS_C_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#define BREAKER_PARTS 10 /* of the window, which goes on by one at a time */

typedef enum {
    BREAKER_CLOSED,
    BREAKER_HALF_OPEN,
    BREAKER_OPEN
} breaker_state_t;

typedef struct {
    unsigned failures; /* in a row that open it */
    unsigned percent;  /* of all in the window that do so, too, */
    unsigned least;    /* once there were so many */
    int64_t window_ms; /* a multiple of BREAKER_PARTS */
    int64_t open_ms;
    unsigned probes; /* at once when half open, and in a row that close it */
} breaker_rules_t;

typedef struct {
    uint64_t all, failed;
} breaker_part_t;

typedef struct {
    breaker_rules_t rules;
    breaker_state_t state;
    uint64_t epoch;    /* of its states: who began in another says nothing */
    int64_t since_ms;  /* of the state */
    unsigned in_a_row; /* failures when closed, successes when half open */
    unsigned trying;   /* probes under way */
    int64_t part;      /* the newest: time divided by its length */
    breaker_part_t parts[BREAKER_PARTS];
} breaker_t;

/* Closed. */
void breaker_init(breaker_t *self, const breaker_rules_t *rules);

/*
 * May something be tried now?  Then *epoch is for breaker_done.  Else
 * *retry_ms is in how many ms it may be, as far as is known.
 */
bool breaker_try(breaker_t *self, int64_t now_ms, uint64_t *epoch,
                 int64_t *retry_ms);

/* What became of it; neither: nobody knows.  Returns whether that opened it. */
typedef enum { BREAKER_FINE, BREAKER_FAILED, BREAKER_UNKNOWN } breaker_word_t;
bool breaker_done(breaker_t *self, int64_t now_ms, uint64_t epoch,
                  breaker_word_t word);

#endif
