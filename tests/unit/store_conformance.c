/* SPDX-License-Identifier: MIT
 *
 * What every kind of store does.  The argument is the URL of one that is empty
 * and of nobody else; each test leaves it empty.
 */
#include "base/clock.h"
#include "base/rand.h"
#include "store/open.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <ev.h>

#define PATIENCE_S   60
#define LOOP         0x5a5a5a
#define OTHER_LOOP   0x5a5a5b
#define MANY         25000          /* connections of one user */
#define AT_ONCE      500            /* operations under way */
#define CONTEXT_FULL ((size_t)8192) /* CONTEXT_MAX of the protocol */

static struct ev_loop *loop;
static const char *url;

/* --- one operation, waited for ------------------------------------------- */

typedef struct {
    store_op_t op;
    bool is_done;
    int rc;
    bool was_there;
    uint64_t count;
    size_t row_count, owner_count;
    uint32_t owners[2];
    conn_id_t ids[STORE_PAGE_MAX];
    store_row_t first; /* its texts in `bytes` */
    uint8_t bytes[CONTEXT_FULL + 256];
    char cursor[STORE_CURSOR_MAX];
    size_t cursor_len;
    char value[STORE_LEASE_MAX]; /* of the lease `wanted` */
    size_t value_len, lease_count;
    const char *wanted;
} call_t;

typedef struct {
    store_options_t options;
    store_t *store;
    store_t *second; /* another broker's */
    int64_t now_ms;
} fixture_t;

static wire_bytes_t keep_bytes(call_t *call, size_t *used, wire_bytes_t from)
{
    assert_true(*used + from.len <= sizeof call->bytes);
    memcpy(call->bytes + *used, from.data, from.len);
    *used += from.len;
    return (wire_bytes_t){call->bytes + *used - from.len, from.len};
}

static void keep_rows(call_t *call, const store_result_t *result)
{
    size_t used = 0;

    call->row_count = result->row_count;
    for (size_t i = 0; i < result->row_count; i++) {
        call->ids[i] = result->rows[i].id;
    }
    if (result->row_count > 0) {
        call->first = result->rows[0];
        call->first.context = keep_bytes(call, &used, call->first.context);
        call->first.writer = keep_bytes(call, &used, call->first.writer);
    }
    call->cursor_len = result->cursor.len;
    assert_true(result->cursor.len <= sizeof call->cursor);
    if (result->cursor.len != 0) {
        memcpy(call->cursor, result->cursor.data, result->cursor.len);
    }
}

static void keep_leases(call_t *call, const store_result_t *result)
{
    call->lease_count = result->lease_count;
    for (size_t i = 0; i < result->lease_count; i++) {
        const store_lease_t *lease = &result->leases[i];
        if (call->wanted != NULL && wire_is(lease->name, call->wanted)) {
            call->value_len = lease->value.len;
            memcpy(call->value, lease->value.data, lease->value.len);
        }
    }
}

static void keep_owners(call_t *call, const store_result_t *result)
{
    call->owner_count = result->owner_count;
    for (size_t i = 0; i < result->owner_count && i < 2; i++) {
        call->owners[i] = result->owners[i];
    }
}

static void on_done(store_op_t *op, int rc, const store_result_t *result)
{
    call_t *call = op->user;

    assert_false(call->is_done);
    call->is_done = true;
    call->rc = rc;
    assert_true((result != NULL) == (rc == 0));
    if (rc == 0) {
        call->was_there = result->was_there;
        call->count = result->count;
        keep_rows(call, result);
        keep_leases(call, result);
        keep_owners(call, result);
    }
}

static void on_patience(struct ev_loop *of, ev_timer *timer, int events)
{
    (void)of;
    (void)timer;
    (void)events;
    fail_msg("no answer within %d s", PATIENCE_S);
}

static void turn_until(const bool *is_done)
{
    ev_timer patience;

    ev_timer_init(&patience, on_patience, PATIENCE_S, 0);
    ev_now_update(loop);
    ev_timer_start(loop, &patience);
    while (!*is_done) {
        ev_run(loop, EVRUN_ONCE);
    }
    ev_timer_stop(loop, &patience);
}

static void call_on(fixture_t *f, store_t *store, call_t *call)
{
    call->is_done = false;
    call->op.done = on_done;
    call->op.user = call;
    store_begin(store, f->now_ms);
    store_submit(store, &call->op);
    store_end(store);
    turn_until(&call->is_done);
}

