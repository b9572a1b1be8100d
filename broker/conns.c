/* SPDX-License-Identifier: MIT */
#include "broker/conns.h"

#include "base/xalloc.h"
#include "broker/keeper.h"
#include "broker/sweep.h"
#include "broker/watch.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#define CONN_HOT   64 /* bytes that a message looks at: a line of the cache */
#define RECORD_HOT 64 /* the same of a record, from its id on */

/* There may be a million of them: a message is to wait for the memory of few
 * lines, and one that only stands is to take no more than this of it. */
_Static_assert(offsetof(conn_t, queued) <= CONN_HOT, "a message's part");
_Static_assert(sizeof(conn_t) <= 120, "with the heap's 8 bytes, two lines");

/* --- the gateways -------------------------------------------------------- */

void gateway_add(core_t *core, gateway_t *gateway)
{
    list_append(&core->gateways, &gateway->linked);
    list_append(&core->loop_buckets[gateway->loop % LOOP_BUCKETS],
                &gateway->by_loop);
}

gateway_t *gateway_of_loop(const core_t *core, uint32_t loop)
{
    list_foreach(link, &core->loop_buckets[loop % LOOP_BUCKETS]) {
        gateway_t *gateway = list_entry(link, gateway_t, by_loop);
        if (gateway->loop == loop) {
            return gateway;
        }
    }
    return NULL;
}

void gateway_reap(core_t *core, gateway_t *gateway)
{
    if (gateway->peer != NULL || gateway->conns != 0 ||
        gateway == &core->nobody) {
        return;
    }
    must(gateway->pushes_len == 0);
    sweep_release(core, gateway);
    list_remove(&gateway->linked);
    list_remove(&gateway->targeted);
    for (uint32_t i = 0; i < gateway->page_count; i++) {
        free(gateway->pages[i]);
    }
    free(gateway->pages);
    free(gateway->pushes);
    buf_fini(&gateway->targets);
    free(gateway);
}

/* --- the table ----------------------------------------------------------- */

/* Where a slot's connection is kept, or NULL when the page is not there. */
static conn_t **place_of(const gateway_t *gateway, uint32_t slot)
{
    uint32_t page = slot / CONNS_A_PAGE;

    if (page >= gateway->page_count || gateway->pages[page] == NULL) {
        return NULL;
    }
    return &gateway->pages[page][slot % CONNS_A_PAGE];
}

static int add_page(gateway_t *gateway, uint32_t page)
{
    if (page >= gateway->page_count) {
        uint32_t count = page + 1;
        conn_t ***pages = realloc(gateway->pages, count * sizeof *pages);
        if (pages == NULL) {
            return -ENOMEM;
        }
        for (uint32_t i = gateway->page_count; i < count; i++) {
            pages[i] = NULL;
        }
        gateway->pages = pages;
        gateway->page_count = count;
    }
    if (gateway->pages[page] == NULL) {
        gateway->pages[page] = calloc(CONNS_A_PAGE, sizeof(conn_t *));
    }
    return gateway->pages[page] == NULL ? -ENOMEM : 0;
}

static conn_t *conn_new(gateway_t *gateway, const conn_id_t *id,
                        wire_bytes_t context)
{
    conn_t *conn = calloc(1, sizeof *conn);
    record_t *record = keeper_record(id, context);

    if (conn == NULL || record == NULL) {
        free(conn);
        record_drop(record);
        return NULL;
    }
    conn->gateway = gateway;
    conn->record = record;
    list_init(&conn->waiting);
    list_init(&conn->queued);
    gateway->conns++;
    return conn;
}

int conns_add_gone(core_t *core, const conn_id_t *id, wire_bytes_t context,
                   conn_t **conn_p)
{
    *conn_p = conn_new(&core->nobody, id, context);
    if (*conn_p == NULL) {
        return -ENOMEM;
    }
    (*conn_p)->state = CONN_CLOSING;
    return 0;
}

