/* SPDX-License-Identifier: MIT
 *
 *   begin   read the clocks
 *   events  requests of the askers, frames of brokers, addresses of brokers
 *   end     deadlines, one frame to each broker
 */
#include "manage/manage.h"

#include "base/actor.h"
#include "base/brokers.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/xalloc.h"
#include "base/zcurve.h"
#include "base/zdial.h"
#include "base/zmonitor.h"
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
    void *monitor;         /* of it */
    zwatch_t watch, monitor_watch;
    zdial_t dial;
} dealer_t;

typedef struct manage {
    actor_t actor;
    const manage_options_t *options; /* borrowed */
    manager_t *manager;
    curve_peer_t curve;
    auth_t *auth; /* owned; NULL: nobody has credentials */
    char boot[RAND_HEX_LEN + 1];
    uint32_t public; /* from this asker on their clients are anybody */
    brokers_t brokers;
    int64_t now_ms;
    log_brake_t brake;
    dealer_t dealers[MANAGE_BROKERS_MAX]; /* by the brokers' slots */
} manage_t;

/* --- requests ------------------------------------------------------------ */

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

/* Who hands it on has parsed the head, too.  Without a body: whether that is
 * worth reading. */
static void on_asked(void *user, actor_call_t call, const actor_part_t *parts,
                     size_t count)
{
    manage_t *self = user;
    manager_caller_t caller = {.asker = call.asker, .number = call.number};
    http_request_t request;

    must(http_parse(parts[0].data, parts[0].len, parts[0].len, &request) == 0);
    if (count == 1) {
        manager_look(self->manager, caller, &request);
        return;
    }
    manager_ask(self->manager, caller, call.asker < self->public, &request,
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

/* --- frames -------------------------------------------------------------- */

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

/* What came before it broke still counts. */
static void on_broken(void *user)
{
    dealer_t *self = user;
    zcurve_event_t event;

    on_frames(self);
    while (zcurve_next(self->monitor, &event)) {
        if ((event.event & ZCURVE_FAILURES) != 0) {
            zdial_refused(&self->dial, self->socket, self->uplink->endpoint,
                          self->manage->now_ms);
        } else {
            manager_broken(self->manage->manager,
                           (size_t)(self - self->manage->dealers));
        }
    }
}

static void send_frame(dealer_t *self)
{
    uplink_t *uplink = self->uplink;
    int64_t now_ms = self->manage->now_ms;

    if (uplink == NULL) {
        return;
    }
    zdial_turn(&self->dial, self->socket, uplink->endpoint, now_ms,
               uplink->state == UPLINK_UP);
    if (uplink->out.len == 0) {
        return;
    }
    if (zmq_send(self->socket, uplink->out.data, uplink->out.len,
                 ZMQ_DONTWAIT) < 0) {
        zdial_blocked(&self->dial, self->socket, uplink->endpoint, now_ms,
                      uplink->state == UPLINK_UP);
        return; /* the next turn tries again */
    }
    zdial_moves(&self->dial);
    uplink_sent(uplink, now_ms);
}

static void send_frames(manage_t *self)
{
    for (size_t i = 0; i < MANAGE_BROKERS_MAX; i++) {
        send_frame(&self->dealers[i]);
    }
}

/* --- brokers ------------------------------------------------------------- */

static void hang_up(dealer_t *self)
{
    zwatch_stop(&self->watch);
    zwatch_stop(&self->monitor_watch);
    zmonitor_close(self->socket, &self->monitor);
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
    int rc = zmonitor_open(
        self->socket, ZMQ_EVENT_DISCONNECTED | ZCURVE_FAILURES, &self->monitor);
    if (rc < 0) {
        return rc;
    }
    return brokers_dial(self->socket, endpoint, curve);
}

static int add_broker(void *user, size_t slot, const char *endpoint)
{
    manage_t *self = user;
    dealer_t *dealer = &self->dealers[slot];

    int rc = dial(dealer, endpoint, &self->curve);
    if (rc < 0) {
        hang_up(dealer);
        return rc;
    }
    dealer->uplink = manager_add_broker(self->manager, slot, endpoint);
    zwatch_start(&dealer->watch, self->actor.loop, dealer->socket,
                 ZWATCH_READS_AND_SENDS, on_frames, dealer);
    zwatch_start(&dealer->monitor_watch, self->actor.loop, dealer->monitor,
                 ZWATCH_READS, on_broken, dealer);
    return 0;
}

static bool is_spent(void *user, size_t slot)
{
    const manage_t *self = user;

    return self->dealers[slot].uplink->state != UPLINK_UP;
}

static void remove_broker(void *user, size_t slot)
{
    manage_t *self = user;

    manager_remove_broker(self->manager, slot);
    hang_up(&self->dealers[slot]);
}

static void on_dial_failed(void *user, const char *endpoint, const char *why)
{
    manage_t *self = user;

    log_braked(&self->brake, LEVEL_WARN, "MANAGE-DIAL-FAILED",
               "broker=%s error=\"%s\"", endpoint, why);
}

/* --- turns --------------------------------------------------------------- */

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

/* Wrong files leave those in force that were read before. */
static void on_reload(void *user)
{
    manage_t *self = user;
    char error[512] = "";
    auth_t *fresh;

    if (self->auth == NULL) {
        return;
    }
    if (credentials_read(self->options, &fresh, error, sizeof error) < 0) {
        log_warn("MANAGE-CREDENTIALS-KEPT", "error=\"%s\"", error);
        return;
    }
    auth_renew(self->auth, &fresh);
    log_info("MANAGE-CREDENTIALS-READ", "keys=%zu tokens=%zu",
             auth_key_count(self->auth), auth_token_count(self->auth));
}

/* --- start and end ------------------------------------------------------- */

static int start_brokers(manage_t *self, const manage_options_t *options,
                         char *error, size_t size)
{
    static const brokers_ops_t ops = {
        .add = add_broker,
        .is_spent = is_spent,
        .remove = remove_broker,
        .failed = on_dial_failed,
    };
    const brokers_options_t brokers = {
        .loop = self->actor.loop,
        .list = options->broker,
        .max = MANAGE_BROKERS_MAX,
        .resolve_ms = options->resolve_ms,
        .lookup = resolver_lookup,
        .ops = &ops,
        .user = self,
    };

    return brokers_start(&self->brokers, &brokers, error, size);
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
    self->public = self->actor.asker_count;
    for (size_t i = 0; i < options->public_count; i++) {
        actor_take_questions(&self->actor, options->public[i]);
    }
}

static void stop(manage_t *self)
{
    for (size_t i = 0; i < MANAGE_BROKERS_MAX; i++) {
        hang_up(&self->dealers[i]);
    }
    manager_destroy(&self->manager);
    auth_destroy(&self->auth);
    brokers_fini(&self->brokers);
    actor_fini(&self->actor);
    explicit_bzero(&self->curve, sizeof self->curve);
    free(self);
}

static actor_t *open_manage(const actor_place_t *place, void *options)
{
    static const actor_ops_t ops = {
        .begin = on_begin,
        .end = on_end,
        .term = on_term,
        .stats = log_stats,
        .reload = on_reload,
        .answer = on_question,
        .asked = on_asked,
    };
    manage_t *self = xcalloc(1, sizeof *self);
    char error[512] = "";

    self->options = options;
    actor_init(&self->actor, place, &ops, self);
    for (size_t i = 0; i < MANAGE_BROKERS_MAX; i++) {
        self->dealers[i].manage = self;
    }
    if (start(self, options, error, sizeof error) < 0) {
        zstr_sendx(place->pipe, "FAILED", error, NULL);
        stop(self);
        return NULL;
    }
    take_questions(self, options);
    zstr_sendx(place->pipe, "READY", self->auth == NULL ? "no" : "yes", NULL);
    actor_run(&self->actor);
    return &self->actor;
}

static void close_manage(actor_t *actor)
{
    zsock_t *pipe = actor->place.pipe;

    if (!actor->is_cancelled) {
        log_stats(actor->user);
    }
    stop(actor->user);
    zstr_send(pipe, "STOPPED");
}

const actor_kind_t manage_actor = {open_manage, close_manage};
