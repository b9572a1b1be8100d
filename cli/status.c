/* SPDX-License-Identifier: MIT
 *
 * `hoist status`: is the system well, and what is there.
 */
#include "base/clock.h"
#include "cli/flows.h"
#include "cli/print.h"
#include "cli/system.h"
#include "cli/table.h"
#include "cli/verbs.h"

#include <string.h>

#define INTERVAL_MS     500
#define INTERVAL_MAX_MS 60000
#define CELL_MAX        512

/* Two looks, and what is between them; span_us: 0 when there is but one. */
typedef struct {
    system_t before, now;
    int64_t span_us;
} looks_t;

static void look(looks_t *looks, const asked_t *asked, uint64_t interval_ms)
{
    system_fetch(&looks->now, asked);
    if (interval_ms == 0 || looks->now.answered == 0) {
        return;
    }
    looks->before = looks->now;
    system_pause(interval_ms);
    system_fetch(&looks->now, asked);
    looks->span_us = looks->now.at_us - looks->before.at_us;
}

static double rate(const looks_t *looks, size_t process, const char *actor,
                   const char *counter)
{
    return system_rate(
        system_counter(system_actor(&looks->now, process, actor), counter),
        system_counter(system_actor(&looks->before, process, actor), counter),
        looks->span_us);
}

/* --- tables -------------------------------------------------------------- */

static void put_rate(table_t *table, const looks_t *looks, size_t process,
                     const char *actor, const char *counter)
{
    if (looks->span_us == 0) {
        table_put(table, "-");
    } else {
        table_put_rate(table, rate(looks, process, actor, counter));
    }
}

static const char *state_of(const json_t *actor)
{
    return ask_flag(actor, "draining") ? "drains"
           : ask_flag(actor, "ready")  ? "ready"
                                       : "not ready";
}

static void print_table(table_t *table)
{
    puts("");
    table_print(table, stdout);
    table_destroy(&table);
}

static void put_loop_rate(table_t *table, const looks_t *looks,
                          const json_t *loop, const json_t *before,
                          const char *counter)
{
    if (looks->span_us == 0) {
        table_put(table, "-");
        return;
    }
    table_put_rate(table,
                   system_rate(ask_number(loop, counter),
                               ask_number(before, counter), looks->span_us));
}

/* Of a gateway that has several, a line each below its own. */
static void put_loops(table_t *table, const looks_t *looks, size_t process)
{
    const json_t *now = system_actor(&looks->now, process, "gateway");
    const json_t *then = system_actor(&looks->before, process, "gateway");
    const json_t *loops = json_object_get(now, "loops");
    const json_t *before = json_object_get(then, "loops");

    for (size_t i = 0; json_array_size(loops) > 1 && i < json_array_size(loops);
         i++) {
        const json_t *loop = json_array_get(loops, i);
        char name[32];
        snprintf(name, sizeof name, "  loop %llu",
                 (unsigned long long)ask_number(loop, "loop"));
        table_put(table, name);
        table_put(table, "");
        table_put(table, state_of(loop));
        table_put(table, "");
        table_put_count(table, ask_number(loop, "connections"));
        put_loop_rate(table, looks, loop, json_array_get(before, i),
                      "messages_in");
        put_loop_rate(table, looks, loop, json_array_get(before, i),
                      "messages_out");
        table_put_count(table, ask_number(loop, "groups"));
    }
}

static void print_gateways(const looks_t *looks)
{
    static const char *const heads[] = {"GATEWAY", "ADDRESS",      "STATE",
                                        ">UP",     ">CONNECTIONS", ">IN/S",
                                        ">OUT/S",  ">NAMES",       NULL};
    table_t *table = table_new(heads);

    for (size_t i = 0; i < looks->now.asked->count; i++) {
        const json_t *actor = system_actor(&looks->now, i, "gateway");
        if (actor == NULL) {
            continue;
        }
        table_put(table, system_name(&looks->now, i, actor));
        table_put(table, ask_text(actor, "address"));
        table_put(table, state_of(actor));
        table_put_age(table, (int64_t)ask_number(actor, "uptime_ms"));
        table_put_count(table, system_counter(actor, "connections"));
        put_rate(table, looks, i, "gateway", "messages_in");
        put_rate(table, looks, i, "gateway", "messages_out");
        table_put_count(table, ask_number(actor, "groups"));
        put_loops(table, looks, i);
    }
    print_table(table);
}