/* --- many at once -------------------------------------------------------- */

typedef struct {
    store_op_t ops[AT_ONCE];
    size_t under_way;
    bool is_done;
} batch_t;

static void on_one_done(store_op_t *op, int rc, const store_result_t *result)
{
    batch_t *batch = op->user;
    (void)result;

    assert_int_equal(rc, 0);
    batch->is_done = --batch->under_way == 0;
}

static void call_many(fixture_t *f, store_verb_t verb, record_t **records,
                      size_t count)
{
    static batch_t batch;

    for (size_t at = 0; at < count; at += AT_ONCE) {
        size_t n = count - at < AT_ONCE ? count - at : AT_ONCE;
        batch.under_way = n;
        batch.is_done = false;
        store_begin(f->store, f->now_ms);
        for (size_t i = 0; i < n; i++) {
            batch.ops[i] = (store_op_t){.verb = verb,
                                        .record = records[at + i],
                                        .done = on_one_done,
                                        .user = &batch};
            store_submit(f->store, &batch.ops[i]);
        }
        store_end(f->store);
        turn_until(&batch.is_done);
    }
}

/* --- words of the tests -------------------------------------------------- */

static conn_id_t id_of(uint32_t of_loop, uint32_t number)
{
    return (conn_id_t){.loop = of_loop,
                       .slot = number,
                       .generation = 7,
                       .random = number * 2654435761u};
}

/* {"user": …, "tenant": …, "attributes": {"note": …}}; NULL: left out. */
static void put_context(buf_t *out, const char *user, const char *tenant,
                        const char *note)
{
    uint32_t pairs = (user != NULL ? 1u : 0) + (tenant != NULL ? 1u : 0) +
                     (note != NULL ? 1u : 0);

    buf_init(out, CONTEXT_FULL * 2);
    assert_int_equal(wire_put_map(out, pairs), 0);
    if (user != NULL) {
        wire_put_text(out, "user");
        wire_put_text(out, user);
    }
    if (tenant != NULL) {
        wire_put_text(out, "tenant");
        wire_put_text(out, tenant);
    }
    if (note != NULL) {
        wire_put_text(out, "attributes");
        wire_put_map(out, 1);
        wire_put_text(out, "note");
        assert_int_equal(wire_put_text(out, note), 0);
    }
}

static record_t *record_of(uint32_t of_loop, uint32_t number, const char *user,
                           const char *tenant, const char *note)
{
    conn_id_t id = id_of(of_loop, number);
    buf_t context;

    put_context(&context, user, tenant, note);
    record_t *record =
        record_new(&id, (wire_bytes_t){context.data, context.len}, 0);
    buf_fini(&context);
    assert_non_null(record);
    return record;
}

static call_t *said(fixture_t *f, store_verb_t verb, record_t *record)
{
    static call_t call;

    call = (call_t){.op = {.verb = verb, .record = record}};
    call_on(f, f->store, &call);
    return &call;
}

static void save(fixture_t *f, record_t *record)
{
    assert_int_equal(said(f, STORE_SAVE, record)->rc, 0);
}

/* … and drop it. */
static void remove_row(fixture_t *f, record_t *record)
{
    assert_int_equal(said(f, STORE_REMOVE, record)->rc, 0);
    record_drop(record);
}

static call_t *got(fixture_t *f, const conn_id_t *id)
{
    static call_t call;

    call = (call_t){.op = {.verb = STORE_GET, .id = *id}};
    call_on(f, f->store, &call);
    return &call;
}

static call_t *page_behind(fixture_t *f, store_verb_t verb, const char *key,
                           const call_t *before, uint32_t limit)
{
    static call_t call, last;

    last.cursor_len = 0;
    if (before != NULL) {
        last = *before;
    }
    call = (call_t){
        .op = {.verb = verb,
               .key = wire_bytes(key),
               .cursor = {(const uint8_t *)last.cursor, last.cursor_len},
               .limit = limit}};
    call_on(f, f->store, &call);
    return &call;
}

