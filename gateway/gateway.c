/* SPDX-License-Identifier: MIT
 *
 * The actor around the hub: loop, clocks, the DEALERs, the pipe.
 *
 *   begin   read the clocks
 *   events  frames from brokers (a bounded batch), client sockets
 *   end     timers, one write a client, one frame to each broker
 */
#include "gateway/gateway.h"

#include "base/actor.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "base/zparts.h"
#include "gateway/hub.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ev.h>
#include <zmq.h>

#define FRAMES_PER_TURN 64
#define RECONNECT_MS    5000 /* without a transport, until one is asked for */

typedef struct {
    hub_t *hub;    /* borrowed */
    link_t *link;  /* borrowed */
    void *socket;  /* libzmq socket; NULL: none */
    void *monitor; /* of it */
    zwatch_t watch, monitor_watch;
    int64_t unsent_since_ms; /* it takes nothing; 0: it does */
} dealer_t;

typedef struct {
    actor_t actor;
    hub_t *hub;
    transport_t *transport;
    dealer_t dealers[GATEWAY_BROKERS_MAX]; /* one for each of the hub's links */
    int64_t drain_until_ms;                /* 0: not draining */
} gateway_t;

/* --- the loop ---------------------------------------------------------- */

/*
 * No broker is connected.  libzmq connects again by itself, but not after bytes
 * that break its own protocol, a frame beyond the limit among them: then it has
 * to be told.  That costs nothing while there is no transport; to a broker that
 * only stood still, its queue full, we become a stranger.
 */
static void send_failed(dealer_t *self)
{
    const hub_t *hub = self->hub;
    const char *endpoint = self->link->endpoint;

    if (self->unsent_since_ms == 0) {
        self->unsent_since_ms = hub->now_ms;
    } else if (hub->now_ms - self->unsent_since_ms >= RECONNECT_MS &&
               !link_stands(self->link)) {
        self->unsent_since_ms = hub->now_ms;
        (void)zmq_disconnect(self->socket, endpoint);
        (void)zmq_connect(self->socket, endpoint); /* or later */
    }
}

static void send_frame(dealer_t *self)
{
    link_t *link = self->link;

    if (link->out.len == 0) {
        return;
    }
    if (zmq_send(self->socket, link->out.data, link->out.len, ZMQ_DONTWAIT) <
        0) {
        send_failed(self); /* the next turn tries again */
        return;
    }
    self->unsent_since_ms = 0;
    link->last_sent_ms = self->hub->now_ms;
    buf_reset(&link->out, 1 << 20);
}

static void send_frames(gateway_t *self)
{
    for (size_t i = 0; i < self->hub->link_count; i++) {
        send_frame(&self->dealers[i]);
    }
}

