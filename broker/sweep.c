/* SPDX-License-Identifier: MIT */
#include "broker/sweep.h"

#include "base/xalloc.h"
#include "broker/conns.h"
#include "broker/dispatch.h"
#include "broker/keeper.h"
#include "broker/leases.h"
#include "broker/peers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEEPS_A_LEASE 3   /* so often it is kept in its time */
#define PAGE          100 /* rows at once, and DISCONNECTs under way */
#define PAGE_RETRY_MS 1000
#define PAGE_FAILURES 5 /* in a row, and it is given up for the time being */

/* A row whose gateway was asked whether it has the connection. */
typedef struct {
    list_t linked;
    uint64_t id;
    record_t *record; /* one reference */
} asked_t;

/* An operation on leases or a page; it outlives the core. */
typedef struct {
    store_op_t op;
    core_t *core; /* NULL: it is no more */
    list_t linked;
    uint32_t loop; /* of the gateway whose lease it is */
} ask_t;

/* --- one operation ------------------------------------------------------- */

static void submit(core_t *core, const store_op_t *op, uint32_t loop)
{
    ask_t *ask = xcalloc(1, sizeof *ask);

    ask->op = *op;
    ask->op.user = ask;
    list_init(&ask->op.link);
    ask->core = core;
    ask->loop = loop;
    list_append(&core->sweep.asks, &ask->linked);
    store_submit(core->store, &ask->op);
}

/* Its core, or NULL when that is no more. */
static core_t *ended(store_op_t *op)
{
    ask_t *ask = op->user;
    core_t *core = ask->core;

    list_remove(&ask->linked);
    free(ask);
    return core;
}

/* --- loops --------------------------------------------------------------- */

/* Where the loop stands in the ring, or LOOPS_KEPT. */
static size_t loops_find(const loops_t *self, uint32_t loop)
{
    size_t at = 0;

    while (at < LOOPS_KEPT && self->loops[at] != loop + 1) {
        at++;
    }
    return at;
}

static void loops_put(loops_t *self, uint32_t loop)
{
    if (loops_find(self, loop) == LOOPS_KEPT) {
        self->loops[self->at] = loop + 1;
        self->at = (self->at + 1) % LOOPS_KEPT;
    }
}

static void loops_drop(loops_t *self, uint32_t loop)
{
    size_t at = loops_find(self, loop);

    if (at < LOOPS_KEPT) {
        self->loops[at] = 0;
    }
}

/* --- our leases ---------------------------------------------------------- */

static size_t put_value(const core_t *core, uint64_t beat,
                        char value[STORE_LEASE_MAX])
{
    return (size_t)snprintf(value, STORE_LEASE_MAX, "%s.%" PRIu64, core->boot,
                            beat);
}

static void submit_keep(core_t *core, uint32_t loop, wire_bytes_t boot,
                        uint64_t beat, store_done_fn *done)
{
    char name[STORE_LEASE_MAX], value[STORE_LEASE_MAX];
    store_op_t op = {.verb = STORE_KEEP,
                     .key = {(uint8_t *)name, lease_put_name(loop, boot, name)},
                     .value = {(uint8_t *)value, put_value(core, beat, value)},
                     .done = done};

    submit(core, &op, loop);
}

static bool has_strays(const core_t *core, uint32_t loop)
{
    return loops_find(&core->sweep.strays, loop) < LOOPS_KEPT;
}

/* Our rows are written again.  Whatever others have written meanwhile is there
 * without a lease, and nobody's if they have died since. */
static void found_emptied(core_t *core, uint32_t loop, gateway_t *gateway)
{
    loops_put(&core->sweep.strays, loop);
    if (gateway != NULL) {
        log_warn("STORE-EMPTIED", "connections=%zu", gateway->conns);
        keeper_rewrite(core, gateway);
    }
}

