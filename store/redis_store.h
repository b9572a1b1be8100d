/* SPDX-License-Identifier: MIT
 *
 * The inside of the Redis store: what redis.c (the store, and operations of one
 * row or lease), redis_page.c (lists), redis_count.c and redis_words.c (what
 * is said to Redis) share.
 *
 * An operation becomes a task.  A task goes through steps; a step is some
 * requests that go out together.  When all of them are back, the next step
 * begins, or this one again when something asks for it: every step may be done
 * twice, but those of CLAIM and DROP, of which nobody knows whether they were
 * done once.  Of tasks on one connection only the oldest is at work.
 */
#ifndef STORE_REDIS_STORE_H
#define STORE_REDIS_STORE_H

#include "store/options.h"
#include "store/redis_pool.h"
#include "store/redis_row.h"
#include "store/store.h"

#define REDIS_TASK_REQUESTS 5
#define REDIS_OWNERS_KNOWN  1024 /* a power of two */
#define REDIS_SHA_TEXT      41

/* That keys last beyond the rows in them: Redis forgets all, if nobody comes
 * back for so long. */
#define REDIS_NET_TIMES 3

typedef enum {
    SAY_ROW_SET,
    SAY_ROW_DROP,
    SAY_ROW_GET,
    SAY_OWNER_STRETCH,
    SAY_OWNER_VOUCH,
    SAY_USER_ADD,
    SAY_TENANT_ADD,
    SAY_USER_DROP,
    SAY_TENANT_DROP,
    SAY_LEASE_SET,
    SAY_LEASES_STRETCH,
    SAY_LEASES,
    SAY_LEASE_CLAIM,
    SAY_LEASE_DROP,
    SAY_PAGE_IDS,
    SAY_PAGE_ROWS,
    SAY_PAGE_SCAN,
    SAY_STALE_DROP,
    SAY_STALE_ADD,
    SAY_ROW_REAP,
    SAY_OWNERS,
    SAY_OWNER_LEN,
    SAY_OWNER_FORGET,
} redis_word_t;

typedef enum {
    SCRIPT_STRETCH,
    SCRIPT_ENLIST,
    SCRIPT_CLAIM,
    SCRIPT_DROP,
    SCRIPT_REAP,
    SCRIPT_FORGET,
    SCRIPTS,
} redis_script_t;

/* An owner whose keys were vouched for: it is in the set of owners, and its
 * hash does not end while this lasts. */
typedef struct {
    uint32_t loop;
    int64_t net_ms;       /* that the hash was to last from then */
    int64_t confirmed_ms; /* monotonic; 0: not since we connected */
    int64_t asked_ms;     /* to do it again */
} redis_owner_t;

typedef struct redis_page redis_page_t;
typedef struct redis_tally redis_tally_t;
typedef struct store_redis store_redis_t;

typedef struct redis_task {
    store_redis_t *store;
    store_op_t *op; /* borrowed; NULL: it was told, and this is what is left */
    store_verb_t verb;
    list_t linked; /* in the store's tasks or remains */
    list_t turn;   /* among those who rest, or wait for another task */
    list_t followers;
    struct redis_task *next; /* in its bucket, while it is at work on an id */
    bool is_at_work;

    record_t *record; /* owned reference; SAVE, REMOVE */
    conn_id_t id;
    char id_text[CONN_ID_TEXT];
    int64_t expires_ms, net_ms;
    wire_bytes_t key, cursor, value, expected; /* in `bytes` */
    uint32_t limit;

    int64_t deadline_ms, wake_ms; /* monotonic */
    unsigned step, tries;
    size_t pending; /* requests that are out */
    int rc;         /* of this step's worst, with its advice */
    redis_advice_t advice;
    int last_rc; /* of the last step that was to be done again */
    bool was_there;
    bool vouches; /* for its owner */
    bool is_cut;  /* it was not told in time: no more steps */

    redis_request_t requests[REDIS_TASK_REQUESTS];
    size_t request_count;
    redis_page_t *page;   /* owned; LIST_… at work */
    redis_tally_t *tally; /* owned; COUNT at work */
    uint8_t bytes[];
} redis_task_t;

struct store_redis {
    store_t store; /* first: a store_t is its kind */
    const store_options_t *options;
    struct ev_loop *loop;
    redis_url_t url;
    char name[256]; /* of the URL, for the log */
    SSL_CTX *tls;   /* owned; NULL: none */
    ev_timer tick;
    list_t tasks;   /* owned; whose op waits, oldest first */
    list_t remains; /* owned; whose op was told */
    size_t task_count;
    list_t resting;     /* until their wake_ms */
    list_t heavy;       /* tasks that wait because enough of their kind work */
    size_t heavy_count; /* at work */
    redis_task_t **buckets; /* owned; those at work, by id */
    size_t mask;
    redis_owner_t owners[REDIS_OWNERS_KNOWN];
    char hashes[SCRIPTS][REDIS_SHA_TEXT];
    buf_t scratch; /* a row */
    bool is_destroyed;
    redis_pool_t pool;
};

/* --- redis.c ------------------------------------------------------------- */

/* Send one more request of this step. */
void redis_task_say(redis_task_t *self, redis_request_t *request,
                    redis_word_t what, uint32_t at);

/* Tell the caller; the task goes on as long as it has steps. */
void redis_task_tell(redis_task_t *self, int rc, const store_result_t *result);

/* --- redis_page.c, redis_count.c ----------------------------------------- */

/*
 * Begin step self->step of a list (a count).  The first call of all makes what
 * it needs.  Returns 0, or -errno to tell.
 */
int redis_page_step(redis_task_t *self);
int redis_count_step(redis_task_t *self);

/* A reply to one of its requests. */
void redis_page_take(redis_task_t *self, const redis_request_t *request,
                     const redisReply *reply);
void redis_count_take(redis_task_t *self, const redis_request_t *request,
                      const redisReply *reply);

/* All requests of the step are back: tell, maybe, and prepare the next one.
 * Returns whether there is one. */
bool redis_page_over(redis_task_t *self);
bool redis_count_over(redis_task_t *self);

/* Take back what has not been sent. */
void redis_page_cancel(redis_task_t *self);
void redis_count_cancel(redis_task_t *self);

void redis_page_free(redis_task_t *self);
void redis_count_free(redis_task_t *self);

/* Is it a cursor of such a list? */
bool redis_page_is_cursor(store_verb_t verb, wire_bytes_t cursor);

/* What a request is about, for redis_words.c. */
const char *redis_page_id(const redis_task_t *self, uint32_t at);
const char *redis_page_reaped(const redis_task_t *self, uint32_t at);
size_t redis_page_run(const redis_task_t *self, uint32_t at);
size_t redis_page_stale(const redis_task_t *self);
wire_bytes_t redis_page_head(const redis_task_t *self, uint32_t at);
/* HSCAN's cursor, for this server. */
wire_bytes_t redis_page_from(const redis_task_t *self, uint32_t server);
const char *redis_count_owner(const redis_task_t *self, uint32_t at);
const char *redis_count_score(const redis_task_t *self, uint32_t at);

/* --- redis_words.c ------------------------------------------------------- */

void redis_words_init(store_redis_t *self);
redis_key_t redis_words_key(const redis_task_t *task, redis_word_t what,
                            uint32_t at);
void redis_words_put(void *user, const redis_request_t *request,
                     redis_command_t *command);

#endif
