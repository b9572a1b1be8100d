/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include "workers/c/hoist.h"

_Static_assert((int)HOIST_LOG_ERROR == (int)LEVEL_ERROR &&
                   (int)HOIST_LOG_WARN == (int)LEVEL_WARN &&
                   (int)HOIST_LOG_INFO == (int)LEVEL_INFO &&
                   (int)HOIST_LOG_DEBUG == (int)LEVEL_DEBUG,
               "levels are the log's own");

/* level: an int, whatever type the compiler has for the enum. */
static log_level_t nearest(int level)
{
    return level < (int)LEVEL_ERROR   ? LEVEL_ERROR
           : level > (int)LEVEL_DEBUG ? LEVEL_DEBUG
                                      : (log_level_t)level;
}

void hoist_log(hoist_log_level level, const char *event, const char *format,
               ...)
{
    va_list args;

    va_start(args, format);
    log_vline(nearest((int)level), event, format, args);
    va_end(args);
}
