/* SPDX-License-Identifier: MIT */
#include "gateway/error_frame.h"

#include <stdio.h>
#include <string.h>

#define NUMBER_TEXT 12 /* 8 bytes in base64url with one '=' behind */

const char *error_frame_message(uint64_t status)
{
    switch (status) {
    case 403:
        return "Forbidden";
    case 413:
        return "Message too long";
    case 429:
        return "Too Many Requests";
    case 504:
        return "Endpoint request timed out";
    default:
        return status < 500 ? "Bad Request" : "Internal server error";
    }
}

/* base64url of 8 bytes is 11 characters: 64 bits and two zero bits. */
static void format_number(uint64_t number, char text[NUMBER_TEXT])
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
                                   "qrstuvwxyz0123456789-_";

    for (int i = 0; i < 10; i++) {
        text[i] = alphabet[number >> (58 - 6 * i) & 63];
    }
    text[10] = alphabet[(number & 15) << 2];
    text[11] = '=';
}

size_t error_frame_format(char text[ERROR_FRAME_MAX], uint64_t status,
                          const conn_id_t *id, uint64_t number)
{
    char conn[CONN_ID_TEXT], request[NUMBER_TEXT];

    conn_id_format(id, conn);
    format_number(number, request);
    int len = snprintf(text, ERROR_FRAME_MAX,
                       "{\"message\": \"%s\", \"connectionId\":\"%.*s\", "
                       "\"requestId\":\"%.*s\"}",
                       error_frame_message(status), CONN_ID_TEXT, conn,
                       NUMBER_TEXT, request);
    return (size_t)len;
}
