/* SPDX-License-Identifier: MIT
 *
 * MessagePack as DynamoDB's attribute values ({"S": "text"}, {"N": "1"}, …), so
 * that other programs can read what a worker has put into a context.  Pure.
 */
#ifndef STORE_DYNAMODB_VALUE_H
#define STORE_DYNAMODB_VALUE_H

#include "proto/wire.h"

#include <jansson.h>

/*
 * The element under the cursor, which moves behind it.  What DynamoDB cannot
 * hold becomes the nearest that it can: numbers beyond its range are text,
 * bytes that are no UTF-8 in a text U+FFFD, what is nested too deep and
 * extensions NULL, and entries of a map whose key is no text are left out.
 * Returns NULL without memory, or where no element is.
 */
json_t *dynamodb_value(wire_cursor_t *at);

/* {"S": text}, {"N": …}, {"B": …}.  NULL: no memory. */
json_t *dynamodb_text(wire_bytes_t text);
json_t *dynamodb_number(int64_t number);
json_t *dynamodb_bytes(wire_bytes_t bytes);

/* The text of {"S": …}; empty when it is none. */
wire_bytes_t dynamodb_text_of(const json_t *value);

/* The whole number of {"N": …}.  Returns 0, or -EPROTO. */
int dynamodb_number_of(const json_t *value, int64_t *number);

/*
 * The bytes of {"B": …}, behind those of out.
 * Returns 0; -EPROTO when it is no such value; -ENOBUFS, -ENOMEM.
 */
int dynamodb_bytes_of(const json_t *value, buf_t *out);

#endif
