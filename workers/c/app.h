/* SPDX-License-Identifier: MIT
 *
 * An app: what a program has registered and set.  Filled by the program's
 * thread; while it runs, its threads only read it.  What comes to them from
 * others comes through descriptors, in their inlets.
 */
#ifndef WORKERS_C_APP_H
#define WORKERS_C_APP_H

#include "base/curve.h"
#include "base/log.h"
#include "proto/message.h"
#include "workers/c/brake.h"
#include "workers/c/health.h"
#include "workers/c/inlet.h"
#include "workers/c/refusal.h"
#include "workers/c/registry.h"
#include "workers/c/routes.h"
#include "workers/c/timers.h"

#include <errno.h>
#include <stdatomic.h>

#define BROKERS_MAX   16
#define THREADS_MAX   64
#define PROCESSES_MAX 64
#define WINDOW_MAX    1000000
#define LIVENESS_MAX  120000   /* ms; PROTOCOL.md section 4 */
#define DRAIN_MAX     3600000  /* ms */
#define METRICS_MAX   255      /* bytes */
#define RESOLVE_MAX   86400000 /* ms */

/* Another stop so soon is the same one: a terminal and a supervisor may both
 * signal. */
#define PATIENCE_MS 1000

typedef struct {
    char *brokers;                /* owned: endpoints, with commas between */
    curve_peer_t curve;           /* its keys; "": none */
    int64_t resolve_ms;           /* between look-ups of names; 0: one */
    char name[PEER_NAME_MAX + 1]; /* "": the program's */
    unsigned threads;             /* 0: one for each core */
    unsigned processes;           /* that are supervised; 0: this one alone */
    uint64_t window;              /* requests, of all brokers together */
    uint64_t window_bytes;        /* their encoded size */
    int64_t liveness_ms;          /* 0: the broker's own */
    int64_t drain_ms;             /* a stop takes no longer */
    log_level_t log_level;        /* of the process, as the format */
    log_format_t log_format;
    char
        metrics[METRICS_MAX + 1]; /* [ADDRESS:]PORT of the listener; "": none */
    bool signals;                 /* SIGTERM and SIGINT stop it */
} settings_t;

_Static_assert(THREADS_MAX <= HEALTH_THREADS, "each has a pulse");

/* What the init of a middleware has made. */
typedef struct made {
    struct made *before; /* owned: made before it, or NULL */
    void *state;         /* owned */
    void (*fini)(void *state);
} made_t;

/* What a middleware can tell only when all is registered. */
typedef struct start_check start_check_t;

struct start_check {
    start_check_t *next; /* borrowed: of another middleware, or NULL */
    int (*run)(hoist_app *app, const void *state); /* as an init fails */
    const void *state;                             /* borrowed */
};

struct hoist_app {
    routes_t routes;
    chain_t around;  /* middleware of all routes */
    made_t *made;    /* owned: the last, or NULL */
    timers_t timers; /* of the first thread */
    inlet_t inlets[THREADS_MAX];
    _Atomic uint64_t tickets; /* that there ever were (later.h) */
    atomic_uint inlet_count;  /* of threads that ever ran; the first is there */
    registry_t registry;
    health_t health;
    settings_t settings;
    unsigned process;         /* of its settings': 1, 2, …; 0: not forked */
    hoist_gone_handler *gone; /* borrowed, or NULL */
    hoist_reload_handler *reload; /* the same */
    hoist_start_handler *start;   /* the same */
    hoist_stop_handler *stop;     /* the same */
    bool has_begun;               /* and has not ended; its first thread's */
    void *data;                   /* borrowed: the program's */
    const char *used_on;          /* borrowed: the route whose middleware is
                                      being made, or NULL */
    start_check_t *checks;        /* borrowed: parts of states in its chains */
    brake_t failures;             /* of failures that no layer has told of */
    refusal_t refusal;            /* of a registration, or none */
    atomic_bool running;          /* nothing may be registered or set */
};

/* What code of the program has returned.  Nothing of it may be positive: that
 * is mostly an errno without its minus, and taken for success it would let in
 * whom a guard has refused. */
static inline int program_result(int rc)
{
    return rc > 0 ? -ERANGE : rc;
}

/* For this call of the program: 0 with *entry set; -EBUSY while the app runs,
 * -ENOENT, which is kept. */
int app_find_route(hoist_app *app, const char *call, const char *route,
                   route_t **entry);

/* Free what inits have made, the last first (use.c). */
void app_free_made(hoist_app *app);

/*
 * Have this run when the app is to run.  For an init that does not fail any
 * more (use.c).
 *
 * check  part of the state that is made; run and state are set.
 */
void app_check_at_start(hoist_app *app, start_check_t *check);

/* Returns 0, or what the first that fails returned, with its words in
 * app->refusal.reason. */
int app_run_checks(hoist_app *app);

/* The program's own beginning.  Returns 0 or why it fails. */
int app_begin(hoist_app *app);

/* The program's own end, where it has begun and did not end yet.  The first
 * thread's, when no other runs.  Returns 0 or why it fails. */
int app_end(hoist_app *app);

/* Run what was posted to its threads, none of which runs, with contexts that
 * reach no broker. */
void app_run_posts(hoist_app *app);

/* --- settings.c -------------------------------------------------------- */

/* How many threads there are to be. */
unsigned settings_threads(const settings_t *self);

/*
 * Listen for who asks for metrics so many ports further on, unless the system
 * chooses the port: each process has its own.
 * Returns 0; -ERANGE when there is no such port.
 */
int settings_shift_metrics(settings_t *self, unsigned by);

/* Lines of the log are from now on as they say. */
void settings_set_log(const settings_t *self);

/* What is wrong between settings that are right alone, for people; NULL:
 * nothing. */
const char *settings_fault(const settings_t *self);

void settings_init(settings_t *self);
void settings_fini(settings_t *self);

#endif
