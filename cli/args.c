/* SPDX-License-Identifier: MIT */
#include "cli/args.h"

#include "base/names.h"
#include "base/xalloc.h"
#include "proto/conn_id.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int complain(char error[ARGS_ERROR_MAX], const char *flag,
                    const char *what)
{
    snprintf(error, ARGS_ERROR_MAX, "%.64s %s", flag, what);
    return -EINVAL;
}

/* Its index, or -1. */
static int find(const option_t *options, const char *flag, size_t len)
{
    for (int i = 0; options[i].flag != NULL; i++) {
        if (strlen(options[i].flag) == len &&
            memcmp(options[i].flag, flag, len) == 0) {
            return i;
        }
    }
    return -1;
}

static int unknown(const option_t *options, const char *flag,
                   char error[ARGS_ERROR_MAX])
{
    const char *names[ARGS_OPTIONS_MAX];
    size_t count = 0;

    for (; options[count].flag != NULL; count++) {
        names[count] = options[count].flag;
    }
    const char *near = names_near(flag, names, count);
    complain(error, flag, "is no option of it");
    if (near != NULL) {
        size_t len = strlen(error);
        snprintf(error + len, ARGS_ERROR_MAX - len, "; %s is", near);
    }
    return -EINVAL;
}

static int take_word(args_t *self, const char *word, char error[ARGS_ERROR_MAX])
{
    if (self->word_count == ARGS_WORDS_MAX) {
        return complain(error, word, "is one argument too many");
    }
    self->words[self->word_count++] = word;
    return 0;
}

/* Returns how many of argv it took, or -EINVAL. */
static int take_option(args_t *self, int argc, char **argv,
                       char error[ARGS_ERROR_MAX])
{
    const char *flag = argv[0], *equals = strchr(flag, '=');
    size_t len = equals == NULL ? strlen(flag) : (size_t)(equals - flag);
    int i = find(self->options, flag, len);

    if (i < 0) {
        return unknown(self->options, flag, error);
    }
    if (self->options[i].value == NULL) {
        self->values[i] = "";
        return equals == NULL ? 1 : complain(error, flag, "takes no value");
    }
    if (equals == NULL && argc < 2) {
        return complain(error, flag, "needs a value");
    }
    self->values[i] = equals != NULL ? equals + 1 : argv[1];
    return equals != NULL ? 1 : 2;
}

/* One in 64 ids of connections begins with a dash.  No option of ours has only
 * one, but for -h. */
static bool is_id(const char *word)
{
    conn_id_t id;

    return word[1] != '-' && conn_id_parse(word, strlen(word), &id) == 0;
}

int args_read(args_t *self, const option_t *options, int argc, char **argv,
              char error[ARGS_ERROR_MAX])
{
    bool is_over = false; /* no options any more */
    int rc;

    *self = (args_t){.options = options};
    for (int i = 0; i < argc; i += rc) {
        bool is_option = !is_over && argv[i][0] == '-' && argv[i][1] != '\0' &&
                         !is_id(argv[i]);
        rc = 1;
        if (is_option &&
            (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
            return 1;
        }
        if (is_option && strcmp(argv[i], "--") == 0) {
            is_over = true;
        } else if (is_option) {
            rc = take_option(self, argc - i, argv + i, error);
        } else if (take_word(self, argv[i], error) < 0) {
            rc = -EINVAL;
        }
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

const char *args_value(const args_t *self, const char *flag)
{
    int i = find(self->options, flag, strlen(flag));

    must(i >= 0); /* the tables are ours */
    return self->values[i];
}

int args_number(const args_t *self, const char *flag, uint64_t least,
                uint64_t most, uint64_t *value, char error[ARGS_ERROR_MAX])
{
    const char *text = args_value(self, flag);
    char *end;

    if (text == NULL) {
        return 0;
    }
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 ||
        number < least || number > most) {
        snprintf(error, ARGS_ERROR_MAX,
                 "%s is a number from %" PRIu64 " to %" PRIu64 ", not '%.64s'",
                 flag, least, most, text);
        return -EINVAL;
    }
    *value = number;
    return 0;
}

void args_help(const option_t *options, FILE *out)
{
    for (; options->flag != NULL; options++) {
        char what[64];
        snprintf(what, sizeof what, "%s%s%s", options->flag,
                 options->value == NULL ? "" : " ",
                 options->value == NULL ? "" : options->value);
        fprintf(out, "  %-20s  %s\n", what, options->help);
    }
}
