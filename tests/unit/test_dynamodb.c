/* SPDX-License-Identifier: MIT
 *
 * The parts of the DynamoDB store that do no I/O: its URL, values, pages and
 * the order of its queue.
 */
#include "store/dynamodb_page.h"
#include "store/dynamodb_queue.h"
#include "store/dynamodb_stream.h"
#include "store/dynamodb_url.h"
#include "store/dynamodb_value.h"

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

/* --- the URL ------------------------------------------------------------- */

static void without_an_endpoint_it_is_that_of_the_region(void **state)
{
    dynamodb_url_t url;
    char error[256];
    (void)state;

    unsetenv("AWS_ENDPOINT_URL");
    unsetenv("AWS_ENDPOINT_URL_DYNAMODB");
    assert_int_equal(dynamodb_url_parse("dynamodb://abc?region=eu-west-1", &url,
                                        error, sizeof error),
                     0);
    assert_string_equal(url.table, "abc");
    assert_string_equal(url.endpoint,
                        "https://dynamodb.eu-west-1.amazonaws.com");
    assert_string_equal(url.streams_host,
                        "streams.dynamodb.eu-west-1.amazonaws.com");
    assert_int_equal(dynamodb_url_parse("dynamodb://abc?region=cn-north-1",
                                        &url, error, sizeof error),
                     0);
    assert_string_equal(url.host, "dynamodb.cn-north-1.amazonaws.com.cn");
}

static void the_environment_fills_in_what_the_url_leaves_out(void **state)
{
    dynamodb_url_t url;
    char error[256];
    (void)state;

    setenv("AWS_REGION", "ap-south-1", 1);
    setenv("AWS_ENDPOINT_URL", "http://[::1]:8000/", 1);
    assert_int_equal(
        dynamodb_url_parse("dynamodb://abc", &url, error, sizeof error), 0);
    assert_string_equal(url.region, "ap-south-1");
    assert_string_equal(url.endpoint, "http://[::1]:8000");
    assert_string_equal(url.host, "[::1]:8000");
    assert_int_equal(
        dynamodb_url_parse("dynamodb://abc?endpoint=http%3A%2F%2Fother%3A1",
                           &url, error, sizeof error),
        0);
    assert_string_equal(url.streams, "http://other:1");
    unsetenv("AWS_REGION");
    unsetenv("AWS_ENDPOINT_URL");
}

/* --- values -------------------------------------------------------------- */

static void assert_value(const void *bytes, size_t len, const char *expected)
{
    wire_cursor_t at = wire_cursor((wire_bytes_t){bytes, len});
    json_t *value = dynamodb_value(&at);
    char *text = json_dumps(value, JSON_COMPACT);

    assert_non_null(text);
    assert_string_equal(text, expected);
    assert_true(wire_at_end(&at));
    free(text);
    json_decref(value);
}

#define VALUE(bytes, expected) assert_value(bytes, sizeof bytes - 1, expected)

static void values_are_written_as_dynamodb_has_them(void **state)
{
    (void)state;

    VALUE("\xc0", "{\"NULL\":true}");
    VALUE("\xc3", "{\"BOOL\":true}");
    VALUE("\x07", "{\"N\":\"7\"}");
    VALUE("\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
          "{\"N\":\"18446744073709551615\"}");
    VALUE("\xff", "{\"N\":\"-1\"}");
    VALUE("\xd0\x80", "{\"N\":\"-128\"}");
    VALUE("\xd1\xff\x00", "{\"N\":\"-256\"}");
    VALUE("\xd2\x80\x00\x00\x00", "{\"N\":\"-2147483648\"}");
    VALUE("\xd3\x80\x00\x00\x00\x00\x00\x00\x00",
          "{\"N\":\"-9223372036854775808\"}");
    VALUE("\xca\x3f\xc0\x00\x00", "{\"N\":\"1.5\"}");
    VALUE("\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00", "{\"N\":\"1.5\"}");
    VALUE("\xa1x", "{\"S\":\"x\"}");
    VALUE("\xa0", "{\"S\":\"\"}");
    VALUE("\xc4\x02\x00\xff", "{\"B\":\"AP8=\"}");
    VALUE("\x92\x01\xa1x", "{\"L\":[{\"N\":\"1\"},{\"S\":\"x\"}]}");
    VALUE("\x81\xa1k\x90", "{\"M\":{\"k\":{\"L\":[]}}}");
}

static void what_dynamodb_cannot_hold_becomes_the_nearest(void **state)
{
    (void)state;

    VALUE("\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", "{\"S\":\"nan\"}");
    VALUE("\xcb\x7f\xe0\x00\x00\x00\x00\x00\x00",
          "{\"S\":\"8.9884656743115795e+307\"}");
    VALUE("\xa2\xe9x", "{\"S\":\"\xef\xbf\xbdx\"}");
    VALUE("\xd4\x01\x02", "{\"NULL\":true}");
    VALUE("\x82\xa0\x01\x02\x03", "{\"M\":{}}"); /* no names */
}

