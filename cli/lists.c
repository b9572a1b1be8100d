/* SPDX-License-Identifier: MIT
 *
 * `hoist routes`, `hoist groups`, `hoist connections list`.
 */
#include "base/clock.h"
#include "base/xalloc.h"
#include "cli/flows.h"
#include "cli/print.h"
#include "cli/table.h"
#include "cli/verbs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_MAX    10000000 /* rows */
#define GROUPS_SPARE 100000   /* that are kept beyond it for a while */

/* --- routes -------------------------------------------------------------- */

static void put_route(table_t *table, const flow_row_t *row)
{
    table_put_name(table, row->key);
    table_put_count(table, row->workers);
    table_put_count(table, row->requests);
    table_put_count(table, row->waiting);
    table_put_count(table, row->held);
    table_put_count(table, row->failed + row->refused);
    table_put_count(table, row->timeouts + row->died);
    table_put_share(table, &row->wait, 0.5);
    table_put_share(table, &row->wait, 0.99);
    table_put_share(table, &row->handler, 0.5);
    table_put_share(table, &row->handler, 0.99);
}

static void print_routes(const flows_t *flows)
{
    static const char *const heads[] = {"ROUTE",      ">WORKERS",   ">REQUESTS",
                                        ">WAITING",   ">HELD",      ">ERRORS",
                                        ">LOST",      ">WAIT P50",  ">WAIT P99",
                                        ">REPLY P50", ">REPLY P99", NULL};
    table_t *table = table_new(heads);

    for (size_t i = 0; i < flows->count; i++) {
        put_route(table, &flows->rows[i]);
    }
    table_print(table, stdout);
    table_destroy(&table);
}

int routes_run(const args_t *args, const asked_t *asked)
{
    char problem[ASK_PROBLEM_MAX];
    flows_t flows;
    size_t answered = flows_fetch(&flows, asked, problem);
    int status = answered == 0 ? VERB_SILENT : VERB_FINE;

    if (problem[0] != '\0') {
        verb_complain(0, "%s", problem);
        status = status == VERB_FINE ? VERB_NOT : status;
    } else if (answered == 0) {
        verb_complain(0, "none of those that were asked is a broker");
    }
    if (answered > 0 && args_has(args, "--json")) {
        json_t *told = json_object();
        json_object_set_new(told, "routes", flows_json(&flows));
        status |= print_json(told);
    } else if (answered > 0) {
        print_routes(&flows);
    }
    flows_fini(&flows);
    return status;
}

/* --- lists in pages ------------------------------------------------------ */

typedef struct {
    json_t *rows;              /* owned: an array */
    const char *user, *tenant; /* only theirs; NULL: of any */
    json_t *by_type; /* owned: groups of them, by type and then by name */
    size_t limit;    /* rows of it */
    bool is_cut;     /* there were more */
} gathered_t;

/* What became of asking all. */
typedef struct {
    size_t answered;
    char problem[ASK_PROBLEM_MAX]; /* of the last that was at fault, or "" */
} outcome_t;

static void note(outcome_t *outcome, const char *address, int rc,
                 const char *why)
{
    outcome->answered += rc >= 0;
    if (rc == -EIO) {
        snprintf(outcome->problem, sizeof outcome->problem, "%.60s: %.180s",
                 address, why);
    }
}

/* Tells what was wrong; returns the exit status. */
static int tell(const outcome_t *outcome, const gathered_t *gathered,
                const char *none)
{
    if (outcome->problem[0] != '\0') {
        verb_complain(0, "%s", outcome->problem);
    } else if (outcome->answered == 0) {
        verb_complain(0, "%s", none);
    }
    if (gathered->is_cut) {
        verb_complain(0, "there are more; --limit says how many are printed");
    }
    return outcome->answered == 0        ? VERB_SILENT
           : outcome->problem[0] != '\0' ? VERB_NOT
                                         : VERB_FINE;
}

static int print_rows(gathered_t *gathered, const char *member)
{
    json_t *told = json_object();

    json_object_set(told, member, gathered->rows);
    json_object_set_new(told, "more", json_boolean(gathered->is_cut));
    return print_json(told);
}

static void gathered_fini(gathered_t *self)
{
    json_decref(self->rows);
    json_decref(self->by_type);
}

/* --- groups -------------------------------------------------------------- */

/* The rows of a type that are known, by name. */
static json_t *names_of(gathered_t *gathered, const char *type)
{
    json_t *names = json_object_get(gathered->by_type, type);

    if (names == NULL) {
        names = json_object();
        json_object_set_new(gathered->by_type, type, names);
    }
    return names;
}