static void put_link(table_t *table, const char *gateway, const json_t *link)
{
    uint64_t loop = ask_number(link, "loop");
    char used[64], name[CELL_MAX];

    snprintf(used, sizeof used, "%llu of %llu",
             (unsigned long long)ask_number(link, "in_flight"),
             (unsigned long long)ask_number(link, "window"));
    snprintf(name, sizeof name, "%.400s, loop %llu", gateway,
             (unsigned long long)loop);
    table_put(table, loop == 0 ? gateway : name);
    table_put(table, ask_text(link, "endpoint"));
    table_put(table, ask_text(link, "state"));
    table_put(table, used);
    table_put_bytes(table, ask_number(link, "in_flight_bytes"));
    if (json_object_get(link, "silent_ms") == NULL) {
        table_put(table, "-"); /* it has not been heard yet */
    } else {
        table_put_age(table, (int64_t)ask_number(link, "silent_ms"));
    }
}

/* How the gateways see the brokers. */
static void print_links(const system_t *now)
{
    static const char *const heads[] = {
        "GATEWAY", "ITS BROKER", "STATE", ">WINDOW", ">BYTES", ">SILENT", NULL};
    table_t *table = table_new(heads);

    for (size_t i = 0; i < now->asked->count; i++) {
        const json_t *actor = system_actor(now, i, "gateway");
        const json_t *links = json_object_get(actor, "brokers");
        for (size_t j = 0; j < json_array_size(links); j++) {
            put_link(table, system_name(now, i, actor),
                     json_array_get(links, j));
        }
    }
    print_table(table);
}

static void print_brokers(const looks_t *looks)
{
    static const char *const heads[] = {
        "BROKER",   "STATE",        ">UP",         "STORE",    ">GATEWAYS",
        ">WORKERS", ">CONNECTIONS", ">REQUESTS/S", ">WAITING", ">HELD",
        NULL};
    table_t *table = table_new(heads);

    for (size_t i = 0; i < looks->now.asked->count; i++) {
        const json_t *actor = system_actor(&looks->now, i, "broker");
        if (actor == NULL) {
            continue;
        }
        uint64_t waiting = system_counter(actor, "waiting");
        table_put(table, system_name(&looks->now, i, actor));
        table_put(table, state_of(actor));
        table_put_age(table, (int64_t)ask_number(actor, "uptime_ms"));
        table_put(table, ask_flag(actor, "store_up") ? "up" : "down");
        table_put_count(table, system_counter(actor, "gateways"));
        table_put_count(table, system_counter(actor, "workers"));
        table_put_count(table, system_counter(actor, "connections"));
        put_rate(table, looks, i, "broker", "requests_in");
        table_put_count(table, waiting);
        table_put_count(table, system_counter(actor, "requests") - waiting);
    }
    print_table(table);
}

static void put_keys(table_t *table, const json_t *worker)
{
    const json_t *keys = json_object_get(worker, "routes");
    char text[CELL_MAX] = "";

    for (size_t i = 0; i < json_array_size(keys); i++) {
        size_t len = strlen(text);
        snprintf(text + len, sizeof text - len, "%s%s", i == 0 ? "" : " ",
                 json_string_value(json_array_get(keys, i)));
    }
    if (ask_number(worker, "route_count") > json_array_size(keys)) {
        size_t len = strlen(text);
        snprintf(text + len, sizeof text - len, " …");
    }
    table_put(table, text);
}

/* In doubt: a link of the same process was lost, and it has not answered yet
 * whether it lives. */
static const char *state_of_worker(const json_t *worker)
{
    if (ask_flag(worker, "draining")) {
        return "drains";
    }
    return ask_flag(worker, "in_doubt") ? "in doubt" : "ready";
}

static void put_worker(table_t *table, const char *broker, const json_t *worker)
{
    char used[64];

    snprintf(used, sizeof used, "%llu of %llu",
             (unsigned long long)ask_number(worker, "held"),
             (unsigned long long)ask_number(worker, "window"));
    table_put_name(table, json_object_get(worker, "name"));
    table_put(table, broker);
    table_put(table, state_of_worker(worker));
    table_put(table, used);
    table_put_age(table, (int64_t)ask_number(worker, "silent_ms"));
    put_keys(table, worker);
}