static void what_is_nested_too_deep_is_cut(void **state)
{
    uint8_t deep[64];
    (void)state;

    memset(deep, 0x91, sizeof deep);
    deep[63] = 0xc0;
    wire_cursor_t at = wire_cursor((wire_bytes_t){deep, sizeof deep});
    json_t *value = dynamodb_value(&at), *inner = value;
    int depth = 0;
    while ((inner = json_array_get(json_object_get(inner, "L"), 0)) != NULL) {
        depth++;
    }
    assert_int_equal(depth, 28);
    assert_true(wire_at_end(&at));
    json_decref(value);
}

/* --- rows ---------------------------------------------------------------- */

static record_t *record_of(uint32_t slot, const char *user)
{
    conn_id_t id = {1, slot, 1, 1};
    buf_t context;

    buf_init(&context, 1024);
    assert_int_equal(wire_put_map(&context, 1), 0);
    assert_int_equal(wire_put_text(&context, "user"), 0);
    assert_int_equal(wire_put_text(&context, user), 0);
    record_t *record =
        record_new(&id, (wire_bytes_t){context.data, context.len}, 0);
    buf_fini(&context);
    return record;
}

static void a_user_that_is_no_utf8_is_found_by_its_bytes(void **state)
{
    record_t *record = record_of(1, "\xff");
    json_t *item = dynamodb_row(record, "w", 60, 1000);
    json_t *answer = json_pack("{s:[O]}", "Items", item);
    dynamodb_page_t page;
    (void)state;

    assert_non_null(item);
    dynamodb_page_init(&page, 10, 0, true);
    assert_int_equal(
        dynamodb_page_take(&page, answer, "user", wire_bytes("\xff")), 0);
    assert_int_equal(page.count, 1);
    assert_int_equal(
        dynamodb_page_take(&page, answer, "user", wire_bytes("\xfe")), 0);
    assert_int_equal(page.count, 1); /* looks alike in the index */
    dynamodb_page_fini(&page);
    json_decref(answer);
    json_decref(item);
    record_drop(record);
}

static void a_page_that_is_full_goes_on_behind_its_last_row(void **state)
{
    record_t *records[3] = {record_of(1, "a"), record_of(2, "a"),
                            record_of(3, "a")};
    json_t *items = json_array();
    char id[CONN_ID_TEXT];
    dynamodb_page_t page;
    (void)state;

    for (int i = 0; i < 3; i++) {
        json_array_append_new(items, dynamodb_row(records[i], "w", 60, 1000));
    }
    json_t *answer = json_pack("{s:o}", "Items", items);
    dynamodb_page_init(&page, 2, 0, true);
    assert_int_equal(dynamodb_page_take(&page, answer, "user", wire_bytes("a")),
                     0);
    assert_true(dynamodb_page_is_full(&page));
    conn_id_format(&records[1]->id, id);
    assert_int_equal(page.cursor_len, sizeof id);
    assert_memory_equal(page.cursor, id, sizeof id);
    dynamodb_page_fini(&page);
    json_decref(answer);
    for (int i = 0; i < 3; i++) {
        record_drop(records[i]);
    }
}

static void odd_times_of_a_connect_are_left_out(void **state)
{
    conn_id_t id = {1, 1, 1, 1};
    buf_t context;
    (void)state;

    buf_init(&context, 1024);
    assert_int_equal(wire_put_map(&context, 1), 0);
    assert_int_equal(wire_put_text(&context, "connected_at"), 0);
    assert_int_equal(wire_put_uint(&context, UINT64_MAX), 0);
    record_t *record =
        record_new(&id, (wire_bytes_t){context.data, context.len}, 0);
    json_t *item = dynamodb_row(record, "w", 60, 1769860800123);
    assert_true(wire_is(dynamodb_text_of(json_object_get(item, "created_at")),
                        "2026-01-31T12:00:00.123Z"));
    json_decref(item);
    record_drop(record);
    buf_fini(&context);
}

/* --- changes ------------------------------------------------------------- */

/* A record of the stream; images: NULL for none. */
static int change_of(const char *event, const record_t *former,
                     const record_t *now, const char *principal,
                     change_kind_t *kind)
{
    json_t *record = json_pack("{s:s, s:{s:f}}", "eventName", event, "dynamodb",
                               "ApproximateCreationDateTime", 1769860800.0);
    json_t *what = json_object_get(record, "dynamodb");
    dynamodb_change_t change;
    dynamodb_row_t row;

    if (former != NULL) {
        json_object_set_new(what, "OldImage",
                            dynamodb_row(former, "w", 60, 1000));
    }
    if (now != NULL) {
        json_object_set_new(what, "NewImage", dynamodb_row(now, "w", 60, 2000));
    }
    if (principal != NULL) {
        json_object_set_new(record, "userIdentity",
                            json_pack("{s:s}", "PrincipalId", principal));
    }
    int rc = dynamodb_change_read(record, &change, &row);
    if (rc == 0) {
        *kind = change.kind;
        assert_int_equal(change.at_ms, INT64_C(1769860800000));
        dynamodb_row_fini(&row);
    }
    json_decref(record);
    return rc;
}

