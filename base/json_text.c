/* SPDX-License-Identifier: MIT */
#include "base/json_text.h"

#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

/* C1 (U+0080 to U+009F) and DEL are allowed by JSON and obeyed by terminals. */
size_t json_text_escape(const uint8_t *at, size_t left,
                        char text[JSON_CHAR_MAX])
{
    text[0] = '\0';
    if (at[0] == '"' || at[0] == '\\') {
        snprintf(text, JSON_CHAR_MAX, "\\%c", at[0]);
    } else if (at[0] < 0x20 || at[0] == 0x7f) {
        snprintf(text, JSON_CHAR_MAX, "\\u%04x", at[0]);
    } else if (at[0] == 0xc2 && left > 1 && at[1] >= 0x80 && at[1] < 0xa0) {
        snprintf(text, JSON_CHAR_MAX, "\\u%04x", at[1]);
        return 2;
    }
    return 1;
}

size_t json_text_char(const uint8_t *at, size_t left, char text[JSON_CHAR_MAX],
                      size_t *len)
{
    static const uint8_t replacement[] = {0xef, 0xbf, 0xbd};
    bool is_whole;
    size_t taken = utf8_first(at, left, &is_whole);

    if (!is_whole) {
        memcpy(text, replacement, *len = sizeof replacement);
        return taken;
    }
    size_t escaped = json_text_escape(at, left, text);
    if (text[0] != '\0') {
        *len = strlen(text);
        return escaped;
    }
    memcpy(text, at, *len = taken);
    return taken;
}
