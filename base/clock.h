/* SPDX-License-Identifier: MIT
 *
 * The two clocks.  A loop reads one once a turn and hands the value down;
 * cores never read a clock.  Any thread.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds since an arbitrary start; never goes back. */
int64_t clock_mono_ms(void);

/* Microseconds since the same start. */
int64_t clock_mono_us(void);

/* Do nothing for so long; of a time that is over, not at all.  Where the clock
 * is driven, it is moved on. */
void clock_sleep_ms(int64_t ms);

/*
 * From now on it is *now_us for this thread, by those above: for who plays a
 * worker whose time does not pass by itself (workers/c/testing).
 *
 * now_us  borrowed, until another call; NULL: time passes again.
 */
void clock_drive(int64_t *now_us);

/* Milliseconds since 1970-01-01 UTC. */
int64_t clock_wall_ms(void);

/* Microseconds since then. */
int64_t clock_wall_us(void);

#endif
