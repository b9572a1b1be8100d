/* SPDX-License-Identifier: MIT
 *
 *   begin   read the clock
 *   events  clients' sockets, answers of actors
 *   end     who is late: actors, clients
 */
#include "admin/admin.h"

#include "admin/browser.h"
#include "admin/routes.h"
#include "admin/server.h"
#include "base/actor.h"
#include "base/clock.h"
#include "base/listener.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/xalloc.h"
#include "proto/api_path.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWERS_PER_TURN 64
#define MANAGED_MAX      48      /* of SERVER_SLOTS, so that probes find one */
#define TEXT_MAX         1048576 /* bytes of an actor's answer */
#define GONE             "GONE "
#define QUESTION_MAX     (SERVER_HEAD_MAX + 32) /* bytes: a word and a query */

/*
 * Questions that an actor has not answered.  One that hangs is asked no more,
 * lest they fill its pipe, which has room for more.
 */
#define QUESTIONS_MAX 128

struct admin;

typedef struct {
    struct admin *admin; /* borrowed */
    const char *name;    /* borrowed */
    zsock_t *questions;  /* borrowed */
    zwatch_t watch;
    size_t unanswered;
    bool manages; /* it answers the management API */
    bool is_gone;
} source_t;

typedef struct {
    unsigned status; /* 0: none came */
    bool is_due;
    buf_t text;
    buf_t headers; /* of the management API */
} answer_t;

/* A request, from when it is asked until it is answered. */
typedef struct {
    server_call_t id;
    const route_t *route; /* NULL: there is none */
    source_t *manager;    /* that it is handed on to; NULL: a route's */
    int64_t deadline_ms;
    answer_t answers[ADMIN_SOURCES_MAX];
} call_t;

typedef struct admin {
    actor_t actor;
    server_t *server;
    source_t sources[ADMIN_SOURCES_MAX];
    size_t source_count;
    bool is_stopping;
    admin_stats_t stats;
    const char *listen; /* borrowed */
    log_brake_t brake;
    call_t calls[SERVER_SLOTS]; /* by the slot of the client */
} admin_t;

static size_t index_of(const source_t *source)
{
    return (size_t)(source - source->admin->sources);
}

/* --- requests ------------------------------------------------------------ */

static void say(admin_t *self, server_call_t call, unsigned status,
                const route_t *route)
{
    char body[64];
    int len = snprintf(body, sizeof body, "%s\n", http_reason(status));
    server_answer_t answer = {.status = status,
                              .allow = route == NULL ? NULL : route->methods,
                              .body = (const uint8_t *)body,
                              .len = (size_t)len,
                              .type = ROUTES_TEXT};

    server_answer(self->server, call, &answer);
}

static void tell_silent(admin_t *self, const call_t *call)
{
    for (size_t i = 0; i < self->source_count; i++) {
        if (call->answers[i].is_due) {
            log_braked(&self->brake, LEVEL_WARN, "ADMIN-UNANSWERED", "which=%s",
                       self->sources[i].name);
            self->stats.unanswered++;
            return;
        }
    }
}

static size_t view_answers(const admin_t *self, const call_t *call,
                           routes_answer_t answers[ADMIN_SOURCES_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < self->source_count; i++) {
        const answer_t *answer = &call->answers[i];
        if (!self->sources[i].is_gone) {
            answers[count++] = (routes_answer_t){
                .source = self->sources[i].name,
                .status = answer->status,
                .text = {answer->text.data, answer->text.len},
            };
        }
    }
    return count;
}

static void forget(call_t *call)
{
    for (size_t i = 0; i < ADMIN_SOURCES_MAX; i++) {
        buf_fini(&call->answers[i].text);
        buf_fini(&call->answers[i].headers);
        call->answers[i].status = 0;
        call->answers[i].is_due = false;
    }
    call->route = NULL;
    call->manager = NULL;
}

