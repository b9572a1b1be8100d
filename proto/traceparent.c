/* SPDX-License-Identifier: MIT
 *
 *   00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
 *   version, trace id, parent id, flags
 */
#include "proto/traceparent.h"

#include <errno.h>

#define TRACE_AT 3
#define SPAN_AT  36
#define FLAGS_AT 53
#define SAMPLED  0x01

static int digit(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1; /* upper case is none, by the rules */
}

static bool get_hex(const uint8_t *text, uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
    uint8_t all = 0;

    for (size_t i = 0; i < len; i++) {
        all |= bytes[i];
    }
    return all == 0;
}

/* A later version may have more behind a dash; 00 has not, and there is no
 * ff. */
static bool has_right_end(wire_bytes_t text, uint8_t version)
{
    return text.len == TRACEPARENT_TEXT ||
           (version != 0 && text.data[TRACEPARENT_TEXT] == '-');
}

int traceparent_parse(wire_bytes_t text, trace_place_t *place)
{
    uint8_t version, flags;

    if (text.len < TRACEPARENT_TEXT || text.data[TRACE_AT - 1] != '-' ||
        text.data[SPAN_AT - 1] != '-' || text.data[FLAGS_AT - 1] != '-' ||
        !get_hex(text.data, &version, 1) || version == 0xff ||
        !get_hex(text.data + TRACE_AT, place->trace, TRACE_ID_BYTES) ||
        !get_hex(text.data + SPAN_AT, place->span, SPAN_ID_BYTES) ||
        !get_hex(text.data + FLAGS_AT, &flags, 1) ||
        !has_right_end(text, version) ||
        is_zero(place->trace, TRACE_ID_BYTES) ||
        is_zero(place->span, SPAN_ID_BYTES)) {
        return -EINVAL;
    }
    place->is_sampled = (flags & SAMPLED) != 0;
    return 0;
}

void traceparent_put_hex(char *text, const uint8_t *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
}

void traceparent_format(const trace_place_t *place, char text[TRACEPARENT_TEXT])
{
    memcpy(text, "00-", TRACE_AT);
    traceparent_put_hex(text + TRACE_AT, place->trace, TRACE_ID_BYTES);
    text[SPAN_AT - 1] = '-';
    traceparent_put_hex(text + SPAN_AT, place->span, SPAN_ID_BYTES);
    text[FLAGS_AT - 1] = '-';
    text[FLAGS_AT] = '0';
    text[FLAGS_AT + 1] = place->is_sampled ? '1' : '0';
}
