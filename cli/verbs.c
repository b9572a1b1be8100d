/* SPDX-License-Identifier: MIT */
#include "cli/verbs.h"

#include "cli/text.h"
#include "proto/message.h"

#include <stdarg.h>
#include <string.h>

#include <curl/curl.h>

typedef struct {
    const char *word, *second; /* its name; second: NULL, or as in `list` */
    const char *arguments;     /* for people */
    int least, most;           /* words */
    const char *help;          /* a line */
    const char *more;          /* lines, or "" */
    int (*run)(const args_t *args, const asked_t *asked);
    option_t options[ARGS_OPTIONS_MAX];
} verb_t;

#define JSON_OPTION                                                            \
    {                                                                          \
        "--json", NULL, "print one JSON document instead of tables"            \
    }
#define INTERVAL_OPTION(help)                                                  \
    {                                                                          \
        "--interval", "MS", help                                               \
    }

static const verb_t verbs[] = {
    {"status",
     NULL,
     "",
     0,
     0,
     "is the system well, and what is there",
     "The status is 0 when every process answers and is ready, 1 when one is "
     "not, 3 when\nnone answers.\n",
     status_run,
     {ASK_OPTION, JSON_OPTION,
      INTERVAL_OPTION("time that rates are measured over; 0: none [500]")}},
    {"top",
     NULL,
     "",
     0,
     0,
     "a live view: rates, latencies, queues",
     "Keys: q quits, space measures at once.  Where standard output is no "
     "terminal it\nprints a line each time.\n",
     top_run,
     {ASK_OPTION,
      JSON_OPTION,
      INTERVAL_OPTION("time between two looks [1000]"),
      {"--once", NULL, "print the view once and end"}}},
    {"routes",
     NULL,
     "",
     0,
     0,
     "routes, their workers, counts and latencies",
     "Latencies are those since the brokers started; `hoist top` shows those "
     "of now.\n",
     routes_run,
     {ASK_OPTION, JSON_OPTION}},
    {"groups",
     NULL,
     "",
     0,
     0,
     "groups, and how many are in each",
     "",
     groups_run,
     {ASK_OPTION,
      JSON_OPTION,
      {"--type", "TYPE", "group, user, tenant or all [group]"},
      {"--limit", "COUNT", "print at most so many [1000]"}}},
    {"connections",
     "list",
     "",
     0,
     0,
     "the connections that stand",
     "A gateway tells of its own; where only brokers are asked, they tell of "
     "theirs.\n",
     connections_list_run,
     {ASK_OPTION,
      JSON_OPTION,
      {"--user", "NAME", "only those of this user"},
      {"--tenant", "NAME", "only those of this tenant"},
      {"--limit", "COUNT", "print at most so many [1000]"}}},
    {"connections",
     "get",
     "ID",
     1,
     1,
     "one connection",
     "The status is 1 when it is gone.\n",
     connections_get_run,
     {ASK_OPTION, JSON_OPTION}},
    {"connections",
     "close",
     "ID",
     1,
     1,
     "close a connection",
     "The status is 1 when it was gone before.\n",
     connections_close_run,
     {ASK_OPTION,
      JSON_OPTION,
      {"--code", "CODE", "of WebSocket: " CLOSE_CODES " [1000]"},
      {"--reason", "TEXT", "what the client is told, up to 123 bytes"}}},
    {"send",
     NULL,
     "[ID] TEXT",
     1,
     2,
     "send a message to clients",
     "To the connection ID, or to all that one of the options names.  TEXT - "
     "is read from\nstandard input.  The status is 1 when nobody got it.\n",
     send_run,
     {ASK_OPTION,
      JSON_OPTION,
      {"--user", "NAME", "to all connections of this user"},
      {"--tenant", "NAME", "to all connections of this tenant"},
      {"--group", "NAME", "to all connections in this group"},
      {"--all", NULL, "to all connections"},
      {"--binary", NULL, "as a binary message"}}},
};

#define VERBS (sizeof verbs / sizeof *verbs)

