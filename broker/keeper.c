/* SPDX-License-Identifier: MIT */
#include "broker/keeper.h"

#include "base/xalloc.h"
#include "broker/conns.h"
#include "broker/outcome.h"
#include "broker/requests.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TURN_MS        100  /* keeper_turn comes as often as that */
#define OPS_A_TURN     256  /* of what is late */
#define UNDER_WAY_MAX  2048 /* beyond, what is late has time */
#define SLOTS_A_TURN   4096 /* looked at, of a gateway that is behind */
#define TOUCHES_A_LIFE 3    /* of a row, and each may come as late as that */
#define TTL_MIN_S      60
#define TTL_MAX_S      31622400 /* 366 days */

/* An operation on a row. */
typedef struct {
    store_op_t op;
    core_t *core; /* NULL: it is no more */
    list_t linked;
    record_t *record; /* one reference */
    uint64_t request; /* id of that which waits for it, if … */
    bool is_waited_for;
    bool is_swept; /* the sweep at hand counts it */
} keep_t;

static bool is_up(const core_t *core)
{
    return core->store != NULL && core->store->stats.store_up != 0;
}

static uint32_t now_s(const core_t *core)
{
    return (uint32_t)((core->now_ms - core->born_ms) / 1000);
}

record_t *keeper_record(const conn_id_t *id, wire_bytes_t context)
{
    uint64_t ttl_s = wire_map_uint(context, "ttl", 0);

    if (ttl_s != 0 && ttl_s < TTL_MIN_S) {
        ttl_s = TTL_MIN_S;
    }
    return record_new(id, context,
                      ttl_s < TTL_MAX_S ? (uint32_t)ttl_s : TTL_MAX_S);
}

/* --- one operation ------------------------------------------------------- */

static keep_t *keep_new(core_t *core, store_verb_t verb, record_t *record,
                        store_done_fn *done)
{
    keep_t *keep = calloc(1, sizeof *keep);

    if (keep == NULL) {
        return NULL;
    }
    keep->op = (store_op_t){
        .verb = verb, .record = record, .done = done, .user = keep};
    list_init(&keep->op.link);
    keep->core = core;
    keep->record = record_hold(record);
    list_init(&keep->linked);
    return keep;
}

static void keep_free(keep_t *keep)
{
    if (keep->is_swept && keep->core != NULL) {
        keep->core->sweep.rows--;
    }
    list_remove(&keep->linked);
    record_drop(keep->record);
    free(keep);
}

static void start(keep_t *keep)
{
    core_t *core = keep->core;

    list_append(&core->keeper.under_way, &keep->linked);
    core->keeper.under_way_count++;
    store_submit(core->store, &keep->op); /* it may be over behind this */
}

/* NULL: the core is no more, and the operation is freed. */
static core_t *ended(keep_t *keep)
{
    core_t *core = keep->core;

    if (core == NULL) {
        keep_free(keep);
        return NULL;
    }
    list_remove(&keep->linked);
    core->keeper.under_way_count--;
    return core;
}

/* NULL: nothing waits for it, or not any more. */
static request_t *waiting_for(const core_t *core, const keep_t *keep)
{
    return keep->is_waited_for ? requests_find(&core->requests, keep->request)
                               : NULL;
}

/* --- rows that are written ----------------------------------------------- */

static void mark_unsaved(core_t *core, conn_t *conn)
{
    conn->is_unsaved = true;
    conn->gateway->is_behind = true;
    core->stats.unsaved++;
}

static void on_saved(store_op_t *op, int rc, const store_result_t *result)
{
    keep_t *keep = op->user;
    core_t *core = ended(keep);
    (void)result;

    if (core == NULL) {
        return;
    }
    conn_t *conn = conns_find(core, &keep->record->id);
    if (rc < 0 && conn != NULL && conn->record == keep->record) {
        mark_unsaved(core, conn);
    }
    request_t *request = waiting_for(core, keep);
    keep_free(keep);
    if (request != NULL) {
        outcome_entered(core, request, rc == 0);
    }
}

/* A row without a lease would be nobody's if we died. */
static bool may_write(const core_t *core, const conn_t *conn)
{
    return is_up(core) && (conn->gateway->is_leased || !core->store->is_shared);
}

