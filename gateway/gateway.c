/* SPDX-License-Identifier: MIT
 *
 * The actor around the hub: loop, clocks, the DEALER, the pipe.
 *
 * A turn of the loop, in libev's terms:
 *
 *   check    read the clocks; frames from the broker (a bounded batch), the
 *            owner's commands
 *   events   client sockets
 *   prepare  timers, one write a client, one frame to the broker
 *
 * so everything that a turn makes for one peer leaves in one call.
 */
#include "gateway/gateway.h"

#include "base/clock.h"
#include "base/xalloc.h"
#include "base/zwatch.h"
#include "gateway/hub.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ev.h>
#include <zmq.h>

#define FRAMES_PER_TURN   64
#define TICK_S            0.05       /* resolution of the timers */
#define FRAME_MAX         (64 << 20) /* bytes; PROTOCOL.md section 2 */
#define HIGH_WATER_FRAMES 10000 /* above what the windows allow; see DESIGN */
#define LINGER_MS         500   /* for the last frame, the BYE */
#define FIRST_PRIORITY    1     /* before zwatch's */

typedef struct {
    zsock_t *pipe; /* borrowed */
    struct ev_loop *loop;
    hub_t *hub;
    transport_t *transport;
    void *dealer; /* libzmq socket */
    zwatch_t dealer_watch, pipe_watch;
    ev_check begin;
    ev_prepare end;
    ev_timer tick;
    int64_t drain_until_ms; /* 0: not draining */
    char *texts[9];         /* owned copies of the options' texts */
} gateway_t;

void gateway_options_init(gateway_options_t *options)
{
    *options = (gateway_options_t){
        .name = "",
        .listen = "127.0.0.1:8080",
        .broker = "tcp://127.0.0.1:5556",
        .route_selection_expression = "$request.body.action",
        .stage = "",
        .static_dir = "",
        .tls_cert = "",
        .tls_key = "",
        .origins = "",
        .max_connections = 100000,
        .max_handshakes = 10000,
        .max_frame = 131072,
        .max_message = 131072,
        .max_head = 16384,
        .handshake_ms = 10000,
        .request_ms = 29000,
        .ping_ms = 25000,
        .pong_ms = 10000,
        .idle_ms = 0,
        .conn_window = 64,
        .conn_window_bytes = 1 << 20,
        .out_soft = 1 << 20,
        .out_soft_ms = 10000,
        .out_hard = 8 << 20,
        .drain_ms = 10000,
    };
}

/* --- the loop ---------------------------------------------------------- */

static void send_frame(gateway_t *self)
{
    link_t *link = &self->hub->link;

    if (link->out.len == 0) {
        return;
    }
    if (zmq_send(self->dealer, link->out.data, link->out.len, ZMQ_DONTWAIT) <
        0) {
        return; /* no broker connected, or full: the next turn tries again */
    }
    link->last_sent_ms = self->hub->now_ms;
    buf_reset(&link->out, 1 << 20);
}

static void on_frames(void *user)
{
    gateway_t *self = user;

    for (int i = 0; i < FRAMES_PER_TURN; i++) {
        zmq_msg_t frame;
        zmq_msg_init(&frame);
        if (zmq_msg_recv(&frame, self->dealer, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&frame);
            return;
        }
        hub_frame(self->hub, zmq_msg_data(&frame), zmq_msg_size(&frame));
        zmq_msg_close(&frame);
    }
}

static void on_begin(struct ev_loop *loop, ev_check *check, int events)
{
    gateway_t *self = check->data;
    (void)loop;
    (void)events;

    hub_begin(self->hub, clock_mono_ms(), clock_wall_ms());
}

static void stop_when_drained(gateway_t *self)
{
    hub_t *hub = self->hub;
    bool is_late = hub->now_ms >= self->drain_until_ms;

    if (self->drain_until_ms == 0 || (!hub_is_empty(hub) && !is_late)) {
        return;
    }
    if (!hub_is_empty(hub)) {
        log_warn("GATEWAY-DRAIN-CUT", "sessions=%llu",
                 (unsigned long long)hub->sessions);
    }
    (void)message_put_bare(&hub->link.out, KIND_BYE);
    send_frame(self);
    ev_break(self->loop, EVBREAK_ALL);
}

static void on_end(struct ev_loop *loop, ev_prepare *prepare, int events)
{
    gateway_t *self = prepare->data;
    (void)loop;
    (void)events;

    hub_end(self->hub);
    send_frame(self);
    stop_when_drained(self);
}

/* Its only purpose is that the loop turns. */
static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)timer;
    (void)events;
}

static void drain(gateway_t *self)
{
    if (self->drain_until_ms == 0) {
        self->drain_until_ms = self->hub->now_ms + self->hub->options.drain_ms;
        transport_stop_accepting(self->transport);
        hub_drain(self->hub);
    }
}

