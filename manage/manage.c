/* SPDX-License-Identifier: MIT
 *
 *   begin   read the clocks
 *   events  requests of the askers, frames of brokers, addresses of brokers
 *   end     deadlines, one frame to each broker
 */
#include "manage/manage.h"

#include "base/actor.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/resolver.h"
#include "base/xalloc.h"
#include "base/zcurve.h"
#include "base/zdial.h"
#include "base/zparts.h"
#include "manage/credentials.h"
#include "manage/manager.h"
#include "manage/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ev.h>
#include <zmq.h>

#define FRAMES_PER_TURN 64

_Static_assert(MANAGE_BROKERS_MAX <= ROSTER_MAX, "a slot for each broker");

struct manage;

typedef struct {
    struct manage *manage; /* borrowed */
    uplink_t *uplink;      /* borrowed; NULL: free */
    void *socket;          /* libzmq DEALER; NULL: none */
    zwatch_t watch;
    int64_t unsent_since_ms; /* it takes nothing; 0: it does */
} dealer_t;

typedef struct manage {
    actor_t actor;
    manager_t *manager;
    curve_peer_t curve;
    auth_t *auth; /* owned; NULL: nobody has credentials */
    char boot[RAND_HEX_LEN + 1];
    uint32_t public; /* the asker whose clients are anybody; or UINT32_MAX */
    roster_t roster;
    resolver_t *resolver; /* owned; NULL: no broker is a name */
    ev_io answers;        /* of it */
    int64_t now_ms;
    log_brake_t brake;
    dealer_t dealers[MANAGE_BROKERS_MAX]; /* by the roster's slots */
} manage_t;

/* --- requests --------------------------------------------------------------
 */

static actor_part_t part_of(const buf_t *bytes)
{
    return (actor_part_t){bytes->data, bytes->len};
}

static void on_answer(void *user, manager_caller_t caller,
                      const api_reply_t *answer)
{
    manage_t *self = user;
    actor_call_t call = {.asker = caller.asker, .number = caller.number};

    actor_answer(&self->actor, call, answer->status, part_of(&answer->body),
                 part_of(&answer->headers));
}

/* Who hands it on has parsed the head, too. */
static void on_asked(void *user, actor_call_t call, const actor_part_t *parts,
                     size_t count)
{
    manage_t *self = user;
    manager_caller_t caller = {.asker = call.asker, .number = call.number};
    http_request_t request;

    must(count == 2 &&
         http_parse(parts[0].data, parts[0].len, parts[0].len, &request) == 0);
    manager_ask(self->manager, caller, call.asker != self->public, &request,
                (wire_bytes_t){parts[1].data, parts[1].len});
}

static unsigned on_question(void *user, const char *question, buf_t *out)
{
    manage_t *self = user;

    if (streq(question, "READY")) {
        return 200;
    }
    if (streq(question, "METRICS")) {
        return manage_metrics(manager_stats(self->manager), out);
    }
    return 404;
}

/* --- frames ----------------------------------------------------------------
 */

/* Returns false when there is nothing to read. */
static bool read_message(dealer_t *self)
{
    size_t slot = (size_t)(self - self->manage->dealers);
    zmq_msg_t frame;

    zmq_msg_init(&frame);
    bool got = zmq_msg_recv(&frame, self->socket, ZMQ_DONTWAIT) >= 0;
    if (got && zmq_msg_more(&frame)) {
        zparts_skip(self->socket, &frame);
    } else if (got) {
        manager_frame(
            self->manage->manager, slot,
            (wire_bytes_t){zmq_msg_data(&frame), zmq_msg_size(&frame)});
    }
    zmq_msg_close(&frame);
    return got;
}

static void on_frames(void *user)
{
    for (int i = 0; i < FRAMES_PER_TURN; i++) {
        if (!read_message(user)) {
            return;
        }
    }
}

