/* SPDX-License-Identifier: MIT
 *
 * What an actor is asked (base/actor.h): a word, and arguments behind it in the
 * manner of a URL's query, of plain numbers and words.
 *
 *     ROUTES
 *     CONNECTIONS limit=100&cursor=4096
 *
 * Pure; any thread.
 */
#ifndef BASE_QUESTION_H
#define BASE_QUESTION_H

#include <stdbool.h>
#include <stdint.h>

/* Is this its word? */
bool question_is(const char *question, const char *word);

/* Is the argument there? */
bool question_has(const char *question, const char *name);

/* Is the argument there, and this? */
bool question_says(const char *question, const char *name, const char *value);

/*
 * A number among its arguments; *value is left alone when it is not there.
 * Returns 0, or -EINVAL when it is no number from 0 to most.
 */
int question_number(const char *question, const char *name, uint64_t most,
                    uint64_t *value);

#endif
