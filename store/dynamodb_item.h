/* SPDX-License-Identifier: MIT
 *
 * Records and leases as items of the table (docs/stores.md has the layout).
 * Pure.
 */
#ifndef STORE_DYNAMODB_ITEM_H
#define STORE_DYNAMODB_ITEM_H

#include "store/store.h"

#include <jansson.h>

#define DYNAMODB_ROW_SK   "CONNECTION" /* sort key of every row */
#define DYNAMODB_LEASE_PK "LEASES"     /* partition key of every lease */

/* What a row's index of this user or tenant is called by; NULL: no memory. */
json_t *dynamodb_user_key(wire_bytes_t user);
json_t *dynamodb_tenant_key(wire_bytes_t tenant);

/* {"S": "CONNECTION#<id>"}, and {"pk": …, "sk": …} of a row. */
json_t *dynamodb_pk(const conn_id_t *id);
json_t *dynamodb_row_key(const conn_id_t *id);

/* The row of a record; NULL: no memory. */
json_t *dynamodb_row(const record_t *record, const char *writer, int64_t ttl_s,
                     int64_t now_ms);

/* The row in an item, behind which bytes hold its texts. */
typedef struct {
    store_row_t row;
    buf_t bytes; /* owned */
} dynamodb_row_t;

/*
 * Returns 0; -ENOENT when the item is a row, but of another program; -EPROTO
 * when it is none.  Then *out holds nothing.
 */
__attribute__((warn_unused_result)) int dynamodb_row_read(const json_t *item,
                                                          dynamodb_row_t *out);
void dynamodb_row_fini(dynamodb_row_t *row);

/* When the row ends, Unix ms; 0 where it does not say. */
int64_t dynamodb_expires_ms(const json_t *item);

json_t *dynamodb_lease_key(wire_bytes_t name);
json_t *dynamodb_lease(wire_bytes_t name, wire_bytes_t value);

/* name and value are put behind out's bytes; -EPROTO when it is no lease. */
__attribute__((warn_unused_result)) int dynamodb_lease_read(const json_t *item,
                                                            buf_t *out,
                                                            size_t *name_len,
                                                            size_t *value_len);

#endif
