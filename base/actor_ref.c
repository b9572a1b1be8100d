/* SPDX-License-Identifier: MIT */
#include "base/actor_ref.h"

#include "base/xalloc.h"

#include <errno.h>
#include <stdlib.h>

#include <pthread.h>

#define LIVE_MAX     2 /* actors in a thread */
#define TICK_S       0.05

#define STOP_LOOK_MS 50 /* between two tries to say $TERM */

typedef struct {
    zsock_t *pipe;            /* its end; of a guest, owned */
    actor_t *actor;           /* NULL: it could not start */
    const actor_kind_t *kind; /* borrowed */
    bool is_guest;
} resident_t;

/* What a thread is told at its start. */
typedef struct {
    const actor_kind_t *kind;
    void *options;
    const char *name;
} start_t;

typedef struct {
    struct ev_loop *loop; /* owned */
    ev_timer tick;
    resident_t residents[LIVE_MAX];
    size_t count;
} thread_t;

/* --- the thread ---------------------------------------------------------- */

/* Its only purpose is that the loop turns. */
static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)timer;
    (void)events;
}

static void on_guest(void *user, const actor_kind_t *kind, zsock_t *pipe,
                     void *options);

static void admit(thread_t *self, resident_t resident, void *options)
{
    actor_place_t place = {.pipe = resident.pipe,
                           .loop = self->loop,
                           .thread = self,
                           .join = on_guest};

    must(self->count < LIVE_MAX);
    resident.actor = resident.kind->open(&place, options);
    self->residents[self->count++] = resident;
    if (resident.actor == NULL) { /* let_go comes soon */
        ev_break(self->loop, EVBREAK_ALL);
    }
}

static void on_guest(void *user, const actor_kind_t *kind, zsock_t *pipe,
                     void *options)
{
    admit(user, (resident_t){.kind = kind, .pipe = pipe, .is_guest = true},
          options);
}

/* The owner waits for the signal; that of a thread's own is czmq's to give. */
static void part_from(resident_t *resident)
{
    if (resident->actor != NULL) {
        resident->kind->close(resident->actor);
    }
    if (resident->is_guest) {
        zsock_signal(resident->pipe, 0);
        zsock_destroy(&resident->pipe);
    }
}

static bool is_over(const resident_t *resident)
{
    return resident->actor == NULL || resident->actor->is_over;
}

/* Not in a callback of any of them. */
static void let_go(thread_t *self)
{
    size_t kept = 0;

    for (size_t i = 0; i < self->count; i++) {
        if (is_over(&self->residents[i])) {
            part_from(&self->residents[i]);
        } else {
            self->residents[kept++] = self->residents[i];
        }
    }
    self->count = kept;
}

static void live(zsock_t *pipe, void *given)
{
    start_t start = *(start_t *)given;
    thread_t self = {.loop = ev_loop_new(EVFLAG_AUTO)};

    free(given);
    must(self.loop != NULL);
    (void)pthread_setname_np(pthread_self(), start.name);
    ev_timer_init(&self.tick, on_tick, TICK_S, TICK_S);
    ev_timer_start(self.loop, &self.tick);
    zsock_signal(pipe, 0);
    admit(&self, (resident_t){.kind = start.kind, .pipe = pipe}, start.options);
    for (let_go(&self); self.count > 0; let_go(&self)) {
        ev_run(self.loop, 0);
    }
    ev_loop_destroy(self.loop);
}

/* --- the owner ----------------------------------------------------------- */

/* *self is ours: what a thread reads it is given. */
int actor_spawn(actor_ref_t *self, const actor_kind_t *kind, void *options,
                const char *name)
{
    start_t *start = xcalloc(1, sizeof *start);

    *start = (start_t){.kind = kind, .options = options, .name = name};
    *self = (actor_ref_t){.kind = kind};
    self->thread = zactor_new(live, start);
    if (self->thread == NULL) {
        free(start);
        return -EAGAIN;
    }
    self->pipe = zactor_sock(self->thread);
    return 0;
}

void actor_spawn_in(actor_ref_t *self, const actor_ref_t *host,
                    const actor_kind_t *kind, void *options)
{
    zsock_t *inner = NULL;

    *self = (actor_ref_t){.kind = kind};
    self->pipe = zsys_create_pipe(&inner);
    must(self->pipe != NULL);
    must(zsock_send(host->pipe, "sppp", "JOIN", kind, inner, options) == 0);
}

/* The pipe may be full, and who is to read it may have gone: its signal is
 * there then. */
static void tell_end(zsock_t *pipe)
{
    bool is_told = false;

    zsock_set_sndtimeo(pipe, 0);
    zsock_set_rcvtimeo(pipe, STOP_LOOK_MS);
    do {
        is_told = is_told || zstr_send(pipe, "$TERM") == 0;
    } while (zsock_wait(pipe) < 0);
}

void actor_stop(actor_ref_t *self)
{
    if (self->thread != NULL) {
        zactor_destroy(&self->thread);
    } else if (self->pipe != NULL) {
        tell_end(self->pipe);
        zsock_destroy(&self->pipe);
    }
    self->pipe = NULL;
}
