/* SPDX-License-Identifier: MIT
 *
 * The simulated world: one clock, one source of chance, one list of things
 * that are going to happen, and a trace of those that did.  Everything in a
 * run follows from its seed, so a run that broke a promise replays exactly.
 *
 * A world stands in for what the cores must not have of their own: the clock
 * and random bytes (base/rand.h), and the log (base/log.h), which becomes part
 * of the trace.  One world at a time; one thread.
 */
#ifndef TESTS_SIMULATION_WORLD_H
#define TESTS_SIMULATION_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Something that happens; `life` is what was given to world_at. */
typedef void world_fn(void *subject, uint32_t life);

/* Begin the world of this seed at time 0. */
void world_begin(uint64_t seed);
void world_end(void);

/* Milliseconds since the world began. */
int64_t world_now_ms(void);

/* The same as Unix time. */
int64_t world_wall_ms(void);

/* Let fn happen in delay_ms.  Things due at the same moment happen in random
 * order. */
void world_after(int64_t delay_ms, world_fn *fn, void *subject, uint32_t life);

/* Make things happen until time_ms. */
void world_run_until(int64_t time_ms);

/* 0..limit-1; limit > 0. */
uint64_t world_below(uint64_t limit);

/* min..max, both included. */
int64_t world_between(int64_t min, int64_t max);

/* true once in `times`; never when times is 0. */
bool world_chance(unsigned times);

/* A line of the trace. */
void world_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A promise is broken: the line is in the trace, and the run has failed. */
void world_broken(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
bool world_is_broken(void);

/* The trace so far, NUL-terminated; lent until the world ends. */
const char *world_trace_text(void);

#endif