/* Returns false when there is nothing to read. */
static bool read_message(dealer_t *self)
{
    zmq_msg_t frame;

    zmq_msg_init(&frame);
    bool got = zmq_msg_recv(&frame, self->socket, ZMQ_DONTWAIT) >= 0;
    if (got && zmq_msg_more(&frame)) {
        zparts_skip(self->socket, &frame);
        hub_malformed(self->hub, "a message of this protocol has one part");
    } else if (got) {
        hub_frame(self->hub, self->link, zmq_msg_data(&frame),
                  zmq_msg_size(&frame));
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

static void on_monitor(void *user)
{
    dealer_t *self = user;
    zmq_msg_t part;

    zmq_msg_init(&part);
    while (zmq_msg_recv(&part, self->monitor, ZMQ_DONTWAIT) >= 0) {
        hub_broken(self->hub, self->link);
    }
    zmq_msg_close(&part);
}

static void on_begin(void *user)
{
    gateway_t *self = user;

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
    for (size_t i = 0; i < hub->link_count; i++) {
        (void)message_put_bare(&hub->links[i]->out, KIND_BYE);
    }
    send_frames(self);
    actor_end(&self->actor);
}

static void on_end(void *user)
{
    gateway_t *self = user;

    hub_end(self->hub);
    send_frames(self);
    stop_when_drained(self);
}

/* Drain; the end comes when there is nothing left or time is up. */
static void on_term(void *user)
{
    gateway_t *self = user;

    if (self->drain_until_ms == 0) {
        self->drain_until_ms = self->hub->now_ms + self->hub->options.drain_ms;
        transport_stop_accepting(self->transport);
        hub_drain(self->hub);
    }
}

static void log_stats(void *user)
{
    gateway_t *self = user;

    hub_log_stats(self->hub);
}

/* --- start and end ----------------------------------------------------- */

static void watch_transport(dealer_t *self)
{
    char endpoint[64];

    snprintf(endpoint, sizeof endpoint, "inproc://hoist-monitor-%p",
             (void *)self);
    must(zmq_socket_monitor(self->socket, endpoint, ZMQ_EVENT_DISCONNECTED) ==
         0);
    self->monitor = zmq_socket(zsys_init(), ZMQ_PAIR);
    must(self->monitor != NULL);
    must(zmq_connect(self->monitor, endpoint) == 0);
}

static int connect_broker(dealer_t *self, char *error, size_t error_size)
{
    self->socket = actor_socket(ZMQ_DEALER);
    watch_transport(self);
    actor_socket_set(self->socket, ZMQ_IMMEDIATE, 1);
    actor_socket_set(self->socket, ZMQ_RECONNECT_IVL, 100);
    actor_socket_set(self->socket, ZMQ_RECONNECT_IVL_MAX, 1000);
    if (zmq_connect(self->socket, self->link->endpoint) < 0) {
        snprintf(error, error_size, "cannot connect to the broker %s: %s",
                 self->link->endpoint, zmq_strerror(zmq_errno()));
        return -EINVAL;
    }
    return 0;
}

static int connect_brokers(gateway_t *self, char *error, size_t error_size)
{
    hub_t *hub = self->hub;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < hub->link_count; i++) {
        dealer_t *dealer = &self->dealers[i];
        dealer->hub = hub;
        dealer->link = hub->links[i];
        rc = connect_broker(dealer, error, error_size);
    }
    return rc;
}

static int start(gateway_t *self, const gateway_options_t *options, char *error,
                 size_t error_size)
{
    self->hub = hub_new(options, clock_mono_ms(), error, error_size);
    if (self->hub == NULL) {
        return -EINVAL;
    }
    if (connect_brokers(self, error, error_size) < 0) {
        return -EINVAL;
    }
    transport_options_t listening = {
        .listen = options->listen,
        .tls_cert = options->tls_cert,
        .tls_key = options->tls_key,
    };
    self->transport =
        transport_new(self->actor.loop, &listening, &hub_transport_ops,
                      self->hub, error, error_size);
    return self->transport == NULL ? -EINVAL : 0;
}

static void stop(gateway_t *self)
{
    for (size_t i = 0; i < GATEWAY_BROKERS_MAX; i++) {
        zwatch_stop(&self->dealers[i].watch);
        zwatch_stop(&self->dealers[i].monitor_watch);
    }
    transport_destroy(&self->transport); /* before the hub: closes sessions */
    hub_destroy(&self->hub);
    for (size_t i = 0; i < GATEWAY_BROKERS_MAX; i++) {
        if (self->dealers[i].socket != NULL) {
            zmq_socket_monitor(self->dealers[i].socket, NULL, 0);
            zmq_close(self->dealers[i].monitor);
            zmq_close(self->dealers[i].socket);
        }
    }
    actor_fini(&self->actor);
}

void gateway_actor(zsock_t *pipe, void *options)
{
    static const actor_ops_t ops = {
        .begin = on_begin, .end = on_end, .term = on_term, .stats = log_stats};
    gateway_t self = {.hub = NULL};
    char error[512] = "";

    actor_init(&self.actor, "hoist-gateway", pipe, &ops, &self);
    zsock_signal(pipe, 0);
    if (start(&self, options, error, sizeof error) < 0) {
        zstr_sendx(pipe, "FAILED", error, NULL);
        stop(&self);
        return;
    }
    for (size_t i = 0; i < self.hub->link_count; i++) {
        dealer_t *dealer = &self.dealers[i];
        zwatch_start(&dealer->watch, self.actor.loop, dealer->socket,
                     ZWATCH_READS_AND_SENDS, on_frames, dealer);
        zwatch_start(&dealer->monitor_watch, self.actor.loop, dealer->monitor,
                     ZWATCH_READS, on_monitor, dealer);
    }
    zstr_sendx(pipe, "READY", transport_address(self.transport), NULL);
    actor_run(&self.actor);
    log_stats(&self);
    stop(&self);
    zstr_send(pipe, "STOPPED");
}
