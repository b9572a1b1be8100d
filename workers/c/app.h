/* SPDX-License-Identifier: MIT
 *
 * An app: what a program has registered and set.  Filled by the program's
 * thread, that of the loop's while it runs.  What may come from other threads
 * comes through descriptors: `stop` and `posts`.
 */
#ifndef WORKERS_C_APP_H
#define WORKERS_C_APP_H

#include "base/curve.h"
#include "base/log.h"
#include "proto/message.h"
#include "workers/c/health.h"
#include "workers/c/posts.h"
#include "workers/c/registry.h"
#include "workers/c/routes.h"
#include "workers/c/timers.h"

#define BROKERS_MAX  16
#define WINDOW_MAX   1000000
#define LIVENESS_MAX 120000   /* ms; PROTOCOL.md section 4 */
#define DRAIN_MAX    3600000  /* ms */
#define METRICS_MAX  255      /* bytes */
#define RESOLVE_MAX  86400000 /* ms */

typedef struct {
    char *brokers;                /* owned: endpoints, with commas between */
    curve_peer_t curve;           /* its keys; "": none */
    int64_t resolve_ms;           /* between look-ups of names; 0: one */
    char name[PEER_NAME_MAX + 1]; /* "": the program's */
    uint64_t window;              /* requests, of all brokers together */
    uint64_t window_bytes;        /* their encoded size */
    int64_t liveness_ms;          /* 0: the broker's own */
    int64_t drain_ms;             /* a stop takes no longer */
    log_format_t log_format;      /* of the process */
    char
        metrics[METRICS_MAX + 1]; /* [ADDRESS:]PORT of the listener; "": none */
    bool signals;                 /* SIGTERM and SIGINT stop it */
} settings_t;

struct hoist_app {
    routes_t routes;
    chain_t around; /* middleware of all routes */
    timers_t timers;
    posts_t posts;
    registry_t registry;
    health_t health;
    settings_t settings;
    hoist_gone_handler *gone; /* borrowed, or NULL */
    void *data;               /* borrowed: the program's */
    int first_error;          /* of a registration, or 0 */
    bool running;             /* nothing may be registered or set */
    int stop_fd;              /* eventfd: readable when asked to stop */
};

/* Remember the first registration that failed; returns rc. */
int app_keep_error(hoist_app *app, int rc);

/* 0 with *entry set; -EBUSY while the app runs, -ENOENT. */
int app_find_route(hoist_app *app, const char *route, route_t **entry);

/* --- settings.c -------------------------------------------------------- */

void settings_init(settings_t *self);
void settings_fini(settings_t *self);

#endif
