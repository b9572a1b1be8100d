/* SPDX-License-Identifier: MIT
 *
 * `hoist connections get`, `hoist connections close` and `hoist send`, through
 * the management API on the admin listeners.
 */
#include "base/buf.h"
#include "base/xalloc.h"
#include "cli/print.h"
#include "cli/text.h"
#include "cli/verbs.h"
#include "proto/message.h"

#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#define PATH_MAX_     4096
#define FIELD_COLUMNS 200      /* that a line of `get` takes of the terminal */
#define TEXT_MAX      67108864 /* bytes of a message: PROTOCOL.md's frame */
#define READ_BYTES    65536
#define REASON_MAX    123
#define ANSWER_MS     10000 /* more than the listener waits for the manager */
#define OK            200
#define NO_CONTENT    204
#define GONE          410
#define LATE          504

/* Has it understood what was asked, and decided? */
static bool is_decided(const reply_t *reply)
{
    return reply->status >= 200 && reply->status < 500 &&
           reply->status != 404 && reply->status != 405;
}

/* Whether a message has gone out is not known, and it is to go out once. */
static bool is_in_doubt(const ask_t *what, const reply_t *reply)
{
    return what->body != NULL && reply->is_sent &&
           (reply->status == 0 || reply->status == LATE);
}

/*
 * Ask one process after the other, until one decides.  What a gateway says of a
 * connection that is none of its own is no decision, unless all say so.
 */
static void ask_until(const asked_t *asked, const ask_t *what, reply_t *reply)
{
    reply_t gone = {.status = 0};

    for (size_t i = 0; i < asked->count; i++) {
        ask(asked->address[i], what, reply);
        if ((is_decided(reply) && reply->status != GONE) ||
            is_in_doubt(what, reply)) {
            return;
        }
        if (reply->status == GONE) {
            gone = *reply;
            gone.json = NULL;
        }
        if (i + 1 < asked->count) {
            reply_fini(reply);
        }
    }
    if (gone.status == GONE) {
        reply_fini(reply);
        *reply = gone;
    }
}

/* What is said of an answer that is not good; returns the exit status. */
static int tell(const reply_t *reply, const char *who)
{
    if (reply->status == GONE) {
        return verb_complain(VERB_NOT, "%s is gone", who);
    }
    if (is_decided(reply)) {
        return verb_complain(VERB_NOT, "%s: %s", reply->address,
                             reply->problem);
    }
    return verb_complain(VERB_SILENT, "%s: %s", reply->address, reply->problem);
}

/* path and a name in it, escaped as it has to be. */
static int put_path(char path[PATH_MAX_], const char *start, const char *name,
                    const char *query)
{
    char *escaped = curl_easy_escape(NULL, name, (int)strlen(name));

    must(escaped != NULL);
    int len = snprintf(path, PATH_MAX_, "%s%s%s", start, escaped, query);
    curl_free(escaped);
    return len > 0 && len < PATH_MAX_ ? 0 : -1;
}

/* --- get ----------------------------------------------------------------- */

static void print_field(const char *name, const char *text)
{
    char clean[4 * FIELD_COLUMNS + 1];

    text_clean(clean, sizeof clean, text[0] == '\0' ? "-" : text,
               FIELD_COLUMNS);
    printf("%-12s  %s\n", name, clean);
}

static void print_name(const char *name, const json_t *value)
{
    char *text =
        text_of_name(json_string_value(value), json_string_length(value));

    print_field(name, text);
    free(text);
}

/* One a line, since there may be anything in a name; old gateways do not tell.
 */
static void print_groups(const json_t *groups)
{
    const char *name = "groups";

    if (json_is_array(groups) && json_array_size(groups) == 0) {
        print_field(name, "");
    }
    for (size_t i = 0; i < json_array_size(groups); i++) {
        print_name(i == 0 ? name : "", json_array_get(groups, i));
    }
}

static void print_connection(const char *id, const json_t *told)
{
    const json_t *identity = json_object_get(told, "identity");

    print_field("id", id);
    print_name("user", json_object_get(told, "user"));
    print_name("tenant", json_object_get(told, "tenant"));
    print_groups(json_object_get(told, "groups"));
    print_field("connected", ask_text(told, "connectedAt"));
    print_field("last active", ask_text(told, "lastActiveAt"));
    print_field("ip", ask_text(identity, "sourceIp"));
    print_field("user agent", ask_text(identity, "userAgent"));
}

int connections_get_run(const args_t *args, const asked_t *asked)
{
    char path[PATH_MAX_];
    reply_t reply;

    if (put_path(path, "/@connections/", args->words[0], "") < 0) {
        return verb_complain(VERB_USAGE, "that is no connection's ID");
    }
    ask_until(asked, &(ask_t){.path = path, .wait_ms = ANSWER_MS}, &reply);
    if (reply.status != OK || reply.json == NULL) {
        reply_fini(&reply);
        return tell(&reply, args->words[0]);
    }
    if (args_has(args, "--json")) {
        return print_json(reply.json);
    }
    print_connection(args->words[0], reply.json);
    reply_fini(&reply);
    return VERB_FINE;
}

/* --- close --------------------------------------------------------------- */

static int put_query(char query[PATH_MAX_], uint64_t code, const char *reason)
{
    char *escaped = curl_easy_escape(NULL, reason == NULL ? "" : reason, 0);

    must(escaped != NULL);
    int len = snprintf(
        query, PATH_MAX_, "?code=%llu%s%s", (unsigned long long)code,
        reason == NULL ? "" : "&reason=", reason == NULL ? "" : escaped);
    curl_free(escaped);
    return len > 0 && len < PATH_MAX_ ? 0 : -1;
}

