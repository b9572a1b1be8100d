/* SPDX-License-Identifier: MIT
 *
 * Pages of lists.
 *
 * Of a user or tenant: the next ids of the sorted set (step 0), then their rows
 * (1).  An id without a row of that name is left out, and taken from the set
 * (2).  Its row may have come meanwhile, written by somebody who put the id
 * into the set before we took it out; so the rows are looked at once more (3),
 * and the ids of those that are there are put back (4).  A writer writes the
 * row first: either we see it, or its id comes into the set after us.
 *
 * Of an owner: what HSCAN brings (0).  Its cursor means nothing to another
 * server, nor to the same one after a new start; a list begins anew there, so
 * that a row may come twice but none is left out.  And HSCAN may bring more
 * than a page holds.  So a cursor is
 *
 *   FROM@SERVER   or   FROM:ID:NEXT@SERVER
 *
 * the latter when FROM brought rows that the page had no room for, those behind
 * ID, and then NEXT is to come.  Had FROM another NEXT when it is asked again,
 * the hash has been laid out anew, and all that it brings is given.
 *
 * Rows whose time has long been over are removed on the way (2).
 */
#include "store/redis_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUN_MAX       100 /* rows that are asked for at a time */
#define TIDY_MAX      64  /* ids of a page that are tidied up, of each sort */
#define REAP_AFTER_MS INT64_C(600000) /* clocks of writers may differ */
#define HEAD_MAX      16
#define SCAN_TEXT     21 /* a cursor of HSCAN: 20 digits and a NUL */
#define SERVER_TEXT   9  /* 8 hexadecimal digits and a NUL */

typedef struct {
    bool is_there;
    size_t at, len; /* in `bytes` */
} value_t;

struct redis_page {
    size_t count; /* of ids that the step is about */
    char ids[STORE_PAGE_MAX][CONN_ID_TEXT];
    value_t values[STORE_PAGE_MAX];
    buf_t bytes;
    redis_request_t *requests; /* owned */
    size_t request_count;
    size_t stale_count;
    char stale[TIDY_MAX][CONN_ID_TEXT];
    size_t reap_count;
    char reaped[TIDY_MAX][CONN_ID_TEXT];
    uint8_t heads[TIDY_MAX][HEAD_MAX];
    size_t head_lens[TIDY_MAX];
};

/* --- cursors ------------------------------------------------------------- */

typedef struct {
    wire_bytes_t from, last, next; /* last, next: empty for HSCAN's own */
    uint32_t server;
} scan_cursor_t;

static wire_bytes_t take_digits(wire_bytes_t *rest)
{
    wire_bytes_t digits = {rest->data, 0};

    while (digits.len < rest->len && rest->data[digits.len] >= '0' &&
           rest->data[digits.len] <= '9') {
        digits.len++;
    }
    rest->data += digits.len;
    rest->len -= digits.len;
    return digits;
}

static bool is_scan_number(wire_bytes_t digits)
{
    return digits.len > 0 && digits.len < SCAN_TEXT;
}

static bool take_mark(wire_bytes_t *rest, char mark)
{
    if (rest->len == 0 || rest->data[0] != (uint8_t)mark) {
        return false;
    }
    rest->data++;
    rest->len--;
    return true;
}

/* ID:NEXT */
static int take_rest(wire_bytes_t *rest, scan_cursor_t *cursor)
{
    conn_id_t id;

    if (rest->len < CONN_ID_TEXT ||
        conn_id_parse(rest->data, CONN_ID_TEXT, &id) < 0) {
        return -EINVAL;
    }
    cursor->last = (wire_bytes_t){rest->data, CONN_ID_TEXT};
    rest->data += CONN_ID_TEXT;
    rest->len -= CONN_ID_TEXT;
    if (!take_mark(rest, ':')) {
        return -EINVAL;
    }
    cursor->next = take_digits(rest);
    return is_scan_number(cursor->next) ? 0 : -EINVAL;
}

static int parse_scan(wire_bytes_t text, scan_cursor_t *cursor)
{
    wire_bytes_t rest = text;
    char server[SERVER_TEXT], *end;

    *cursor = (scan_cursor_t){.from = take_digits(&rest)};
    if (!is_scan_number(cursor->from) ||
        (take_mark(&rest, ':') && take_rest(&rest, cursor) < 0) ||
        !take_mark(&rest, '@') || rest.len != SERVER_TEXT - 1) {
        return -EINVAL;
    }
    memcpy(server, rest.data, rest.len);
    server[rest.len] = '\0';
    cursor->server = (uint32_t)strtoul(server, &end, 16);
    return *end == '\0' ? 0 : -EINVAL;
}