static void on_kept(store_op_t *op, int rc, const store_result_t *result)
{
    uint32_t loop = ((ask_t *)op->user)->loop;
    core_t *core = ended(op);

    if (core == NULL) {
        return;
    }
    gateway_t *gateway = gateway_of_loop(core, loop); /* NULL: it is lost */
    bool is_first = gateway != NULL && !gateway->is_leased;
    if (rc == 0 && !result->was_there && !is_first) {
        found_emptied(core, loop, gateway);
    }
    if (gateway == NULL) {
        return;
    }
    if (rc < 0) {
        gateway->lease_due_ms = core->now_ms; /* as soon as it can be */
    }
    gateway->is_leased = gateway->is_leased || rc == 0;
    keeper_leased(core, gateway, rc == 0);
}

static void keep_lease(core_t *core, gateway_t *gateway)
{
    gateway->beat = ++core->sweep.beats;
    gateway->lease_due_ms =
        core->now_ms + core->options.store_lease_ms / KEEPS_A_LEASE;
    submit_keep(core, gateway->loop, wire_bytes(core->boot), gateway->beat,
                on_kept);
}

void sweep_greet(core_t *core, gateway_t *gateway)
{
    if (keeper_makes_wait(core)) {
        keep_lease(core, gateway);
    }
}

/* Whatever became of it: a lease that is left is claimed as a dead one's, and
 * where one is missing whoever meets the row next leaves another. */
static void on_done(store_op_t *op, int rc, const store_result_t *result)
{
    (void)rc;
    (void)result;
    (void)ended(op);
}

static void drop_lease(core_t *core, wire_bytes_t name, wire_bytes_t value,
                       uint32_t loop, store_done_fn *done)
{
    store_op_t op = {
        .verb = STORE_DROP, .key = name, .expected = value, .done = done};
    submit(core, &op, loop);
}

/* Of a gateway that has ended: its lease goes when its last row has gone. */
typedef struct {
    list_t linked;
    uint32_t loop;
    uint64_t beat;
} released_t;

/* Was it lost, and has greeted again, or is some of it still here?  One lease
 * is for all of its lives. */
static bool is_here(const core_t *core, uint32_t loop)
{
    list_foreach(link, &core->gateways) {
        if (list_entry(link, gateway_t, linked)->loop == loop) {
            return true;
        }
    }
    return false;
}

/* Rows of what has moved away may still be ours: whoever was to write them anew
 * may have died first.  So the lease is left to run out, and who sweeps it
 * finds them. */
void sweep_moved(core_t *core, uint32_t loop)
{
    if (keeper_makes_wait(core)) {
        loops_put(&core->sweep.strays, loop);
    }
}

void sweep_release(core_t *core, const gateway_t *gateway)
{
    if (!keeper_makes_wait(core) || !gateway->is_leased ||
        has_strays(core, gateway->loop)) {
        return;
    }
    released_t *released = calloc(1, sizeof *released);
    if (released != NULL) { /* else another broker finds it empty */
        released->loop = gateway->loop;
        released->beat = gateway->beat;
        list_append(&core->sweep.released, &released->linked);
    }
}

/* Somebody may have left rows of this gateway, and nobody keeps a lease for it:
 * there is to be one that runs out. */
static void leave_lease(core_t *core, uint32_t loop)
{
    loops_put(&core->sweep.strays, loop);
    if (!is_here(core, loop)) {
        submit_keep(core, loop, wire_bytes(core->boot), ++core->sweep.beats,
                    on_done);
    }
}

/* If it was not there the store was emptied since we kept it last, or that has
 * just turned out. */
static void on_released(store_op_t *op, int rc, const store_result_t *result)
{
    uint32_t loop = ((ask_t *)op->user)->loop;
    core_t *core = ended(op);
    (void)result;

    if (core != NULL && (rc == -ESTALE || has_strays(core, loop))) {
        leave_lease(core, loop);
    }
}

