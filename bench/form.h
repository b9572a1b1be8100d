/* SPDX-License-Identifier: MIT
 *
 * A load generator's message, as it goes out or as it is to come back, made
 * once but for what differs: the sender's running number and, where a server
 * wants it, the sender's name, in hexadecimal digits each.
 */
#ifndef BENCH_FORM_H
#define BENCH_FORM_H

#include <stddef.h>
#include <stdint.h>

#define FORM_BODY_MAX 4096                  /* bytes */
#define FORM_MAX      (FORM_BODY_MAX + 128) /* with all that is around it */
#define FORM_NUMBER   "00000000"         /* in a body: its digits' place … */
#define FORM_NAME     "0000000000000000" /* … and before one */

/* The first byte of a frame, which is whole. */
#define FRAME_TEXT   0x81
#define FRAME_BINARY 0x82
#define FRAME_PING   0x89
#define FRAME_PONG   0x8a

typedef enum {
    FORM_BARE,   /* in no frame of its own */
    FORM_SERVER, /* in a frame as a server sends it */
    FORM_CLIENT, /* … and as a client does, masked */
} form_kind_t;

/* What stands around a body. */
typedef struct {
    form_kind_t kind;
    uint8_t frame;              /* its first byte; not of FORM_BARE */
    const char *before, *after; /* borrowed */
} form_around_t;

typedef struct {
    uint8_t bytes[FORM_MAX];
    size_t len;
    size_t body;         /* where it begins */
    size_t number, name; /* where their digits are; name 0: it has none */
    uint8_t mask[4];     /* of the byte at 0, 4, 8 …; 0: it is not masked */
} form_t;

/* A form of the body, which is text with a FORM_NUMBER in it, of at most
 * FORM_BODY_MAX bytes. */
void form_make(form_t *self, const form_around_t *around, const char *body);

/* Set what differs. */
void form_set(form_t *self, uint32_t number, uint64_t name);

/* A client's frame of at most 65535 bytes; returns its length, which is 8 bytes
 * more at most. */
size_t form_put_frame(uint8_t *at, uint8_t frame, const void *payload,
                      size_t len);

#endif
