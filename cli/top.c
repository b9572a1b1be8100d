/* SPDX-License-Identifier: MIT
 *
 * `hoist top`: what goes on between two looks, again and again.
 */
#include "base/clock.h"
#include "base/xalloc.h"
#include "cli/flows.h"
#include "cli/print.h"
#include "cli/screen.h"
#include "cli/system.h"
#include "cli/table.h"
#include "cli/text.h"
#include "cli/verbs.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define INTERVAL_MS     1000
#define INTERVAL_MIN_MS 100
#define INTERVAL_MAX_MS 3600000
#define BUSIEST         10 /* connections that are shown */
#define LINES_A_HEAD    20 /* where there is no terminal */

typedef struct {
    system_t system;
    flows_t flows;
} look_t;

/* What is shown: now, and what was before. */
typedef struct {
    const asked_t *asked;
    look_t *before, *now; /* owned */
    int64_t span_us;      /* between them; 0: there was none before */
    json_t *busiest; /* owned: connections with their rate, busiest first */
    flows_t between; /* of the span: flows that had requests, slowest first */
} top_t;

/* --- looking ------------------------------------------------------------- */

static void look_fini(look_t *self)
{
    system_fini(&self->system);
    flows_fini(&self->flows);
}

/* Counts of a span, of a route that a broker may have forgotten. */
static void subtract(flow_row_t *row, const flow_row_t *before)
{
    if (before == NULL || before->requests > row->requests ||
        before->handler.count > row->handler.count ||
        before->wait.count > row->wait.count) {
        return; /* a broker was restarted */
    }
    row->requests -= before->requests;
    row->refused -= before->refused;
    row->failed -= before->failed;
    row->timeouts -= before->timeouts;
    row->died -= before->died;
    histogram_subtract(&row->wait, &before->wait);
    histogram_subtract(&row->handler, &before->handler);
}

/* Slowest first, then by what waits, then by name. */
static int by_slowness(const void *a, const void *b)
{
    const flow_row_t *left = a, *right = b;
    uint64_t of_left = histogram_at(&left->handler, 0.99);
    uint64_t of_right = histogram_at(&right->handler, 0.99);

    if (of_left != of_right) {
        return of_left < of_right ? 1 : -1;
    }
    if (left->waiting != right->waiting) {
        return left->waiting < right->waiting ? 1 : -1;
    }
    return strcmp(json_string_value(left->key), json_string_value(right->key));
}

static void compare_flows(top_t *self)
{
    const flows_t *now = &self->now->flows;
    flows_t *between = &self->between;

    flows_fini(between);
    if (now->count == 0) {
        return;
    }
    between->rows = xcalloc(now->count, sizeof *between->rows);
    between->count = between->cap = now->count;
    for (size_t i = 0; i < now->count; i++) {
        flow_row_t *row = &between->rows[i];
        *row = now->rows[i];
        json_incref(row->key);
        if (self->span_us > 0) {
            subtract(row, flows_find(&self->before->flows, row->key));
        }
    }
    qsort(between->rows, between->count, sizeof *between->rows, by_slowness);
}

static double rate_of(const json_t *row)
{
    return json_real_value(json_object_get(row, "a_second"));
}

/* It takes its place among the busiest of all gateways. */
static void rank(json_t *busiest, json_t *row)
{
    size_t at = json_array_size(busiest);

    while (at > 0 && rate_of(json_array_get(busiest, at - 1)) < rate_of(row)) {
        at--;
    }
    json_array_insert(busiest, at, row);
    if (json_array_size(busiest) > BUSIEST) {
        json_array_remove(busiest, BUSIEST);
    }
}

static void take_busiest(top_t *self, const reply_t *reply)
{
    json_t *gateway = json_object_get(reply->json, "gateway");
    json_t *rows = json_object_get(gateway, "connections");
    int64_t over_us = (int64_t)ask_number(gateway, "over_ms") * 1000;

    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        double a_second = system_rate(ask_number(row, "messages"), 0, over_us);
        json_object_set_new(row, "a_second", json_real(a_second));
        rank(self->busiest, row);
    }
}

/* A gateway tells what its last walk has found (gateway/busiest.h), and who
 * asks begins the next: so it is asked twice, and other things in between. */
