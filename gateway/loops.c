/* SPDX-License-Identifier: MIT
 *
 *   begin   read the clock
 *   events  questions, answers of loops, their ends
 *   end     questions that are too old
 */
#include "gateway/loops.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "gateway/tuning.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERROR_MAX 512

/* --- the end of a loop --------------------------------------------------- */

static bool are_all_gone(const loops_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->loops[i].actor.pipe != NULL) {
            return false;
        }
    }
    return true;
}

static void keep_last(loop_t *loop, zmsg_t *last)
{
    loop->last = last;
    (void)zmsg_first(last);
    zframe_t *report = zmsg_next(last);
    if (report != NULL) {
        loop->last_report =
            (wire_bytes_t){zframe_data(report), zframe_size(report)};
    }
}

/* It has said STOPPED: without its clients, or in time.  One that ends unasked
 * takes the others with it, as an actor that ends takes the process. */
static void on_ended(void *user)
{
    loop_t *loop = user;
    loops_t *self = loop->loops;
    zmsg_t *last = zmsg_recv_nowait(loop->actor.pipe);

    if (last == NULL) {
        return;
    }
    keep_last(loop, last);
    zwatch_stop(&loop->ended);
    zwatch_stop(&loop->answers);
    actor_stop(&loop->actor);
    inquiries_lose(self, loop);
    if (are_all_gone(self) || !self->is_stopping) {
        actor_end(&self->actor);
    }
}

/* --- commands ------------------------------------------------------------ */

static void tell_all(loops_t *self, const char *command)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->loops[i].actor.pipe != NULL) {
            zstr_send(self->loops[i].actor.pipe, command);
        }
    }
}

static void on_term(void *user)
{
    loops_t *self = user;

    self->is_stopping = true;
    tell_all(self, "$TERM");
}

static void on_told(void *user, const char *command)
{
    tell_all(user, command);
}

static void on_reload(void *user)
{
    tell_all(user, "RELOAD");
}

static void on_stats(void *user)
{
    inquiries_log(user);
}

static void on_begin(void *user)
{
    loops_t *self = user;

    self->now_ms = clock_mono_ms();
}

static void on_end(void *user)
{
    inquiries_end(user);
}

/* --- start and end ------------------------------------------------------- */

/* Wait until it listens; where, is the address of those behind it. */
static int await_ready(loop_t *loop, char *error, size_t size)
{
    loops_t *self = loop->loops;
    zmsg_t *message = zmsg_recv(loop->actor.pipe);
    char *word = message == NULL ? NULL : zmsg_popstr(message);
    char *text = message == NULL ? NULL : zmsg_popstr(message);
    int rc = word != NULL && streq(word, "READY") ? 0 : -EINVAL;

    if (rc < 0) {
        snprintf(error, size, "%s", text == NULL ? "no memory" : text);
    } else if (self->address == NULL) {
        self->address = xstrdup(text);
    }
    zstr_free(&word);
    zstr_free(&text);
    zmsg_destroy(&message);
    return rc;
}

static void watch(loop_t *loop)
{
    struct ev_loop *ours = loop->loops->actor.loop;

    zsock_set_sndtimeo(loop->asking, 0);
    zwatch_start(&loop->ended, ours, zsock_resolve(loop->actor.pipe),
                 ZWATCH_READS_AND_SENDS, on_ended, loop);
    zwatch_start(&loop->answers, ours, zsock_resolve(loop->asking),
                 ZWATCH_READS_AND_SENDS, inquiries_take, loop);
}

static int start_loop(loops_t *self, size_t i, char *error, size_t size)
{
    loop_t *loop = &self->loops[i];

    loop->loops = self;
    loop->asking = zsys_create_pipe(&loop->asked);
    must(loop->asking != NULL);
    loop->options = *self->options;
    loop->options.loop = (int64_t)i;
    loop->options.questions = loop->asked;
    if (self->address != NULL) {
        loop->options.listen = self->address;
    }
    tuning_divide(&loop->options);
    snprintf(loop->name, sizeof loop->name, "hoist-loop-%u",
             (unsigned)(i + 1) % 1000);
    if (actor_spawn(&loop->actor, &gateway_actor, &loop->options, loop->name) <
        0) {
        snprintf(error, size, "no thread for a loop");
        return -EAGAIN;
    }
    return await_ready(loop, error, size);
}

static int start(loops_t *self, char *error, size_t size)
{
    size_t count = (size_t)self->options->loops;
    int rc = 0;

    self->loops = xcalloc(count, sizeof *self->loops);
    inquiries_init(self);
    for (; rc == 0 && self->count < count; self->count++) {
        rc = start_loop(self, self->count, error, size);
    }
    for (size_t i = 0; rc == 0 && i < count; i++) {
        watch(&self->loops[i]);
    }
    return rc;
}

static void stop_loop(loop_t *loop)
{
    zwatch_stop(&loop->ended);
    zwatch_stop(&loop->answers);
    actor_stop(&loop->actor);
    zsock_destroy(&loop->asking);
    zsock_destroy(&loop->asked);
    zmsg_destroy(&loop->last);
}

/* What loops have read: they have said that they are over (tests/tsan.supp). */
static void free_told(loops_t *self)
{
    free(self->loops);
    free(self->address);
}

static void stop(loops_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        stop_loop(&self->loops[i]);
    }
    inquiries_fini(self);
    free_told(self);
    actor_fini(&self->actor);
    free(self);
}

static actor_t *open_loops(const actor_place_t *place, void *options)
{
    static const actor_ops_t ops = {
        .begin = on_begin,
        .end = on_end,
        .term = on_term,
        .stats = on_stats,
        .reload = on_reload,
        .defers = inquiries_ask,
        .told = on_told,
    };
    loops_t *self = xcalloc(1, sizeof *self);
    char error[ERROR_MAX] = "";

    self->options = options;
    actor_init(&self->actor, place, &ops, self);
    if (start(self, error, sizeof error) < 0) {
        zstr_sendx(place->pipe, "FAILED", error, NULL);
        stop(self);
        return NULL;
    }
    actor_take_questions(&self->actor, self->options->questions);
    zstr_sendx(place->pipe, "READY", self->address, NULL);
    actor_run(&self->actor);
    return &self->actor;
}

static void close_loops(actor_t *actor)
{
    zsock_t *pipe = actor->place.pipe;

    inquiries_log_last(actor->user);
    stop(actor->user);
    zstr_send(pipe, "STOPPED");
}

const actor_kind_t gateway_loops_actor = {open_loops, close_loops};
