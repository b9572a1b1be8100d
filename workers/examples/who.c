/* SPDX-License-Identifier: MIT
 *
 * Tells who is connected, to clients that connect with ?name=…&room=… (room
 * may be left out):
 *
 *     {"action":"who"}            the names in the room, as a JSON array
 *     {"action":"mine"}           the ids of the connections with my name
 *     {"action":"find","id":"…"}  the name behind a connection, or an error
 *     {"action":"count"}          how many connections there are
 *
 * The broker knows, so this worker keeps nothing: run as many as you like. Each
 * handler asks and returns; what stands above it goes on with the event when
 * the answer is there.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <hoist.h>
#include <jansson.h>

#define PAGE     100
#define ROWS_MAX 10000 /* in one reply */

static int on_connect(hoist_ctx *ctx)
{
    hoist_text name = hoist_query(ctx, "name"), room = hoist_query(ctx, "room");

    if (name.len == 0) {
        return hoist_fail(ctx, 400, "no-name", "Connect with ?name=…");
    }
    int rc = hoist_accept_user(ctx, name);
    room = room.len > 0 ? room : hoist_str("lobby");
    return rc < 0 ? rc : hoist_accept_tenant(ctx, room);
}

/* Reply with a list, which is taken. */
static int reply_list(hoist_ctx *ctx, json_t *list)
{
    char *text = json_dumps(list, JSON_COMPACT);
    int rc = text != NULL ? hoist_reply_json(ctx, text) : -ENOMEM;

    free(text);
    json_decref(list);
    return rc;
}

/* --- who and mine ------------------------------------------------------ */

static json_t *text_of(hoist_text text)
{
    return json_stringn(text.len > 0 ? text.data : "", text.len);
}

static int add_names(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    json_t *names = data;
    hoist_find_options next = {.limit = PAGE};
    hoist_row row;

    while (hoist_answer_next(answer, &row)) {
        json_array_append_new(names, text_of(row.user));
    }
    next.cursor = hoist_answer_cursor(answer);
    int rc = 0;
    if (hoist_answer_status(answer) != 200) {
        rc = hoist_reply_status(ctx, hoist_answer_status(answer));
    } else if (next.cursor.len == 0 || json_array_size(names) >= ROWS_MAX) {
        return reply_list(ctx, names);
    } else {
        rc = hoist_find_tenant(ctx, hoist_tenant(ctx), &next, add_names, names);
        if (rc == 0) {
            return 0; /* the next page goes on with them */
        }
    }
    json_decref(names);
    return rc;
}

static int who(hoist_ctx *ctx)
{
    json_t *names = json_array();
    hoist_find_options first = {.limit = PAGE};
    int rc =
        hoist_find_tenant(ctx, hoist_tenant(ctx), &first, add_names, names);

    if (rc < 0) {
        json_decref(names);
    }
    return rc;
}

static int tell_ids(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    hoist_row row;
    (void)data;

    if (hoist_answer_status(answer) != 200) {
        return hoist_reply_status(ctx, hoist_answer_status(answer));
    }
    json_t *ids = json_array();
    while (hoist_answer_next(answer, &row)) {
        json_array_append_new(ids, text_of(row.connection));
    }
    return reply_list(ctx, ids);
}

static int mine(hoist_ctx *ctx)
{
    return hoist_find_user(ctx, hoist_user(ctx), NULL, tell_ids, NULL);
}

/* --- find and count ---------------------------------------------------- */

static int tell_name(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    hoist_row row;
    (void)data;

    if (!hoist_answer_next(answer, &row)) {
        return hoist_reply_status(ctx, hoist_answer_status(answer));
    }
    return hoist_reply(ctx, 200, HOIST_TEXT, row.user);
}

static int find(hoist_ctx *ctx)
{
    hoist_text body = hoist_body(ctx);
    json_t *message = json_loadb(body.data, body.len, 0, NULL);
    const char *id = json_string_value(json_object_get(message, "id"));
    int rc = id == NULL ? -EBADMSG
                        : hoist_find_connection(ctx, hoist_str(id), NULL,
                                                tell_name, NULL);

    json_decref(message);
    return rc;
}

static int tell_count(hoist_ctx *ctx, hoist_answer *answer, void *data)
{
    char text[24];
    (void)data;

    if (hoist_answer_status(answer) != 200) {
        return hoist_reply_status(ctx, hoist_answer_status(answer));
    }
    (void)snprintf(text, sizeof text, "%" PRIu64, hoist_answer_count(answer));
    return hoist_reply_text(ctx, text);
}

static int count(hoist_ctx *ctx)
{
    return hoist_find_count(ctx, NULL, tell_count, NULL);
}

int main(int argc, char **argv)
{
    hoist_app *app = hoist_app_new();

    hoist_on(app, "$connect", on_connect);
    hoist_on(app, "who", who);
    hoist_on(app, "mine", mine);
    hoist_on(app, "find", find);
    hoist_on(app, "count", count);
    return hoist_main(app, argc, argv);
}