static void begin_walks(const top_t *self)
{
    reply_t replies[ASK_MAX];

    ask_all(self->asked, &(ask_t){.path = "/connections?busiest=0"}, replies);
    replies_fini(replies, self->asked->count);
}

static void find_busiest(top_t *self)
{
    reply_t replies[ASK_MAX];

    json_array_clear(self->busiest);
    ask_all(self->asked, &(ask_t){.path = "/connections?busiest=10"}, replies);
    for (size_t i = 0; i < self->asked->count; i++) {
        take_busiest(self, &replies[i]);
    }
    replies_fini(replies, self->asked->count);
}

static void look(top_t *self)
{
    char problem[ASK_PROBLEM_MAX];
    look_t *before = self->before;

    look_fini(before);
    self->before = self->now;
    self->now = before;
    begin_walks(self);
    system_fetch(&self->now->system, self->asked);
    (void)flows_fetch(&self->now->flows, self->asked, problem);
    find_busiest(self);
    self->span_us = self->before->system.at_us == 0
                        ? 0
                        : self->now->system.at_us - self->before->system.at_us;
    compare_flows(self);
}

static void top_init(top_t *self, const asked_t *asked)
{
    *self = (top_t){.asked = asked,
                    .before = xcalloc(1, sizeof *self->before),
                    .now = xcalloc(1, sizeof *self->now),
                    .busiest = json_array()};
}

static void top_fini(top_t *self)
{
    look_fini(self->before);
    look_fini(self->now);
    free(self->before);
    free(self->now);
    json_decref(self->busiest);
    flows_fini(&self->between);
}

/* --- the page ------------------------------------------------------------ */

#define RATE(self, name)                                                       \
    system_rate((self)->now->system.sum.name, (self)->before->system.sum.name, \
                (self)->span_us)

static void print_time(FILE *out)
{
    time_t now = time(NULL);
    struct tm tm;
    char text[16] = "?";

    if (localtime_r(&now, &tm) != NULL) {
        strftime(text, sizeof text, "%H:%M:%S", &tm);
    }
    fprintf(out, "%s  ", text);
}

static void put_rate(const char *name, double value, FILE *out)
{
    char text[TEXT_NUMBER_MAX];

    text_rate(text, value);
    fprintf(out, "  %s %s/s", name, text);
}

static void put_bytes(const char *name, double value, FILE *out)
{
    char text[TEXT_NUMBER_MAX];

    text_bytes(text, (uint64_t)value);
    fprintf(out, "  %s %s/s", name, text);
}

static void print_sums(const top_t *self, FILE *out)
{
    const sums_t *sum = &self->now->system.sum;

    fprintf(out, "clients ");
    put_rate("in", RATE(self, messages_in), out);
    put_rate("out", RATE(self, messages_out), out);
    put_bytes("in", RATE(self, bytes_in), out);
    put_bytes("out", RATE(self, bytes_out), out);
    put_rate("new", RATE(self, connects), out);
    put_rate("error frames", RATE(self, error_frames), out);
    fprintf(out, "\nrequests");
    put_rate("in", RATE(self, requests_in), out);
    put_rate("pushes", RATE(self, pushes), out);
    put_rate("timeouts", RATE(self, timeouts), out);
    put_rate("lost", RATE(self, worker_died), out);
    fprintf(out, "  waiting %llu  at workers %llu\n",
            (unsigned long long)sum->waiting,
            (unsigned long long)(sum->requests - sum->waiting));
}

static void print_table(table_t *table, FILE *out)
{
    fputc('\n', out);
    table_print(table, out);
    table_destroy(&table);
}

static uint64_t errors_of(const flow_row_t *row)
{
    return row->refused + row->failed + row->timeouts + row->died;
}