static void send_frame(dealer_t *self)
{
    uplink_t *uplink = self->uplink;
    int64_t now_ms = self->manage->now_ms;

    if (uplink == NULL || uplink->out.len == 0) {
        return;
    }
    if (zmq_send(self->socket, uplink->out.data, uplink->out.len,
                 ZMQ_DONTWAIT) < 0) {
        zdial_again(self->socket, uplink->endpoint, &self->unsent_since_ms,
                    now_ms, uplink->state == UPLINK_UP);
        return; /* the next turn tries again */
    }
    self->unsent_since_ms = 0;
    uplink_sent(uplink, now_ms);
}

static void send_frames(manage_t *self)
{
    for (size_t i = 0; i < MANAGE_BROKERS_MAX; i++) {
        send_frame(&self->dealers[i]);
    }
}

/* --- brokers ---------------------------------------------------------------
 */

static void hang_up(dealer_t *self)
{
    zwatch_stop(&self->watch);
    if (self->socket != NULL) {
        zmq_close(self->socket);
    }
    *self = (dealer_t){.manage = self->manage};
}

static int dial(dealer_t *self, const char *endpoint, const curve_peer_t *curve)
{
    if ((self->socket = actor_socket(ZMQ_DEALER)) == NULL) {
        return -zmq_errno();
    }
    actor_socket_set(self->socket, ZMQ_IMMEDIATE, 1);
    actor_socket_set(self->socket, ZMQ_RECONNECT_IVL, 100);
    actor_socket_set(self->socket, ZMQ_RECONNECT_IVL_MAX, 1000);
    return zcurve_join(self->socket, curve) < 0 ||
                   zdial(self->socket, endpoint) < 0
               ? -zmq_errno()
               : 0;
}

static int add_broker(manage_t *self, size_t slot)
{
    const char *endpoint = roster_endpoint(&self->roster, slot);
    dealer_t *dealer = &self->dealers[slot];

    int rc = dial(dealer, endpoint, &self->curve);
    if (rc < 0) {
        hang_up(dealer);
        return rc;
    }
    dealer->uplink = manager_add_broker(self->manager, slot, endpoint);
    zwatch_start(&dealer->watch, self->actor.loop, dealer->socket,
                 ZWATCH_READS_AND_SENDS, on_frames, dealer);
    return 0;
}

static void remove_broker(manage_t *self, size_t slot)
{
    manager_remove_broker(self->manager, slot);
    hang_up(&self->dealers[slot]);
    roster_release(&self->roster, slot);
}

/* An address that its name has lost may still be a broker's. */
static bool may_go(const manage_t *self, size_t slot)
{
    const uplink_t *uplink = self->dealers[slot].uplink;

    return !roster_wants(&self->roster, slot) &&
           (uplink == NULL || uplink->state != UPLINK_UP);
}

/* A link for each broker of the roster.  Returns 0, or how the first that could
 * not be added failed. */
static int follow_roster(manage_t *self)
{
    int rc = 0;

    for (size_t i = 0; i < MANAGE_BROKERS_MAX; i++) {
        if (roster_endpoint(&self->roster, i) == NULL) {
            continue;
        }
        if (may_go(self, i)) {
            remove_broker(self, i);
        } else if (self->dealers[i].uplink == NULL && rc == 0) {
            rc = add_broker(self, i);
        }
    }
    return rc;
}

static void on_answers(struct ev_loop *loop, ev_io *io, int events)
{
    manage_t *self = io->data;
    answer_t answer;
    (void)loop;
    (void)events;

    while (resolver_next(self->resolver, &answer)) {
        roster_answer(&self->roster, &answer);
    }
    int rc = follow_roster(self);
    if (rc < 0) { /* the next answer tries again */
        log_braked(&self->brake, LEVEL_WARN, "MANAGE-DIAL-FAILED",
                   "error=\"%s\"", zmq_strerror(-rc));
    }
}

/* --- turns -----------------------------------------------------------------
 */

static void on_begin(void *user)
{
    manage_t *self = user;

    self->now_ms = clock_mono_ms();
    manager_begin(self->manager, self->now_ms, clock_wall_ms());
}

