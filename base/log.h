/* SPDX-License-Identifier: MIT
 *
 * One event, one line, on standard error:
 *
 *   2026-01-31T12:00:00.000Z info GATEWAY-LISTENING address=127.0.0.1:8080
 *
 * or the same as a JSON object (base/log_json.h).
 *
 * The first argument is the event's stable name, the second a format of
 * key=value pairs.  Logged once, where the event is handled.  Never payloads,
 * tokens or other secrets.  Any thread; a line is written by one write(2), so
 * lines of threads do not mix.  errno is kept.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum { LEVEL_ERROR, LEVEL_WARN, LEVEL_INFO, LEVEL_DEBUG } log_level_t;

/* Lines above this level are dropped.  Default LEVEL_INFO.  Set at start-up. */
void log_set_level(log_level_t level);

/* Is a line of this level written? */
bool log_takes(log_level_t level);

/* Returns 0 with *level set, or -EINVAL for an unknown name. */
int log_level_parse(const char *name, log_level_t *level);

typedef enum { LOG_TEXT, LOG_JSON } log_format_t;

/* How lines are written; of the whole process.  Default LOG_TEXT.  Set at
 * start-up. */
void log_set_format(log_format_t format);

/* "text" or "json".  Returns 0 with *format set, or -EINVAL. */
int log_format_parse(const char *name, log_format_t *format);

/* What a format yields is cut behind so many bytes, or a few more. */
#define LOG_TEXT_MAX 3500

void log_line(log_level_t level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for who has arguments of its own. */
void log_vline(log_level_t level, const char *event, const char *format,
               va_list args) __attribute__((format(printf, 3, 0)));

/* As log_line, with fields that are ready: name=number, a space between. */
void log_pairs(log_level_t level, const char *event, const char *pairs);

/*
 * What all lines of this thread say behind their own fields: a name and a
 * number, which tell it from others that do the same.  name: ours; NULL:
 * nothing.
 */
void log_mark_thread(const char *name, unsigned number);

#define log_err(event, ...)   log_line(LEVEL_ERROR, event, __VA_ARGS__)
#define log_warn(event, ...)  log_line(LEVEL_WARN, event, __VA_ARGS__)
#define log_info(event, ...)  log_line(LEVEL_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) log_line(LEVEL_DEBUG, event, __VA_ARGS__)

#define LOG_BRAKE_BURST       10
#define LOG_BRAKE_SHARE       5

/*
 * A brake for an event that a peer can cause: at most LOG_BRAKE_BURST lines a
 * second, and where strangers cause it at most LOG_BRAKE_SHARE by one of them,
 * so that who is noisy does not hide the others.  What was held back is told in
 * the next line that passes.  One thread's, or guarded by whoever shares it.
 */
typedef struct {
    int64_t second;      /* wall clock second that `lines` counts */
    uint32_t lines;      /* passed in that second */
    uint32_t suppressed; /* held back since the last line that passed */
    uint32_t from[LOG_BRAKE_BURST]; /* who caused them: hashes */
} log_brake_t;

/* true: log it, and say *suppressed lines were held back before it.  A line
 * that is dropped for its level takes no other's place. */
bool log_brake_pass(log_brake_t *self, log_level_t level, uint32_t *suppressed);

/* The same of a line that somebody caused, by an address, say. */
bool log_brake_pass_from(log_brake_t *self, const char *from, log_level_t level,
                         uint32_t *suppressed);

#define log_braked(brake, level, event, format, ...)                           \
    do {                                                                       \
        uint32_t suppressed_;                                                  \
        if (log_brake_pass((brake), (level), &suppressed_)) {                  \
            log_line((level), (event), format " suppressed=%u", __VA_ARGS__,   \
                     suppressed_);                                             \
        }                                                                      \
    } while (0)

/* from: a text that tells strangers apart. */
#define log_braked_from(brake, from, level, event, format, ...)                \
    do {                                                                       \
        uint32_t suppressed_;                                                  \
        if (log_brake_pass_from((brake), (from), (level), &suppressed_)) {     \
            log_line((level), (event), format " suppressed=%u", __VA_ARGS__,   \
                     suppressed_);                                             \
        }                                                                      \
    } while (0)

#endif
