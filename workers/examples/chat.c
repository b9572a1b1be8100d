/* SPDX-License-Identifier: MIT
 *
 * A chat: the worker behind the page in workers/examples/chat/.  In Python and
 * JavaScript, with the protocol alone, it is chat.py and chat.mjs.
 *
 * A client connects with ?name=…&room=… (room may be left out).  A name that
 * somebody in the room has is refused with 409, one that is empty or too long
 * with 400.  Then it sends {"action":"say","text":"…"} or {"action":"who"},
 * and hears JSON texts by "type":
 *
 *     here     you, room, names: the answer to "who"
 *     joined   name
 *     left     name
 *     said     name, text
 *     taken    name: somebody was refused that wanted your name
 *     error    text: what this worker would have understood
 *
 * Nothing is kept here, so run as many as you like, and restart them: a
 * connection has its name as user, and its room as group, which pushes go to,
 * and as tenant, which the broker is asked about.  Two who want one name at the
 * same moment may both get it.
 *
 * A connection is told who is there when it asks, so the page asks "who"
 * itself, as the first thing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <hoist.h>
#include <jansson.h>

#define NAME_BYTES 32    /* bytes of a name and of a room */
#define TEXT_BYTES 4096  /* of what is said at once */
#define NAMES_MAX  10000 /* in one answer to "who" */

/* --- JSON ---------------------------------------------------------------- */

static json_t *text_of(hoist_text text)
{
    return json_stringn(text.len > 0 ? text.data : "", text.len);
}

static json_t *about(const char *type, hoist_text name)
{
    return json_pack("{ss so}", "type", type, "name", text_of(name));
}

/* Takes `message`, which may be NULL: what jansson could not make.  The caller
 * frees the text, or gets NULL. */
static char *write_message(json_t *message)
{
    char *text = message != NULL ? json_dumps(message, JSON_COMPACT) : NULL;

    json_decref(message);
    return text;
}

/* Takes `message`. */
static int push(hoist_ctx *ctx, hoist_target target, json_t *message)
{
    char *text = write_message(message);
    int rc = text == NULL ? -ENOMEM
                          : hoist_push_to(ctx, target, HOIST_TEXT,
                                          hoist_str(text), NULL);

    free(text);
    return rc;
}

/* Takes `message`. */
static int reply(hoist_ctx *ctx, json_t *message)
{
    char *text = write_message(message);
    int rc = text == NULL ? -ENOMEM : hoist_reply_json(ctx, text);

    free(text);
    return rc;
}

/* --- who comes and who leaves -------------------------------------------- */

/* 1 to 32 bytes of UTF-8 without NUL. */
static bool is_name(hoist_text text)
{
    if (text.len < 1 || text.len > NAME_BYTES ||
        memchr(text.data, '\0', text.len) != NULL) {
        return false;
    }
    json_t *checked = text_of(text);
    bool is_utf8 = checked != NULL;
    json_decref(checked);
    return is_utf8;
}

static hoist_text wanted_name(const hoist_ctx *ctx)
{
    return hoist_query(ctx, "name");
}

static hoist_text wanted_room(const hoist_ctx *ctx)
{
    hoist_text room = hoist_query(ctx, "room");

    return room.len > 0 ? room : hoist_str("lobby");
}

/* The push goes before the reply, so to the others alone. */
static int let_in(hoist_ctx *ctx)
{
    hoist_text name = wanted_name(ctx), room = wanted_room(ctx);
    int rc = hoist_accept_user(ctx, name);

    if (rc < 0 || (rc = hoist_accept_tenant(ctx, room)) < 0 ||
        (rc = hoist_accept_group(ctx, room)) < 0) {
        return rc;
    }
    return push(ctx, hoist_to_group(room), about("joined", name));
}

/* The holder of the name was told; if it is there no more, the name is free. */
static int on_holder(hoist_ctx *ctx, const hoist_pushed *pushed, void *data)
{
    (void)data;

    return pushed->status == 200 && pushed->delivered == 0
               ? let_in(ctx)
               : hoist_fail(ctx, 409, "name-taken",
                            "Somebody in this room has that name");
}

static int tell_holder(hoist_ctx *ctx, hoist_text connection)
{
    const hoist_push_options then = {.told = on_holder};
    char *text = write_message(about("taken", wanted_name(ctx)));
    int rc = text == NULL
                 ? -ENOMEM
                 : hoist_push_then(ctx, hoist_to_connection(connection),
                                   HOIST_TEXT, hoist_str(text), &then);

    free(text);
    return rc;
}

