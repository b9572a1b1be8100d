/* SPDX-License-Identifier: MIT
 *
 * Any bytes as the answer of a DynamoDB: what is taken for a row is one, within
 * its limits, and written again it is read as the same; a page has no more rows
 * than were asked for.  Then as the attributes of a context: what becomes of
 * them is a value that DynamoDB takes, whatever they are.
 */
#include "base/xalloc.h"
#include "proto/message.h"
#include "store/dynamodb_page.h"
#include "store/dynamodb_stream.h"
#include "store/dynamodb_value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT 3

static void must_be_a_row(const store_row_t *row)
{
    wire_cursor_t at = wire_cursor(row->context);
    wire_bytes_t raw;

    must(row->context.len > 0 && row->context.len <= CONTEXT_MAX);
    must(wire_get_raw_map(&at, &raw) == 0 && wire_at_end(&at));
    must(row->writer.len <= BOOT_ID_MAX && row->expires_ms >= 0);
}

static void write_again(const store_row_t *row)
{
    char writer[BOOT_ID_MAX + 1];
    record_t *record = record_new(&row->id, row->context, row->ttl_s);
    dynamodb_row_t again;

    must(record != NULL);
    memcpy(writer, row->writer.data, row->writer.len);
    writer[row->writer.len] = '\0';
    json_t *item = dynamodb_row(record, writer, 60, 1000000);
    must(item != NULL);
    must(dynamodb_row_read(item, &again) == 0);
    must(conn_id_equal(&again.row.id, &row->id));
    must(wire_equal(again.row.context, row->context));
    must(wire_is(again.row.writer, writer));
    must(again.row.ttl_s == row->ttl_s);
    dynamodb_row_fini(&again);
    json_decref(item);
    record_drop(record);
}

static void read_item(const json_t *item)
{
    dynamodb_row_t row;
    int rc = dynamodb_row_read(item, &row);

    must(rc == 0 || rc == -ENOENT || rc == -EPROTO);
    if (rc == 0) {
        must_be_a_row(&row.row);
        write_again(&row.row);
        dynamodb_row_fini(&row);
    }
}

static void read_page(const json_t *answer, bool is_index)
{
    dynamodb_page_t page;

    dynamodb_page_init(&page, LIMIT, 0, is_index);
    int rc = dynamodb_page_take(&page, answer, is_index ? "user" : NULL,
                                wire_bytes("ann"));
    must(rc == 0 || rc == -EPROTO);
    must(page.count <= LIMIT && page.cursor_len <= sizeof page.cursor);
    for (size_t i = 0; i < page.count; i++) {
        must_be_a_row(&page.rows[i].row);
    }
    if (rc == 0 && page.next != NULL && dynamodb_page_stop(&page)) {
        wire_bytes_t cursor = {(const uint8_t *)page.cursor, page.cursor_len};
        json_t *start =
            is_index ? dynamodb_index_start(
                           "gsi1", dynamodb_user_key(wire_bytes("ann")), cursor)
                     : dynamodb_owner_start(cursor);
        must(start != NULL);
        json_decref(start);
    }
    dynamodb_page_fini(&page);
}

static void read_lease(const json_t *item)
{
    size_t name_len, value_len;
    buf_t bytes;

    buf_init(&bytes, (size_t)2 * STORE_LEASE_MAX);
    if (dynamodb_lease_read(item, &bytes, &name_len, &value_len) == 0) {
        must(name_len > 0 && name_len <= STORE_LEASE_MAX);
        must(value_len <= STORE_LEASE_MAX);
        must(name_len + value_len == bytes.len);
    }
    buf_fini(&bytes);
}

static void read_change(const json_t *record)
{
    dynamodb_change_t change;
    dynamodb_row_t row;

    if (dynamodb_change_read(record, &change, &row) == 0) {
        must_be_a_row(change.row);
        dynamodb_row_fini(&row);
    }
}

static void read_answer(wire_bytes_t any)
{
    json_t *root = json_loadb((const char *)any.data, any.len,
                              JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);

    if (root != NULL) {
        read_item(root);
        read_page(root, true);
        read_page(root, false);
        read_lease(root);
        read_change(root);
        json_decref(root);
    }
}

/* One of the types has a value. */
static void must_be_a_value(const json_t *value)
{
    must(json_is_object(value) && json_object_size(value) == 1);
}

static void write_attributes(wire_bytes_t any)
{
    wire_cursor_t at = wire_cursor(any), check = at;
    wire_bytes_t raw;
    bool is_element = wire_get_raw(&check, &raw) == 0;
    json_t *value = dynamodb_value(&at);

    must((value != NULL) == is_element);
    if (value != NULL) {
        must(at.at == check.at);
        must_be_a_value(value);
        char *text = json_dumps(value, JSON_COMPACT);
        must(text != NULL); /* so it is all UTF-8 */
        free(text);
    }
    json_decref(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0) {
        read_answer((wire_bytes_t){data, size});
        write_attributes((wire_bytes_t){data, size});
    }
    return 0;
}
