/* SPDX-License-Identifier: MIT */
#include "broker/routing.h"

#include "base/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- keys ---------------------------------------------------------------- */

/* A route as a worker announces it. */
typedef struct {
    wire_bytes_t key;
    uint8_t redeliver;
    bool is_unordered;
} offer_t;

static int get_terms(wire_cursor_t *in, offer_t *offer)
{
    wire_bytes_t terms;

    if (wire_get_raw_map(in, &terms) < 0) {
        return -EPROTO;
    }
    uint64_t redeliver = wire_map_uint(terms, "redeliver", 0);
    offer->redeliver =
        redeliver < REDELIVER_MAX ? (uint8_t)redeliver : (uint8_t)REDELIVER_MAX;
    offer->is_unordered = wire_map_bool(terms, "unordered", false);
    return 0;
}

/* The next one of an announced array: a str, or [str, map]. */
static int next_offer(wire_cursor_t *in, offer_t *offer)
{
    uint32_t count;
    wire_bytes_t skipped;

    *offer = (offer_t){.redeliver = 0};
    if (wire_get_array(in, &count) < 0) {
        return wire_get_str(in, &offer->key);
    }
    if (count < 1 || wire_get_str(in, &offer->key) < 0 ||
        (count > 1 && get_terms(in, offer) < 0)) {
        return -EPROTO;
    }
    for (uint32_t i = 2; i < count; i++) {
        if (wire_get_raw(in, &skipped) < 0) {
            return -EPROTO;
        }
    }
    return 0;
}

static bool is_reserved(wire_bytes_t key)
{
    return key.data[0] == '$' && !wire_is(key, "$connect") &&
           !wire_is(key, "$disconnect") && !wire_is(key, "$default") &&
           !wire_is(key, "$presence");
}

const char *routing_check(wire_bytes_t routes)
{
    wire_cursor_t in = wire_cursor(routes);
    uint32_t count;
    offer_t offer;

    if (wire_get_array(&in, &count) < 0 || count < 1) {
        return "no routes";
    }
    if (count > ROUTES_MAX) {
        return "more than 1024 routes";
    }
    for (uint32_t i = 0; i < count; i++) {
        if (next_offer(&in, &offer) < 0) {
            return "a route is neither a str nor [str, map]";
        }
        if (offer.key.len < 1 || offer.key.len > ROUTE_KEY_MAX) {
            return "a route key is not 1 to 128 bytes long";
        }
        if (is_reserved(offer.key)) {
            return "a route key begins with $ and is none of $connect, "
                   "$disconnect, $default, $presence";
        }
    }
    return NULL;
}

static int compare_keys(const offer_t *a, const offer_t *b)
{
    wire_bytes_t left = a->key, right = b->key;
    size_t common = left.len < right.len ? left.len : right.len;
    int order = memcmp(left.data, right.data, common);

    return order != 0 ? order : (left.len > right.len) - (left.len < right.len);
}

/* By key; of equal keys the one announced first. */
static int compare_offers(const void *a, const void *b)
{
    const offer_t *left = a, *right = b;
    int order = compare_keys(left, right);

    return order != 0 ? order
                      : (left->key.data > right->key.data) -
                            (left->key.data < right->key.data);
}

/* Sorted, each key once.  Returns how many; `offers` has ROUTES_MAX. */
static uint32_t sorted_offers(wire_bytes_t routes, offer_t *offers)
{
    wire_cursor_t in = wire_cursor(routes);
    uint32_t count = 0, distinct = 0;

    (void)wire_get_array(&in, &count);
    for (uint32_t i = 0; i < count; i++) {
        (void)next_offer(&in, &offers[i]);
    }
    qsort(offers, count, sizeof *offers, compare_offers);
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || compare_keys(&offers[i], &offers[distinct - 1]) != 0) {
            offers[distinct++] = offers[i];
        }
    }
    return distinct;
}

/* --- routes -------------------------------------------------------------- */

route_t *routing_find(core_t *core, wire_bytes_t key)
{
    uint64_t hash = hash_bytes(key.data, key.len);

    for (hashed_t *at = table_first(&core->routes, hash); at != NULL;
         at = table_next(&core->routes, at)) {
        route_t *route = list_entry(at, route_t, hashed);
        if (route->key_len == key.len &&
            memcmp(route->key, key.data, key.len) == 0) {
            return route;
        }
    }
    return NULL;
}

static route_t *find_or_add(core_t *core, wire_bytes_t key)
{
    route_t *route = routing_find(core, key);

    if (route != NULL) {
        return route;
    }
    route = calloc(1, sizeof *route);
    if (route != NULL) {
        route->key_len = (uint32_t)key.len;
        memcpy(route->key, key.data, key.len);
        route->flow = traffic_flow(&core->traffic, key);
        list_init(&route->deserted);
        list_init(&route->crews);
        list_init(&route->waiters);
        table_add(&core->routes, &route->hashed, hash_bytes(key.data, key.len));
    }
    return route;
}

