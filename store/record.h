/* SPDX-License-Identifier: MIT
 *
 * What is known of a connection: its id and its context (PROTOCOL.md section
 * 6).  Records are immutable and shared: who keeps a pointer holds a reference.
 * One thread.
 */
#ifndef STORE_RECORD_H
#define STORE_RECORD_H

#include "proto/conn_id.h"
#include "proto/wire.h"

typedef struct record {
    struct record *next; /* in the memory store's chain */
    uint64_t place;      /* in the memory store's lists */
    int64_t expires_ms;  /* there, too */
    const char *writer;  /* there, too: borrowed */
    uint32_t references;
    uint32_t ttl_s; /* that its row lasts untouched; 0: as the store says */

    /* What each message of the connection wants lies together. */
    conn_id_t id;
    uint16_t context_len;
    uint8_t context[]; /* a map */
} record_t;

/* A record with one reference; context is copied.  NULL without memory, or for
 * a context that no message can have brought: one of 64 KiB. */
record_t *record_new(const conn_id_t *id, wire_bytes_t context, uint32_t ttl_s);

/* One reference more. */
static inline record_t *record_hold(record_t *self)
{
    self->references++;
    return self;
}

/* One reference less; frees with the last.  NULL is harmless. */
void record_drop(record_t *self);

static inline wire_bytes_t record_context(const record_t *self)
{
    return (wire_bytes_t){self->context, self->context_len};
}

#endif
