/* SPDX-License-Identifier: MIT
 *
 * A table for people: columns as wide as what is in them, cells made harmless
 * (cli/text.h).  One thread.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "base/histogram.h"

#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#define TABLE_COLUMNS_MAX 16
#define TABLE_CELL_MAX    48 /* columns of the terminal that a cell takes */

typedef struct table table_t;

/* heads: of the columns, ending with NULL; numbers begin with '>' and stand
 * to the right. */
table_t *table_new(const char *const *heads);
void table_destroy(table_t **self_p);

/* The next cell; a row is full when it has as many as there are heads. */
void table_put(table_t *self, const char *text);

/* A name: a string, in which others may have put NUL; of anything else "". */
void table_put_name(table_t *self, const json_t *name);

/* Its unit is that of the function of text.h. */
void table_put_count(table_t *self, uint64_t value);
void table_put_us(table_t *self, uint64_t value);

/* The time that `share` of what was timed did not exceed; "-" of nothing. */
void table_put_share(table_t *self, const histogram_t *times, double share);
void table_put_age(table_t *self, int64_t value);
void table_put_bytes(table_t *self, uint64_t value);
void table_put_rate(table_t *self, double value);

/* Heads and rows; nothing but the heads when there are none. */
void table_print(const table_t *self, FILE *out);

#endif
