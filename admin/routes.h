/* SPDX-License-Identifier: MIT
 *
 * What can be asked of the admin listener: a table of routes, each with the
 * question that every actor is asked for it and what becomes of the answers.
 * Pure but for the metrics of the process.
 */
#ifndef ADMIN_ROUTES_H
#define ADMIN_ROUTES_H

#include "admin/stats.h"
#include "proto/http.h"

#include <stdbool.h>

/* Of one actor. */
typedef struct {
    const char *source; /* its name */
    unsigned status;    /* 0: it did not answer in time */
    wire_bytes_t text;
} routes_answer_t;

/* What an answer is made of; all of it is lent. */
typedef struct {
    const routes_answer_t *answers;
    size_t count;
    bool is_stopping; /* a signal asked for the end of the process */
    const admin_stats_t *stats;
} routes_view_t;

typedef struct {
    const char *methods; /* comma separated, as for Allow */
    const char *path;
    const char *question; /* base/actor.h */
    const char *type;     /* of the body */

    /* Append the body; every actor has answered.  Returns the status. */
    unsigned (*render)(const routes_view_t *view, buf_t *body);

    bool is_prefix;   /* of paths, else the whole path */
    bool takes_query; /* the question has it behind it */
    bool is_guarded;  /* it tells of clients: not for a page in a browser */
} route_t;

#define ROUTES_TEXT "text/plain; charset=utf-8"

/*
 * The route of a request; its query is not looked at.
 * Returns 0 with *route; 404; 405 with the *route that has other methods.
 */
unsigned routes_find(const http_request_t *request, const route_t **route);

/* Append the body of a route's answer; returns the status.  Where an actor did
 * not answer that is 503 whatever the route. */
unsigned routes_render(const route_t *route, const routes_view_t *view,
                       buf_t *body);

#endif