/* The manager's answer as it is. */
static void hand_back(admin_t *self, call_t *call)
{
    answer_t *theirs = &call->answers[index_of(call->manager)];
    buf_t body = theirs->text, headers = theirs->headers;
    server_answer_t answer = {.status = theirs->status,
                              .body = body.data,
                              .len = body.len,
                              .headers = {headers.data, headers.len}};

    buf_init(&theirs->text, TEXT_MAX); /* they are ours now */
    buf_init(&theirs->headers, TEXT_MAX);
    forget(call); /* the answer may bring the client's next request */
    server_answer(self->server, call->id, &answer);
    buf_fini(&body);
    buf_fini(&headers);
}

/* With what there is: all that were asked have answered, or time is up. */
static void finish_route(admin_t *self, call_t *call)
{
    routes_answer_t answers[ADMIN_SOURCES_MAX];
    routes_view_t view = {.answers = answers,
                          .count = view_answers(self, call, answers),
                          .is_stopping = self->is_stopping,
                          .stats = &self->stats};
    const route_t *route = call->route;
    buf_t body;

    tell_silent(self, call);
    buf_init(&body, SERVER_ANSWER_MAX);
    server_answer_t answer = {.status = routes_render(route, &view, &body)};
    answer.type = answer.status < 300 ? route->type : ROUTES_TEXT;
    answer.body = body.data;
    answer.len = body.len;
    forget(call); /* the answer may bring the client's next request */
    server_answer(self->server, call->id, &answer);
    buf_fini(&body);
}

static void finish(admin_t *self, call_t *call)
{
    if (call->manager == NULL) {
        finish_route(self, call);
    } else if (call->answers[index_of(call->manager)].status != 0) {
        hand_back(self, call);
    } else {
        tell_silent(self, call);
        forget(call);
        say(self, call->id, 503, NULL);
    }
}

static bool is_due(const call_t *call)
{
    for (size_t i = 0; i < ADMIN_SOURCES_MAX; i++) {
        if (call->answers[i].is_due) {
            return true;
        }
    }
    return false;
}

/* The question of a route, with what is behind the '?' of its request. */
static void put_question(char question[QUESTION_MAX], const route_t *route,
                         wire_bytes_t query)
{
    bool has_query = route->takes_query && query.len > 0;

    snprintf(question, QUESTION_MAX, "%s%s%.*s", route->question,
             has_query ? " " : "", has_query ? (int)query.len : 0,
             (const char *)query.data);
}

/* Returns false when it was not asked, since it answers nothing. */
static bool ask(source_t *self, server_call_t call, const char *question)
{
    char number[24];

    if (self->unanswered >= QUESTIONS_MAX) {
        return false;
    }
    snprintf(number, sizeof number, "%" PRIu64, call);
    if (zstr_sendx(self->questions, number, question, NULL) < 0) {
        return false;
    }
    self->unanswered++;
    return true;
}

/* --- the management API -------------------------------------------------- */

static bool is_managed(const http_request_t *request)
{
    api_path_t path;

    return api_path_parse(request->path, &path);
}

static source_t *find_manager(admin_t *self)
{
    for (size_t i = 0; i < self->source_count; i++) {
        if (self->sources[i].manages && !self->sources[i].is_gone) {
            return &self->sources[i];
        }
    }
    return NULL;
}

static bool hand_on(source_t *self, server_call_t call,
                    const http_request_t *request, wire_bytes_t body)
{
    actor_part_t parts[] = {{request->method.data, request->head_len},
                            {body.data, body.len}};

    if (self->unanswered >= QUESTIONS_MAX ||
        actor_ask(self->questions, call, "HTTP", parts, 2) < 0) {
        return false;
    }
    self->unanswered++;
    return true;
}

static bool refuse_browser(admin_t *self, server_call_t id,
                           const http_request_t *request)
{
    if (!browser_may_have_sent(request, self->listen)) {
        return false;
    }
    log_braked(&self->brake, LEVEL_WARN, "ADMIN-BROWSER", "path=%.*s",
               (int)request->path.len, (const char *)request->path.data);
    say(self, id, 403, NULL);
    return true;
}

static size_t count_managed(const admin_t *self)
{
    size_t count = 0;

    for (size_t i = 0; i < SERVER_SLOTS; i++) {
        count += self->calls[i].manager != NULL;
    }
    return count;
}