/* The connections that have the name, in whichever room. */
static int on_namesakes(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    hoist_find_options next = {.cursor = hoist_answer_cursor(answer)};
    hoist_row row;
    (void)data;

    if (hoist_answer_status(answer) != 200) {
        return hoist_fail(ctx, 503, "away",
                          "Nobody knows who is here; try again");
    }
    while (hoist_answer_next(answer, &row)) {
        if (hoist_equal(row.tenant, wanted_room(ctx))) {
            return tell_holder(ctx, row.connection);
        }
    }
    return next.cursor.len > 0 ? hoist_find_user(ctx, wanted_name(ctx), &next,
                                                 on_namesakes, NULL)
                               : let_in(ctx);
}

static int on_connect(hoist_ctx *ctx)
{
    if (!is_name(wanted_name(ctx)) || !is_name(wanted_room(ctx))) {
        return hoist_fail(ctx, 400, "bad-name",
                          "A name and a room have 1 to 32 bytes");
    }
    return hoist_find_user(ctx, wanted_name(ctx), NULL, on_namesakes, NULL);
}

static int on_disconnect(hoist_ctx *ctx)
{
    hoist_text room = hoist_tenant(ctx), name = hoist_user(ctx);

    return room.len > 0 ? push(ctx, hoist_to_group(room), about("left", name))
                        : 0;
}

/* --- what they say ------------------------------------------------------- */

/* Its sender hears it, too: so it knows that it was said. */
static int on_say(hoist_ctx *ctx)
{
    hoist_text body = hoist_body(ctx), room = hoist_tenant(ctx);
    const char *text = NULL;
    size_t len = 0;

    if (room.len == 0) {
        return -EACCES; /* no $connect of ours has let it in */
    }
    json_t *message = json_loadb(body.data, body.len, 0, NULL);
    int rc = json_unpack(message, "{s:s%}", "text", &text, &len);
    if (rc < 0 || len == 0 || len > TEXT_BYTES) {
        rc = rc == 0 && len > 0 ? -EMSGSIZE : -EINVAL;
    } else {
        rc = push(ctx, hoist_to_group(room),
                  json_pack("{ss so ss%}", "type", "said", "name",
                            text_of(hoist_user(ctx)), "text", text, len));
    }
    json_decref(message);
    return rc;
}

/* data: the names so far, ours to pass on or to free. */
static int on_names(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    hoist_find_options next = {.cursor = hoist_answer_cursor(answer)};
    json_t *names = data;
    hoist_row row;
    int rc;

    while (hoist_answer_next(answer, &row)) {
        json_array_append_new(names, text_of(row.user));
    }
    if (hoist_answer_status(answer) != 200) {
        rc = hoist_reply_status(ctx, hoist_answer_status(answer));
    } else if (next.cursor.len > 0 && json_array_size(names) < NAMES_MAX) {
        rc = hoist_find_tenant(ctx, hoist_tenant(ctx), &next, on_names, names);
        if (rc == 0) {
            return 0; /* the next page goes on with them */
        }
    } else {
        return reply(ctx,
                     json_pack("{ss so so so}", "type", "here", "you",
                               text_of(hoist_user(ctx)), "room",
                               text_of(hoist_tenant(ctx)), "names", names));
    }
    json_decref(names);
    return rc;
}

static int on_who(hoist_ctx *ctx)
{
    if (hoist_tenant(ctx).len == 0) {
        return -EACCES;
    }
    json_t *names = json_array();
    int rc = hoist_find_tenant(ctx, hoist_tenant(ctx), NULL, on_names, names);

    if (rc < 0) {
        json_decref(names);
    }
    return rc;
}

/* No JSON, or an action that nobody serves. */
static int on_other(hoist_ctx *ctx)
{
    return reply(ctx, json_pack("{ss ss}", "type", "error", "text",
                                "This chat understands "
                                "{\"action\":\"say\",\"text\":\"…\"} and "
                                "{\"action\":\"who\"}"));
}

static void register_all(hoist_app *app)
{
    hoist_on(app, "$connect", on_connect);
    hoist_on(app, "$disconnect", on_disconnect);
    hoist_on(app, "say", on_say);
    hoist_on(app, "who", on_who);
    hoist_on(app, "$default", on_other);
}

int main(int argc, char **argv)
{
    hoist_app *app = hoist_app_new();

    register_all(app);
    return hoist_main(app, argc, argv);
}
