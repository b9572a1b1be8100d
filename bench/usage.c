/* SPDX-License-Identifier: MIT */
#include "bench/usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void usage_help(int argc, char **argv, const char *help)
{
    if (argc == 2 &&
        (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(help, stdout);
        exit(0);
    }
}

void usage_read(int argc, char **argv, int least, int most, const char *help)
{
    usage_help(argc, argv, help);
    if (argc - 1 < least || argc - 1 > most ||
        (argc > 1 && argv[1][0] == '-')) {
        usage_fail(help);
    }
}

noreturn void usage_fail(const char *help)
{
    fprintf(stderr, "%.*s\n", (int)strcspn(help, "\n"), help);
    exit(2);
}
