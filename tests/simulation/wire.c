/* SPDX-License-Identifier: MIT */
#include "tests/simulation/wire.h"

#include "base/rand.h"
#include "base/xalloc.h"
#include "tests/simulation/world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TRAVEL_MS    3   /* at most, on a good day */
#define TRAVEL_MAX   150 /* and on a bad one */
#define RECONNECT_MS 400 /* at most */
#define STRAY_MS     100 /* between two that are read late, at most */
#define FLAP_FRAMES  2 /* that get through where a connection breaks at once */

/* --- pipes --------------------------------------------------------------- */

static void pipe_clear(pipe_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        free(self->parcels[(self->head + i) % self->capacity].bytes);
    }
    self->count = 0;
    self->last_ms = 0;
}

static void pipe_put(pipe_t *self, const uint8_t *bytes, size_t len)
{
    if (self->count == self->capacity) {
        size_t capacity = self->capacity == 0 ? 16 : self->capacity * 2;
        parcel_t *parcels = xcalloc(capacity, sizeof *parcels);
        for (size_t i = 0; i < self->count; i++) {
            parcels[i] = self->parcels[(self->head + i) % self->capacity];
        }
        free(self->parcels);
        self->parcels = parcels;
        self->head = 0;
        self->capacity = capacity;
    }
    parcel_t parcel = {.bytes = malloc(len + 1), .len = len};
    must(parcel.bytes != NULL);
    if (len > 0) {
        memcpy(parcel.bytes, bytes, len);
    }
    self->parcels[(self->head + self->count++) % self->capacity] = parcel;
}

static parcel_t pipe_take(pipe_t *self)
{
    parcel_t parcel = self->parcels[self->head];

    self->head = (self->head + 1) % self->capacity;
    self->count--;
    return parcel;
}

/* When a frame that leaves now arrives: behind those before it. */
static int64_t travel_ms(const router_t *router, pipe_t *self)
{
    int64_t now_ms = world_now_ms();
    int64_t due_ms =
        now_ms + (world_chance(router->late) ? world_between(0, TRAVEL_MAX)
                                             : world_between(0, TRAVEL_MS));

    if (due_ms < self->last_ms) {
        due_ms = self->last_ms;
    }
    self->last_ms = due_ms;
    return due_ms - now_ms;
}

/* --- arrivals ------------------------------------------------------------ */

/* How much longer the next frame has to wait: a hole, or a stopped reader. */
static int64_t held_ms(const wire_t *self, int64_t stopped_until_ms)
{
    int64_t until_ms = self->hole_until_ms > stopped_until_ms
                           ? self->hole_until_ms
                           : stopped_until_ms;
    int64_t now_ms = world_now_ms();

    return until_ms > now_ms ? until_ms - now_ms : 0;
}

static void arrive_at_router(void *subject, uint32_t life)
{
    wire_t *self = subject;

    if (life != self->life || self->to_router.count == 0) {
        return;
    }
    int64_t wait_ms =
        held_ms(self, self->router->ops->stopped_until_ms(self->router->owner));
    if (wait_ms > 0) {
        world_after(wait_ms, arrive_at_router, self, life);
        return;
    }
    parcel_t parcel = pipe_take(&self->to_router);
    self->router->ops->frame(self->router->owner, self, parcel.bytes,
                             parcel.len);
    free(parcel.bytes);
}

/* It breaks while the greetings are on their way. */
static void flap(void *subject, uint32_t life)
{
    wire_t *self = subject;

    if (life == self->life) {
        world_trace("a new link breaks");
        wire_break(self);
    }
}

static void arrive_at_dealer(void *subject, uint32_t life)
{
    wire_t *self = subject;

    if (life != self->life || self->to_dealer.count == 0) {
        return;
    }
    int64_t wait_ms = held_ms(self, self->ops->stopped_until_ms(self->owner));
    if (wait_ms > 0) {
        world_after(wait_ms, arrive_at_dealer, self, life);
        return;
    }
    parcel_t parcel = pipe_take(&self->to_dealer);
    if (self->frames_left > 0 && --self->frames_left == 0) {
        world_after(world_between(0, TRAVEL_MS), flap, self, life);
    }
    self->ops->frame(self->owner, self, parcel.bytes, parcel.len);
    free(parcel.bytes);
}

/* --- what is read behind a break ----------------------------------------- */

static void stray_to_router(void *subject, uint32_t life)
{
    wire_t *self = subject;
    const router_t *router = self->router;

    if (life != self->life || self->to_router.count == 0 || !router->is_alive) {
        return;
    }
    int64_t wait_ms =
        held_ms(self, router->ops->stopped_until_ms(router->owner));
    if (wait_ms > 0) {
        world_after(wait_ms, stray_to_router, self, life);
        return;
    }
    parcel_t parcel = pipe_take(&self->to_router);
    router->ops->frame(router->owner, self, parcel.bytes, parcel.len);
    free(parcel.bytes);
    world_after(world_between(0, STRAY_MS), stray_to_router, self, life);
}