/* What the cursor is for this server. */
static scan_cursor_t scan_cursor(const redis_task_t *self, uint32_t server)
{
    scan_cursor_t cursor;

    if (self->cursor.len == 0 || parse_scan(self->cursor, &cursor) < 0 ||
        cursor.server != server) {
        cursor = (scan_cursor_t){.from = wire_bytes("0"), .server = server};
    }
    return cursor;
}

bool redis_page_is_cursor(store_verb_t verb, wire_bytes_t cursor)
{
    scan_cursor_t scan;
    conn_id_t id;

    if (cursor.len == 0) {
        return true;
    }
    return verb == STORE_LIST_OWNER
               ? parse_scan(cursor, &scan) == 0
               : conn_id_parse(cursor.data, cursor.len, &id) == 0;
}

/* --- what the page knows ------------------------------------------------- */

const char *redis_page_id(const redis_task_t *self, uint32_t at)
{
    return self->page->ids[at];
}

const char *redis_page_reaped(const redis_task_t *self, uint32_t at)
{
    return self->page->reaped[at];
}

size_t redis_page_stale(const redis_task_t *self)
{
    return self->page->stale_count;
}

wire_bytes_t redis_page_from(const redis_task_t *self, uint32_t server)
{
    return scan_cursor(self, server).from;
}

wire_bytes_t redis_page_head(const redis_task_t *self, uint32_t at)
{
    return (wire_bytes_t){self->page->heads[at], self->page->head_lens[at]};
}

/* How many of the ids from here on are of one owner; ids are sorted, so these
 * are all of that owner, but for a run that would be too long. */
size_t redis_page_run(const redis_task_t *self, uint32_t at)
{
    const redis_page_t *page = self->page;
    size_t run = 1;

    while (run < RUN_MAX && at + run < page->count &&
           memcmp(page->ids[at], page->ids[at + run], STORE_OWNER_TEXT) == 0) {
        run++;
    }
    return run;
}

static bool is_of_key(const redis_task_t *self, const store_row_t *row)
{
    return wire_equal(wire_map_str(row->context, self->verb == STORE_LIST_USER
                                                     ? "user"
                                                     : "tenant"),
                      self->key);
}

static bool is_over(const redis_task_t *self, const store_row_t *row)
{
    return row->expires_ms <= self->store->store.now_ms;
}

/* Another may have written the row again, so its bytes go along. */
static void reap_if_long_over(redis_task_t *self, const store_row_t *row,
                              wire_bytes_t value)
{
    redis_page_t *page = self->page;
    wire_bytes_t head = redis_row_head(value);

    if (self->store->store.now_ms - row->expires_ms > REAP_AFTER_MS &&
        page->reap_count < TIDY_MAX && head.data != NULL &&
        head.len <= HEAD_MAX) {
        size_t at = page->reap_count++;
        conn_id_format(&row->id, page->reaped[at]);
        memcpy(page->heads[at], head.data, head.len);
        page->head_lens[at] = head.len;
    }
}

/* --- steps begin --------------------------------------------------------- */

static int make_requests(redis_page_t *page, size_t count)
{
    free(page->requests);
    page->request_count = 0;
    page->requests = calloc(count, sizeof *page->requests);
    return page->requests == NULL ? -ENOMEM : 0;
}

static void say(redis_task_t *self, redis_word_t what, size_t at)
{
    redis_task_say(self, &self->page->requests[self->page->request_count++],
                   what, (uint32_t)at);
}

static int say_first(redis_task_t *self)
{
    if (make_requests(self->page, 1) < 0) {
        return -ENOMEM;
    }
    say(self, self->verb == STORE_LIST_OWNER ? SAY_PAGE_SCAN : SAY_PAGE_IDS, 0);
    return 0;
}

static int say_rows(redis_task_t *self)
{
    redis_page_t *page = self->page;
    size_t runs = 0;

    page->bytes.len = 0;
    memset(page->values, 0, sizeof page->values);
    for (size_t at = 0; at < page->count;
         at += redis_page_run(self, (uint32_t)at)) {
        runs++;
    }
    if (make_requests(page, runs + 1) < 0) {
        return -ENOMEM;
    }
    for (size_t at = 0; at < page->count;
         at += redis_page_run(self, (uint32_t)at)) {
        say(self, SAY_PAGE_ROWS, at);
    }
    return 0;
}

static int say_tidy(redis_task_t *self)
{
    redis_page_t *page = self->page;

    if (make_requests(page, page->reap_count + 1) < 0) {
        return -ENOMEM;
    }
    if (page->stale_count > 0) {
        say(self, SAY_STALE_DROP, 0);
    }
    for (size_t i = 0; i < page->reap_count; i++) {
        say(self, SAY_ROW_REAP, i);
    }
    return 0;
}

