/* SPDX-License-Identifier: MIT */
#include "store/dynamodb_page.h"

#include "store/dynamodb_value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROWS 16

void dynamodb_page_init(dynamodb_page_t *self, uint32_t limit, int64_t now_ms,
                        bool is_index)
{
    memset(self, 0, sizeof *self);
    self->is_index = is_index;
    self->limit = limit;
    self->now_ms = now_ms;
}

void dynamodb_page_fini(dynamodb_page_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        dynamodb_row_fini(&self->rows[i]);
    }
    free(self->rows);
    json_decref(self->next);
    self->next = NULL;
    self->rows = NULL;
    self->count = 0;
}

/* --- cursors ------------------------------------------------------------- */

static void set_cursor(dynamodb_page_t *self, const void *text, size_t len)
{
    memcpy(self->cursor, text, len);
    self->cursor_len = len;
}

static void point_at_row(dynamodb_page_t *self, const conn_id_t *id)
{
    char text[CONN_ID_TEXT], key[128];

    conn_id_format(id, text);
    if (self->is_index) {
        set_cursor(self, text, sizeof text);
        return;
    }
    int len =
        snprintf(key, sizeof key,
                 "{\"pk\":\"CONNECTION#%.16s\",\"sk\":\"CONNECTION\"}", text);
    set_cursor(self, key, (size_t)len);
}

/* Our row's id behind the prefix of its key. */
static bool point_into_index(dynamodb_page_t *self, wire_bytes_t pk)
{
    static const char prefix[] = "CONNECTION#";
    size_t len = strlen(prefix);
    conn_id_t id;

    if (pk.len != len + CONN_ID_TEXT || memcmp(pk.data, prefix, len) != 0 ||
        conn_id_parse(pk.data + len, CONN_ID_TEXT, &id) < 0) {
        return false;
    }
    set_cursor(self, pk.data + len, CONN_ID_TEXT);
    return true;
}

bool dynamodb_page_stop(dynamodb_page_t *self)
{
    wire_bytes_t pk = dynamodb_text_of(json_object_get(self->next, "pk"));
    wire_bytes_t sk = dynamodb_text_of(json_object_get(self->next, "sk"));

    if (self->is_index) {
        return point_into_index(self, pk);
    }
    json_t *key =
        json_pack("{s:s%, s:s%}", "pk", pk.data, pk.len, "sk", sk.data, sk.len);
    char *text = key == NULL ? NULL : json_dumps(key, JSON_COMPACT);
    bool fits = text != NULL && strlen(text) <= sizeof self->cursor;
    if (fits) {
        set_cursor(self, text, strlen(text));
    }
    free(text);
    json_decref(key);
    return fits;
}

json_t *dynamodb_index_start(const char *index, json_t *index_key,
                             wire_bytes_t cursor)
{
    conn_id_t id;
    char pk[16], sk[16];

    if (cursor.len != CONN_ID_TEXT ||
        conn_id_parse(cursor.data, cursor.len, &id) < 0) {
        json_decref(index_key);
        return NULL;
    }
    json_t *start = dynamodb_row_key(&id);
    snprintf(pk, sizeof pk, "%spk", index);
    snprintf(sk, sizeof sk, "%ssk", index);
    if (start == NULL || index_key == NULL ||
        json_object_set(start, pk, index_key) < 0 ||
        json_object_set_new(start, sk, dynamodb_pk(&id)) < 0) {
        json_decref(start);
        start = NULL;
    }
    json_decref(index_key);
    return start;
}

json_t *dynamodb_owner_start(wire_bytes_t cursor)
{
    json_t *key =
        json_loadb((const char *)cursor.data, cursor.len, JSON_ALLOW_NUL, NULL);
    json_t *pk = json_object_get(key, "pk"), *sk = json_object_get(key, "sk");
    json_t *start =
        json_string_length(pk) > 0 && json_string_length(sk) > 0
            ? json_pack("{s:{s:O}, s:{s:O}}", "pk", "S", pk, "sk", "S", sk)
            : NULL;

    json_decref(key);
    return start;
}

/* --- rows ---------------------------------------------------------------- */

static int make_room(dynamodb_page_t *self)
{
    if (self->count < self->cap) {
        return 0;
    }
    size_t cap = self->cap == 0 ? FIRST_ROWS : self->cap * 2;
    dynamodb_row_t *rows = realloc(self->rows, cap * sizeof *rows);
    if (rows == NULL) {
        return -ENOMEM;
    }
    self->rows = rows;
    self->cap = cap;
    return 0;
}

/* The index has it under this key, and so should the context: a key that had
 * to be repaired may be that of another, too. */
static bool is_wanted(const dynamodb_page_t *self, const store_row_t *row,
                      const char *field, wire_bytes_t key)
{
    return row->expires_ms > self->now_ms &&
           (field == NULL ||
            wire_equal(wire_map_str(row->context, field), key));
}

/* What is no row of ours is passed over: the table may hold others. */
static int take_row(dynamodb_page_t *self, const json_t *item,
                    const char *field, wire_bytes_t key)
{
    int rc = make_room(self);

    if (rc < 0) {
        return rc;
    }
    dynamodb_row_t *row = &self->rows[self->count];
    rc = dynamodb_row_read(item, row);
    if (rc < 0) {
        return rc == -ENOMEM ? rc : 0;
    }
    if (is_wanted(self, &row->row, field, key)) {
        self->count++;
    } else {
        dynamodb_row_fini(row);
    }
    return 0;
}

static bool is_key(const json_t *key)
{
    return dynamodb_text_of(json_object_get(key, "pk")).len > 0 &&
           dynamodb_text_of(json_object_get(key, "sk")).len > 0;
}

int dynamodb_page_take(dynamodb_page_t *self, const json_t *answer,
                       const char *field, wire_bytes_t key)
{
    json_t *items = json_object_get(answer, "Items");
    size_t i, count = json_array_size(items);
    int rc = json_is_array(items) ? 0 : -EPROTO;

    for (i = 0; i < count && rc == 0 && !dynamodb_page_is_full(self); i++) {
        rc = take_row(self, json_array_get(items, i), field, key);
    }
    if (rc < 0) {
        return rc;
    }
    json_decref(self->next);
    self->next = json_incref(json_object_get(answer, "LastEvaluatedKey"));
    if (self->next != NULL && !is_key(self->next)) {
        return -EPROTO;
    }
    if (dynamodb_page_is_full(self) && (i < count || self->next != NULL)) {
        point_at_row(self, &self->rows[self->count - 1].row.id);
    }
    return 0;
}