static keep_t *save_of(core_t *core, conn_t *conn)
{
    keep_t *keep = may_write(core, conn)
                       ? keep_new(core, STORE_SAVE, conn->record, on_saved)
                       : NULL;

    if (keep == NULL) {
        mark_unsaved(core, conn);
        return NULL;
    }
    conn->is_stored = true;
    conn->is_unsaved = false;
    conn->saved_s = now_s(core);
    uint32_t ttl_s = conn->record->ttl_s;
    if (ttl_s != 0 && ttl_s < core->keeper.shortest_s) {
        core->keeper.shortest_s = ttl_s;
    }
    return keep;
}

void keeper_save(core_t *core, conn_t *conn)
{
    keep_t *keep = save_of(core, conn);

    if (keep != NULL) {
        start(keep);
    }
}

void keeper_enter(core_t *core, request_t *request)
{
    gateway_t *gateway = request->conn->gateway;

    if (is_up(core) && !gateway->is_leased) {
        list_append(&gateway->unleased, &request->link);
        return;
    }
    keep_t *keep = save_of(core, request->conn);
    if (keep == NULL) {
        outcome_entered(core, request, false);
        return;
    }
    keep->is_waited_for = true;
    keep->request = request_id(request);
    start(keep);
}

void keeper_leased(core_t *core, gateway_t *gateway, bool is_leased)
{
    list_t *link;

    while ((link = list_take(&gateway->unleased)) != NULL) {
        request_t *request = list_entry(link, request_t, link);
        if (is_leased) {
            keeper_enter(core, request);
        } else {
            mark_unsaved(core, request->conn);
            outcome_entered(core, request, false);
        }
    }
}

/* Of those who have one, or should. */
static void rewrite(core_t *core, conn_t *conn)
{
    if (conn->state == CONN_OPEN || conn->is_stored) {
        mark_unsaved(core, conn);
    }
}

void keeper_rewrite(core_t *core, gateway_t *gateway)
{
    conns_each(core, gateway, rewrite);
    gateway->keep_slot = 0;
}

/* --- rows that go -------------------------------------------------------- */

/* The store cannot do it now. */
static void put_off(core_t *core, keep_t *keep)
{
    if (core->keeper.late_count >= (size_t)core->options.store_queue) {
        log_braked(&core->brake, LEVEL_WARN, "STORE-ROW-LEFT", "late=%zu",
                   core->keeper.late_count);
        keep_free(keep); /* it ends by its own time */
        return;
    }
    list_append(&core->keeper.late, &keep->linked);
    core->keeper.late_count++;
}

static void on_removed(store_op_t *op, int rc, const store_result_t *result)
{
    keep_t *keep = op->user;
    core_t *core = ended(keep);
    (void)result;

    if (core == NULL) {
        return;
    }
    request_t *request = waiting_for(core, keep);
    keep->is_waited_for = false;
    if (rc < 0) {
        core->stats.unsaved++;
        put_off(core, keep);
    } else {
        keep_free(keep);
    }
    if (request != NULL) {
        outcome_left(core, request);
    }
}

static void remove_row(core_t *core, record_t *record, bool is_swept)
{
    keep_t *keep = keep_new(core, STORE_REMOVE, record, on_removed);

    if (keep == NULL) {
        log_err("BROKER-MEMORY", "a row was left in the store");
        return;
    }
    keep->is_swept = is_swept;
    core->sweep.rows += is_swept;
    if (is_up(core)) {
        start(keep);
    } else {
        core->stats.unsaved++;
        put_off(core, keep);
    }
}

void keeper_leave(core_t *core, request_t *request)
{
    conn_t *conn = request->conn;
    keep_t *keep = is_up(core) && conn->is_stored
                       ? keep_new(core, STORE_REMOVE, conn->record, on_removed)
                       : NULL;

    if (keep == NULL) {
        outcome_left(core, request);
        return;
    }
    conn->is_stored = false;
    keep->is_waited_for = true;
    keep->request = request_id(request);
    start(keep);
}

void keeper_forget(core_t *core, conn_t *conn)
{
    bool has_row = core->store != NULL && conn->is_stored;

    /* Who moved has a row of another broker's, where brokers share a store. */
    if (has_row && (!conn->is_moved || !core->store->is_shared)) {
        remove_row(core, conn->record, conn->is_orphan);
    }
    if (conn->is_orphan) {
        core->sweep.orphans--;
    }
}