/* All rows of a list, page by page; how often each number came. */
static size_t list_all(fixture_t *f, store_verb_t verb, const char *key,
                       uint32_t limit, uint8_t *seen, size_t seen_size)
{
    const call_t *page = NULL;
    size_t total = 0;

    do {
        page = page_behind(f, verb, key, page, limit);
        assert_int_equal(page->rc, 0);
        assert_true(page->row_count <= limit);
        for (size_t i = 0; i < page->row_count; i++) {
            if (seen != NULL && page->ids[i].slot < seen_size) {
                seen[page->ids[i].slot]++;
            }
        }
        total += page->row_count;
    } while (page->cursor_len != 0);
    return total;
}

static size_t size_of(fixture_t *f, store_verb_t verb, const char *key)
{
    return list_all(f, verb, key, 100, NULL, 0);
}

static uint64_t count(fixture_t *f)
{
    call_t *call = said(f, STORE_COUNT, NULL);

    assert_int_equal(call->rc, 0);
    return call->count;
}

/* The four characters that the ids of LOOP begin with. */
static const char *owner_text(uint32_t of_loop)
{
    static char text[CONN_ID_TEXT + 1];
    conn_id_t id = id_of(of_loop, 1);

    conn_id_format(&id, text);
    text[STORE_OWNER_TEXT] = '\0';
    return text;
}

/* --- fixture ------------------------------------------------------------- */

static store_t *open_as(store_options_t *options)
{
    char error[256] = "";

    store_t *store = store_open(options, loop, error, sizeof error);
    if (store == NULL) {
        fail_msg("%s: %s", url, error);
    }
    return store;
}

static int set_up(void **state)
{
    fixture_t *f = calloc(1, sizeof *f);

    loop = ev_loop_new(EVFLAG_AUTO);
    store_options_init(&f->options);
    f->options.url = url;
    f->options.writer = "writer-1";
    f->options.timeout_ms = 30000;
    f->now_ms = clock_wall_ms();
    f->store = open_as(&f->options);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture_t *f = *state;
    uint64_t left = count(f);

    store_destroy(&f->store);
    store_destroy(&f->second);
    ev_loop_destroy(loop);
    free(f);
    return left == 0 ? 0 : -1;
}

/* --- rows ---------------------------------------------------------------- */

static void a_saved_row_is_got_as_it_was(void **state)
{
    fixture_t *f = *state;
    record_t *record = record_of(LOOP, 1, "ann", "acme", "blue");

    assert_false(said(f, STORE_SAVE, record)->was_there);
    call_t *call = got(f, &record->id);
    assert_int_equal(call->rc, 0);
    assert_true(conn_id_equal(&call->first.id, &record->id));
    assert_true(wire_equal(call->first.context, record_context(record)));
    assert_true(wire_is(call->first.writer, "writer-1"));
    assert_in_range(call->first.expires_ms / 1000,
                    f->now_ms / 1000 + f->options.ttl_s - 1,
                    f->now_ms / 1000 + f->options.ttl_s + 1);
    remove_row(f, record);
}

static void who_is_not_there_is_not_got(void **state)
{
    conn_id_t id = id_of(LOOP, 4711);

    assert_int_equal(got(*state, &id)->rc, -ENOENT);
}

static void a_removed_row_is_gone_from_every_list(void **state)
{
    fixture_t *f = *state;
    record_t *record = record_of(LOOP, 1, "ann", "acme", NULL);
    conn_id_t id = record->id;

    save(f, record);
    assert_int_equal(count(f), 1);
    remove_row(f, record);
    assert_int_equal(got(f, &id)->rc, -ENOENT);
    assert_int_equal(size_of(f, STORE_LIST_USER, "ann"), 0);
    assert_int_equal(size_of(f, STORE_LIST_TENANT, "acme"), 0);
    assert_int_equal(size_of(f, STORE_LIST_OWNER, owner_text(LOOP)), 0);
}

static void to_save_and_to_remove_twice_is_harmless(void **state)
{
    fixture_t *f = *state;
    record_t *record = record_of(LOOP, 1, "ann", "acme", NULL);

    save(f, record);
    assert_true(said(f, STORE_SAVE, record)->was_there);
    assert_int_equal(count(f), 1);
    assert_int_equal(size_of(f, STORE_LIST_USER, "ann"), 1);
    assert_int_equal(said(f, STORE_REMOVE, record)->rc, 0);
    remove_row(f, record);
    assert_int_equal(count(f), 0);
}