static void manage(admin_t *self, server_call_t id,
                   const http_request_t *request, wire_bytes_t body)
{
    call_t *call = &self->calls[id % SERVER_SLOTS];
    source_t *manager = find_manager(self);

    forget(call); /* its client is gone */
    if (refuse_browser(self, id, request)) {
        return;
    }
    if (count_managed(self) >= MANAGED_MAX) {
        say(self, id, 429, NULL);
    } else if (manager == NULL || !hand_on(manager, id, request, body)) {
        say(self, id, 503, NULL);
    } else {
        call->id = id;
        call->manager = manager;
        call->deadline_ms = clock_mono_ms() + ADMIN_MANAGE_MS;
        call->answers[index_of(manager)].is_due = true;
    }
}

/* --- routes -------------------------------------------------------------- */

static void ask_all(admin_t *self, server_call_t id,
                    const http_request_t *request)
{
    const route_t *route = NULL;
    unsigned status = routes_find(request, &route);
    call_t *call = &self->calls[id % SERVER_SLOTS];
    bool is_hopeless = false; /* one is not even asked */
    char question[QUESTION_MAX];

    if (status != 0) {
        say(self, id, status, route);
        return;
    }
    forget(call); /* its client is gone */
    if (route->is_guarded && refuse_browser(self, id, request)) {
        return;
    }
    call->id = id;
    call->route = route;
    call->deadline_ms = clock_mono_ms() + ADMIN_ANSWER_MS;
    put_question(question, route, request->query);
    for (size_t i = 0; i < self->source_count; i++) {
        answer_t *answer = &call->answers[i];
        answer->status = 0;
        if (!self->sources[i].is_gone) {
            answer->is_due = true;
            is_hopeless |= !ask(&self->sources[i], id, question);
        }
    }
    if (is_hopeless || !is_due(call)) {
        finish(self, call);
    }
}

static void on_asked(void *user, server_call_t id,
                     const http_request_t *request, wire_bytes_t body)
{
    if (is_managed(request)) {
        manage(user, id, request, body);
    } else {
        ask_all(user, id, request);
    }
}

/* --- answers ------------------------------------------------------------- */

static bool is_waiting(const call_t *call)
{
    return call->route != NULL || call->manager != NULL;
}

static void take_answer(source_t *self, const actor_answer_t *told)
{
    call_t *call = &self->admin->calls[told->number % SERVER_SLOTS];
    answer_t *answer = &call->answers[index_of(self)];

    if (!is_waiting(call) || call->id != told->number || !answer->is_due) {
        return; /* too late */
    }
    answer->is_due = false;
    answer->status = told->status;
    if (buf_put(&answer->text, told->text.data, told->text.len) < 0 ||
        buf_put(&answer->headers, told->more.data, told->more.len) < 0) {
        answer->status = 500;
    }
    if (!is_due(call)) {
        finish(self->admin, call);
    }
}

static void on_answers(void *user)
{
    source_t *self = user;
    actor_answer_t told;

    for (int i = 0; i < ANSWERS_PER_TURN; i++) {
        if (!actor_next(self->questions, &told)) {
            return;
        }
        self->unanswered -= self->unanswered > 0;
        if (told.status != 0 && zmsg_size(told.message) > 0) {
            take_answer(self, &told);
        }
        actor_drop(&told);
    }
}

/* Who waits for it does not any more. */
static void lose(source_t *self)
{
    admin_t *admin = self->admin;

    self->is_gone = true;
    for (size_t i = 0; i < SERVER_SLOTS; i++) {
        call_t *call = &admin->calls[i];
        answer_t *answer = &call->answers[index_of(self)];
        if (is_waiting(call) && answer->is_due) {
            answer->is_due = false;
            if (!is_due(call)) {
                finish(admin, call);
            }
        }
    }
}

/* --- the loop ------------------------------------------------------------ */

static void on_begin(void *user)
{
    admin_t *self = user;

    server_begin(self->server, clock_mono_ms());
}

static void on_end(void *user)
{
    admin_t *self = user;
    int64_t now_ms = clock_mono_ms();

    for (size_t i = 0; i < SERVER_SLOTS; i++) {
        call_t *call = &self->calls[i];
        if (is_waiting(call) && now_ms >= call->deadline_ms) {
            finish(self, call);
        }
    }
    server_end(self->server);
}

