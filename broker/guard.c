/* SPDX-License-Identifier: MIT */
#include "broker/guard.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "base/zparts.h"
#include "base/zwatch.h"
#include "broker/allow_list.h"
#include "broker/zap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <czmq.h>

#define OURSELVES          0    /* the principal of who needs no key here */
#define LOOK_MS            1000 /* between two looks at the lists, at most */
#define QUESTIONS_PER_TURN 64
#define ADDRESS_SHOWN      64
#define FAILED_MS          10000 /* between two lines about the same */

/* Handshakes that came to nothing: they name nobody, and a peer with a wrong
 * key comes again and again. */
typedef struct {
    int64_t said_ms; /* 0: never */
    uint32_t suppressed;
} failed_t;

struct guard {
    guard_ops_t ops;
    void *user;                 /* borrowed */
    allow_list_t *lists[SIDES]; /* by side_t; NULL: not protected */
    curve_key_t secret;
    void *questions; /* REP, where libzmq asks */
    zwatch_t watch;
    int64_t looked_ms;
    log_brake_t brake;
    failed_t failed[SIDES][2]; /* without CURVE, with another key */
};

/* --- the lists ------------------------------------------------------------ */

static void look_at(guard_t *self, side_t side, int64_t now_ms)
{
    if (self->lists[side] != NULL &&
        allow_list_refresh(self->lists[side], now_ms)) {
        self->ops.changed(self->user, side);
    }
}

void guard_turn(guard_t *self, int64_t now_ms)
{
    if (self == NULL || now_ms - self->looked_ms < LOOK_MS) {
        return;
    }
    self->looked_ms = now_ms;
    look_at(self, SIDE_WORKERS, now_ms);
    look_at(self, SIDE_GATEWAYS, now_ms);
}

bool guard_has(const guard_t *self, side_t side)
{
    return self != NULL && self->lists[side] != NULL;
}

bool guard_allows(const guard_t *self, side_t side, uint64_t principal)
{
    bool is_ours = principal == OURSELVES;

    return is_ours || !guard_has(self, side) ||
           allow_list_has(self->lists[side], principal);
}

bool guard_knows(const guard_t *self, side_t side, zmq_msg_t *frame,
                 uint64_t *principal)
{
    *principal = OURSELVES;
    if (!guard_has(self, side)) {
        return true;
    }
    const char *key = zmq_msg_gets(frame, "User-Id");
    if (key == NULL && zmq_msg_gets(frame, "Peer-Address") == NULL) {
        return true; /* our own process, by inproc: ZAP asks of all others */
    }
    const allowed_t *entry =
        key == NULL ? NULL : allow_list_find(self->lists[side], key);
    if (entry != NULL) {
        *principal = entry->number;
    }
    return entry != NULL;
}

/* --- handshakes ----------------------------------------------------------- */

static const char *role_of(side_t side)
{
    return side == SIDE_WORKERS ? "worker" : "gateway";
}

/* Both keys and addresses are public; an address is libzmq's, not the peer's,
 * text. */
static void refuse(guard_t *self, const zap_question_t *question)
{
    size_t len = question->address.len < ADDRESS_SHOWN ? question->address.len
                                                       : ADDRESS_SHOWN;

    log_braked(&self->brake, LEVEL_WARN, "CURVE-REFUSED",
               "role=%s address=%.*s key=%s", role_of(question->side), (int)len,
               (const char *)question->address.data, question->key);
    self->ops.refused(self->user);
}

static bool is_allowed(guard_t *self, const zap_question_t *question)
{
    look_at(self, question->side, clock_mono_ms());
    return self->lists[question->side] != NULL &&
           allow_list_find(self->lists[question->side], question->key) != NULL;
}

static void say_failed(guard_t *self, side_t side, const zcurve_event_t *event,
                       int64_t now_ms)
{
    bool is_plain = event->event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL &&
                    event->value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH;
    failed_t *failed = &self->failed[side][is_plain ? 0 : 1];

    if (failed->said_ms > 0 && now_ms - failed->said_ms < FAILED_MS) {
        failed->suppressed++;
        return;
    }
    log_warn("CURVE-FAILED", "role=%s reason=\"%s\" suppressed=%u",
             role_of(side),
             is_plain ? "it does not use CURVE"
                      : "it broke off, or has another key than ours for us",
             failed->suppressed);
    *failed = (failed_t){.said_ms = now_ms};
}

void guard_failure(guard_t *self, side_t side, const zcurve_event_t *event)
{
    if (!guard_has(self, side)) {
        return;
    }
    say_failed(self, side, event, clock_mono_ms());
    self->ops.refused(self->user);
}

/* --- libzmq's questions --------------------------------------------------- */