static void a_later_save_takes_the_place_of_the_former(void **state)
{
    fixture_t *f = *state;
    record_t *former = record_of(LOOP, 1, "ann", "acme", "old");
    record_t *record = record_of(LOOP, 1, "ann", "acme", "new");

    save(f, former);
    save(f, record);
    assert_int_equal(count(f), 1);
    assert_true(
        wire_equal(got(f, &record->id)->first.context, record_context(record)));
    assert_int_equal(size_of(f, STORE_LIST_TENANT, "acme"), 1);
    record_drop(former);
    remove_row(f, record);
}

static void a_connection_without_a_user_is_in_no_users_list(void **state)
{
    fixture_t *f = *state;
    record_t *nobody = record_of(LOOP, 1, NULL, NULL, NULL);
    record_t *empty = record_of(LOOP, 2, "", "", NULL);

    save(f, nobody);
    save(f, empty);
    assert_int_equal(got(f, &nobody->id)->rc, 0);
    assert_int_equal(got(f, &empty->id)->rc, 0);
    assert_int_equal(size_of(f, STORE_LIST_USER, ""), 0);
    assert_int_equal(size_of(f, STORE_LIST_TENANT, ""), 0);
    assert_int_equal(size_of(f, STORE_LIST_OWNER, owner_text(LOOP)), 2);
    remove_row(f, nobody);
    remove_row(f, empty);
}

static void names_may_be_of_any_characters(void **state)
{
    static const char *const names[] = {"Zoë Ångström", "日本語", "a b",
                                        "100%",         "{tag}",  "a:b#c",
                                        "\"q\"\\",      "\t\r\n", "😀"};
    fixture_t *f = *state;

    for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        record_t *record = record_of(LOOP, i, names[i], names[i], names[i]);
        save(f, record);
        assert_true(wire_equal(got(f, &record->id)->first.context,
                               record_context(record)));
        assert_int_equal(size_of(f, STORE_LIST_USER, names[i]), 1);
        assert_int_equal(size_of(f, STORE_LIST_TENANT, names[i]), 1);
        remove_row(f, record);
    }
}

static void users_that_look_alike_are_kept_apart(void **state)
{
    fixture_t *f = *state;
    record_t *one = record_of(LOOP, 1, "ann", "ann", NULL);
    record_t *two = record_of(LOOP, 2, "anna", "Ann", NULL);

    save(f, one);
    save(f, two);
    assert_int_equal(size_of(f, STORE_LIST_USER, "ann"), 1);
    assert_int_equal(size_of(f, STORE_LIST_USER, "anna"), 1);
    assert_int_equal(size_of(f, STORE_LIST_USER, "Ann"), 0);
    assert_int_equal(size_of(f, STORE_LIST_TENANT, "Ann"), 1);
    remove_row(f, one);
    remove_row(f, two);
}

static void a_context_may_be_as_large_as_the_protocol_allows(void **state)
{
    fixture_t *f = *state;
    static char note[CONTEXT_FULL];

    memset(note, 'x', sizeof note - 1);
    note[CONTEXT_FULL - 64] = '\0';
    record_t *record = record_of(LOOP, 1, "ann", NULL, note);
    assert_in_range(record->context_len, CONTEXT_FULL - 64, CONTEXT_FULL);
    save(f, record);
    assert_true(
        wire_equal(got(f, &record->id)->first.context, record_context(record)));
    remove_row(f, record);
}

/* --- expiry -------------------------------------------------------------- */

static void a_row_ends_after_its_time(void **state)
{
    fixture_t *f = *state;
    record_t *record = record_of(LOOP, 1, "ann", NULL, NULL);
    int64_t born_ms = f->now_ms;

    record->ttl_s = 60;
    save(f, record);
    f->now_ms = born_ms + 59 * INT64_C(1000);
    assert_int_equal(got(f, &record->id)->rc, 0);
    assert_int_equal(got(f, &record->id)->first.ttl_s, 60);
    f->now_ms = born_ms + 61 * INT64_C(1000);
    assert_int_equal(got(f, &record->id)->rc, -ENOENT);
    assert_int_equal(size_of(f, STORE_LIST_USER, "ann"), 0);
    remove_row(f, record);
}