void keeper_remove(core_t *core, record_t *record)
{
    remove_row(core, record, true);
}

/* --- now and then -------------------------------------------------------- */

static void remove_late(core_t *core)
{
    list_t *link;

    for (int i = 0; i < OPS_A_TURN && (link = list_take(&core->keeper.late));
         i++) {
        keep_t *keep = list_entry(link, keep_t, linked);
        core->keeper.late_count--;
        if (conns_find(core, &keep->record->id) != NULL) {
            keep_free(keep); /* it has come back meanwhile */
        } else {
            core->stats.repaired++;
            start(keep);
        }
    }
}

static uint32_t life_of(const core_t *core, const conn_t *conn)
{
    uint32_t ttl_s = conn->record->ttl_s;

    return ttl_s != 0 ? ttl_s : (uint32_t)core->options.store_ttl_s;
}

static void look_at(core_t *core, conn_t *conn)
{
    bool is_due = conn->is_stored && now_s(core) - conn->saved_s >=
                                         life_of(core, conn) / TOUCHES_A_LIFE;

    if (conn->state != CONN_OPEN || (!conn->is_unsaved && !is_due)) {
        return; /* not in yet or about to go, or all is well */
    }
    core->stats.repaired += conn->is_unsaved;
    keeper_save(core, conn);
}

/* So many slots that all of them come by as often as the shortest life wants.
 */
static uint32_t slots_of_turn(core_t *core, const gateway_t *gateway)
{
    uint64_t slots = (uint64_t)gateway->page_count * CONNS_A_PAGE;
    uint64_t round_s = core->keeper.shortest_s / TOUCHES_A_LIFE;

    core->keeper.slots_due += slots * TURN_MS / round_s;
    uint64_t due = core->keeper.slots_due / 1000;
    core->keeper.slots_due %= 1000;
    return (uint32_t)due;
}

static void walk(core_t *core, gateway_t *gateway)
{
    if (gateway->keep_slot == 0) {
        gateway->is_catching_up = gateway->is_behind;
        gateway->is_behind = false; /* until one says otherwise */
    }
    bool is_urgent = gateway->is_behind || gateway->is_catching_up;
    uint32_t slots = is_urgent ? SLOTS_A_TURN : slots_of_turn(core, gateway);
    if (conns_walk(core, gateway, &gateway->keep_slot, slots, look_at)) {
        gateway->keep_slot = 0;
    }
}

void keeper_turn(core_t *core)
{
    keeper_t *self = &core->keeper;

    if (!is_up(core) || self->under_way_count >= UNDER_WAY_MAX) {
        return;
    }
    remove_late(core);
    list_foreach_safe(link, &core->gateways) {
        gateway_t *gateway = list_entry(link, gateway_t, linked);
        bool has_lease = gateway->is_leased || !core->store->is_shared;
        if (gateway->peer != NULL && has_lease &&
            self->under_way_count < UNDER_WAY_MAX) {
            walk(core, gateway);
        }
    }
}

bool keeper_is_idle(const core_t *core)
{
    return core->keeper.under_way_count == 0 &&
           (core->keeper.late_count == 0 || !is_up(core));
}

/* --- start and end ------------------------------------------------------- */

void keeper_init(core_t *core)
{
    list_init(&core->keeper.under_way);
    list_init(&core->keeper.late);
    core->keeper.shortest_s = (uint32_t)core->options.store_ttl_s;
}

void keeper_fini(core_t *core)
{
    list_t *link;

    while ((link = list_take(&core->keeper.late)) != NULL) {
        keep_free(list_entry(link, keep_t, linked));
    }
    core->store = NULL; /* from now on nothing is written */
    while ((link = list_take(&core->keeper.under_way)) != NULL) {
        keep_t *keep = list_entry(link, keep_t, linked);
        request_t *request = waiting_for(core, keep);
        keep->core = NULL;
        if (request != NULL && request->event == EVENT_DISCONNECT) {
            outcome_left(core, request); /* a CONNECT ends with its gateway */
        }
    }
}
