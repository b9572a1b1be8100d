/* SPDX-License-Identifier: MIT */
#include "tests/unit/driven_clock.h"

int64_t driven_us;
int driven_sleeps;
int64_t driven_slept_ms;

/* The linker's names for what takes a function's place.
 * NOLINTBEGIN(bugprone-reserved-identifier) */
int64_t __wrap_clock_mono_us(void);
int64_t __wrap_clock_mono_ms(void);
void __wrap_clock_sleep_ms(int64_t ms);

int64_t __wrap_clock_mono_us(void)
{
    return driven_us;
}

int64_t __wrap_clock_mono_ms(void)
{
    return driven_us / 1000;
}

void __wrap_clock_sleep_ms(int64_t ms)
{
    driven_sleeps++;
    driven_slept_ms += ms;
    driven_us += ms * 1000;
}
/* NOLINTEND(bugprone-reserved-identifier) */
