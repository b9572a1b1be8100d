/* SPDX-License-Identifier: MIT */
#include "base/xalloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void panic(const char *file, int line, const char *what)
{
    fprintf(stderr, "hoist: internal error at %s:%d: %s\n", file, line, what);
    abort();
}

void *xcalloc(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size ? size : 1);
    must(memory != NULL);
    return memory;
}

char *xstrdup(const char *text)
{
    if (text == NULL) {
        return NULL;
    }
    char *copy = strdup(text);
    must(copy != NULL);
    return copy;
}
