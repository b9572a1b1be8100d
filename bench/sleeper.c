/* SPDX-License-Identifier: MIT
 *
 * A worker whose handler takes a time of its own and then echoes.  It sleeps
 * for it, so that many workers are busy at once on a machine with few cores.
 */
#include "bench/clocks.h"
#include "bench/numbers.h"
#include "bench/usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <sys/prctl.h>

#include <hoist.h>

static const char help[] =
    "usage: bench_sleeper [OPTION…]\n"
    "\n"
    "A worker whose handler sleeps for HANDLER_US, of the environment, in\n"
    "microseconds (1000), and then echoes.  Its options are those of every\n"
    "worker in C, as `echo --help` lists them.  At its end it prints a line of\n"
    "JSON: how many events it had, how long its handler ran in all, and how\n"
    "long it was from the first to the last.\n";

static uint64_t handler_ns;
static uint64_t busy_ns, handled;
static uint64_t first_ns, last_ns; /* when the first began, the last ended */

static int echo(hoist_ctx *ctx)
{
    uint64_t start_ns = clocks_now_ns();
    struct timespec wait = {.tv_nsec = (long)handler_ns};

    nanosleep(&wait, NULL);
    int rc = hoist_reply(ctx, 200, hoist_body_type(ctx), hoist_body(ctx));
    last_ns = clocks_now_ns();
    first_ns = handled++ == 0 ? start_ns : first_ns;
    busy_ns += last_ns - start_ns;
    return rc;
}

int main(int argc, char **argv)
{
    const char *us = getenv("HANDLER_US");

    usage_help(argc, argv, help);
    hoist_app *app = hoist_app_new();
    handler_ns =
        (uint64_t)numbers_read("HANDLER_US", us ? us : "1000", 1, 999999) *
        1000;
    prctl(PR_SET_TIMERSLACK, 1UL); /* else a sleep is 50 us longer */
    hoist_on(app, "echo", echo);
    int rc = hoist_main(app, argc, argv);
    if (rc != 0) {
        return rc;
    }
    printf("{\"handled\":%llu,\"busy_us\":%.0f,\"span_us\":%.0f}\n",
           (unsigned long long)handled, (double)busy_ns / 1e3,
           (double)(last_ns - first_ns) / 1e3);
    return 0;
}
