/* SPDX-License-Identifier: MIT */
#include "tests/simulation/broker_node.h"

#include "tests/simulation/truth.h"
#include "tests/simulation/worker_node.h"
#include "tests/simulation/world.h"

#include <stdio.h>

#define TICK_MS        50 /* as base/actor.h */
#define PARKED_MS      5  /* from here on as broker.c */
#define PROBES         4
#define PROBE_SOON_MS  20
#define LAST_FRAMES_MS 50
#define RESTART_MS     2000 /* after an end in order, at most */

static int64_t stopped_until_ms(void *owner)
{
    const broker_node_t *self = owner;
    return self->stopped_until_ms;
}

/* --- turns --------------------------------------------------------------- */

static void probe_when_due(broker_node_t *self)
{
    int64_t wait_ms =
        self->probes_due > 0 ? PROBE_SOON_MS : self->options.heartbeat_ms;

    if (world_now_ms() - self->probed_ms >= wait_ms) {
        self->probes_due -= self->probes_due > 0;
        self->probed_ms = world_now_ms();
        core_probe(self->core);
    }
}

/* What it had nobody to tell of. */
static void note_presence(broker_node_t *self)
{
    uint64_t lost = core_stats(self->core)->presences_lost;

    if (lost != self->presences_lost) {
        self->presences_lost = lost;
        truth_presence_lost();
    }
}

/* Its peers keep the rules: it must not count them at fault. */
static void check_stats(const broker_node_t *self)
{
    const broker_stats_t *stats = core_stats(self->core);

    if (stats->over_window + stats->push_window > 0) {
        world_broken("the broker sees a window overrun that was kept");
    }
    if (stats->malformed + stats->unexpected > 0) {
        world_broken("the broker sees a fault where there was none");
    }
}

static void end_turn(void *subject, uint32_t life);

static void start_again(void *subject, uint32_t life)
{
    broker_node_t *self = subject;

    if (life == self->life && self->core == NULL) {
        broker_node_start(self);
    }
}

/* Of what it asked last the store may have done some before it died. */
static void end_core(broker_node_t *self)
{
    self->life++;
    core_destroy(&self->core);
    while (self->table != NULL && self->model.held_count > 0 &&
           world_chance(2)) {
        (void)model_store_answer_behind(&self->model, world_below(4));
    }
    store_destroy(&self->store);
}

static void begin_turn(broker_node_t *self)
{
    if (!self->in_turn) {
        self->in_turn = true;
        store_begin(self->store, world_wall_ms() + self->clock_off_ms);
        core_begin(self->core, world_now_ms() * 1000);
        world_after(world_between(0, 1), end_turn, self, self->life);
    }
}

/* The oldest of its questions is answered. */
static void answer_one(void *subject, uint32_t life)
{
    broker_node_t *self = subject;

    if (life != self->life || self->answers_due == 0) {
        return;
    }
    begin_turn(self);
    if (model_store_answer_behind(&self->model, world_below(4))) {
        self->answers_due--;
    }
}

static void await_answers(broker_node_t *self)
{
    while (self->answers_due < self->model.held_count) {
        self->answers_due++;
        world_after(world_between(0, self->store_ms), answer_one, self,
                    self->life);
    }
}

static void turn_again(void *subject, uint32_t life)
{
    broker_node_t *self = subject;

    if (life == self->life && world_now_ms() >= self->stopped_until_ms) {
        begin_turn(self);
    }
}

static void close_and_restart(void *subject, uint32_t life)
{
    broker_node_t *self = subject;

    if (life == self->life) {
        router_close(&self->router);
        truth_broker_crashed(); /* its last words have been heard by now */
        world_after(world_between(0, RESTART_MS), start_again, self, life);
    }
}

static bool may_leave(broker_node_t *self)
{
    self->router.has_drained = core_is_drained(self->core);
    if (self->router.has_drained && core_is_parked(self->core)) {
        world_broken("a broker that ended in order left what a full socket has "
                     "not taken");
    }
    return self->router.has_drained || world_now_ms() >= self->drain_until_ms;
}

/* Its last frames have a moment to be read, as in broker.c. */
static void leave(broker_node_t *self)
{
    world_trace("broker %u leaves, %s", self->number,
                self->router.has_drained ? "drained" : "cut short");
    core_stop(self->core);
    end_core(self);
    truth_broker_crashed(); /* its memory is gone, all the same */
    world_after(LAST_FRAMES_MS, close_and_restart, self, self->life);
}

static void end_turn(void *subject, uint32_t life)
{
    broker_node_t *self = subject;

    if (life != self->life || !self->in_turn) {
        return;
    }
    self->in_turn = false;
    probe_when_due(self);
    core_end(self->core);
    if (self->table != NULL) {
        await_answers(self);
    }
    check_stats(self);
    note_presence(self);
    if (self->drain_until_ms > 0 && may_leave(self)) {
        leave(self);
        return;
    }
    if (core_is_parked(self->core)) {
        world_after(PARKED_MS, turn_again, self, life);
    }
}

