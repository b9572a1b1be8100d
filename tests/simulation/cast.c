/* SPDX-License-Identifier: MIT */
#include "tests/simulation/cast.h"

#include "tests/simulation/truth.h"
#include "tests/simulation/world.h"

#define REQUEST_MS 2500
#define TTL_S      15 /* a third of it within each act of peace */
#define PACE_MS    40 /* of a handler in the probe, at least */

cast_t cast;

/* --- who, and what may happen to them ------------------------------------ */

/* Short times and small windows, so that a run meets them all. */
static broker_options_t broker_options(void)
{
    broker_options_t options;

    broker_options_init(&options);
    options.name = "sim";
    options.heartbeat_ms = 200;
    options.liveness_ms = LIVENESS_MS;
    options.route_grace_ms = world_between(0, 3000);
    options.settle_ms = world_between(0, 1500);
    options.gateway_window = 40;
    options.gateway_window_bytes =
        world_chance(2) ? 1 << 20
                        : world_between(LARGEST_REQUEST, SMALL_WINDOW);
    options.push_window = world_between(1, 10);
    options.push_window_bytes =
        world_chance(2) ? 1 << 20 : world_between(40, 200);
    options.store_lease_ms = LEASE_MS;
    options.store_ttl_s = TTL_S;
    options.max_workers = 16;
    options.max_gateways = 16;
    return options;
}

static gateway_options_t gateway_options(void)
{
    gateway_options_t options;

    gateway_options_init(&options);
    options.name = "sim";
    options.handshake_ms = 3000;
    options.request_ms = REQUEST_MS;
    options.max_message = 4096;
    options.ping_ms = 2000;
    options.pong_ms = 1500;
    options.conn_window = 8;
    options.conn_window_bytes = 65536;
    options.out_soft = 65536;
    options.out_soft_ms = 5000;
    options.out_hard = 1 << 20;
    options.drain_ms = 5000;
    return options;
}

static const char *const all_routes[] = {
    "$connect", "$disconnect", "one", "two", ROUTE_AGAIN, ROUTE_LOOSE, NULL};
static const char *const some_routes[] = {
    "$connect", "$disconnect", "one", "lone", ROUTE_AGAIN, ROUTE_LOOSE, NULL};
static const char *const routes_and_presence[] = {
    "$connect", "$disconnect", "$presence", "one",
    "two",      ROUTE_AGAIN,   ROUTE_LOOSE, NULL};

/* The first worker serves all that any does. */
static const char *const *choose_routes(size_t worker)
{
    if (cast.has_presence && (worker == 0 || world_chance(2))) {
        return routes_and_presence;
    }
    return worker == 0 || world_chance(2) ? all_routes : some_routes;
}

/* Whom a manager is asked about: mostly one whose client is there. */
static uint32_t choose_attempt(void)
{
    uint64_t attempts = truth_counts().attempts;

    if (attempts == 0 || !world_chance(5)) {
        return cast.clients[world_below(cast.client_count)].attempt;
    }
    return 1 + (uint32_t)world_below(attempts);
}

static void set_up_managers(void)
{
    cast.manager_count =
        world_chance(2) ? (size_t)world_between(1, MANAGERS_MAX) : 0;
    cast.manager_starts = 0;
    for (size_t i = 0; i < cast.manager_count; i++) {
        manager_node_init(&cast.managers[i], choose_attempt);
        for (size_t j = 0; j < cast.broker_count; j++) {
            manager_node_add_broker(&cast.managers[i], &cast.brokers[j].router);
        }
    }
}

static void choose_faults(void)
{
    for (int i = 0; i < FAULTS; i++) {
        cast.may[i] = world_chance(3);
    }
    cast.pause_ms = world_between(100, 2500);
}

static void set_up_workers(void)
{
    size_t threads =
        world_chance(3) ? (size_t)world_between(2, THREADS_MAX) : 1;

    cast.links_each = threads * cast.broker_count;
    for (size_t i = 0; i < cast.worker_count; i++) {
        worker_options_t options = {
            .process = &cast.processes[i],
            .routes = choose_routes(i),
            .is_stubborn = world_chance(3),
            .window = (uint32_t)world_between(1, 12),
            .window_bytes =
                world_chance(2) ? 1 << 20 : (uint32_t)world_between(100, 2000)};
        cast.processes[i] = (process_t){.number = (uint32_t)i + 1};
        for (size_t j = 0; j < cast.links_each; j++) {
            worker_node_init(&cast.workers[i][j], &options,
                             &cast.brokers[j % cast.broker_count].router);
        }
    }
}

