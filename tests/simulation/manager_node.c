/* SPDX-License-Identifier: MIT */
#include "tests/simulation/manager_node.h"

#include "base/xalloc.h"
#include "tests/simulation/asks.h"
#include "tests/simulation/truth.h"
#include "tests/simulation/world.h"

#include <stdio.h>
#include <string.h>

#define TICK_MS  50  /* as base/actor.h */
#define PAUSE_MS 250 /* between requests, at most */
#define BURST    4   /* at once, at most */
#define BODY_MAX 1024

static int64_t stopped_until_ms(void *owner)
{
    const manager_node_t *self = owner;
    return self->stopped_until_ms;
}

/* --- turns --------------------------------------------------------------- */

static void send_frames(manager_node_t *self)
{
    for (size_t i = 0; i < self->wire_count; i++) {
        uplink_t *uplink = self->uplinks[i];
        if (uplink->out.len > 0 &&
            wire_send(&self->wires[i], uplink->out.data, uplink->out.len)) {
            uplink_sent(uplink, world_now_ms());
        }
    }
}

static void end_turn(void *subject, uint32_t life)
{
    manager_node_t *self = subject;

    if (life == self->life) {
        self->in_turn = false;
        manager_end(self->manager);
        send_frames(self);
        asks_check_due();
    }
}

/* What its monitors say. */
static void take_broken(manager_node_t *self)
{
    for (size_t i = 0; i < self->wire_count; i++) {
        if (self->is_broken[i]) {
            self->is_broken[i] = false;
            manager_broken(self->manager, i);
        }
    }
}

static void begin_turn(manager_node_t *self)
{
    if (!self->in_turn) {
        self->in_turn = true;
        manager_begin(self->manager, world_now_ms(), world_wall_ms());
        take_broken(self);
        world_after(world_between(0, 1), end_turn, self, self->life);
    }
}

