/* SPDX-License-Identifier: MIT
 *
 * The servers behind one URL and the way to them: a server alone, the master
 * that sentinels name, or the masters of a cluster.  It connects, again and
 * again; it finds out who the servers are, by a link of its own, the scout;
 * it follows MOVED and ASK.  Requests are the caller's structs, sent in batches
 * by redis_pool_flush.  One thread, that of the loop.
 *
 * Nodes are freed by a timer of their own, never within a callback.
 */
#ifndef STORE_REDIS_POOL_H
#define STORE_REDIS_POOL_H

#include "base/list.h"
#include "store/redis_error.h"
#include "store/redis_keys.h"
#include "store/redis_link.h"
#include "store/redis_slots.h"
#include "store/stats.h"

#define REDIS_POOL_MANY 1024

typedef struct redis_node redis_node_t;
typedef struct redis_pool redis_pool_t;

typedef struct {
    list_t link;        /* the pool's, while it has it */
    redis_node_t *node; /* that has it; NULL: none yet */
    uint16_t slot;      /* of its key; any where redis_pool_is_single */
    uint8_t redirects;
    uint32_t server; /* where it is sent: no other connection has this number */
    bool is_held;    /* by the pool */
    bool is_sent;
    bool must_ask;    /* behind ASKING, next time */
    bool owes_asking; /* the reply to that comes first */
    bool wants_text;  /* of its script: the server does not know it by hash */
    uint8_t what;     /* the caller's, as the next two */
    uint32_t at;
    void *user;
} redis_request_t;

typedef struct {
    /* Put the request's command. */
    void (*put)(void *user, const redis_request_t *request,
                redis_command_t *command);

    /*
     * It is the caller's again.  rc 0: a reply, lent, that is no error.  Else
     * advice says whether to submit it again: later; briefly; or, for
     * REDIS_LEAVE_SERVER, now: its connection broke, and the command may have
     * been done or not.
     */
    void (*done)(void *user, redis_request_t *request, int rc,
                 redis_advice_t advice, const redisReply *reply);

    /* All servers are there, or not all any more, `why`. */
    void (*changed)(void *user, bool is_up, const char *why);

    /* A connection stands: what is behind it may be new. */
    void (*connected)(void *user);

    /* Something came in: requests may have been submitted since. */
    void (*turned)(void *user);
} redis_pool_ops_t;

typedef enum { POOL_UNKNOWN, POOL_SINGLE, POOL_CLUSTER } redis_pool_kind_t;

struct redis_pool {
    redis_manner_t manner;
    const redis_pool_ops_t *ops; /* borrowed */
    void *user;                  /* borrowed */
    redis_mode_t mode;
    redis_pool_kind_t kind;
    list_t nodes; /* owned */
    size_t node_count;
    redis_node_t *single;              /* of POOL_SINGLE */
    redis_node_t *owners[REDIS_SLOTS]; /* of POOL_CLUSTER */
    size_t host;    /* of the URL's: the one that a single node is tried at */
    list_t waiting; /* requests while there is no node for them */
    int64_t down_since_ms;
    int down_rc; /* why there is none; 0: not known yet */

    redis_link_t scout;
    size_t scouted; /* candidates so far */
    ev_timer scouting;
    unsigned scout_failures;

    ev_timer reaping;
    bool is_told, is_up; /* by `changed` */
    size_t gathered;     /* requests that came since the last flush */
    bool is_flushing;
};

/* The URL and all else of the manner must outlive the pool. */
void redis_pool_init(redis_pool_t *self, const redis_manner_t *manner,
                     const redis_pool_ops_t *ops, void *user);

/* Requests that it has are forgotten. */
void redis_pool_fini(redis_pool_t *self);

/* Does a request need no slot?  Once true, it can become false. */
static inline bool redis_pool_is_single(const redis_pool_t *self)
{
    return self->kind == POOL_SINGLE;
}

/*
 * How it stands with the server of this slot: 0, it answers or may soon; -errno
 * when it has been away for timeout_ms, or wants another password.
 */
int redis_pool_check(const redis_pool_t *self, uint16_t slot);

/* As redis_pool_check, but -errno as soon as it is away. */
int redis_pool_check_now(const redis_pool_t *self, uint16_t slot);

/* Take a request whose user, slot, what and at are set; it stays where it is
 * until `done`. */
void redis_pool_submit(redis_pool_t *self, redis_request_t *request);

/* Give it back without `done`.  false: it was sent, and `done` will come. */
bool redis_pool_cancel(redis_pool_t *self, redis_request_t *request);

void redis_pool_flush(redis_pool_t *self);

/* The same, if so many have gathered that the server should begin with them. */
static inline void redis_pool_flush_many(redis_pool_t *self)
{
    if (self->gathered >= REDIS_POOL_MANY) {
        redis_pool_flush(self);
    }
}

/* --- for the scout ------------------------------------------------------- */

/* It is this server alone. */
void redis_pool_become_single(redis_pool_t *self, const redis_host_t *host);

/* It is the cluster of these. */
void redis_pool_become_cluster(redis_pool_t *self, const redis_range_t *ranges,
                               size_t count);

/* Nobody knows who it is: -errno, and what this host said. */
void redis_pool_miss(redis_pool_t *self, const redis_host_t *host, int rc,
                     const char *why);

/* Say by `changed` how it stands, where that is news.  why NULL: nothing went
 * wrong, so that nobody is told before something does. */
void redis_pool_tell(redis_pool_t *self, const char *why);

/* All servers are there. */
bool redis_pool_is_ready(const redis_pool_t *self);

/* Of the at-th node, below node_count. */
const redis_host_t *redis_pool_host(const redis_pool_t *self, size_t at);

/* How long to wait after so many failures; random. */
int64_t redis_pool_backoff_ms(unsigned failures);

void redis_pool_start_timer(const redis_pool_t *self, ev_timer *timer,
                            int64_t delay_ms);

#endif