static void print_workers(const system_t *now)
{
    static const char *const heads[] = {"WORKER",  "BROKER", "STATE", ">WINDOW",
                                        ">SILENT", "ROUTES", NULL};
    table_t *table = table_new(heads);
    uint64_t untold = 0;

    for (size_t i = 0; i < now->asked->count; i++) {
        const json_t *actor = system_actor(now, i, "broker");
        const json_t *workers = json_object_get(actor, "workers");
        untold += ask_number(actor, "workers_untold");
        for (size_t j = 0; j < json_array_size(workers); j++) {
            put_worker(table, system_name(now, i, actor),
                       json_array_get(workers, j));
        }
    }
    print_table(table);
    if (untold > 0) {
        printf("… and %llu more\n", (unsigned long long)untold);
    }
}

static void print_routes(const flows_t *flows)
{
    static const char *const heads[] = {"ROUTE", ">WORKERS",   ">WAITING",
                                        ">HELD", ">REPLY P50", ">REPLY P99",
                                        NULL};
    table_t *table = table_new(heads);

    for (size_t i = 0; i < flows->count; i++) {
        const flow_row_t *row = &flows->rows[i];
        table_put_name(table, row->key);
        table_put_count(table, row->workers);
        table_put_count(table, row->waiting);
        table_put_count(table, row->held);
        table_put_share(table, &row->handler, 0.5);
        table_put_share(table, &row->handler, 0.99);
    }
    print_table(table);
}

static void print_all(const looks_t *looks, const flows_t *flows)
{
    const system_t *now = &looks->now;

    system_tell(now, stdout);
    if (now->gateways > 0) {
        print_gateways(looks);
        print_links(now);
    }
    if (now->brokers > 0) {
        print_brokers(looks);
        print_workers(now);
        print_routes(flows);
    }
}

/* --- JSON ---------------------------------------------------------------- */

static json_t *rates_json(const looks_t *looks)
{
    json_t *told = json_object();

#define X(name)                                                                \
    json_object_set_new(                                                       \
        told, #name,                                                           \
        json_real(system_rate(looks->now.sum.name, looks->before.sum.name,     \
                              looks->span_us)));
    X(messages_in)
    X(messages_out)
    X(bytes_in)
    X(bytes_out)
    X(error_frames)
    X(connects)
    X(requests_in)
    X(replies)
    X(timeouts)
    X(worker_died)
    X(no_worker)
    X(pushes)
#undef X
    return told;
}

static json_t *process_json(const reply_t *reply)
{
    json_t *told = json_object();

    json_object_set_new(told, "admin", json_string(reply->address));
    if (reply->json != NULL) {
        json_object_update(told, reply->json);
    } else {
        json_object_set_new(told, "problem", json_string(reply->problem));
    }
    return told;
}

static json_t *status_json(const looks_t *looks, const flows_t *flows)
{
    const system_t *now = &looks->now;
    json_t *told = json_object(), *processes = json_array();

    json_object_set_new(told, "well", json_boolean(now->is_well));
    json_object_set(told, "reasons", now->reasons);
    if (looks->span_us > 0) {
        json_object_set_new(told, "a_second", rates_json(looks));
    }
    for (size_t i = 0; i < now->asked->count; i++) {
        json_array_append_new(processes, process_json(&now->replies[i]));
    }
    json_object_set_new(told, "processes", processes);
    json_object_set_new(told, "routes", flows_json(flows));
    return told;
}

int status_run(const args_t *args, const asked_t *asked)
{
    char error[ARGS_ERROR_MAX], problem[ASK_PROBLEM_MAX];
    uint64_t interval_ms = INTERVAL_MS;
    static looks_t looks; /* large */
    flows_t flows;

    if (args_number(args, "--interval", 0, INTERVAL_MAX_MS, &interval_ms,
                    error) < 0) {
        return verb_complain(VERB_USAGE, "%s", error);
    }
    look(&looks, asked, interval_ms);
    (void)flows_fetch(&flows, asked, problem); /* STATUS has said it */
    int status = system_status(&looks.now);
    if (args_has(args, "--json")) {
        status |= print_json(status_json(&looks, &flows));
    } else {
        print_all(&looks, &flows);
    }
    flows_fini(&flows);
    system_fini(&looks.before);
    system_fini(&looks.now);
    return status;
}
