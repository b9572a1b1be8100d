/* SPDX-License-Identifier: MIT */
#include "cli/store.h"

#include "base/clock.h"
#include "store/dynamodb_stream.h"
#include "store/dynamodb_table.h"
#include "store/open.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ERROR_MAX 256

static const char usage_text[] =
    "usage: hoist store init [URL]    make the table, unless it is there\n"
    "       hoist store check [URL]   say what is wrong with the store\n"
    "       hoist store watch [URL]   print its changes as they happen, one "
    "JSON\n"
    "                                 object a line, until interrupted\n\n"
    "URL is memory, redis://… or dynamodb://TABLE?region=REGION, and that of "
    "HOIST_STORE\nwhen it is left out.  Only DynamoDB has tables to be made "
    "and changes to be watched.\nCredentials come from the environment, a "
    "profile or a container's endpoint, as for\nall programs of AWS.\n";

static int usage(const char *why)
{
    fprintf(stderr, "hoist store: %s; try hoist store --help\n", why);
    return 2;
}

static int complain(const char *why)
{
    fprintf(stderr, "hoist store: %s\n", why);
    return 2;
}

/* --- any kind of store --------------------------------------------------- */

typedef struct {
    struct ev_loop *loop;
    int rc;
} answer_t;

static void on_leases(store_op_t *op, int rc, const store_result_t *result)
{
    answer_t *answer = op->user;
    (void)result;

    answer->rc = rc;
    ev_break(answer->loop, EVBREAK_ALL);
}

/* Does it answer at all? */
static int check_any(struct ev_loop *loop, const char *url)
{
    char error[ERROR_MAX];
    answer_t answer = {.loop = loop, .rc = 1};
    store_op_t op = {.verb = STORE_LEASES, .done = on_leases, .user = &answer};
    store_options_t options;

    store_options_init(&options);
    options.url = url;
    store_t *store = store_open(&options, loop, error, sizeof error);
    if (store == NULL) {
        return complain(error);
    }
    store_begin(store, clock_wall_ms());
    store_submit(store, &op);
    store_end(store);
    if (answer.rc > 0) {
        ev_run(loop, 0);
    }
    store_destroy(&store);
    printf(answer.rc == 0 ? "the store answers\n"
                          : "the store does not answer: %s\n",
           strerror(-answer.rc));
    return answer.rc == 0 ? 0 : 1;
}

static int run_any(struct ev_loop *loop, const char *word, const char *url)
{
    char error[ERROR_MAX];
    store_options_t options;

    if (strcmp(word, "check") == 0) {
        return check_any(loop, url);
    }
    if (strcmp(word, "watch") == 0) {
        return complain("only dynamodb://… has a stream to be watched");
    }
    store_options_init(&options);
    options.url = url;
    store_t *store = store_open(&options, loop, error, sizeof error);
    if (store == NULL) {
        return complain(error);
    }
    store_destroy(&store);
    puts("this kind of store has nothing that needs to be made");
    return 0;
}

/* --- DynamoDB ------------------------------------------------------------ */

typedef struct {
    struct ev_loop *loop; /* borrowed */
    int status;
} watch_t;

static json_t *text_or_null(wire_bytes_t text)
{
    json_t *value =
        text.len == 0 ? NULL : json_stringn((const char *)text.data, text.len);

    return value == NULL ? json_null() : value; /* NULL: no UTF-8 */
}

static void print_change(void *user, const dynamodb_change_t *change)
{
    static const char *const events[] = {"connected", "changed", "disconnected",
                                         "expired"};
    watch_t *self = user;
    const store_row_t *row = change->row;
    time_t at_s = (time_t)(change->at_ms / 1000);
    char id[CONN_ID_TEXT], at[32] = "";
    struct tm tm;

    conn_id_format(&row->id, id);
    if (gmtime_r(&at_s, &tm) != NULL) {
        strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", &tm);
    }
    json_t *line =
        json_pack("{s:s, s:s%, s:o, s:o, s:s}", "event", events[change->kind],
                  "connection", id, sizeof id, "user",
                  text_or_null(wire_map_str(row->context, "user")), "tenant",
                  text_or_null(wire_map_str(row->context, "tenant")), "at", at);
    json_dumpf(line, stdout, JSON_COMPACT);
    json_decref(line);
    putchar('\n');
    if (fflush(stdout) != 0) { /* nobody reads any more */
        ev_break(self->loop, EVBREAK_ALL);
    }
}

static void say_ready(void *user)
{
    (void)user;
    fputs("watching\n", stderr);
}

static void say_fault(void *user, bool is_final, const char *why)
{
    watch_t *self = user;

    fprintf(stderr, "hoist store: %s\n", why);
    if (is_final) {
        self->status = 1;
        ev_break(self->loop, EVBREAK_ALL);
    }
}

static void on_signal(struct ev_loop *loop, ev_signal *of, int events)
{
    (void)of;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

static int watch(struct ev_loop *loop, const dynamodb_url_t *url)
{
    static const dynamodb_stream_events_t events = {.on_ready = say_ready,
                                                    .on_change = print_change,
                                                    .on_fault = say_fault};
    watch_t self = {.loop = loop};
    ev_signal ends[2];
    store_stats_t stats = {0};

    ev_signal_init(&ends[0], on_signal, SIGINT);
    ev_signal_init(&ends[1], on_signal, SIGTERM);
    ev_signal_start(loop, &ends[0]);
    ev_signal_start(loop, &ends[1]);
    dynamodb_client_t *client = dynamodb_client_new(loop, url, &stats);
    dynamodb_stream_t *stream =
        dynamodb_stream_new(loop, client, url, &events, &self);
    ev_run(loop, 0);
    dynamodb_stream_destroy(&stream);
    dynamodb_client_destroy(&client);
    ev_signal_stop(loop, &ends[0]);
    ev_signal_stop(loop, &ends[1]);
    return self.status;
}

static int run_dynamodb(struct ev_loop *loop, const char *word, const char *url)
{
    char error[ERROR_MAX];
    dynamodb_url_t parts;

    if (dynamodb_url_parse(url, &parts, error, sizeof error) < 0) {
        return complain(error);
    }
    return strcmp(word, "watch") == 0 ? watch(loop, &parts)
           : strcmp(word, "init") == 0
               ? dynamodb_table_init(loop, &parts, stdout)
               : dynamodb_table_check(loop, &parts, stdout);
}

int store_main(int argc, char **argv)
{
    const char *word = argc == 0 ? "" : argv[0];

    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 ||
        strcmp(word, "help") == 0) {
        fputs(usage_text, stdout);
        return 0;
    }
    if (strcmp(word, "init") != 0 && strcmp(word, "check") != 0 &&
        strcmp(word, "watch") != 0) {
        return usage("give init, check or watch");
    }
    const char *url = argc > 1 ? argv[1] : getenv("HOIST_STORE");
    if (argc > 2 || url == NULL || url[0] == '\0') {
        return usage("give the URL of the store, and nothing else");
    }
    signal(SIGPIPE, SIG_IGN);
    struct ev_loop *loop = ev_default_loop(EVFLAG_AUTO); /* of signals */
    int status = dynamodb_url_is(url) ? run_dynamodb(loop, word, url)
                                      : run_any(loop, word, url);
    ev_loop_destroy(loop);
    return status;
}