static void a_row_that_is_saved_again_lasts_longer(void **state)
{
    fixture_t *f = *state;
    record_t *record = record_of(LOOP, 1, "ann", NULL, NULL);
    int64_t born_ms = f->now_ms;

    record->ttl_s = 60;
    save(f, record);
    f->now_ms = born_ms + 50 * INT64_C(1000);
    save(f, record);
    f->now_ms = born_ms + 100 * INT64_C(1000);
    assert_int_equal(got(f, &record->id)->rc, 0);
    assert_int_equal(size_of(f, STORE_LIST_USER, "ann"), 1);
    remove_row(f, record);
}

/* --- lists --------------------------------------------------------------- */

static record_t **make_many(size_t n, const char *user)
{
    record_t **records = calloc(n, sizeof *records);

    assert_non_null(records);
    for (size_t i = 0; i < n; i++) {
        records[i] = record_of(LOOP, (uint32_t)i, user, NULL, NULL);
    }
    return records;
}

static void drop_many(record_t **records, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        record_drop(records[i]);
    }
    free(records);
}

static void all_of_a_large_list_come_exactly_once(void **state)
{
    fixture_t *f = *state;
    record_t **records = make_many(MANY, "crowd");
    uint8_t *seen = calloc(MANY, 1);

    call_many(f, STORE_SAVE, records, MANY);
    assert_int_equal(count(f), MANY);
    assert_int_equal(list_all(f, STORE_LIST_USER, "crowd", 1000, seen, MANY),
                     MANY);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(seen[i], 1);
    }
    call_many(f, STORE_REMOVE, records, MANY);
    assert_int_equal(size_of(f, STORE_LIST_USER, "crowd"), 0);
    drop_many(records, MANY);
    free(seen);
}

static void those_who_stay_come_once_while_others_leave(void **state)
{
    enum { N = 300 };
    fixture_t *f = *state;
    record_t **records = make_many(N, "crowd");
    uint8_t seen[N] = {0};
    call_t *page = NULL;
    size_t removed = 0;

    call_many(f, STORE_SAVE, records, N);
    do {
        page = page_behind(f, STORE_LIST_USER, "crowd", page, 20);
        assert_int_equal(page->rc, 0);
        for (size_t i = 0; i < page->row_count; i++) {
            seen[page->ids[i].slot]++;
        }
        /* every third leaves, in front and behind of where we are */
        for (size_t i = 0; i < 10 && removed < N; i++, removed += 3) {
            call_t kept = *page;
            assert_int_equal(said(f, STORE_REMOVE, records[removed])->rc, 0);
            *page = kept;
        }
    } while (page->cursor_len != 0);
    for (size_t i = 0; i < N; i++) {
        assert_true(i % 3 == 0 ? seen[i] <= 1 : seen[i] == 1);
    }
    call_many(f, STORE_REMOVE, records, N);
    drop_many(records, N);
}

static void an_owners_list_has_its_rows_and_no_others(void **state)
{
    fixture_t *f = *state;
    record_t *mine = record_of(LOOP, 1, "ann", NULL, NULL);
    record_t *other = record_of(OTHER_LOOP, 1, "ann", NULL, NULL);

    save(f, mine);
    save(f, other);
    assert_int_equal(size_of(f, STORE_LIST_OWNER, owner_text(LOOP)), 1);
    assert_int_equal(size_of(f, STORE_LIST_OWNER, owner_text(OTHER_LOOP)), 1);
    assert_int_equal(size_of(f, STORE_LIST_USER, "ann"), 2);
    remove_row(f, mine);
    assert_int_equal(size_of(f, STORE_LIST_OWNER, owner_text(LOOP)), 0);
    remove_row(f, other);
}

/* 1: LOOP, 2: OTHER_LOOP. */
static unsigned owners(fixture_t *f)
{
    call_t *call = said(f, STORE_OWNERS, NULL);
    unsigned owners = 0;

    assert_int_equal(call->rc, 0);
    assert_true(call->owner_count <= 2);
    for (size_t i = 0; i < call->owner_count; i++) {
        unsigned owner = call->owners[i] == LOOP         ? 1
                         : call->owners[i] == OTHER_LOOP ? 2
                                                         : 4;
        assert_int_equal(owners & owner, 0);
        owners |= owner;
    }
    return owners;
}

