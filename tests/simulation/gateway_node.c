/* SPDX-License-Identifier: MIT */
#include "tests/simulation/gateway_node.h"

#include "base/xalloc.h"
#include "gateway/delivery.h"
#include "gateway/presence.h"
#include "gateway/standing.h"
#include "tests/simulation/truth.h"
#include "tests/simulation/world.h"

#include <stdlib.h>
#include <string.h>

#define TICK_MS  50  /* as base/actor.h */
#define FINDS    20  /* one look in so many finds its address again */
#define HOLD_MS  120 /* that a socket is full, at most */
#define PIPE_MAX ((size_t)64 << 20)

struct lws {
    gateway_node_t *gateway;
    void *client; /* borrowed; NULL once the client has left */
    const client_ops_t *ops;
    void *user;                  /* of the hub; NULL once it is closed there */
    buf_t to_gateway, to_client; /* owned: bytes on their way */
    bool is_paused, is_held;
    bool client_ended, gateway_ended, was_reset;
    bool in_callback, kill_wanted;
    struct lws *next;
};

/* --- turns --------------------------------------------------------------- */

static int64_t stopped_until_ms(void *owner)
{
    const gateway_node_t *self = owner;
    return self->stopped_until_ms;
}

static wire_t *wire_of(gateway_node_t *self, const link_t *link)
{
    return &self->wires[link->number];
}

/* NULL: its name has no address just now. */
static link_t *link_of(const gateway_node_t *self, const wire_t *wire)
{
    for (size_t i = 0; i < self->hub->link_count; i++) {
        if (self->hub->links[i]->number == wire - self->wires) {
            return self->hub->links[i];
        }
    }
    return NULL;
}

static void send_frames(gateway_node_t *self)
{
    for (size_t i = 0; i < self->hub->link_count; i++) {
        link_t *link = self->hub->links[i];
        if (link->out.len > 0 &&
            wire_send(wire_of(self, link), link->out.data, link->out.len)) {
            link_sent(link, world_now_ms());
            buf_reset(&link->out, 1 << 20);
        }
    }
}

/* A broker at which nobody is told any more forgets what was to be. */
static void note_presence(const gateway_node_t *self, const link_t *link,
                          wire_bytes_t frame)
{
    wire_cursor_t in = wire_cursor(frame);
    bool is_watching = link->is_watching;
    message_t message;

    while (message_decode(&in, &message) == 1) {
        bool is_welcome = message.kind == KIND_WELCOME;
        if (!is_welcome && message.kind != KIND_WATCH) {
            continue;
        }
        bool was_watching = is_watching;
        is_watching = is_welcome ? wire_map_bool(message.welcome.options,
                                                 "presence", false)
                                 : message.watch.presence;
        if (was_watching && !is_watching) {
            truth_presence_gap(self->hub->loop);
        }
    }
}

/* What a broker that was counted lost still does is beyond knowing. */
static void watch(gateway_node_t *self, const gateway_stats_t *before)
{
    const gateway_stats_t *now = &self->hub->stats;

    if (now->given_up != before->given_up) {
        truth_given_up();
    }
    if (self->wire_count > 1 && (now->given_up != before->given_up ||
                                 now->broker_lost != before->broker_lost ||
                                 now->broker_left != before->broker_left)) {
        truth_torn(self->hub->loop);
    }
}

static void hurry(void *subject, uint32_t life);

static void end_turn(void *subject, uint32_t life)
{
    gateway_node_t *self = subject;

    if (life == self->life) {
        self->in_turn = false;
        gateway_stats_t before = self->hub->stats;
        hub_end(self->hub);
        watch(self, &before);
        send_frames(self);
        if (delivery_is_busy(self->hub) || presence_is_busy(self->hub)) {
            world_after(0, hurry, self, life);
        }
    }
}

static void begin_turn(gateway_node_t *self)
{
    if (!self->in_turn) {
        self->in_turn = true;
        hub_begin(self->hub, world_now_ms() * 1000,
                  world_wall_ms() + self->clock_off_ms);
        world_after(world_between(0, 1), end_turn, self, self->life);
    }
}

static void add_broker(gateway_node_t *self, wire_t *wire, int64_t settle_ms)
{
    char endpoint[] = "tcp://a:1";

    endpoint[strlen("tcp://")] = (char)('a' + (wire - self->wires));
    standing_add(self->hub, (uint32_t)(wire - self->wires), endpoint,
                 settle_ms);
    wire_open(wire);
}

