/* SPDX-License-Identifier: MIT */
#include "tests/simulation/faults.h"

#include "tests/simulation/cast.h"
#include "tests/simulation/truth.h"
#include "tests/simulation/world.h"

#include <errno.h>

#define LONG_MS           7000 /* longer than a lease */
#define JUMP_MS           ((int64_t)40 * 365 * 86400 * 1000)
#define SHARED_JUMP_MS    1000
#define RESETS_APART_MS   1700 /* so that it has come back before */
#define HANG_UP_MS        30   /* until a dead process's links break, at most */
#define SILENCE_MARGIN_MS 400  /* of who judges it: sweeps, turns, travel */

static const char *const fault_names[FAULTS] = {
    "worker-crashes",  "worker-drains",       "worker-stops",
    "worker-cut-off",  "worker-breaks",       "handler-hangs",
    "handler-drags",   "gateway-crashes",     "gateway-stops",
    "gateway-cut-off", "gateway-link-breaks", "manager-crashes",
    "manager-stops",   "manager-cut-off",     "manager-link-breaks",
    "broker-crashes",  "broker-stops",        "broker-drains",
    "store-fails",     "store-emptied",       "store-slow",
    "links-flap",      "sockets-fill",        "names-change",
    "clocks-jump",
};

void faults_print(FILE *out)
{
    fprintf(out, "faults:");
    for (int i = 0; i < FAULTS; i++) {
        if (cast.may[i]) {
            fprintf(out, " %s", fault_names[i]);
        }
    }
    fputc('\n', out);
}

/* --- up again ------------------------------------------------------------ */

static void restart_worker(void *subject, uint32_t life)
{
    worker_node_t *worker = subject;
    (void)life;

    if (!worker_node_is_running(worker)) {
        worker_node_start(worker);
    }
}

static void restart_gateway(void *subject, uint32_t life)
{
    gateway_node_t *gateway = subject;
    (void)life;

    if (gateway->hub == NULL) {
        cast_start_gateway(gateway);
    }
}

static void restart_manager(void *subject, uint32_t life)
{
    manager_node_t *manager = subject;
    (void)life;

    if (manager->manager == NULL) {
        cast_start_manager(manager);
    }
}

static void restart_broker(void *subject, uint32_t life)
{
    broker_node_t *broker = subject;
    (void)life;

    if (broker->core == NULL) {
        broker_node_start(broker);
    }
}

void faults_restart_all(void)
{
    for (size_t i = 0; i < cast.broker_count; i++) {
        restart_broker(&cast.brokers[i], 0);
    }
    for (size_t i = 0; i < cast.gateway_count; i++) {
        restart_gateway(&cast.gateways[i], 0);
    }
    for (size_t i = 0; i < cast_link_count(); i++) {
        restart_worker(cast_link(i), 0);
    }
    for (size_t i = 0; i < cast.manager_count; i++) {
        restart_manager(&cast.managers[i], 0);
    }
}

void faults_end_hung(void)
{
    for (size_t i = 0; i < cast_link_count(); i++) {
        worker_node_t *worker = cast_link(i);
        if (cast.may[HANDLER_HANGS] && worker_node_is_running(worker)) {
            truth_lost(world_now_ms());
            worker_node_crash(worker);
            restart_worker(worker, 0);
        }
    }
}

/* --- workers ------------------------------------------------------------- */

static void hurt_worker(mishap_t fault, worker_node_t *worker)
{
    if (!worker_node_is_running(worker)) {
        return;
    }
    switch (fault) {
    case WORKER_DRAINS:
        if (!worker->is_draining) {
            worker_node_drain(worker);
        }
        return; /* whoever left is started again by `mind` */
    case WORKER_STOPS:
        worker_node_stop(worker, world_between(50, 3000));
        return;
    case WORKER_CUT_OFF:
        worker_node_hole(worker, world_between(50, 3000));
        return;
    default:
        world_trace("the link of worker %u breaks", worker->number);
        wire_break(&worker->wire);
        return;
    }
}

/* All its links end at once, and brokers see one after the other break. */
static void crash_process(size_t process)
{
    truth_lost(world_now_ms());
    cast.processes[process].life++;
    for (size_t i = 0; i < cast.links_each; i++) {
        worker_node_t *link = &cast.workers[process][i];
        if (worker_node_is_running(link)) {
            worker_node_die(link, i == 0 ? 0 : world_between(0, HANG_UP_MS));
            world_after(world_between(0, 2000), restart_worker, link, 0);
        }
    }
}

