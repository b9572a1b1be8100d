/* SPDX-License-Identifier: MIT
 *
 * Any bytes of a client to the WebSocket reader: what is read does not depend
 * on how the bytes were split on their way, and no message is over its limit.
 */
#include "base/utf8.h"
#include "base/xalloc.h"
#include "gateway/ws.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_LIMIT   300
#define MESSAGE_LIMIT 500
#define LOG_MAX       (4u << 20)

static void put(buf_t *log, const void *bytes, size_t len)
{
    must(buf_put(log, bytes, len) == 0);
}

static void put_event(buf_t *log, int got, const ws_event_t *event)
{
    put(log, &got, sizeof got);
    if (got < 0) {
        put(log, &event->code, sizeof event->code);
        return;
    }
    put(log, &event->type, sizeof event->type);
    put(log, &event->len, sizeof event->len);
    if (event->len > 0) {
        put(log, event->data, event->len);
    }
    if (event->type == WS_CLOSE) {
        put(log, &event->code, sizeof event->code);
    }
}

static void check_event(const ws_event_t *event)
{
    utf8_t utf8 = {0};

    must(event->len <= MESSAGE_LIMIT);
    must(event->type <= WS_BINARY || event->len <= WS_CONTROL_MAX);
    must(event->type != WS_CONTINUATION || event->len == 0);
    if (event->type == WS_TEXT || event->type == WS_CLOSE) {
        must(utf8_check(&utf8, event->data, event->len));
        must(utf8_is_whole(&utf8));
    }
}

/* Read one piece to its end.  false: the client broke a rule. */
static bool read_piece(ws_reader_t *reader, const uint8_t *bytes, size_t len,
                       buf_t *log)
{
    uint8_t *copy = malloc(len == 0 ? 1 : len), *at = copy;
    ws_event_t event;
    size_t left = len;
    int got = 0;

    must(copy != NULL);
    if (len > 0) {
        memcpy(copy, bytes, len);
    }
    while ((got = ws_read(reader, &at, &left, &event)) == 1) {
        must(left <= len && at == copy + (len - left));
        check_event(&event);
        put_event(log, got, &event);
    }
    must(got == 0 || got == -EPROTO);
    must(got < 0 || left == 0);
    if (got < 0) {
        put_event(log, got, &event);
    }
    free(copy);
    return got == 0;
}

/* In pieces of 1 to `most` bytes, whose sizes follow from the seed. */
static void read_split(const uint8_t *data, size_t size, size_t most,
                       uint32_t seed, buf_t *log)
{
    ws_reader_t reader;

    ws_reader_init(&reader, FRAME_LIMIT, MESSAGE_LIMIT);
    for (size_t at = 0; at < size;) {
        seed = seed * 1664525u + 1013904223u;
        size_t len = 1 + (seed >> 16) % most;
        len = len < size - at ? len : size - at;
        if (!read_piece(&reader, data + at, len, log)) {
            break;
        }
        ws_reader_trim(&reader);
        at += len;
    }
    ws_reader_fini(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t sizes[] = {1, 2, 3, 7, 40};
    ws_reader_t reader;
    buf_t whole, split;

    buf_init(&whole, LOG_MAX);
    buf_init(&split, LOG_MAX);
    ws_reader_init(&reader, FRAME_LIMIT, MESSAGE_LIMIT);
    (void)read_piece(&reader, data, size, &whole);
    ws_reader_fini(&reader);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        split.len = 0;
        read_split(data, size, sizes[i], (uint32_t)size, &split);
        must(split.len == whole.len);
        must(whole.len == 0 || memcmp(split.data, whole.data, whole.len) == 0);
    }
    buf_fini(&whole);
    buf_fini(&split);
    return 0;
}
