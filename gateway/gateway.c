/* SPDX-License-Identifier: MIT
 *
 * The actor around the hub: loop, clocks, the DEALERs, the pipe.
 *
 *   begin   read the clocks
 *   events  frames from brokers (a bounded batch), client sockets, addresses of
 *           brokers
 *   end     timers, one write a client, one frame to each broker
 */
#include "gateway/gateway.h"

#include "base/actor.h"
#include "base/brokers.h"
#include "base/clock.h"
#include "base/xalloc.h"
#include "base/zcurve.h"
#include "base/zdial.h"
#include "base/zmonitor.h"
#include "base/zparts.h"
#include "gateway/busiest.h"
#include "gateway/delivery.h"
#include "gateway/hub.h"
#include "gateway/managing.h"
#include "gateway/presence.h"
#include "gateway/ranking.h"
#include "gateway/report.h"
#include "gateway/standing.h"
#include "gateway/summary.h"
#include "gateway/tuning.h"
#include "gateway/view.h"
#include "trace/exporter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <ev.h>
#include <zmq.h>

#define FRAMES_PER_TURN 64
#define LOOKS_TO_SETTLE 2 /* intervals, until workers know a new broker */

_Static_assert(GATEWAY_BROKERS_MAX <= ROSTER_MAX, "a slot for each broker");

typedef struct {
    hub_t *hub;    /* borrowed */
    link_t *link;  /* borrowed */
    void *socket;  /* libzmq socket; NULL: none */
    void *monitor; /* of it */
    zwatch_t watch, monitor_watch;
    zdial_t dial;
    bool has_key; /* it speaks CURVE */
} dealer_t;

typedef struct {
    actor_t actor;
    hub_t *hub;
    transport_t *transport;
    brokers_t brokers;
    curve_peer_t curve;
    dealer_t dealers[GATEWAY_BROKERS_MAX]; /* one for each of the brokers, by
                                              its slot, which is the number of
                                              the hub's link; or free */
    zsock_t *manage;        /* borrowed; NULL: no management API */
    zwatch_t managed;       /* its answers */
    exporter_t *exporter;   /* NULL: spans go nowhere */
    bool is_tuned;          /* settings have come that are to be applied */
    ev_idle busy;           /* while there is work for the next turn */
    int64_t drain_until_ms; /* 0: not draining */
} gateway_t;

/* --- the loop ---------------------------------------------------------- */

static void send_frame(dealer_t *self)
{
    link_t *link = self->link;
    int64_t now_ms = self->hub->now_ms;

    zdial_turn(&self->dial, self->socket, link->endpoint, now_ms,
               link_stands(link));
    if (link->out.len == 0) {
        return;
    }
    if (zmq_send(self->socket, link->out.data, link->out.len, ZMQ_DONTWAIT) <
        0) {
        zdial_blocked(&self->dial, self->socket, link->endpoint, now_ms,
                      link_stands(link));
        return; /* the next turn tries again */
    }
    zdial_moves(&self->dial);
    link_sent(link, now_ms);
    buf_reset(&link->out, 1 << 20);
}

