/* SPDX-License-Identifier: MIT */
#include "proto/conn_id.h"

#include <errno.h>

static const char alphabet[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqr"
                                 "stuvwxyz0123456789-_";

/* Value of each character plus one; 0 marks what is not in the alphabet. */
static const uint8_t value_of[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,
    ['G'] = 7,  ['H'] = 8,  ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12,
    ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18,
    ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30,
    ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36,
    ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42,
    ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54,
    ['2'] = 55, ['3'] = 56, ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60,
    ['8'] = 61, ['9'] = 62, ['-'] = 63, ['_'] = 64,
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

int conn_id_parse(const void *text, size_t len, conn_id_t *id)
{
    const uint8_t *at = text;
    uint32_t group[4] = {0};

    if (len != CONN_ID_TEXT) {
        return -EINVAL;
    }
    for (int i = 0; i < CONN_ID_TEXT; i++) {
        uint8_t value = value_of[at[i]];
        if (value == 0) {
            return -EINVAL;
        }
        group[i / 4] = group[i / 4] << 6 | (uint32_t)(value - 1);
    }
    id->loop = group[0];
    id->slot = group[1];
    id->generation = (uint16_t)(group[2] >> 8);
    id->random = group[2] << 24 | group[3];
    return 0;
}

uint32_t conn_id_slot(const void *text)
{
    const uint8_t *at = (const uint8_t *)text + 4;
    uint32_t slot = 0;

    for (int i = 0; i < 4; i++) {
        slot = slot << 6 | ((value_of[at[i]] - 1u) & 63);
    }
    return slot;
}