static void release(core_t *core, const released_t *released)
{
    char name[STORE_LEASE_MAX], value[STORE_LEASE_MAX];
    size_t name_len =
        lease_put_name(released->loop, wire_bytes(core->boot), name);
    size_t value_len = put_value(core, released->beat, value);

    drop_lease(core, (wire_bytes_t){(uint8_t *)name, name_len},
               (wire_bytes_t){(uint8_t *)value, value_len}, released->loop,
               on_released);
}

/* Where a row may be left, so is the lease, and finds it. */
static void release_all(core_t *core)
{
    list_foreach_safe(link, &core->sweep.released) {
        released_t *released = list_entry(link, released_t, linked);
        bool is_back = is_here(core, released->loop);
        if (is_back || keeper_is_idle(core)) {
            if (!is_back) {
                release(core, released);
            }
            list_remove(link);
            free(released);
        }
    }
}

/* --- sweeping ------------------------------------------------------------ */

/*
 * A connection that nobody has, and whose row says that its DISCONNECT was not
 * handled, as far as its broker could tell the store.
 */
static void end_orphan(core_t *core, const record_t *record)
{
    conn_t *conn;

    core->stats.swept++;
    if (conns_add_gone(core, &record->id, record_context(record), &conn) < 0) {
        log_err("BROKER-MEMORY", "a DISCONNECT was lost");
        return;
    }
    /* Older than we are: so may be those who serve its end. */
    if (core->disconnect_gone_ms < core->born_ms) {
        core->disconnect_gone_ms = core->now_ms;
    }
    conn->is_orphan = true;
    conn->is_stored = true;
    conn->state = CONN_OPEN;
    core->sweep.orphans++;
    core->sweep.disconnects++;
    dispatch_end(core, conn, 1006, "gateway lost");
}

/* --- gateways that were away --------------------------------------------- */

static void remember_swept(core_t *core, uint32_t loop)
{
    loops_put(&core->sweep.swept, loop);
}

bool sweep_has_ended(const core_t *core, uint32_t loop)
{
    return loops_find(&core->sweep.swept, loop) < LOOPS_KEPT;
}

void sweep_listed(core_t *core, uint32_t loop)
{
    loops_drop(&core->sweep.swept, loop);
}

/* --- rows ---------------------------------------------------------------- */

static int put_what(buf_t *out, const conn_id_t *id)
{
    char text[CONN_ID_TEXT];
    int rc = wire_put_array(out, 2);

    conn_id_format(id, text);
    if (rc == 0 && (rc = wire_put_text(out, "connection")) == 0) {
        rc = wire_put_str(out, (wire_bytes_t){(uint8_t *)text, sizeof text});
    }
    return rc;
}

static void ask_gateway(core_t *core, gateway_t *gateway, record_t *record)
{
    asked_t *asked = xcalloc(1, sizeof *asked);

    asked->id = ++core->next_question;
    asked->record = record_hold(record);
    list_append(&core->sweep.asked, &asked->linked);
    core->sweep.asked_ms = core->now_ms;
    buf_reset(&core->scratch, CONTEXT_MAX);
    if (put_what(&core->scratch, &record->id) == 0) {
        message_query_t query = {
            .id = asked->id, .what = {core->scratch.data, core->scratch.len}};
        peer_sent(core, gateway->peer,
                  message_put_query(peer_out(core, gateway->peer), &query));
    }
}

static void forget_asked(asked_t *asked)
{
    list_remove(&asked->linked);
    record_drop(asked->record);
    free(asked);
}

void sweep_told(core_t *core, const message_result_t *result)
{
    list_foreach_safe(link, &core->sweep.asked) {
        asked_t *asked = list_entry(link, asked_t, linked);
        if (asked->id == result->id) {
            if (result->status == 404) {
                end_orphan(core, asked->record);
            } else if (result->status == 410) {
                core->stats.swept++;
                keeper_remove(core, asked->record);
            } else {
                core->sweep.left++;
            }
            forget_asked(asked);
            return;
        }
    }
}

