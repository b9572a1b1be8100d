/* SPDX-License-Identifier: MIT */
#include "proto/conn_id.h"

#include <errno.h>

static const char alphabet[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqr"
                                 "stuvwxyz0123456789-_";

#define KNOWN 64 /* a bit of all characters of the alphabet, and no others */

/* Value of each character, and KNOWN. */
static const uint8_t value_of[256] = {
    ['A'] = 64,  ['B'] = 65,  ['C'] = 66,  ['D'] = 67,  ['E'] = 68,
    ['F'] = 69,  ['G'] = 70,  ['H'] = 71,  ['I'] = 72,  ['J'] = 73,
    ['K'] = 74,  ['L'] = 75,  ['M'] = 76,  ['N'] = 77,  ['O'] = 78,
    ['P'] = 79,  ['Q'] = 80,  ['R'] = 81,  ['S'] = 82,  ['T'] = 83,
    ['U'] = 84,  ['V'] = 85,  ['W'] = 86,  ['X'] = 87,  ['Y'] = 88,
    ['Z'] = 89,  ['a'] = 90,  ['b'] = 91,  ['c'] = 92,  ['d'] = 93,
    ['e'] = 94,  ['f'] = 95,  ['g'] = 96,  ['h'] = 97,  ['i'] = 98,
    ['j'] = 99,  ['k'] = 100, ['l'] = 101, ['m'] = 102, ['n'] = 103,
    ['o'] = 104, ['p'] = 105, ['q'] = 106, ['r'] = 107, ['s'] = 108,
    ['t'] = 109, ['u'] = 110, ['v'] = 111, ['w'] = 112, ['x'] = 113,
    ['y'] = 114, ['z'] = 115, ['0'] = 116, ['1'] = 117, ['2'] = 118,
    ['3'] = 119, ['4'] = 120, ['5'] = 121, ['6'] = 122, ['7'] = 123,
    ['8'] = 124, ['9'] = 125, ['-'] = 126, ['_'] = 127,
};

/* Twelve bytes are four groups of 24 bits, each four characters of 6 bits. */
static void format_group(uint32_t bits, char text[4])
{
    text[0] = alphabet[bits >> 18 & 63];
    text[1] = alphabet[bits >> 12 & 63];
    text[2] = alphabet[bits >> 6 & 63];
    text[3] = alphabet[bits & 63];
}

void conn_id_format(const conn_id_t *id, char text[CONN_ID_TEXT])
{
    uint32_t generation = id->generation;

    format_group(id->loop, text);
    format_group(id->slot, text + 4);
    format_group(generation << 8 | id->random >> 24, text + 8);
    format_group(id->random & 0xffffff, text + 12);
}

/* Of four characters; *known keeps its bit if all are of the alphabet. */
static inline uint32_t parse_group(const uint8_t text[4], uint8_t *known)
{
    uint32_t a = value_of[text[0]], b = value_of[text[1]];
    uint32_t c = value_of[text[2]], d = value_of[text[3]];

    *known &= (uint8_t)(a & b & c & d);
    return (a & 63) << 18 | (b & 63) << 12 | (c & 63) << 6 | (d & 63);
}

int conn_id_parse_loop(const void *text, size_t len, uint32_t *loop)
{
    uint8_t known = KNOWN;

    if (len != CONN_ID_LOOP_TEXT) {
        return -EINVAL;
    }
    *loop = parse_group(text, &known);
    return known == 0 ? -EINVAL : 0;
}

int conn_id_parse(const void *text, size_t len, conn_id_t *id)
{
    const uint8_t *at = text;
    uint8_t known = KNOWN;

    if (len != CONN_ID_TEXT) {
        return -EINVAL;
    }
    uint32_t loop = parse_group(at, &known), slot = parse_group(at + 4, &known);
    uint32_t middle = parse_group(at + 8, &known);
    uint32_t last = parse_group(at + 12, &known);
    if (known == 0) {
        return -EINVAL;
    }
    *id = (conn_id_t){.loop = loop,
                      .slot = slot,
                      .generation = (uint16_t)(middle >> 8),
                      .random = middle << 24 | last};
    return 0;
}

uint32_t conn_id_slot(const void *text)
{
    uint8_t known = KNOWN;

    return parse_group((const uint8_t *)text + 4, &known);
}
