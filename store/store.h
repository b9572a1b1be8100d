/* SPDX-License-Identifier: MIT
 *
 * Where the records of connections are kept, for whoever asks which connections
 * a user or a tenant has, and for those who tidy up behind the dead.  Who is
 * connected is decided by gateways and known to brokers; a store repeats it.
 *
 * One interface, three kinds: memory (this process), Redis, DynamoDB;
 * tests/unit/store_conformance.c says what all of them do.
 *
 * Asynchronous.  store_submit starts an operation, and its `done` is called
 * once: by store_submit itself, or later by the loop that the store was opened
 * on.  Operations on one connection take effect in the order submitted; others
 * in any.  What is queued is bounded: beyond the bound an operation fails at
 * once.  A store tries again by itself what may be tried again, within the time
 * that it gives an operation.  One thread, that of the loop.
 *
 *     store_begin(store, now);
 *     store_submit(store, op);     any number
 *     store_end(store);            what was submitted leaves together
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/list.h"
#include "proto/conn_id.h"
#include "proto/wire.h"
#include "store/record.h"
#include "store/stats.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_PAGE_MAX   1000 /* rows of a page */
#define STORE_CURSOR_MAX 4096 /* bytes */
#define STORE_LEASE_MAX  64   /* bytes of a lease's name, and of its value */
#define STORE_LEASES_MAX 4096 /* leases that STORE_LEASES tells of at most */
#define STORE_OWNER_TEXT 4    /* an owner: the first characters of its ids */
#define STORE_OWNERS_MAX 4096 /* owners that STORE_OWNERS tells of at most */

typedef enum {
    /*
     * Write the row of `record`, in place of one with its id, and put its end
     * off until now + ttl_s (of the record, or where that is 0 the store's).
     * was_there: there was one, as far as the store can tell.
     */
    STORE_SAVE,

    /* Remove the row of `record`, and what points to it.  0, there or not. */
    STORE_REMOVE,

    /* The row of `id`.  -ENOENT: there is none. */
    STORE_GET,

    /*
     * The next `limit` rows, or fewer, of the user, tenant or owner `key`.
     * Each row that was there from the first page to the last comes exactly
     * once (of an owner: at least once).  The pages end with an empty cursor,
     * and one may have no rows although it has a cursor.  A cursor that is no
     * cursor of this list: -EINVAL.
     */
    STORE_LIST_USER,
    STORE_LIST_TENANT,
    STORE_LIST_OWNER,

    /* How many rows there are.  Those whose time is over may still count. */
    STORE_COUNT,

    /*
     * The owners of rows, each once, STORE_OWNERS_MAX of them at most; none
     * where leases are not lost without the rows.
     */
    STORE_OWNERS,

    /*
     * A lease says that its holder lives: its value changes as long as it does.
     * Nobody compares clocks: a lease is over for who has seen it unchanged for
     * long enough.
     *
     * KEEP writes the lease `key` with `value`; was_there: there was one.
     * LEASES tells of all of them.
     * CLAIM writes `value` if it still has the value `expected`.  -ESTALE: not.
     * DROP removes it if it still has the value `expected`.  -ESTALE: not.
     */
    STORE_KEEP,
    STORE_LEASES,
    STORE_CLAIM,
    STORE_DROP,
} store_verb_t;

/* A record as it stands in a store. */
typedef struct {
    conn_id_t id;
    wire_bytes_t context; /* a map, PROTOCOL.md section 6 */
    wire_bytes_t writer;  /* boot id of the broker that wrote it */
    int64_t expires_ms;   /* Unix time; from then on it is no row any more */
    uint32_t ttl_s;       /* of its record; 0: the store's */
} store_row_t;

typedef struct {
    wire_bytes_t name, value;
} store_lease_t;

/* What an operation brought; all of it lent until `done` returns. */
typedef struct {
    const store_row_t *rows; /* GET, LIST_… */
    size_t row_count;
    wire_bytes_t cursor;    /* LIST_…: of the next page; empty: none */
    uint64_t count;         /* COUNT */
    const uint32_t *owners; /* OWNERS: the loops that their ids carry */
    size_t owner_count;
    bool was_there; /* SAVE, KEEP */
    const store_lease_t *leases;
    size_t lease_count;
} store_result_t;

typedef struct store_op store_op_t;

/*
 * rc is 0, or the reason why the operation failed or may have failed:
 *
 *   -ENOENT, -ESTALE, -EINVAL   see the verbs
 *   -ENOBUFS    more is queued than may be; not tried
 *   -ENOTCONN   the store cannot be reached
 *   -ETIMEDOUT  no answer in time
 *   -EBUSY      the store has no capacity (throttled, out of memory, loading)
 *   -EACCES     credentials are missing, wrong or expired
 *   -EREMOTEIO  the store failed, or refused what should be right: no table
 *   -EPROTO     its answer cannot be understood
 *   -ECANCELED  the store is being destroyed
 *   -ENOMEM
 *
 * result is NULL where rc is not 0.  op is the caller's again, and may be
 * freed or submitted in here.
 */
typedef void store_done_fn(store_op_t *op, int rc,
                           const store_result_t *result);

struct store_op {
    store_verb_t verb;
    uint32_t limit;   /* 1..STORE_PAGE_MAX */
    record_t *record; /* borrowed until store_submit returns */
    conn_id_t id;     /* GET */
    wire_bytes_t key; /* lent until store_submit returns, as the next three */
    wire_bytes_t cursor; /* empty: the first page */
    wire_bytes_t value, expected;

    store_done_fn *done;
    void *user;

    list_t link; /* the store's, while it is under way */
};

typedef struct store store_t;

/* What a kind of store can do. */
typedef struct {
    void (*submit)(store_t *store, store_op_t *op);

    /* Send what has gathered; NULL: nothing gathers. */
    void (*end)(store_t *store);

    /* End all that is under way with -ECANCELED, and free the store. */
    void (*destroy)(store_t *store);
} store_ops_t;

/* The first member of each kind of store. */
struct store {
    const store_ops_t *ops;
    bool is_shared; /* with other brokers, and there when we are not */
    int64_t now_ms; /* Unix time of this turn */
    store_stats_t stats;
};

static inline void store_begin(store_t *store, int64_t now_ms)
{
    store->now_ms = now_ms;
}

/* Start an operation; op is borrowed until its `done` is called. */
static inline void store_submit(store_t *store, store_op_t *op)
{
    store->ops->submit(store, op);
}

static inline void store_end(store_t *store)
{
    if (store->ops->end != NULL) {
        store->ops->end(store);
    }
}

/* Free it and set *store_p to NULL, which may be NULL before. */
static inline void store_destroy(store_t **store_p)
{
    if (*store_p != NULL) {
        (*store_p)->ops->destroy(*store_p);
        *store_p = NULL;
    }
}

#endif
