/* SPDX-License-Identifier: MIT
 *
 * What a word was meant to be: names of settings, as people misspell them.
 * Pure; any thread.
 */
#ifndef BASE_NAMES_H
#define BASE_NAMES_H

#include <stddef.h>

/*
 * The name that differs least from word: by two letters put in, left out or
 * changed at most, and by less than a third of word.
 *
 * Returns one of names, borrowed from there; NULL when none is near.
 */
const char *names_near(const char *word, const char *const *names,
                       size_t count);

#endif
