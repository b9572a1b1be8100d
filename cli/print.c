/* SPDX-License-Identifier: MIT */
#include "cli/print.h"

#include "proto/json_out.h"

#include <stdio.h>

#define DOCUMENT_MAX 268435456 /* bytes */

static void put(json_out_t *out, json_t *value);

static void put_object(json_out_t *out, json_t *object)
{
    const char *key;
    json_t *value;

    json_put_open(out, '{');
    json_object_foreach(object, key, value)
    {
        json_put_key(out, key);
        put(out, value);
    }
    json_put_close(out, '}');
}

static void put_array(json_out_t *out, json_t *array)
{
    json_put_open(out, '[');
    for (size_t i = 0; i < json_array_size(array); i++) {
        put(out, json_array_get(array, i));
    }
    json_put_close(out, ']');
}

static void put_number(json_out_t *out, const json_t *value)
{
    char text[40];
    int len = json_is_integer(value)
                  ? snprintf(text, sizeof text, "%lld",
                             (long long)json_integer_value(value))
                  : snprintf(text, sizeof text, "%.3f", json_real_value(value));

    json_put_raw(out, (wire_bytes_t){(const uint8_t *)text, (size_t)len});
}

static void put(json_out_t *out, json_t *value)
{
    if (json_is_object(value)) {
        put_object(out, value);
    } else if (json_is_array(value)) {
        put_array(out, value);
    } else if (json_is_string(value)) {
        json_put_text(out,
                      (wire_bytes_t){(const uint8_t *)json_string_value(value),
                                     json_string_length(value)});
    } else if (json_is_number(value)) {
        put_number(out, value);
    } else {
        json_put_raw(out, wire_bytes(json_is_true(value)    ? "true"
                                     : json_is_false(value) ? "false"
                                                            : "null"));
    }
}

int print_json(json_t *value)
{
    buf_t text;

    buf_init(&text, DOCUMENT_MAX);
    json_out_t out = json_out(&text);
    put(&out, value);
    json_decref(value);
    bool is_written = out.rc == 0 &&
                      fwrite(text.data, 1, text.len, stdout) == text.len &&
                      putchar('\n') != EOF && fflush(stdout) == 0;
    buf_fini(&text);
    return is_written ? 0 : 1;
}
