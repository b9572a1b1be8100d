/* SPDX-License-Identifier: MIT */
#include "manage/api_reply.h"

#include "proto/http.h"
#include "proto/json_out.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define HEADERS_MAX 1024
#define BODY_MAX    131072 /* of names full of what JSON takes six bytes for */
#define DETAIL_MAX  128    /* bytes of what was wrong that are shown */
#define TIME_TEXT   32

void api_reply_init(api_reply_t *self)
{
    self->status = 0;
    buf_init(&self->headers, HEADERS_MAX);
    buf_init(&self->body, BODY_MAX);
}

void api_reply_fini(api_reply_t *self)
{
    buf_fini(&self->headers);
    buf_fini(&self->body);
}

static void begin(api_reply_t *self, unsigned status, const char *request)
{
    self->status = status;
    self->headers.len = 0;
    self->body.len = 0;
    (void)http_put_text_header(&self->headers, "x-amzn-RequestId", request);
}

static void say_json(api_reply_t *self, const json_out_t *json)
{
    if (json->rc < 0) {
        self->body.len = 0;
    }
    (void)http_put_text_header(&self->headers, "Content-Type",
                               "application/json");
}

void api_reply_status(api_reply_t *self, unsigned status, const char *request)
{
    begin(self, status, request);
}

void api_reply_fault(api_reply_t *self, const fault_t *fault,
                     wire_bytes_t detail, const char *request)
{
    char text[256];
    json_out_t json = json_out(&self->body);
    size_t len = detail.len < DETAIL_MAX ? detail.len : DETAIL_MAX;
    const char *place = strstr(fault->message, "%s");
    size_t before = place == NULL ? strlen(fault->message)
                                  : (size_t)(place - fault->message);

    begin(self, fault->status, request);
    memcpy(text, fault->message, before);
    if (place != NULL && len > 0) {
        memcpy(text + before, detail.data, len);
        before += len;
    }
    (void)http_put_text_header(&self->headers, "x-amzn-ErrorType", fault->type);
    json_put_open(&json, '{');
    json_put_field(&json, "message",
                   (wire_bytes_t){(const uint8_t *)text, before});
    json_put_close(&json, '}');
    say_json(self, &json);
}

void api_reply_counts(api_reply_t *self, const message_pushed_t *pushed,
                      const char *request)
{
    json_out_t json = json_out(&self->body);

    begin(self, 200, request);
    json_put_open(&json, '{');
    json_put_field_uint(&json, "delivered", pushed->delivered);
    json_put_field_uint(&json, "gone", pushed->gone);
    json_put_field_uint(&json, "refused", pushed->refused);
    json_put_close(&json, '}');
    say_json(self, &json);
}

/* ISO 8601, as SDKs read it. */
static void put_time(json_out_t *json, const char *key, uint64_t unix_ms)
{
    char text[TIME_TEXT] = "", day[TIME_TEXT];
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm parts;

    if (gmtime_r(&seconds, &parts) != NULL &&
        strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &parts) > 0) {
        snprintf(text, sizeof text, "%.20s.%03uZ", day,
                 (unsigned)(unix_ms % 1000));
    }
    json_put_field(json, key, wire_bytes(text));
}

/* Both are there, if only as "": SDKs want them. */
static void put_text(json_out_t *json, const char *key, wire_bytes_t text)
{
    json_put_field(json, key, text.len == 0 ? wire_bytes("") : text);
}

/* Where its gateway tells of them: one of an older release does not. */
static void put_groups(json_out_t *json, wire_bytes_t context)
{
    wire_cursor_t in;
    wire_bytes_t name;
    uint32_t count;

    if (!wire_map_find(context, "groups", &in) ||
        wire_get_array(&in, &count) < 0) {
        return;
    }
    json_put_key(json, "groups");
    json_put_open(json, '[');
    for (; count > 0 && wire_get_str(&in, &name) == 0; count--) {
        json_put_text(json, name);
    }
    json_put_close(json, ']');
}

void api_reply_connection(api_reply_t *self, wire_bytes_t context,
                          const char *request)
{
    json_out_t json = json_out(&self->body);
    uint64_t connected_ms = wire_map_uint(context, "connected_at", 0);
    uint64_t active_ms = wire_map_uint(context, "last_active_at", connected_ms);

    begin(self, 200, request);
    json_put_open(&json, '{');
    put_time(&json, "connectedAt", connected_ms);
    json_put_key(&json, "identity");
    json_put_open(&json, '{');
    put_text(&json, "sourceIp", wire_map_str(context, "ip"));
    put_text(&json, "userAgent", wire_map_str(context, "user_agent"));
    json_put_close(&json, '}');
    /* Its socket is older than its connection. */
    put_time(&json, "lastActiveAt",
             active_ms > connected_ms ? active_ms : connected_ms);
    /* API Gateway knows none of these. */
    json_put_field_if(&json, "user", wire_map_str(context, "user"));
    json_put_field_if(&json, "tenant", wire_map_str(context, "tenant"));
    put_groups(&json, context);
    json_put_close(&json, '}');
    say_json(self, &json);
}
