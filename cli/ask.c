/* SPDX-License-Identifier: MIT */
#include "cli/ask.h"

#include "base/buf.h"
#include "base/listener.h"
#include "base/xalloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#define DEFAULT_ADDRESS "127.0.0.1:9100"
#define CONNECT_MS      2000L
#define ANSWER_MS       5000L /* more than the listener waits for its actors */
#define POLL_MS         1000
#define URL_MAX         8192
#define PATH_MAX_       4096

/* --- where --------------------------------------------------------------- */

static int add(asked_t *self, const char *word, char error[ARGS_ERROR_MAX])
{
    if (self->count == ASK_MAX) {
        snprintf(error, ARGS_ERROR_MAX, "more than %d addresses", ASK_MAX);
        return -EINVAL;
    }
    char *address = self->address[self->count];
    const char *port;
    if (word[0] == '\0' ||
        !listener_address(word, address, sizeof self->address[0]) ||
        (port = strrchr(address, ':')) == NULL || port == address ||
        port[1] == '\0' || strspn(port + 1, "0123456789") != strlen(port + 1) ||
        strpbrk(address, "/@?# \t\n") != NULL) {
        snprintf(error, ARGS_ERROR_MAX, "'%.64s' is no ADDRESS:PORT", word);
        return -EINVAL;
    }
    self->count++;
    return 0;
}

int asked_read(asked_t *self, const char *said, char error[ARGS_ERROR_MAX])
{
    char *text, *rest, *word;
    int rc = 0;

    if (said == NULL || said[0] == '\0') {
        said = getenv("HOIST_ADMIN");
    }
    *self = (asked_t){.count = 0};
    rest = text =
        xstrdup(said == NULL || said[0] == '\0' ? DEFAULT_ADDRESS : said);
    while (rc == 0 && (word = strsep(&rest, ",")) != NULL) {
        rc = add(self, word, error);
    }
    free(text);
    return rc;
}

/* --- HTTP ---------------------------------------------------------------- */

typedef struct {
    CURL *curl; /* owned */
    struct curl_slist *headers;
    buf_t body;
    FILE *to; /* instead of body */
    reply_t *reply;
} call_t;

static size_t on_bytes(char *bytes, size_t size, size_t count, void *user)
{
    call_t *call = user;

    if (call->to != NULL) {
        return fwrite(bytes, size, count, call->to);
    }
    return buf_put(&call->body, bytes, size * count) < 0 ? 0 : size * count;
}

static void put_headers(call_t *call, const ask_t *what)
{
    char type[128];

    /* It refuses names that may stand for somebody's browser; this is none. */
    call->headers = curl_slist_append(NULL, "Host: localhost");
    if (what->body != NULL) {
        snprintf(type, sizeof type, "Content-Type: %s", what->type);
        call->headers = curl_slist_append(call->headers, type);
        call->headers = curl_slist_append(call->headers, "Expect:");
    }
    curl_easy_setopt(call->curl, CURLOPT_HTTPHEADER, call->headers);
}

static void put_body(call_t *call, const ask_t *what)
{
    curl_easy_setopt(call->curl, CURLOPT_POST, 1L);
    curl_easy_setopt(call->curl, CURLOPT_POSTFIELDSIZE_LARGE,
                     (curl_off_t)what->body_len);
    curl_easy_setopt(call->curl, CURLOPT_POSTFIELDS, what->body);
}

