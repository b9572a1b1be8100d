/* SPDX-License-Identifier: MIT
 *
 * The actor around the core: loop, clock, two ROUTERs, the pipe.
 *
 *   begin   read the clock
 *   events  a bounded batch of frames from each socket
 *   end     deadlines, liveness, one frame to each peer
 */
#include "broker/broker.h"

#include "base/actor.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/xalloc.h"
#include "base/zcurve.h"
#include "base/zdial.h"
#include "base/zparts.h"
#include "broker/core.h"
#include "broker/dead_letters.h"
#include "broker/guard.h"
#include "broker/report.h"
#include "broker/view.h"
#include "store/open.h"
#include "trace/exporter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ev.h>
#include <zmq.h>

#define FRAMES_PER_TURN 64
#define BYTES_PER_TURN  1048576 /* after which no further frame is read */
#define SEND_HIGH_WATER 512     /* frames to a peer; see bind_side */
#define PARKED_S        0.005   /* until a full socket is tried again */
#define PROBES          4       /* the ROUTER may know later than its monitor */
#define PROBE_SOON_MS   20      /* between them */
#define LAST_FRAMES_MS  50      /* for peers to read what we said last */

typedef struct broker {
    actor_t actor;
    core_t *core;
    store_options_t store_options;
    char boot[RAND_HEX_LEN + 1];
    store_t *store;
    dead_letters_t *letters; /* NULL: they are not kept */
    exporter_t *exporter;    /* NULL: spans go nowhere */
    guard_t *guard;          /* NULL: without CURVE, whoever comes is welcome */
    void *socket[SIDES];     /* libzmq ROUTERs, by side_t */
    void *monitor[SIDES];
    zwatch_t watch[SIDES], monitor_watch[SIDES];
    struct side {
        struct broker *broker;
        side_t side;
    } side[SIDES];   /* what the watchers' callbacks are given */
    ev_timer parked; /* runs while a socket was full */
    int64_t drain_ms, drain_until_ms; /* until: 0 while nobody wants our end */
    bool requires_store;
    int64_t probe_ms, probed_ms;
    int probes_due; /* soon, because a transport broke */
} broker_t;

/* --- the sockets --------------------------------------------------------- */

static bool has_frames(void *socket)
{
    int events = 0;
    size_t size = sizeof events;

    must(zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size) == 0);
    return (events & ZMQ_POLLIN) != 0;
}

/*
 * A ROUTER knows that a peer is gone before we have read what it said last, its
 * replies and its BYE: those count, so nobody is unreachable until the socket
 * was read empty.
 */
static int send_failed(broker_t *self, void *socket, int error)
{
    if (error == EHOSTUNREACH && has_frames(socket)) {
        self->probes_due = PROBES;
        return -EAGAIN;
    }
    return -error;
}

