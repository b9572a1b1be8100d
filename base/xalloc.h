/* SPDX-License-Identifier: MIT
 *
 * Allocation for start-up and small structs of a fixed size, where running
 * out of memory has no better answer than to stop.  What a peer sizes goes
 * through buf_t or checked malloc instead.  Also the assertion that stays on
 * in release builds: it catches our own bugs, never input.
 */
#ifndef BASE_XALLOC_H
#define BASE_XALLOC_H

#include <stddef.h>

/* Zeroed memory; aborts with one line when there is none.  Caller frees. */
__attribute__((malloc, returns_nonnull)) void *xcalloc(size_t count,
                                                       size_t size);

/* A copy of text (NULL gives NULL); aborts when there is no memory. */
char *xstrdup(const char *text);

/* Stop the process with one line on standard error. */
__attribute__((noreturn)) void panic(const char *file, int line,
                                     const char *what);

#define must(condition)                                                        \
    do {                                                                       \
        if (!(condition)) {                                                    \
            panic(__FILE__, __LINE__, #condition);                             \
        }                                                                      \
    } while (0)

#endif