/* By type, then by name: bytes, among which NUL may be. */
static int compare_groups(const void *a, const void *b)
{
    const json_t *one = *(json_t *const *)a, *other = *(json_t *const *)b;
    const json_t *name = json_object_get(one, "name");
    const json_t *others = json_object_get(other, "name");
    size_t len = json_string_length(name), its_len = json_string_length(others);
    int order = strcmp(ask_text(one, "type"), ask_text(other, "type"));

    if (order == 0) {
        order = memcmp(ask_text(one, "name"), ask_text(other, "name"),
                       len < its_len ? len : its_len);
    }
    return order != 0 ? order : (len > its_len) - (len < its_len);
}

static void forget_group(gathered_t *gathered, const json_t *row)
{
    const json_t *name = json_object_get(row, "name");

    json_object_deln(names_of(gathered, ask_text(row, "type")),
                     json_string_value(name), json_string_length(name));
}

/* In order, and no more than are wanted. */
static void sort_groups(gathered_t *gathered)
{
    size_t count = json_array_size(gathered->rows);
    json_t **rows = xcalloc(count + 1, sizeof *rows);

    for (size_t i = 0; i < count; i++) {
        rows[i] = json_incref(json_array_get(gathered->rows, i));
    }
    qsort(rows, count, sizeof *rows, compare_groups);
    json_array_clear(gathered->rows);
    for (size_t i = 0; i < count; i++) {
        if (i < gathered->limit) {
            json_array_append(gathered->rows, rows[i]);
        } else {
            forget_group(gathered, rows[i]);
            gathered->is_cut = true;
        }
        json_decref(rows[i]);
    }
    free(rows);
}

/*
 * A group of several gateways is one.  Of more than are wanted some are kept
 * until it is known which come first: one that was cut has enough before it, so
 * it does not matter that it is counted anew when another gateway has it.
 */
static void on_group(void *user, const char *address, json_t *row)
{
    gathered_t *gathered = user;
    json_t *names = names_of(gathered, ask_text(row, "type"));
    const char *name = ask_text(row, "name");
    size_t len = json_string_length(json_object_get(row, "name"));
    json_t *known = json_object_getn(names, name, len);
    (void)address;

    if (known != NULL) {
        uint64_t sum =
            ask_number(known, "members") + ask_number(row, "members");
        json_object_set_new(known, "members", json_integer((json_int_t)sum));
        return;
    }
    json_array_append(gathered->rows, row);
    json_object_setn(names, name, len, row);
    if (json_array_size(gathered->rows) >= gathered->limit + GROUPS_SPARE) {
        sort_groups(gathered);
    }
}

static void print_groups(const gathered_t *gathered)
{
    static const char *const heads[] = {"TYPE", ">MEMBERS", "NAME", NULL};
    table_t *table = table_new(heads);

    for (size_t i = 0; i < json_array_size(gathered->rows); i++) {
        const json_t *row = json_array_get(gathered->rows, i);
        table_put(table, ask_text(row, "type"));
        table_put_count(table, ask_number(row, "members"));
        table_put_name(table, json_object_get(row, "name"));
    }
    table_print(table, stdout);
    table_destroy(&table);
}

static bool is_type(const char *type)
{
    return strcmp(type, "group") == 0 || strcmp(type, "user") == 0 ||
           strcmp(type, "tenant") == 0 || strcmp(type, "all") == 0;
}

int groups_run(const args_t *args, const asked_t *asked)
{
    char why[ASK_PROBLEM_MAX], path[64], error[ARGS_ERROR_MAX];
    const char *type = args_value(args, "--type");
    uint64_t limit = 1000;
    outcome_t outcome = {.answered = 0};

    if (type == NULL) {
        type = "group";
    }
    if (!is_type(type)) {
        return verb_complain(VERB_USAGE,
                             "--type is group, user, tenant or all");
    }
    if (args_number(args, "--limit", 1, LIMIT_MAX, &limit, error) < 0) {
        return verb_complain(VERB_USAGE, "%s", error);
    }
    gathered_t gathered = {
        .rows = json_array(), .by_type = json_object(), .limit = (size_t)limit};
    bool is_all = strcmp(type, "all") == 0;
    snprintf(path, sizeof path, "/groups%s%s",
             is_all ? "" : "?type=", is_all ? "" : type);
    const ask_list_t list = {.path = path,
                             .actor = "gateway",
                             .member = "groups",
                             .limit = SIZE_MAX,
                             .row = on_group,
                             .user = &gathered};
    for (size_t i = 0; i < asked->count; i++) {
        int rc = ask_pages(asked->address[i], &list, why);
        note(&outcome, asked->address[i], rc, why);
    }
    sort_groups(&gathered);
    int status =
        tell(&outcome, &gathered, "none of those that were asked is a gateway");
    if (outcome.answered > 0 && args_has(args, "--json")) {
        status |= print_rows(&gathered, "groups");
    } else if (outcome.answered > 0) {
        print_groups(&gathered);
    }
    gathered_fini(&gathered);
    return status;
}

