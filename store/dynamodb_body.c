/* SPDX-License-Identifier: MIT */
#include "store/dynamodb_body.h"

#include "store/dynamodb_value.h"

/* What reading a row needs of its item; names, since some are reserved. */
static json_t *row_names(void)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "#i", "id", "#c", "context",
                     "#w", "writer", "#t", "ttl", "#s", "ttl_s");
}

static const char row_fields[] = "#i,#c,#w,#t,#s";

/* Set it, which may be NULL; false: no memory. */
static bool set(json_t *object, const char *key, json_t *value)
{
    return value != NULL && json_object_set_new(object, key, value) == 0;
}

static json_t *whole(json_t *body, bool is_whole)
{
    if (!is_whole) {
        json_decref(body);
        return NULL;
    }
    return body;
}

static bool set_start(json_t *body, json_t *start)
{
    return start == NULL || set(body, "ExclusiveStartKey", start);
}

/* --- one item ------------------------------------------------------------ */

json_t *dynamodb_put_body(const char *table, json_t *item)
{
    json_t *body =
        json_pack("{s:s, s:s}", "TableName", table, "ReturnValues", "ALL_OLD");

    return whole(body, set(body, "Item", item));
}

json_t *dynamodb_delete_body(const char *table, json_t *key)
{
    json_t *body = json_pack("{s:s}", "TableName", table);

    return whole(body, set(body, "Key", key));
}

json_t *dynamodb_get_body(const char *table, json_t *key)
{
    json_t *body =
        json_pack("{s:s, s:b, s:s}", "TableName", table, "ConsistentRead", 1,
                  "ProjectionExpression", row_fields);
    bool is_whole = set(body, "Key", key);

    is_whole &= set(body, "ExpressionAttributeNames", row_names());
    return whole(body, is_whole);
}

/* --- many items ---------------------------------------------------------- */

json_t *dynamodb_batch_body(const char *table)
{
    return json_pack("{s:{s:[]}}", "RequestItems", table);
}

/* {what: {field: value}} behind the others. */
static bool add(json_t *body, const char *table, const char *what,
                const char *field, json_t *value)
{
    json_t *list =
        json_object_get(json_object_get(body, "RequestItems"), table);

    return value != NULL &&
           json_array_append_new(
               list, json_pack("{s:{s:o}}", what, field, value)) == 0;
}

bool dynamodb_batch_put(json_t *body, const char *table, json_t *item)
{
    return add(body, table, "PutRequest", "Item", item);
}

bool dynamodb_batch_delete(json_t *body, const char *table, json_t *key)
{
    return add(body, table, "DeleteRequest", "Key", key);
}

/* --- lists --------------------------------------------------------------- */

json_t *dynamodb_index_body(const char *table, const char *index, json_t *key,
                            uint32_t limit, json_t *start)
{
    json_t *names = row_names();
    json_t *body =
        json_pack("{s:s, s:s, s:s, s:s, s:i}", "TableName", table, "IndexName",
                  index, "KeyConditionExpression", "#k = :k",
                  "ProjectionExpression", row_fields, "Limit", (int)limit);
    bool is_whole = set(names, "#k", json_sprintf("%spk", index));

    is_whole &= set(body, "ExpressionAttributeNames", names);
    is_whole &= key != NULL && set(body, "ExpressionAttributeValues",
                                   json_pack("{s:o}", ":k", key));
    is_whole &= set_start(body, start);
    return whole(body, is_whole);
}

json_t *dynamodb_owner_body(const char *table, wire_bytes_t owner,
                            uint32_t limit, json_t *start)
{
    json_t *names = row_names(), *value = dynamodb_text(owner);
    json_t *body =
        json_pack("{s:s, s:s, s:s, s:i}", "TableName", table,
                  "FilterExpression", "sk = :sk AND #o = :o",
                  "ProjectionExpression", row_fields, "Limit", (int)limit);
    bool is_whole = set(names, "#o", json_string("owner"));

    is_whole &= set(body, "ExpressionAttributeNames", names);
    is_whole &= value != NULL && set(body, "ExpressionAttributeValues",
                                     json_pack("{s:{s:s}, s:o}", ":sk", "S",
                                               DYNAMODB_ROW_SK, ":o", value));
    is_whole &= set_start(body, start);
    return whole(body, is_whole);
}

json_t *dynamodb_count_body(const char *table, int64_t now_s, json_t *start)
{
    json_t *now = dynamodb_number(now_s);
    json_t *body =
        json_pack("{s:s, s:s, s:s, s:{s:s}}", "TableName", table, "Select",
                  "COUNT", "FilterExpression", "sk = :sk AND #t > :now",
                  "ExpressionAttributeNames", "#t", "ttl");
    bool is_whole = now != NULL && set(body, "ExpressionAttributeValues",
                                       json_pack("{s:{s:s}, s:o}", ":sk", "S",
                                                 DYNAMODB_ROW_SK, ":now", now));

    is_whole &= set_start(body, start);
    return whole(body, is_whole);
}

json_t *dynamodb_leases_body(const char *table, json_t *start)
{
    json_t *body =
        json_pack("{s:s, s:b, s:s, s:{s:{s:s}}}", "TableName", table,
                  "ConsistentRead", 1, "KeyConditionExpression", "pk = :k",
                  "ExpressionAttributeValues", ":k", "S", DYNAMODB_LEASE_PK);

    return whole(body, set_start(body, start));
}

/* --- leases -------------------------------------------------------------- */

json_t *dynamodb_claim_body(const char *table, wire_bytes_t name,
                            wire_bytes_t expected, wire_bytes_t value,
                            bool again)
{
    json_t *values = json_object();
    json_t *body = json_pack(
        "{s:s, s:{s:s}, s:s}", "TableName", table, "ExpressionAttributeNames",
        "#v", "value", "ConditionExpression",
        again ? "#v = :expected OR #v = :value" : "#v = :expected");
    bool is_whole = set(body, "Item", dynamodb_lease(name, value));

    is_whole &= set(values, ":expected", dynamodb_bytes(expected));
    is_whole &= !again || set(values, ":value", dynamodb_bytes(value));
    is_whole &= set(body, "ExpressionAttributeValues", values);
    return whole(body, is_whole);
}

json_t *dynamodb_drop_body(const char *table, wire_bytes_t name,
                           wire_bytes_t expected, bool again)
{
    json_t *values = json_object();
    json_t *body = json_pack(
        "{s:s, s:{s:s}, s:s}", "TableName", table, "ExpressionAttributeNames",
        "#v", "value", "ConditionExpression",
        again ? "attribute_not_exists(pk) OR #v = :expected"
              : "#v = :expected");
    bool is_whole = set(body, "Key", dynamodb_lease_key(name));

    is_whole &= set(values, ":expected", dynamodb_bytes(expected));
    is_whole &= set(body, "ExpressionAttributeValues", values);
    return whole(body, is_whole);
}
