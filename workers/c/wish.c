/* SPDX-License-Identifier: MIT */
#include "workers/c/wish.h"

#include "base/process.h"
#include "base/utf8.h"

#include <errno.h>
#include <string.h>

/* --- names --------------------------------------------------------------- */

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_name_char(char c)
{
    return is_name_start(c) || (c >= '0' && c <= '9');
}

/* What the name of such a metric ends in. */
static const char *ending_of(const series_wish_t *wish)
{
    switch (wish->kind) {
    case A_COUNTER:
        return "_total";
    case A_HISTOGRAM:
        return wish->unit == HOIST_SECONDS ? "_seconds" : "_bytes";
    case A_GAUGE:
        break;
    }
    return "";
}

/* As text a histogram is several families of samples. */
bool wish_is_sample(const char *histogram, const char *name)
{
    static const char *const endings[] = {"_bucket", "_sum", "_count"};
    size_t len = strlen(histogram);

    if (strncmp(name, histogram, len) != 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        if (strcmp(name + len, endings[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_name(const char *name)
{
    size_t len = 0;

    if (name == NULL || !(is_name_start(*name) || *name == ':')) {
        return false;
    }
    while (is_name_char(name[len]) || name[len] == ':') {
        len++;
    }
    return name[len] == '\0' && len <= SERIES_NAME_MAX;
}

static bool has_ending(const char *name, const char *ending)
{
    size_t len = strlen(name), more = strlen(ending);

    return len > more && strcmp(name + len - more, ending) == 0;
}

static const char *fault_of_ending(const series_wish_t *wish)
{
    switch (wish->kind) {
    case A_COUNTER:
        return "the name of a counter ends in _total";
    case A_HISTOGRAM:
        return wish->unit == HOIST_SECONDS
                   ? "the name of a histogram of HOIST_SECONDS ends in _seconds"
                   : "the name of a histogram of HOIST_BYTES ends in _bytes";
    case A_GAUGE:
        break;
    }
    return NULL; /* any will do */
}

static const char *fault_of_name(const series_wish_t *wish)
{
    if (!is_name(wish->name)) {
        return "a name has letters, digits, _ and :, no digit in front, and "
               "1 to 128 of them";
    }
    return has_ending(wish->name, ending_of(wish)) ? NULL
                                                   : fault_of_ending(wish);
}

/* --- labels -------------------------------------------------------------- */

/* Behind a value in quotes, or NULL when that is none. */
static const char *skip_value(const char *at)
{
    if (*at++ != '"') {
        return NULL;
    }
    for (; *at != '"'; at++) {
        if (*at == '\\') {
            at++;
            if (*at != '\\' && *at != '"' && *at != 'n') {
                return NULL;
            }
        }
        if (*at == '\0' || *at == '\n') {
            return NULL;
        }
    }
    return at + 1;
}

/* Of a label where it stands: the bytes of its name, 0 when there is none. */
static size_t name_len(const char *label)
{
    size_t len = 0;

    if (!is_name_start(*label)) {
        return 0;
    }
    while (is_name_char(label[len])) {
        len++;
    }
    return len;
}

/* Behind name="value", or NULL. */
static const char *skip_label(const char *at)
{
    size_t len = name_len(at);

    return len > 0 && at[len] == '=' ? skip_value(at + len + 1) : NULL;
}

/* Has one of the labels in front of this one its name? */
static bool is_repeated(const char *labels, const char *label)
{
    size_t len = name_len(label) + 1; /* with the '=' */

    while (labels < label) {
        if (strncmp(labels, label, len) == 0) {
            return true;
        }
        labels = skip_label(labels) + 1; /* behind its comma */
    }
    return false;
}

/* Names that Prometheus keeps for itself, or gives to the buckets. */
static bool is_reserved(const char *label, series_kind_t kind)
{
    return strncmp(label, "__", 2) == 0 ||
           (kind == A_HISTOGRAM && strncmp(label, "le=", 3) == 0);
}

/* Of the label where it stands. */
static const char *fault_of_label(const char *labels, const char *label,
                                  series_kind_t kind)
{
    if (skip_label(label) == NULL) {
        return "a label has its value in quotes: NAME='VALUE', with double "
               "ones";
    }
    if (is_reserved(label, kind)) {
        return "a label is none that begins with __, nor le of a histogram";
    }
    return is_repeated(labels, label) ? "a label is there twice" : NULL;
}

/* "" is none, and so is right. */
static const char *fault_of_labels(const char *labels, series_kind_t kind)
{
    size_t len = strlen(labels);

    if (len > SERIES_LABELS_MAX) {
        return "labels have 512 bytes at most";
    }
    if (!utf8_is_valid((const uint8_t *)labels, len)) {
        return "labels are UTF-8";
    }
    for (const char *at = labels; *at != '\0';) {
        const char *why = fault_of_label(labels, at, kind);
        if (why != NULL) {
            return why;
        }
        at = skip_label(at);
        if (*at != '\0' && (*at != ',' || at[1] == '\0')) {
            return "labels have a comma between them, and nothing else";
        }
        at += *at == ',';
    }
    return NULL;
}

/* --- all of it ------------------------------------------------------------ */

static bool is_unit(hoist_unit unit)
{
    return unit == HOIST_SECONDS || unit == HOIST_BYTES;
}

const char *wish_fault(const series_wish_t *wish)
{
    const char *labels = wish->labels != NULL ? wish->labels : "";

    if (wish->kind == A_HISTOGRAM && !is_unit(wish->unit)) {
        return "the unit is HOIST_SECONDS or HOIST_BYTES";
    }
    const char *why = fault_of_name(wish);
    return why != NULL ? why : fault_of_labels(labels, wish->kind);
}

int wish_check(const series_wish_t *wish)
{
    if (wish_fault(wish) != NULL) {
        return -EINVAL;
    }
    return process_tells(wish->name) ? -EEXIST : 0;
}