/* As the answers of a name server come in gateway.c. */
static void look_up(gateway_node_t *self, wire_t *wire)
{
    link_t *link = link_of(self, wire);

    if (link == NULL && world_chance(FINDS)) {
        world_trace("a broker has an address again");
        add_broker(self, wire, world_between(0, 500));
    } else if (link != NULL && standing_is_spent(self->hub, link) &&
               world_chance(self->forgets)) {
        world_trace("a broker has no address any more");
        wire_close(wire);
        if (link->is_watching) {
            truth_presence_gap(self->hub->loop);
        }
        standing_remove(self->hub, link);
    }
}

/* There is more to be done, so the loop does not sleep. */
static void hurry(void *subject, uint32_t life)
{
    gateway_node_t *self = subject;

    if (life == self->life && world_now_ms() >= self->stopped_until_ms) {
        begin_turn(self);
    }
}

static void tick(void *subject, uint32_t life)
{
    gateway_node_t *self = subject;
    int64_t wait_ms = self->stopped_until_ms - world_now_ms();

    if (life != self->life) {
        return;
    }
    if (wait_ms <= 0) {
        begin_turn(self);
        for (size_t i = 0; i < self->wire_count; i++) {
            look_up(self, &self->wires[i]);
        }
        wait_ms = TICK_MS;
    }
    world_after(wait_ms, tick, self, life);
}

static session_t *session_at(const gateway_node_t *self, uint32_t slot)
{
    return slot < self->hub->used ? self->hub->table[slot] : NULL;
}

/* Which connections' DISCONNECTs are under way? */
static void note_farewells(gateway_node_t *self)
{
    self->farewell_count = 0;
    for (uint32_t slot = 0; slot < self->hub->used; slot++) {
        const session_t *session = self->hub->table[slot];
        if (session != NULL && session->is_disconnecting &&
            self->farewell_count < FAREWELLS_MAX) {
            self->farewells[self->farewell_count++] = session->id;
        }
    }
}

/* What was answered is forgotten here: it must have come to a handler. */
static void check_farewells(gateway_node_t *self)
{
    char conn[CONN_ID_TEXT];

    for (size_t i = 0; i < self->farewell_count; i++) {
        const conn_id_t *id = &self->farewells[i];
        const session_t *session = session_at(self, id->slot);
        if (session == NULL || !conn_id_equal(&session->id, id)) {
            conn_id_format(id, conn);
            truth_farewell(conn);
        }
    }
}

/* Its broker keeps the rules.  A reply to what was given up with a session of
 * the link may still come. */
static void check_stats(const gateway_node_t *self)
{
    const gateway_stats_t *stats = &self->hub->stats;
    bool was_steady = stats->broker_lost == 0 && stats->broker_left == 0 &&
                      stats->broker_reset == 0 &&
                      self->sessions <= self->wire_count;

    if (was_steady && stats->replies_unknown > 0) {
        world_broken("a gateway gets a reply to no request of its own");
    }
    if (stats->broker_malformed > 0) {
        world_broken("a gateway sees a fault where there was none");
    }
}

static void on_frame(void *owner, wire_t *wire, const uint8_t *bytes,
                     size_t len)
{
    gateway_node_t *self = owner;
    link_t *link = link_of(self, wire);

    begin_turn(self);
    gateway_stats_t before = self->hub->stats;
    note_farewells(self);
    note_presence(self, link, (wire_bytes_t){bytes, len});
    uint64_t session = link->session;
    uint64_t on_their_way = link_stands(link) ? link->in_flight : 0;
    hub_frame(self->hub, link, bytes, len);
    self->sessions += link->session != session;
    if (self->hub->stats.broker_lost != before.broker_lost &&
        wire->router->has_drained && on_their_way > 0) {
        world_broken("a broker that ended in order left %llu requests",
                     (unsigned long long)on_their_way);
    }
    check_stats(self);
    watch(self, &before);
    if (self->hub->stats.given_up == before.given_up) {
        check_farewells(self);
    }
}

static void on_broken(void *owner, wire_t *wire)
{
    gateway_node_t *self = owner;

    if (self->hub != NULL) {
        hub_broken(self->hub, link_of(self, wire));
    }
}

/* --- sockets: towards the client ----------------------------------------- */

static void arrive_at_client(void *subject, uint32_t life)
{
    struct lws *self = subject;
    (void)life;

    if (self->client == NULL) {
        return;
    }
    if (self->to_client.len > 0 && !self->was_reset) {
        buf_t bytes = self->to_client;
        buf_init(&self->to_client, PIPE_MAX);
        self->ops->received(self->client, bytes.data, bytes.len);
        buf_fini(&bytes);
    }
    if (self->gateway_ended && self->client != NULL) {
        void *client = self->client;
        self->client = NULL;
        self->ops->ended(client, self->was_reset);
    }
}

