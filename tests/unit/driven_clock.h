/* SPDX-License-Identifier: MIT
 *
 * A clock that the test drives: what the program asks base/clock.h for is this,
 * and it sleeps by moving it on.  Linked with
 *
 *     -Wl,--wrap=clock_mono_ms,--wrap=clock_mono_us,--wrap=clock_sleep_ms
 */
#ifndef TESTS_DRIVEN_CLOCK_H
#define TESTS_DRIVEN_CLOCK_H

#include <stdint.h>

extern int64_t driven_us;

/* How often, and how long together, somebody has slept. */
extern int driven_sleeps;
extern int64_t driven_slept_ms;

#endif
