/* SPDX-License-Identifier: MIT */
#include "tests/simulation/checks.h"

#include "broker/state.h"
#include "tests/simulation/asks.h"
#include "tests/simulation/cast.h"
#include "tests/simulation/truth.h"
#include "tests/simulation/world.h"

#define MESSAGE_BYTES 400 /* of a worker's window, at most */

/* --- outcomes ------------------------------------------------------------ */

uint64_t checks_count_outcomes(void)
{
    return truth_counts().answered + truth_counts().failed;
}

/* So small that requests go to the broker by ones and twos, each for the whole
 * of its time where workers hang, and handshakes in between. */
static bool is_window_small(void)
{
    return cast.brokers[0].options.gateway_window_bytes <= SMALL_WINDOW;
}

void checks_deadlines(uint64_t outcomes_before)
{
    if (is_window_small()) {
        return;
    }
    for (size_t i = 0; i < cast.client_count; i++) {
        const client_t *client = &cast.clients[i];
        if (client->state == CLIENT_OPEN &&
            truth_open_messages(client->attempt) > 0 &&
            checks_count_outcomes() == outcomes_before) {
            world_broken("attempt %u waits for outcomes behind their deadline",
                         client->attempt);
        }
    }
}

void checks_outcomes(void)
{
    for (size_t i = 0; i < cast.client_count; i++) {
        const client_t *client = &cast.clients[i];
        if (client->state == CLIENT_OPEN &&
            truth_open_messages(client->attempt) > 0) {
            world_broken("attempt %u waits for %u outcomes in vain",
                         client->attempt, truth_open_messages(client->attempt));
        }
    }
}

void checks_return(void)
{
    for (size_t i = 0; i < cast.client_count; i++) {
        if (cast.clients[i].state != CLIENT_OPEN) {
            world_broken("attempt %u is not let in, although nobody refuses it",
                         cast.clients[i].attempt);
        }
    }
}

/* --- the probe ----------------------------------------------------------- */

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

    for (size_t i = 0; i < cast_link_count(); i++) {
        const worker_node_t *worker = cast_link(i);
        if (worker->number == number && was_idle(worker)) {
            world_broken("worker %u had room, and attempt %u waited for it",
                         number, attempt);
        }
    }
}

void checks_probe(void)
{
    bool is_burst =
        !is_window_small() && !cast.has_presence && !cast.has_resets;

    for (size_t i = 0; i < cast.client_count; i++) {
        const client_t *client = &cast.clients[i];
        uint32_t open = client->state == CLIENT_OPEN ? client->attempt : 0;
        if (cast.probed[i] > 0 && is_burst) {
            check_burst(cast.probed[i]);
            is_burst = false;
        }
        if (cast.probed[i] > 0 && cast.probed[i] != open) {
            truth_probed(cast.probed[i], false);
        }
        if (open > 0) { /* it may have come meanwhile */
            truth_probed(open, true);
        }
    }
}

/* --- presence ------------------------------------------------------------ */

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