static int send_frame(void *user, side_t side, const uint8_t *id, size_t id_len,
                      const uint8_t *frame, size_t len)
{
    broker_t *self = user;
    void *socket = self->socket[side];

    if (zmq_send(socket, id, id_len, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0 ||
        zmq_send(socket, frame, len, ZMQ_DONTWAIT) < 0) {
        return send_failed(self, socket, zmq_errno());
    }
    return 0;
}

static bool has_more(zmq_msg_t *part)
{
    return zmq_msg_more(part) != 0;
}

/* The rest of a message of which the first two parts were read. */
static void take_message(broker_t *self, const origin_t *origin,
                         zmq_msg_t *frame)
{
    if (has_more(frame)) {
        zparts_skip(self->socket[origin->side], frame);
        core_malformed(self->core, origin);
    } else {
        core_frame(self->core, origin, zmq_msg_data(frame),
                   zmq_msg_size(frame));
    }
}

/* Returns the bytes of a frame that was read, or -1 when there is none. */
static int64_t read_message(broker_t *self, side_t side)
{
    void *socket = self->socket[side];
    zmq_msg_t id, frame;

    zmq_msg_init(&id);
    zmq_msg_init(&frame);
    bool got = zmq_msg_recv(&id, socket, ZMQ_DONTWAIT) >= 0;
    int64_t bytes = got ? 0 : -1;
    if (got && has_more(&id) &&
        zmq_msg_recv(&frame, socket, ZMQ_DONTWAIT) >= 0) {
        bytes = (int64_t)zmq_msg_size(&frame);
        origin_t origin = {side, zmq_msg_data(&id), zmq_msg_size(&id), 0};
        if (guard_knows(self->guard, side, &frame, &origin.principal)) {
            take_message(self, &origin, &frame);
        } else {
            zparts_skip(socket, &frame);
            core_refused_frame(self->core);
        }
    }
    zmq_msg_close(&id);
    zmq_msg_close(&frame);
    return bytes;
}

/* Bounded in bytes, too, so that a turn is short for all whatever one peer
 * puts into its frames: a PUSH may name 65536 connections. */
static void on_frames(void *user)
{
    struct side *side = user;
    int64_t left = BYTES_PER_TURN;

    for (int i = 0; i < FRAMES_PER_TURN && left > 0; i++) {
        int64_t bytes = read_message(side->broker, side->side);
        if (bytes < 0) {
            return;
        }
        left -= bytes;
    }
}

/* Some transport broke: which peer it was shows when we send to it.  Or there
 * was no handshake. */
static void on_monitor(void *user)
{
    struct side *side = user;
    broker_t *self = side->broker;
    zcurve_event_t event;

    while (zcurve_next(self->monitor[side->side], &event)) {
        if ((event.event & ZMQ_EVENT_DISCONNECTED) != 0) {
            self->probes_due = PROBES;
        } else {
            guard_failure(self->guard, side->side, &event);
        }
    }
}

/* --- who may come --------------------------------------------------------- */

static bool may_stay(void *user, side_t side, uint64_t principal)
{
    broker_t *self = user;

    return guard_allows(self->guard, side, principal);
}

static void on_keys_changed(void *user, side_t side)
{
    broker_t *self = user;

    core_revoke(self->core, side, may_stay, self);
}

static void on_handshake_refused(void *user)
{
    broker_t *self = user;

    core_refused_handshake(self->core);
}

/* --- dead letters -------------------------------------------------------- */

static void on_dead(void *user, const letter_t *letter)
{
    broker_t *self = user;

    if (self->letters != NULL) {
        dead_letters_keep(self->letters, letter, clock_wall_ms());
    }
}

static void on_settled(void *user, uint64_t letter)
{
    broker_t *self = user;

    dead_letters_settle(self->letters, letter); /* from where it came */
}

static int on_revive(void *user, const letter_t *letter)
{
    broker_t *self = user;

    return core_revive(self->core, letter);
}

static void on_lost(void *user)
{
    broker_t *self = user;

    if (self->core != NULL) { /* else it is the end, and nobody counts */
        core_lost_letter(self->core);
    }
}

/* --- spans --------------------------------------------------------------- */

static void on_span(void *user, const span_t *span)
{
    broker_t *self = user;

    exporter_put(self->exporter, span);
}

static void count_spans(broker_t *self)
{
    exporter_counts_t counts = exporter_counts(self->exporter);

    core_count_spans(self->core, counts.exported, counts.dropped);
}

/* --- the loop ------------------------------------------------------------ */

static void on_begin(void *user)
{
    broker_t *self = user;

    store_begin(self->store, clock_wall_ms());
    core_begin(self->core, clock_mono_us());
}

static void probe_when_due(broker_t *self)
{
    int64_t now_ms = clock_mono_ms();
    int64_t wait_ms = self->probes_due > 0 ? PROBE_SOON_MS : self->probe_ms;

    if (now_ms - self->probed_ms >= wait_ms) {
        self->probes_due -= self->probes_due > 0;
        self->probed_ms = now_ms;
        core_probe(self->core);
    }
}

static void stop_when_drained(broker_t *self)
{
    bool is_drained = self->drain_until_ms != 0 && core_is_drained(self->core);

    if (self->drain_until_ms == 0 ||
        (!is_drained && clock_mono_ms() < self->drain_until_ms)) {
        return;
    }
    if (!is_drained) {
        log_warn("BROKER-DRAIN-CUT", "requests=%llu",
                 (unsigned long long)core_stats(self->core)->requests);
    }
    core_stop(self->core);
    actor_end(&self->actor);
}

static void on_end(void *user)
{
    broker_t *self = user;

    guard_turn(self->guard, clock_mono_ms());
    probe_when_due(self);
    if (self->letters != NULL && self->drain_until_ms == 0) {
        dead_letters_turn(self->letters, clock_mono_ms(), clock_wall_ms());
    }
    core_end(self->core);
    exporter_flush(self->exporter);
    store_end(self->store);
    stop_when_drained(self);
    if (core_is_parked(self->core) && !ev_is_active(&self->parked)) {
        ev_timer_set(&self->parked, PARKED_S, 0);
        ev_timer_start(self->actor.loop, &self->parked);
    }
}

/* Its only purpose is that the loop turns. */
static void on_parked(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)timer;
    (void)events;
}

