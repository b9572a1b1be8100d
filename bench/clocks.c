/* SPDX-License-Identifier: MIT */
#include "bench/clocks.h"

#include <time.h>

static uint64_t read_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

uint64_t clocks_now_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

uint64_t clocks_process_ns(void)
{
    return read_ns(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t clocks_thread_ns(void)
{
    return read_ns(CLOCK_THREAD_CPUTIME_ID);
}
