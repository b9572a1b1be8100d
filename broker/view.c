/* SPDX-License-Identifier: MIT */
#include "broker/view.h"

#include "base/question.h"
#include "broker/conns.h"
#include "broker/routing.h"
#include "broker/state.h"
#include "proto/json_out.h"

#include <string.h>

#define REASONS_MAX 512 /* bytes */

static unsigned refuse(buf_t *out, const char *why)
{
    return buf_put(out, why, strlen(why)) < 0 ? 500 : 400;
}

static uint64_t silence(const core_t *core, const peer_t *peer)
{
    return (uint64_t)(core->now_ms - peer->last_heard_ms);
}

/* --- STATUS: gateways and workers ---------------------------------------- */

static void put_gateway(json_out_t *out, const core_t *core,
                        const gateway_t *gateway)
{
    const peer_t *peer = gateway->peer;

    json_put_open(out, '{');
    if (peer != NULL) {
        json_put_field(out, "name", wire_bytes(peer->name));
        json_put_field(out, "boot", wire_bytes(peer->boot));
        json_put_field_uint(out, "silent_ms", silence(core, peer));
    }
    json_put_field_bool(out, "lost", peer == NULL);
    json_put_field_uint(out, "loop", gateway->loop);
    json_put_field_uint(out, "connections", gateway->conns);
    json_put_field_uint(out, "held", gateway->held);
    json_put_field_uint(out, "held_bytes", gateway->held_bytes);
    json_put_close(out, '}');
}

static void put_gateways(json_out_t *out, const core_t *core)
{
    uint64_t count = 0;

    json_put_key(out, "gateways");
    json_put_open(out, '[');
    list_foreach(link, &core->gateways) {
        if (count++ == VIEW_PEERS) {
            break;
        }
        put_gateway(out, core, list_entry(link, gateway_t, linked));
    }
    json_put_close(out, ']');
}

/* The first few of what it announced. */
static void put_keys(json_out_t *out, const crew_t *crew)
{
    int left = VIEW_WORKER_KEYS;
    uint64_t count = 0;

    json_put_key(out, "routes");
    json_put_open(out, '[');
    if (crew != NULL) {
        list_foreach(link, &crew->serves) {
            const route_t *route = list_entry(link, serves_t, in_crew)->route;
            if (left-- > 0) {
                json_put_text(out, (wire_bytes_t){route->key, route->key_len});
            }
            count++;
        }
    }
    json_put_close(out, ']');
    json_put_field_uint(out, "route_count", count);
}

static void put_worker(json_out_t *out, const core_t *core,
                       const worker_t *worker)
{
    const peer_t *peer = worker->peer;

    json_put_open(out, '{');
    json_put_field(out, "name", wire_bytes(peer->name));
    json_put_field(out, "boot", wire_bytes(peer->boot));
    json_put_field_uint(out, "silent_ms", silence(core, peer));
    json_put_field_bool(out, "in_doubt", worker->doubt != 0);
    json_put_field_bool(out, "draining", worker->enlisted == NULL);
    json_put_field_uint(out, "window", worker->window);
    json_put_field_uint(out, "opened", worker->opened);
    json_put_field_uint(out, "held", worker->held);
    json_put_field_uint(out, "held_bytes", worker->held_bytes);
    json_put_field_uint(out, "pushes", worker->pushes);
    put_keys(out, worker->enlisted);
    json_put_close(out, '}');
}

static void put_workers(json_out_t *out, const core_t *core)
{
    uint64_t told = 0, seen = 0;

    json_put_key(out, "workers");
    json_put_open(out, '[');
    list_foreach(link, &core->peers) {
        const peer_t *peer = list_entry(link, peer_t, linked);
        if (told == VIEW_PEERS || seen++ == VIEW_SLOTS) {
            break;
        }
        if (peer->worker != NULL && !peer->worker->is_manager) {
            put_worker(out, core, peer->worker);
            told++;
        }
    }
    json_put_close(out, ']');
    json_put_field_uint(out, "workers_untold", core->stats.workers - told);
}

/* --- STATUS: the broker itself ------------------------------------------- */

/* What is said for people when somebody asks whether it is ready. */
static void put_ready(json_out_t *out, const broker_state_t *state)
{
    buf_t lines;

    buf_init(&lines, REASONS_MAX);
    json_put_field_bool(out, "ready", broker_ready(state, &lines) == 200);
    json_put_key(out, "reasons");
    json_put_lines(out, (wire_bytes_t){lines.data, lines.len});
    buf_fini(&lines);
}

