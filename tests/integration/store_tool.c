/* SPDX-License-Identifier: MIT
 *
 * A store at the hands of a script: each line of the input is an operation, and
 * the answer to each is a line with the name of its error (or ok) and what it
 * brought.
 *
 *   store_tool URL TIMEOUT-MS QUEUE
 *
 *   save NUMBER USER TENANT   user and tenant: - for none
 *   many COUNT USER           saves of COUNT numbers at once; how many failed
 *   remove NUMBER | get NUMBER
 *   list USER | owner         all pages
 *   count
 *   keep NAME VALUE | claim NAME EXPECTED VALUE | drop NAME EXPECTED
 *   wait up | wait down       until the store is that
 *   stats
 */
#include "base/clock.h"
#include "base/xalloc.h"
#include "store/open.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ev.h>

#define LOOP       0x5a5a5a
#define LINE_BYTES 1024
#define MANY_MAX   10000
#define PAGE       100

typedef struct {
    struct ev_loop *loop;
    store_t *store;
    int rc;
    size_t under_way, failed, rows;
    uint64_t count;
    bool was_there;
    char cursor[STORE_CURSOR_MAX];
    size_t cursor_len;
} tool_t;

static void on_done(store_op_t *op, int rc, const store_result_t *result)
{
    tool_t *self = op->user;

    self->rc = rc;
    self->failed += rc < 0;
    if (rc == 0) {
        self->was_there = result->was_there;
        self->count = result->count;
        self->rows += result->row_count;
        self->cursor_len = result->cursor.len;
        if (result->cursor.len > 0) {
            memcpy(self->cursor, result->cursor.data, result->cursor.len);
        }
    }
    if (--self->under_way == 0) {
        ev_break(self->loop, EVBREAK_ALL);
    }
}

static void submit(tool_t *self, store_op_t *op)
{
    op->done = on_done;
    op->user = self;
    self->under_way++;
    store_submit(self->store, op);
}

static void await(tool_t *self)
{
    store_end(self->store);
    while (self->under_way > 0) {
        ev_run(self->loop, 0);
    }
}

static void run(tool_t *self, store_op_t *op)
{
    store_begin(self->store, clock_wall_ms());
    submit(self, op);
    await(self);
}

static record_t *record_of(uint32_t number, const char *user,
                           const char *tenant)
{
    conn_id_t id = {LOOP, number, 1, number};
    buf_t context;

    buf_init(&context, LINE_BYTES);
    must(wire_put_map(&context, 3) == 0);
    must(wire_put_text(&context, "user") == 0);
    must(wire_put_text(&context, strcmp(user, "-") == 0 ? "" : user) == 0);
    must(wire_put_text(&context, "tenant") == 0);
    must(wire_put_text(&context, strcmp(tenant, "-") == 0 ? "" : tenant) == 0);
    must(wire_put_text(&context, "attributes") == 0);
    must(wire_put_map(&context, 1) == 0);
    must(wire_put_text(&context, "color") == 0);
    must(wire_put_text(&context, "blue") == 0);
    record_t *record =
        record_new(&id, (wire_bytes_t){context.data, context.len}, 0);
    buf_fini(&context);
    must(record != NULL);
    return record;
}

static void write_row(tool_t *self, store_verb_t verb, char **words)
{
    record_t *record =
        record_of((uint32_t)strtoul(words[1], NULL, 10),
                  words[2] ? words[2] : "-", words[3] ? words[3] : "-");
    store_op_t op = {.verb = verb, .record = record};

    run(self, &op);
    record_drop(record);
}

static void save_many(tool_t *self, char **words)
{
    static store_op_t ops[MANY_MAX];
    size_t count = strtoul(words[1], NULL, 10);

    must(count > 0 && count <= MANY_MAX);
    store_begin(self->store, clock_wall_ms());
    for (size_t i = 0; i < count; i++) {
        record_t *record = record_of((uint32_t)i, words[2], "-");
        ops[i] = (store_op_t){.verb = STORE_SAVE, .record = record};
        submit(self, &ops[i]);
        record_drop(record);
    }
    await(self);
}

static void list(tool_t *self, store_verb_t verb, const char *key)
{
    char cursor[STORE_CURSOR_MAX];
    store_op_t op;

    self->cursor_len = 0;
    do {
        memcpy(cursor, self->cursor, self->cursor_len);
        op = (store_op_t){.verb = verb,
                          .key = wire_bytes(key),
                          .cursor = {(const uint8_t *)cursor, self->cursor_len},
                          .limit = PAGE};
        self->cursor_len = 0;
        run(self, &op);
    } while (self->cursor_len > 0);
}