static int read_code(const args_t *args, uint64_t *code,
                     char error[ARGS_ERROR_MAX])
{
    int rc = args_number(args, "--code", 0, UINT64_MAX, code, error);

    if (rc < 0 || !close_code_is_allowed(*code)) {
        snprintf(error, ARGS_ERROR_MAX,
                 "--code is " CLOSE_CODES ", not '%.64s'",
                 args_value(args, "--code"));
        return -1;
    }
    return 0;
}

int connections_close_run(const args_t *args, const asked_t *asked)
{
    char path[PATH_MAX_], query[PATH_MAX_], error[ARGS_ERROR_MAX];
    const char *reason = args_value(args, "--reason");
    uint64_t code = 1000;
    reply_t reply;

    if (read_code(args, &code, error) < 0) {
        return verb_complain(VERB_USAGE, "%s", error);
    }
    if (reason != NULL && strlen(reason) > REASON_MAX) {
        return verb_complain(VERB_USAGE, "--reason has at most %d bytes",
                             REASON_MAX);
    }
    if (put_query(query, code, reason) < 0 ||
        put_path(path, "/@connections/", args->words[0], query) < 0) {
        return verb_complain(VERB_USAGE, "that is no connection's ID");
    }
    const ask_t what = {.method = "DELETE", .path = path, .wait_ms = ANSWER_MS};
    ask_until(asked, &what, &reply);
    reply_fini(&reply);
    if (reply.status != NO_CONTENT && reply.status != OK) {
        return tell(&reply, args->words[0]);
    }
    if (args_has(args, "--json")) {
        return print_json(json_pack("{s:b}", "closed", 1));
    }
    puts("closed");
    return VERB_FINE;
}

/* --- send ---------------------------------------------------------------- */

static int read_input(buf_t *text)
{
    size_t got;

    do {
        if (buf_reserve(text, READ_BYTES) < 0) {
            return -1;
        }
        got = fread(text->data + text->len, 1, READ_BYTES, stdin);
        text->len += got;
    } while (got > 0);
    return ferror(stdin) ? -1 : 0;
}

/* To whom: the path of the one that was named, of exactly one. */
static const char *put_target(const args_t *args, char path[PATH_MAX_])
{
    static const struct {
        const char *flag, *start;
    } names[] = {{"--user", "/@users/"},
                 {"--tenant", "/@tenants/"},
                 {"--group", "/@groups/"}};
    int targets = args_has(args, "--all") + (args->word_count == 2);
    int rc = 0;

    if (args_has(args, "--all")) {
        snprintf(path, PATH_MAX_, "/@all");
    } else if (args->word_count == 2) {
        rc = put_path(path, "/@connections/", args->words[0], "");
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *name = args_value(args, names[i].flag);
        if (name != NULL) {
            targets++;
            rc |= put_path(path, names[i].start, name, "");
        }
    }
    if (targets == 0) {
        return "say to whom, and what: ID TEXT, or TEXT and one of --user, "
               "--tenant, --group, --all";
    }
    return targets > 1 ? "say to whom: one of ID, --user, --tenant, --group, "
                         "--all"
           : rc < 0    ? "that name is too long"
                       : NULL;
}

static int tell_sent(const args_t *args, reply_t *reply)
{
    bool is_counted = reply->json != NULL &&
                      json_object_get(reply->json, "delivered") != NULL;
    uint64_t delivered = is_counted ? ask_number(reply->json, "delivered") : 1;
    int status = delivered > 0 ? VERB_FINE : VERB_NOT;

    if (args_has(args, "--json")) {
        json_t *told = is_counted ? json_incref(reply->json)
                                  : json_pack("{s:i}", "delivered", 1);
        return status | print_json(told);
    }
    printf("%llu got it", (unsigned long long)delivered);
    if (is_counted) {
        printf(", %llu were gone, %llu refused it",
               (unsigned long long)ask_number(reply->json, "gone"),
               (unsigned long long)ask_number(reply->json, "refused"));
    }
    puts("");
    return status;
}

static int post(const args_t *args, const asked_t *asked, const char *path,
                const void *bytes, size_t len)
{
    const ask_t what = {.method = "POST",
                        .path = path,
                        .wait_ms = ANSWER_MS,
                        .body = bytes,
                        .body_len = len,
                        .type = args_has(args, "--binary")
                                    ? "application/octet-stream"
                                    : "text/plain; charset=utf-8"};
    reply_t reply;

    ask_until(asked, &what, &reply);
    int status = reply.status == OK ? tell_sent(args, &reply)
                                    : tell(&reply, args->word_count == 2
                                                       ? args->words[0]
                                                       : "whoever it was for");
    reply_fini(&reply);
    return status;
}

int send_run(const args_t *args, const asked_t *asked)
{
    const char *word = args->words[args->word_count - 1];
    char path[PATH_MAX_];
    const char *wrong = put_target(args, path);
    buf_t text;

    if (wrong != NULL) {
        return verb_complain(VERB_USAGE, "%s; try hoist send --help", wrong);
    }
    buf_init(&text, TEXT_MAX);
    int rc = strcmp(word, "-") == 0 ? read_input(&text)
                                    : buf_put(&text, word, strlen(word));
    int status =
        rc < 0 ? verb_complain(VERB_USAGE, "the text cannot be read, or is "
                                           "larger than 64 MiB")
               : post(args, asked, path,
                      text.data == NULL ? "" : (char *)text.data, text.len);
    buf_fini(&text);
    return status;
}
