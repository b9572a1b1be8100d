/* SPDX-License-Identifier: MIT
 *
 * What middleware is for: a worker whose handlers know nothing of logs, errors
 * and doors.
 *
 * A client connects with ?name=…&word=…, and only who knows the word gets in:
 * "please", or what the variable WORD says.  Then {"action":"echo"} comes back,
 * and {"action":"secret"} is for those named ada.  Whoever is refused is told
 * so as {"code":"…","message":"…","requestId":"…"}.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <hoist.h>
#include <hoist_middleware.h>

/* --- a door: a middleware with settings and a state ---------------------- */

typedef struct {
    const char *word; /* NULL: please */
} door_config;

static int door_open(hoist_app *app, const void *config, void **state)
{
    const door_config *wanted = config;
    const char *word = wanted != NULL ? wanted->word : NULL;
    (void)app;

    *state = strdup(word != NULL ? word : "please");
    return *state != NULL ? 0 : -ENOMEM;
}

static int door(hoist_ctx *ctx, void *word)
{
    int rc;

    if (!hoist_is(hoist_query(ctx, "word"), word)) {
        return hoist_fail(ctx, 401, "wrong-word", "Say the word");
    }
    rc = hoist_accept_user(ctx, hoist_query(ctx, "name"));
    return rc < 0 ? rc : hoist_next(ctx);
}

static const hoist_middleware a_door = {.init = door_open,
                                        .run = door,
                                        .fini = free};

/* --- for some: a layer that is a function -------------------------------- */

static int only_for(hoist_ctx *ctx, void *name)
{
    return hoist_is(hoist_user(ctx), name) ? hoist_next(ctx) : -EACCES;
}

/* --- handlers ------------------------------------------------------------ */

static int welcome(hoist_ctx *ctx)
{
    (void)ctx;
    return 0;
}

static int echo(hoist_ctx *ctx)
{
    return hoist_reply(ctx, 200, hoist_body_type(ctx), hoist_body(ctx));
}

static int secret(hoist_ctx *ctx)
{
    return hoist_reply_text(ctx, "42");
}

/* --- the app ------------------------------------------------------------- */

static void register_all(hoist_app *app, const char *word)
{
    static char ada[] = "ada";

    hoist_use(app, hoist_request_id, NULL);
    hoist_use(app, hoist_logger, NULL);
    hoist_use(app, hoist_recover, NULL);
    hoist_on(app, "$connect", welcome);
    hoist_use_on(app, "$connect", &a_door, &(door_config){.word = word});
    hoist_on(app, "echo", echo);
    hoist_on(app, "secret", secret);
    hoist_wrap_on(app, "secret", only_for, ada);
}

int main(int argc, char **argv)
{
    hoist_app *app = hoist_app_new();

    register_all(app, getenv("WORD"));
    return hoist_main(app, argc, argv);
}