static void forget_all_asked(core_t *core)
{
    list_foreach_safe(link, &core->sweep.asked) {
        forget_asked(list_entry(link, asked_t, linked));
    }
}

static void end_sweep(core_t *core, const char *how)
{
    sweep_t *self = &core->sweep;
    wire_bytes_t boot = lease_boot(&self->lease);

    self->is_on = false;
    self->is_next_due = true;
    forget_all_asked(core);
    log_info("BROKER-SWEPT", "broker=%.*s result=%s disconnects=%" PRIu64,
             (int)boot.len, (const char *)boot.data, how, self->disconnects);
}

/* Its gateway is lost, or does not answer: the pages are looked at again. */
static void ask_again(core_t *core)
{
    forget_all_asked(core);
    core->sweep.is_last = false;
    core->sweep.cursor_len = 0;
    core->sweep.left = 0;
}

/*
 * Written anew, by a broker that keeps a lease for this gateway; or by one that
 * died when the store had just lost that.  As the lease at hand was there all
 * its time, the store was not emptied since, and who lives would have kept its
 * own.  So we keep one in the place of its writer: if that is alive after all
 * it changes it again, and if not it runs out, and the row is found by it.
 * Until the store tells of that one, the lease at hand is all that leads to the
 * row.
 */
static void adopt_stray(core_t *core, const store_row_t *row)
{
    char name[STORE_LEASE_MAX], value[STORE_LEASE_MAX];
    wire_bytes_t writer = row->writer;

    if (writer.len == 0 || writer.len > BOOT_ID_MAX) {
        return; /* no broker wrote it */
    }
    store_lease_t lease = {
        .name = {(uint8_t *)name, lease_put_name(row->id.loop, writer, name)}};
    const lease_t *seen = leases_find(&core->sweep.seen, lease.name);
    if (seen != NULL && !seen->is_presumed) {
        return;
    }
    core->sweep.left++;
    if (seen != NULL) {
        return;
    }
    uint64_t beat = ++core->sweep.beats;
    lease.value =
        (wire_bytes_t){(uint8_t *)value, put_value(core, beat, value)};
    leases_presume(&core->sweep.seen, &lease, core->now_ms);
    submit_keep(core, row->id.loop, writer, beat, on_done);
}

static void sweep_row(core_t *core, const store_row_t *row)
{
    conn_t *conn = conns_find(core, &row->id);

    if (!wire_equal(row->writer, lease_boot(&core->sweep.lease))) {
        adopt_stray(core, row);
        return;
    }
    if (conn != NULL) {
        core->sweep.left++;
        keeper_save(core, conn);
        return;
    }
    gateway_t *gateway = gateway_of_loop(core, row->id.loop);
    record_t *record = keeper_record(&row->id, row->context);
    if (record == NULL) {
        log_err("BROKER-MEMORY", "a DISCONNECT was lost");
    } else if (gateway != NULL) {
        ask_gateway(core, gateway, record);
    } else {
        remember_swept(core, row->id.loop);
        end_orphan(core, record);
    }
    record_drop(record);
}

/* The store cannot, or may not, tell. */
static void page_failed(core_t *core)
{
    sweep_t *self = &core->sweep;

    self->page_due_ms = core->now_ms + PAGE_RETRY_MS;
    if (++self->failures == PAGE_FAILURES) {
        end_sweep(core, "failed");
    }
}

static void on_page(store_op_t *op, int rc, const store_result_t *result)
{
    core_t *core = ended(op);

    if (core == NULL) {
        return;
    }
    sweep_t *self = &core->sweep;
    self->is_asking = false;
    if (rc < 0) {
        page_failed(core);
        return;
    }
    if (core->now_ms - self->claimed_ms >= core->options.store_lease_ms) {
        return; /* so late that the lease may be another's: claim it first */
    }
    self->failures = 0;
    for (size_t i = 0; i < result->row_count; i++) {
        sweep_row(core, &result->rows[i]);
    }
    self->is_last = result->cursor.len == 0;
    self->cursor_len = result->cursor.len;
    if (result->cursor.len != 0) {
        memcpy(self->cursor, result->cursor.data, result->cursor.len);
    }
}

