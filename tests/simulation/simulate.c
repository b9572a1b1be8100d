/* SPDX-License-Identifier: MIT
 *
 * The simulation: real broker cores and gateway hubs, a model store, workers
 * and clients, in one thread under a seeded scheduler that delays, cuts, stops,
 * kills and restarts them, while truth.c holds the promises against what
 * happens.
 *
 *     simulate [--seeds FIRST:LAST] [--seed N --trace]
 *
 * A run has six acts: chaos; calm, in which everything is up again, but for
 * handlers that hang, and deadlines must be kept; the return, in which these
 * end, too, all open messages must come to an outcome and every client must get
 * in; a probe, in which every connection must reach a handler; the clients
 * leave; silence, in which no request, connection, session or credit may be
 * left over.
 *
 * Exit status: 0 when every seed kept the promises, 1 at the first that did
 * not, whose trace is printed.
 */
#include "tests/simulation/broker_node.h"
#include "tests/simulation/client.h"
#include "tests/simulation/gateway_node.h"
#include "tests/simulation/truth.h"
#include "tests/simulation/worker_node.h"
#include "tests/simulation/world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GATEWAYS_MAX      2
#define WORKERS_MAX       4
#define CLIENTS_MAX       8

#define CHAOS_MS          12000
#define CALM_MS           4000
#define QUIET_MS          4000
#define DEADLINE_MS       3000 /* longer than a request's */
#define RETURN_MS         8000 /* longer than every clock */
#define PROBE_MS          3000 /* longer than a request's deadline */
#define SETTLE_MS         1000
#define LEAVING_MS        6000
#define REQUEST_MS        2500
#define LIVENESS_MS       1000
#define LEASE_MS          3500 /* longer than anybody stands still */
#define TTL_S             15   /* a third of it within each act of peace */
#define LONG_MS           7000 /* longer than a lease */
#define JUMP_MS           ((int64_t)40 * 365 * 86400 * 1000)
#define SHARED_JUMP_MS    1000
#define SILENCE_MARGIN_MS 400 /* of who judges it: sweeps, turns, travel */

#define PACE_MS           40  /* of a handler in the probe, at least */
#define BURST             8   /* messages at once: a connection's window */
#define MESSAGE_BYTES     400 /* of a worker's window, at most */

/* The window in bytes of a gateway is never smaller than what it reserves for
 * its largest request (hub.c), and often little larger. */
#define LARGEST_REQUEST (512 + CONTEXT_MAX + DETAILS_MAX)
#define SMALL_WINDOW    (LARGEST_REQUEST + 4000)

/* What may go wrong in a run. */
typedef enum {
    WORKER_CRASHES,
    WORKER_DRAINS,
    WORKER_STOPS,
    WORKER_CUT_OFF,
    WORKER_LINK_BREAKS,
    HANDLER_HANGS,
    HANDLER_DRAGS,
    GATEWAY_CRASHES,
    GATEWAY_STOPS,
    GATEWAY_CUT_OFF,
    GATEWAY_LINK_BREAKS,
    BROKER_CRASHES,
    BROKER_STOPS,
    BROKER_DRAINS,
    STORE_FAILS,
    STORE_EMPTIED,
    STORE_SLOW,
    LINKS_FLAP,
    SOCKETS_FILL,
    NAMES_CHANGE,
    CLOCKS_JUMP,
    FAULTS,
} fault_t;

static const char *const fault_names[FAULTS] = {
    "worker-crashes",  "worker-drains",       "worker-stops",
    "worker-cut-off",  "worker-breaks",       "handler-hangs",
    "handler-drags",   "gateway-crashes",     "gateway-stops",
    "gateway-cut-off", "gateway-link-breaks", "broker-crashes",
    "broker-stops",    "broker-drains",       "store-fails",
    "store-emptied",   "store-slow",          "links-flap",
    "sockets-fill",    "names-change",        "clocks-jump",
};

