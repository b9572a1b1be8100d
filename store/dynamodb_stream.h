/* SPDX-License-Identifier: MIT
 *
 * A reader of the table's stream: what happens to connections, as events.  Of
 * one connection they come in order; of several, in any.  It reads all shards
 * there are, a child after its parent, and finds new ones by itself.  What only
 * puts a row's end off is no event.  One thread, that of the loop.
 */
#ifndef STORE_DYNAMODB_STREAM_H
#define STORE_DYNAMODB_STREAM_H

#include "store/dynamodb_client.h"
#include "store/dynamodb_item.h"

typedef enum {
    CHANGE_CONNECTED,
    CHANGE_CHANGED,      /* its user, tenant or attributes */
    CHANGE_DISCONNECTED, /* its row was removed */
    CHANGE_EXPIRED,      /* … by TTL: nobody had removed it in time */
} change_kind_t;

typedef struct {
    change_kind_t kind;
    int64_t at_ms;          /* Unix time, to the second */
    const store_row_t *row; /* as it is now, or was last; lent */
} dynamodb_change_t;

typedef struct {
    void (*on_ready)(void *user); /* what happens from here on is told */
    void (*on_change)(void *user, const dynamodb_change_t *change);

    /* Something failed; it is tried again, unless is_final. */
    void (*on_fault)(void *user, bool is_final, const char *why);
} dynamodb_stream_events_t;

typedef struct dynamodb_stream dynamodb_stream_t;

/* From now on.  client, url and events are borrowed for its life. */
dynamodb_stream_t *dynamodb_stream_new(struct ev_loop *loop,
                                       dynamodb_client_t *client,
                                       const dynamodb_url_t *url,
                                       const dynamodb_stream_events_t *events,
                                       void *user);
void dynamodb_stream_destroy(dynamodb_stream_t **self_p);

/*
 * The change that a record of the stream (JSON) tells of, with its row in
 * *row, to be freed.  Returns 0; -ENOENT when it tells of none; -EPROTO.
 */
__attribute__((warn_unused_result)) int
dynamodb_change_read(const json_t *record, dynamodb_change_t *change,
                     dynamodb_row_t *row);

#endif
