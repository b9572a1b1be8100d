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

/* Do nothing for so long. */
void clock_sleep_ms(int64_t ms);

/* Milliseconds since 1970-01-01 UTC. */
int64_t clock_wall_ms(void);

/* Microseconds since then. */
int64_t clock_wall_us(void);

#endif
