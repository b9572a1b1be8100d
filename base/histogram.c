/* SPDX-License-Identifier: MIT */
#include "base/histogram.h"

#define PARTS ((size_t)1 << HISTOGRAM_PART_BITS)

uint64_t histogram_top(size_t index)
{
    size_t shift = index < 2 * PARTS ? 0 : index / PARTS - 1;
    uint64_t part = index - shift * PARTS;

    return ((part + 1) << shift) - 1;
}

void histogram_merge(histogram_t *self, const histogram_t *other)
{
    self->count += other->count;
    self->sum += other->sum;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        self->bucket[i] += other->bucket[i];
    }
}

void histogram_subtract(histogram_t *self, const histogram_t *before)
{
    self->count -= before->count;
    self->sum -= before->sum;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        self->bucket[i] -= before->bucket[i];
    }
}

uint64_t histogram_at(const histogram_t *self, double share)
{
    double wanted = share * (double)self->count;
    uint64_t seen = 0;

    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += self->bucket[i];
        if (seen > 0 && (double)seen >= wanted) {
            return histogram_top(i);
        }
    }
    return 0;
}
