/* SPDX-License-Identifier: MIT
 *
 * The words behind a verb: options, from a table that is also its help, and
 * the rest.  Start-up only; one thread.
 */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define ARGS_OPTIONS_MAX 16 /* of a verb */
#define ARGS_WORDS_MAX   4
#define ARGS_ERROR_MAX   256

typedef struct {
    const char *flag;  /* --name; NULL ends a table */
    const char *value; /* what stands behind it, for people; NULL: nothing */
    const char *help;
} option_t;

typedef struct {
    const option_t *options;              /* borrowed */
    const char *values[ARGS_OPTIONS_MAX]; /* borrowed: of argv; by option */
    const char *words[ARGS_WORDS_MAX];    /* borrowed: of argv */
    int word_count;
} args_t;

/*
 * --flag VALUE, --flag=VALUE; -- ends the options; - is a word, and so is the
 * id of a connection that begins with one.
 * Returns 0; 1 when --help was asked for; -EINVAL with one line in error.
 */
int args_read(args_t *self, const option_t *options, int argc, char **argv,
              char error[ARGS_ERROR_MAX]);

/* What was said of it; "" of one that takes no value; NULL: it was not said. */
const char *args_value(const args_t *self, const char *flag);

static inline bool args_has(const args_t *self, const char *flag)
{
    return args_value(self, flag) != NULL;
}

/*
 * A number that an option says; *value is left alone when it was not said.
 * Returns 0, or -EINVAL with one line in error when it is none from least to
 * most.
 */
int args_number(const args_t *self, const char *flag, uint64_t least,
                uint64_t most, uint64_t *value, char error[ARGS_ERROR_MAX]);

void args_help(const option_t *options, FILE *out);

#endif
