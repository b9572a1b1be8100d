/* SPDX-License-Identifier: MIT */
#include "cli/text.h"

#include "base/xalloc.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <locale.h>
#include <wchar.h>

#define BROKEN   ((size_t)-1)
#define CUT      ((size_t)-2)
#define ELLIPSIS "…"

void text_start(void)
{
    (void)setlocale(LC_CTYPE, "C.UTF-8"); /* every Debian has it */
}

char *text_of_name(const char *name, size_t len)
{
    char *text = xcalloc(len + 1, 1);

    for (size_t i = 0; i < len; i++) {
        text[i] = name[i];
        if (name[i] == '\0') {
            text[i] = 1; /* shown alike */
        }
    }
    return text;
}

/* Marks that turn the direction of what follows can show a name as another. */
static bool turns_direction(wchar_t c)
{
    return c == 0x061c || c == 0x200e || c == 0x200f ||
           (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/* The next character, its bytes and columns; '?' for one not to be shown. */
static wchar_t next(const char **at, size_t *len, size_t *columns)
{
    mbstate_t state = {0};
    wchar_t c;
    size_t got = mbrtowc(&c, *at, strlen(*at), &state);
    int width = got == BROKEN || got == CUT ? -1 : wcwidth(c);

    *len = got == BROKEN || got == CUT || got == 0 ? 1 : got;
    *at += *len;
    if (width < 0 || turns_direction(c)) {
        *columns = 1;
        return L'?';
    }
    *columns = (size_t)width;
    return c;
}

size_t text_width(const char *text)
{
    size_t len, columns, sum = 0;

    while (*text != '\0') {
        (void)next(&text, &len, &columns);
        sum += columns;
    }
    return sum;
}

size_t text_fit(const char *text, size_t max)
{
    const char *at = text;
    size_t len, columns, used = 0;

    while (*at != '\0') {
        const char *before = at;
        (void)next(&at, &len, &columns);
        used += columns;
        if (used > max) {
            return (size_t)(before - text);
        }
    }
    return (size_t)(at - text);
}

void text_clean(char *out, size_t size, const char *text, size_t max)
{
    bool is_cut = text_width(text) > max;
    size_t room = is_cut && max > 0 ? max - 1 : max;
    size_t used = 0, shown = 0;

    while (*text != '\0') {
        const char *from = text;
        size_t len, columns;
        wchar_t c = next(&text, &len, &columns);
        if (shown + columns > room || used + len + sizeof ELLIPSIS > size) {
            break;
        }
        if (c == L'?') {
            out[used++] = '?';
        } else {
            memcpy(out + used, from, len);
            used += len;
        }
        shown += columns;
    }
    snprintf(out + used, size - used, "%s", is_cut ? ELLIPSIS : "");
}

/* --- numbers ------------------------------------------------------------- */

/* Two digits at least, as far as one behind the point gives them. */
static void put(char out[TEXT_NUMBER_MAX], double value, const char *unit)
{
    snprintf(out, TEXT_NUMBER_MAX, value < 9.95 ? "%.1f%s" : "%.0f%s", value,
             unit);
}

void text_us(char out[TEXT_NUMBER_MAX], uint64_t us)
{
    if (us < 1000) {
        snprintf(out, TEXT_NUMBER_MAX, "%" PRIu64 " µs", us);
    } else if (us < 1000000) {
        put(out, (double)us / 1e3, " ms");
    } else {
        put(out, (double)us / 1e6, " s");
    }
}

void text_age(char out[TEXT_NUMBER_MAX], int64_t ms)
{
    int64_t s = ms > 0 ? ms / 1000 : 0;

    if (s < 60) {
        snprintf(out, TEXT_NUMBER_MAX, "%" PRId64 " s", s);
    } else if (s < 3600) {
        snprintf(out, TEXT_NUMBER_MAX, "%" PRId64 " min %" PRId64 " s", s / 60,
                 s % 60);
    } else if (s < 86400) {
        snprintf(out, TEXT_NUMBER_MAX, "%" PRId64 " h %" PRId64 " min",
                 s / 3600, s % 3600 / 60);
    } else {
        snprintf(out, TEXT_NUMBER_MAX, "%" PRId64 " d %" PRId64 " h", s / 86400,
                 s % 86400 / 3600);
    }
}

/* As many times `step` smaller as makes it readable. */
static void put_scaled(char out[TEXT_NUMBER_MAX], double value, double step,
                       const char *const *units, size_t count)
{
    size_t unit = 0;

    while (unit + 1 < count && value >= step * 0.9995) {
        value /= step;
        unit++;
    }
    put(out, value, units[unit]);
}

void text_count(char out[TEXT_NUMBER_MAX], uint64_t count)
{
    static const char *const units[] = {"", "k", "M", "G", "T"};

    if (count < 100000) {
        snprintf(out, TEXT_NUMBER_MAX, "%" PRIu64, count);
    } else {
        put_scaled(out, (double)count, 1000, units, 5);
    }
}

void text_bytes(char out[TEXT_NUMBER_MAX], uint64_t bytes)
{
    static const char *const units[] = {" B", " KiB", " MiB", " GiB", " TiB"};

    if (bytes < 1024) {
        snprintf(out, TEXT_NUMBER_MAX, "%" PRIu64 " B", bytes);
    } else {
        put_scaled(out, (double)bytes, 1024, units, 5);
    }
}

void text_rate(char out[TEXT_NUMBER_MAX], double a_second)
{
    static const char *const units[] = {"", "k", "M", "G"};

    if (a_second < 0.05) {
        snprintf(out, TEXT_NUMBER_MAX, "0");
    } else {
        put_scaled(out, a_second, 1000, units, 4);
    }
}
