/* SPDX-License-Identifier: MIT */
#include "base/brokers.h"

#include "base/actor.h"
#include "base/zcurve.h"
#include "base/zdial.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <zmq.h>

#define RECONNECT_MS     100 /* first pause, doubled up to … */
#define RECONNECT_MAX_MS 1000

/* --- links ---------------------------------------------------------------- */

/* An address that its name has lost may still be a broker's. */
static bool may_go(const brokers_t *self, size_t slot)
{
    const brokers_options_t *options = &self->options;

    return !roster_wants(&self->roster, slot) &&
           (!self->is_linked[slot] ||
            options->ops->is_spent(options->user, slot));
}

static void let_go(brokers_t *self, size_t slot)
{
    if (self->is_linked[slot]) {
        self->options.ops->remove(self->options.user, slot);
        self->is_linked[slot] = false;
    }
    roster_release(&self->roster, slot);
}

static int add(brokers_t *self, size_t slot)
{
    int rc = self->options.ops->add(self->options.user, slot,
                                    roster_endpoint(&self->roster, slot));

    self->is_linked[slot] = rc == 0;
    return rc;
}

/* A link for each broker of the roster.  Returns 0, or how the first that could
 * not be made failed; *failed is its endpoint. */
static int follow_roster(brokers_t *self, const char **failed)
{
    int rc = 0;

    for (size_t slot = 0; slot < self->roster.max; slot++) {
        const char *endpoint = roster_endpoint(&self->roster, slot);
        if (endpoint == NULL) {
            continue;
        }
        if (may_go(self, slot)) {
            let_go(self, slot);
        } else if (!self->is_linked[slot] && rc == 0) {
            *failed = endpoint;
            rc = add(self, slot);
        }
    }
    return rc;
}

static void on_answers(struct ev_loop *loop, ev_io *io, int events)
{
    brokers_t *self = io->data;
    const char *failed;
    answer_t answer;
    (void)loop;
    (void)events;

    while (resolver_next(self->resolver, &answer)) {
        roster_answer(&self->roster, &answer);
    }
    int rc = follow_roster(self, &failed);
    if (rc < 0) {
        self->options.ops->failed(self->options.user, failed,
                                  zmq_strerror(-rc));
    }
}

int brokers_dial(void *socket, const char *endpoint, const curve_peer_t *curve)
{
    actor_socket_set(socket, ZMQ_IMMEDIATE, 1);
    actor_socket_set(socket, ZMQ_RECONNECT_IVL, RECONNECT_MS);
    actor_socket_set(socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS);
    return zcurve_join(socket, curve) < 0 || zdial(socket, endpoint) < 0
               ? -zmq_errno()
               : 0;
}

/* --- start and end -------------------------------------------------------- */

static int start_looking(brokers_t *self)
{
    const brokers_options_t *options = &self->options;
    int rc = resolver_new(&self->resolver, &self->roster, options->resolve_ms,
                          options->lookup);

    if (rc == 0 && self->resolver != NULL) {
        ev_io_init(&self->answers, on_answers, resolver_fd(self->resolver),
                   EV_READ);
        self->answers.data = self;
        ev_io_start(options->loop, &self->answers);
    }
    return rc;
}

int brokers_start(brokers_t *self, const brokers_options_t *options,
                  char *error, size_t size)
{
    const char *failed;

    memset(self, 0, sizeof *self);
    self->options = *options;
    if (roster_init(&self->roster, options->list, options->max) < 0) {
        snprintf(error, size, "not 1 to %zu endpoints of brokers: %s",
                 options->max, options->list);
        return -EINVAL;
    }
    int rc = follow_roster(self, &failed);
    if (rc < 0) {
        snprintf(error, size, "cannot connect to the broker %s: %s", failed,
                 zmq_strerror(-rc));
        return rc;
    }
    rc = start_looking(self);
    if (rc < 0) {
        snprintf(error, size, "cannot look up brokers: %s", strerror(-rc));
    }
    return rc;
}

void brokers_rest(brokers_t *self)
{
    if (self->resolver != NULL) {
        ev_io_stop(self->options.loop, &self->answers);
        resolver_destroy(&self->resolver);
    }
}

void brokers_fini(brokers_t *self)
{
    brokers_rest(self);
    roster_fini(&self->roster);
}