static void wake_client(struct lws *self)
{
    world_after(world_between(0, 3), arrive_at_client, self, 0);
}

/* The gateway's end is gone. */
static void end_at_gateway(struct lws *self, bool is_reset)
{
    void *user = self->user;

    if (user != NULL) {
        self->user = NULL;
        self->gateway_ended = true;
        self->was_reset |= is_reset;
        wake_client(self);
        hub_transport_ops.closed(user);
    }
}

static void on_drained(void *subject, uint32_t life);
static void arrive_at_gateway(void *subject, uint32_t life);

void transport_write(transport_sock_t *sock, const uint8_t *bytes, size_t len)
{
    must(!sock->is_held);
    if (sock->client == NULL) {
        return; /* into the void, until the reset comes back */
    }
    must(buf_put(&sock->to_client, bytes, len) == 0);
    wake_client(sock);
    if (world_chance(sock->gateway->holds)) {
        sock->is_held = true;
        world_after(world_between(1, HOLD_MS), on_drained, sock,
                    sock->gateway->life);
    }
}

bool transport_is_drained(transport_sock_t *sock)
{
    return !sock->is_held;
}

void transport_pause(transport_sock_t *sock)
{
    sock->is_paused = true;
}

void transport_resume(transport_sock_t *sock)
{
    sock->is_paused = false;
    world_after(0, arrive_at_gateway, sock, sock->gateway->life);
}

const X509 *transport_client_cert(transport_sock_t *sock)
{
    (void)sock;
    return NULL;
}

int64_t transport_silent_ms(transport_sock_t *sock)
{
    (void)sock;
    return 0;
}

void transport_shutdown(transport_sock_t *sock)
{
    sock->gateway_ended = true;
    wake_client(sock);
}

void transport_kill(transport_sock_t *sock)
{
    if (sock->in_callback) {
        sock->kill_wanted = true;
    } else {
        end_at_gateway(sock, true);
    }
}

/* --- sockets: towards the gateway ---------------------------------------- */

/* Has the gateway's process, and this socket in it, still something to say? */
static bool is_served(const struct lws *self, uint32_t life)
{
    return self->gateway->life == life && self->user != NULL;
}

/* true: it is stopped, and this will happen when it goes on. */
static bool put_off(struct lws *self, world_fn *fn, uint32_t life)
{
    int64_t wait_ms = self->gateway->stopped_until_ms - world_now_ms();

    if (wait_ms > 0) {
        world_after(wait_ms, fn, self, life);
    }
    return wait_ms > 0;
}

static void on_drained(void *subject, uint32_t life)
{
    struct lws *self = subject;

    if (!is_served(self, life) || put_off(self, on_drained, life)) {
        return;
    }
    begin_turn(self->gateway);
    self->is_held = false;
    self->in_callback = true;
    hub_transport_ops.drained(self->user);
    self->in_callback = false;
    if (self->kill_wanted) {
        end_at_gateway(self, true);
        return;
    }
    world_after(0, arrive_at_gateway, self, life);
}

static void deliver(struct lws *self)
{
    size_t len = self->to_gateway.len;
    uint8_t *bytes;

    if (len > TRANSPORT_READ_MAX) {
        len = TRANSPORT_READ_MAX;
    }
    if (world_chance(4)) {
        len = (size_t)world_between(1, (int64_t)len);
    }
    bytes = malloc(len);
    must(bytes != NULL);
    memcpy(bytes, self->to_gateway.data, len);
    buf_drop(&self->to_gateway, len);
    self->in_callback = true;
    hub_transport_ops.received(self->user, bytes, len);
    self->in_callback = false;
    free(bytes);
}

static void arrive_at_gateway(void *subject, uint32_t life)
{
    struct lws *self = subject;

    if (!is_served(self, life) || put_off(self, arrive_at_gateway, life)) {
        return;
    }
    begin_turn(self->gateway);
    if (self->was_reset) {
        end_at_gateway(self, true);
        return;
    }
    if (self->is_paused || self->is_held) {
        return; /* it comes again when reading goes on */
    }
    if (self->to_gateway.len > 0) {
        deliver(self);
        world_after(world_between(0, 2), arrive_at_gateway, self, life);
    } else if (self->client_ended) {
        end_at_gateway(self, false);
    }
    if (self->kill_wanted) {
        end_at_gateway(self, true);
    }
}

