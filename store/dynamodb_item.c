/* SPDX-License-Identifier: MIT */
#include "store/dynamodb_item.h"

#include "proto/message.h"
#include "store/dynamodb_value.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROW_PREFIX    "CONNECTION#"
#define LEASE_PREFIX  "LEASE#"
#define PREFIX_MAX    16
#define INDEX_KEY_MAX 2048 /* bytes of a partition key */
#define ROW_MAX       (CONTEXT_MAX + BOOT_ID_MAX + 8)
#define TIME_TEXT     40
#define TIME_MAX_MS   INT64_C(253402300799999) /* the end of the year 9999 */

/* --- keys ---------------------------------------------------------------- */

/* {"S": prefix + text}; NULL: no memory. */
static json_t *prefixed(const char *prefix, wire_bytes_t text)
{
    buf_t whole;
    json_t *value = NULL;

    buf_init(&whole, PREFIX_MAX + text.len);
    if (buf_put(&whole, prefix, strlen(prefix)) == 0 &&
        buf_put(&whole, text.data, text.len) == 0) {
        value = dynamodb_text((wire_bytes_t){whole.data, whole.len});
    }
    buf_fini(&whole);
    return value;
}

json_t *dynamodb_user_key(wire_bytes_t user)
{
    return prefixed("USER#", user);
}

json_t *dynamodb_tenant_key(wire_bytes_t tenant)
{
    return prefixed("TENANT#", tenant);
}

json_t *dynamodb_pk(const conn_id_t *id)
{
    char text[CONN_ID_TEXT];

    conn_id_format(id, text);
    return prefixed(ROW_PREFIX,
                    (wire_bytes_t){(const uint8_t *)text, sizeof text});
}

/* Set it, which may be NULL; false: no memory. */
static bool put(json_t *item, const char *key, json_t *value)
{
    return value != NULL && json_object_set_new(item, key, value) == 0;
}

static json_t *key_of(json_t *pk, json_t *sk)
{
    json_t *key = json_object();
    bool is_whole = put(key, "pk", pk);

    is_whole &= put(key, "sk", sk);
    if (!is_whole) {
        json_decref(key);
        return NULL;
    }
    return key;
}

json_t *dynamodb_row_key(const conn_id_t *id)
{
    return key_of(dynamodb_pk(id), dynamodb_text(wire_bytes(DYNAMODB_ROW_SK)));
}

/* --- a row out ----------------------------------------------------------- */

static json_t *time_text(int64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    char text[TIME_TEXT], whole[TIME_TEXT + 8];
    struct tm tm;

    if (gmtime_r(&seconds, &tm) == NULL ||
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm) == 0) {
        text[0] = '\0';
    }
    snprintf(whole, sizeof whole, "%s.%03dZ", text, (int)(ms % 1000));
    return dynamodb_text(wire_bytes(whole));
}

/* No key of an index is empty: who has no user is in no user's index. */
static bool put_index(json_t *item, const char *index, json_t *key,
                      const conn_id_t *id)
{
    char pk[PREFIX_MAX], sk[PREFIX_MAX];

    if (dynamodb_text_of(key).len > INDEX_KEY_MAX) {
        json_decref(key);
        return true;
    }
    snprintf(pk, sizeof pk, "%spk", index);
    snprintf(sk, sizeof sk, "%ssk", index);
    return put(item, pk, key) && put(item, sk, dynamodb_pk(id));
}

static bool put_owners(json_t *item, const record_t *record)
{
    wire_bytes_t context = record_context(record);
    wire_bytes_t user = wire_map_str(context, "user");
    wire_bytes_t tenant = wire_map_str(context, "tenant");
    bool is_put = true;

    if (user.len > 0) {
        is_put = put(item, "user_id", dynamodb_text(user)) &&
                 put_index(item, "gsi1", dynamodb_user_key(user), &record->id);
    }
    if (is_put && tenant.len > 0) {
        is_put =
            put(item, "tenant_id", dynamodb_text(tenant)) &&
            put_index(item, "gsi2", dynamodb_tenant_key(tenant), &record->id);
    }
    return is_put;
}

static bool put_metadata(json_t *item, wire_bytes_t context)
{
    wire_cursor_t at;

    if (!wire_map_find(context, "attributes", &at)) {
        return put(item, "metadata",
                   json_pack("{s:{}}", "M")); /* as those programs have it */
    }
    json_t *value = dynamodb_value(&at);
    if (value != NULL && json_object_get(value, "M") == NULL) {
        json_decref(value); /* no map, so no metadata */
        return true;
    }
    return put(item, "metadata", value);
}

static bool put_ours(json_t *item, const record_t *record, const char *writer,
                     int64_t expires_ms)
{
    char id[CONN_ID_TEXT];

    conn_id_format(&record->id, id);
    wire_bytes_t text = {(const uint8_t *)id, sizeof id};
    wire_bytes_t owner = {(const uint8_t *)id, STORE_OWNER_TEXT};
    return put(item, "id", dynamodb_text(text)) &&
           put(item, "owner", dynamodb_text(owner)) &&
           put(item, "writer", dynamodb_text(wire_bytes(writer))) &&
           put(item, "context", dynamodb_bytes(record_context(record))) &&
           put(item, "ttl", dynamodb_number((expires_ms + 999) / 1000)) &&
           put(item, "ttl_s", dynamodb_number(record->ttl_s));
}

