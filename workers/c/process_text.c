/* SPDX-License-Identifier: MIT */
#include "workers/c/process_text.h"

#include "base/xalloc.h"

#include <pthread.h>

static char text[PROCESS_TEXT_LEN + 1];

static void make(void)
{
    rand_hex(text);
}

static void make_first(void)
{
    make();
    must(pthread_atfork(NULL, NULL, make) == 0);
}

const char *process_text(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, make_first);
    return text;
}
