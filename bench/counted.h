/* SPDX-License-Identifier: MIT
 *
 * What callgrind is to count, where the program runs under it with
 * --instr-atstart=no, and nothing elsewhere.  What comes before is not even
 * slowed down.
 */
#ifndef BENCH_COUNTED_H
#define BENCH_COUNTED_H

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_START_INSTRUMENTATION
#define CALLGRIND_ZERO_STATS
#define CALLGRIND_STOP_INSTRUMENTATION
#endif

/* Its caches are empty: from here on they fill. */
static inline void counted_warm(void)
{
    CALLGRIND_START_INSTRUMENTATION;
}

static inline void counted_begin(void)
{
    CALLGRIND_ZERO_STATS;
}

static inline void counted_end(void)
{
    CALLGRIND_STOP_INSTRUMENTATION;
}

#endif
