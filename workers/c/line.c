/* SPDX-License-Identifier: MIT */
#include "workers/c/line.h"

#include "base/clock.h"
#include "base/rand.h"
#include "base/xalloc.h"
#include "base/zcurve.h"
#include "base/zparts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <zmq.h>

#define FRAMES_PER_TURN   64                  /* of one broker */
#define RESUMES_PER_TURN  256                 /* of one broker */
#define FRAME_BYTES       ((size_t)1 << 20)   /* a frame of ours, about */
#define FRAME_BYTES_MAX   ((int64_t)64 << 20) /* of a broker's; section 2 */
#define FLUSH_BYTES       ((size_t)64 << 10)  /* flush before the turn ends */
#define HWM_SLACK         1024                /* frames that carry no request */
#define LINGER_MS         1000 /* for what a stop leaves unsent */
#define CONNECT_MS        2000 /* or TCP would try for two minutes */
#define RECONNECT_MS      50   /* first pause, doubled up to … */
#define RECONNECT_MAX_MS  2000
#define TRANSPORT_PING_MS 5000 /* ZMTP: finds dead hosts */
#define TRANSPORT_DEAD_MS 15000

/* --- the socket ---------------------------------------------------------- */

line_t *line_new(const link_options_t *options, size_t slot, int64_t now_ms)
{
    line_t *self = xcalloc(1, sizeof *self);
    link_options_t own = *options;

    self->slot = slot;
    self->endpoint = xstrdup(options->endpoint);
    own.endpoint = self->endpoint;
    link_init(&self->link, &own, now_ms);
    return self;
}

void line_destroy(line_t **self_p)
{
    line_t *self = *self_p;

    if (self->monitor != NULL) {
        zmq_close(self->monitor);
    }
    if (self->socket != NULL) {
        zmq_socket_monitor(self->socket, NULL, 0);
        zmq_close(self->socket);
    }
    link_fini(&self->link);
    free(self->endpoint);
    free(self);
    *self_p = NULL;
}

static int set_int(void *socket, int option, int64_t value)
{
    int number = value > INT32_MAX ? INT32_MAX : (int)value;
    int rc = zmq_setsockopt(socket, option, &number, sizeof number);

    return rc < 0 ? -zmq_errno() : 0;
}

/*
 * IMMEDIATE: nothing is queued for a broker that is not there.  What it would
 * get at its return would be answers to questions of another life.
 */
static int configure(void *socket, const settings_t *settings)
{
    /* Of all brokers: the share of one may grow. */
    const int64_t window = (int64_t)settings->window + HWM_SLACK;
    const int64_t options[][2] = {
        {ZMQ_LINGER, LINGER_MS},
        {ZMQ_IMMEDIATE, 1},
        {ZMQ_SNDHWM, window},
        {ZMQ_RCVHWM, window},
        {ZMQ_CONNECT_TIMEOUT, CONNECT_MS},
        {ZMQ_RECONNECT_IVL, RECONNECT_MS},
        {ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS},
        {ZMQ_HEARTBEAT_IVL, TRANSPORT_PING_MS},
        {ZMQ_HEARTBEAT_TIMEOUT, TRANSPORT_DEAD_MS},
    };
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < sizeof options / sizeof *options; i++) {
        rc = set_int(socket, (int)options[i][0], options[i][1]);
    }
    int64_t most = FRAME_BYTES_MAX;
    if (rc == 0 &&
        zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &most, sizeof most) < 0) {
        rc = -zmq_errno();
    }
    return rc;
}

/* A monitor's name is not free at once, and an address may be another's. */
static int watch_handshakes(line_t *self, void *zmq)
{
    char boot[RAND_HEX_LEN + 1], name[64];

    rand_hex(boot);
    snprintf(name, sizeof name, "inproc://hoist-monitor-%s", boot);
    if (zmq_socket_monitor(self->socket, name, ZCURVE_FAILURES) < 0 ||
        (self->monitor = zmq_socket(zmq, ZMQ_PAIR)) == NULL ||
        zmq_connect(self->monitor, name) < 0) {
        return -zmq_errno();
    }
    return 0;
}

int line_connect(line_t *self, void *zmq, const settings_t *settings)
{
    self->socket = zmq_socket(zmq, ZMQ_DEALER);
    if (self->socket == NULL) {
        return -zmq_errno();
    }
    self->has_key = settings->curve.secret[0] != '\0';
    int rc = configure(self->socket, settings);
    if (rc == 0) {
        rc = watch_handshakes(self, zmq);
    }
    if (rc == 0 && (zcurve_join(self->socket, &settings->curve) < 0 ||
                    zdial(self->socket, self->endpoint) < 0)) {
        rc = -zmq_errno();
    }
    return rc;
}

