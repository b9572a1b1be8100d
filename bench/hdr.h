/* SPDX-License-Identifier: MIT
 *
 * A histogram of latencies in the manner of HdrHistogram (Gil Tene): buckets
 * that double, each in 128 equal parts, so every value is kept to within
 * 1/128 of itself, in constant memory.  Values in nanoseconds, up to HDR_MAX;
 * what is above counts as HDR_MAX.
 */
#ifndef BENCH_HDR_H
#define BENCH_HDR_H

#include <stdint.h>

#define HDR_PART_BITS 7
#define HDR_DOUBLINGS 30
#define HDR_BUCKETS   ((HDR_DOUBLINGS + 1) << HDR_PART_BITS)
#define HDR_MAX       ((UINT64_C(1) << (HDR_PART_BITS + HDR_DOUBLINGS)) - 1)

typedef struct {
    uint64_t count;
    uint64_t max;
    uint64_t bucket[HDR_BUCKETS];
} hdr_t;

void hdr_add(hdr_t *self, uint64_t ns);

/* Forget everything. */
void hdr_reset(hdr_t *self);

/* The value that `share` (0 to 1) of all values do not exceed, to within
 * 1/128 upwards; 0 when there is none. */
uint64_t hdr_at(const hdr_t *self, double share);

#endif
