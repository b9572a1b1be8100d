/* SPDX-License-Identifier: MIT */
#include "proto/request_id.h"

/* base64url of 8 bytes is 11 characters: 64 bits and two zero bits. */
void request_id_format(uint64_t number, char text[REQUEST_ID_TEXT])
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
                                   "qrstuvwxyz0123456789-_";

    for (int i = 0; i < 10; i++) {
        text[i] = alphabet[number >> (58 - 6 * i) & 63];
    }
    text[10] = alphabet[(number & 15) << 2];
    text[11] = '=';
}
