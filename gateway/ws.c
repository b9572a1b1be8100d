/* SPDX-License-Identifier: MIT */
#include "gateway/ws.h"

#include "base/utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <endian.h>

#define FIN          0x80
#define RESERVED     0x70
#define OPCODE       0x0f
#define MASKED       0x80
#define LENGTH       0x7f
#define LENGTH_16    126
#define LENGTH_64    127
#define REASON_BYTES 123  /* of a close frame, beside the code */
#define KEEP_BYTES   4096 /* of the gathering buffer between messages */
#define HIGH_BITS    UINT64_C(0x8080808080808080)

enum { PROTOCOL = 1002, NOT_UTF8 = 1007, TOO_BIG = 1009, INTERNAL = 1011 };

/* A frame's head, decoded. */
typedef struct {
    bool is_final;
    uint8_t opcode;
    uint8_t size; /* bytes of the head itself */
    uint8_t mask[4];
    uint64_t length; /* bytes of payload */
} head_t;

/* A message or control frame that does not lie whole in one read. */
struct ws_gather {
    buf_t message;  /* payload so far, all fragments */
    uint8_t type;   /* WS_TEXT or WS_BINARY; 0 when none is unfinished */
    bool is_handed; /* its event is out: empty it at the next call */
    utf8_t utf8;    /* of a text */
    bool in_frame;  /* `head` is the frame being read */
    head_t head;
    uint64_t taken; /* bytes of its payload */
    uint8_t control[WS_CONTROL_MAX];
};

void ws_reader_init(ws_reader_t *self, int64_t max_frame, int64_t max_message)
{
    memset(self, 0, sizeof *self);
    bool is_bounded = max_frame > 0 && max_frame < WS_MESSAGE_CEILING;
    self->max_frame = is_bounded ? (uint32_t)max_frame : WS_MESSAGE_CEILING;
    is_bounded = max_message > 0 && max_message < WS_MESSAGE_CEILING;
    self->max_message = is_bounded ? (uint32_t)max_message : WS_MESSAGE_CEILING;
}

void ws_reader_fini(ws_reader_t *self)
{
    if (self->gather != NULL) {
        buf_fini(&self->gather->message);
        free(self->gather);
        self->gather = NULL;
    }
}

static void forget_handed(ws_gather_t *gather)
{
    if (gather != NULL && gather->is_handed) {
        gather->is_handed = false;
        gather->type = 0;
        gather->utf8 = (utf8_t){0};
        buf_reset(&gather->message, KEEP_BYTES);
    }
}

void ws_reader_trim(ws_reader_t *self)
{
    ws_gather_t *gather = self->gather;

    forget_handed(gather);
    if (gather != NULL && gather->type == 0 && !gather->in_frame) {
        ws_reader_fini(self);
    }
}

/* --- the head ---------------------------------------------------------- */

static int fail(ws_event_t *event, uint16_t code, const char *reason)
{
    event->code = code;
    event->reason = reason;
    return -EPROTO;
}

/* Bytes of the head, known from its first two. */
static uint8_t head_size(const uint8_t *bytes)
{
    uint8_t length = bytes[1] & LENGTH;
    return (uint8_t)(6 + (length == LENGTH_16   ? 2
                          : length == LENGTH_64 ? 8
                                                : 0));
}

