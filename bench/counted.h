/* SPDX-License-Identifier: MIT
 *
 * What callgrind is to count, where the program runs under it with
 * --instr-atstart=no --collect-atstart=no, and nothing elsewhere.  What comes
 * before is not even slowed down, and what a benchmark does between two calls
 * of what it measures is left out.
 */
#ifndef BENCH_COUNTED_H
#define BENCH_COUNTED_H

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_START_INSTRUMENTATION
#define CALLGRIND_ZERO_STATS
#define CALLGRIND_TOGGLE_COLLECT
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

/* What is measured begins.  These two do not nest. */
static inline void counted_enter(void)
{
    CALLGRIND_TOGGLE_COLLECT;
}

/* It ends. */
static inline void counted_leave(void)
{
    CALLGRIND_TOGGLE_COLLECT;
}

static inline void counted_end(void)
{
    CALLGRIND_STOP_INSTRUMENTATION;
}

#endif
