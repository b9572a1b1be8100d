/* SPDX-License-Identifier: MIT */
#include "base/question.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* What is behind NAME= of the first such argument, up to '&', and its length;
 * NULL when there is none. */
static const char *find(const char *question, const char *name, size_t *len)
{
    const char *at = strchr(question, ' ');
    size_t name_len = strlen(name);

    while (at != NULL) {
        at++;
        if (strncmp(at, name, name_len) == 0 && at[name_len] == '=') {
            *len = strcspn(at + name_len + 1, "&");
            return at + name_len + 1;
        }
        at = strchr(at, '&');
    }
    return NULL;
}

bool question_is(const char *question, const char *word)
{
    size_t len = strlen(word);

    return strncmp(question, word, len) == 0 &&
           (question[len] == '\0' || question[len] == ' ');
}

bool question_has(const char *question, const char *name)
{
    size_t len;

    return find(question, name, &len) != NULL;
}

bool question_says(const char *question, const char *name, const char *value)
{
    size_t len;
    const char *found = find(question, name, &len);

    return found != NULL && len == strlen(value) &&
           memcmp(found, value, len) == 0;
}

int question_number(const char *question, const char *name, uint64_t most,
                    uint64_t *value)
{
    size_t len;
    const char *found = find(question, name, &len);
    uint64_t number = 0;

    if (found == NULL) {
        return 0;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned digit = (unsigned)found[i] - '0';
        if (digit > 9 || number > (most - digit) / 10 || digit > most) {
            return -EINVAL;
        }
        number = number * 10 + digit;
    }
    if (len == 0) {
        return -EINVAL;
    }
    *value = number;
    return 0;
}
