/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <errno.h>
#include <time.h>

/* Borrowed.  The only state here, and a thread's own: what reads a clock need
 * not know that somebody drives it. */
static _Thread_local int64_t *driven_us;

static int64_t read_us(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now); /* cannot fail for these two ids */
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
    return driven_us != NULL ? *driven_us : read_us(CLOCK_MONOTONIC);
}

int64_t clock_mono_ms(void)
{
    return clock_mono_us() / 1000;
}

void clock_sleep_ms(int64_t ms)
{
    struct timespec left = {.tv_sec = ms / 1000,
                            .tv_nsec = ms % 1000 * 1000000};

    if (ms <= 0) {
        return;
    }
    if (driven_us != NULL) {
        *driven_us += ms * 1000;
        return;
    }
    while (nanosleep(&left, &left) < 0 && errno == EINTR) {
    }
}

void clock_drive(int64_t *now_us)
{
    driven_us = now_us;
}

int64_t clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

int64_t clock_wall_ms(void)
{
    return clock_wall_us() / 1000;
}