static void ask_page(core_t *core)
{
    sweep_t *self = &core->sweep;
    store_op_t op = {.verb = STORE_LIST_OWNER,
                     .key = {self->lease.name, STORE_OWNER_TEXT},
                     .cursor = {(uint8_t *)self->cursor, self->cursor_len},
                     .limit = PAGE,
                     .done = on_page};

    self->is_asking = true;
    submit(core, &op, 0);
}

static void on_claimed(store_op_t *op, int rc, const store_result_t *result)
{
    core_t *core = ended(op);
    (void)result;

    if (core == NULL) {
        return;
    }
    sweep_t *self = &core->sweep;
    self->is_asking = false;
    if (rc < 0) { /* it may have happened or not */
        end_sweep(core, rc == -ESTALE ? "another's" : "failed");
        return;
    }
    self->lease = self->claim;
    self->claimed_ms = core->now_ms;
    self->due_ms = core->now_ms + core->options.store_lease_ms / KEEPS_A_LEASE;
}

/* Make it ours, or ours for longer. */
static void claim(core_t *core)
{
    sweep_t *self = &core->sweep;
    char value[STORE_LEASE_MAX];
    size_t len = put_value(core, ++self->beats, value);

    self->claim = self->lease;
    lease_set_value(&self->claim, (wire_bytes_t){(uint8_t *)value, len});
    store_op_t op = {.verb = STORE_CLAIM,
                     .key = lease_name(&self->lease),
                     .expected = lease_value(&self->lease),
                     .value = lease_value(&self->claim),
                     .done = on_claimed};
    self->is_asking = true;
    submit(core, &op, 0);
}

static void start_sweep(core_t *core, const lease_t *lease)
{
    sweep_t *self = &core->sweep;

    self->is_on = true;
    self->is_last = false;
    self->lease = *lease;
    self->cursor_len = 0;
    self->left = 0;
    self->disconnects = 0;
    self->failures = 0;
    self->page_due_ms = core->now_ms;
    claim(core);
}

static void go_on(core_t *core)
{
    sweep_t *self = &core->sweep;

    if (core->now_ms >= self->due_ms) {
        claim(core);
    } else if (!list_is_empty(&self->asked)) {
        if (core->now_ms - self->asked_ms > core->options.liveness_ms) {
            ask_again(core);
        }
    } else if (self->orphans > 0 || self->rows > 0) {
        return; /* those first: they would pile up, or be found again */
    } else if (!self->is_last) {
        if (core->now_ms >= self->page_due_ms) {
            ask_page(core);
        }
    } else if (self->left > 0) {
        end_sweep(core, "standing");
    } else {
        drop_lease(core, lease_name(&self->lease), lease_value(&self->lease), 0,
                   on_done);
        end_sweep(core, "done");
    }
}

/* --- whose turn it is ---------------------------------------------------- */

/* Does a lost gateway of this loop have connections whose end is under way? */
static bool is_ending(const core_t *core, uint32_t loop)
{
    list_foreach(link, &core->gateways) {
        const gateway_t *gateway = list_entry(link, gateway_t, linked);
        if (gateway->loop == loop && gateway->peer == NULL) {
            return true;
        }
    }
    return false;
}

/*
 * Our own, too, of a gateway that is lost: something was left when its last
 * connection ended.  Not one whose gateway has not said yet what it has.
 */
