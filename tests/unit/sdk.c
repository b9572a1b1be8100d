/* SPDX-License-Identifier: MIT */
#include "tests/unit/sdk.h"

#include "base/xalloc.h"

#include <stdio.h>

#include <sys/mman.h>
#include <unistd.h>

bool sdk_take(buf_t *buf, buf_t *frame, message_t *message)
{
    wire_cursor_t whole = wire_cursor((wire_bytes_t){buf->data, buf->len});

    if (message_decode(&whole, message) != 1) {
        return false;
    }
    frame->len = 0;
    must(buf_put(frame, buf->data, message->size) == 0);
    buf_drop(buf, message->size);
    wire_cursor_t own = wire_cursor((wire_bytes_t){frame->data, frame->len});
    return message_decode(&own, message) == 1;
}

const char *sdk_kinds(const buf_t *buf)
{
    static char kinds[1024];
    wire_cursor_t at = wire_cursor((wire_bytes_t){buf->data, buf->len});
    message_t message;
    size_t len = 0;

    kinds[0] = '\0';
    while (message_decode(&at, &message) == 1 && len < sizeof kinds - 16) {
        len += (size_t)snprintf(kinds + len, sizeof kinds - len, "%s%s",
                                len > 0 ? " " : "",
                                message_kind_name(message.kind));
    }
    return kinds;
}

message_request_t sdk_message(const char *route)
{
    return (message_request_t){
        .id = 7,
        .event = EVENT_MESSAGE,
        .conn = wire_bytes(CONN_A),
        .route = wire_bytes(route),
        .deadline_ms = 1000,
        .number = 70,
    };
}

message_request_t sdk_event(event_t event)
{
    message_request_t request =
        sdk_message(event == EVENT_CONNECT      ? "$connect"
                    : event == EVENT_DISCONNECT ? "$disconnect"
                                                : "$presence");

    request.event = event;
    return request;
}

static void put_number(buf_t *map, const char *key, uint64_t value)
{
    if (value > 0) {
        must(wire_put_text(map, key) == 0 && wire_put_uint(map, value) == 0);
    }
}

void sdk_put_welcome(buf_t *out, const sdk_welcome_t *what)
{
    const char *broker = what->broker != NULL ? what->broker : "broker-boot";
    uint32_t entries = (uint32_t)(what->peer != NULL) + (what->session > 0) +
                       (what->push_window > 0);
    buf_t options;

    buf_init(&options, 100);
    must(wire_put_map(&options, entries) == 0);
    put_number(&options, "session", what->session);
    put_number(&options, "push_window", what->push_window);
    if (what->peer != NULL) {
        must(wire_put_text(&options, "peer") == 0 &&
             wire_put_text(&options, what->peer) == 0);
    }
    message_welcome_t welcome = {.version = PROTOCOL_VERSION,
                                 .boot = wire_bytes(broker),
                                 .name = wire_bytes("broker"),
                                 .heartbeat_ms = HEARTBEAT,
                                 .liveness_ms = LIVENESS,
                                 .options = {options.data, options.len}};
    must(message_put_welcome(out, &welcome) == 0);
    buf_fini(&options);
}

void sdk_feed(link_t *link, buf_t *in, int64_t now_ms)
{
    link_feed(link, (wire_bytes_t){in->data, in->len}, now_ms);
    while (link_step(link, now_ms)) {
    }
    in->len = 0;
}

static int usual_stderr, caught_stderr;

void sdk_catch(void)
{
    usual_stderr = dup(STDERR_FILENO);
    caught_stderr = memfd_create("stderr", 0);
    must(dup2(caught_stderr, STDERR_FILENO) == STDERR_FILENO);
}

const char *sdk_caught(void)
{
    static char text[16384];
    ssize_t len = pread(caught_stderr, text, sizeof text - 1, 0);

    must(len >= 0 && dup2(usual_stderr, STDERR_FILENO) == STDERR_FILENO);
    close(caught_stderr);
    close(usual_stderr);
    text[len] = '\0';
    return text;
}
