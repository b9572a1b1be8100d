/* SPDX-License-Identifier: MIT
 *
 * libcurl tells which sockets and which timer it waits for; we tell it what has
 * happened to them, and afterwards ask which transfers are over.  Nothing is
 * started or freed while libcurl calls us.
 */
#include "store/http.h"

#include "base/list.h"
#include "base/xalloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>
#include <openssl/crypto.h>

#define IDLE_MAX 64 /* handles kept for later */

struct http {
    struct ev_loop *loop; /* borrowed */
    CURLM *multi;         /* owned */
    ev_timer timer;       /* libcurl's */
    list_t calls;         /* owned: http_call_t */
    CURL *idle[IDLE_MAX]; /* owned */
    size_t idle_count;
    uint64_t connects;
};

struct http_call {
    list_t linked;
    http_t *http;               /* borrowed */
    CURL *easy;                 /* owned */
    struct curl_slist *headers; /* owned */
    buf_t answer;
    bool is_too_large;
    char why[CURL_ERROR_SIZE];
    http_done_fn *done;
    void *user;
};

/* A socket that libcurl waits for. */
typedef struct {
    ev_io io;
    http_t *http; /* borrowed */
} watch_t;

/* --- transfers ----------------------------------------------------------- */

static size_t on_bytes(char *bytes, size_t size, size_t count, void *user)
{
    http_call_t *call = user;

    if (buf_put(&call->answer, bytes, size * count) < 0) {
        call->is_too_large = true;
        return 0;
    }
    return size * count;
}

static CURL *take_easy(http_t *self)
{
    return self->idle_count > 0 ? self->idle[--self->idle_count]
                                : curl_easy_init();
}

static void keep_easy(http_t *self, CURL *easy)
{
    if (self->idle_count < IDLE_MAX) {
        curl_easy_reset(easy);
        self->idle[self->idle_count++] = easy;
    } else {
        curl_easy_cleanup(easy);
    }
}

static void free_call(http_call_t *call)
{
    list_remove(&call->linked);
    if (call->easy != NULL) {
        curl_multi_remove_handle(call->http->multi, call->easy);
        keep_easy(call->http, call->easy);
    }
    curl_slist_free_all(call->headers);
    buf_fini(&call->answer);
    free(call);
}

static int errno_of(CURLcode code, const http_call_t *call)
{
    switch (code) {
    case CURLE_OK:
        return 0;
    case CURLE_OPERATION_TIMEDOUT:
        return -ETIMEDOUT;
    case CURLE_WRITE_ERROR:
        return call->is_too_large ? -EMSGSIZE : -EPROTO;
    case CURLE_OUT_OF_MEMORY:
        return -ENOMEM;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING:
        return -EPROTO;
    default:
        return -ENOTCONN;
    }
}

static void end_call(http_call_t *call, CURLcode code)
{
    http_answer_t answer = {.body = {call->answer.data, call->answer.len}};
    long connects = 0;

    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &answer.status);
    curl_easy_getinfo(call->easy, CURLINFO_NUM_CONNECTS, &connects);
    call->http->connects += code == CURLE_OK ? (uint64_t)connects : 0;
    int rc = errno_of(code, call);
    if (rc < 0 && call->why[0] == '\0') {
        strncpy(call->why, curl_easy_strerror(code), sizeof call->why - 1);
    }
    /* Out of the lists first, for `done` may start the next. */
    curl_multi_remove_handle(call->http->multi, call->easy);
    list_remove(&call->linked);
    call->done(call->user, rc, rc == 0 ? &answer : NULL, call->why);
    keep_easy(call->http, call->easy);
    call->easy = NULL;
    free_call(call);
}

static void end_those_over(http_t *self)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(self->multi, &left)) != NULL) {
        char *user = NULL;
        if (message->msg == CURLMSG_DONE) {
            CURLcode code = message->data.result;
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &user);
            end_call((http_call_t *)(void *)user, code);
        }
    }
}

/* --- the loop ------------------------------------------------------------ */

