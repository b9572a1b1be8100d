/* SPDX-License-Identifier: MIT
 *
 * What time it is, and what was spent of it: for benchmarks, which count in
 * nanoseconds and in CPU.  Any thread.
 */
#ifndef BENCH_CLOCKS_H
#define BENCH_CLOCKS_H

#include <stdint.h>

#define SECOND_NS UINT64_C(1000000000)

/* CLOCK_MONOTONIC. */
uint64_t clocks_now_ns(void);

/* CPU that this process, or this thread, has used so far. */
uint64_t clocks_process_ns(void);
uint64_t clocks_thread_ns(void);

#endif
