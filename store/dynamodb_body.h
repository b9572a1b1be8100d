/* SPDX-License-Identifier: MIT
 *
 * The bodies of the requests that the store makes.  Each is a new JSON object,
 * or NULL without memory; what is given as json_t is moved.  Pure.
 */
#ifndef STORE_DYNAMODB_BODY_H
#define STORE_DYNAMODB_BODY_H

#include "store/dynamodb_item.h"

/* PutItem, DeleteItem, GetItem. */
json_t *dynamodb_put_body(const char *table, json_t *item);
json_t *dynamodb_delete_body(const char *table, json_t *key);
json_t *dynamodb_get_body(const char *table, json_t *key);

/* BatchWriteItem: one at first, to which requests are added. */
json_t *dynamodb_batch_body(const char *table);
bool dynamodb_batch_put(json_t *body, const char *table, json_t *item);
bool dynamodb_batch_delete(json_t *body, const char *table, json_t *key);

/* Query of index gsi1 or gsi2 for this key. */
json_t *dynamodb_index_body(const char *table, const char *index, json_t *key,
                            uint32_t limit, json_t *start);

/* Scan for the rows of an owner; `limit` items are looked at. */
json_t *dynamodb_owner_body(const char *table, wire_bytes_t owner,
                            uint32_t limit, json_t *start);

/* Scan that counts the rows whose time is not over at this Unix time. */
json_t *dynamodb_count_body(const char *table, int64_t now_s, json_t *start);

/* Query for all leases. */
json_t *dynamodb_leases_body(const char *table, json_t *start);

/*
 * PutItem or DeleteItem of a lease that has the value `expected`.  What is sent
 * `again` also takes for done what the first may have done.
 */
json_t *dynamodb_claim_body(const char *table, wire_bytes_t name,
                            wire_bytes_t expected, wire_bytes_t value,
                            bool again);
json_t *dynamodb_drop_body(const char *table, wire_bytes_t name,
                           wire_bytes_t expected, bool again);

#endif
