/* SPDX-License-Identifier: MIT
 *
 * Any bytes as a JSON string or scalar: a string that passes decodes to no
 * more bytes than it has, equals what it decodes to and nothing longer or
 * shorter, and needs all of the room that its text takes.
 */
#include "base/xalloc.h"
#include "proto/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void check_string(wire_bytes_t inside)
{
    char *text = malloc(inside.len + 1);

    must(text != NULL);
    int len = json_decode_string(inside, text, inside.len);
    must(len >= 0 && (size_t)len <= inside.len);
    wire_bytes_t meaning = {(const uint8_t *)text, (size_t)len};
    must(json_string_is(inside, meaning));
    must(memchr(inside.data, '\\', inside.len) != NULL ||
         wire_equal(inside, meaning));
    text[len] = 'x';
    meaning.len++;
    must(!json_string_is(inside, meaning));
    if (len > 0) {
        meaning.len -= 2;
        must(!json_string_is(inside, meaning));
        must(json_decode_string(inside, text, (size_t)len - 1) == -ENOBUFS);
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wire_cursor_t string = wire_cursor((wire_bytes_t){data, size});
    wire_cursor_t scalar = string;
    wire_bytes_t inside;

    json_skip_space(&string);
    if (json_skip_string(&string, &inside) == 0) {
        must(string.at > data && string.at <= string.end);
        must(string.at[-1] == '"' && inside.data + inside.len + 1 == string.at);
        check_string(inside);
    }
    if (json_skip_scalar(&scalar) == 0) {
        must(scalar.at > data && scalar.at <= scalar.end);
        /* What was taken is a whole scalar by itself. */
        wire_cursor_t again =
            wire_cursor((wire_bytes_t){data, (size_t)(scalar.at - data)});
        must(json_skip_scalar(&again) == 0 && wire_at_end(&again));
    }
    return 0;
}