static void put_counters(json_out_t *out, const broker_stats_t *stats,
                         const store_stats_t *store)
{
    json_put_key(out, "counters");
    json_put_open(out, '{');
#define X(name, kind, unit, meaning)                                           \
    json_put_field_uint(out, #name, stats->name);
    BROKER_STATS(X)
#undef X
#define X(name, kind, unit, meaning)                                           \
    json_put_field_uint(out, #name, store->name);
    STORE_STATS(X)
#undef X
    json_put_close(out, '}');
}

static unsigned view_status(const core_t *core, const broker_state_t *state,
                            const store_stats_t *store, buf_t *text)
{
    json_out_t out = json_out(text);

    json_put_open(&out, '{');
    json_put_field(&out, "name", wire_bytes(core->options.name));
    json_put_field(&out, "boot", wire_bytes(core->boot));
    json_put_field_uint(&out, "uptime_ms",
                        (uint64_t)(core->now_ms - core->born_ms));
    put_ready(&out, state);
    json_put_field_bool(&out, "draining", core->is_draining);
    json_put_field_bool(&out, "store_up", state->is_store_up);
    json_put_field_uint(&out, "gateway_window",
                        (uint64_t)core->options.gateway_window);
    put_gateways(&out, core);
    put_workers(&out, core);
    put_counters(&out, &core->stats, store);
    json_put_close(&out, '}');
    return out.rc < 0 ? 500 : 200;
}

/* --- ROUTES -------------------------------------------------------------- */

/* Index and count of each bucket in use, for who wants to compare two states
 * (base/histogram.h). */
static void put_buckets(json_out_t *out, const histogram_t *histogram)
{
    json_put_key(out, "buckets");
    json_put_open(out, '[');
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (histogram->bucket[i] > 0) {
            json_put_open(out, '[');
            json_put_uint(out, i);
            json_put_uint(out, histogram->bucket[i]);
            json_put_close(out, ']');
        }
    }
    json_put_close(out, ']');
}

static void put_histogram(json_out_t *out, const char *key,
                          const histogram_t *histogram, bool has_buckets)
{
    json_put_key(out, key);
    json_put_open(out, '{');
    json_put_field_uint(out, "count", histogram->count);
    json_put_field_uint(out, "sum_us", histogram->sum);
    json_put_field_uint(out, "p50_us", histogram_at(histogram, 0.5));
    json_put_field_uint(out, "p90_us", histogram_at(histogram, 0.9));
    json_put_field_uint(out, "p99_us", histogram_at(histogram, 0.99));
    json_put_field_uint(out, "max_us", histogram_at(histogram, 1));
    if (has_buckets) {
        put_buckets(out, histogram);
    }
    json_put_close(out, '}');
}

static void put_flow(json_out_t *out, const flow_t *flow, bool has_buckets)
{
#define X(name, kind, unit, meaning)                                           \
    json_put_field_uint(out, #name, flow->name);
    ROUTE_STATS(X)
#undef X
#define X(name, kind, unit, meaning)                                           \
    put_histogram(out, #name, &flow->name, has_buckets);
    ROUTE_TIMES(X)
#undef X
}

static uint64_t workers_of(const route_t *route)
{
    uint64_t workers = 0;

    list_foreach(link, &route->crews) {
        workers += list_entry(link, serves_t, in_route)->crew->workers;
    }
    return workers;
}

/* route: NULL when nobody serves it any more; flow: NULL when it has none of
 * its own. */
static void put_route(json_out_t *out, wire_bytes_t key, const route_t *route,
                      const flow_t *flow, bool has_buckets)
{
    json_put_open(out, '{');
    json_put_field(out, "route", key);
    json_put_field_uint(out, "workers", route == NULL ? 0 : workers_of(route));
    json_put_field_bool(out, "unordered",
                        route != NULL && routing_is_unordered(route));
    if (flow != NULL) {
        put_flow(out, flow, has_buckets);
    }
    json_put_close(out, '}');
}

/* Those that have a flow of their own, then $other.  Returns rows. */
static uint64_t put_told(json_out_t *out, core_t *core, uint64_t at,
                         bool has_buckets)
{
    const flow_t *flow = traffic_told(&core->traffic, at);

    if (flow == NULL) {
        return 0;
    }
    wire_bytes_t key = {flow->key, flow->key_len};
    const route_t *route = routing_find(core, key);
    if (route == NULL && flow->requests == 0) {
        return 0;
    }
    put_route(out, key, route, flow, has_buckets);
    return 1;
}

/* A bucket of the table: those that have none of their own.  What comes while
 * somebody turns the pages may show some of them twice. */
static uint64_t put_untold(json_out_t *out, const core_t *core, uint64_t at)
{
    uint64_t rows = 0;

    list_foreach(link, &core->routes.buckets[at]) {
        const route_t *route = list_entry(link, route_t, hashed.linked);
        if (route->flow == core->traffic.other) {
            put_route(out, (wire_bytes_t){route->key, route->key_len}, route,
                      NULL, false);
            rows++;
        }
    }
    return rows;
}

/* The cursor passes the flows first, then the buckets. */
static unsigned view_routes(core_t *core, const char *question, buf_t *text)
{
    const uint64_t told = TRAFFIC_ROUTES + 1;
    const uint64_t end = told + core->routes.bucket_count;
    bool has_buckets = question_says(question, "buckets", "1");
    json_out_t out = json_out(text);
    uint64_t at = 0, rows = 0;

    if (question_number(question, "cursor", end, &at) < 0) {
        return refuse(text, "cursor is what the page before has said\n");
    }
    json_put_open(&out, '{');
    json_put_key(&out, "routes");
    json_put_open(&out, '[');
    for (; at < end && rows < VIEW_ROUTES; at++) {
        rows += at < told ? put_told(&out, core, at, has_buckets)
                          : put_untold(&out, core, at - told);
    }
    json_put_close(&out, ']');
    if (at < end) {
        json_put_field_uint(&out, "cursor", at);
    }
    json_put_close(&out, '}');
    return out.rc < 0 ? 500 : 200;
}

/* --- CONNECTIONS --------------------------------------------------------- */

static void put_conn(json_out_t *out, const conn_t *conn)
{
    wire_bytes_t context = record_context(conn->record);
    char id[CONN_ID_TEXT];

    conn_id_format(conn_id_of(conn), id);
    json_put_open(out, '{');
    json_put_field(out, "id", (wire_bytes_t){(const uint8_t *)id, sizeof id});
    json_put_field_if(out, "user", wire_map_str(context, "user"));
    json_put_field_if(out, "tenant", wire_map_str(context, "tenant"));
    json_put_field(out, "ip", wire_map_str(context, "ip"));
    json_put_field_uint(out, "connected_at",
                        wire_map_uint(context, "connected_at", 0));
    json_put_field_uint(out, "held", conn->in_flight + conn->loose);
    json_put_field_bool(out, "waiting", !list_is_empty(&conn->waiting));
    if (conn->worker != NULL) {
        json_put_field(out, "worker", wire_bytes(conn->worker->peer->name));
    }
    json_put_close(out, '}');
}

/* The gateway of the least loop number from this one on, or NULL. */
static const gateway_t *next_gateway(const core_t *core, uint64_t loop)
{
    const gateway_t *next = NULL;

    list_foreach(link, &core->gateways) {
        const gateway_t *gateway = list_entry(link, gateway_t, linked);
        if (gateway->peer != NULL && gateway->loop >= loop &&
            (next == NULL || gateway->loop < next->loop)) {
            next = gateway;
        }
    }
    return next;
}

/* From this slot on.  Returns whether there is more of the gateway's. */
static bool put_conns(json_out_t *out, const gateway_t *gateway, uint32_t *slot,
                      uint64_t limit)
{
    const conn_t *conn;

    for (uint32_t i = 0; i < VIEW_SLOTS && limit > 0; i++) {
        if (!conns_next(gateway, slot, &conn)) {
            return false;
        }
        if (conn != NULL) {
            put_conn(out, conn);
            limit--;
        }
    }
    return true;
}

/* A page is of one gateway; the cursor is its loop and the slot in it. */
static void put_page(json_out_t *out, const core_t *core, uint64_t cursor,
                     uint64_t limit)
{
    const gateway_t *gateway = next_gateway(core, cursor >> 32);
    bool is_same = gateway != NULL && gateway->loop == cursor >> 32;
    uint32_t slot = is_same ? (uint32_t)cursor : 0;
    bool has_more = false;

    json_put_key(out, "connections");
    json_put_open(out, '[');
    if (gateway != NULL) {
        has_more = put_conns(out, gateway, &slot, limit);
    }
    json_put_close(out, ']');
    if (has_more) {
        json_put_field_uint(out, "cursor",
                            (uint64_t)gateway->loop << 32 | slot);
    } else if (gateway != NULL &&
               next_gateway(core, gateway->loop + 1) != NULL) {
        json_put_field_uint(out, "cursor", (uint64_t)(gateway->loop + 1) << 32);
    }
}

static unsigned view_connections(const core_t *core, const char *question,
                                 buf_t *text)
{
    json_out_t out = json_out(text);
    uint64_t cursor = 0, limit = VIEW_CONNS;

    if (question_number(question, "cursor", INT64_MAX, &cursor) < 0 ||
        question_number(question, "limit", VIEW_CONNS, &limit) < 0) {
        return refuse(text, "limit is a number up to 200, cursor what the page "
                            "before has said\n");
    }
    json_put_open(&out, '{');
    put_page(&out, core, cursor, limit);
    json_put_close(&out, '}');
    return out.rc < 0 ? 500 : 200;
}

unsigned broker_view(core_t *core, const broker_state_t *state,
                     const store_stats_t *store, const char *question,
                     buf_t *out)
{
    if (question_is(question, "STATUS")) {
        return view_status(core, state, store, out);
    }
    if (question_is(question, "ROUTES")) {
        return view_routes(core, question, out);
    }
    if (question_is(question, "CONNECTIONS") &&
        question_says(question, "of", "broker")) {
        return view_connections(core, question, out);
    }
    return 404;
}