static void on_term(void *user)
{
    broker_t *self = user;

    if (self->drain_until_ms == 0) {
        self->drain_until_ms = clock_mono_ms() + self->drain_ms;
        core_drain(self->core);
    }
}

static void on_told(void *user, const char *command)
{
    broker_t *self = user;
    size_t len = strlen(BROKER_DRAIN_TIME);

    if (strncmp(command, BROKER_DRAIN_TIME, len) == 0) {
        self->drain_ms = strtoll(command + len, NULL, 10);
    }
}

static unsigned on_question(void *user, const char *question, buf_t *out)
{
    broker_t *self = user;
    broker_state_t state = {
        .is_draining = self->drain_until_ms != 0,
        .is_store_up = self->store->stats.store_up != 0,
        .requires_store = self->requires_store,
    };

    if (streq(question, "READY")) {
        return broker_ready(&state, out);
    }
    if (streq(question, "METRICS")) {
        count_spans(self);
        return broker_metrics(core_stats(self->core), &self->store->stats,
                              core_traffic(self->core), out);
    }
    return broker_view(self->core, &state, &self->store->stats, question, out);
}

static void log_stats(void *user)
{
    broker_t *self = user;

    count_spans(self);
    broker_log_stats(core_stats(self->core), &self->store->stats);
}

static void start_watchers(broker_t *self)
{
    ev_timer_init(&self->parked, on_parked, PARKED_S, 0);
    for (int i = 0; i < SIDES; i++) {
        self->side[i].broker = self;
        self->side[i].side = (side_t)i;
        zwatch_start(&self->watch[i], self->actor.loop, self->socket[i],
                     ZWATCH_READS_AND_SENDS, on_frames, &self->side[i]);
        zwatch_start(&self->monitor_watch[i], self->actor.loop,
                     self->monitor[i], ZWATCH_READS, on_monitor,
                     &self->side[i]);
    }
}

/* --- start and end ------------------------------------------------------- */

static void watch_transport(broker_t *self, side_t side)
{
    const int failures = ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                         ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;
    int events = ZMQ_EVENT_DISCONNECTED | (self->guard != NULL ? failures : 0);
    char endpoint[64];

    snprintf(endpoint, sizeof endpoint, "inproc://hoist-monitor-%p-%d",
             (void *)self, (int)side);
    must(zmq_socket_monitor(self->socket[side], endpoint, events) == 0);
    self->monitor[side] = zmq_socket(zsys_init(), ZMQ_PAIR);
    must(self->monitor[side] != NULL);
    must(zmq_connect(self->monitor[side], endpoint) == 0);
}