static void the_owners_are_those_that_have_rows(void **state)
{
    fixture_t *f = *state;
    record_t *one = record_of(LOOP, 1, NULL, NULL, NULL);
    record_t *two = record_of(LOOP, 2, NULL, NULL, NULL);
    record_t *other = record_of(OTHER_LOOP, 1, NULL, NULL, NULL);
    bool tells = strncmp(url, "dynamodb:", 9) != 0; /* leases are rows there */

    assert_int_equal(owners(f), 0);
    save(f, one);
    save(f, two);
    save(f, other);
    assert_int_equal(owners(f), tells ? 1 | 2 : 0);
    remove_row(f, one);
    assert_int_equal(owners(f), tells ? 1 | 2 : 0);
    remove_row(f, two);
    assert_int_equal(owners(f), tells ? 2 : 0);
    remove_row(f, other);
    assert_int_equal(owners(f), 0);
}

/* Enough for a large list to be kept in another way than a small one. */
static void the_rows_of_a_dead_owner_can_be_swept(void **state)
{
    enum { N = 2500 };
    fixture_t *f = *state;
    record_t **records = make_many(N, NULL);
    uint8_t *seen = calloc(N, 1);

    call_many(f, STORE_SAVE, records, N);
    list_all(f, STORE_LIST_OWNER, owner_text(LOOP), 100, seen, N);
    for (size_t i = 0; i < N; i++) {
        assert_true(seen[i] >= 1);
    }
    call_many(f, STORE_REMOVE, records, N);
    assert_int_equal(size_of(f, STORE_LIST_OWNER, owner_text(LOOP)), 0);
    drop_many(records, N);
    free(seen);
}

static void a_list_of_nobody_is_empty(void **state)
{
    call_t *page = page_behind(*state, STORE_LIST_USER, "nobody", NULL, 10);

    assert_int_equal(page->rc, 0);
    assert_int_equal(page->row_count, 0);
    assert_int_equal(page->cursor_len, 0);
}

static void what_is_no_cursor_is_refused(void **state)
{
    fixture_t *f = *state;
    call_t before = {.cursor = "*?", .cursor_len = 2};

    assert_int_equal(page_behind(f, STORE_LIST_USER, "ann", &before, 10)->rc,
                     -EINVAL);
    assert_int_equal(page_behind(f, STORE_LIST_USER, "ann", NULL, 0)->rc,
                     -EINVAL);
    assert_int_equal(
        page_behind(f, STORE_LIST_USER, "ann", NULL, STORE_PAGE_MAX + 1)->rc,
        -EINVAL);
}

/* --- several writers ----------------------------------------------------- */

static void two_brokers_see_each_others_rows(void **state)
{
    fixture_t *f = *state;
    record_t *record = record_of(LOOP, 1, "ann", NULL, NULL);
    store_options_t options = f->options;
    static call_t call;

    if (strcmp(url, "memory") == 0) {
        record_drop(record); /* each has its own, as store/memory.h says */
        return;
    }
    options.writer = "writer-2";
    f->second = open_as(&options);
    save(f, record);
    call = (call_t){.op = {.verb = STORE_SAVE, .record = record}};
    call_on(f, f->second, &call);
    assert_int_equal(call.rc, 0);
    assert_true(call.was_there);
    assert_true(wire_is(got(f, &record->id)->first.writer, "writer-2"));
    assert_int_equal(count(f), 1);
    remove_row(f, record);
    call = (call_t){.op = {.verb = STORE_COUNT}};
    call_on(f, f->second, &call);
    assert_int_equal(call.count, 0);
}

/* Whoever comes last, what is left is whole: the row and all its lists. */
static void saves_and_removes_of_one_row_take_effect_in_order(void **state)
{
    static batch_t batch;
    fixture_t *f = *state;
    record_t *record = record_of(LOOP, 1, "ann", "acme", NULL);

    for (int last = 0; last < 2; last++) {
        size_t n = 40 + (size_t)last;
        batch = (batch_t){.under_way = n};
        store_begin(f->store, f->now_ms);
        for (size_t i = 0; i < n; i++) {
            batch.ops[i] =
                (store_op_t){.verb = i % 2 == 0 ? STORE_SAVE : STORE_REMOVE,
                             .record = record,
                             .done = on_one_done,
                             .user = &batch};
            store_submit(f->store, &batch.ops[i]);
        }
        store_end(f->store);
        turn_until(&batch.is_done);
        size_t left = (size_t)last;
        assert_int_equal(got(f, &record->id)->rc, left ? 0 : -ENOENT);
        assert_int_equal(size_of(f, STORE_LIST_USER, "ann"), left);
        assert_int_equal(size_of(f, STORE_LIST_TENANT, "acme"), left);
        assert_int_equal(count(f), left);
    }
    remove_row(f, record);
}