/* --- the turn ------------------------------------------------------------ */

/* The broker is away or does not read. */
static void block(line_t *self, int64_t now_ms)
{
    self->blocked = true;
    zdial_blocked(&self->dial, self->socket, self->endpoint, now_ms,
                  self->link.state == LINK_UP);
}

int line_flush(line_t *self, int64_t now_ms)
{
    const buf_t *ready = &self->link.outbox.ready;

    self->blocked = false;
    while (ready->len > 0) {
        size_t len = outbox_frame(&self->link.outbox, FRAME_BYTES);
        if (zmq_send(self->socket, ready->data, len, ZMQ_DONTWAIT) < 0) {
            int error = zmq_errno();
            if (error == EAGAIN) {
                block(self, now_ms);
            }
            return self->blocked || error == EINTR ? 0 : -error;
        }
        zdial_moves(&self->dial);
        link_sent(&self->link, len, now_ms);
    }
    return 0;
}

/*
 * Handlers take their time: once it has moved on, or much has collected, what
 * is ready goes out, and before one that may take long.  So a slow handler does
 * not hold back the replies of those before it, nor our sign of life.
 */
static int after_step(line_t *self, int64_t *now_ms)
{
    int64_t then_ms = *now_ms;

    if (self->link.flush_first) {
        return line_flush(self, then_ms);
    }
    *now_ms = clock_mono_ms();
    core_took(self->link.core, *now_ms - then_ms);
    if (*now_ms == then_ms && self->link.outbox.ready.len < FLUSH_BYTES) {
        return 0;
    }
    link_keep_alive(&self->link, *now_ms);
    return line_flush(self, *now_ms);
}

static int read_frame(line_t *self, zmq_msg_t *frame, int64_t *now_ms)
{
    wire_bytes_t bytes = {zmq_msg_data(frame), zmq_msg_size(frame)};
    int rc = 0;

    link_feed(&self->link, bytes, *now_ms);
    while (rc == 0 && link_step(&self->link, *now_ms)) {
        rc = after_step(self, now_ms);
    }
    return rc;
}

static int read_frames(line_t *self, int64_t *now_ms)
{
    int rc = 0;

    for (int i = 0; rc == 0 && i < FRAMES_PER_TURN; i++) {
        zmq_msg_t frame;
        zmq_msg_init(&frame);
        if (zmq_msg_recv(&frame, self->socket, ZMQ_DONTWAIT) < 0) {
            int error = zmq_errno();
            zmq_msg_close(&frame);
            return error == EAGAIN || error == EINTR ? 0 : -error;
        }
        if (zmq_msg_more(&frame)) {
            zparts_skip(self->socket, &frame);
            link_bad_frame(&self->link, EPROTO);
        } else {
            rc = read_frame(self, &frame, now_ms);
        }
        zmq_msg_close(&frame);
    }
    return rc;
}

static int resume(line_t *self, int64_t *now_ms)
{
    int rc = 0;

    for (int i = 0; rc == 0 && i < RESUMES_PER_TURN; i++) {
        if (!link_resume(&self->link)) {
            break;
        }
        rc = after_step(self, now_ms);
    }
    return rc;
}

int64_t line_due_ms(const line_t *self, int64_t now_ms)
{
    int64_t link_ms = link_due_ms(&self->link);
    int64_t dial_ms = zdial_due_ms(&self->dial, now_ms);

    return link_ms < dial_ms ? link_ms : dial_ms;
}

/* What kept the transport from standing; said when the broker is missed. */
static void take_failures(line_t *self, int64_t now_ms)
{
    zcurve_event_t event;

    while (zcurve_next(self->monitor, &event)) {
        const char *reason = zcurve_reason(&event, self->has_key);
        zdial_refused(&self->dial, self->socket, self->endpoint, now_ms);
        if (reason != NULL) {
            link_refused(&self->link, reason);
        }
    }
}

int line_turn(line_t *self, short events, int64_t *now_ms)
{
    /* An answer may have come while another line's handlers ran. */
    bool may_have_come = self->link.asked_ms > 0;
    int rc = 0;

    if ((events & ZMQ_POLLIN) != 0 || may_have_come) {
        rc = read_frames(self, now_ms);
    }
    if (rc == 0) {
        rc = resume(self, now_ms);
    }
    if (rc < 0) {
        return rc;
    }
    if (self->link.state != LINK_UP) {
        take_failures(self, *now_ms);
    }
    zdial_turn(&self->dial, self->socket, self->endpoint, *now_ms,
               self->link.state == LINK_UP);
    link_tick(&self->link, *now_ms);
    return line_flush(self, *now_ms);
}
