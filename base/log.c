/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include "base/clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <unistd.h>

#define LINE_MAX_BYTES (LOG_TEXT_MAX + 148) /* PIPE_BUF keeps them whole */

static _Atomic int threshold = LEVEL_INFO;

static const char *const level_names[] = {
    [LEVEL_ERROR] = "error",
    [LEVEL_WARN] = "warn",
    [LEVEL_INFO] = "info",
    [LEVEL_DEBUG] = "debug",
};

void log_set_level(log_level_t level)
{
    atomic_store(&threshold, (int)level);
}

int log_level_parse(const char *name, log_level_t *level)
{
    for (int i = LEVEL_ERROR; i <= LEVEL_DEBUG; i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *level = (log_level_t)i;
            return 0;
        }
    }
    return -EINVAL;
}

static size_t put_head(char *line, size_t size, log_level_t level,
                       const char *event)
{
    int64_t now_ms = clock_wall_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm utc;
    char stamp[32];

    gmtime_r(&seconds, &utc);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    int len = snprintf(line, size, "%s.%03dZ %s %s ", stamp,
                       (int)(now_ms % 1000), level_names[level], event);
    return (size_t)len < size ? (size_t)len : size - 1;
}

/* One event is one line: control bytes in a value must not make it two. */
static void tame_controls(char *line, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)line[i] < ' ' || line[i] == 127) {
            line[i] = '?';
        }
    }
}

void log_line(log_level_t level, const char *event, const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    int saved_errno = errno;

    if ((int)level > atomic_load(&threshold)) {
        return;
    }
    size_t len = put_head(line, sizeof line - 1, level, event);
    va_list args;
    va_start(args, format);
    int more = vsnprintf(line + len, sizeof line - 1 - len, format, args);
    va_end(args);
    if (more > 0) {
        size_t room = sizeof line - 2 - len;
        len += (size_t)more < room ? (size_t)more : room;
    }
    tame_controls(line, len);
    line[len++] = '\n';
    /* A log that cannot be written has nobody left to be told. */
    ssize_t written = write(STDERR_FILENO, line, len);
    (void)written;
    errno = saved_errno;
}

bool log_brake_pass(log_brake_t *self, uint32_t *suppressed)
{
    int64_t second = clock_wall_ms() / 1000;

    if (second != self->second) {
        self->second = second;
        self->lines = 0;
    }
    if (self->lines >= LOG_BRAKE_BURST) {
        self->suppressed++;
        return false;
    }
    self->lines++;
    *suppressed = self->suppressed;
    self->suppressed = 0;
    return true;
}
