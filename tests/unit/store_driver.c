/* SPDX-License-Identifier: MIT
 *
 * A store, driven by lines on standard input, for tests of what a server can do
 * to it.
 *
 *   usage: store_driver URL [TIMEOUT-MS [QUEUE]]
 *
 *   TAG save|remove LOOP SLOT USER TENANT    "-": none
 *   TAG get LOOP SLOT
 *   TAG user|tenant|owner KEY LIMIT CURSOR   "-": the first page
 *   TAG count
 *   TAG keep|claim|drop NAME VALUE EXPECTED
 *   TAG leases
 *   TAG later MS       the store is told a time that is so much later
 *   TAG stats
 *
 * Each is answered by one line, when it is done:
 *
 *   TAG RC [WAS_THERE COUNT CURSOR ID,ID,… NAME=VALUE,…]
 *
 * It ends with its input; what is under way then is cancelled.
 */
#include "base/clock.h"
#include "base/list.h"
#include "store/open.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <unistd.h>

#include <ev.h>

#define WORDS 6
#define INPUT 65536

typedef struct {
    store_op_t op;
    char tag[32];
} call_t;

static store_t *store;
static int64_t later_ms;
static char input[INPUT];
static size_t input_len;

static void print_result(const store_result_t *result)
{
    printf(" %d %" PRIu64 " %.*s ", result->was_there, result->count,
           result->cursor.len == 0 ? 1 : (int)result->cursor.len,
           result->cursor.len == 0 ? "-" : (const char *)result->cursor.data);
    for (size_t i = 0; i < result->row_count; i++) {
        char id[CONN_ID_TEXT];
        conn_id_format(&result->rows[i].id, id);
        printf("%s%.*s", i == 0 ? "" : ",", CONN_ID_TEXT, id);
    }
    printf("%s ", result->row_count == 0 ? "-" : "");
    for (size_t i = 0; i < result->lease_count; i++) {
        const store_lease_t *lease = &result->leases[i];
        printf("%s%.*s=%.*s", i == 0 ? "" : ",", (int)lease->name.len,
               (const char *)lease->name.data, (int)lease->value.len,
               (const char *)lease->value.data);
    }
    printf("%s", result->lease_count == 0 ? "-" : "");
}

static void on_done(store_op_t *op, int rc, const store_result_t *result)
{
    call_t *call = op->user;

    printf("%s %s", call->tag, rc == 0 ? "0" : strerrorname_np(-rc));
    if (result != NULL) {
        print_result(result);
    }
    printf("\n");
    fflush(stdout);
    free(call);
}

static void put_name(buf_t *out, const char *key, const char *name)
{
    if (strcmp(name, "-") != 0) {
        (void)wire_put_text(out, key);
        (void)wire_put_text(out, name);
    }
}

static record_t *record_of(const conn_id_t *id, const char *user,
                           const char *tenant)
{
    buf_t context;

    buf_init(&context, 4096);
    (void)wire_put_map(&context, (strcmp(user, "-") != 0 ? 1u : 0) +
                                     (strcmp(tenant, "-") != 0 ? 1u : 0));
    put_name(&context, "user", user);
    put_name(&context, "tenant", tenant);
    record_t *record =
        record_new(id, (wire_bytes_t){context.data, context.len}, 0);
    buf_fini(&context);
    return record;
}

static wire_bytes_t bytes_of(const char *word)
{
    return strcmp(word, "-") == 0 ? (wire_bytes_t){NULL, 0} : wire_bytes(word);
}

static void print_stats(const char *tag)
{
    const store_stats_t *stats = &store->stats;

    printf("%s 0", tag);
#define X(name, kind, unit, meaning) printf(" %s=%" PRIu64, #name, stats->name);
    STORE_STATS(X)
#undef X
    printf("\n");
    fflush(stdout);
}