void cast_set_up(void)
{
    worker_node_begin();
    choose_faults();
    broker_options_t of_broker = broker_options();
    gateway_options_t of_gateway = gateway_options();
    cast.gateway_count = (size_t)world_between(1, GATEWAYS_MAX);
    cast.worker_count = (size_t)world_between(1, WORKERS_MAX);
    cast.client_count = (size_t)world_between(1, CLIENTS_MAX);
    cast.broker_count =
        world_chance(2) ? 1 : (size_t)world_between(2, BROKERS_MAX);
    cast.has_store = world_chance(2);
    cast.has_presence = world_chance(4); /* probes see less then … */
    cast.has_resets =                    /* … and then */
        cast.broker_count == 1 && cast.may[GATEWAY_LINK_BREAKS] &&
        world_chance(2);
    if (cast.has_store) {
        model_table_init(&cast.table);
    }
    bool is_sure = !cast.may[STORE_FAILS] && !cast.may[STORE_EMPTIED];
    truth_store(!cast.has_store ? STORE_NONE
                : is_sure       ? STORE_SURE
                                : STORE_UNSURE);
    for (size_t i = 0; i < cast.broker_count; i++) {
        broker_node_init(&cast.brokers[i], (unsigned)i + 1, &of_broker,
                         cast.has_store ? &cast.table : NULL);
    }
    for (size_t i = 0; i < cast.gateway_count; i++) {
        gateway_node_init(&cast.gateways[i], &of_gateway);
        for (size_t j = 0; j < cast.broker_count; j++) {
            gateway_node_add_broker(&cast.gateways[i], &cast.brokers[j].router);
        }
    }
    set_up_workers();
    for (size_t i = 0; i < cast.client_count; i++) {
        client_init(&cast.clients[i], cast.gateways, cast.gateway_count);
    }
    set_up_managers();
}

/* --- the acts ------------------------------------------------------------ */

size_t cast_link_count(void)
{
    return cast.worker_count * cast.links_each;
}

worker_node_t *cast_link(size_t i)
{
    return &cast.workers[i / cast.links_each][i % cast.links_each];
}

static void set_broker_chances(broker_node_t *broker, act_t act)
{
    bool is_chaos = act == CHAOS;

    /* Of two brokers, who knows whose first message comes first?  And it may
     * wait behind a PRESENCE. */
    broker->is_probed = act == PROBE && cast.broker_count == 1 &&
                        !cast.has_presence && !cast.has_resets;
    broker->router.flap = is_chaos && cast.may[LINKS_FLAP] ? 3 : 0;
    broker->router.late = act == PROBE ? 0 : 40;
    broker->store_ms = is_chaos && cast.may[STORE_SLOW] ? 400 : 5;
    broker->router.park = is_chaos && cast.may[SOCKETS_FILL] ? 20 : 0;
}

void cast_set_chances(act_t act)
{
    bool is_chaos = act == CHAOS;

    cast.is_chaos = is_chaos;
    for (size_t i = 0; i < cast.broker_count; i++) {
        set_broker_chances(&cast.brokers[i], act);
    }
    for (size_t i = 0; i < cast.gateway_count; i++) {
        cast.gateways[i].holds = act == PROBE ? 0 : 200;
        cast.gateways[i].forgets = is_chaos && cast.may[NAMES_CHANGE] ? 4 : 0;
    }
    for (size_t i = 0; i < cast_link_count(); i++) {
        worker_options_t *options = &cast_link(i)->options;
        options->hangs = is_chaos && cast.may[HANDLER_HANGS] ? 150 : 0;
        options->drags = is_chaos && cast.may[HANDLER_DRAGS] ? 60 : 0;
        options->pushes = act == PROBE ? 2 : 10;
        options->kicks = act == PROBE ? 20 : 150;
        options->joins = act == PROBE ? 2 : 6;
        options->cries = act == PROBE ? 2 : 6;
        options->refuses = act == CHAOS || act == CALM ? 12 : 0;
        options->pace_ms = act == PROBE ? PACE_MS : 0;
    }
    /* What it cannot ask before it closes, it does not close. */
    unsigned closes = act != PROBE ? 30 : cast.has_resets ? 0 : 40;
    for (size_t i = 0; i < cast.manager_count; i++) {
        cast.managers[i].closes = closes;
        cast.managers[i].is_quiet = act == RETURN;
    }
}

/* --- life ---------------------------------------------------------------- */

/* A broker whose address it lacks cannot ask it, and takes it for dead when the
 * one that it speaks to cannot reach the store. */
void cast_start_gateway(gateway_node_t *gateway)
{
    gateway_node_start(gateway);
    if (cast.broker_count > 1 && cast.has_store && cast.may[STORE_FAILS] &&
        cast.may[NAMES_CHANGE]) {
        truth_torn(gateway->loop);
    }
}

void cast_start_manager(manager_node_t *manager)
{
    manager_node_start(manager, ++cast.manager_starts);
}

void cast_start(void)
{
    for (size_t i = 0; i < cast.broker_count; i++) {
        broker_node_start(&cast.brokers[i]);
    }
    for (size_t i = 0; i < cast.gateway_count; i++) {
        cast_start_gateway(&cast.gateways[i]);
    }
    for (size_t i = 0; i < cast_link_count(); i++) {
        worker_node_start(cast_link(i));
    }
    for (size_t i = 0; i < cast.client_count; i++) {
        client_start(&cast.clients[i]);
    }
    for (size_t i = 0; i < cast.manager_count; i++) {
        cast_start_manager(&cast.managers[i]);
    }
}

void cast_fini(void)
{
    for (size_t i = 0; i < cast.client_count; i++) {
        client_fini(&cast.clients[i]);
    }
    for (size_t i = 0; i < cast.gateway_count; i++) {
        gateway_node_fini(&cast.gateways[i]);
    }
    for (size_t i = 0; i < cast_link_count(); i++) {
        worker_node_fini(cast_link(i));
    }
    for (size_t i = 0; i < cast.manager_count; i++) {
        manager_node_fini(&cast.managers[i]);
    }
    for (size_t i = 0; i < cast.broker_count; i++) {
        broker_node_fini(&cast.brokers[i]);
    }
    if (cast.has_store) {
        model_table_fini(&cast.table);
    }
}
