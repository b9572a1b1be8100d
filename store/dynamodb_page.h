/* SPDX-License-Identifier: MIT
 *
 * The rows of one page of a list as they come in, over any number of calls, and
 * the cursor of the next.  Pure.
 *
 * A cursor of a user's or tenant's list is the id of its last row, from which
 * the key of the index follows; of an owner's it is the key, as JSON.
 */
#ifndef STORE_DYNAMODB_PAGE_H
#define STORE_DYNAMODB_PAGE_H

#include "store/dynamodb_item.h"

typedef struct {
    dynamodb_row_t *rows; /* owned */
    size_t count, cap;
    uint32_t limit;
    int64_t now_ms; /* rows that are over by then are left out */
    bool is_index;  /* of a user or tenant, else of an owner */
    json_t *next;   /* owned; where the next call goes on; NULL: at the end */
    char cursor[STORE_CURSOR_MAX]; /* of the next page */
    size_t cursor_len;
} dynamodb_page_t;

/* Takes nothing yet. */
void dynamodb_page_init(dynamodb_page_t *self, uint32_t limit, int64_t now_ms,
                        bool is_index);
void dynamodb_page_fini(dynamodb_page_t *self);

static inline bool dynamodb_page_is_full(const dynamodb_page_t *self)
{
    return self->count == self->limit;
}

/*
 * Take the rows of an answer to Query or Scan.  Of a user's or tenant's list
 * (`field` is "user" or "tenant") those whose context says `key`.
 * Returns 0; -EPROTO or -ENOMEM.
 */
__attribute__((warn_unused_result)) int
dynamodb_page_take(dynamodb_page_t *self, const json_t *answer,
                   const char *field, wire_bytes_t key);

/*
 * End the page here although it is not full: the cursor names `next`.
 * false: nothing can name it (it is another program's row); go on.
 */
bool dynamodb_page_stop(dynamodb_page_t *self);

/* The key to go on from, of an index or of the table; NULL: the cursor is none
 * (or no memory). */
json_t *dynamodb_index_start(const char *index, json_t *index_key,
                             wire_bytes_t cursor);
json_t *dynamodb_owner_start(wire_bytes_t cursor);

#endif
