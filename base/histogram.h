/* SPDX-License-Identifier: MIT
 *
 * How long things took: a histogram of microseconds whose buckets double, each
 * doubling cut into 16 equal parts (the manner of HdrHistogram).  Below 32 µs
 * each value has a bucket of its own; above, what a bucket tells is too much by
 * less than a sixteenth of the value.  Its size is fixed, adding is a few
 * instructions, and two of them add up, or differ, bucket by bucket: what is
 * told about a span of time is the difference of two states.  Pure.
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_PART_BITS 4  /* 16 parts */
#define HISTOGRAM_BITS      32 /* of a value, at most: an hour and more */
#define HISTOGRAM_BUCKETS                                                      \
    ((HISTOGRAM_BITS - HISTOGRAM_PART_BITS + 1) << HISTOGRAM_PART_BITS)
#define HISTOGRAM_MAX                                                          \
    ((INT64_C(1) << HISTOGRAM_BITS) - 1) /* µs; more counts as that */

typedef struct {
    uint64_t count;
    uint64_t sum; /* µs */
    uint64_t bucket[HISTOGRAM_BUCKETS];
} histogram_t;

/* The bucket of a value from 0 to HISTOGRAM_MAX. */
static inline size_t histogram_index(uint64_t us)
{
    unsigned top = 63 - (unsigned)__builtin_clzll(us | 1);
    unsigned shift = top > HISTOGRAM_PART_BITS ? top - HISTOGRAM_PART_BITS : 0;

    return ((size_t)shift << HISTOGRAM_PART_BITS) + (size_t)(us >> shift);
}

/* A time below 0 counts as 0. */
static inline void histogram_add(histogram_t *self, int64_t us)
{
    uint64_t kept = us < 0               ? 0
                    : us > HISTOGRAM_MAX ? (uint64_t)HISTOGRAM_MAX
                                         : (uint64_t)us;

    self->bucket[histogram_index(kept)]++;
    self->count++;
    self->sum += kept;
}

/* The largest value that a bucket has. */
uint64_t histogram_top(size_t index);

/* Add what another has; or take away what it had, when it was this one. */
void histogram_merge(histogram_t *self, const histogram_t *other);
void histogram_subtract(histogram_t *self, const histogram_t *before);

/*
 * The least bucket's top that `share` (0 to 1) of all values do not exceed;
 * 0 when there is none.
 */
uint64_t histogram_at(const histogram_t *self, double share);

#endif