static void changes_are_told_apart(void **state)
{
    record_t *ann = record_of(1, "ann"), *bob = record_of(1, "bob");
    change_kind_t kind;
    (void)state;

    assert_int_equal(change_of("INSERT", NULL, ann, NULL, &kind), 0);
    assert_int_equal(kind, CHANGE_CONNECTED);
    assert_int_equal(change_of("MODIFY", ann, bob, NULL, &kind), 0);
    assert_int_equal(kind, CHANGE_CHANGED);
    assert_int_equal(change_of("MODIFY", ann, ann, NULL, &kind), -ENOENT);
    assert_int_equal(change_of("REMOVE", ann, NULL, NULL, &kind), 0);
    assert_int_equal(kind, CHANGE_DISCONNECTED);
    assert_int_equal(
        change_of("REMOVE", ann, NULL, "dynamodb.amazonaws.com", &kind), 0);
    assert_int_equal(kind, CHANGE_EXPIRED);
    assert_int_equal(change_of("REMOVE", NULL, NULL, NULL, &kind), -ENOENT);
    assert_int_equal(change_of("OTHER", ann, ann, NULL, &kind), -ENOENT);
    record_drop(ann);
    record_drop(bob);
}

/* --- the queue ----------------------------------------------------------- */

static dynamodb_task_t *put(dynamodb_queue_t *queue, store_op_t *op,
                            store_verb_t verb, record_t *record)
{
    *op = (store_op_t){.verb = verb, .record = record, .id = record->id};
    dynamodb_task_t *task = dynamodb_task_new(op, 0, 0);
    assert_non_null(task);
    dynamodb_queue_put(queue, task);
    return task;
}

static void end(dynamodb_queue_t *queue, dynamodb_task_t *task)
{
    dynamodb_queue_end(queue, task);
    dynamodb_task_destroy(&task);
}

static void two_of_one_connection_are_never_under_way_at_once(void **state)
{
    record_t *one = record_of(1, "a"), *two = record_of(2, "a");
    store_op_t ops[4];
    dynamodb_queue_t queue;
    (void)state;

    dynamodb_queue_init(&queue);
    dynamodb_task_t *save = put(&queue, &ops[0], STORE_SAVE, one);
    dynamodb_task_t *get = put(&queue, &ops[1], STORE_GET, one);
    dynamodb_task_t *remove = put(&queue, &ops[2], STORE_REMOVE, one);
    dynamodb_task_t *other = put(&queue, &ops[3], STORE_SAVE, two);
    assert_ptr_equal(dynamodb_queue_take_write(&queue), save);
    assert_ptr_equal(dynamodb_queue_take_write(&queue), other);
    assert_null(dynamodb_queue_take_write(&queue));
    assert_null(dynamodb_queue_take_other(&queue));
    dynamodb_queue_again(&queue, save);
    assert_ptr_equal(dynamodb_queue_take_write(&queue), save);
    end(&queue, save);
    assert_ptr_equal(dynamodb_queue_take_other(&queue), get);
    assert_null(dynamodb_queue_take_write(&queue));
    end(&queue, get);
    assert_ptr_equal(dynamodb_queue_take_write(&queue), remove);
    end(&queue, remove);
    end(&queue, other);
    dynamodb_queue_fini(&queue);
    record_drop(one);
    record_drop(two);
}

static void one_that_is_given_up_lets_the_next_go(void **state)
{
    record_t *one = record_of(1, "a");
    store_op_t ops[3];
    dynamodb_queue_t queue;
    (void)state;

    dynamodb_queue_init(&queue);
    dynamodb_task_t *first = put(&queue, &ops[0], STORE_SAVE, one);
    dynamodb_task_t *second = put(&queue, &ops[1], STORE_SAVE, one);
    dynamodb_task_t *third = put(&queue, &ops[2], STORE_REMOVE, one);
    assert_ptr_equal(dynamodb_queue_oldest(&queue), first);
    end(&queue, second); /* from the middle: nothing is ready through that */
    assert_int_equal(queue.write_count, 1);
    end(&queue, first);
    assert_int_equal(queue.write_count, 1);
    assert_ptr_equal(dynamodb_queue_take_write(&queue), third);
    assert_null(dynamodb_queue_oldest(&queue));
    end(&queue, third);
    assert_int_equal(queue.count, 0);
    dynamodb_queue_fini(&queue);
    record_drop(one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_an_endpoint_it_is_that_of_the_region),
        cmocka_unit_test(the_environment_fills_in_what_the_url_leaves_out),
        cmocka_unit_test(values_are_written_as_dynamodb_has_them),
        cmocka_unit_test(what_dynamodb_cannot_hold_becomes_the_nearest),
        cmocka_unit_test(what_is_nested_too_deep_is_cut),
        cmocka_unit_test(a_user_that_is_no_utf8_is_found_by_its_bytes),
        cmocka_unit_test(a_page_that_is_full_goes_on_behind_its_last_row),
        cmocka_unit_test(odd_times_of_a_connect_are_left_out),
        cmocka_unit_test(changes_are_told_apart),
        cmocka_unit_test(two_of_one_connection_are_never_under_way_at_once),
        cmocka_unit_test(one_that_is_given_up_lets_the_next_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