/* With CURVE a name of the ROUTER belongs to who has it, until it is gone:
 * another could else take over what is sent to it. */
static int protect_side(broker_t *self, side_t side)
{
    if (!guard_has(self->guard, side)) {
        return 0;
    }
    actor_socket_set(self->socket[side], ZMQ_ROUTER_HANDOVER, 0);
    return guard_protect(self->guard, side, self->socket[side]);
}

/*
 * ZeroMQ counts frames, not bytes.  What gathers for a peer is sent in pieces
 * of 256 KiB, so that one that talks and never reads can have 128 MiB in its
 * socket, and then the core gives it up.  To the others the mark is no limit:
 * what follows gathers into one larger frame.
 */
static void open_side(broker_t *self, side_t side)
{
    void *socket = actor_socket(ZMQ_ROUTER);

    must(socket != NULL); /* at start there are descriptors */
    self->socket[side] = socket;
    actor_socket_set(socket, ZMQ_SNDHWM, SEND_HIGH_WATER);
    actor_socket_set(socket, ZMQ_ROUTER_MANDATORY, 1);
    actor_socket_set(socket, ZMQ_ROUTER_HANDOVER, 1);
    watch_transport(self, side);
}

static int bind_side(broker_t *self, side_t side, const char *endpoint,
                     char *error, size_t error_size)
{
    void *socket = self->socket[side];

    if (protect_side(self, side) < 0 || zdial_prepare(socket, endpoint) < 0 ||
        zmq_bind(socket, endpoint) < 0) {
        int reason = zmq_errno();
        snprintf(error, error_size, "cannot bind %s: %s%s", endpoint,
                 zmq_strerror(reason),
                 reason == ENODEV ? " (give an address of this host: a name of "
                                    "a host is none)"
                                  : "");
        return -EADDRINUSE;
    }
    return 0;
}

static int open_store(broker_t *self, const broker_options_t *options,
                      char *error, size_t error_size)
{
    store_options_init(&self->store_options);
    self->store_options.url = options->store;
    self->store_options.writer = self->boot;
    self->store_options.ttl_s = options->store_ttl_s;
    self->store_options.timeout_ms = options->store_timeout_ms;
    self->store_options.queue = options->store_queue;
    self->store =
        store_open(&self->store_options, self->actor.loop, error, error_size);
    return self->store == NULL ? -EINVAL : 0;
}

static int open_guard(broker_t *self, const broker_options_t *options,
                      char *error, size_t error_size)
{
    static const guard_ops_t ops = {.changed = on_keys_changed,
                                    .refused = on_handshake_refused};

    if (options->curve_key[0] == '\0') {
        return 0;
    }
    self->guard =
        guard_new(options, self->actor.loop, &ops, self, error, error_size);
    return self->guard == NULL ? -EACCES : 0;
}

static int open_letters(broker_t *self, const broker_options_t *options,
                        char *error, size_t error_size)
{
    static const dead_letters_ops_t ops = {.revive = on_revive,
                                           .lost = on_lost};

    if (options->dead_letters[0] == '\0') {
        return 0;
    }
    self->letters =
        dead_letters_new(options->dead_letters, options->dead_letters_max, &ops,
                         self, error, error_size);
    return self->letters == NULL ? -EACCES : 0;
}

static int open_exporter(broker_t *self, const broker_options_t *options,
                         char *error, size_t error_size)
{
    const otlp_source_t source = {.service = "hoist-broker",
                                  .name = options->name,
                                  .instance = self->boot};
    int rc = exporter_new(&self->exporter, options->trace_endpoint, &source);

    if (rc < 0) {
        snprintf(error, error_size, "no thread for --trace-endpoint");
    }
    return rc;
}

static void open_core(broker_t *self, const broker_options_t *options)
{
    const core_ops_t ops = {.send = send_frame,
                            .dead = on_dead,
                            .settled = on_settled,
                            .span = self->exporter != NULL ? on_span : NULL};

    self->core =
        core_new(options, self->boot, &ops, self, self->store, clock_mono_ms());
}

