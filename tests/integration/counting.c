/* SPDX-License-Identifier: MIT
 *
 * A worker with as many counters as an app may have, and long names for them:
 * its /metrics is more than a socket takes whose other end does not read.
 */
#include <stdio.h>

#include <hoist_metrics.h>

#define SERIES 4000

static int nothing(hoist_ctx *ctx)
{
    (void)ctx;
    return 0;
}

int main(int argc, char **argv)
{
    hoist_app *app = hoist_app_new();

    hoist_on(app, "nothing", nothing);
    for (int i = 0; i < SERIES; i++) {
        char labels[512];
        (void)snprintf(labels, sizeof labels, "number=\"%0480d\"", i);
        (void)hoist_counter_of(app, "counting_total", "Nothing.", labels);
    }
    return hoist_main(app, argc, argv);
}
