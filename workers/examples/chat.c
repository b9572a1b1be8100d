/* SPDX-License-Identifier: MIT
 *
 * A chat: the worker behind the page in workers/examples/chat/.
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
 * Who is where is kept in this process alone, MEMBERS_MAX of them at most: run
 * one chat worker.  When it is restarted it knows nobody, and learns each
 * connection again from the attributes that $connect gave it, as soon as the
 * connection says something; the page asks "who" now and then.  Until then a
 * name can be taken again; the former holder is then told Forbidden.
 *
 * A connection is not there to be pushed to before $connect has been answered,
 * so the page asks "who" itself, as the first thing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <hoist.h>
#include <jansson.h>

#define MEMBERS_MAX 1024
#define NAME_BYTES  32   /* bytes of a name and of a room */
#define TEXT_BYTES  4096 /* of what is said at once */
#define ID_BYTES    16

typedef struct {
    char connection[ID_BYTES];
    char name[NAME_BYTES + 1];
    char room[NAME_BYTES + 1];
} member_t;

typedef struct {
    member_t members[MEMBERS_MAX]; /* the first `count`, in no order */
    size_t count;
} chat_t;

static chat_t *chat_of(const hoist_ctx *ctx)
{
    return hoist_app_data(hoist_ctx_app(ctx));
}

/* --- members ----------------------------------------------------------- */

static member_t *find(chat_t *chat, hoist_text connection)
{
    for (size_t i = 0; i < chat->count; i++) {
        member_t *member = &chat->members[i];
        if (hoist_equal(hoist_bytes(member->connection, ID_BYTES),
                        connection)) {
            return member;
        }
    }
    return NULL;
}

static member_t *find_name(chat_t *chat, hoist_text room, hoist_text name)
{
    for (size_t i = 0; i < chat->count; i++) {
        member_t *member = &chat->members[i];
        if (hoist_is(room, member->room) && hoist_is(name, member->name)) {
            return member;
        }
    }
    return NULL;
}

/* room and name have been through is_name. */
static member_t *add(chat_t *chat, hoist_text connection, hoist_text room,
                     hoist_text name)
{
    if (chat->count == MEMBERS_MAX) {
        return NULL;
    }
    member_t *member = &chat->members[chat->count++];
    memset(member, 0, sizeof *member);
    memcpy(member->connection, connection.data, ID_BYTES);
    memcpy(member->room, room.data, room.len);
    memcpy(member->name, name.data, name.len);
    return member;
}

static void forget(chat_t *chat, member_t *member)
{
    *member = chat->members[--chat->count];
}

/* 1 to 32 bytes of UTF-8 without NUL. */
static bool is_name(hoist_text text)
{
    if (text.len < 1 || text.len > NAME_BYTES ||
        memchr(text.data, '\0', text.len) != NULL) {
        return false;
    }
    json_t *checked = json_stringn(text.data, text.len);
    bool is_utf8 = checked != NULL;
    json_decref(checked);
    return is_utf8;
}

/* Who sent this event, or NULL.  Learnt again when this worker is younger than
 * the connection and nobody has the name by now. */
static member_t *sender(hoist_ctx *ctx)
{
    chat_t *chat = chat_of(ctx);
    member_t *member = find(chat, hoist_connection(ctx));
    hoist_text room = hoist_attribute(ctx, "room");
    hoist_text name = hoist_attribute(ctx, "name");

    if (member != NULL || !is_name(room) || !is_name(name) ||
        find_name(chat, room, name) != NULL) {
        return member;
    }
    return add(chat, hoist_connection(ctx), room, name);
}

/* --- what clients hear ------------------------------------------------- */

/* Takes `message`, which may be NULL: what jansson could not make. */
static int push(hoist_ctx *ctx, const hoist_text *to, size_t count,
                json_t *message)
{
    char *text = message != NULL ? json_dumps(message, JSON_COMPACT) : NULL;
    json_decref(message);
    if (text == NULL) {
        return -ENOMEM;
    }
    int rc =
        count > 0 ? hoist_push(ctx, to, count, HOIST_TEXT, hoist_str(text)) : 0;
    free(text);
    return rc;
}

/* To all in the room but one, if except is not NULL. */
static int push_room(hoist_ctx *ctx, const char *room, const member_t *except,
                     json_t *message)
{
    const chat_t *chat = chat_of(ctx);
    hoist_text to[MEMBERS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < chat->count; i++) {
        const member_t *member = &chat->members[i];
        if (member != except && strcmp(member->room, room) == 0) {
            to[count++] = hoist_bytes(member->connection, ID_BYTES);
        }
    }
    return push(ctx, to, count, message);
}