static void wake_gateway(struct lws *self)
{
    world_after(world_between(0, 3), arrive_at_gateway, self,
                self->gateway->life);
}

void sock_send(transport_sock_t *sock, const uint8_t *bytes, size_t len)
{
    must(buf_put(&sock->to_gateway, bytes, len) == 0);
    wake_gateway(sock);
}

void sock_close(transport_sock_t *sock)
{
    sock->client = NULL;
    sock->client_ended = true;
    wake_gateway(sock);
}

void sock_reset(transport_sock_t *sock)
{
    sock->client = NULL;
    sock->was_reset = true;
    wake_gateway(sock);
}

transport_sock_t *gateway_node_connect(gateway_node_t *self, void *client,
                                       const client_ops_t *ops)
{
    if (self->hub == NULL || world_now_ms() < self->stopped_until_ms) {
        return NULL;
    }
    begin_turn(self);
    ip_t from = ip_of_v4((const uint8_t[]){192, 0, 2, 1});
    void *user = hub_transport_ops.opened(self->hub, &from);
    if (user == NULL) {
        return NULL;
    }
    struct lws *sock = xcalloc(1, sizeof *sock);
    sock->gateway = self;
    sock->client = client;
    sock->ops = ops;
    sock->user = user;
    sock->next = self->socks;
    self->socks = sock;
    buf_init(&sock->to_gateway, PIPE_MAX);
    buf_init(&sock->to_client, PIPE_MAX);
    hub_transport_ops.bound(user, sock);
    return sock;
}

/* --- life ---------------------------------------------------------------- */

void gateway_node_init(gateway_node_t *self, const gateway_options_t *options)
{
    *self = (gateway_node_t){.options = *options};
}

void gateway_node_add_broker(gateway_node_t *self, router_t *broker)
{
    static const wire_ops_t ops = {.frame = on_frame,
                                   .stopped_until_ms = stopped_until_ms,
                                   .broken = on_broken};

    wire_t *wire = &self->wires[self->wire_count++];
    wire_init(wire, SIDE_GATEWAYS, broker, self, &ops);
    wire_let_stray(wire);
}

void gateway_node_fini(gateway_node_t *self)
{
    if (self->hub != NULL) {
        gateway_node_crash(self);
    }
    while (self->socks != NULL) {
        struct lws *sock = self->socks;
        self->socks = sock->next;
        buf_fini(&sock->to_gateway);
        buf_fini(&sock->to_client);
        free(sock);
    }
    for (size_t i = 0; i < self->wire_count; i++) {
        wire_fini(&self->wires[i]);
    }
}

void gateway_node_start(gateway_node_t *self)
{
    char error[256];

    self->life++;
    self->in_turn = false;
    self->sessions = 0;
    self->stopped_until_ms = 0;
    self->hub = hub_new(&self->options, world_now_ms(), error, sizeof error);
    must(self->hub != NULL);
    /* So that even few are many. */
    self->hub->fanout.at_once = (uint32_t)world_between(0, 3);
    self->hub->fanout.per_turn = (uint32_t)world_between(1, 3);
    self->hub->fanout.per_member = (uint32_t)world_between(1, 3);
    self->loop = self->hub->loop;
    world_trace("gateway starts, loop %06x", self->loop);
    for (size_t i = 0; i < self->wire_count; i++) {
        add_broker(self, &self->wires[i], 0);
    }
    tick(self, self->life);
}

void gateway_node_crash(gateway_node_t *self)
{
    world_trace("gateway crashes");
    for (size_t i = 0; i < self->hub->link_count; i++) {
        if (self->hub->links[i]->departed.len > 0) {
            truth_torn(self->hub->loop); /* two brokers make its DISCONNECT */
        }
    }
    self->dead[self->life++ % LIVES_KEPT] = self->loop;
    for (size_t i = 0; i < self->wire_count; i++) {
        wire_close(&self->wires[i]);
    }
    hub_destroy(&self->hub);
    for (struct lws *sock = self->socks; sock != NULL; sock = sock->next) {
        if (sock->user != NULL) {
            sock->user = NULL;
            sock->gateway_ended = true;
            sock->was_reset = true;
            wake_client(sock);
        }
    }
}

void gateway_node_stop(gateway_node_t *self, int64_t ms)
{
    world_trace("gateway stands still for %lld ms", (long long)ms);
    self->stopped_until_ms = world_now_ms() + ms;
}
