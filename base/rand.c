/* SPDX-License-Identifier: MIT */
#include "base/rand.h"

#include "base/xalloc.h"

#include <errno.h>

#include <sys/random.h>

void rand_bytes(void *bytes, size_t len)
{
    char *at = bytes;

    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        must(got > 0 || errno == EINTR);
        if (got > 0) {
            at += got;
            len -= (size_t)got;
        }
    }
}

uint32_t rand_u32(void)
{
    uint32_t value;
    rand_bytes(&value, sizeof value);
    return value;
}
