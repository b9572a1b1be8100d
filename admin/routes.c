/* SPDX-License-Identifier: MIT */
#include "admin/routes.h"

#include "base/metrics.h"
#include "base/process.h"
#include "proto/json_out.h"

#include <string.h>

static int put_text(buf_t *body, const char *text)
{
    return buf_put(body, text, strlen(text));
}

/* --- /healthz ------------------------------------------------------------ */

/* That the actors answered is all there is to say. */
static unsigned render_health(const routes_view_t *view, buf_t *body)
{
    (void)view;

    return put_text(body, "ok\n") < 0 ? 500 : 200;
}

/* --- /readyz ------------------------------------------------------------- */

/* Each line with the name of who said it. */
static int put_lines(const routes_answer_t *answer, buf_t *body)
{
    wire_bytes_t rest = answer->text;
    int rc = 0;

    while (rc == 0 && rest.len > 0) {
        const uint8_t *lf = memchr(rest.data, '\n', rest.len);
        size_t len = lf == NULL ? rest.len : (size_t)(lf - rest.data) + 1;
        if ((rc = put_text(body, answer->source)) == 0 &&
            (rc = put_text(body, ": ")) == 0) {
            rc = buf_put(body, rest.data, len);
        }
        rest.data += len;
        rest.len -= len;
    }
    return rc;
}

static unsigned render_ready(const routes_view_t *view, buf_t *body)
{
    unsigned status = view->is_stopping ? 503 : 200;
    int rc = view->is_stopping ? put_text(body, "hoist: stops\n") : 0;

    for (size_t i = 0; rc == 0 && i < view->count; i++) {
        const routes_answer_t *answer = &view->answers[i];
        status = answer->status > status ? answer->status : status;
        rc = put_lines(answer, body);
    }
    if (rc == 0 && status == 200) {
        rc = put_text(body, "ready\n");
    }
    return rc < 0 ? 500 : status;
}

/* --- /metrics ------------------------------------------------------------ */

static int put_own(const admin_stats_t *stats, buf_t *body)
{
#define X(name, kind, unit, meaning) METRIC(stats, name, kind, unit, meaning)
    const metric_t own[] = {ADMIN_STATS(X)};
#undef X

    return metrics_put(body, "admin", own, sizeof own / sizeof *own);
}

static unsigned render_metrics(const routes_view_t *view, buf_t *body)
{
    for (size_t i = 0; i < view->count; i++) {
        wire_bytes_t text = view->answers[i].text;
        if (view->answers[i].status != 200 ||
            buf_put(body, text.data, text.len) < 0) {
            return 500;
        }
    }
    return put_own(view->stats, body) < 0 || process_metrics(body) < 0 ? 500
                                                                       : 200;
}

/* --- JSON ---------------------------------------------------------------- */

/* Who knows nothing of it has said 404; who finds fault says what it is. */
static unsigned status_of(const routes_view_t *view,
                          const routes_answer_t **worst)
{
    unsigned status = 404;

    *worst = NULL;
    for (size_t i = 0; i < view->count; i++) {
        const routes_answer_t *answer = &view->answers[i];
        if (answer->status != 404 &&
            (*worst == NULL || answer->status > status)) {
            *worst = answer;
            status = answer->status;
        }
    }
    return status;
}

/* What each has said, under its name. */
static unsigned render_json(const routes_view_t *view, buf_t *body)
{
    const routes_answer_t *worst;
    json_out_t out = json_out(body);
    unsigned status = status_of(view, &worst);

    if (status != 200) {
        wire_bytes_t text = worst == NULL
                                ? wire_bytes("nobody here knows that\n")
                                : worst->text;
        return buf_put(body, text.data, text.len) < 0 ? 500 : status;
    }
    json_put_open(&out, '{');
    json_put_field(&out, "version", wire_bytes(HOIST_VERSION));
    json_put_field_bool(&out, "stopping", view->is_stopping);
    for (size_t i = 0; i < view->count; i++) {
        const routes_answer_t *answer = &view->answers[i];
        if (answer->status == 200) {
            json_put_key(&out, answer->source);
            json_put_raw(&out, answer->text);
        }
    }
    json_put_close(&out, '}');
    return out.rc < 0 || buf_put(body, "\n", 1) < 0 ? 500 : 200;
}

/* --- the table ----------------------------------------------------------- */

#define JSON "application/json"

static const route_t table[] = {
    {"GET, HEAD", "/healthz", "HEALTH", ROUTES_TEXT, render_health, false,
     false, false},
    {"GET, HEAD", "/readyz", "READY", ROUTES_TEXT, render_ready, false, false,
     false},
    {"GET, HEAD", "/metrics", "METRICS",
     "text/plain; version=0.0.4; charset=utf-8", render_metrics, false, false,
     false},
    {"GET, HEAD", "/status", "STATUS", JSON, render_json, false, false, true},
    {"GET, HEAD", "/routes", "ROUTES", JSON, render_json, false, true, true},
    {"GET, HEAD", "/connections", "CONNECTIONS", JSON, render_json, false, true,
     true},
    {"GET, HEAD", "/groups", "GROUPS", JSON, render_json, false, true, true},
};

static bool is_path(const route_t *route, wire_bytes_t path)
{
    size_t len = strlen(route->path);

    return route->is_prefix
               ? path.len >= len && memcmp(path.data, route->path, len) == 0
               : wire_is(path, route->path);
}

static bool has_method(const route_t *route, wire_bytes_t method)
{
    wire_bytes_t methods = wire_bytes(route->methods), one;

    while (http_next_token(&methods, &one)) {
        if (wire_equal(one, method)) {
            return true;
        }
    }
    return false;
}

unsigned routes_find(const http_request_t *request, const route_t **route)
{
    unsigned status = 404;

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (!is_path(&table[i], request->path)) {
            continue;
        }
        *route = &table[i];
        if (has_method(&table[i], request->method)) {
            return 0;
        }
        status = 405;
    }
    return status;
}

/* Returns whether somebody is silent; names them in body. */
static bool put_silent(const routes_view_t *view, buf_t *body)
{
    bool is_any = false;

    for (size_t i = 0; i < view->count; i++) {
        if (view->answers[i].status == 0) {
            is_any = true;
            /* Without memory the status says it. */
            (void)!put_text(body, view->answers[i].source);
            (void)!put_text(body, ": does not answer\n");
        }
    }
    return is_any;
}

unsigned routes_render(const route_t *route, const routes_view_t *view,
                       buf_t *body)
{
    size_t start = body->len;

    if (put_silent(view, body)) {
        return 503;
    }
    unsigned status = route->render(view, body);
    if (status == 500) {
        body->len = start;
    }
    return status;
}