static void on_end(void *user)
{
    manage_t *self = user;

    manager_end(self->manager);
    send_frames(self);
}

static void on_term(void *user)
{
    manage_t *self = user;

    manager_bye(self->manager);
    send_frames(self);
    actor_end(&self->actor);
}

static void log_stats(void *user)
{
    manage_t *self = user;

    manage_log_stats(manager_stats(self->manager));
}

/* --- start and end ---------------------------------------------------------
 */

static int start_brokers(manage_t *self, const manage_options_t *options,
                         char *error, size_t size)
{
    if (roster_init(&self->roster, options->broker, MANAGE_BROKERS_MAX) < 0) {
        snprintf(error, size, "not 1 to %d endpoints of brokers: %s",
                 MANAGE_BROKERS_MAX, options->broker);
        return -EINVAL;
    }
    int rc = follow_roster(self);
    if (rc < 0) {
        snprintf(error, size, "cannot connect to a broker: %s",
                 zmq_strerror(-rc));
        return rc;
    }
    rc = resolver_new(&self->resolver, &self->roster, options->resolve_ms,
                      resolver_lookup);
    if (rc < 0) {
        snprintf(error, size, "cannot look up brokers: %s", strerror(-rc));
    } else if (self->resolver != NULL) {
        ev_io_init(&self->answers, on_answers, resolver_fd(self->resolver),
                   EV_READ);
        self->answers.data = self;
        ev_io_start(self->actor.loop, &self->answers);
    }
    return rc;
}

static int start(manage_t *self, const manage_options_t *options, char *error,
                 size_t size)
{
    if (credentials_read(options, &self->auth, error, size) < 0 ||
        curve_read_peer(&self->curve, options->curve_key, options->curve_broker,
                        error, size) < 0) {
        return -EINVAL;
    }
    manager_options_t managing = {
        .name = options->name,
        .stage = options->stage,
        .body_max = (uint64_t)options->body_max,
        .auth = self->auth,
        .answer = on_answer,
        .user = self,
    };
    rand_hex(self->boot);
    self->manager = manager_new(&managing, self->boot);
    on_begin(self);
    return start_brokers(self, options, error, size);
}

static void take_questions(manage_t *self, const manage_options_t *options)
{
    actor_take_questions(&self->actor, options->admin);
    self->public =
        options->public == NULL ? UINT32_MAX : self->actor.asker_count;
    actor_take_questions(&self->actor, options->public);
}

static void stop(manage_t *self)
{
    ev_io_stop(self->actor.loop, &self->answers);
    resolver_destroy(&self->resolver);
    for (size_t i = 0; i < MANAGE_BROKERS_MAX; i++) {
        hang_up(&self->dealers[i]);
    }
    manager_destroy(&self->manager);
    auth_destroy(&self->auth);
    roster_fini(&self->roster);
    actor_fini(&self->actor);
    explicit_bzero(&self->curve, sizeof self->curve);
    free(self);
}

void manage_actor(zsock_t *pipe, void *options)
{
    static const actor_ops_t ops = {
        .begin = on_begin,
        .end = on_end,
        .term = on_term,
        .stats = log_stats,
        .answer = on_question,
        .asked = on_asked,
    };
    manage_t *self = xcalloc(1, sizeof *self);
    char error[512] = "";

    actor_init(&self->actor, "hoist-manage", pipe, &ops, self);
    for (size_t i = 0; i < MANAGE_BROKERS_MAX; i++) {
        self->dealers[i].manage = self;
    }
    zsock_signal(pipe, 0);
    if (start(self, options, error, sizeof error) < 0) {
        zstr_sendx(pipe, "FAILED", error, NULL);
        stop(self);
        return;
    }
    take_questions(self, options);
    zstr_sendx(pipe, "READY", self->auth == NULL ? "no" : "yes", NULL);
    actor_run(&self->actor);
    if (!self->actor.is_cancelled) {
        log_stats(self);
    }
    stop(self);
    zstr_send(pipe, "STOPPED");
}