/* --- leases -------------------------------------------------------------- */

static call_t *lease(fixture_t *f, store_verb_t verb, const char *name,
                     const char *expected, const char *value)
{
    static call_t call;

    call = (call_t){.op = {.verb = verb,
                           .key = wire_bytes(name),
                           .expected = wire_bytes(expected),
                           .value = wire_bytes(value)},
                    .wanted = name};
    call_on(f, f->store, &call);
    return &call;
}

static void assert_lease(fixture_t *f, const char *name, const char *value)
{
    call_t *call = lease(f, STORE_LEASES, name, "", "");

    assert_int_equal(call->rc, 0);
    assert_true(wire_is(
        (wire_bytes_t){(const uint8_t *)call->value, call->value_len}, value));
}

static void a_lease_is_kept_and_seen(void **state)
{
    fixture_t *f = *state;

    assert_false(lease(f, STORE_KEEP, "b:one", "", "1")->was_there);
    assert_lease(f, "b:one", "1");
    assert_true(lease(f, STORE_KEEP, "b:one", "", "2")->was_there);
    assert_lease(f, "b:one", "2");
    assert_int_equal(lease(f, STORE_LEASES, "b:one", "", "")->lease_count, 1);
    assert_int_equal(lease(f, STORE_DROP, "b:one", "2", "")->rc, 0);
    assert_int_equal(lease(f, STORE_LEASES, "b:one", "", "")->lease_count, 0);
}

static void only_one_of_two_claims_a_lease(void **state)
{
    fixture_t *f = *state;

    assert_int_equal(lease(f, STORE_KEEP, "g:dead", "", "9")->rc, 0);
    assert_int_equal(lease(f, STORE_CLAIM, "g:dead", "9", "mine")->rc, 0);
    assert_int_equal(lease(f, STORE_CLAIM, "g:dead", "9", "his")->rc, -ESTALE);
    assert_lease(f, "g:dead", "mine");
    assert_int_equal(lease(f, STORE_DROP, "g:dead", "9", "")->rc, -ESTALE);
    assert_int_equal(lease(f, STORE_DROP, "g:dead", "mine", "")->rc, 0);
    assert_int_equal(lease(f, STORE_CLAIM, "g:dead", "mine", "x")->rc, -ESTALE);
}

static void leases_are_no_rows(void **state)
{
    fixture_t *f = *state;

    assert_int_equal(lease(f, STORE_KEEP, "g:one", "", "1")->rc, 0);
    assert_int_equal(count(f), 0);
    assert_int_equal(lease(f, STORE_DROP, "g:one", "1", "")->rc, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(a_saved_row_is_got_as_it_was),
        TEST(who_is_not_there_is_not_got),
        TEST(a_removed_row_is_gone_from_every_list),
        TEST(to_save_and_to_remove_twice_is_harmless),
        TEST(a_later_save_takes_the_place_of_the_former),
        TEST(a_connection_without_a_user_is_in_no_users_list),
        TEST(names_may_be_of_any_characters),
        TEST(users_that_look_alike_are_kept_apart),
        TEST(a_context_may_be_as_large_as_the_protocol_allows),
        TEST(a_row_ends_after_its_time),
        TEST(a_row_that_is_saved_again_lasts_longer),
        TEST(all_of_a_large_list_come_exactly_once),
        TEST(those_who_stay_come_once_while_others_leave),
        TEST(an_owners_list_has_its_rows_and_no_others),
        TEST(the_owners_are_those_that_have_rows),
        TEST(the_rows_of_a_dead_owner_can_be_swept),
        TEST(a_list_of_nobody_is_empty),
        TEST(what_is_no_cursor_is_refused),
        TEST(two_brokers_see_each_others_rows),
        TEST(saves_and_removes_of_one_row_take_effect_in_order),
        TEST(a_lease_is_kept_and_seen),
        TEST(only_one_of_two_claims_a_lease),
        TEST(leases_are_no_rows),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: store_conformance URL\n");
        return 2;
    }
    url = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