static struct {
    bool may[FAULTS];
    bool is_chaos;
    bool has_store;    /* that the brokers share */
    bool has_presence; /* some worker serves $presence */
    model_table_t table;
    int64_t pause_ms; /* between faults, at most */
    broker_node_t brokers[BROKERS_MAX];
    gateway_node_t gateways[GATEWAYS_MAX];
    worker_node_t workers[WORKERS_MAX][BROKERS_MAX]; /* a process, its links */
    client_t clients[CLIENTS_MAX];
    uint32_t probed[CLIENTS_MAX]; /* attempts; 0: none */
    size_t broker_count, gateway_count, worker_count, client_count;
} run;

/* --- the cast ------------------------------------------------------------ */

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
    if (run.has_presence && (worker == 0 || world_chance(2))) {
        return routes_and_presence;
    }
    return worker == 0 || world_chance(2) ? all_routes : some_routes;
}

static void choose_faults(void)
{
    for (int i = 0; i < FAULTS; i++) {
        run.may[i] = world_chance(3);
    }
    run.pause_ms = world_between(100, 2500);
}

static void set_up(void)
{
    broker_options_t of_broker = broker_options();
    gateway_options_t of_gateway = gateway_options();

    run.gateway_count = (size_t)world_between(1, GATEWAYS_MAX);
    run.worker_count = (size_t)world_between(1, WORKERS_MAX);
    run.client_count = (size_t)world_between(1, CLIENTS_MAX);
    run.broker_count =
        world_chance(2) ? 1 : (size_t)world_between(2, BROKERS_MAX);
    run.has_store = world_chance(2);
    run.has_presence = world_chance(4); /* probes see less then */
    if (run.has_store) {
        model_table_init(&run.table);
    }
    bool is_sure = !run.may[STORE_FAILS] && !run.may[STORE_EMPTIED];
    truth_store(!run.has_store ? STORE_NONE
                : is_sure      ? STORE_SURE
                               : STORE_UNSURE);
    for (size_t i = 0; i < run.broker_count; i++) {
        broker_node_init(&run.brokers[i], (unsigned)i + 1, &of_broker,
                         run.has_store ? &run.table : NULL);
    }
    for (size_t i = 0; i < run.gateway_count; i++) {
        gateway_node_init(&run.gateways[i], &of_gateway);
        for (size_t j = 0; j < run.broker_count; j++) {
            gateway_node_add_broker(&run.gateways[i], &run.brokers[j].router);
        }
    }
    for (size_t i = 0; i < run.worker_count; i++) {
        worker_options_t options = {
            .routes = choose_routes(i),
            .is_stubborn = world_chance(3),
            .window = (uint32_t)world_between(1, 12),
            .window_bytes =
                world_chance(2) ? 1 << 20 : (uint32_t)world_between(100, 2000)};
        for (size_t j = 0; j < run.broker_count; j++) {
            worker_node_init(&run.workers[i][j], &options,
                             &run.brokers[j].router);
        }
    }
    for (size_t i = 0; i < run.client_count; i++) {
        client_init(&run.clients[i], run.gateways, run.gateway_count);
    }
}

typedef enum { CHAOS, CALM, RETURN, PROBE } act_t;

/* The links of all workers, one after the other. */
static size_t link_count(void)
{
    return run.worker_count * run.broker_count;
}

static worker_node_t *worker_link(size_t i)
{
    return &run.workers[i / run.broker_count][i % run.broker_count];
}

static void set_broker_chances(broker_node_t *broker, act_t act)
{
    bool is_chaos = act == CHAOS;

    /* Of two brokers, who knows whose first message comes first?  And it may
     * wait behind a PRESENCE. */
    broker->is_probed =
        act == PROBE && run.broker_count == 1 && !run.has_presence;
    broker->router.flap = is_chaos && run.may[LINKS_FLAP] ? 3 : 0;
    broker->router.late = act == PROBE ? 0 : 40;
    broker->store_ms = is_chaos && run.may[STORE_SLOW] ? 400 : 5;
    broker->router.park = is_chaos && run.may[SOCKETS_FILL] ? 20 : 0;
}