static void print_flows(const top_t *self, FILE *out)
{
    static const char *const heads[] = {
        "SLOWEST ROUTES", ">/S",       ">WAITING",   ">HELD",
        ">WAIT P50",      ">WAIT P99", ">REPLY P50", ">REPLY P90",
        ">REPLY P99",     ">ERRORS/S", NULL};
    table_t *table = table_new(heads);

    for (size_t i = 0; i < self->between.count; i++) {
        const flow_row_t *row = &self->between.rows[i];
        table_put_name(table, row->key);
        table_put_rate(table, system_rate(row->requests, 0, self->span_us));
        table_put_count(table, row->waiting);
        table_put_count(table, row->held);
        table_put_share(table, &row->wait, 0.5);
        table_put_share(table, &row->wait, 0.99);
        table_put_share(table, &row->handler, 0.5);
        table_put_share(table, &row->handler, 0.9);
        table_put_share(table, &row->handler, 0.99);
        table_put_rate(table, system_rate(errors_of(row), 0, self->span_us));
    }
    print_table(table, out);
}

static void print_busiest(const top_t *self, FILE *out)
{
    static const char *const heads[] = {"BUSIEST CONNECTIONS",
                                        "USER",
                                        "IP",
                                        ">MESSAGES/S",
                                        ">QUEUED",
                                        ">AGE",
                                        NULL};
    table_t *table = table_new(heads);
    int64_t now_ms = clock_wall_ms();

    for (size_t i = 0; i < json_array_size(self->busiest); i++) {
        const json_t *row = json_array_get(self->busiest, i);
        table_put(table, ask_text(row, "id"));
        table_put_name(table, json_object_get(row, "user"));
        table_put(table, ask_text(row, "ip"));
        table_put_rate(table, rate_of(row));
        table_put_bytes(table, ask_number(row, "queued_bytes"));
        table_put_age(table, now_ms - (int64_t)ask_number(row, "connected_at"));
    }
    print_table(table, out);
}

/* Caller frees. */
static char *page_of(const top_t *self)
{
    char *page = NULL;
    size_t size;
    FILE *out = open_memstream(&page, &size);

    must(out != NULL);
    print_time(out);
    system_tell(&self->now->system, out);
    print_sums(self, out);
    print_flows(self, out);
    print_busiest(self, out);
    must(fclose(out) == 0);
    return page;
}

/* --- in other forms ------------------------------------------------------ */

static json_t *flow_json(const top_t *self, const flow_row_t *row)
{
    return json_pack(
        "{s:O, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "route", row->key,
        "requests_a_second", system_rate(row->requests, 0, self->span_us),
        "errors_a_second", system_rate(errors_of(row), 0, self->span_us),
        "waiting", (json_int_t)row->waiting, "held", (json_int_t)row->held,
        "wait_p50_us", (json_int_t)histogram_at(&row->wait, 0.5), "wait_p99_us",
        (json_int_t)histogram_at(&row->wait, 0.99), "handler_p50_us",
        (json_int_t)histogram_at(&row->handler, 0.5), "handler_p90_us",
        (json_int_t)histogram_at(&row->handler, 0.9), "handler_p99_us",
        (json_int_t)histogram_at(&row->handler, 0.99));
}

static json_t *page_json(const top_t *self)
{
    const system_t *now = &self->now->system;
    json_t *routes = json_array(), *rates = json_object();

    for (size_t i = 0; i < self->between.count; i++) {
        json_array_append_new(routes, flow_json(self, &self->between.rows[i]));
    }
#define X(name) json_object_set_new(rates, #name, json_real(RATE(self, name)));
    X(messages_in)
    X(messages_out)
    X(bytes_in)
    X(bytes_out)
    X(requests_in)
    X(replies)
    X(pushes)
    X(timeouts)
#undef X
    return json_pack(
        "{s:b, s:O, s:f, s:I, s:I, s:I, s:o, s:o, s:O}", "well", now->is_well,
        "reasons", now->reasons, "seconds", (double)self->span_us / 1e6,
        "connections", (json_int_t)now->sum.connections, "waiting",
        (json_int_t)now->sum.waiting, "requests", (json_int_t)now->sum.requests,
        "a_second", rates, "routes", routes, "busiest", self->busiest);
}

/* All routes together. */
static void sum_times(const top_t *self, histogram_t *sum)
{
    memset(sum, 0, sizeof *sum);
    for (size_t i = 0; i < self->between.count; i++) {
        histogram_merge(sum, &self->between.rows[i].handler);
    }
}

static void put_column(double value)
{
    char text[TEXT_NUMBER_MAX];

    text_rate(text, value);
    printf("%10s", text);
}