static void tick(void *subject, uint32_t life)
{
    broker_node_t *self = subject;
    int64_t wait_ms = self->stopped_until_ms - world_now_ms();

    if (life != self->life) {
        return;
    }
    if (wait_ms <= 0) {
        begin_turn(self);
        wait_ms = TICK_MS;
    }
    world_after(wait_ms, tick, self, life);
}

static void note_messages(const uint8_t *bytes, size_t len)
{
    wire_cursor_t in = wire_cursor((wire_bytes_t){bytes, len});
    message_t message;
    uint32_t attempt, n;

    while (message_decode(&in, &message) == 1) {
        if (message.kind == KIND_REQUEST &&
            message.request.event == EVENT_MESSAGE) {
            worker_node_read(message.request.body.bytes, &attempt, &n);
            truth_came(attempt, n);
        }
    }
}

static void on_frame(void *owner, wire_t *wire, const uint8_t *bytes,
                     size_t len)
{
    broker_node_t *self = owner;

    if (self->core == NULL) {
        return; /* it has left, and its sockets are about to */
    }
    if (self->is_probed && wire->side == SIDE_GATEWAYS) {
        note_messages(bytes, len);
    }
    begin_turn(self);
    core_frame(self->core,
               &(origin_t){wire->side, wire->id, sizeof wire->id, 0}, bytes,
               len);
}

static void on_broken(void *owner, wire_t *wire)
{
    broker_node_t *self = owner;
    (void)wire;

    self->probes_due = PROBES;
}

static int send_frame(void *user, side_t side, const uint8_t *id, size_t id_len,
                      const uint8_t *frame, size_t len)
{
    broker_node_t *self = user;

    return router_send(&self->router, side, id, id_len, frame, len);
}

/* --- life ---------------------------------------------------------------- */

void broker_node_init(broker_node_t *self, unsigned number,
                      const broker_options_t *options, model_table_t *table)
{
    static const router_ops_t ops = {.frame = on_frame,
                                     .stopped_until_ms = stopped_until_ms,
                                     .broken = on_broken};

    *self = (broker_node_t){.number = number,
                            .options = *options,
                            .table = table,
                            .store_ms = 5,
                            .router = {.owner = self, .ops = &ops}};
}

void broker_node_fini(broker_node_t *self)
{
    if (self->core != NULL) {
        broker_node_crash(self);
    }
}

void broker_node_start(broker_node_t *self)
{
    static const core_ops_t ops = {.send = send_frame};
    char *boot = self->names[++self->boots % BOOTS_KEPT];

    snprintf(boot, sizeof self->names[0], "broker-%u.%u", self->number,
             self->boots);
    world_trace("broker starts as %s", boot);
    self->life++;
    self->in_turn = false;
    self->stopped_until_ms = 0;
    self->probes_due = 0;
    self->drain_until_ms = 0;
    self->router.has_drained = false;
    self->probed_ms = world_now_ms();
    store_options_init(&self->store_options);
    self->answers_due = 0;
    if (self->table == NULL) {
        self->store = store_memory_new(&self->store_options);
    } else {
        model_store_init(&self->model, self->table, boot);
        self->model.holds = true;
        model_store_fail(&self->model, self->store_failure);
        self->store = &self->model.store;
    }
    store_begin(self->store, world_wall_ms() + self->clock_off_ms);
    self->core =
        core_new(&self->options, boot, &ops, self, self->store, world_now_ms());
    self->presences_lost = 0;
    self->router.is_alive = true;
    tick(self, self->life);
}

void broker_node_crash(broker_node_t *self)
{
    world_trace("broker %u crashes", self->number);
    router_close(&self->router);
    end_core(self);
}

void broker_node_drain(broker_node_t *self, int64_t ms)
{
    world_trace("broker %u drains", self->number);
    self->drain_until_ms = world_now_ms() + ms;
    core_drain(self->core);
}

/* The store does not wait for who stands still, nor is there an answer that
 * would make it take a turn then. */
static void end_questions(broker_node_t *self)
{
    while (self->table != NULL && self->core != NULL &&
           (self->in_turn || self->model.held_count > 0)) {
        begin_turn(self);
        while (model_store_answer(&self->model)) {
        }
        self->answers_due = 0;
        end_turn(self, self->life);
    }
}

void broker_node_stop(broker_node_t *self, int64_t ms)
{
    world_trace("broker %u stands still for %lld ms", self->number,
                (long long)ms);
    if (self->stopped_until_ms <= world_now_ms()) {
        end_questions(self);
    }
    self->stopped_until_ms = world_now_ms() + ms;
}

void broker_node_fail_store(broker_node_t *self, int failure)
{
    self->store_failure = failure;
    if (self->core != NULL && self->table != NULL) {
        if (self->model.held_count > 0) {
            begin_turn(self); /* it does not stand still: end_questions */
        }
        self->model.does_all_the_same = failure != 0 && world_chance(3);
        model_store_fail(&self->model, failure);
        if (failure != 0) { /* it has answered all; what is due is for others */
            self->answers_due = 0;
        }
    }
}