/* A process with all its links, or one of these. */
static void hurt_some_worker(mishap_t fault)
{
    size_t process = world_below(cast.worker_count);
    worker_node_t *links = cast.workers[process];

    if (fault == WORKER_CRASHES) {
        crash_process(process);
        return;
    }
    if (fault == WORKER_CUT_OFF || fault == WORKER_LINK_BREAKS) {
        hurt_worker(fault, &links[world_below(cast.links_each)]);
        return;
    }
    for (size_t i = 0; i < cast.links_each; i++) {
        hurt_worker(fault, &links[i]);
    }
}

/* --- gateways and brokers ------------------------------------------------ */

/* With several brokers, a silence that one side may take for a loss; of a dead
 * gateway it is the other brokers that may, when they see no lease kept. */
static void tear(const gateway_node_t *gateway, int64_t ms)
{
    if (gateway->hub != NULL && ms + SILENCE_MARGIN_MS >= LIVENESS_MS) {
        truth_unheard(gateway->loop);
    }
    if (cast.broker_count == 1) {
        return;
    }
    if (gateway->hub != NULL && ms + SILENCE_MARGIN_MS >= LIVENESS_MS) {
        truth_torn(gateway->loop);
    }
    for (size_t i = 0; i < LIVES_KEPT; i++) {
        if (gateway->dead[i] != 0 && ms + SILENCE_MARGIN_MS >= LEASE_MS / 2) {
            truth_torn(gateway->dead[i]);
        }
    }
}

static void hurt_gateway(mishap_t fault, gateway_node_t *gateway)
{
    bool is_long = cast.has_store && world_chance(3);
    int64_t ms = world_between(50, is_long ? LONG_MS : 3000);
    wire_t *wire = &gateway->wires[world_below(cast.broker_count)];

    if (gateway->hub == NULL) {
        return;
    }
    switch (fault) {
    case GATEWAY_CRASHES:
        if (cast.broker_count > 1 && cast.may[STORE_FAILS]) {
            /* One broker that cannot reach the store, and another that can,
             * each make its DISCONNECTs. */
            truth_torn(gateway->hub->loop);
        }
        truth_gateway_crashed(gateway->hub->loop);
        gateway_node_crash(gateway);
        world_after(world_between(0, 2000), restart_gateway, gateway, 0);
        return;
    case GATEWAY_STOPS:
        tear(gateway, ms);
        gateway_node_stop(gateway, ms);
        return;
    case GATEWAY_CUT_OFF:
        world_trace("gateway is cut off for %lld ms", (long long)ms);
        tear(gateway, ms);
        wire_hole(wire, ms);
        return;
    default:
        world_trace("the link of a gateway breaks");
        wire_break(wire);
        return;
    }
}

static void hurt_manager(mishap_t fault, manager_node_t *manager)
{
    int64_t ms = world_between(50, 3000);
    wire_t *wire = &manager->wires[world_below(cast.broker_count)];

    if (manager->manager == NULL) {
        return;
    }
    switch (fault) {
    case MANAGER_CRASHES:
        manager_node_crash(manager);
        world_after(world_between(0, 2000), restart_manager, manager, 0);
        return;
    case MANAGER_STOPS:
        manager_node_stop(manager, ms);
        return;
    case MANAGER_CUT_OFF:
        world_trace("manager %u is cut off for %lld ms", manager->number,
                    (long long)ms);
        wire_hole(wire, ms);
        return;
    default:
        world_trace("the link of manager %u breaks", manager->number);
        wire_break(wire);
        return;
    }
}

static void hurt_broker(mishap_t fault)
{
    broker_node_t *broker = &cast.brokers[world_below(cast.broker_count)];

    if (broker->core == NULL) {
        return;
    }
    if (fault == BROKER_CRASHES) {
        broker_node_crash(broker);
        truth_broker_crashed();
        world_after(world_between(0, 2000), restart_broker, broker, 0);
    } else if (fault == BROKER_DRAINS) {
        broker_node_drain(broker, world_between(0, 6000));
    } else {
        int64_t ms = world_between(50, 3000);
        for (size_t i = 0; i < cast.gateway_count; i++) {
            tear(&cast.gateways[i], ms);
        }
        broker_node_stop(broker, ms);
    }
}