/* The row of this id, if it is there and can be read. */
static bool get_row(const redis_page_t *page, size_t at, store_row_t *row,
                    wire_bytes_t *value)
{
    const value_t *found = &page->values[at];

    *value = (wire_bytes_t){page->bytes.data + found->at, found->len};
    return found->is_there && redis_row_get(*value, row) == 0 &&
           conn_id_parse(page->ids[at], CONN_ID_TEXT, &row->id) == 0;
}

static int say_back(redis_task_t *self)
{
    redis_page_t *page = self->page;
    wire_bytes_t value;
    store_row_t row;

    if (make_requests(page, page->count + 1) < 0) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < page->count; i++) {
        if (get_row(page, i, &row, &value) && is_of_key(self, &row)) {
            say(self, SAY_STALE_ADD, i);
        }
    }
    return 0;
}

int redis_page_step(redis_task_t *self)
{
    if (self->page == NULL) {
        self->page = calloc(1, sizeof *self->page);
        if (self->page == NULL) {
            return -ENOMEM;
        }
        buf_init(&self->page->bytes, (size_t)STORE_PAGE_MAX * REDIS_ROW_MAX);
    }
    switch (self->step) {
    case 0:
        return say_first(self);
    case 2:
        return say_tidy(self);
    case 4:
        return say_back(self);
    default:
        return say_rows(self);
    }
}

/* --- replies ------------------------------------------------------------- */

static void fail_step(redis_task_t *self, int rc)
{
    self->rc = rc;
    self->advice = REDIS_GIVE_UP;
}

static void take_ids(redis_task_t *self, const redisReply *reply)
{
    redis_page_t *page = self->page;
    conn_id_t id;

    page->count = 0;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements > self->limit) {
        fail_step(self, -EPROTO);
        return;
    }
    for (size_t i = 0; i < reply->elements; i++) {
        wire_bytes_t text = redis_text(reply->element[i]);
        if (text.data == NULL || conn_id_parse(text.data, text.len, &id) < 0) {
            fail_step(self, -EPROTO); /* nobody of ours put it there */
            return;
        }
        memcpy(page->ids[page->count++], text.data, CONN_ID_TEXT);
    }
}

static void take_rows(redis_task_t *self, size_t at, const redisReply *reply)
{
    redis_page_t *page = self->page;

    if (!redis_is_array(reply, redis_page_run(self, (uint32_t)at))) {
        fail_step(self, -EPROTO);
        return;
    }
    for (size_t i = 0; i < reply->elements; i++) {
        value_t *value = &page->values[at + i];
        wire_bytes_t text = redis_text(reply->element[i]);
        if (text.len == 0 || text.len > REDIS_ROW_MAX) {
            continue; /* nil, or what is no row */
        }
        value->at = page->bytes.len;
        value->len = text.len;
        if (buf_put(&page->bytes, text.data, text.len) < 0) {
            fail_step(self, -ENOMEM);
            return;
        }
        value->is_there = true;
    }
}

/* --- a page of an owner -------------------------------------------------- */

typedef struct {
    const char *id; /* in the reply */
    wire_bytes_t value;
} found_t;

static int by_id(const void *a, const void *b)
{
    return memcmp(((const found_t *)a)->id, ((const found_t *)b)->id,
                  CONN_ID_TEXT);
}

/* What a page may give of a reply to HSCAN: its ids behind `last`, sorted if
 * they are more than `limit`. */
static size_t find_rows(const redisReply *pairs, wire_bytes_t last,
                        uint32_t limit, found_t *found)
{
    size_t count = 0;
    conn_id_t id;

    for (size_t i = 0; i + 1 < pairs->elements; i += 2) {
        wire_bytes_t field = redis_text(pairs->element[i]);
        if (field.data != NULL &&
            conn_id_parse(field.data, field.len, &id) == 0 &&
            (last.len == 0 ||
             memcmp(field.data, last.data, CONN_ID_TEXT) > 0)) {
            found[count++] = (found_t){(const char *)field.data,
                                       redis_text(pairs->element[i + 1])};
        }
    }
    if (count > limit) {
        qsort(found, count, sizeof *found, by_id);
    }
    return count;
}

static void tell_owner(redis_task_t *self, const found_t *found, size_t count,
                       wire_bytes_t cursor)
{
    store_row_t *rows = calloc(count + 1, sizeof *rows);
    store_result_t result = {.rows = rows, .cursor = cursor};

    if (rows == NULL) {
        fail_step(self, -ENOMEM);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        store_row_t row;
        if (redis_row_get(found[i].value, &row) < 0 ||
            conn_id_parse(found[i].id, CONN_ID_TEXT, &row.id) < 0) {
            continue;
        }
        if (!is_over(self, &row)) {
            rows[result.row_count++] = row;
        } else {
            reap_if_long_over(self, &row, found[i].value);
        }
    }
    redis_task_tell(self, 0, &result);
    free(rows);
}

