/* SPDX-License-Identifier: MIT
 *
 * A live dashboard: once a second whoever is connected hears how this machine
 * does, as JSON:
 *
 *     {"type":"load","number":7,"load":[0.52,0.48,0.5],"watching":12}
 *
 * load are the averages of 1, 5 and 15 minutes, watching is how many heard the
 * one before.  Who asks {"action":"now"} gets one at once.  Nothing is asked
 * for a push: a timer makes it.
 */
#include <stdio.h>
#include <stdlib.h>

#include <hoist.h>

#define EVERY_MS   1000
#define LINE_BYTES 160
#define WATCHERS   "dashboard" /* the group */

typedef struct {
    unsigned number;   /* of the last push */
    uint64_t watching; /* who heard the last one that we know of */
} dashboard_t;

static void write_line(const dashboard_t *self, char line[LINE_BYTES])
{
    double load[3] = {0};

    (void)getloadavg(load, 3); /* or it stays 0 */
    (void)snprintf(line, LINE_BYTES,
                   "{\"type\":\"load\",\"number\":%u,\"load\":[%.2f,%.2f,%.2f],"
                   "\"watching\":%llu}",
                   self->number, load[0], load[1], load[2],
                   (unsigned long long)self->watching);
}

static int count(hoist_ctx *ctx, const hoist_pushed *pushed, void *data)
{
    dashboard_t *self = data;
    (void)ctx;

    if (pushed->status == 200) {
        self->watching = pushed->delivered;
    }
    return 0;
}

/* What is older than a second nobody wants. */
static int tell(hoist_ctx *ctx, void *data)
{
    const hoist_push_options fresh = {
        .ttl_ms = EVERY_MS, .told = count, .data = data};
    dashboard_t *self = data;
    char line[LINE_BYTES];

    self->number++;
    write_line(self, line);
    return hoist_push_to(ctx, hoist_to_group(hoist_str(WATCHERS)), HOIST_TEXT,
                         hoist_str(line), &fresh);
}

static int on_connect(hoist_ctx *ctx)
{
    return hoist_accept_group(ctx, hoist_str(WATCHERS));
}

static int on_now(hoist_ctx *ctx)
{
    char line[LINE_BYTES];

    write_line(hoist_app_data(hoist_ctx_app(ctx)), line);
    return hoist_reply_json(ctx, line);
}

int main(int argc, char **argv)
{
    static dashboard_t dashboard;
    hoist_app *app = hoist_app_new();

    hoist_app_set_data(app, &dashboard);
    hoist_on(app, "$connect", on_connect);
    hoist_on(app, "now", on_now);
    hoist_every(app, EVERY_MS, tell, &dashboard);
    return hoist_main(app, argc, argv);
}