static void on_term(void *user)
{
    admin_t *self = user;

    actor_end(&self->actor);
}

static void on_told(void *user, const char *command)
{
    admin_t *self = user;

    if (streq(command, "STOPPING")) {
        self->is_stopping = true;
    }
    for (size_t i = 0; i < self->source_count; i++) {
        if (strncmp(command, GONE, strlen(GONE)) == 0 &&
            streq(command + strlen(GONE), self->sources[i].name)) {
            lose(&self->sources[i]);
        }
    }
}

static void log_stats(void *user)
{
    admin_t *self = user;
    const admin_stats_t *stats = &self->stats;
#define X(name, kind, unit, meaning) METRIC(stats, name, kind, unit, meaning)
    const metric_t own[] = {ADMIN_STATS(X)};
#undef X
    char line[LOG_TEXT_MAX];

    metrics_line(line, own, sizeof own / sizeof *own);
    log_pairs(LEVEL_INFO, "ADMIN-STATS", line);
}

/* --- start and end ------------------------------------------------------- */

static int start(admin_t *self, const admin_options_t *options, char *error,
                 size_t error_size)
{
    char address[300];

    if (!listener_address(options->listen, address, sizeof address)) {
        snprintf(error, error_size, "the admin address is too long");
        return -EINVAL;
    }
    self->listen = options->listen;
    const server_options_t serving = {.address = address,
                                      .stats = &self->stats,
                                      .body_max = (uint64_t)options->body_max,
                                      .asked = on_asked,
                                      .takes_body = is_managed,
                                      .user = self};
    self->server = server_new(self->actor.loop, &serving, error, error_size);
    return self->server == NULL ? -EADDRINUSE : 0;
}

static void start_sources(admin_t *self, const admin_options_t *options)
{
    self->source_count = options->source_count;
    for (size_t i = 0; i < self->source_count; i++) {
        source_t *source = &self->sources[i];
        source->admin = self;
        source->name = options->sources[i].name;
        source->questions = options->sources[i].questions;
        source->manages = options->sources[i].manages;
        zsock_set_sndtimeo(source->questions, 0);
        zwatch_start(&source->watch, self->actor.loop,
                     zsock_resolve(source->questions), ZWATCH_READS_AND_SENDS,
                     on_answers, source);
    }
    for (size_t i = 0; i < SERVER_SLOTS; i++) {
        for (size_t j = 0; j < ADMIN_SOURCES_MAX; j++) {
            buf_init(&self->calls[i].answers[j].text, TEXT_MAX);
            buf_init(&self->calls[i].answers[j].headers, TEXT_MAX);
        }
    }
}

static void stop(admin_t *self)
{
    server_destroy(&self->server);
    for (size_t i = 0; i < ADMIN_SOURCES_MAX; i++) {
        zwatch_stop(&self->sources[i].watch);
    }
    for (size_t i = 0; i < SERVER_SLOTS; i++) {
        forget(&self->calls[i]);
    }
    actor_fini(&self->actor);
    free(self);
}

static actor_t *open_admin(const actor_place_t *place, void *options)
{
    static const actor_ops_t ops = {
        .begin = on_begin,
        .end = on_end,
        .term = on_term,
        .stats = log_stats,
        .told = on_told,
    };
    admin_t *self = xcalloc(1, sizeof *self);
    char error[512] = "";

    actor_init(&self->actor, place, &ops, self);
    if (start(self, options, error, sizeof error) < 0) {
        zstr_sendx(place->pipe, "FAILED", error, NULL);
        stop(self);
        return NULL;
    }
    start_sources(self, options);
    zstr_sendx(place->pipe, "READY", server_address(self->server), NULL);
    actor_run(&self->actor);
    return &self->actor;
}

static void close_admin(actor_t *actor)
{
    zsock_t *pipe = actor->place.pipe;

    if (!actor->is_cancelled) {
        log_stats(actor->user);
    }
    stop(actor->user);
    zstr_send(pipe, "STOPPED");
}

const actor_kind_t admin_actor = {open_admin, close_admin};
