/* SPDX-License-Identifier: MIT */
#include "cli/health.h"

#include "cli/ask.h"

#include <stdio.h>

#include <curl/curl.h>

#define WAIT_MS 3000 /* the admin listener itself gives up after 2000 */

static const option_t options[] = {
    {"--ready", NULL, "ask for /readyz"},
    {NULL, NULL, NULL},
};

static const char usage_text[] =
    "usage: hoist health [--ready] [ADDRESS:PORT]\n\n"
    "Asks a running hoist for /healthz, or /readyz with --ready, prints what "
    "it says and\nends with 0 when that is good, 1 when it is not or nobody "
    "answers within 3 s.\nThe address is that of --admin: when it is left out "
    "HOIST_ADMIN, else\n127.0.0.1:9100.  A port alone is one of 127.0.0.1.\n";

static int usage(const char *why)
{
    fprintf(stderr, "hoist health: %s; try hoist health --help\n", why);
    return 2;
}

/* Prints what it says, or a line that says why there was no answer. */
static int ask_health(const char *address, const char *path)
{
    const ask_t what = {.path = path, .wait_ms = WAIT_MS, .to = stdout};
    reply_t reply;

    ask(address, &what, &reply);
    if (reply.status == 0) {
        fprintf(stderr, "hoist health: %s: %s\n", address, reply.problem);
    }
    reply_fini(&reply);
    return reply.status == 200 ? 0 : 1;
}

int health_main(int argc, char **argv)
{
    char error[ARGS_ERROR_MAX];
    static asked_t asked; /* large */
    args_t args;
    int read = args_read(&args, options, argc, argv, error);

    if (read > 0) {
        fputs(usage_text, stdout);
        return 0;
    }
    if (read < 0 || asked_read(&asked, args.words[0], error) < 0) {
        return usage(error);
    }
    if (args.word_count > 1 || asked.count > 1) {
        return usage("it asks one address");
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int status = ask_health(
        asked.address[0], args_has(&args, "--ready") ? "/readyz" : "/healthz");
    curl_global_cleanup();
    return status;
}
