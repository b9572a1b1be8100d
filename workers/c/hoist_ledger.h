/* SPDX-License-Identifier: MIT
 *
 * What hoist_rate_limit and hoist_idempotency remember between events: token
 * buckets, and who has begun what with which outcome.  Without a ledger each
 * use of a middleware keeps that in its process's memory; with one, all that
 * have the same ledger share it: several workers those of hoist_redis.h.  A
 * program may write its own.
 *
 * A ledger is the program's: it outlives the apps that use it.  Its functions
 * are called by any thread, several at once, and block no longer than a handler
 * may.  A result is as said, or a negative errno, with a reason, where the
 * ledger cannot tell; what happens then is a setting of the middleware.  Names
 * of buckets and of claims are apart: one of each may have the same.
 *
 * Names are of the middleware's making, the same in all workers and from
 * release to release.  NAME is that of the middleware's use, LENGTH in decimal
 * bytes that of the text in front of it, and a text may hold any byte:
 *
 *     NAME:u:USER                 of a user without a tenant
 *     NAME:U:USER:TENANT:LENGTH   of a tenant's user
 *     NAME:t:TENANT               of a tenant
 *     NAME:c:CONNECTION           of a connection
 *     NAME:a:ADDRESS              of an address, or network of IPv6
 *     NAME:k:KEY                  as a hoist_key says
 *
 * A claim has its own key behind that: :KEY:LENGTH.
 */
#ifndef HOIST_LEDGER_H
#define HOIST_LEDGER_H

#include <hoist.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hoist_ledger hoist_ledger;

/* Tokens come one by one, up to a burst; each event takes one. */
typedef struct {
    int64_t token_ns; /* in which one comes, 1 or more */
    int64_t burst;    /* of a full bucket, 1 to 100000 */
} hoist_bucket;

/* What becomes of a claim. */
typedef enum {
    HOIST_CLAIM_OURS = 0,   /* nobody had it: do it, then settle or release */
    HOIST_CLAIM_TAKEN = 1,  /* somebody is at it */
    HOIST_CLAIM_DONE = 2,   /* it was done, and found was told the outcome */
    HOIST_CLAIM_OTHER = 3,  /* the name stands for something else */
    HOIST_CLAIM_UNSURE = 4, /* it was asked for, and no answer came: it may
                               stand */
} hoist_claimed;

#define HOIST_DIGEST_BYTES 32

typedef struct {
    hoist_text name; /* 1 to 1024 bytes */
    uint64_t owner;  /* the event: the same for each attempt at it */
    uint8_t digest[HOIST_DIGEST_BYTES]; /* of what is to be done: SHA-256 */
    int64_t hold_ms; /* how long it stands where nobody settles or releases it,
                        since the process died */
} hoist_claim;

/* What was replied. */
typedef struct {
    int status;
    hoist_type type;
    hoist_text body;
    bool is_cut; /* the body was too long to be kept: there is none */
} hoist_outcome;

/* Lent for the call; the ledger must not be called in it. */
typedef void hoist_outcome_handler(const hoist_outcome *outcome, void *data);

/* Why a call has failed, for the log: a line, NUL-terminated.  Empty when it is
 * lent. */
typedef struct {
    char text[160];
} hoist_reason;

typedef struct {
    /* sizeof(hoist_ledger_table) where the ledger was compiled: a later
     * libhoist, which may know more, sees by that what is there.  The four
     * below are there always: a middleware refuses a ledger that lacks one of
     * them (-EINVAL). */
    size_t size;

    /*
     * Take a token of the bucket of this name, of 1 to 1024 bytes.
     * Returns 0 with *wait_ms, in how many ms there is one: 0, it was taken.
     */
    int (*spend)(hoist_ledger *self, hoist_text name,
                 const hoist_bucket *bucket, int64_t *wait_ms,
                 hoist_reason *reason);

    /*
     * Claim what is to be done.  Who has it may claim it again.
     * Returns one of hoist_claimed.  UNSURE, with a reason, is a failure, too,
     * behind which the claim is released when the ledger can be asked again; a
     * negative errno says that it does not stand.
     */
    int (*claim)(hoist_ledger *self, const hoist_claim *claim,
                 hoist_outcome_handler *found, void *data,
                 hoist_reason *reason);

    /*
     * It was done: keep its outcome, which is copied, for so long.  Release: it
     * was not, and may be claimed anew.  Nothing where the claim is another's.
     * Return 0.  Where they fail they are called again with the same for
     * hold_ms, also when what failed was done all the same.
     */
    int (*settle)(hoist_ledger *self, const hoist_claim *claim,
                  const hoist_outcome *outcome, int64_t keep_ms,
                  hoist_reason *reason);
    int (*release)(hoist_ledger *self, const hoist_claim *claim,
                   hoist_reason *reason);
} hoist_ledger_table;

/* A setting of the middleware: what becomes of an event while a ledger cannot
 * be asked. */
typedef enum {
    HOIST_WHEN_DOWN_USUAL = 0,  /* what is said at the middleware */
    HOIST_WHEN_DOWN_PASS = 1,   /* it goes on, as if there was no middleware */
    HOIST_WHEN_DOWN_REFUSE = 2, /* 503 */
} hoist_when_down;

/* What a ledger begins with. */
struct hoist_ledger {
    const hoist_ledger_table *table;
};

#ifdef __cplusplus
}
#endif

#endif
