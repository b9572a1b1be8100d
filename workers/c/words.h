/* SPDX-License-Identifier: MIT
 *
 * Lists as people write them: words with blanks between.  Pure.
 */
#ifndef WORKERS_C_WORDS_H
#define WORKERS_C_WORDS_H

#include "workers/c/hoist.h"

/* The first word of *list, which goes on behind it; absent when there is none
 * left. */
static inline hoist_text words_take(hoist_text *list)
{
    if (list->len == 0) {
        return hoist_str(NULL);
    }
    const char *at = list->data, *end = at + list->len;
    while (at < end && *at == ' ') {
        at++;
    }
    const char *word = at;
    while (at < end && *at != ' ') {
        at++;
    }
    *list = hoist_bytes(at, (size_t)(end - at));
    return at > word ? hoist_bytes(word, (size_t)(at - word)) : hoist_str(NULL);
}

/* Is it a list, but of nothing?  As one it would ask for nothing, which who
 * wrote it hardly wants: it comes of a variable that was set to nothing. */
static inline bool words_are_none(const char *list)
{
    hoist_text words = hoist_str(list);

    return list != NULL && words_take(&words).data == NULL;
}

/* Is the word one of the list? */
static inline bool words_have(hoist_text list, hoist_text word)
{
    hoist_text each;

    while ((each = words_take(&list)).data != NULL) {
        if (hoist_equal(each, word)) {
            return true;
        }
    }
    return false;
}

#endif
