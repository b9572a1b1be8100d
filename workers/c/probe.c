/* SPDX-License-Identifier: MIT */
#include "workers/c/probe.h"

#include "base/process.h"
#include "proto/http.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static int put_text(buf_t *body, const char *text)
{
    return buf_put(body, text, strlen(text));
}

/* --- each appends a body, and returns a status or a negative errno -------- */

/* A loop whose handler blocks for longer is lost to its brokers, too. */
static int put_health(hoist_app *app, int64_t now_ms, buf_t *body)
{
    int64_t turned_ms = health_turned_ms(&app->health);
    int64_t most_ms = app->settings.liveness_ms > PROBE_STILL_MS
                          ? app->settings.liveness_ms
                          : PROBE_STILL_MS;
    bool is_still = now_ms - turned_ms > most_ms;
    int rc = put_text(body, is_still ? "the loop stands still\n" : "ok\n");

    return rc < 0 ? rc : is_still ? 503 : 200;
}

static int put_ready(hoist_app *app, int64_t now_ms, buf_t *body)
{
    int64_t brokers, up;
    char text[96];
    (void)now_ms;

    health_brokers(&app->health, &brokers, &up);
    if (health_is_draining(&app->health)) {
        int rc = put_text(body, "drains\n");
        return rc < 0 ? rc : 503;
    }
    if (up == 0) {
        int rc = put_text(body, "no broker is up\n");
        return rc < 0 ? rc : 503;
    }
    if (up < brokers) {
        snprintf(text, sizeof text,
                 "degraded: %" PRId64 " of %" PRId64 " brokers are up\nready\n",
                 up, brokers);
    } else {
        snprintf(text, sizeof text, "ready\n");
    }
    int rc = put_text(body, text);
    return rc < 0 ? rc : 200;
}

static int put_metrics(hoist_app *app, int64_t now_ms, buf_t *body)
{
    int rc = registry_put(&app->registry, body);
    (void)now_ms;

    if (rc == 0) {
        rc = process_metrics(body);
    }
    return rc < 0 ? rc : 200;
}

/* --- requests ------------------------------------------------------------ */

#define TEXT "text/plain; charset=utf-8"

static const struct {
    const char *path, *type;
    int (*put)(hoist_app *app, int64_t now_ms, buf_t *body);
} routes[] = {
    {"/healthz", TEXT, put_health},
    {"/readyz", TEXT, put_ready},
    {"/metrics", "text/plain; version=0.0.4; charset=utf-8", put_metrics},
};

#define ROUTES (sizeof routes / sizeof *routes)

static int put_response(buf_t *out, unsigned status, const char *type,
                        const buf_t *body, bool with_body)
{
    int rc = http_put_status(out, status);

    if (rc < 0 || (rc = http_put_text_header(out, "Content-Type", type)) < 0 ||
        (rc = http_put_text_header(out, "Cache-Control", "no-store")) < 0 ||
        (rc = http_put_text_header(out, "X-Content-Type-Options", "nosniff")) <
            0 ||
        (status == 405 &&
         (rc = http_put_text_header(out, "Allow", "GET, HEAD")) < 0) ||
        (rc = http_put_text_header(out, "Connection", "close")) < 0) {
        return rc;
    }
    return http_put_body(out, body->data, body->len, with_body);
}

/* A status or a negative errno. */
static int refuse(unsigned status, buf_t *body)
{
    int rc = put_text(body, http_reason(status));

    if (rc == 0) {
        rc = put_text(body, "\n");
    }
    return rc < 0 ? rc : (int)status;
}

static int put_body(hoist_app *app, const http_request_t *request,
                    int64_t now_ms, buf_t *body, const char **type)
{
    bool is_read =
        wire_is(request->method, "GET") || wire_is(request->method, "HEAD");

    for (size_t i = 0; i < ROUTES; i++) {
        if (!wire_is(request->path, routes[i].path)) {
            continue;
        }
        if (!is_read) {
            return refuse(405, body);
        }
        *type = routes[i].type;
        return routes[i].put(app, now_ms, body);
    }
    return refuse(404, body);
}

int probe_answer(hoist_app *app, wire_bytes_t bytes, int64_t now_ms, buf_t *out)
{
    http_request_t request;
    const char *type = TEXT;
    buf_t body;

    int rc = http_parse(bytes.data, bytes.len, PROBE_HEAD_MAX, &request);
    if (rc == -EAGAIN) {
        return rc;
    }
    bool is_whole = rc == 0;
    buf_init(&body, PROBE_OUT_MAX);
    rc = is_whole ? put_body(app, &request, now_ms, &body, &type)
                  : refuse(rc == -EMSGSIZE ? 431 : 400, &body);
    if (rc > 0) {
        bool is_head = is_whole && wire_is(request.method, "HEAD");
        rc = put_response(out, (unsigned)rc, type, &body, !is_head);
    }
    buf_fini(&body);
    return rc;
}
