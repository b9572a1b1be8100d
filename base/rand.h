/* SPDX-License-Identifier: MIT
 *
 * Random bytes from the kernel.  Any thread.
 */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

/* Fill bytes; a kernel that cannot is fatal, since ids rest on it. */
void rand_bytes(void *bytes, size_t len);

uint32_t rand_u32(void);

/* Characters of a text of rand_hex: 64 bits, two characters a byte. */
#define RAND_HEX_LEN 16

/* A random text for ids, with a zero behind it. */
static inline void rand_hex(char text[RAND_HEX_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[RAND_HEX_LEN / 2];

    rand_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    text[RAND_HEX_LEN] = '\0';
}

#endif