static void call_init(call_t *call, const char *address, const ask_t *what,
                      reply_t *reply)
{
    char url[URL_MAX];

    *reply = (reply_t){.address = address};
    *call = (call_t){.curl = curl_easy_init(), .to = what->to, .reply = reply};
    must(call->curl != NULL);
    buf_init(&call->body, ASK_ANSWER_MAX);
    snprintf(url, sizeof url, "http://%s%s", address, what->path);
    curl_easy_setopt(call->curl, CURLOPT_URL, url);
    curl_easy_setopt(call->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(call->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(call->curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(call->curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(call->curl, CURLOPT_TIMEOUT_MS,
                     what->wait_ms > 0 ? what->wait_ms : ANSWER_MS);
    curl_easy_setopt(call->curl, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(call->curl, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(call->curl, CURLOPT_PRIVATE, call);
    put_headers(call, what);
    if (what->body != NULL) {
        put_body(call, what);
    }
    if (what->method != NULL) {
        curl_easy_setopt(call->curl, CURLOPT_CUSTOMREQUEST, what->method);
    }
}

static void call_fini(call_t *call)
{
    curl_slist_free_all(call->headers);
    curl_easy_cleanup(call->curl);
    buf_fini(&call->body);
}

static json_t *parse(const call_t *call)
{
    return call->body.len == 0
               ? NULL
               : json_loadb((const char *)call->body.data, call->body.len,
                            JSON_ALLOW_NUL, NULL);
}

/* The first line of an answer that is no JSON. */
static void tell_text(call_t *call)
{
    reply_t *reply = call->reply;
    const char *text = (const char *)call->body.data;
    int len = 0;

    while ((size_t)len < call->body.len && text[len] != '\n' &&
           text[len] != '\r') {
        len++;
    }
    snprintf(reply->problem, sizeof reply->problem, "HTTP %ld: %.*s",
             reply->status, len < 200 ? len : 200, text == NULL ? "" : text);
}

/* What the management API says is for people; of others it is the status. */
static void tell_problem(call_t *call)
{
    json_t *told = parse(call);
    const char *message = ask_text(told, "message");

    if (message[0] != '\0') {
        snprintf(call->reply->problem, sizeof call->reply->problem, "%s",
                 message);
    } else {
        tell_text(call);
    }
    json_decref(told);
}

static void take(call_t *call, CURLcode code)
{
    reply_t *reply = call->reply;
    long sent = 0;

    curl_easy_getinfo(call->curl, CURLINFO_REQUEST_SIZE, &sent);
    reply->is_sent = sent > 0;
    if (code != CURLE_OK) {
        snprintf(reply->problem, sizeof reply->problem, "no answer: %s",
                 code == CURLE_WRITE_ERROR ? "it is too long"
                                           : curl_easy_strerror(code));
        return;
    }
    curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &reply->status);
    if (reply->status != 200) {
        tell_problem(call);
    } else {
        reply->json = parse(call);
    }
}

/* --- asking -------------------------------------------------------------- */

static void take_done(CURLM *multi)
{
    const CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
        char *call = NULL;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
        take((call_t *)(void *)call, message->data.result);
    }
}

void ask_all(const asked_t *asked, const ask_t *what, reply_t *replies)
{
    CURLM *multi = curl_multi_init();
    call_t *calls = xcalloc(asked->count, sizeof *calls);
    int running = 1;

    must(multi != NULL);
    for (size_t i = 0; i < asked->count; i++) {
        call_init(&calls[i], asked->address[i], what, &replies[i]);
        curl_multi_add_handle(multi, calls[i].curl);
    }
    while (running > 0 && curl_multi_perform(multi, &running) == CURLM_OK) {
        take_done(multi);
        if (running > 0) {
            curl_multi_poll(multi, NULL, 0, POLL_MS, NULL);
        }
    }
    for (size_t i = 0; i < asked->count; i++) {
        curl_multi_remove_handle(multi, calls[i].curl);
        call_fini(&calls[i]);
    }
    curl_multi_cleanup(multi);
    free(calls);
}

void ask(const char *address, const ask_t *what, reply_t *reply)
{
    call_t call;

    call_init(&call, address, what, reply);
    take(&call, curl_easy_perform(call.curl));
    call_fini(&call);
}

void reply_fini(reply_t *self)
{
    json_decref(self->json);
    self->json = NULL;
}

void replies_fini(reply_t *replies, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        reply_fini(&replies[i]);
    }
}

/* --- pages --------------------------------------------------------------- */

/* Returns 0 with *rows and *cursor (NULL behind the last page). */
static int read_page(const reply_t *reply, const ask_list_t *list,
                     json_t **rows, json_t **cursor,
                     char problem[ASK_PROBLEM_MAX])
{
    json_t *part = json_object_get(reply->json, list->actor);

    *rows = json_object_get(part, list->member);
    *cursor = json_object_get(part, "cursor");
    if (reply->status == 404 || (reply->json != NULL && part == NULL)) {
        return -ENOENT;
    }
    if (!json_is_array(*rows)) {
        snprintf(problem, ASK_PROBLEM_MAX, "%s",
                 reply->problem[0] != '\0' ? reply->problem
                                           : "its answer is none of hoist's");
        return -EIO;
    }
    return 0;
}

static int take_page(const char *address, const ask_list_t *list, json_t *rows,
                     size_t *taken)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        if (*taken == list->limit) {
            return 1;
        }
        list->row(list->user, address, json_array_get(rows, i));
        ++*taken;
    }
    return 0;
}

/* Where the next page begins: behind where this one did, or there is none. */
static int go_on(const json_t *cursor, json_int_t *at,
                 char problem[ASK_PROBLEM_MAX])
{
    json_int_t next = json_integer_value(cursor);

    if (next <= *at) {
        snprintf(problem, ASK_PROBLEM_MAX, "its pages do not go on");
        return -EIO;
    }
    *at = next;
    return 0;
}

int ask_pages(const char *address, const ask_list_t *list,
              char problem[ASK_PROBLEM_MAX])
{
    char target[PATH_MAX_];
    json_t *rows, *cursor;
    json_int_t at = 0;
    size_t taken = 0;
    reply_t reply;
    bool has_more;
    int rc;

    snprintf(target, sizeof target, "%s", list->path);
    do {
        ask(address, &(ask_t){.path = target}, &reply);
        rc = read_page(&reply, list, &rows, &cursor, problem);
        if (rc == 0) {
            rc = take_page(address, list, rows, &taken);
        }
        has_more = rc == 0 && json_is_integer(cursor);
        if (has_more) {
            rc = go_on(cursor, &at, problem);
        }
        snprintf(target, sizeof target, "%s%ccursor=%lld", list->path,
                 strchr(list->path, '?') == NULL ? '?' : '&', (long long)at);
        reply_fini(&reply);
    } while (has_more && rc == 0);
    return rc;
}

/* --- reading answers ----------------------------------------------------- */

uint64_t ask_number(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));

    return value < 0 ? 0 : (uint64_t)value;
}

const char *ask_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text == NULL ? "" : text;
}

bool ask_flag(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}
