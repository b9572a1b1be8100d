/* SPDX-License-Identifier: MIT */
#include "base/names.h"

#include <string.h>

#define WORD_MAX 64 /* bytes; no name of ours is longer */
#define FAR      3  /* letters: no misspelling but another word */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance, row by row. */
static size_t distance(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b);
    size_t row[WORD_MAX + 1];

    if (a_len > WORD_MAX || b_len > WORD_MAX) {
        return FAR;
    }
    for (size_t j = 0; j <= b_len; j++) {
        row[j] = j;
    }
    for (size_t i = 0; i < a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < b_len; j++) {
            size_t changed = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = least(changed, least(row[j], diagonal) + 1);
        }
    }
    return row[b_len];
}

const char *names_near(const char *word, const char *const *names, size_t count)
{
    const char *nearest = NULL;
    size_t best = FAR;

    for (size_t i = 0; i < count; i++) {
        size_t letters = distance(word, names[i]);
        if (letters < best && letters * 3 < strlen(word)) {
            best = letters;
            nearest = names[i];
        }
    }
    return nearest;
}