static void check_session_groups(const session_t *session)
{
    char conn[CONN_ID_TEXT];

    conn_id_format(&session->id, conn);
    truth_groups(conn, groups_of(session));
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

static void each_open(void (*check)(const session_t *session))
{
    for (size_t i = 0; i < cast.gateway_count; i++) {
        const hub_t *hub = cast.gateways[i].hub;
        for (uint32_t slot = 0; slot < hub->used; slot++) {
            const session_t *session = hub->table[slot];
            if (session != NULL && session->state == SESSION_OPEN) {
                check(session);
            }
        }
    }
}

void checks_groups(void)
{
    if (cast.broker_count == 1) { /* else its handlers' words go by several */
        each_open(check_session_groups);
    }
}

void checks_presence(void)
{
    each_open(check_session_presence);
}

/* --- managers ------------------------------------------------------------ */

/* A broker that lacks the address of a gateway cannot know whom it has. */
static bool are_all_linked(void)
{
    for (size_t i = 0; i < cast.gateway_count; i++) {
        if (cast.gateways[i].hub->link_count < cast.broker_count) {
            return false;
        }
    }
    return true;
}

void checks_peace(void)
{
    for (size_t i = 0; i < cast.manager_count; i++) {
        const manager_t *manager = cast.managers[i].manager;
        if (manager_stats(manager)->brokers < cast.broker_count) {
            world_broken("manager %u lacks a broker", cast.managers[i].number);
        }
    }
    asks_peace(are_all_linked() && !cast.has_resets);
}

void checks_asks(void)
{
    asks_peace(false);
    asks_check_heard();
}

/* --- the store ----------------------------------------------------------- */

static void on_count(store_op_t *op, int rc, const store_result_t *result)
{
    *(uint64_t *)op->user = rc == 0 ? result->count : UINT64_MAX;
}

static uint64_t count_rows(void)
{
    uint64_t count = 0;
    store_op_t op = {.verb = STORE_COUNT, .done = on_count, .user = &count};

    store_submit(cast.table.rows, &op);
    return count;
}

/*
 * May a row be left, or overwritten, that another broker has dealt with?  Where
 * a broker wrote it late, because the store was not itself, or did not know yet
 * that the connection had moved (ARCHITECTURE.md, "not promised either").
 */
static bool may_differ(void)
{
    if (cast.may[STORE_EMPTIED] &&
        (cast.may[BROKER_CRASHES] || cast.may[BROKER_DRAINS])) {
        return true; /* a lease was lost, and before it was kept again … */
    }
    return cast.broker_count > 1 &&
           (truth_is_torn() || cast.may[STORE_FAILS] ||
            cast.may[STORE_EMPTIED] || cast.may[STORE_SLOW]);
}

static void on_page(store_op_t *op, int rc, const store_result_t *result)
{
    *(uint64_t *)op->user = rc == 0 ? result->row_count : UINT64_MAX;
}

static uint64_t count_rows_of(uint32_t loop)
{
    uint64_t count = 0;
    char text[CONN_ID_TEXT];
    store_op_t op = {.verb = STORE_LIST_OWNER,
                     .key = {(const uint8_t *)text, STORE_OWNER_TEXT},
                     .limit = STORE_PAGE_MAX,
                     .done = on_page,
                     .user = &count};

    conn_id_format(&(conn_id_t){.loop = loop}, text);
    store_submit(cast.table.rows, &op);
    return count;
}

/* However many rows there may be: those of a gateway that died are nobody's,
 * and somebody has found them by now. */
static void check_rows_of_the_dead(const gateway_node_t *gateway)
{
    for (size_t i = 0; i < LIVES_KEPT; i++) {
        uint64_t count =
            gateway->dead[i] != 0 ? count_rows_of(gateway->dead[i]) : 0;
        if (count > 0) {
            world_broken("the store keeps %llu rows of a gateway that died",
                         (unsigned long long)count);
        }
    }
}

void checks_rows(void)
{
    uint64_t connections = 0;

    if (!cast.has_store) {
        return;
    }
    for (size_t i = 0; i < cast.gateway_count; i++) {
        check_rows_of_the_dead(&cast.gateways[i]);
    }
    for (size_t i = 0; i < cast.broker_count; i++) {
        connections += core_stats(cast.brokers[i].core)->connections;
    }
    bool is_wrong =
        may_differ() ? count_rows() < connections : count_rows() != connections;
    if (is_wrong) {
        world_broken("the store keeps %llu rows of %llu connections",
                     (unsigned long long)count_rows(),
                     (unsigned long long)connections);
    }
}

/* --- silence ------------------------------------------------------------- */

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

static void check_manager(const manager_node_t *node)
{
    if (manager_stats(node->manager)->under_way > 0) {
        world_broken("manager %u keeps requests", node->number);
    }
    for (size_t i = 0; i < node->wire_count; i++) {
        if (node->uplinks[i]->pushes + node->uplinks[i]->push_bytes > 0) {
            world_broken("manager %u lacks the credit of %llu pushes",
                         node->number,
                         (unsigned long long)node->uplinks[i]->pushes);
        }
    }
}

/* What peers asked of a broker, and it of gateways. */
static void check_questions(const core_t *core)
{
    list_foreach(link, &core->gateways) {
        if (!list_is_empty(&list_entry(link, gateway_t, linked)->questions)) {
            world_broken("a broker keeps a question to a gateway");
        }
    }
    for (uint64_t i = 0; i < core->handles; i++) {
        const worker_t *worker = core->workers[i];
        if (worker != NULL && worker->queries > 0) {
            world_broken("a broker keeps %u queries", worker->queries);
        }
    }
}

void checks_silence(void)
{
    checks_rows();
    for (size_t i = 0; i < cast.broker_count; i++) {
        check_broker(core_stats(cast.brokers[i].core));
        check_questions(cast.brokers[i].core);
    }
    for (size_t i = 0; i < cast.gateway_count; i++) {
        check_gateway(cast.gateways[i].hub);
    }
    for (size_t i = 0; i < cast_link_count(); i++) {
        check_worker(cast_link(i));
    }
    for (size_t i = 0; i < cast.manager_count; i++) {
        check_manager(&cast.managers[i]);
    }
}
