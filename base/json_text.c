/* SPDX-License-Identifier: MIT */
#include "base/json_text.h"

#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

/* Of one to three bytes. */
static unsigned code_of(const uint8_t *at, size_t size)
{
    return size == 1 ? at[0]
           : size == 2
               ? (at[0] & 0x1fu) << 6 | (at[1] & 0x3fu)
               : (at[0] & 0x0fu) << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
}

/* JSON allows most of what is obeyed; who reads it, or shows it, does as it
 * says. */
size_t json_text_escape(const uint8_t *at, size_t left,
                        char text[JSON_CHAR_MAX])
{
    size_t obeyed = utf8_obeyed(at, left);

    text[0] = '\0';
    if (obeyed > 0) {
        snprintf(text, JSON_CHAR_MAX, "\\u%04x", code_of(at, obeyed) & 0xffffu);
        return obeyed;
    }
    if (at[0] == '"' || at[0] == '\\') {
        snprintf(text, JSON_CHAR_MAX, "\\%c", at[0]);
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