/* Its last crew may have gone: whoever served it may only be restarting. */
static void desert(core_t *core, route_t *route)
{
    if (list_is_empty(&route->crews)) {
        route->deserted_ms = core->now_ms;
        core->deserted_count++;
        list_append(&core->deserted, &route->deserted);
    }
}

void routing_expect(core_t *core, wire_bytes_t key)
{
    route_t *route = find_or_add(core, key);

    if (route != NULL) {
        desert(core, route);
    }
}

/* Free a route that no crew serves; who waited for it is an orphan now. */
static void close_route(core_t *core, route_t *route, list_t *orphans)
{
    list_t *link;

    while ((link = list_take(&route->waiters)) != NULL) {
        conn_t *conn = list_entry(link, conn_t, queued);
        conn->queue = QUEUE_NONE;
        conn->route = NULL;
        list_append(orphans, link);
    }
    if (wire_is((wire_bytes_t){route->key, route->key_len}, "$disconnect")) {
        core->disconnect_gone_ms = route->deserted_ms;
    }
    if (wire_is((wire_bytes_t){route->key, route->key_len}, "$presence")) {
        core->watch_era++;
    }
    table_remove(&core->routes, &route->hashed);
    list_remove(&route->deserted);
    core->deserted_count--;
    free(route);
}

void routing_close_deserted(core_t *core, list_t *orphans)
{
    list_t *link;

    while ((link = list_peek(&core->deserted)) != NULL) {
        route_t *route = list_entry(link, route_t, deserted);
        bool has_grace =
            core->now_ms - route->deserted_ms < core->options.route_grace_ms;
        if (has_grace && core->deserted_count <= DESERTED_MAX) {
            return;
        }
        close_route(core, route, orphans);
    }
}

bool routing_is_unordered(const route_t *route)
{
    return route->strict == 0 && !list_is_empty(&route->crews);
}

const serves_t *routing_terms(const crew_t *crew, const route_t *route)
{
    list_foreach(link, &route->crews) {
        const serves_t *serves = list_entry(link, serves_t, in_route);
        if (serves->crew == crew) {
            return serves;
        }
    }
    return NULL;
}

/* --- crews --------------------------------------------------------------- */

static void crew_disband(core_t *core, crew_t *crew)
{
    list_t *link;

    while ((link = list_take(&crew->serves)) != NULL) {
        serves_t *serves = list_entry(link, serves_t, in_crew);
        list_remove(&serves->in_route);
        serves->route->strict -= !serves->is_unordered;
        list_remove(&serves->hungry);
        desert(core, serves->route);
        free(serves);
    }
    list_remove(&crew->linked);
    free(crew);
}

static int crew_serve(core_t *core, crew_t *crew, const offer_t *offer)
{
    serves_t *serves = calloc(1, sizeof *serves);
    route_t *route = serves == NULL ? NULL : find_or_add(core, offer->key);

    if (route == NULL) {
        free(serves);
        return -ENOMEM;
    }
    if (!list_is_empty(&route->deserted)) {
        list_remove(&route->deserted);
        core->deserted_count--;
    }
    serves->crew = crew;
    serves->route = route;
    serves->redeliver = offer->redeliver;
    serves->is_unordered = offer->is_unordered;
    route->strict += !offer->is_unordered;
    list_init(&serves->hungry);
    list_append(&crew->serves, &serves->in_crew);
    list_append(&route->crews, &serves->in_route);
    if (!list_is_empty(&route->waiters)) {
        list_append(&crew->hungry, &serves->hungry);
    }
    return 0;
}

/* What is offered as one run of bytes, by which crews are told apart. */
static size_t put_keys(uint8_t *to, const offer_t *offers, uint32_t count)
{
    size_t len = 0;

    for (uint32_t i = 0; i < count; i++) {
        const offer_t *offer = &offers[i];
        if (to != NULL) {
            to[len] = (uint8_t)(offer->redeliver | offer->is_unordered << 7);
            to[len + 1] = (uint8_t)offer->key.len;
            memcpy(to + len + 2, offer->key.data, offer->key.len);
        }
        len += 2 + offer->key.len;
    }
    return len;
}

static crew_t *crew_find(core_t *core, const crew_t *like)
{
    list_foreach(link, &core->crews) {
        crew_t *crew = list_entry(link, crew_t, linked);
        if (crew->keys_len == like->keys_len &&
            memcmp(crew->keys, like->keys, crew->keys_len) == 0) {
            return crew;
        }
    }
    return NULL;
}

static crew_t *crew_new(core_t *core, const offer_t *offers, uint32_t count)
{
    size_t keys_len = put_keys(NULL, offers, count);
    crew_t *crew = calloc(1, sizeof *crew + keys_len);

    if (crew == NULL) {
        return NULL;
    }
    crew->keys_len = put_keys(crew->keys, offers, count);
    crew_t *same = crew_find(core, crew);
    if (same != NULL) {
        free(crew);
        return same;
    }
    for (int i = 0; i < LOAD_LEVELS; i++) {
        list_init(&crew->level[i]);
    }
    list_init(&crew->serves);
    list_init(&crew->hungry);
    list_append(&core->crews, &crew->linked);
    for (uint32_t i = 0; i < count; i++) {
        if (crew_serve(core, crew, &offers[i]) < 0) {
            crew_disband(core, crew);
            return NULL;
        }
    }
    return crew;
}