static void on_socket_ready(struct ev_loop *loop, ev_io *io, int events)
{
    watch_t *watch = (watch_t *)io;
    http_t *self = watch->http;
    int running, what = 0;
    (void)loop;

    what |= (events & EV_READ) != 0 ? CURL_CSELECT_IN : 0;
    what |= (events & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0;
    curl_multi_socket_action(self->multi, io->fd, what, &running);
    end_those_over(self);
}

static void on_time(struct ev_loop *loop, ev_timer *timer, int events)
{
    http_t *self = timer->data;
    int running;
    (void)loop;
    (void)events;

    curl_multi_socket_action(self->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    end_those_over(self);
}

static int set_timer(CURLM *multi, long timeout_ms, void *user)
{
    http_t *self = user;
    (void)multi;

    ev_timer_stop(self->loop, &self->timer);
    if (timeout_ms >= 0) {
        ev_timer_set(&self->timer, (double)timeout_ms / 1e3, 0);
        ev_timer_start(self->loop, &self->timer);
    }
    return 0;
}

static void stop_watch(watch_t *watch)
{
    ev_io_stop(watch->http->loop, &watch->io);
    free(watch);
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *user,
                        void *of_socket)
{
    http_t *self = user;
    watch_t *watch = of_socket;
    int events = 0;
    (void)easy;

    if (what == CURL_POLL_REMOVE) {
        if (watch != NULL) {
            stop_watch(watch);
        }
        return 0;
    }
    if (watch == NULL) {
        watch = xcalloc(1, sizeof *watch);
        watch->http = self;
        ev_init(&watch->io, on_socket_ready);
        curl_multi_assign(self->multi, fd, watch);
    }
    events |= (what & CURL_POLL_IN) != 0 ? EV_READ : 0;
    events |= (what & CURL_POLL_OUT) != 0 ? EV_WRITE : 0;
    ev_io_stop(self->loop, &watch->io);
    ev_io_set(&watch->io, fd, events);
    ev_io_start(self->loop, &watch->io);
    return 0;
}

/* --- public -------------------------------------------------------------- */

http_t *http_new(struct ev_loop *loop, long connections)
{
    http_t *self = xcalloc(1, sizeof *self);

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(self);
        return NULL;
    }
    self->loop = loop;
    self->multi = curl_multi_init();
    must(self->multi != NULL);
    list_init(&self->calls);
    ev_init(&self->timer, on_time);
    self->timer.data = self;
    curl_multi_setopt(self->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(self->multi, CURLMOPT_SOCKETDATA, self);
    curl_multi_setopt(self->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(self->multi, CURLMOPT_TIMERDATA, self);
    curl_multi_setopt(self->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections);
    curl_multi_setopt(self->multi, CURLMOPT_MAXCONNECTS, connections);
    return self;
}

void http_destroy(http_t **self_p)
{
    http_t *self = *self_p;

    if (self == NULL) {
        return;
    }
    list_foreach_safe(link, &self->calls) {
        free_call(list_entry(link, http_call_t, linked));
    }
    while (self->idle_count > 0) {
        curl_easy_cleanup(self->idle[--self->idle_count]);
    }
    curl_multi_cleanup(self->multi);
    ev_timer_stop(self->loop, &self->timer);
    curl_global_cleanup();
    /* What libcrypto keeps for this thread, which may end behind main(). */
    OPENSSL_thread_stop();
    free(self);
    *self_p = NULL;
}

static bool put_headers(http_call_t *call, const http_request_t *request)
{
    for (size_t i = 0; i < HTTP_HEADERS_MAX; i++) {
        if (request->headers[i] == NULL) {
            break;
        }
        struct curl_slist *list =
            curl_slist_append(call->headers, request->headers[i]);
        if (list == NULL) {
            return false;
        }
        call->headers = list;
    }
    return true;
}

static void set_options(http_call_t *call, const http_request_t *request)
{
    CURL *easy = call->easy;

    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, (char *)call);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->why);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
                     (long)(request->timeout_ms > 0 ? request->timeout_ms : 1));
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "hoist/" HOIST_VERSION);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
    if (request->is_once) {
        curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
    }
    if (request->is_near) {
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    }
    if (request->is_post) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t)request->body.len);
        curl_easy_setopt(
            easy, CURLOPT_POSTFIELDS,
            request->body.len > 0 ? (const char *)request->body.data : "");
    }
}

http_call_t *http_start(http_t *self, const http_request_t *request,
                        http_done_fn *done, void *user)
{
    http_call_t *call = calloc(1, sizeof *call);

    if (call == NULL) {
        return NULL;
    }
    call->http = self;
    call->done = done;
    call->user = user;
    list_append(&self->calls, &call->linked);
    buf_init(&call->answer, request->answer_max);
    call->easy = take_easy(self);
    if (call->easy == NULL || !put_headers(call, request) ||
        curl_easy_setopt(call->easy, CURLOPT_URL, request->url) != CURLE_OK) {
        free_call(call);
        return NULL;
    }
    set_options(call, request);
    if (curl_multi_add_handle(self->multi, call->easy) != CURLM_OK) {
        free_call(call);
        return NULL;
    }
    return call;
}

void http_cancel(http_call_t **call_p)
{
    if (*call_p != NULL) {
        free_call(*call_p);
        *call_p = NULL;
    }
}

uint64_t http_connects(const http_t *self)
{
    return self->connects;
}