static void send_parts(void *socket, const wire_bytes_t *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int flags = ZMQ_DONTWAIT | (i + 1 < count ? ZMQ_SNDMORE : 0);
        if (zmq_send(socket, parts[i].data, parts[i].len, flags) < 0) {
            return; /* who asked is gone */
        }
    }
}

static void answer(guard_t *self, const wire_bytes_t *parts, size_t count)
{
    zap_question_t question;
    wire_bytes_t reply[ZAP_ANSWER];

    if (zap_read(parts, count, &question) < 0) {
        (void)zmq_send(self->questions, "", 0, ZMQ_DONTWAIT); /* REP has to */
        return;
    }
    bool is_welcome = is_allowed(self, &question);
    if (!is_welcome) {
        refuse(self, &question);
    }
    zap_answer(&question, is_welcome, reply);
    send_parts(self->questions, reply, ZAP_ANSWER);
}

/* Returns false when there is no question. */
static bool take_question(guard_t *self)
{
    zmq_msg_t messages[ZAP_PARTS];
    wire_bytes_t parts[ZAP_PARTS];
    size_t count = 0, taken = 0;
    bool is_more = true;

    while (is_more && taken < ZAP_PARTS) {
        zmq_msg_t *message = &messages[taken++];
        zmq_msg_init(message);
        if (zmq_msg_recv(message, self->questions, ZMQ_DONTWAIT) < 0) {
            break;
        }
        parts[count++] =
            (wire_bytes_t){zmq_msg_data(message), zmq_msg_size(message)};
        is_more = zmq_msg_more(message) != 0;
    }
    if (count > 0) {
        zparts_skip(self->questions, &messages[count - 1]);
        answer(self, parts, is_more ? 0 : count);
    }
    for (size_t i = 0; i < taken; i++) {
        zmq_msg_close(&messages[i]);
    }
    return count > 0;
}

static void on_questions(void *user)
{
    for (int i = 0; i < QUESTIONS_PER_TURN; i++) {
        if (!take_question(user)) {
            return;
        }
    }
}

/* --- start and end -------------------------------------------------------- */

static int open_lists(guard_t *self, const broker_options_t *options,
                      char *error, size_t error_size)
{
    const char *paths[SIDES] = {[SIDE_WORKERS] = options->curve_workers,
                                [SIDE_GATEWAYS] = options->curve_gateways};

    for (int i = 0; i < SIDES; i++) {
        if (paths[i][0] != '\0' && (self->lists[i] = allow_list_open(
                                        paths[i], error, error_size)) == NULL) {
            return -EINVAL;
        }
    }
    return 0;
}

static int open_questions(guard_t *self, struct ev_loop *loop, char *error,
                          size_t error_size)
{
    const int none = 0;

    self->questions = zmq_socket(zsys_init(), ZMQ_REP);
    if (self->questions == NULL ||
        zmq_setsockopt(self->questions, ZMQ_LINGER, &none, sizeof none) < 0 ||
        zmq_bind(self->questions, ZAP_ENDPOINT) < 0) {
        snprintf(error, error_size, "cannot bind %s: %s", ZAP_ENDPOINT,
                 zmq_strerror(zmq_errno()));
        return -EADDRINUSE;
    }
    zwatch_start(&self->watch, loop, self->questions, ZWATCH_READS_AND_SENDS,
                 on_questions, self);
    return 0;
}

guard_t *guard_new(const broker_options_t *options, struct ev_loop *loop,
                   const guard_ops_t *ops, void *user, char *error,
                   size_t error_size)
{
    guard_t *self = xcalloc(1, sizeof *self);
    int rc = curve_read_secret(options->curve_key, self->secret);

    self->ops = *ops;
    self->user = user;
    if (rc < 0) {
        snprintf(error, error_size, "cannot read the key in %s: %s",
                 options->curve_key, curve_failure(rc));
    } else if ((rc = open_lists(self, options, error, error_size)) == 0) {
        rc = open_questions(self, loop, error, error_size);
    }
    if (rc < 0) {
        guard_destroy(&self);
    }
    return self;
}

void guard_destroy(guard_t **self_p)
{
    guard_t *self = *self_p;

    if (self == NULL) {
        return;
    }
    zwatch_stop(&self->watch);
    if (self->questions != NULL) {
        zmq_close(self->questions);
    }
    allow_list_destroy(&self->lists[SIDE_WORKERS]);
    allow_list_destroy(&self->lists[SIDE_GATEWAYS]);
    explicit_bzero(self->secret, sizeof self->secret);
    free(self);
    *self_p = NULL;
}

int guard_protect(const guard_t *self, side_t side, void *socket)
{
    return zcurve_serve(socket, self->secret, zap_domain(side));
}