static void on_commands(void *user)
{
    gateway_t *self = user;
    char *command = zstr_recv_nowait(self->pipe);

    if (command == NULL) {
        return;
    }
    if (streq(command, "$TERM")) {
        drain(self);
    } else if (streq(command, "STATS")) {
        hub_log_stats(self->hub);
    }
    zstr_free(&command);
}

static void start_watchers(gateway_t *self)
{
    ev_check_init(&self->begin, on_begin);
    ev_prepare_init(&self->end, on_end);
    ev_timer_init(&self->tick, on_tick, TICK_S, TICK_S);
    ev_set_priority(&self->begin, FIRST_PRIORITY);
    ev_set_priority(&self->end, FIRST_PRIORITY);
    self->begin.data = self;
    self->end.data = self;
    ev_check_start(self->loop, &self->begin);
    ev_prepare_start(self->loop, &self->end);
    ev_timer_start(self->loop, &self->tick);
    zwatch_start(&self->dealer_watch, self->loop, self->dealer, on_frames,
                 self);
    zwatch_start(&self->pipe_watch, self->loop, zsock_resolve(self->pipe),
                 on_commands, self);
}

/* --- start and end ----------------------------------------------------- */

/* The owner may free its texts as soon as it has our READY. */
static void copy_texts(gateway_t *self, gateway_options_t *options)
{
    const char **fields[] = {
        &options->name,
        &options->listen,
        &options->broker,
        &options->stage,
        &options->static_dir,
        &options->tls_cert,
        &options->tls_key,
        &options->origins,
        &options->route_selection_expression,
    };

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        self->texts[i] = xstrdup(*fields[i]);
        *fields[i] = self->texts[i];
    }
}

static void set_int(void *socket, int option, int value)
{
    must(zmq_setsockopt(socket, option, &value, sizeof value) == 0);
}

static int connect_broker(gateway_t *self, const gateway_options_t *options,
                          char *error, size_t error_size)
{
    int64_t frame_max = FRAME_MAX;

    self->dealer = zmq_socket(zsys_init(), ZMQ_DEALER);
    must(self->dealer != NULL);
    set_int(self->dealer, ZMQ_LINGER, LINGER_MS);
    set_int(self->dealer, ZMQ_IMMEDIATE, 1);
    set_int(self->dealer, ZMQ_SNDHWM, HIGH_WATER_FRAMES);
    set_int(self->dealer, ZMQ_RCVHWM, HIGH_WATER_FRAMES);
    set_int(self->dealer, ZMQ_RECONNECT_IVL, 100);
    set_int(self->dealer, ZMQ_RECONNECT_IVL_MAX, 1000);
    zmq_setsockopt(self->dealer, ZMQ_MAXMSGSIZE, &frame_max, sizeof frame_max);
    if (zmq_connect(self->dealer, options->broker) < 0) {
        snprintf(error, error_size, "cannot connect to the broker %s: %s",
                 options->broker, zmq_strerror(zmq_errno()));
        return -EINVAL;
    }
    return 0;
}

static int start(gateway_t *self, const gateway_options_t *given, char *error,
                 size_t error_size)
{
    gateway_options_t options = *given;

    copy_texts(self, &options);
    self->loop = ev_loop_new(EVFLAG_AUTO);
    must(self->loop != NULL);
    self->hub = hub_new(&options, clock_mono_ms(), error, error_size);
    if (self->hub == NULL) {
        return -EINVAL;
    }
    if (connect_broker(self, &options, error, error_size) < 0) {
        return -EINVAL;
    }
    transport_options_t listening = {
        .listen = options.listen,
        .tls_cert = options.tls_cert,
        .tls_key = options.tls_key,
        .max_sockets = options.max_connections == 0
                           ? 0
                           : options.max_connections + options.max_handshakes,
    };
    self->transport = transport_new(self->loop, &listening, &hub_transport_ops,
                                    self->hub, error, error_size);
    return self->transport == NULL ? -EINVAL : 0;
}

static void stop(gateway_t *self)
{
    zwatch_stop(&self->dealer_watch);
    zwatch_stop(&self->pipe_watch);
    transport_destroy(&self->transport); /* before the hub: closes sessions */
    hub_destroy(&self->hub);
    if (self->dealer != NULL) {
        zmq_close(self->dealer);
    }
    if (self->loop != NULL) {
        ev_loop_destroy(self->loop);
    }
    for (size_t i = 0; i < sizeof self->texts / sizeof self->texts[0]; i++) {
        free(self->texts[i]);
    }
}

void gateway_actor(zsock_t *pipe, void *options)
{
    gateway_t self = {.pipe = pipe};
    char error[512] = "";

    zsock_signal(pipe, 0);
    if (start(&self, options, error, sizeof error) < 0) {
        zstr_sendx(pipe, "FAILED", error, NULL);
        stop(&self);
        return;
    }
    start_watchers(&self);
    zstr_sendx(pipe, "READY", transport_address(self.transport), NULL);
    ev_run(self.loop, 0);
    hub_log_stats(self.hub);
    stop(&self);
    zstr_send(pipe, "STOPPED");
}