static void reset_link(void *subject, uint32_t life)
{
    gateway_node_t *gateway = subject;
    (void)life;

    world_trace("the link of a gateway breaks in peace");
    wire_break(&gateway->wires[0]);
}

void faults_reset_links(void)
{
    truth_resets();
    for (size_t i = 0; i < cast.gateway_count; i++) {
        world_after(world_between(1, 900), reset_link, &cast.gateways[i], 0);
        world_after(world_between(RESETS_APART_MS, 2300), reset_link,
                    &cast.gateways[i], 0);
    }
}

/* --- the store, clocks --------------------------------------------------- */

void faults_mend_store(void)
{
    for (size_t i = 0; i < cast.broker_count; i++) {
        broker_node_fail_store(&cast.brokers[i], 0);
    }
}

static void mend_store(void *subject, uint32_t life)
{
    (void)subject;
    (void)life;
    faults_mend_store();
}

static void hurt_store(mishap_t fault)
{
    if (!cast.has_store) {
        return;
    }
    if (fault == STORE_EMPTIED) {
        world_trace("the store is emptied");
        model_table_empty(&cast.table);
    } else if (fault == STORE_FAILS) {
        bool is_for_all = world_chance(3);
        int64_t ms = world_between(50, world_chance(2) ? LONG_MS : 3000);
        size_t one = world_below(cast.broker_count);
        world_trace("the store fails for %lld ms", (long long)ms);
        for (size_t i = 0; i < cast.broker_count; i++) {
            if (is_for_all || i == one) {
                broker_node_fail_store(&cast.brokers[i], -ETIMEDOUT);
            }
        }
        world_after(ms, mend_store, NULL, 0);
    }
}

/* The hosts' own, which the time of a turn does not come from.  Where brokers
 * share rows, these end by it, so there it is only set right. */
static void jump_clock(void)
{
    bool is_gateway = world_chance(2);
    int64_t most_ms = is_gateway || !cast.has_store ? JUMP_MS : SHARED_JUMP_MS;
    int64_t jump_ms = world_between(-most_ms, most_ms);

    if (is_gateway) {
        gateway_node_t *gateway =
            &cast.gateways[world_below(cast.gateway_count)];
        gateway->clock_off_ms = jump_ms;
    } else {
        broker_node_t *broker = &cast.brokers[world_below(cast.broker_count)];
        broker->clock_off_ms = jump_ms;
    }
    world_trace("a clock jumps to %lld ms off", (long long)jump_ms);
}

/* --- when ---------------------------------------------------------------- */

static void hurt(mishap_t fault)
{
    if (fault <= WORKER_LINK_BREAKS) {
        hurt_some_worker(fault);
    } else if (fault >= GATEWAY_CRASHES && fault <= GATEWAY_LINK_BREAKS) {
        hurt_gateway(fault, &cast.gateways[world_below(cast.gateway_count)]);
    } else if (fault >= MANAGER_CRASHES && fault <= MANAGER_LINK_BREAKS) {
        if (cast.manager_count > 0) {
            hurt_manager(fault,
                         &cast.managers[world_below(cast.manager_count)]);
        }
    } else if (fault >= BROKER_CRASHES && fault <= BROKER_DRAINS) {
        hurt_broker(fault);
    } else if (fault >= STORE_FAILS && fault <= STORE_SLOW) {
        hurt_store(fault);
    } else if (fault == CLOCKS_JUMP) {
        jump_clock();
    }
}

static void strike(void *subject, uint32_t life)
{
    mishap_t fault = (mishap_t)world_below(FAULTS);

    if (cast.is_chaos) {
        if (cast.may[fault]) {
            hurt(fault);
        }
        world_after(world_between(1, cast.pause_ms), strike, subject, life);
    }
}

/* Whoever left by itself is started again, as a supervisor would. */
static void mind(void *subject, uint32_t life)
{
    for (size_t i = 0; i < cast_link_count(); i++) {
        restart_worker(cast_link(i), 0);
    }
    world_after(1500, mind, subject, life);
}

void faults_begin(void)
{
    strike(NULL, 0);
    mind(NULL, 0);
}