json_t *dynamodb_row(const record_t *record, const char *writer, int64_t ttl_s,
                     int64_t now_ms)
{
    json_t *item = dynamodb_row_key(&record->id);
    wire_bytes_t context = record_context(record);
    uint64_t told_ms = wire_map_uint(context, "connected_at", UINT64_MAX);
    int64_t connected_ms = told_ms <= TIME_MAX_MS ? (int64_t)told_ms : now_ms;
    int64_t lasts_s = record->ttl_s != 0 ? record->ttl_s : ttl_s;

    if (item == NULL ||
        !put_ours(item, record, writer, now_ms + lasts_s * 1000) ||
        !put(item, "created_at", time_text(connected_ms)) ||
        !put_owners(item, record) || !put_metadata(item, context)) {
        json_decref(item);
        return NULL;
    }
    return item;
}

/* --- a row in ------------------------------------------------------------ */

int64_t dynamodb_expires_ms(const json_t *item)
{
    int64_t ttl;

    return dynamodb_number_of(json_object_get(item, "ttl"), &ttl) == 0 &&
                   ttl <= INT64_MAX / 1000
               ? ttl * 1000
               : 0;
}

static int read_context(const json_t *item, dynamodb_row_t *out)
{
    wire_bytes_t raw;
    int rc = dynamodb_bytes_of(json_object_get(item, "context"), &out->bytes);

    if (rc < 0) {
        return rc;
    }
    out->row.context.len = out->bytes.len;
    wire_cursor_t at =
        wire_cursor((wire_bytes_t){out->bytes.data, out->bytes.len});
    return wire_get_raw_map(&at, &raw) == 0 && wire_at_end(&at) &&
                   out->bytes.len <= CONTEXT_MAX
               ? 0
               : -EPROTO;
}

static int read_rest(const json_t *item, dynamodb_row_t *out)
{
    wire_bytes_t writer = dynamodb_text_of(json_object_get(item, "writer"));
    int64_t ttl_s;

    if (writer.len > BOOT_ID_MAX ||
        dynamodb_number_of(json_object_get(item, "ttl_s"), &ttl_s) < 0 ||
        ttl_s > UINT32_MAX) {
        return -EPROTO;
    }
    out->row.ttl_s = (uint32_t)ttl_s;
    out->row.expires_ms = dynamodb_expires_ms(item);
    out->row.writer.len = writer.len;
    return buf_put(&out->bytes, writer.data, writer.len);
}

int dynamodb_row_read(const json_t *item, dynamodb_row_t *out)
{
    wire_bytes_t id = dynamodb_text_of(json_object_get(item, "id"));

    memset(out, 0, sizeof *out);
    buf_init(&out->bytes, ROW_MAX);
    if (json_object_get(item, "context") == NULL) {
        return -ENOENT;
    }
    int rc = id.len == CONN_ID_TEXT &&
                     conn_id_parse(id.data, id.len, &out->row.id) == 0
                 ? 0
                 : -EPROTO;
    rc = rc < 0 ? rc : read_context(item, out);
    rc = rc < 0 ? rc : read_rest(item, out);
    if (rc < 0) {
        dynamodb_row_fini(out);
        return rc == -ENOBUFS ? -EPROTO : rc;
    }
    out->row.context.data = out->bytes.data;
    out->row.writer.data = out->bytes.data + out->row.context.len;
    return 0;
}

void dynamodb_row_fini(dynamodb_row_t *row)
{
    buf_fini(&row->bytes);
    memset(&row->row, 0, sizeof row->row);
}

/* --- leases -------------------------------------------------------------- */

json_t *dynamodb_lease_key(wire_bytes_t name)
{
    return key_of(dynamodb_text(wire_bytes(DYNAMODB_LEASE_PK)),
                  prefixed(LEASE_PREFIX, name));
}

json_t *dynamodb_lease(wire_bytes_t name, wire_bytes_t value)
{
    json_t *item = dynamodb_lease_key(name);

    if (item != NULL && !put(item, "value", dynamodb_bytes(value))) {
        json_decref(item);
        return NULL;
    }
    return item;
}

int dynamodb_lease_read(const json_t *item, buf_t *out, size_t *name_len,
                        size_t *value_len)
{
    size_t prefix = strlen(LEASE_PREFIX), start = out->len;
    wire_bytes_t sk = dynamodb_text_of(json_object_get(item, "sk"));

    if (sk.len <= prefix || sk.len > prefix + STORE_LEASE_MAX ||
        memcmp(sk.data, LEASE_PREFIX, prefix) != 0) {
        return -EPROTO;
    }
    int rc = buf_put(out, sk.data + prefix, sk.len - prefix);
    *name_len = sk.len - prefix;
    rc = rc < 0 ? rc : dynamodb_bytes_of(json_object_get(item, "value"), out);
    *value_len = rc < 0 ? 0 : out->len - start - *name_len;
    if (rc == 0 && *value_len > STORE_LEASE_MAX) {
        rc = -EPROTO;
    }
    if (rc < 0) {
        out->len = start;
    }
    return rc;
}
