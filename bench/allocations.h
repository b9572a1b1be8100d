/* SPDX-License-Identifier: MIT
 *
 * What a benchmark's program allocates, counted by wrapping the allocator: it
 * is a hoist_counting_bench (CMakeLists.txt).  One thread.
 */
#ifndef BENCH_ALLOCATIONS_H
#define BENCH_ALLOCATIONS_H

#include <stdint.h>

typedef struct {
    uint64_t calls, bytes;
} allocations_t;

/* All so far. */
allocations_t allocations_so_far(void);

#endif
