/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log_format.h"
#include "base/log_json.h"
#include "base/log_text.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <unistd.h>

#define LINE_MAX_BYTES 4096 /* PIPE_BUF keeps them whole */
#define STAMP_MAX      40
#define MARK_MAX       32

_Static_assert(LOG_TEXT_MAX < LINE_MAX_BYTES - 148 - MARK_MAX,
               "with what is before it, and behind");
_Static_assert(LINE_MAX_BYTES <= LOG_PIECE_MAX, "none ends before the line");

static _Atomic int threshold = LEVEL_INFO;
static _Atomic int log_format = LOG_TEXT;
static _Thread_local char mark[MARK_MAX - 1]; /* "": none */

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

bool log_takes(log_level_t level)
{
    return (int)level <= atomic_load(&threshold);
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

int log_format_parse(const char *name, log_format_t *format)
{
    if (strcmp(name, "text") == 0) {
        *format = LOG_TEXT;
    } else if (strcmp(name, "json") == 0) {
        *format = LOG_JSON;
    } else {
        return -EINVAL;
    }
    return 0;
}

void log_set_format(log_format_t format)
{
    atomic_store(&log_format, (int)format);
}

void log_mark_thread(const char *name, unsigned number)
{
    mark[0] = '\0';
    if (name != NULL) {
        snprintf(mark, sizeof mark, "%s=%u", name, number);
    }
}

static void put_stamp(char stamp[STAMP_MAX])
{
    int64_t now_ms = clock_wall_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm utc;

    gmtime_r(&seconds, &utc);
    size_t len = strftime(stamp, STAMP_MAX, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(stamp + len, STAMP_MAX - len, ".%03dZ", (int)(now_ms % 1000));
}

/* One event is one line, and reads as it is written: what a value holds must
 * not make it two, nor turn it round. */
static void tame(char *line, size_t len)
{
    for (size_t at = 0, size; at<len; at += size> 0 ? size : 1) {
        size = utf8_obeyed((const uint8_t *)line + at, len - at);
        memset(line + at, '?', size);
    }
}

static size_t put_mark(char *line)
{
    return (size_t)snprintf(line, MARK_MAX, " %s", mark);
}

/* Each makes a line without its end, of less than LINE_MAX_BYTES. */

__attribute__((format(printf, 5, 0))) static size_t
make_text(char *line, const char *stamp, const char *level, const char *event,
          const char *format, va_list args)
{
    size_t size = LINE_MAX_BYTES - 1;
    size_t len = (size_t)snprintf(line, size, "%s %s %s ", stamp, level, event);
    len += log_text_format(line + len, size - 1 - MARK_MAX - len, format, args);
    tame(line, len);
    return mark[0] == '\0' ? len : len + put_mark(line + len);
}

__attribute__((format(printf, 5, 0))) static size_t
make_json(char *line, const char *stamp, const char *level, const char *event,
          const char *format, va_list args)
{
    log_json_t json = log_json(line, LINE_MAX_BYTES - 1, stamp, level, event);

    log_json_pairs(&json, mark);
    log_json_format(&json, format, args);
    return log_json_end(&json);
}

static void write_line(char *line, size_t len)
{
    line[len++] = '\n';
    /* A log that cannot be written has nobody left to be told. */
    ssize_t written = write(STDERR_FILENO, line, len);
    (void)written;
}

void log_vline(log_level_t level, const char *event, const char *format,
               va_list args)
{
    char line[LINE_MAX_BYTES], stamp[STAMP_MAX];
    int saved_errno = errno;

    if (!log_takes(level)) {
        return;
    }
    put_stamp(stamp);
    size_t len =
        atomic_load(&log_format) == LOG_JSON
            ? make_json(line, stamp, level_names[level], event, format, args)
            : make_text(line, stamp, level_names[level], event, format, args);
    write_line(line, len);
    errno = saved_errno;
}

void log_line(log_level_t level, const char *event, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_vline(level, event, format, args);
    va_end(args);
}

void log_pairs(log_level_t level, const char *event, const char *pairs)
{
    char line[LINE_MAX_BYTES], stamp[STAMP_MAX];

    if (atomic_load(&log_format) == LOG_TEXT) {
        log_line(level, event, "%s", pairs);
        return;
    }
    if (log_takes(level)) {
        put_stamp(stamp);
        log_json_t json =
            log_json(line, sizeof line - 1, stamp, level_names[level], event);
        log_json_pairs(&json, mark);
        log_json_pairs(&json, pairs);
        write_line(line, log_json_end(&json));
    }
}

static void turn_to(log_brake_t *self, int64_t second)
{
    if (second != self->second) {
        self->second = second;
        self->lines = 0;
    }
}

static uint32_t share_of(const log_brake_t *self, uint32_t from)
{
    uint32_t lines = 0;

    for (uint32_t i = 0; i < self->lines; i++) {
        lines += self->from[i] == from;
    }
    return lines;
}

/* most: lines of this second by the same. */
static bool pass(log_brake_t *self, uint32_t from, uint32_t most,
                 uint32_t *suppressed)
{
    turn_to(self, clock_wall_ms() / 1000);
    if (self->lines >= LOG_BRAKE_BURST || share_of(self, from) >= most) {
        self->suppressed++;
        return false;
    }
    self->from[self->lines++] = from;
    *suppressed = self->suppressed;
    self->suppressed = 0;
    return true;
}

bool log_brake_pass(log_brake_t *self, log_level_t level, uint32_t *suppressed)
{
    return log_takes(level) && pass(self, 0, LOG_BRAKE_BURST, suppressed);
}

bool log_brake_pass_from(log_brake_t *self, const char *from, log_level_t level,
                         uint32_t *suppressed)
{
    return log_takes(level) &&
           pass(self, (uint32_t)hash_bytes(from, strlen(from)), LOG_BRAKE_SHARE,
                suppressed);
}