int conns_add(core_t *core, gateway_t *gateway, const conn_id_t *id,
              wire_bytes_t context, conn_t **conn_p)
{
    if (add_page(gateway, id->slot / CONNS_A_PAGE) < 0) {
        return -ENOMEM;
    }
    conn_t **place = place_of(gateway, id->slot);
    if (*place != NULL) {
        return -EEXIST;
    }
    conn_t *conn = conn_new(gateway, id, context);
    if (conn == NULL) {
        return -ENOMEM;
    }
    conn->state = CONN_OPENING;
    conn->is_listed = true;
    *place = conn;
    core->stats.connections++;
    *conn_p = conn;
    return 0;
}

conn_t *conns_find_in(const gateway_t *gateway, const conn_id_t *id)
{
    conn_t **place = place_of(gateway, id->slot);

    if (place == NULL || *place == NULL ||
        !conn_id_equal(conn_id_of(*place), id)) {
        return NULL;
    }
    return *place;
}

static void fetch(const void *at, size_t len)
{
    __builtin_prefetch(at);
    __builtin_prefetch((const char *)at + len - 1);
}

/* In rounds, each of which waits once for what the one before has fetched. */
void conns_expect(const gateway_t *gateway, const uint32_t *slots, size_t count)
{
    conn_t **places[CONNS_AHEAD];
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        places[used] = place_of(gateway, slots[i]);
        __builtin_prefetch(places[used]);
        used += places[used] != NULL;
    }
    for (size_t i = 0; i < used; i++) {
        if (*places[i] != NULL) {
            fetch(*places[i], CONN_HOT);
        }
    }
    for (size_t i = 0; i < used; i++) {
        if (*places[i] != NULL) {
            fetch(&(*places[i])->record->id, RECORD_HOT);
        }
    }
}

conn_t *conns_find(const core_t *core, const conn_id_t *id)
{
    gateway_t *gateway = gateway_of_loop(core, id->loop);

    return gateway == NULL ? NULL : conns_find_in(gateway, id);
}

void conns_unlist(core_t *core, conn_t *conn)
{
    if (!conn->is_listed) {
        return;
    }
    conn->is_listed = false;
    *place_of(conn->gateway, conn_id_of(conn)->slot) = NULL;
    core->stats.connections--;
}

void conns_reap_unlisted(core_t *core, conn_t *conn)
{
    if (conn->is_busy || conn->in_flight != 0 || conn->loose != 0 ||
        conn->held != NULL || !list_is_empty(&conn->waiting)) {
        return;
    }
    gateway_t *gateway = conn->gateway;
    must(list_is_empty(&conn->queued));
    keeper_forget(core, conn);
    watch_forget(conn);
    record_drop(conn->record);
    free(conn);
    gateway->conns--;
    gateway_reap(core, gateway);
}

int conns_set_context(conn_t *conn, wire_bytes_t context)
{
    record_t *record = keeper_record(conn_id_of(conn), context);

    if (record == NULL) {
        return -ENOMEM;
    }
    record_drop(conn->record);
    conn->record = record;
    return 0;
}

bool conns_walk(core_t *core, gateway_t *gateway, uint32_t *slot,
                uint32_t slots, void (*fn)(core_t *core, conn_t *conn))
{
    uint32_t end = gateway->page_count * CONNS_A_PAGE;

    for (; slots > 0 && *slot < end; slots--, ++*slot) {
        conn_t **place = place_of(gateway, *slot);
        if (place == NULL) {
            *slot |= CONNS_A_PAGE - 1; /* the next page */
        } else if (*place != NULL) {
            fn(core, *place);
        }
    }
    return *slot >= end;
}

bool conns_next(const gateway_t *gateway, uint32_t *slot, const conn_t **conn)
{
    if (*slot >= gateway->page_count * CONNS_A_PAGE) {
        return false;
    }
    conn_t **place = place_of(gateway, *slot);
    *conn = place == NULL ? NULL : *place;
    *slot = place == NULL ? (*slot | (CONNS_A_PAGE - 1)) + 1 : *slot + 1;
    return true;
}

void conns_each(core_t *core, gateway_t *gateway,
                void (*fn)(core_t *core, conn_t *conn))
{
    for (uint32_t page = 0; page < gateway->page_count; page++) {
        for (uint32_t i = 0; i < CONNS_A_PAGE; i++) {
            conn_t **conns = gateway->pages[page];
            if (conns != NULL && conns[i] != NULL) {
                fn(core, conns[i]);
            }
        }
    }
}