static void set_chances(act_t act)
{
    bool is_chaos = act == CHAOS;

    run.is_chaos = is_chaos;
    for (size_t i = 0; i < run.broker_count; i++) {
        set_broker_chances(&run.brokers[i], act);
    }
    for (size_t i = 0; i < run.gateway_count; i++) {
        run.gateways[i].holds = act == PROBE ? 0 : 200;
        run.gateways[i].forgets = is_chaos && run.may[NAMES_CHANGE] ? 4 : 0;
    }
    for (size_t i = 0; i < link_count(); i++) {
        worker_options_t *options = &worker_link(i)->options;
        options->hangs = is_chaos && run.may[HANDLER_HANGS] ? 150 : 0;
        options->drags = is_chaos && run.may[HANDLER_DRAGS] ? 60 : 0;
        options->pushes = act == PROBE ? 2 : 10;
        options->kicks = act == PROBE ? 20 : 150;
        options->joins = act == PROBE ? 2 : 6;
        options->cries = act == PROBE ? 2 : 6;
        options->refuses = act == CHAOS || act == CALM ? 12 : 0;
        options->pace_ms = act == PROBE ? PACE_MS : 0;
    }
}

/* --- faults -------------------------------------------------------------- */

static void restart_worker(void *subject, uint32_t life)
{
    worker_node_t *worker = subject;
    (void)life;

    if (!worker_node_is_running(worker)) {
        worker_node_start(worker);
    }
}

/* A broker whose address it lacks cannot ask it, and takes it for dead when the
 * one that it speaks to cannot reach the store. */
static void start_gateway(gateway_node_t *gateway)
{
    gateway_node_start(gateway);
    if (run.broker_count > 1 && run.has_store && run.may[STORE_FAILS] &&
        run.may[NAMES_CHANGE]) {
        truth_torn(gateway->loop);
    }
}