static int verb_of(const char *word)
{
    static const char *const verbs[] = {
        [STORE_SAVE] = "save",
        [STORE_REMOVE] = "remove",
        [STORE_GET] = "get",
        [STORE_LIST_USER] = "user",
        [STORE_LIST_TENANT] = "tenant",
        [STORE_LIST_OWNER] = "owner",
        [STORE_COUNT] = "count",
        [STORE_OWNERS] = "owners",
        [STORE_KEEP] = "keep",
        [STORE_LEASES] = "leases",
        [STORE_CLAIM] = "claim",
        [STORE_DROP] = "drop",
    };

    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(word, verbs[i]) == 0) {
            return (int)i;
        }
    }
    return -EINVAL;
}

static uint32_t number(const char *word)
{
    return (uint32_t)strtoul(word, NULL, 10);
}

static void submit(char *words[WORDS], int verb)
{
    call_t *call = calloc(1, sizeof *call);
    conn_id_t id = {number(words[2]), number(words[3]), 1, 1};
    store_op_t *op = &call->op;
    record_t *record = NULL;

    snprintf(call->tag, sizeof call->tag, "%s", words[0]);
    op->verb = (store_verb_t)verb;
    op->id = id;
    op->done = on_done;
    op->user = call;
    if (verb == STORE_SAVE || verb == STORE_REMOVE) {
        record = record_of(&id, words[4], words[5]);
        op->record = record;
    } else {
        op->key = bytes_of(words[2]);
        op->limit = number(words[3]);
        op->cursor = bytes_of(words[4]);
        op->value = bytes_of(words[3]);
        op->expected = bytes_of(words[4]);
    }
    store_submit(store, op);
    record_drop(record);
}

static void take_line(char *line)
{
    char *words[WORDS], *rest = line, none[] = "-";

    for (int i = 0; i < WORDS; i++) {
        words[i] = strsep(&rest, " ");
        words[i] = words[i] == NULL ? none : words[i];
    }
    if (strcmp(words[1], "stats") == 0) {
        print_stats(words[0]);
    } else if (strcmp(words[1], "later") == 0) {
        later_ms = strtoll(words[2], NULL, 10);
        store_begin(store, clock_wall_ms() + later_ms);
        printf("%s 0\n", words[0]);
        fflush(stdout);
    } else if (verb_of(words[1]) >= 0) {
        submit(words, verb_of(words[1]));
    }
}

static void take_lines(void)
{
    char *line = input, *end;

    while ((end = memchr(line, '\n', input_len - (size_t)(line - input))) !=
           NULL) {
        *end = '\0';
        take_line(line);
        line = end + 1;
    }
    input_len -= (size_t)(line - input);
    memmove(input, line, input_len);
}

static void on_input(struct ev_loop *loop, ev_io *io, int events)
{
    (void)events;
    ssize_t got =
        read(STDIN_FILENO, input + input_len, sizeof input - input_len);

    if (got <= 0) {
        if (got == 0 || errno != EAGAIN) {
            ev_io_stop(loop, io);
            ev_break(loop, EVBREAK_ALL);
        }
        return;
    }
    input_len += (size_t)got;
    store_begin(store, clock_wall_ms() + later_ms);
    take_lines();
    store_end(store);
}

int main(int argc, char **argv)
{
    char error[256] = "";
    store_options_t options;
    ev_io io;

    if (argc < 2) {
        fprintf(stderr, "usage: store_driver URL [TIMEOUT-MS [QUEUE]]\n");
        return 2;
    }
    store_options_init(&options);
    options.url = argv[1];
    options.writer = "driver";
    options.timeout_ms = argc > 2 ? atoi(argv[2]) : options.timeout_ms;
    options.queue = argc > 3 ? atoi(argv[3]) : options.queue;
    struct ev_loop *loop = ev_default_loop(0);
    store = store_open(&options, loop, error, sizeof error);
    if (store == NULL) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    store_begin(store, clock_wall_ms());
    fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
    ev_io_init(&io, on_input, STDIN_FILENO, EV_READ);
    ev_io_start(loop, &io);
    ev_run(loop, 0);
    store_destroy(&store);
    ev_loop_destroy(loop);
    return 0;
}
