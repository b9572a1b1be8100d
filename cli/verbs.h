/* SPDX-License-Identifier: MIT
 *
 * The verbs for a system that runs: `hoist status` and its like, which ask the
 * admin listeners of its processes (docs/operating.md).
 */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

#include "cli/args.h"
#include "cli/ask.h"

#include <stdbool.h>
#include <stdio.h>

/* Exit statuses. */
enum {
    VERB_FINE = 0,
    VERB_NOT = 1,    /* the answer is no: not well, gone, refused */
    VERB_USAGE = 2,  /* wrong arguments */
    VERB_SILENT = 3, /* nobody answered who could */
};

/* Is it the first word of a verb? */
bool verbs_has(const char *word);

/* A line for each, for `hoist --help`. */
void verbs_usage(FILE *out);

/* Run a verb; argv[0] is its first word.  Returns the exit status. */
int verbs_main(int argc, char **argv);

/* Complain in one line on standard error; returns status. */
int verb_complain(int status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* --- the verbs; each returns the exit status ------------------------------ */

int status_run(const args_t *args, const asked_t *asked);
int top_run(const args_t *args, const asked_t *asked);
int routes_run(const args_t *args, const asked_t *asked);
int groups_run(const args_t *args, const asked_t *asked);
int connections_list_run(const args_t *args, const asked_t *asked);
int connections_get_run(const args_t *args, const asked_t *asked);
int connections_close_run(const args_t *args, const asked_t *asked);
int send_run(const args_t *args, const asked_t *asked);

#endif