/* --- connections --------------------------------------------------------- */

static bool is_name(const json_t *told, const char *name)
{
    return json_string_length(told) == strlen(name) &&
           memcmp(json_string_value(told), name, strlen(name)) == 0;
}

static bool is_wanted(const gathered_t *gathered, const json_t *row)
{
    return (gathered->user == NULL ||
            is_name(json_object_get(row, "user"), gathered->user)) &&
           (gathered->tenant == NULL ||
            is_name(json_object_get(row, "tenant"), gathered->tenant));
}

static void on_connection(void *user, const char *address, json_t *row)
{
    gathered_t *gathered = user;

    if (!is_wanted(gathered, row)) {
        return;
    }
    if (json_array_size(gathered->rows) == gathered->limit) {
        gathered->is_cut = true;
        return;
    }
    json_object_set_new(row, "admin", json_string(address));
    json_array_append(gathered->rows, row);
}

static void print_connections(const gathered_t *gathered)
{
    static const char *const heads[] = {"ID",  "USER", "TENANT",  "IP", ">AGE",
                                        ">IN", ">OUT", ">QUEUED", NULL};
    table_t *table = table_new(heads);
    int64_t now_ms = clock_wall_ms();

    for (size_t i = 0; i < json_array_size(gathered->rows); i++) {
        const json_t *row = json_array_get(gathered->rows, i);
        table_put(table, ask_text(row, "id"));
        table_put_name(table, json_object_get(row, "user"));
        table_put_name(table, json_object_get(row, "tenant"));
        table_put(table, ask_text(row, "ip"));
        table_put_age(table, now_ms - (int64_t)ask_number(row, "connected_at"));
        table_put_count(table, ask_number(row, "messages_in"));
        table_put_count(table, ask_number(row, "messages_out"));
        table_put_bytes(table, ask_number(row, "queued_bytes"));
    }
    table_print(table, stdout);
    table_destroy(&table);
}

/* One page more than is wanted is not asked for. */
static void gather(gathered_t *gathered, outcome_t *outcome,
                   const asked_t *asked, const char *path, const char *actor)
{
    char why[ASK_PROBLEM_MAX];
    bool is_any = gathered->user == NULL && gathered->tenant == NULL;
    const ask_list_t list = {.path = path,
                             .actor = actor,
                             .member = "connections",
                             .limit = is_any ? gathered->limit + 1 : SIZE_MAX,
                             .row = on_connection,
                             .user = gathered};

    for (size_t i = 0; i < asked->count && !gathered->is_cut; i++) {
        int rc = ask_pages(asked->address[i], &list, why);
        note(outcome, asked->address[i], rc, why);
    }
}

int connections_list_run(const args_t *args, const asked_t *asked)
{
    outcome_t outcome = {.answered = 0};
    char error[ARGS_ERROR_MAX];
    uint64_t limit = 1000;

    if (args_number(args, "--limit", 1, LIMIT_MAX, &limit, error) < 0) {
        return verb_complain(VERB_USAGE, "%s", error);
    }
    gathered_t gathered = {.rows = json_array(),
                           .user = args_value(args, "--user"),
                           .tenant = args_value(args, "--tenant"),
                           .limit = (size_t)limit};
    gather(&gathered, &outcome, asked, "/connections", "gateway");
    if (outcome.answered == 0 && outcome.problem[0] == '\0') {
        gather(&gathered, &outcome, asked, "/connections?of=broker", "broker");
    }
    int status = tell(&outcome, &gathered,
                      "none of those that were asked has connections");
    if (outcome.answered > 0 && args_has(args, "--json")) {
        status |= print_rows(&gathered, "connections");
    } else if (outcome.answered > 0) {
        print_connections(&gathered);
    }
    gathered_fini(&gathered);
    return status;
}