static void owner(tool_t *self)
{
    conn_id_t id = {LOOP, 1, 1, 1};
    char text[CONN_ID_TEXT + 1];

    conn_id_format(&id, text);
    text[STORE_OWNER_TEXT] = '\0';
    list(self, STORE_LIST_OWNER, text);
}

static void lease(tool_t *self, store_verb_t verb, char **words)
{
    bool is_keep = verb == STORE_KEEP;
    store_op_t op = {.verb = verb,
                     .key = wire_bytes(words[1]),
                     .value = wire_bytes(is_keep            ? words[2]
                                         : words[3] != NULL ? words[3]
                                                            : ""),
                     .expected = wire_bytes(is_keep ? "" : words[2])};

    run(self, &op);
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)timer;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

static void wait_until(tool_t *self, bool is_up)
{
    ev_timer timer;

    ev_timer_init(&timer, on_tick, 0.02, 0.02);
    ev_timer_start(self->loop, &timer);
    while ((self->store->stats.store_up != 0) != is_up) {
        ev_run(self->loop, 0);
    }
    ev_timer_stop(self->loop, &timer);
}

static void simple(tool_t *self, store_verb_t verb, const char *number)
{
    store_op_t op = {.verb = verb};

    if (number != NULL) {
        uint32_t value = (uint32_t)strtoul(number, NULL, 10);
        op.id = (conn_id_t){LOOP, value, 1, value};
    }
    run(self, &op);
}

static void obey(tool_t *self, char **words)
{
    const char *word = words[0];

    if (strcmp(word, "save") == 0) {
        write_row(self, STORE_SAVE, words);
    } else if (strcmp(word, "remove") == 0) {
        write_row(self, STORE_REMOVE, words);
    } else if (strcmp(word, "many") == 0) {
        save_many(self, words);
    } else if (strcmp(word, "get") == 0) {
        simple(self, STORE_GET, words[1]);
    } else if (strcmp(word, "list") == 0) {
        list(self, STORE_LIST_USER, words[1]);
    } else if (strcmp(word, "owner") == 0) {
        owner(self);
    } else if (strcmp(word, "count") == 0) {
        simple(self, STORE_COUNT, NULL);
    } else if (strcmp(word, "keep") == 0) {
        lease(self, STORE_KEEP, words);
    } else if (strcmp(word, "claim") == 0) {
        lease(self, STORE_CLAIM, words);
    } else if (strcmp(word, "drop") == 0) {
        lease(self, STORE_DROP, words);
    } else if (strcmp(word, "wait") == 0) {
        wait_until(self, strcmp(words[1], "up") == 0);
    }
}

static void answer(const tool_t *self)
{
    printf("%s was_there=%d count=%" PRIu64 " rows=%zu failed=%zu",
           self->rc == 0 ? "ok" : strerrorname_np(-self->rc), self->was_there,
           self->count, self->rows, self->failed);
#define X(name, kind, unit, meaning)                                           \
    printf(" " #name "=%" PRIu64, self->store->stats.name);
    STORE_STATS(X)
#undef X
    putchar('\n');
    fflush(stdout);
}

int main(int argc, char **argv)
{
    char line[LINE_BYTES], error[256];
    store_options_t options;
    tool_t self = {.loop = ev_loop_new(EVFLAG_AUTO)};

    must(argc == 4);
    store_options_init(&options);
    options.url = argv[1];
    options.writer = "tool";
    options.timeout_ms = strtol(argv[2], NULL, 10);
    options.queue = strtol(argv[3], NULL, 10);
    self.store = store_open(&options, self.loop, error, sizeof error);
    if (self.store == NULL) {
        printf("%s\n", error);
        return 2;
    }
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *words[4] = {NULL}, *rest = NULL;
        words[0] = strtok_r(line, " \n", &rest);
        for (int i = 1; i < 4; i++) {
            words[i] = strtok_r(NULL, " \n", &rest);
        }
        self.rc = 0;
        self.failed = self.rows = 0;
        self.count = 0;
        self.was_there = false;
        if (words[0] != NULL) {
            obey(&self, words);
        }
        answer(&self);
    }
    store_destroy(&self.store);
    ev_loop_destroy(self.loop);
    return 0;
}
