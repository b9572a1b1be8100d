/* SPDX-License-Identifier: MIT
 *
 * Tells rooms who comes and goes, to clients that connect with ?name=…:
 *
 *     {"action":"enter","room":"…"}   be in that room, beside others
 *     {"action":"leave","room":"…"}   be there no more
 *
 * Whoever is in a room hears what happens in it:
 *
 *     {"type":"joined","room":"…","name":"…"}
 *     {"type":"left","room":"…","name":"…"}
 *
 * A room is a group.  Its news come from the handler of $presence, which is
 * told how groups change: it does not matter who put a connection there, and
 * who vanishes without a word leaves as well, even with the gateway.  So
 * nothing is kept here: run as many as you like.
 */
#include <errno.h>
#include <stdlib.h>

#include <hoist.h>
#include <jansson.h>

static int on_connect(hoist_ctx *ctx)
{
    hoist_text name = hoist_query(ctx, "name");

    if (name.len == 0) {
        return hoist_fail(ctx, 400, "no-name", "Connect with ?name=…");
    }
    return hoist_accept_user(ctx, name);
}

/* --- moving -------------------------------------------------------------- */

static int move(hoist_ctx *ctx,
                int (*how)(hoist_ctx *ctx, hoist_text group, hoist_text conn))
{
    hoist_text body = hoist_body(ctx);
    json_t *message = json_loadb(body.data, body.len, 0, NULL);
    const char *room = json_string_value(json_object_get(message, "room"));
    int rc = room == NULL ? -EBADMSG
                          : how(ctx, hoist_str(room), hoist_connection(ctx));

    json_decref(message);
    return rc;
}

static int enter(hoist_ctx *ctx)
{
    return move(ctx, hoist_join);
}

static int leave(hoist_ctx *ctx)
{
    return move(ctx, hoist_leave);
}

/* --- presence ------------------------------------------------------------ */

static json_t *text_of(hoist_text text)
{
    return json_stringn(text.len > 0 ? text.data : "", text.len);
}

static int tell(hoist_ctx *ctx, const char *type, hoist_text room)
{
    json_t *news = json_pack("{ss so so}", "type", type, "room", text_of(room),
                             "name", text_of(hoist_user(ctx)));
    char *text = news != NULL ? json_dumps(news, JSON_COMPACT) : NULL;
    int rc = text == NULL ? -ENOMEM
                          : hoist_push_to(ctx, hoist_to_group(room), HOIST_TEXT,
                                          hoist_str(text), NULL);

    free(text);
    json_decref(news);
    return rc;
}

static int on_presence(hoist_ctx *ctx)
{
    hoist_text room;
    int rc = 0;

    for (size_t i = 0; rc == 0 && (room = hoist_joined(ctx, i)).len > 0; i++) {
        rc = tell(ctx, "joined", room);
    }
    for (size_t i = 0; rc == 0 && (room = hoist_left(ctx, i)).len > 0; i++) {
        rc = tell(ctx, "left", room);
    }
    return rc;
}

int main(int argc, char **argv)
{
    hoist_app *app = hoist_app_new();

    hoist_on(app, "$connect", on_connect);
    hoist_on(app, "$presence", on_presence);
    hoist_on(app, "enter", enter);
    hoist_on(app, "leave", leave);
    return hoist_main(app, argc, argv);
}