/* The first that are on their way have come already. */
static void keep_strays(wire_t *self)
{
    wire_t *former = self->former;

    former->life++;
    pipe_clear(&former->to_router);
    memcpy(former->id, self->id, sizeof self->id);
    size_t count = (size_t)world_between(0, (int64_t)self->to_router.count);
    for (; count > 0; count--) {
        parcel_t parcel = pipe_take(&self->to_router);
        pipe_put(&former->to_router, parcel.bytes, parcel.len);
        free(parcel.bytes);
    }
    world_after(world_between(0, STRAY_MS), stray_to_router, former,
                former->life);
}

/* --- connecting ---------------------------------------------------------- */

static void connect_(void *subject, uint32_t life)
{
    wire_t *self = subject;

    if (life != self->life || !self->is_wanted || self->is_up) {
        return;
    }
    if (!self->router->is_alive || world_now_ms() < self->hole_until_ms) {
        world_after(world_between(10, RECONNECT_MS), connect_, self, life);
        return;
    }
    self->id[0] = 0;
    rand_bytes(self->id + 1, sizeof self->id - 1);
    self->is_up = true;
    self->frames_left = world_chance(self->router->flap)
                            ? (unsigned)world_between(1, FLAP_FRAMES)
                            : 0;
}

static void go_down(wire_t *self)
{
    self->life++;
    self->is_up = false;
    pipe_clear(&self->to_router);
    pipe_clear(&self->to_dealer);
}

void wire_init(wire_t *self, side_t side, router_t *router, void *owner,
               const wire_ops_t *ops)
{
    *self = (wire_t){.side = side,
                     .router = router,
                     .owner = owner,
                     .ops = ops,
                     .next = router->wires};
    router->wires = self;
}

void wire_let_stray(wire_t *self)
{
    self->former = xcalloc(1, sizeof *self);
    self->former->side = self->side;
    self->former->router = self->router;
}

void wire_fini(wire_t *self)
{
    if (self->former != NULL) {
        wire_fini(self->former);
        free(self->former);
        self->former = NULL;
    }
    pipe_clear(&self->to_router);
    pipe_clear(&self->to_dealer);
    free(self->to_router.parcels);
    free(self->to_dealer.parcels);
}

void wire_open(wire_t *self)
{
    self->is_wanted = true;
    world_after(world_between(0, 20), connect_, self, self->life);
}

static void tell_router(wire_t *self, bool was_up)
{
    if (was_up && self->router->is_alive) {
        self->router->ops->broken(self->router->owner, self);
    }
}

void wire_close(wire_t *self)
{
    bool was_up = self->is_up;

    self->is_wanted = false;
    go_down(self);
    tell_router(self, was_up);
}

void wire_break(wire_t *self)
{
    if (!self->is_up) {
        return;
    }
    if (self->former != NULL && self->router->is_alive) {
        keep_strays(self);
    }
    go_down(self);
    self->ops->broken(self->owner, self);
    tell_router(self, true);
    world_after(world_between(10, RECONNECT_MS), connect_, self, self->life);
}

void wire_hole(wire_t *self, int64_t ms)
{
    self->hole_until_ms = world_now_ms() + ms;
}

bool wire_send(wire_t *self, const uint8_t *bytes, size_t len)
{
    if (!self->is_up) {
        return false;
    }
    pipe_put(&self->to_router, bytes, len);
    world_after(travel_ms(self->router, &self->to_router), arrive_at_router,
                self, self->life);
    return true;
}

/* --- the router's side --------------------------------------------------- */

static wire_t *find(router_t *self, side_t side, const uint8_t *id,
                    size_t id_len)
{
    for (wire_t *wire = self->wires; wire != NULL; wire = wire->next) {
        if (wire->is_up && wire->side == side && id_len == sizeof wire->id &&
            memcmp(wire->id, id, id_len) == 0) {
            return wire;
        }
    }
    return NULL;
}

int router_send(router_t *self, side_t side, const uint8_t *id, size_t id_len,
                const uint8_t *bytes, size_t len)
{
    wire_t *wire = find(self, side, id, id_len);

    if (wire == NULL) {
        return -EHOSTUNREACH;
    }
    if (world_chance(self->park)) {
        return -EAGAIN;
    }
    pipe_put(&wire->to_dealer, bytes, len);
    world_after(travel_ms(self, &wire->to_dealer), arrive_at_dealer, wire,
                wire->life);
    return 0;
}

void router_close(router_t *self)
{
    self->is_alive = false;
    for (wire_t *wire = self->wires; wire != NULL; wire = wire->next) {
        wire_break(wire);
        if (wire->former != NULL) {
            pipe_clear(&wire->former->to_router);
        }
    }
}
