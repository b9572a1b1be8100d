/* SPDX-License-Identifier: MIT
 *
 * The command line of a benchmark that has words and no options.
 */
#ifndef BENCH_USAGE_H
#define BENCH_USAGE_H

#include <stdnoreturn.h>

/* Where --help or -h is all that is asked, prints help and exits with 0.  Its
 * first line is `usage: NAME WORDS`. */
void usage_help(int argc, char **argv, const char *help);

/* The same; and where there are not from least to most words, or an option
 * instead of the first, as usage_fail. */
void usage_read(int argc, char **argv, int least, int most, const char *help);

/* The first line of help is what it prints; exits with 2. */
noreturn void usage_fail(const char *help);

#endif