int routing_join(core_t *core, worker_t *worker, wire_bytes_t routes)
{
    offer_t *offers = malloc(ROUTES_MAX * sizeof *offers);
    crew_t *crew = NULL;

    if (offers != NULL) {
        crew = crew_new(core, offers, sorted_offers(routes, offers));
        free(offers);
    }
    if (crew == NULL) {
        return -ENOMEM;
    }
    crew->workers++;
    worker->enlisted = crew;
    if (worker->doubt == 0) {
        routing_resume(worker);
    }
    return 0;
}

/* --- load ---------------------------------------------------------------- */

bool worker_has_room(const worker_t *worker, uint64_t size)
{
    if (worker->held == 0) {
        return true; /* one is always taken, however large */
    }
    return worker->held < worker->opened &&
           worker->held_bytes + size <= worker->window_bytes;
}

/* 0 for a worker with nothing to do, up to LOAD_LEVELS - 1. */
static unsigned load_of(const worker_t *worker)
{
    uint64_t by_count = worker->held * (LOAD_LEVELS - 1) / worker->opened;
    uint64_t by_bytes =
        worker->held_bytes * (LOAD_LEVELS - 1) / worker->window_bytes;
    uint64_t load = by_count > by_bytes ? by_count : by_bytes;

    if (load == 0 && worker->held != 0) {
        load = 1;
    }
    return load < LOAD_LEVELS ? (unsigned)load : LOAD_LEVELS - 1;
}

static void drop_unused_level(crew_t *crew, const list_t *neighbour)
{
    /* A node whose neighbours are one and the same is alone with its head. */
    if (neighbour->next == neighbour) {
        size_t level = (size_t)(neighbour - crew->level);
        crew->levels_used &= ~(UINT64_C(1) << level);
    }
}

static void leave_level(worker_t *worker)
{
    if (!list_is_empty(&worker->in_crew)) {
        list_t *neighbour = worker->in_crew.prev;
        list_remove(&worker->in_crew);
        drop_unused_level(worker->crew, neighbour);
    }
}

void routing_level(worker_t *worker)
{
    crew_t *crew = worker->crew;

    if (crew == NULL) {
        return;
    }
    if (!worker_has_room(worker, 0)) {
        leave_level(worker);
        return;
    }
    unsigned level = load_of(worker);
    list_t *others = &crew->level[level];
    if (worker->in_crew.next == others) {
        return; /* the last of them already */
    }
    leave_level(worker);
    list_append(others, &worker->in_crew);
    crew->levels_used |= UINT64_C(1) << level;
}

static unsigned lowest_level(const crew_t *crew)
{
    return crew->levels_used == 0
               ? LOAD_LEVELS
               : (unsigned)__builtin_ctzll(crew->levels_used);
}

worker_t *routing_pick(route_t *route, uint64_t size)
{
    serves_t *best = NULL;
    unsigned best_level = LOAD_LEVELS;

    list_foreach(link, &route->crews) {
        serves_t *serves = list_entry(link, serves_t, in_route);
        unsigned level = lowest_level(serves->crew);
        if (level < best_level) {
            best = serves;
            best_level = level;
        }
    }
    if (best == NULL) {
        return NULL;
    }
    if (best->in_route.next != &route->crews) { /* crews take turns */
        list_remove(&best->in_route);
        list_append(&route->crews, &best->in_route);
    }
    worker_t *worker =
        list_entry(best->crew->level[best_level].next, worker_t, in_crew);
    return worker_has_room(worker, size) ? worker : NULL;
}

void routing_suspend(worker_t *worker)
{
    leave_level(worker);
    worker->crew = NULL;
}

void routing_resume(worker_t *worker)
{
    worker->crew = worker->enlisted;
    routing_level(worker);
}

void routing_leave(core_t *core, worker_t *worker)
{
    crew_t *crew = worker->enlisted;

    if (crew == NULL) {
        return;
    }
    routing_suspend(worker);
    worker->enlisted = NULL;
    if (--crew->workers == 0) {
        crew_disband(core, crew);
    }
}

/* --- waiting ------------------------------------------------------------- */

void routing_wait(conn_t *conn, route_t *route)
{
    if (list_is_empty(&route->waiters)) {
        list_foreach(link, &route->crews) {
            serves_t *serves = list_entry(link, serves_t, in_route);
            list_append(&serves->crew->hungry, &serves->hungry);
        }
    }
    conn->queue = QUEUE_ROUTE;
    conn->route = route;
    list_append(&route->waiters, &conn->queued);
}

void routing_unqueue(conn_t *conn)
{
    route_t *route = conn->route;

    list_remove(&conn->queued);
    conn->queue = QUEUE_NONE;
    conn->route = NULL;
    if (route == NULL || !list_is_empty(&route->waiters)) {
        return;
    }
    list_foreach(link, &route->crews) {
        list_remove(&list_entry(link, serves_t, in_route)->hungry);
    }
}
