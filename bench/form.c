/* SPDX-License-Identifier: MIT */
#include "bench/form.h"

#include "base/xalloc.h"

#include <stdio.h>
#include <string.h>

#define MASKED       0x80
#define MASK_LEN     4
#define TWO_BYTE_LEN 126

static const uint8_t mask[MASK_LEN] = {0x37, 0xfa, 0x21, 0x3d};

static size_t put_head(uint8_t *at, uint8_t frame, uint8_t masked, size_t len)
{
    at[0] = frame;
    if (len < TWO_BYTE_LEN) {
        at[1] = (uint8_t)(masked | len);
        return 2;
    }
    at[1] = masked | TWO_BYTE_LEN;
    at[2] = (uint8_t)(len >> 8);
    at[3] = (uint8_t)len;
    return 4;
}

size_t form_put_frame(uint8_t *at, uint8_t frame, const void *payload,
                      size_t len)
{
    const uint8_t *bytes = payload;
    size_t head = put_head(at, frame, MASKED, len);

    memcpy(at + head, mask, MASK_LEN);
    head += MASK_LEN;
    for (size_t i = 0; i < len; i++) {
        at[head + i] = bytes[i] ^ mask[i % MASK_LEN];
    }
    return head + len;
}

/* Returns how many bytes precede the payload. */
static size_t put_whole(form_t *self, const form_around_t *around,
                        const char *payload, size_t len)
{
    size_t head = 0;

    if (around->kind == FORM_CLIENT) {
        self->len = form_put_frame(self->bytes, around->frame, payload, len);
        return self->len - len;
    }
    if (around->kind == FORM_SERVER) {
        head = put_head(self->bytes, around->frame, 0, len);
    }
    memcpy(self->bytes + head, payload, len);
    self->len = head + len;
    return head;
}

void form_make(form_t *self, const form_around_t *around, const char *body)
{
    char payload[FORM_MAX];
    int len = snprintf(payload, sizeof payload, "%s%s%s", around->before, body,
                       around->after);
    const char *number = strstr(body, FORM_NUMBER);
    const char *name = strstr(around->before, FORM_NAME);

    must(len >= 0 && (size_t)len < sizeof payload - 8 && number != NULL);
    memset(self, 0, sizeof *self);
    size_t head = put_whole(self, around, payload, (size_t)len);
    self->body = head + strlen(around->before);
    self->number = self->body + (size_t)(number - body);
    self->name = name ? head + (size_t)(name - around->before) : 0;
    for (size_t i = 0; around->kind == FORM_CLIENT && i < MASK_LEN; i++) {
        self->mask[(head + i) % MASK_LEN] = mask[i];
    }
}

static void put_digits(form_t *self, size_t at, size_t count, uint64_t value)
{
    static const char hex[] = "0123456789abcdef";

    for (size_t i = at + count; i-- > at; value >>= 4) {
        self->bytes[i] = (uint8_t)hex[value & 15] ^ self->mask[i % MASK_LEN];
    }
}

void form_set(form_t *self, uint32_t number, uint64_t name)
{
    put_digits(self, self->number, strlen(FORM_NUMBER), number);
    if (self->name > 0) {
        put_digits(self, self->name, strlen(FORM_NAME), name);
    }
}
