/* SPDX-License-Identifier: MIT */
#include "store/redis_keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAME_TOP  64
#define HEAD_TEXT 32

/* CRC-16/XMODEM, as the specification names it, of bytes behind those that
 * gave `crc`; of none: 0. */
static uint16_t crc16(uint16_t crc, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        crc = (uint16_t)(crc ^ (uint16_t)(bytes[i] << 8));
        for (int bit = 0; bit < 8; bit++) {
            crc =
                (uint16_t)((crc & 0x8000) != 0 ? crc << 1 ^ 0x1021 : crc << 1);
        }
    }
    return crc;
}

uint16_t redis_slot_of(const uint8_t *bytes, size_t len)
{
    const uint8_t *open = memchr(bytes, '{', len);

    if (open != NULL) {
        const uint8_t *tag = open + 1;
        size_t left = len - (size_t)(tag - bytes);
        const uint8_t *shut = left == 0 ? NULL : memchr(tag, '}', left);
        if (shut != NULL && shut != tag) {
            return crc16(0, tag, (size_t)(shut - tag)) % REDIS_SLOTS;
        }
    }
    return crc16(0, bytes, len) % REDIS_SLOTS;
}

/* What stands before the name, and behind it.  Without snprintf: this is in
 * the way of every command. */
static size_t frame_key(const redis_key_t *key, char head[NAME_TOP + HEAD_TEXT],
                        const char **tail)
{
    char named[] = {':', '{', key->kind, ':', '\0'};
    const char *behind = key->kind == 'O'   ? ":owners"
                         : key->kind == 'L' ? ":leases"
                                            : named;
    size_t len = strnlen(key->prefix, NAME_TOP), more = strlen(behind);

    *tail = behind == named ? "}" : "";
    memcpy(head, key->prefix, len);
    memcpy(head + len, behind, more);
    return len + more;
}

uint16_t redis_key_slot(const redis_key_t *key)
{
    char head[NAME_TOP + HEAD_TEXT];
    const char *tail;
    size_t head_len = frame_key(key, head, &tail);

    if (*tail == '\0') {
        return redis_slot_of((const uint8_t *)head, head_len);
    }
    /* The prefix has no brace, so the tag begins with our "u:" and is never
     * empty; it ends with the first closing brace, the name's or ours. */
    const uint8_t tag[2] = {(uint8_t)key->kind, ':'};
    const uint8_t *shut =
        key->name.len == 0 ? NULL : memchr(key->name.data, '}', key->name.len);
    size_t len = shut == NULL ? key->name.len : (size_t)(shut - key->name.data);
    return crc16(crc16(0, tag, sizeof tag), key->name.data, len) % REDIS_SLOTS;
}

/* --- commands ------------------------------------------------------------ */

static void put_raw(redis_command_t *command, const void *bytes, size_t len)
{
    if (command->rc == 0) {
        command->rc = buf_put(command->out, bytes, len);
    }
}

static void put_head(redis_command_t *command, char type, size_t number)
{
    char text[HEAD_TEXT];
    size_t at = sizeof text;

    text[--at] = '\n';
    text[--at] = '\r';
    do {
        text[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    text[--at] = type;
    put_raw(command, text + at, sizeof text - at);
}

void redis_put_words(redis_command_t *command, size_t count)
{
    put_head(command, '*', count);
}

void redis_put(redis_command_t *command, wire_bytes_t word)
{
    put_head(command, '$', word.len);
    put_raw(command, word.data, word.len);
    put_raw(command, "\r\n", 2);
}

void redis_put_text(redis_command_t *command, const char *word)
{
    redis_put(command, wire_bytes(word));
}

void redis_put_number(redis_command_t *command, int64_t word)
{
    char text[HEAD_TEXT];

    snprintf(text, sizeof text, "%" PRId64, word);
    redis_put_text(command, text);
}

void redis_put_key(redis_command_t *command, const redis_key_t *key)
{
    char head[NAME_TOP + HEAD_TEXT];
    const char *tail;
    size_t head_len = frame_key(key, head, &tail);

    put_head(command, '$', head_len + key->name.len + strlen(tail));
    put_raw(command, head, head_len);
    put_raw(command, key->name.data, key->name.len);
    put_raw(command, tail, strlen(tail));
    put_raw(command, "\r\n", 2);
}
