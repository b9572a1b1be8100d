/* SPDX-License-Identifier: MIT */
#include "gateway/error_frame.h"

#include "proto/request_id.h"

#include <stdio.h>
#include <string.h>

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

size_t error_frame_format(char text[ERROR_FRAME_MAX], uint64_t status,
                          const conn_id_t *id, uint64_t number)
{
    char conn[CONN_ID_TEXT], request[REQUEST_ID_TEXT];

    conn_id_format(id, conn);
    request_id_format(number, request);
    int len = snprintf(text, ERROR_FRAME_MAX,
                       "{\"message\": \"%s\", \"connectionId\":\"%.*s\", "
                       "\"requestId\":\"%.*s\"}",
                       error_frame_message(status), CONN_ID_TEXT, conn,
                       REQUEST_ID_TEXT, request);
    return (size_t)len;
}