static void send_frames(gateway_t *self)
{
    for (size_t i = 0; i < self->hub->link_count; i++) {
        send_frame(&self->dealers[self->hub->links[i]->number]);
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

/* Why is said when the broker is missed. */
static void take_failure(dealer_t *self, const zcurve_event_t *event)
{
    const char *reason = zcurve_reason(event, self->has_key);

    zdial_refused(&self->dial, self->socket, self->link->endpoint,
                  self->hub->now_ms);
    if (reason != NULL) {
        link_refused(self->link, reason);
    }
}

static void on_monitor(void *user)
{
    dealer_t *self = user;
    zcurve_event_t event;

    while (zcurve_next(self->monitor, &event)) {
        if ((event.event & ZCURVE_FAILURES) != 0) {
            take_failure(self, &event);
        } else {
            hub_broken(self->hub, self->link);
        }
    }
}

/* --- brokers -------------------------------------------------------------- */

static int dial(dealer_t *self, const char *endpoint, const curve_peer_t *curve)
{
    int rc;

    if ((self->socket = actor_socket(ZMQ_DEALER)) == NULL) {
        return -zmq_errno();
    }
    rc = zmonitor_open(self->socket, ZMQ_EVENT_DISCONNECTED | ZCURVE_FAILURES,
                       &self->monitor);
    if (rc < 0) {
        return rc;
    }
    return brokers_dial(self->socket, endpoint, curve);
}

/* Its link, if it had one, is gone. */
static void hang_up(dealer_t *self)
{
    zwatch_stop(&self->watch);
    zwatch_stop(&self->monitor_watch);
    zmonitor_close(self->socket, &self->monitor);
    if (self->socket != NULL) {
        zmq_close(self->socket);
    }
    *self = (dealer_t){0};
}

/* Workers look names up at other times than we do. */
static int64_t settle_ms(const gateway_t *self, size_t slot)
{
    return roster_is_late(&self->brokers.roster, slot)
               ? LOOKS_TO_SETTLE * self->hub->options.resolve_ms
               : 0;
}

static int add_broker(void *user, size_t slot, const char *endpoint)
{
    gateway_t *self = user;
    dealer_t *dealer = &self->dealers[slot];

    dealer->has_key = self->curve.secret[0] != '\0';
    int rc = dial(dealer, endpoint, &self->curve);
    if (rc < 0) {
        hang_up(dealer);
        return rc;
    }
    dealer->hub = self->hub;
    dealer->link = standing_add(self->hub, (uint32_t)slot, endpoint,
                                settle_ms(self, slot));
    zwatch_start(&dealer->watch, self->actor.loop, dealer->socket,
                 ZWATCH_READS_AND_SENDS, on_frames, dealer);
    zwatch_start(&dealer->monitor_watch, self->actor.loop, dealer->monitor,
                 ZWATCH_READS, on_monitor, dealer);
    return 0;
}

static bool is_spent(void *user, size_t slot)
{
    const gateway_t *self = user;

    return standing_is_spent(self->hub, self->dealers[slot].link);
}

static void remove_broker(void *user, size_t slot)
{
    gateway_t *self = user;

    standing_remove(self->hub, self->dealers[slot].link);
    hang_up(&self->dealers[slot]);
}

static void on_dial_failed(void *user, const char *endpoint, const char *why)
{
    gateway_t *self = user;

    log_braked(&self->hub->brake, LEVEL_WARN, "GATEWAY-DIAL-FAILED",
               "broker=%s error=\"%s\"", endpoint, why);
}

/* --- the management API -------------------------------------------------- */

static int ask_manager(void *user, uint64_t number, wire_bytes_t head,
                       wire_bytes_t body)
{
    gateway_t *self = user;
    actor_part_t parts[] = {{head.data, head.len}, {body.data, body.len}};

    return actor_ask(self->manage, number, "HTTP", parts,
                     body.data == NULL ? 1 : 2);
}

static wire_bytes_t bytes_of(actor_part_t part)
{
    return (wire_bytes_t){part.data, part.len};
}

static void on_managed(void *user)
{
    gateway_t *self = user;
    actor_answer_t answer;

    for (int i = 0; i < FRAMES_PER_TURN && actor_next(self->manage, &answer);
         i++) {
        managing_answer(self->hub, answer.number, answer.status,
                        bytes_of(answer.more), bytes_of(answer.text));
        actor_drop(&answer);
    }
}

static void start_managing(gateway_t *self, const gateway_options_t *options)
{
    if (options->manage != NULL) {
        self->manage = options->manage[options->loop];
        zsock_set_sndtimeo(self->manage, 0);
        hub_manage(self->hub, ask_manager, self);
        zwatch_start(&self->managed, self->actor.loop,
                     zsock_resolve(self->manage), ZWATCH_READS_AND_SENDS,
                     on_managed, self);
    }
}

/* --- turns -------------------------------------------------------------- */

static void on_begin(void *user)
{
    gateway_t *self = user;

    hub_begin(self->hub, clock_mono_us(), clock_wall_ms());
}

static size_t count_standing(const hub_t *hub)
{
    size_t count = 0;

    for (size_t i = 0; i < hub->link_count; i++) {
        count += link_stands(hub->links[i]);
    }
    return count;
}

static void stop_when_drained(gateway_t *self)
{
    hub_t *hub = self->hub;
    bool is_late = hub->now_ms >= self->drain_until_ms;

    if (self->drain_until_ms == 0 || (!hub_is_empty(hub) && !is_late)) {
        return;
    }
    if (!hub_is_empty(hub)) {
        log_warn("GATEWAY-DRAIN-CUT", "sessions=%llu sockets=%llu brokers=%zu",
                 (unsigned long long)hub->sessions,
                 (unsigned long long)hub->stats.sockets, count_standing(hub));
    }
    for (size_t i = 0; i < hub->link_count; i++) {
        (void)message_put_bare(&hub->links[i]->out, KIND_BYE);
    }
    send_frames(self);
    actor_end(&self->actor);
}

/* An idle watcher does not let the loop sleep. */
static void on_idle(struct ev_loop *loop, ev_idle *watcher, int events)
{
    (void)loop;
    (void)watcher;
    (void)events;
}

static void hurry_when_busy(gateway_t *self)
{
    if (hub_is_busy(self->hub) || delivery_is_busy(self->hub) ||
        busiest_is_walking(self->hub) || presence_is_busy(self->hub)) {
        ev_idle_start(self->actor.loop, &self->busy);
    } else {
        ev_idle_stop(self->actor.loop, &self->busy);
    }
}

static void on_end(void *user)
{
    gateway_t *self = user;

    hub_end(self->hub);
    send_frames(self);
    exporter_flush(self->exporter);
    hurry_when_busy(self);
    stop_when_drained(self);
}

/* Drain; the end comes when there is nothing left or time is up. */
static void on_term(void *user)
{
    gateway_t *self = user;

    if (self->drain_until_ms == 0) {
        self->drain_until_ms = self->hub->now_ms + self->hub->options.drain_ms;
        brokers_rest(&self->brokers);
        transport_stop_accepting(self->transport);
        hub_drain(self->hub);
    }
}

static void take_span(void *user, const span_t *span)
{
    gateway_t *self = user;

    exporter_put(self->exporter, span);
}

static int start_tracing(gateway_t *self, const gateway_options_t *options)
{
    const otlp_source_t source = {.service = "hoist-gateway",
                                  .name = options->name,
                                  .instance = self->hub->boot};
    int rc = exporter_new(&self->exporter, options->trace_endpoint, &source);

    if (self->exporter != NULL) {
        hub_trace(self->hub, take_span, self);
    }
    return rc;
}

static void count_spans(gateway_t *self)
{
    exporter_counts_t counts = exporter_counts(self->exporter);

    self->hub->stats.spans_exported = counts.exported;
    self->hub->stats.spans_dropped = counts.dropped;
}

static void log_stats(void *user)
{
    gateway_t *self = user;

    count_spans(self);
    gateway_log_stats(&self->hub->stats);
}

static void note_cert(gateway_t *self)
{
    self->hub->stats.tls_until =
        (uint64_t)transport_tls_until_s(self->transport);
}

static void say_reloaded(const gateway_t *self)
{
    time_t until = (time_t)self->hub->stats.tls_until;
    struct tm parts;
    char text[32];

    gmtime_r(&until, &parts);
    (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    log_info("GATEWAY-TLS-READ", "cert=%s until=%s",
             self->hub->options.tls_cert, text);
}

static void reload_tls(gateway_t *self)
{
    char error[512] = "";
    int rc = transport_reload(self->transport, error, sizeof error);

    if (rc < 0) {
        log_warn("GATEWAY-TLS-KEPT", "error=\"%s\"", error);
    } else if (rc > 0) {
        note_cert(self);
        say_reloaded(self);
    } else {
        log_info("GATEWAY-TLS-UNCHANGED", "cert=%s",
                 self->hub->options.tls_cert);
    }
}

static void on_reload(void *user)
{
    gateway_t *self = user;

    if (self->is_tuned) {
        self->is_tuned = false;
        tuning_apply(self->hub);
        transport_limit_arrivals(self->transport,
                                 self->hub->options.max_handshakes);
    }
    if (self->hub->options.tls_cert[0] != '\0') {
        reload_tls(self);
    }
}

/* A setting has another value, which counts from the next RELOAD on. */
static void on_told(void *user, const char *command)
{
    gateway_t *self = user;
    size_t word = strlen(GATEWAY_SET), len;
    char name[64];

    if (strncmp(command, GATEWAY_SET, word) != 0) {
        return;
    }
    len = strcspn(command + word, " ");
    must(len < sizeof name && command[word + len] == ' ');
    snprintf(name, sizeof name, "%.*s", (int)len, command + word);
    must(tuning_set(self->hub, name, command + word + len + 1) == 0);
    self->is_tuned = true;
}

static unsigned on_question(void *user, const char *question, buf_t *out)
{
    gateway_t *self = user;

    count_spans(self);
    if (streq(question, "READY")) {
        return gateway_ready(self->hub, out);
    }
    if (streq(question, "METRICS")) {
        return gateway_metrics(&self->hub->stats, &self->hub->trips, out);
    }
    if (streq(question, GATEWAY_REPORT)) {
        return report_put(self->hub, out);
    }
    if (streq(question, GATEWAY_BUSIEST)) {
        return ranking_put(self->hub, out);
    }
    return gateway_view(self->hub, transport_address(self->transport), question,
                        out);
}

/* --- start and end ----------------------------------------------------- */

static int start_brokers(gateway_t *self, const gateway_options_t *options,
                         char *error, size_t error_size)
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
        .max = GATEWAY_BROKERS_MAX,
        .resolve_ms = options->resolve_ms,
        .lookup = resolver_lookup,
        .ops = &ops,
        .user = self,
    };

    return brokers_start(&self->brokers, &brokers, error, error_size);
}

static listener_share_t share_of(const gateway_options_t *options)
{
    return options->loops == 1  ? LISTENER_ALONE
           : options->loop == 0 ? LISTENER_FIRST
                                : LISTENER_JOINS;
}

static int start(gateway_t *self, const gateway_options_t *options, char *error,
                 size_t error_size)
{
    self->hub = hub_new(options, clock_mono_ms(), error, error_size);
    if (self->hub == NULL) {
        return -EINVAL;
    }
    if (curve_read_peer(&self->curve, options->curve_key, options->curve_broker,
                        error, error_size) < 0 ||
        start_brokers(self, options, error, error_size) < 0) {
        return -EINVAL;
    }
    if (start_tracing(self, options) < 0) {
        snprintf(error, error_size, "no thread for --trace-endpoint");
        return -EAGAIN;
    }
    transport_options_t listening = {
        .listen = options->listen,
        .share = share_of(options),
        .tls = {.cert = options->tls_cert,
                .key = options->tls_key,
                .client_ca = options->tls_client_ca,
                .is_optional = options->tls_client_optional},
        .proxies = options->proxy_protocol ? options->trusted_proxies : NULL,
        .arrivals_max = options->max_handshakes,
        .arrival_ms = options->handshake_ms,
    };
    self->transport =
        transport_new(self->actor.loop, &listening, &hub_transport_ops,
                      self->hub, error, error_size);
    if (self->transport == NULL) {
        return -EINVAL;
    }
    note_cert(self);
    return 0;
}

static void stop(gateway_t *self)
{
    zwatch_stop(&self->managed);
    transport_destroy(&self->transport); /* before the hub: closes sessions */
    hub_destroy(&self->hub);
    exporter_destroy(&self->exporter);
    for (size_t i = 0; i < GATEWAY_BROKERS_MAX; i++) {
        hang_up(&self->dealers[i]);
    }
    brokers_fini(&self->brokers);
    explicit_bzero(&self->curve, sizeof self->curve);
    ev_idle_stop(self->actor.loop, &self->busy);
    actor_fini(&self->actor);
    free(self);
}

/* Of several loops each says in the log which it is. */
static void mark_thread(const gateway_options_t *options)
{
    if (options->loops > 1) {
        log_mark_thread("loop", (unsigned)options->loop + 1);
    }
}

/* The last word: of several loops to whoever adds up. */
static void say_end(gateway_t *self, zmsg_t *last)
{
    buf_t report;

    if (self->hub->options.loops == 1) {
        log_stats(self);
        return;
    }
    count_spans(self);
    buf_init(&report, REPORT_MAX);
    if (report_put(self->hub, &report) == 200) {
        zmsg_addmem(last, report.data, report.len);
    }
    buf_fini(&report);
}

static actor_t *open_gateway(const actor_place_t *place, void *options)
{
    static const actor_ops_t ops = {
        .begin = on_begin,
        .end = on_end,
        .term = on_term,
        .stats = log_stats,
        .reload = on_reload,
        .answer = on_question,
        .told = on_told,
    };
    const gateway_options_t *told = options;
    gateway_t *self = xcalloc(1, sizeof *self);
    char error[512] = "";

    mark_thread(told);
    actor_init(&self->actor, place, &ops, self);
    ev_idle_init(&self->busy, on_idle);
    if (start(self, options, error, sizeof error) < 0) {
        zstr_sendx(place->pipe, "FAILED", error, NULL);
        stop(self);
        return NULL;
    }
    actor_take_questions(&self->actor, told->questions);
    start_managing(self, told);
    zstr_sendx(place->pipe, "READY", transport_address(self->transport), NULL);
    actor_run(&self->actor);
    return &self->actor;
}

static void close_gateway(actor_t *actor)
{
    zsock_t *pipe = actor->place.pipe;
    zmsg_t *last = zmsg_new();

    zmsg_addstr(last, "STOPPED");
    say_end(actor->user, last);
    stop(actor->user);
    zmsg_send(&last, pipe);
}

const actor_kind_t gateway_actor = {open_gateway, close_gateway};
