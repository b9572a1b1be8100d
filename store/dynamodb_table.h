/* SPDX-License-Identifier: MIT
 *
 * The table itself: to make it, and to say what is wrong with one.  For people
 * at a terminal: these run the loop until they are done.
 */
#ifndef STORE_DYNAMODB_TABLE_H
#define STORE_DYNAMODB_TABLE_H

#include "store/dynamodb_url.h"

#include <stdio.h>

#include <ev.h>

/*
 * Make the table with its indexes, TTL and stream, and wait until it is active;
 * of one that exists, switch on TTL and stream where they are off and check it.
 * What is done, and what is wrong, is written to `out`, a line each.
 * Returns 0, or 1 when something is wrong.
 */
int dynamodb_table_init(struct ev_loop *loop, const dynamodb_url_t *url,
                        FILE *out);

/* Say what is wrong with the table, or that nothing is.  Returns as above. */
int dynamodb_table_check(struct ev_loop *loop, const dynamodb_url_t *url,
                         FILE *out);

#endif
