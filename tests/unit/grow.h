/* SPDX-License-Identifier: MIT
 *
 * An array of a fixture that grows by one.  It is doubled: AddressSanitizer
 * copies the whole of what is reallocated, so that tens of thousands of steps
 * of one would take a minute.
 */
#ifndef TESTS_GROW_H
#define TESTS_GROW_H

#include "base/xalloc.h"

#include <stdlib.h>

/* The array of count elements, with room for one more; owned by the caller,
 * who counts each one that it asks room for. */
static inline void *grown(void *array, size_t count, size_t size)
{
    if ((count & (count - 1)) != 0) {
        return array; /* the room reaches to the next power of two */
    }
    array = realloc(array, (count == 0 ? 1 : 2 * count) * size);
    must(array != NULL);
    return array;
}

#endif
