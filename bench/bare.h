/* SPDX-License-Identifier: MIT
 *
 * What bare servers write: text frames of RFC 6455, section 5.2, unmasked.
 */
#ifndef BENCH_BARE_H
#define BENCH_BARE_H

#include <stddef.h>
#include <stdint.h>

#define BARE_HEAD_MAX 4

/* The head of a whole message of less than 64 KiB.  Returns its length. */
static inline size_t bare_head(uint8_t head[BARE_HEAD_MAX], size_t len)
{
    head[0] = 0x81;
    if (len < 126) {
        head[1] = (uint8_t)len;
        return 2;
    }
    head[1] = 126;
    head[2] = (uint8_t)(len >> 8);
    head[3] = (uint8_t)len;
    return 4;
}

#endif
