/* SPDX-License-Identifier: MIT
 *
 * Two apps in one process, each in a thread of its own and at a broker of its
 * own: pair BROKER BROKER.  Both serve "name", which replies the app's, and
 * "stop", which stops the one that handles it.
 */
#include <stdio.h>

#include <pthread.h>

#include <hoist.h>

static int name(hoist_ctx *ctx)
{
    return hoist_reply_text(ctx, hoist_app_data(hoist_ctx_app(ctx)));
}

static int stop(hoist_ctx *ctx)
{
    hoist_stop(hoist_ctx_app(ctx));
    return name(ctx);
}

static void *run(void *data)
{
    hoist_app *app = data;

    if (hoist_run(app) < 0) {
        return data;
    }
    hoist_app_destroy(&app);
    return NULL;
}

static hoist_app *make(char *who, const char *threads, const char *broker)
{
    hoist_app *app = hoist_app_new();

    hoist_on(app, "name", name);
    hoist_on(app, "stop", stop);
    hoist_app_set_data(app, who);
    if (hoist_option(app, "name", who) < 0 ||
        hoist_option(app, "threads", threads) < 0 ||
        hoist_option(app, "broker", broker) < 0) {
        hoist_app_destroy(&app);
    }
    return app;
}

int main(int argc, char **argv)
{
    static char first[] = "first", second[] = "second";
    pthread_t threads[2];
    void *failed = NULL;

    if (argc != 3) {
        fprintf(stderr, "usage: pair BROKER BROKER\n");
        return 2;
    }
    hoist_app *apps[2] = {make(first, "1", argv[1]),
                          make(second, "2", argv[2])};
    for (int i = 0; i < 2; i++) {
        if (apps[i] == NULL ||
            pthread_create(&threads[i], NULL, run, apps[i]) != 0) {
            return 2;
        }
    }
    for (int i = 0; i < 2; i++) {
        void *result = NULL;
        (void)pthread_join(threads[i], &result);
        failed = result != NULL ? result : failed;
    }
    return failed != NULL;
}
