/* SPDX-License-Identifier: MIT
 *
 * The server's side of RFC 6455 framing.  Pure: bytes in, events out; frames
 * into a buf_t.
 *
 * The reader unmasks in place and hands out messages where they lie; only
 * what spans reads or fragments is gathered in memory of its own, which is
 * bounded by max_message and given back by ws_reader_trim.
 */
#ifndef GATEWAY_WS_H
#define GATEWAY_WS_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    WS_CONTINUATION = 0,
    WS_TEXT = 1,
    WS_BINARY = 2,
    WS_CLOSE = 8,
    WS_PING = 9,
    WS_PONG = 10,
} ws_opcode_t;

#define WS_HEAD_MAX        14       /* bytes: 2 + length 8 + mask 4 */
#define WS_CONTROL_MAX     125      /* bytes of payload, section 5.5 */
#define WS_MESSAGE_CEILING 50331648 /* 48 MiB, whatever the limits say */
#define WS_NO_STATUS       1005     /* a close frame without a code */

typedef struct ws_gather ws_gather_t;

typedef struct {
    uint32_t max_frame;        /* bytes of payload */
    uint32_t max_message;      /* bytes of payload, all fragments together */
    ws_gather_t *gather;       /* owned; NULL while nothing spans reads */
    uint8_t head[WS_HEAD_MAX]; /* of a frame that is not whole yet */
    uint8_t head_len;
} ws_reader_t;

typedef struct {
    ws_opcode_t type;   /* WS_TEXT, WS_BINARY, WS_CLOSE, WS_PING, WS_PONG;
                           WS_CONTINUATION: a fragment that others follow,
                           which says nothing but that it was a frame */
    uint8_t *data;      /* payload, unmasked; of a WS_CLOSE the reason.  Lent:
                           it lives until the next call and as long as the
                           bytes read */
    size_t len;         /* bytes */
    uint16_t code;      /* WS_CLOSE: the code or WS_NO_STATUS; on error: the
                           code to close with */
    const char *reason; /* on error: a static text */
} ws_event_t;

/* Limits in bytes; 0 or more than WS_MESSAGE_CEILING: the ceiling. */
void ws_reader_init(ws_reader_t *self, int64_t max_frame, int64_t max_message);
void ws_reader_fini(ws_reader_t *self);

/* Give memory back that no unfinished message needs. */
void ws_reader_trim(ws_reader_t *self);

/*
 * Read the next event, which is one of each frame, from *left bytes at *at and
 * move both behind it.  The bytes are changed.  What remains may be given
 * later, at another place.
 *
 * Returns 1 with *event; 0 when all bytes are taken and no event is complete;
 * -EPROTO when the client broke the protocol or a limit (event->code and
 * reason say how to close; read no further); -ENOMEM likewise (1011).
 */
int ws_read(ws_reader_t *self, uint8_t **at, size_t *left, ws_event_t *event);

/* Bytes of the head of an unmasked frame with this payload: 2, 4 or 10. */
size_t ws_head_len(size_t payload);

/*
 * Append a final, unmasked frame.
 * Returns 0, -ENOBUFS, -ENOMEM; then out is unchanged.
 */
int ws_put_frame(buf_t *out, ws_opcode_t opcode, const uint8_t *payload,
                 size_t len);

/*
 * Append a close frame; WS_NO_STATUS writes none.  A reason over 123 bytes is
 * cut between characters.  Returns as ws_put_frame.
 */
int ws_put_close(buf_t *out, uint16_t code, const uint8_t *reason, size_t len);

#endif