static void page_of(redis_task_t *self, uint32_t server,
                    const redisReply *pairs, wire_bytes_t next, found_t *found)
{
    char text[2 * SCAN_TEXT + CONN_ID_TEXT + SERVER_TEXT + 3];
    scan_cursor_t cursor = scan_cursor(self, server);

    if (!wire_equal(cursor.next, next)) {
        cursor.last.len = 0;
    }
    size_t count = find_rows(pairs, cursor.last, self->limit, found);
    if (count > self->limit) {
        count = self->limit;
        snprintf(text, sizeof text, "%.*s:%.*s:%.*s@%08x", (int)cursor.from.len,
                 (const char *)cursor.from.data, CONN_ID_TEXT,
                 found[count - 1].id, (int)next.len, (const char *)next.data,
                 server);
    } else if (wire_is(next, "0")) {
        text[0] = '\0'; /* that was the last page */
    } else {
        snprintf(text, sizeof text, "%.*s@%08x", (int)next.len,
                 (const char *)next.data, server);
    }
    tell_owner(self, found, count, wire_bytes(text));
}

static void take_scan(redis_task_t *self, uint32_t server,
                      const redisReply *reply)
{
    if (!redis_is_array(reply, 2) ||
        reply->element[1]->type != REDIS_REPLY_ARRAY) {
        fail_step(self, -EPROTO);
        return;
    }
    wire_bytes_t next = redis_text(reply->element[0]), rest = next;
    if (!is_scan_number(take_digits(&rest)) || rest.len > 0) {
        fail_step(self, -EPROTO);
        return;
    }
    const redisReply *pairs = reply->element[1];
    found_t *found = calloc(pairs->elements / 2 + 1, sizeof *found);
    if (found == NULL) {
        fail_step(self, -ENOMEM);
        return;
    }
    page_of(self, server, pairs, next, found);
    free(found);
}

void redis_page_take(redis_task_t *self, const redis_request_t *request,
                     const redisReply *reply)
{
    switch (request->what) {
    case SAY_PAGE_IDS:
        take_ids(self, reply);
        break;
    case SAY_PAGE_ROWS:
        take_rows(self, request->at, reply);
        break;
    case SAY_PAGE_SCAN:
        take_scan(self, request->server, reply);
        break;
    default:
        break; /* how many there were of what was tidied up: no matter */
    }
}

/* --- steps end ----------------------------------------------------------- */

static void note_stale(redis_page_t *page, size_t at)
{
    if (page->stale_count < TIDY_MAX) {
        memcpy(page->stale[page->stale_count++], page->ids[at], CONN_ID_TEXT);
    }
}

static void tell_rows(redis_task_t *self)
{
    redis_page_t *page = self->page;
    store_row_t *rows = calloc(page->count + 1, sizeof *rows);
    store_result_t result = {.rows = rows};

    if (rows == NULL) {
        redis_task_tell(self, -ENOMEM, NULL);
        return;
    }
    for (size_t i = 0; i < page->count; i++) {
        wire_bytes_t value;
        store_row_t row;
        if (!get_row(page, i, &row, &value) || !is_of_key(self, &row)) {
            note_stale(page, i);
        } else if (!is_over(self, &row)) {
            rows[result.row_count++] = row;
        } else {
            reap_if_long_over(self, &row, value);
        }
    }
    if (page->count == self->limit) {
        result.cursor = (wire_bytes_t){
            (const uint8_t *)page->ids[page->count - 1], CONN_ID_TEXT};
    }
    redis_task_tell(self, 0, &result);
    free(rows);
}

/* From here on the page is about the ids that were stale. */
static void turn_to_stale(redis_page_t *page)
{
    memcpy(page->ids, page->stale, sizeof page->stale);
    page->count = page->stale_count;
}

bool redis_page_over(redis_task_t *self)
{
    redis_page_t *page = self->page;

    switch (self->step) {
    case 0:
        self->step = self->verb == STORE_LIST_OWNER ? 2 : 1;
        return self->step == 1 || page->reap_count > 0;
    case 1:
        tell_rows(self);
        turn_to_stale(page);
        self->step = 2;
        return page->stale_count > 0 || page->reap_count > 0;
    case 2:
        self->step = 3;
        return page->stale_count > 0;
    case 3:
        self->step = 4;
        return true;
    default:
        return false;
    }
}

void redis_page_cancel(redis_task_t *self)
{
    redis_page_t *page = self->page;

    for (size_t i = 0; page != NULL && i < page->request_count; i++) {
        if (page->requests[i].is_held &&
            redis_pool_cancel(&self->store->pool, &page->requests[i])) {
            self->pending--;
        }
    }
}

void redis_page_free(redis_task_t *self)
{
    if (self->page != NULL) {
        buf_fini(&self->page->bytes);
        free(self->page->requests);
        free(self->page);
        self->page = NULL;
    }
}