static void tick(void *subject, uint32_t life)
{
    manager_node_t *self = subject;
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

static void on_frame(void *owner, wire_t *wire, const uint8_t *bytes,
                     size_t len)
{
    manager_node_t *self = owner;

    begin_turn(self);
    manager_frame(self->manager, (size_t)(wire - self->wires),
                  (wire_bytes_t){bytes, len});
}

static void on_broken(void *owner, wire_t *wire)
{
    manager_node_t *self = owner;

    self->is_broken[wire - self->wires] = true;
    if (self->manager != NULL && world_now_ms() >= self->stopped_until_ms) {
        begin_turn(self);
        take_broken(self);
    }
}

/* --- requests ------------------------------------------------------------ */

static void on_answer(void *user, manager_caller_t caller,
                      const api_reply_t *reply)
{
    const manager_node_t *self = user;
    asks_answer_t answer = {.status = reply->status};
    unsigned long long delivered, gone, refused;
    char body[128];

    if (self->is_ending) {
        return;
    }
    snprintf(body, sizeof body, "%.*s", (int)reply->body.len,
             (const char *)reply->body.data);
    if (sscanf(body, "{\"delivered\":%llu,\"gone\":%llu,\"refused\":%llu}",
               &delivered, &gone, &refused) == 3) {
        answer.delivered = delivered;
        answer.gone = gone;
        answer.refused = refused;
    }
    asks_told((uint32_t)caller.number, &answer);
}

/* Which broker it went to is seen by what is to be sent there. */
static void ask(manager_node_t *self, uint32_t number, const char *line,
                const char *body)
{
    size_t before[BROKERS_MAX];
    http_request_t request;
    char head[256];

    int len =
        snprintf(head, sizeof head,
                 "%s HTTP/1.1\r\nHost: sim\r\nContent-Length: %zu\r\n\r\n",
                 line, strlen(body));
    must(http_parse((const uint8_t *)head, (size_t)len, sizeof head,
                    &request) == 0);
    for (size_t i = 0; i < self->wire_count; i++) {
        before[i] = self->uplinks[i]->out.len;
    }
    manager_ask(self->manager, (manager_caller_t){0, number}, true, &request,
                wire_bytes(body));
    for (size_t i = 0; i < self->wire_count; i++) {
        if (self->uplinks[i]->out.len != before[i]) {
            asks_sent(number, i);
        }
    }
}

/* One that is to be let in may have no gateway that calls it open, or has. */
static bool is_settled(uint32_t attempt)
{
    return truth_is_open(attempt) || truth_closed_ms(attempt) > 0;
}

static void ask_about(manager_node_t *self, ask_verb_t verb)
{
    static const char *const methods[] = {"POST", "", "GET", "DELETE"};
    uint32_t attempt = self->choose();
    char line[64], body[32] = "", conn[CONN_ID_TEXT];

    if (attempt == 0 || !truth_conn(attempt, conn) ||
        (verb == ASK_CLOSE && !is_settled(attempt))) {
        return;
    }
    uint32_t number = asks_about(verb, self->number, attempt);
    snprintf(line, sizeof line, "%s /@connections/%.16s", methods[verb], conn);
    if (verb == ASK_POST) {
        snprintf(body, sizeof body, "post %u", number);
    }
    ask(self, number, line, body);
}

static void cast_to(manager_node_t *self, const char *path, const char *name)
{
    uint32_t number = asks_cast(self->number, name);
    char line[64], body[32];

    snprintf(line, sizeof line, "POST %s", path);
    snprintf(body, sizeof body, "cast %u", number);
    ask(self, number, line, body);
}

static void ask_cast(manager_node_t *self)
{
    int64_t choice = world_between(0, 3);
    char path[32], name[8];

    if (choice == 0) {
        cast_to(self, "/@all", "all");
        return;
    }
    if (choice == 1) {
        snprintf(name, sizeof name, "u%u", (unsigned)world_below(TRUTH_USERS));
        snprintf(path, sizeof path, "/@users/%s", name);
    } else {
        snprintf(name, sizeof name, "g%u", (unsigned)world_below(TRUTH_GROUPS));
        snprintf(path, sizeof path, "/@groups/%s", name);
    }
    cast_to(self, path, name);
}

static void ask_something(manager_node_t *self)
{
    if (world_chance(self->closes)) {
        ask_about(self, ASK_CLOSE);
    } else if (world_chance(3)) {
        ask_cast(self);
    } else {
        ask_about(self, world_chance(3) ? ASK_GET : ASK_POST);
    }
}

/* Who asks one that stands still waits, as its pipe does. */
static void act(void *subject, uint32_t life)
{
    manager_node_t *self = subject;

    if (life != self->life) {
        return;
    }
    if (!self->is_quiet && world_now_ms() >= self->stopped_until_ms) {
        begin_turn(self);
        for (int64_t i = world_between(1, BURST); i > 0; i--) {
            ask_something(self);
        }
    }
    world_after(world_between(1, PAUSE_MS), act, self, life);
}

/* --- life ---------------------------------------------------------------- */

void manager_node_init(manager_node_t *self, manager_choice_fn *choose)
{
    *self = (manager_node_t){.choose = choose};
}

void manager_node_add_broker(manager_node_t *self, router_t *broker)
{
    static const wire_ops_t ops = {.frame = on_frame,
                                   .stopped_until_ms = stopped_until_ms,
                                   .broken = on_broken};

    wire_init(&self->wires[self->wire_count++], SIDE_GATEWAYS, broker, self,
              &ops);
}

void manager_node_fini(manager_node_t *self)
{
    if (self->manager != NULL) {
        manager_node_crash(self);
    }
    for (size_t i = 0; i < self->wire_count; i++) {
        wire_fini(&self->wires[i]);
    }
}

void manager_node_start(manager_node_t *self, uint32_t number)
{
    const manager_options_t options = {.name = "sim",
                                       .stage = "",
                                       .body_max = BODY_MAX,
                                       .answer = on_answer,
                                       .user = self};

    world_trace("manager %u starts", number);
    self->number = number;
    self->life++;
    self->in_turn = false;
    self->is_ending = false;
    self->stopped_until_ms = 0;
    snprintf(self->boot, sizeof self->boot, "manager-%u", number);
    self->manager = manager_new(&options, self->boot);
    manager_begin(self->manager, world_now_ms(), world_wall_ms());
    for (size_t i = 0; i < self->wire_count; i++) {
        self->uplinks[i] = manager_add_broker(self->manager, i, "tcp://b:1");
        self->is_broken[i] = false;
        wire_open(&self->wires[i]);
    }
    tick(self, self->life);
    act(self, self->life);
}

/* What it is asked dies with it. */
void manager_node_crash(manager_node_t *self)
{
    world_trace("manager %u crashes", self->number);
    asks_orphaned(self->number);
    self->life++;
    for (size_t i = 0; i < self->wire_count; i++) {
        wire_close(&self->wires[i]);
    }
    self->is_ending = true;
    manager_destroy(&self->manager);
}

void manager_node_stop(manager_node_t *self, int64_t ms)
{
    world_trace("manager %u stands still for %lld ms", self->number,
                (long long)ms);
    self->stopped_until_ms = world_now_ms() + ms;
    asks_stopped(self->number, self->stopped_until_ms);
}