static uint64_t big_endian(const uint8_t *at, int width)
{
    uint64_t value = 0;

    for (int i = 0; i < width; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

/* What the first two bytes can break already. */
static int check_start(const uint8_t *bytes, ws_event_t *event)
{
    uint8_t opcode = bytes[0] & OPCODE;
    bool is_control = opcode >= WS_CLOSE;

    if ((bytes[0] & RESERVED) != 0) {
        return fail(event, PROTOCOL, "reserved bits are set");
    }
    if ((opcode > WS_BINARY && opcode < WS_CLOSE) || opcode > WS_PONG) {
        return fail(event, PROTOCOL, "unknown opcode");
    }
    if ((bytes[1] & MASKED) == 0) {
        return fail(event, PROTOCOL, "frame is not masked");
    }
    if (is_control && (bytes[0] & FIN) == 0) {
        return fail(event, PROTOCOL, "control frame is fragmented");
    }
    if (is_control && (bytes[1] & LENGTH) > WS_CONTROL_MAX) {
        return fail(event, PROTOCOL, "control frame is too long");
    }
    return 0;
}

static int decode_length(const uint8_t *bytes, uint64_t *length,
                         ws_event_t *event)
{
    uint8_t first = bytes[1] & LENGTH;

    *length = first;
    if (first == LENGTH_16) {
        *length = big_endian(bytes + 2, 2);
    } else if (first == LENGTH_64) {
        *length = big_endian(bytes + 2, 8);
    }
    bool is_shortest =
        first < LENGTH_16 ||
        (first == LENGTH_16 ? *length >= LENGTH_16 : *length > UINT16_MAX);
    if (!is_shortest || *length > INT64_MAX) {
        return fail(event, PROTOCOL, "length is not in its shortest form");
    }
    return 0;
}

static int check_sequence(const ws_reader_t *self, const head_t *head,
                          ws_event_t *event)
{
    const ws_gather_t *gather = self->gather;
    bool is_unfinished = gather != NULL && gather->type != 0;
    uint64_t before = is_unfinished ? gather->message.len : 0;

    if (head->opcode >= WS_CLOSE) {
        return 0;
    }
    if (is_unfinished != (head->opcode == WS_CONTINUATION)) {
        return fail(event, PROTOCOL,
                    is_unfinished ? "continuation expected"
                                  : "nothing to continue");
    }
    if (head->length > self->max_frame) {
        return fail(event, TOO_BIG, "frame is too long");
    }
    if (head->length > self->max_message - before) {
        return fail(event, TOO_BIG, "message is too long");
    }
    return 0;
}

static int decode_head(const ws_reader_t *self, const uint8_t *bytes,
                       head_t *head, ws_event_t *event)
{
    head->is_final = (bytes[0] & FIN) != 0;
    head->opcode = bytes[0] & OPCODE;
    head->size = head_size(bytes);
    memcpy(head->mask, bytes + head->size - 4, 4);
    int rc = decode_length(bytes, &head->length, event);
    return rc < 0 ? rc : check_sequence(self, head, event);
}

/* Bytes that the gathered head has, as far as it is known. */
static size_t known_size(const ws_reader_t *self)
{
    return self->head_len < 2 ? 2 : head_size(self->head);
}

/* Go on with a head that spans reads.  Returns as take_head. */
static int gather_head(ws_reader_t *self, uint8_t **at, size_t *left,
                       head_t *head, ws_event_t *event)
{
    while (*left > 0 && self->head_len < known_size(self)) {
        self->head[self->head_len++] = *(*at)++;
        (*left)--;
        if (self->head_len == 2) {
            int rc = check_start(self->head, event);
            if (rc < 0) {
                return rc;
            }
        }
    }
    if (self->head_len < known_size(self)) {
        return 0;
    }
    self->head_len = 0;
    int rc = decode_head(self, self->head, head, event);
    return rc < 0 ? rc : 1;
}

/*
 * Get a whole head.
 * Returns 1, 0 when bytes are missing (and all there were are taken), -EPROTO.
 */
static int take_head(ws_reader_t *self, uint8_t **at, size_t *left,
                     head_t *head, ws_event_t *event)
{
    const uint8_t *bytes = *at;

    if (self->head_len > 0 || *left < 2) {
        return gather_head(self, at, left, head, event);
    }
    int rc = check_start(bytes, event);
    if (rc < 0) {
        return rc;
    }
    size_t size = head_size(bytes);
    if (*left < size) {
        return gather_head(self, at, left, head, event);
    }
    *at += size;
    *left -= size;
    rc = decode_head(self, bytes, head, event);
    return rc < 0 ? rc : 1;
}

/* --- the payload ------------------------------------------------------- */

/* The mask twice, as it stands at payload offset `from`: its first byte is the
 * lowest. */
static uint64_t mask_at(const uint8_t mask[4], uint64_t from)
{
    unsigned turn = 8 * (from & 3);
    uint32_t once;

    memcpy(&once, mask, sizeof once);
    uint64_t twice = (uint64_t)le32toh(once) << 32 | le32toh(once);
    return twice >> turn | twice << (-turn & 63);
}

/*
 * XOR with the mask, starting at payload offset `from`; eight bytes a step.
 * Returns whether all of it is ASCII then: most text is, and is not looked at
 * again.
 */
static bool unmask(uint8_t *bytes, size_t len, const uint8_t mask[4],
                   uint64_t from)
{
    uint64_t wide = mask_at(mask, from), seen = 0, word;
    size_t at = 0;

    for (; len - at >= sizeof word; at += sizeof word) {
        memcpy(&word, bytes + at, sizeof word);
        word ^= htole64(wide);
        memcpy(bytes + at, &word, sizeof word);
        seen |= word;
    }
    for (; at < len; at++, wide >>= 8) {
        bytes[at] ^= (uint8_t)wide;
        seen |= bytes[at];
    }
    return (seen & HIGH_BITS) == 0;
}

/* Does the text go on with these bytes? */
static bool goes_on(utf8_t *utf8, const uint8_t *bytes, size_t len,
                    bool is_ascii)
{
    return (is_ascii && utf8_is_whole(utf8)) || utf8_check(utf8, bytes, len);
}

static bool is_close_code(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static int hand_close(uint8_t *payload, size_t len, ws_event_t *event)
{
    utf8_t utf8 = {0};

    if (len == 0) {
        event->code = WS_NO_STATUS;
        event->data = payload;
        event->len = 0;
        return 1;
    }
    if (len == 1) {
        return fail(event, PROTOCOL, "close frame of one byte");
    }
    unsigned code = (unsigned)(payload[0] << 8 | payload[1]);
    if (!is_close_code(code)) {
        return fail(event, PROTOCOL, "close code is not allowed");
    }
    if (!utf8_check(&utf8, payload + 2, len - 2) || !utf8_is_whole(&utf8)) {
        return fail(event, NOT_UTF8, "close reason is not UTF-8");
    }
    event->code = (uint16_t)code;
    event->data = payload + 2;
    event->len = len - 2;
    return 1;
}

static int hand_out(ws_opcode_t type, uint8_t *payload, size_t len,
                    ws_event_t *event)
{
    event->type = type;
    if (type == WS_CLOSE) {
        return hand_close(payload, len, event);
    }
    event->data = payload;
    event->len = len;
    return 1;
}

/* A frame that is a whole message (or control frame) and lies whole here. */
static int take_whole(const head_t *head, uint8_t **at, size_t *left,
                      ws_event_t *event)
{
    uint8_t *payload = *at;
    size_t len = (size_t)head->length;

    *at += len;
    *left -= len;
    bool is_ascii = unmask(payload, len, head->mask, 0);
    if (head->opcode == WS_TEXT && !is_ascii && !utf8_is_valid(payload, len)) {
        return fail(event, NOT_UTF8, "text is not UTF-8");
    }
    return hand_out((ws_opcode_t)head->opcode, payload, len, event);
}

static int finish_frame(ws_gather_t *gather, ws_event_t *event)
{
    const head_t *head = &gather->head;

    gather->in_frame = false;
    if (head->opcode >= WS_CLOSE) {
        return hand_out((ws_opcode_t)head->opcode, gather->control,
                        (size_t)head->length, event);
    }
    if (!head->is_final) {
        return hand_out(WS_CONTINUATION, NULL, 0, event);
    }
    if (gather->type == WS_TEXT && !utf8_is_whole(&gather->utf8)) {
        return fail(event, NOT_UTF8, "text is not UTF-8");
    }
    gather->is_handed = true;
    return hand_out((ws_opcode_t)gather->type, gather->message.data,
                    gather->message.len, event);
}

static int gather_payload(ws_gather_t *gather, const uint8_t *bytes, size_t len,
                          bool is_ascii, ws_event_t *event)
{
    if (gather->head.opcode >= WS_CLOSE) {
        memcpy(gather->control + gather->taken, bytes, len);
        return 0;
    }
    if (gather->type == WS_TEXT &&
        !goes_on(&gather->utf8, bytes, len, is_ascii)) {
        return fail(event, NOT_UTF8, "text is not UTF-8");
    }
    if (buf_put(&gather->message, bytes, len) < 0) {
        (void)fail(event, INTERNAL, "out of memory");
        return -ENOMEM;
    }
    return 0;
}

/* Take what is there of the frame being read; 1 when an event came of it. */
static int go_on(ws_gather_t *gather, uint8_t **at, size_t *left,
                 ws_event_t *event)
{
    uint64_t wanted = gather->head.length - gather->taken;
    size_t len = *left < wanted ? *left : (size_t)wanted;
    uint8_t *bytes = *at;

    *at += len;
    *left -= len;
    bool is_ascii = unmask(bytes, len, gather->head.mask, gather->taken);
    int rc = gather_payload(gather, bytes, len, is_ascii, event);
    if (rc < 0) {
        return rc;
    }
    gather->taken += len;
    return gather->taken == gather->head.length ? finish_frame(gather, event)
                                                : 0;
}

static int start_gathering(ws_reader_t *self, const head_t *head,
                           ws_event_t *event)
{
    if (self->gather == NULL) {
        self->gather = calloc(1, sizeof *self->gather);
        if (self->gather == NULL) {
            (void)fail(event, INTERNAL, "out of memory");
            return -ENOMEM;
        }
        buf_init(&self->gather->message, self->max_message);
    }
    ws_gather_t *gather = self->gather;
    if (head->opcode == WS_TEXT || head->opcode == WS_BINARY) {
        gather->type = head->opcode;
    }
    gather->head = *head;
    gather->taken = 0;
    gather->in_frame = true;
    return 0;
}

/* May the frame be handed out from where it lies? */
static bool is_whole(const head_t *head, size_t left)
{
    return head->length <= left && head->is_final &&
           head->opcode != WS_CONTINUATION;
}

int ws_read(ws_reader_t *self, uint8_t **at, size_t *left, ws_event_t *event)
{
    head_t head;
    int rc = 0;

    forget_handed(self->gather);
    while (rc == 0 && *left > 0) {
        if (self->gather == NULL || !self->gather->in_frame) {
            rc = take_head(self, at, left, &head, event);
            if (rc <= 0) {
                return rc;
            }
            if (is_whole(&head, *left)) {
                return take_whole(&head, at, left, event);
            }
            rc = start_gathering(self, &head, event);
            if (rc < 0) {
                return rc;
            }
        }
        rc = go_on(self->gather, at, left, event);
    }
    return rc;
}

/* --- writing ----------------------------------------------------------- */

size_t ws_head_len(size_t payload)
{
    return payload < LENGTH_16 ? 2 : payload <= UINT16_MAX ? 4 : 10;
}

static void put_big_endian(uint8_t *at, uint64_t value, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        at[i] = (uint8_t)value;
        value >>= 8;
    }
}

/* The caller reserved the room. */
static void put_head(buf_t *out, ws_opcode_t opcode, size_t payload)
{
    uint8_t *at = out->data + out->len;
    size_t size = ws_head_len(payload);

    at[0] = (uint8_t)(FIN | opcode);
    if (size == 2) {
        at[1] = (uint8_t)payload;
    } else if (size == 4) {
        at[1] = LENGTH_16;
        put_big_endian(at + 2, payload, 2);
    } else {
        at[1] = LENGTH_64;
        put_big_endian(at + 2, payload, 8);
    }
    out->len += size;
}

int ws_put_frame(buf_t *out, ws_opcode_t opcode, const uint8_t *payload,
                 size_t len)
{
    int rc = buf_reserve(out, ws_head_len(len) + len);
    if (rc < 0) {
        return rc;
    }
    put_head(out, opcode, len);
    return buf_put(out, payload, len);
}

int ws_put_close(buf_t *out, uint16_t code, const uint8_t *reason, size_t len)
{
    uint8_t payload[2 + REASON_BYTES];

    if (code == WS_NO_STATUS) {
        return ws_put_frame(out, WS_CLOSE, NULL, 0);
    }
    len = utf8_cut(reason, len, REASON_BYTES);
    put_big_endian(payload, code, 2);
    if (len > 0) {
        memcpy(payload + 2, reason, len);
    }
    return ws_put_frame(out, WS_CLOSE, payload, 2 + len);
}