static bool is_to_be_swept(const core_t *core, const lease_t *lease)
{
    uint32_t loop;

    if (core->now_ms - lease->since_ms < core->options.store_lease_ms ||
        !lease_loop(lease, &loop)) {
        return false;
    }
    if (is_ending(core, loop)) {
        return false; /* we have some of its connections, and may have this */
    }
    const gateway_t *gateway = gateway_of_loop(core, loop);
    bool is_ours = wire_is(lease_boot(lease), core->boot);
    return gateway == NULL || (gateway->was_synced && !is_ours);
}

/* All brokers that had its gateway may have died when the store had lost their
 * leases: nobody but its rows would tell of it. */
static void on_owners(store_op_t *op, int rc, const store_result_t *result)
{
    core_t *core = ended(op);

    if (core == NULL || rc < 0) {
        return; /* the next look asks again */
    }
    core->sweep.knows_owners = true;
    for (size_t i = 0; i < result->owner_count; i++) {
        if (!leases_have_loop(&core->sweep.seen, result->owners[i])) {
            leave_lease(core, result->owners[i]);
        }
    }
}

static void ask_owners(core_t *core)
{
    store_op_t op = {.verb = STORE_OWNERS, .done = on_owners};

    submit(core, &op, 0);
}

static void on_leases(store_op_t *op, int rc, const store_result_t *result)
{
    core_t *core = ended(op);

    if (core == NULL) {
        return;
    }
    if (rc < 0) {
        leases_forgive(&core->sweep.seen, core->now_ms);
        return;
    }
    for (size_t i = 0; i < result->lease_count; i++) {
        leases_take(&core->sweep.seen, &result->leases[i], core->now_ms);
    }
    leases_forget_untold(&core->sweep.seen);
    core->sweep.is_next_due = true;
    if (!core->sweep.knows_owners) {
        ask_owners(core);
    }
}

static void find_next(core_t *core)
{
    core->sweep.is_next_due = false;
    list_foreach(link, &core->sweep.seen) {
        lease_t *lease = list_entry(link, lease_t, linked);
        if (is_to_be_swept(core, lease)) {
            lease->since_ms = core->now_ms; /* one try in its time */
            start_sweep(core, lease);
            return;
        }
    }
}

static void look(core_t *core)
{
    store_op_t op = {.verb = STORE_LEASES, .done = on_leases};

    core->sweep.look_due_ms =
        core->now_ms + core->options.store_lease_ms / KEEPS_A_LEASE;
    submit(core, &op, 0);
}

/* --- the turn ------------------------------------------------------------ */

void sweep_turn(core_t *core)
{
    if (!keeper_makes_wait(core)) {
        return; /* what nobody else sees needs no lease */
    }
    if (core->store->stats.store_up == 0) {
        leases_forgive(&core->sweep.seen, core->now_ms);
        return;
    }
    list_foreach(link, &core->gateways) {
        gateway_t *gateway = list_entry(link, gateway_t, linked);
        if (core->now_ms >= gateway->lease_due_ms) { /* the lost, too */
            keep_lease(core, gateway);
        }
    }
    if (core->now_ms >= core->sweep.look_due_ms) {
        look(core);
    }
    release_all(core);
}

void sweep_step(core_t *core)
{
    const sweep_t *self = &core->sweep;

    if (self->is_asking) {
        return;
    }
    if (self->is_on) {
        go_on(core);
    } else if (self->is_next_due && keeper_makes_wait(core)) {
        find_next(core);
    }
}

void sweep_init(core_t *core)
{
    list_init(&core->sweep.seen);
    list_init(&core->sweep.asks);
    list_init(&core->sweep.asked);
    list_init(&core->sweep.released);
}

void sweep_fini(core_t *core)
{
    list_t *link;

    while ((link = list_take(&core->sweep.seen)) != NULL) {
        free(list_entry(link, lease_t, linked));
    }
    ask_again(core);
    while ((link = list_take(&core->sweep.released)) != NULL) {
        free(list_entry(link, released_t, linked));
    }
    while ((link = list_take(&core->sweep.asks)) != NULL) {
        list_entry(link, ask_t, linked)->core = NULL;
    }
}