static int push_here(hoist_ctx *ctx, const member_t *self)
{
    const chat_t *chat = chat_of(ctx);
    hoist_text to = hoist_bytes(self->connection, ID_BYTES);
    json_t *names = json_array();

    for (size_t i = 0; i < chat->count; i++) {
        if (strcmp(chat->members[i].room, self->room) == 0) {
            json_array_append_new(names, json_string(chat->members[i].name));
        }
    }
    return push(ctx, &to, 1,
                json_pack("{ss ss ss so}", "type", "here", "you", self->name,
                          "room", self->room, "names", names));
}

static json_t *about(const char *type, const char *name)
{
    return json_pack("{ss ss}", "type", type, "name", name);
}

/* --- events ------------------------------------------------------------ */

/* The push also finds out whether the holder is still there: if not, on_gone
 * frees the name for the next attempt. */
static int refuse_taken(hoist_ctx *ctx, const member_t *holder)
{
    hoist_text to = hoist_bytes(holder->connection, ID_BYTES);
    int rc = push(ctx, &to, 1, about("taken", holder->name));

    return rc < 0 ? rc
                  : hoist_fail(ctx, 409, "name-taken",
                               "Somebody in this room has that name");
}

static int on_connect(hoist_ctx *ctx)
{
    chat_t *chat = chat_of(ctx);
    hoist_text name = hoist_query(ctx, "name");
    hoist_text room = hoist_query(ctx, "room");

    if (room.len == 0) {
        room = hoist_str("lobby");
    }
    if (!is_name(name) || !is_name(room)) {
        return hoist_fail(ctx, 400, "bad-name",
                          "A name and a room have 1 to 32 bytes");
    }
    const member_t *holder = find_name(chat, room, name);
    if (holder != NULL) {
        return refuse_taken(ctx, holder);
    }
    int rc = hoist_accept_attribute(ctx, "name", name);
    if (rc < 0 || (rc = hoist_accept_attribute(ctx, "room", room)) < 0) {
        return rc;
    }
    member_t *self = add(chat, hoist_connection(ctx), room, name);
    if (self == NULL) {
        return hoist_fail(ctx, 503, "full", "The chat is full");
    }
    rc = push_room(ctx, self->room, self, about("joined", self->name));
    if (rc < 0) {
        forget(chat, self); /* refused, so no $disconnect will come */
    }
    return rc;
}

/* A member that on_gone has forgotten, or that this worker has not met, leaves
 * too: the others may have seen it join. */
static int on_disconnect(hoist_ctx *ctx)
{
    member_t *member = sender(ctx);

    if (member == NULL) {
        return 0;
    }
    int rc = push_room(ctx, member->room, member, about("left", member->name));
    forget(chat_of(ctx), member);
    return rc;
}

static int on_say(hoist_ctx *ctx)
{
    const member_t *self = sender(ctx);
    hoist_text body = hoist_body(ctx);
    const char *text = NULL;
    size_t len = 0;

    if (self == NULL) {
        return -EACCES;
    }
    json_t *message = json_loadb(body.data, body.len, 0, NULL);
    int rc = json_unpack(message, "{s:s%}", "text", &text, &len);
    if (rc < 0 || len == 0 || len > TEXT_BYTES) {
        rc = rc == 0 && len > 0 ? -EMSGSIZE : -EINVAL;
    } else {
        rc = push_room(ctx, self->room, NULL,
                       json_pack("{ss ss ss%}", "type", "said", "name",
                                 self->name, "text", text, len));
    }
    json_decref(message);
    return rc;
}

static int on_who(hoist_ctx *ctx)
{
    const member_t *self = sender(ctx);

    return self != NULL ? push_here(ctx, self) : -EACCES;
}

/* No JSON, or an action that nobody serves. */
static int on_other(hoist_ctx *ctx)
{
    hoist_text to = hoist_connection(ctx);

    return push(ctx, &to, 1,
                json_pack("{ss ss}", "type", "error", "text",
                          "This chat understands "
                          "{\"action\":\"say\",\"text\":\"…\"} and "
                          "{\"action\":\"who\"}"));
}

/* Its $disconnect was lost, with a gateway perhaps. */
static void on_gone(hoist_app *app, hoist_text connection)
{
    chat_t *chat = hoist_app_data(app);
    member_t *member = find(chat, connection);

    if (member != NULL) {
        forget(chat, member);
    }
}

int main(int argc, char **argv)
{
    static chat_t chat;
    hoist_app *app = hoist_app_new();

    hoist_app_set_data(app, &chat);
    hoist_on(app, "$connect", on_connect);
    hoist_on(app, "$disconnect", on_disconnect);
    hoist_on(app, "say", on_say);
    hoist_on(app, "who", on_who);
    hoist_on(app, "$default", on_other);
    hoist_on_gone(app, on_gone);
    return hoist_main(app, argc, argv);
}