int verb_complain(int status, const char *format, ...)
{
    char line[1024], clean[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    text_clean(clean, sizeof clean, line, sizeof clean / 4);
    fprintf(stderr, "hoist: %s\n", clean);
    return status;
}

bool verbs_has(const char *word)
{
    for (size_t i = 0; i < VERBS; i++) {
        if (strcmp(verbs[i].word, word) == 0) {
            return true;
        }
    }
    return false;
}

void verbs_usage(FILE *out)
{
    const char *before = "";

    for (size_t i = 0; i < VERBS; i++) {
        const verb_t *verb = &verbs[i];
        if (verb->second == NULL) {
            fprintf(out, "  %-11s  %s\n", verb->word, verb->help);
        } else if (strcmp(verb->word, before) != 0) {
            fprintf(out, "  %-11s  list, get or close connections\n",
                    verb->word);
        }
        before = verb->word;
    }
}

/* --- help ---------------------------------------------------------------- */

static void name_of(const verb_t *verb, char name[64])
{
    snprintf(name, 64, "%s%s%s", verb->word, verb->second == NULL ? "" : " ",
             verb->second == NULL ? "" : verb->second);
}

static void help(const verb_t *verb)
{
    char name[64];

    name_of(verb, name);
    printf("usage: hoist %s%s%s [OPTION…]\n\n%s\n", name,
           verb->arguments[0] == '\0' ? "" : " ", verb->arguments, verb->help);
    if (verb->more[0] != '\0') {
        printf("\n%s", verb->more);
    }
    puts("");
    args_help(verb->options, stdout);
    printf("  %-20s  %s\n", "--help", "print this");
}

/* Of a word that has several verbs. */
static void help_of_word(const char *word)
{
    for (size_t i = 0; i < VERBS; i++) {
        const verb_t *verb = &verbs[i];
        if (strcmp(verb->word, word) == 0) {
            char what[64];
            snprintf(what, sizeof what, "%s %s", verb->second, verb->arguments);
            printf("%s hoist %s %-10s  %s\n",
                   i > 0 && strcmp(verbs[i - 1].word, word) == 0 ? "      "
                                                                 : "usage:",
                   word, what, verb->help);
        }
    }
    printf("\n`hoist %s VERB --help` lists its options.\n", word);
}

/* --- running ------------------------------------------------------------- */

static const verb_t *find(const char *word, const char *second)
{
    for (size_t i = 0; i < VERBS; i++) {
        if (strcmp(verbs[i].word, word) == 0 &&
            (verbs[i].second == NULL || strcmp(verbs[i].second, second) == 0)) {
            return &verbs[i];
        }
    }
    return NULL;
}

static int usage(const verb_t *verb, const char *why)
{
    char name[64];

    name_of(verb, name);
    return verb_complain(VERB_USAGE, "%s; try hoist %s --help", why, name);
}

/* What may be left out stands first, in brackets. */
static int lacks(const verb_t *verb)
{
    const char *optional = strstr(verb->arguments, "] ");
    char name[64];

    name_of(verb, name);
    return verb_complain(VERB_USAGE, "%s needs %s; try hoist %s --help", name,
                         optional != NULL ? optional + 2 : verb->arguments,
                         name);
}

static int run(const verb_t *verb, int argc, char **argv)
{
    char error[ARGS_ERROR_MAX];
    static asked_t asked; /* large */
    args_t args;
    int read = args_read(&args, verb->options, argc, argv, error);

    if (read > 0) {
        help(verb);
        return VERB_FINE;
    }
    if (read < 0 ||
        asked_read(&asked, args_value(&args, "--admin"), error) < 0) {
        return usage(verb, error);
    }
    if (args.word_count < verb->least) {
        return lacks(verb);
    }
    if (args.word_count > verb->most) {
        return usage(verb, "there is an argument too many");
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int status = verb->run(&args, &asked);
    curl_global_cleanup();
    return status;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 ||
           strcmp(word, "help") == 0;
}

int verbs_main(int argc, char **argv)
{
    const char *second = argc > 1 ? argv[1] : "";

    text_start();
    const verb_t *verb = find(argv[0], second);
    if (verb == NULL && is_help(second)) {
        help_of_word(argv[0]);
        return VERB_FINE;
    }
    if (verb == NULL && argc < 2) {
        return verb_complain(VERB_USAGE, "%s needs a verb; try hoist %s --help",
                             argv[0], argv[0]);
    }
    if (verb == NULL) {
        return verb_complain(VERB_USAGE, "%s has no '%s'; try hoist %s --help",
                             argv[0], second, argv[0]);
    }
    int words = verb->second == NULL ? 1 : 2;
    return run(verb, argc - words, argv + words);
}