/* A line for each look, in the manner of vmstat. */
static void print_line(const top_t *self, uint64_t number)
{
    char p50[TEXT_NUMBER_MAX], p99[TEXT_NUMBER_MAX];
    const sums_t *sum = &self->now->system.sum;
    histogram_t times;

    if (number % LINES_A_HEAD == 0) {
        printf("%-8s  %11s%10s%10s%10s%9s%9s%10s%10s\n", "TIME", "CONNECTIONS",
               "IN/S", "OUT/S", "REQ/S", "WAITING", "HELD", "P50", "P99");
    }
    sum_times(self, &times);
    text_us(p50, histogram_at(&times, 0.5));
    text_us(p99, histogram_at(&times, 0.99));
    print_time(stdout);
    printf("%11llu", (unsigned long long)sum->connections);
    put_column(RATE(self, messages_in));
    put_column(RATE(self, messages_out));
    put_column(RATE(self, requests_in));
    printf("%9llu%9llu  %*s%s  %*s%s\n", (unsigned long long)sum->waiting,
           (unsigned long long)(sum->requests - sum->waiting),
           (int)(8 - text_width(p50)), "", p50, (int)(8 - text_width(p99)), "",
           p99);
    fflush(stdout);
}

/* --- running ------------------------------------------------------------- */

static int complain_of_silence(const top_t *self)
{
    const system_t *now = &self->now->system;

    return verb_complain(VERB_SILENT, "%s",
                         json_string_value(json_array_get(now->reasons, 0)));
}

static int run_once(top_t *self, uint64_t interval_ms, bool is_json)
{
    look(self);
    if (self->now->system.answered == 0) {
        return complain_of_silence(self);
    }
    system_pause(interval_ms);
    look(self);
    int status = system_status(&self->now->system);
    if (is_json) {
        return status | print_json(page_json(self));
    }
    char *page = page_of(self);
    fputs(page, stdout);
    free(page);
    return status;
}

/* Until its reader goes, or a signal comes. */
static int run_lines(top_t *self, uint64_t interval_ms)
{
    look(self);
    if (self->now->system.answered == 0) {
        return complain_of_silence(self);
    }
    for (uint64_t number = 0; !ferror(stdout); number++) {
        system_pause(interval_ms);
        look(self);
        print_line(self, number);
    }
    return VERB_FINE;
}

/* Show the page until it is time to look again.  Returns false at the end. */
static bool show(const top_t *self, const screen_t *screen, int64_t interval_ms)
{
    int64_t until_ms = clock_mono_ms() + interval_ms;
    char *page = page_of(self);
    bool goes_on = true, is_shown = true;

    while (goes_on && is_shown) {
        int64_t left_ms = until_ms - clock_mono_ms();
        char key = '\0';
        screen_show(page);
        screen_event_t event =
            screen_wait(screen, left_ms > 0 ? left_ms : 0, &key);
        goes_on = event != SCREEN_END && key != 'q' && key != 'Q';
        is_shown = event == SCREEN_RESIZE ||
                   (event == SCREEN_KEY && key != ' ' && left_ms > 0);
    }
    free(page);
    return goes_on;
}

static int run_screen(top_t *self, int64_t interval_ms)
{
    screen_t screen;

    look(self);
    if (self->now->system.answered == 0) {
        return complain_of_silence(self);
    }
    screen_open(&screen);
    while (show(self, &screen, interval_ms)) {
        look(self);
    }
    screen_close(&screen);
    return VERB_FINE;
}

int top_run(const args_t *args, const asked_t *asked)
{
    char error[ARGS_ERROR_MAX];
    uint64_t interval_ms = INTERVAL_MS;
    top_t top;
    int status;

    if (args_number(args, "--interval", INTERVAL_MIN_MS, INTERVAL_MAX_MS,
                    &interval_ms, error) < 0) {
        return verb_complain(VERB_USAGE, "%s", error);
    }
    top_init(&top, asked);
    if (args_has(args, "--once") || args_has(args, "--json")) {
        status = run_once(&top, interval_ms, args_has(args, "--json"));
    } else if (screen_is_there()) {
        status = run_screen(&top, (int64_t)interval_ms);
    } else {
        status = run_lines(&top, interval_ms);
    }
    top_fini(&top);
    return status;
}
