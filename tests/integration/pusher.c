/* SPDX-License-Identifier: MIT
 *
 * The worker of test_sdk_push.py: what a client asks for is pushed, and the
 * news of it go back to the client, as
 * {"told":[status,delivered,gone,refused]}.
 *
 *   ?user=…&group=…  who it is and what it is in
 *   join, leave      {"group"}: this connection
 *   push             {"to":"group"|"user"|"all","name","text","self":bool}
 *   then             the same; the reply waits for the news
 *   flood            {"count"}: so many posts of another thread, each a push to
 *                    "all"; how many were taken at once goes back
 *   later            waits for another thread, which replies "later"
 *
 * With --tick every 20 ms a push of "tick …" to the group "ticks".
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>

#include <hoist.h>
#include <jansson.h>

#define TICK_MS     20
#define FLOOD_BYTES 20000 /* of each push of a flood */

/* --- what clients ask for ------------------------------------------------ */

static json_t *message_of(const hoist_ctx *ctx)
{
    hoist_text body = hoist_body(ctx);

    return json_loadb(body.data, body.len, 0, NULL);
}

/* Lent by the message. */
static hoist_text field(const json_t *message, const char *name)
{
    return hoist_str(json_string_value(json_object_get(message, name)));
}

static int on_connect(hoist_ctx *ctx)
{
    hoist_text user = hoist_query(ctx, "user"),
               group = hoist_query(ctx, "group");
    int rc = user.len > 0 ? hoist_accept_user(ctx, user) : 0;

    return rc == 0 && group.len > 0 ? hoist_accept_group(ctx, group) : rc;
}

static int on_join(hoist_ctx *ctx)
{
    json_t *message = message_of(ctx);
    int rc = hoist_join(ctx, field(message, "group"), hoist_connection(ctx));

    json_decref(message);
    return rc < 0 ? rc : hoist_reply_text(ctx, "joined");
}

static int on_leave(hoist_ctx *ctx)
{
    json_t *message = message_of(ctx);
    int rc = hoist_leave(ctx, field(message, "group"), hoist_connection(ctx));

    json_decref(message);
    return rc < 0 ? rc : hoist_reply_text(ctx, "left");
}

/* --- pushes and their news ----------------------------------------------- */

static void write_news(const hoist_pushed *pushed, char text[96])
{
    (void)snprintf(text, 96, "{\"told\":[%d,%d,%d,%d]}", pushed->status,
                   (int)pushed->delivered, (int)pushed->gone,
                   (int)pushed->refused);
}

static int then(hoist_ctx *ctx, const hoist_pushed *pushed, void *data)
{
    char text[96];
    (void)data;

    write_news(pushed, text);
    return hoist_reply_json(ctx, text);
}

/* data: the id of the connection that asked. */
static int told(hoist_ctx *ctx, const hoist_pushed *pushed, void *data)
{
    char text[96];

    write_news(pushed, text);
    int rc = hoist_push_one(ctx, hoist_str(data), HOIST_TEXT, hoist_str(text));
    free(data);
    return rc;
}

static hoist_target target_of(const json_t *message)
{
    hoist_text to = field(message, "to"), name = field(message, "name");

    if (hoist_is(to, "user")) {
        return hoist_to_user(name);
    }
    if (hoist_is(to, "group")) {
        return hoist_to_group(name);
    }
    return hoist_is(to, "all") ? hoist_to_all() : hoist_to_connection(name);
}

static int push(hoist_ctx *ctx, bool waits)
{
    json_t *message = message_of(ctx);
    hoist_text self = hoist_connection(ctx);
    hoist_push_options options = {
        .except = &self,
        .except_count = json_is_true(json_object_get(message, "self")) ? 0 : 1,
        .told = waits ? then : told,
        .data = waits ? NULL : strndup(self.data, self.len)};
    int rc = (waits ? hoist_push_then : hoist_push_to)(
        ctx, target_of(message), HOIST_TEXT, field(message, "text"), &options);

    if (rc < 0) {
        free(options.data);
    }

    json_decref(message);
    return rc;
}

static int on_push(hoist_ctx *ctx)
{
    return push(ctx, false);
}

static int on_then(hoist_ctx *ctx)
{
    return push(ctx, true);
}

/* --- without an event ---------------------------------------------------- */

static int tick(hoist_ctx *ctx, void *data)
{
    unsigned *ticks = data;
    char text[32];

    (void)snprintf(text, sizeof text, "tick %u", ++*ticks);
    return hoist_push_to(ctx, hoist_to_group(hoist_str("ticks")), HOIST_TEXT,
                         hoist_str(text), NULL);
}

static int push_large(hoist_ctx *ctx, void *data)
{
    static char text[FLOOD_BYTES];
    (void)data;

    memset(text, 'x', sizeof text);
    return hoist_push_to(ctx, hoist_to_all(), HOIST_TEXT,
                         hoist_bytes(text, sizeof text), NULL);
}

typedef struct {
    hoist_app *app;
    long wanted, taken;
} flood_t;

static void *flood(void *data)
{
    flood_t *self = data;

    while (self->taken < self->wanted &&
           hoist_post(self->app, push_large, NULL) == 0) {
        self->taken++;
    }
    return NULL;
}

static int on_flood(hoist_ctx *ctx)
{
    json_t *message = message_of(ctx);
    flood_t self = {
        .app = hoist_ctx_app(ctx),
        .wanted = (long)json_integer_value(json_object_get(message, "count"))};
    pthread_t thread;
    char text[32];

    json_decref(message);
    if (pthread_create(&thread, NULL, flood, &self) != 0 ||
        pthread_join(thread, NULL) != 0) {
        return -EIO;
    }
    (void)snprintf(text, sizeof text, "%ld", self.taken);
    return hoist_reply_text(ctx, text);
}

static void *reply_later(void *data)
{
    const hoist_ticket *ticket = data;

    (void)hoist_reply_later(*ticket, 200, HOIST_TEXT, hoist_str("later"));
    return NULL;
}

static int on_later(hoist_ctx *ctx)
{
    hoist_ticket ticket;
    pthread_t thread;
    int rc = hoist_wait(ctx, &ticket);

    if (rc == 0 && (pthread_create(&thread, NULL, reply_later, &ticket) != 0 ||
                    pthread_join(thread, NULL) != 0)) {
        rc = -EIO;
    }
    return rc;
}

int main(int argc, char **argv)
{
    static unsigned ticks;
    hoist_app *app = hoist_app_new();

    hoist_on(app, "$connect", on_connect);
    hoist_on(app, "join", on_join);
    hoist_on(app, "leave", on_leave);
    hoist_on(app, "push", on_push);
    hoist_on(app, "then", on_then);
    hoist_on(app, "flood", on_flood);
    hoist_on(app, "later", on_later);
    if (argc > 1 && strcmp(argv[argc - 1], "--tick") == 0) {
        hoist_every(app, TICK_MS, tick, &ticks);
        argc--;
    }
    return hoist_main(app, argc, argv);
}
