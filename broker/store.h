/* SPDX-License-Identifier: MIT
 *
 * Where connection records are kept.  A record is written after the handler
 * of $connect said yes and before the client sees 101, and removed when the
 * connection's DISCONNECT is done.
 *
 * Records are immutable and shared: who keeps a pointer holds a reference.
 * Broker thread only.
 */
#ifndef BROKER_STORE_H
#define BROKER_STORE_H

#include "proto/conn_id.h"
#include "proto/wire.h"

typedef struct record {
    uint32_t references;
    uint32_t context_len;
    struct record *next; /* in the memory store's chain */
    conn_id_t id;
    uint8_t context[]; /* a map, PROTOCOL.md section 6 */
} record_t;

/* A record with one reference, or NULL without memory; context is copied. */
record_t *record_new(const conn_id_t *id, wire_bytes_t context);

/* One reference less; frees with the last.  NULL is harmless. */
void record_drop(record_t *self);

static inline wire_bytes_t record_context(const record_t *record)
{
    return (wire_bytes_t){record->context, record->context_len};
}

typedef struct store store_t;

/* What a kind of store can do. */
typedef struct {
    /* Keep the record, in place of one with its id.  0 or -ENOMEM. */
    int (*save)(store_t *store, record_t *record);

    /* Forget the record of this id.  0, or -ENOENT. */
    int (*remove)(store_t *store, const conn_id_t *id);

    /* How many records there are. */
    size_t (*count)(const store_t *store);

    void (*destroy)(store_t *store);
} store_ops_t;

/* The first member of each kind of store. */
struct store {
    const store_ops_t *ops;
};

/* Records in this process's memory.  Never NULL. */
store_t *store_memory_new(void);

#endif
