/* SPDX-License-Identifier: MIT */
#include "bench/allocations.h"

#include <stddef.h>

static allocations_t so_far;

allocations_t allocations_so_far(void)
{
    return so_far;
}

/* The names are the linker's (ld, --wrap).
 * NOLINTBEGIN(bugprone-reserved-identifier) */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size)
{
    so_far.calls++;
    so_far.bytes += size;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    so_far.calls++;
    so_far.bytes += count * size;
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    so_far.calls++;
    so_far.bytes += size;
    return __real_realloc(old, size);
}

/* NOLINTEND(bugprone-reserved-identifier) */