static int start(broker_t *self, const broker_options_t *options, char *error,
                 size_t error_size)
{
    rand_hex(self->boot);
    self->probe_ms = options->heartbeat_ms;
    self->drain_ms = options->drain_ms;
    self->requires_store = options->require_store;
    if (open_store(self, options, error, error_size) < 0) {
        return -EINVAL;
    }
    if (open_exporter(self, options, error, error_size) < 0) {
        return -EAGAIN;
    }
    open_core(self, options);
    if (open_letters(self, options, error, error_size) < 0 ||
        open_guard(self, options, error, error_size) < 0) {
        return -EACCES;
    }
    open_side(self, SIDE_WORKERS);
    open_side(self, SIDE_GATEWAYS);
    if (options->inner[0] != '\0') { /* first: the last one's address is told */
        must(zmq_bind(self->socket[SIDE_GATEWAYS], options->inner) == 0);
    }
    if (bind_side(self, SIDE_WORKERS, options->workers, error, error_size) <
        0) {
        return -EADDRINUSE;
    }
    return bind_side(self, SIDE_GATEWAYS, options->gateways, error, error_size);
}

/*
 * A peer that wants no queue without a connection (ZMQ_IMMEDIATE, as our
 * workers do) loses what it has not read when its connection ends.  So the
 * BYE goes out first, and the connection a little later: else one worker in
 * eight would hear of our end only by our silence.
 */
static void stop(broker_t *self)
{
    core_destroy(&self->core); /* its peers' last frames are sent by then */
    exporter_destroy(&self->exporter); /* behind the last spans */
    dead_letters_destroy(&self->letters);
    zmq_poll(NULL, 0, LAST_FRAMES_MS);
    for (int i = 0; i < SIDES; i++) {
        zwatch_stop(&self->watch[i]);
        zwatch_stop(&self->monitor_watch[i]);
        if (self->socket[i] != NULL) {
            zmq_socket_monitor(self->socket[i], NULL, 0);
            zmq_close(self->monitor[i]);
            zmq_close(self->socket[i]);
        }
    }
    guard_destroy(&self->guard);
    store_destroy(&self->store);
    ev_timer_stop(self->actor.loop, &self->parked);
    actor_fini(&self->actor);
    free(self);
}

static void say_ready(broker_t *self)
{
    char bound[SIDES][256];

    for (int i = 0; i < SIDES; i++) {
        size_t size = sizeof bound[i];
        must(zmq_getsockopt(self->socket[i], ZMQ_LAST_ENDPOINT, bound[i],
                            &size) == 0);
    }
    zstr_sendx(self->actor.place.pipe, "READY", bound[SIDE_WORKERS],
               bound[SIDE_GATEWAYS], NULL);
}

static actor_t *open_broker(const actor_place_t *place, void *options)
{
    static const actor_ops_t ops = {
        .begin = on_begin,
        .end = on_end,
        .term = on_term,
        .stats = log_stats,
        .answer = on_question,
        .told = on_told,
    };
    const broker_options_t *told = options;
    broker_t *self = xcalloc(1, sizeof *self);
    char error[512] = "";

    actor_init(&self->actor, place, &ops, self);
    if (start(self, options, error, sizeof error) < 0) {
        zstr_sendx(place->pipe, "FAILED", error, NULL);
        stop(self);
        return NULL;
    }
    start_watchers(self);
    actor_take_questions(&self->actor, told->questions);
    say_ready(self);
    actor_run(&self->actor);
    return &self->actor;
}

static void close_broker(actor_t *actor)
{
    zsock_t *pipe = actor->place.pipe;

    if (!actor->is_cancelled) {
        log_stats(actor->user);
    }
    stop(actor->user);
    zstr_send(pipe, "STOPPED");
}

const actor_kind_t broker_actor = {open_broker, close_broker};