static void restart_gateway(void *subject, uint32_t life)
{
    gateway_node_t *gateway = subject;
    (void)life;

    if (gateway->hub == NULL) {
        start_gateway(gateway);
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

static void hurt_worker(fault_t fault, worker_node_t *worker)
{
    if (!worker_node_is_running(worker)) {
        return;
    }
    switch (fault) {
    case WORKER_CRASHES:
        worker_node_crash(worker);
        world_after(world_between(0, 2000), restart_worker, worker, 0);
        return;
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

/* A process with all its links, or one of these. */
static void hurt_some_worker(fault_t fault)
{
    worker_node_t *links = run.workers[world_below(run.worker_count)];

    if (fault == WORKER_CUT_OFF || fault == WORKER_LINK_BREAKS) {
        hurt_worker(fault, &links[world_below(run.broker_count)]);
        return;
    }
    for (size_t i = 0; i < run.broker_count; i++) {
        hurt_worker(fault, &links[i]);
    }
}

/* With several brokers, a silence that one side may take for a loss; of a dead
 * gateway it is the other brokers that may, when they see no lease kept. */
static void tear(const gateway_node_t *gateway, int64_t ms)
{
    if (run.broker_count == 1) {
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

static void hurt_gateway(fault_t fault, gateway_node_t *gateway)
{
    bool is_long = run.has_store && world_chance(3);
    int64_t ms = world_between(50, is_long ? LONG_MS : 3000);
    wire_t *wire = &gateway->wires[world_below(run.broker_count)];

    if (gateway->hub == NULL) {
        return;
    }
    switch (fault) {
    case GATEWAY_CRASHES:
        if (run.broker_count > 1 && run.may[STORE_FAILS]) {
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

static void hurt_broker(fault_t fault)
{
    broker_node_t *broker = &run.brokers[world_below(run.broker_count)];

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
        for (size_t i = 0; i < run.gateway_count; i++) {
            tear(&run.gateways[i], ms);
        }
        broker_node_stop(broker, ms);
    }
}

static void mend_store(void *subject, uint32_t life)
{
    (void)subject;
    (void)life;
    for (size_t i = 0; i < run.broker_count; i++) {
        broker_node_fail_store(&run.brokers[i], 0);
    }
}

static void hurt_store(fault_t fault)
{
    if (!run.has_store) {
        return;
    }
    if (fault == STORE_EMPTIED) {
        world_trace("the store is emptied");
        model_table_empty(&run.table);
    } else if (fault == STORE_FAILS) {
        bool is_for_all = world_chance(3);
        int64_t ms = world_between(50, world_chance(2) ? LONG_MS : 3000);
        size_t one = world_below(run.broker_count);
        world_trace("the store fails for %lld ms", (long long)ms);
        for (size_t i = 0; i < run.broker_count; i++) {
            if (is_for_all || i == one) {
                broker_node_fail_store(&run.brokers[i], -ETIMEDOUT);
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
    int64_t most_ms = is_gateway || !run.has_store ? JUMP_MS : SHARED_JUMP_MS;
    int64_t jump_ms = world_between(-most_ms, most_ms);

    if (is_gateway) {
        gateway_node_t *gateway = &run.gateways[world_below(run.gateway_count)];
        gateway->clock_off_ms = jump_ms;
    } else {
        broker_node_t *broker = &run.brokers[world_below(run.broker_count)];
        broker->clock_off_ms = jump_ms;
    }
    world_trace("a clock jumps to %lld ms off", (long long)jump_ms);
}

static void hurt(fault_t fault)
{
    if (fault <= WORKER_LINK_BREAKS) {
        hurt_some_worker(fault);
    } else if (fault >= GATEWAY_CRASHES && fault <= GATEWAY_LINK_BREAKS) {
        hurt_gateway(fault, &run.gateways[world_below(run.gateway_count)]);
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
    fault_t fault = (fault_t)world_below(FAULTS);

    if (run.is_chaos) {
        if (run.may[fault]) {
            hurt(fault);
        }
        world_after(world_between(1, run.pause_ms), strike, subject, life);
    }
}

/* Whoever left by itself is started again, as a supervisor would. */
static void mind(void *subject, uint32_t life)
{
    for (size_t i = 0; i < link_count(); i++) {
        restart_worker(worker_link(i), 0);
    }
    world_after(1500, mind, subject, life);
}

/* --- the acts ------------------------------------------------------------ */

static void start_all(void)
{
    for (size_t i = 0; i < run.broker_count; i++) {
        broker_node_start(&run.brokers[i]);
    }
    for (size_t i = 0; i < run.gateway_count; i++) {
        start_gateway(&run.gateways[i]);
    }
    for (size_t i = 0; i < link_count(); i++) {
        worker_node_start(worker_link(i));
    }
    for (size_t i = 0; i < run.client_count; i++) {
        client_start(&run.clients[i]);
    }
}

static void heal(void)
{
    world_trace("--- calm ---");
    mend_store(NULL, 0);
    set_chances(CALM);
    for (size_t i = 0; i < run.broker_count; i++) {
        restart_broker(&run.brokers[i], 0);
    }
    for (size_t i = 0; i < run.gateway_count; i++) {
        restart_gateway(&run.gateways[i], 0);
    }
    for (size_t i = 0; i < link_count(); i++) {
        restart_worker(worker_link(i), 0);
    }
}

static uint64_t count_outcomes(void)
{
    return truth_counts().answered + truth_counts().failed;
}

/* So small that requests go to the broker by ones and twos, each for the whole
 * of its time where workers hang, and handshakes in between. */
static bool is_window_small(void)
{
    return run.brokers[0].options.gateway_window_bytes <= SMALL_WINDOW;
}

/* Where nothing else does, deadlines bring messages to their outcomes. */
static void check_deadlines(uint64_t outcomes_before)
{
    if (is_window_small()) {
        return;
    }
    for (size_t i = 0; i < run.client_count; i++) {
        const client_t *client = &run.clients[i];
        if (client->state == CLIENT_OPEN &&
            truth_open_messages(client->attempt) > 0 &&
            count_outcomes() == outcomes_before) {
            world_broken("attempt %u waits for outcomes behind their deadline",
                         client->attempt);
        }
    }
}

/* Hung handlers are beyond help: their workers are killed. */
static void end_hung(void)
{
    world_trace("--- all may come back ---");
    set_chances(RETURN);
    for (size_t i = 0; i < link_count(); i++) {
        worker_node_t *worker = worker_link(i);
        if (run.may[HANDLER_HANGS] && worker_node_is_running(worker)) {
            worker_node_crash(worker);
            restart_worker(worker, 0);
        }
    }
}

static void check_return(void)
{
    for (size_t i = 0; i < run.client_count; i++) {
        if (run.clients[i].state != CLIENT_OPEN) {
            world_broken("attempt %u is not let in, although nobody refuses it",
                         run.clients[i].attempt);
        }
    }
}

static void hush(void)
{
    for (size_t i = 0; i < run.client_count; i++) {
        run.clients[i].is_quiet = true;
    }
}

static void check_outcomes(void)
{
    for (size_t i = 0; i < run.client_count; i++) {
        const client_t *client = &run.clients[i];
        if (client->state == CLIENT_OPEN &&
            truth_open_messages(client->attempt) > 0) {
            world_broken("attempt %u waits for %u outcomes in vain",
                         client->attempt, truth_open_messages(client->attempt));
        }
    }
}

/*
 * Every connection that stands is served: each client says a word, the first
 * of them several at once, to handlers that take their time.
 */
static void probe(void)
{
    unsigned count = BURST;

    world_trace("--- each connection is probed ---");
    set_chances(PROBE);
    for (size_t i = 0; i < link_count(); i++) {
        worker_node_probe(worker_link(i));
    }
    for (size_t i = 0; i < run.client_count; i++) {
        client_t *client = &run.clients[i];
        run.probed[i] = client->state == CLIENT_OPEN ? client->attempt : 0;
        if (run.probed[i] > 0) {
            truth_probe(client->attempt);
            client_probe(client, count);
            count = 1;
        }
    }
}

/* Was it left with room while the rest of the burst waited for it? */
static bool was_idle(const worker_node_t *worker)
{
    uint64_t window = worker->options.window;

    return worker->most_used < (window < BURST ? window : BURST) &&
           worker->most_bytes_used + MESSAGE_BYTES <=
               worker->options.window_bytes;
}

static void check_burst(uint32_t attempt)
{
    uint32_t number = truth_probed_by(attempt);

    for (size_t i = 0; i < link_count(); i++) {
        const worker_node_t *worker = worker_link(i);
        if (worker->number == number && was_idle(worker)) {
            world_broken("worker %u had room, and attempt %u waited for it",
                         number, attempt);
        }
    }
}

/* Whoever comes from now on comes too late to be looked at. */
static void stay_away(void)
{
    for (size_t i = 0; i < run.client_count; i++) {
        run.clients[i].is_done = true;
    }
}

/* In bits. */
static uint32_t groups_of(const session_t *session)
{
    uint32_t groups = 0;

    list_foreach(node, &session->member.memberships) {
        const group_t *group = list_entry(node, membership_t, of_member)->group;
        if (group->type == GROUP_NAMED) {
            groups |= 1u << (group->bytes[1] - '0');
        }
    }
    return groups;
}

static void check_session_presence(const session_t *session)
{
    char conn[CONN_ID_TEXT];

    conn_id_format(&session->id, conn);
    if (!session->link->is_watching) {
        world_broken("%.16s: its broker does not say that it is watched", conn);
    }
    truth_present(conn, groups_of(session));
}

/* What handlers were told is what is. */
static void check_presence(void)
{
    for (size_t i = 0; i < run.gateway_count; i++) {
        const hub_t *hub = run.gateways[i].hub;
        for (uint32_t slot = 0; slot < hub->used; slot++) {
            const session_t *session = hub->table[slot];
            if (session != NULL && session->state == SESSION_OPEN) {
                check_session_presence(session);
            }
        }
    }
}

static void check_probe(void)
{
    bool is_burst = !is_window_small() && !run.has_presence;

    for (size_t i = 0; i < run.client_count; i++) {
        const client_t *client = &run.clients[i];
        uint32_t open = client->state == CLIENT_OPEN ? client->attempt : 0;
        if (run.probed[i] > 0 && is_burst) {
            check_burst(run.probed[i]);
            is_burst = false;
        }
        if (run.probed[i] > 0 && run.probed[i] != open) {
            truth_probed(run.probed[i], false);
        }
        if (open > 0) { /* it may have come meanwhile */
            truth_probed(open, true);
        }
    }
}

static void leave(void)
{
    world_trace("--- the clients leave ---");
    for (size_t i = 0; i < run.client_count; i++) {
        client_finish(&run.clients[i]);
    }
}

static void check_broker(const broker_stats_t *stats)
{
    if (stats->connections + stats->requests + stats->waiting > 0) {
        world_broken("a broker keeps %llu connections, %llu requests, %llu "
                     "waiting",
                     (unsigned long long)stats->connections,
                     (unsigned long long)stats->requests,
                     (unsigned long long)stats->waiting);
    }
}

static void check_gateway(const hub_t *hub)
{
    if (hub->sessions + hub->handshakes + hub->gated + hub->stats.connections >
        0) {
        world_broken("a gateway keeps %llu sessions",
                     (unsigned long long)hub->sessions);
    }
    for (size_t i = 0; i < hub->link_count; i++) {
        const link_t *link = hub->links[i];
        if (link->in_flight + link->in_flight_bytes + link->departed.len > 0) {
            world_broken("a gateway keeps %llu requests at broker %zu, and %zu "
                         "bytes of those that left it",
                         (unsigned long long)link->in_flight, i + 1,
                         link->departed.len);
        }
    }
}

static void check_worker(const worker_node_t *worker)
{
    if (worker->held_count > 0) {
        world_broken("worker %u keeps %zu requests", worker->number,
                     worker->held_count);
    }
    if (worker->pushes > 0) {
        world_broken("worker %u lacks the credit of %llu pushes",
                     worker->number, (unsigned long long)worker->pushes);
    }
    if (worker->told != worker->asked) {
        world_broken("worker %u lacks the PUSHED of %llu pushes",
                     worker->number,
                     (unsigned long long)(worker->asked - worker->told));
    }
}

static void on_count(store_op_t *op, int rc, const store_result_t *result)
{
    *(uint64_t *)op->user = rc == 0 ? result->count : UINT64_MAX;
}

static uint64_t count_rows(void)
{
    uint64_t count = 0;
    store_op_t op = {.verb = STORE_COUNT, .done = on_count, .user = &count};

    store_submit(run.table.rows, &op);
    return count;
}

/*
 * May a row be left, or overwritten, that another broker has dealt with?  Where
 * a broker wrote it late, because the store was not itself, or did not know yet
 * that the connection had moved (ARCHITECTURE.md, "not promised either").
 */
static bool may_differ(void)
{
    if (run.may[STORE_EMPTIED] &&
        (run.may[BROKER_CRASHES] || run.may[BROKER_DRAINS])) {
        return true; /* a lease was lost, and before it was kept again … */
    }
    return run.broker_count > 1 &&
           (truth_is_torn() || run.may[STORE_FAILS] || run.may[STORE_EMPTIED] ||
            run.may[STORE_SLOW]);
}

/* As many rows as connections, whatever happened before; and never fewer. */
static void check_rows(void)
{
    uint64_t connections = 0;

    if (!run.has_store) {
        return;
    }
    for (size_t i = 0; i < run.broker_count; i++) {
        connections += core_stats(run.brokers[i].core)->connections;
    }
    bool is_wrong =
        may_differ() ? count_rows() < connections : count_rows() != connections;
    if (is_wrong) {
        world_broken("the store keeps %llu rows of %llu connections",
                     (unsigned long long)count_rows(),
                     (unsigned long long)connections);
    }
}

static void check_silence(void)
{
    check_rows();
    for (size_t i = 0; i < run.broker_count; i++) {
        check_broker(core_stats(run.brokers[i].core));
    }
    for (size_t i = 0; i < run.gateway_count; i++) {
        check_gateway(run.gateways[i].hub);
    }
    for (size_t i = 0; i < link_count(); i++) {
        check_worker(worker_link(i));
    }
}

static void tear_down(void)
{
    for (size_t i = 0; i < run.client_count; i++) {
        client_fini(&run.clients[i]);
    }
    for (size_t i = 0; i < run.gateway_count; i++) {
        gateway_node_fini(&run.gateways[i]);
    }
    for (size_t i = 0; i < link_count(); i++) {
        worker_node_fini(worker_link(i));
    }
    for (size_t i = 0; i < run.broker_count; i++) {
        broker_node_fini(&run.brokers[i]);
    }
    if (run.has_store) {
        model_table_fini(&run.table);
    }
}

static void play(uint64_t seed)
{
    int64_t end_ms = CHAOS_MS;

    world_begin(seed);
    truth_begin();
    choose_faults();
    set_up();
    set_chances(CHAOS);
    start_all();
    strike(NULL, 0);
    mind(NULL, 0);
    world_run_until(end_ms);
    heal();
    world_run_until(end_ms += CALM_MS);
    hush();
    world_run_until(end_ms += QUIET_MS);
    uint64_t outcomes = count_outcomes();
    world_run_until(end_ms += DEADLINE_MS);
    if (!world_is_broken()) {
        check_deadlines(outcomes);
        end_hung();
    }
    world_run_until(end_ms += RETURN_MS);
    if (!world_is_broken()) {
        check_outcomes();
        check_return();
        probe();
    }
    world_run_until(end_ms += PROBE_MS);
    stay_away();
    world_run_until(end_ms += SETTLE_MS);
    if (!world_is_broken()) {
        check_outcomes();
        check_probe();
        check_rows();
        if (run.has_presence) {
            check_presence();
        }
        leave();
    }
    world_run_until(end_ms + LEAVING_MS);
    if (!world_is_broken()) {
        check_silence();
        truth_final();
    }
}

/* --- the program --------------------------------------------------------- */

static void print_faults(FILE *out)
{
    fprintf(out, "faults:");
    for (int i = 0; i < FAULTS; i++) {
        if (run.may[i]) {
            fprintf(out, " %s", fault_names[i]);
        }
    }
    fputc('\n', out);
}

static void add(truth_counts_t *total)
{
    const truth_counts_t counts = truth_counts();

    total->attempts += counts.attempts;
    total->opened += counts.opened;
    total->sent += counts.sent;
    total->answered += counts.answered;
    total->failed += counts.failed;
    total->connects += counts.connects;
    total->disconnects += counts.disconnects;
    total->redelivered += counts.redelivered;
    total->loose += counts.loose;
    total->cries += counts.cries;
    total->cries_heard += counts.cries_heard;
    total->owed += counts.owed;
    total->presences += counts.presences;
    total->present += counts.present;
}

static void print_counts(const truth_counts_t *total)
{
    printf(
        "attempts=%llu opened=%llu sent=%llu answered=%llu failed=%llu "
        "connects=%llu disconnects=%llu redelivered=%llu loose=%llu "
        "cries=%llu cries_heard=%llu owed=%llu presences=%llu present=%llu\n",
        (unsigned long long)total->attempts, (unsigned long long)total->opened,
        (unsigned long long)total->sent, (unsigned long long)total->answered,
        (unsigned long long)total->failed, (unsigned long long)total->connects,
        (unsigned long long)total->disconnects,
        (unsigned long long)total->redelivered,
        (unsigned long long)total->loose, (unsigned long long)total->cries,
        (unsigned long long)total->cries_heard, (unsigned long long)total->owed,
        (unsigned long long)total->presences,
        (unsigned long long)total->present);
}

int main(int argc, char **argv)
{
    unsigned long long first = 1, last = 200;
    bool wants_trace = false;
    truth_counts_t total = {0};

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc &&
            sscanf(argv[i + 1], "%llu:%llu", &first, &last) == 2) {
            i++;
        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            first = last = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--trace") == 0) {
            wants_trace = true;
        } else {
            fputs("usage: simulate [--seeds FIRST:LAST] [--seed N] "
                  "[--trace]\n",
                  stderr);
            return 2;
        }
    }
    int result = 0;
    for (unsigned long long seed = first; seed <= last && result == 0; seed++) {
        play(seed);
        add(&total);
        if (world_is_broken() || wants_trace) {
            fputs(world_trace_text(), stdout);
            printf("seed %llu, ", seed);
            print_faults(stdout);
            result = world_is_broken();
        }
        tear_down();
        truth_end();
        world_end();
    }
    printf("seeds %llu to %llu: ", first, last);
    print_counts(&total);
    return result;
}
