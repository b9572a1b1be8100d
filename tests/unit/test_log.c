/* SPDX-License-Identifier: MIT
 *
 * A line of the log: of text, and of JSON, whose fields are those of the format
 * whatever the values are.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/log_json.h"
#include "base/log_text.h"
#include "base/utf8.h"
#include "base/xalloc.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <fcntl.h>
#include <unistd.h>

#include <cmocka.h>
#include <float.h>
#include <jansson.h>
#include <wchar.h>

#define ROUNDS    20000
#define VALUE_MAX 6000

static char line[16384]; /* what was logged last */

/* --- what is logged ------------------------------------------------------ */

static int pipe_ends[2];

static void take_line(void)
{
    ssize_t got = read(pipe_ends[0], line, sizeof line - 1);
    assert_true(got > 0 && line[got - 1] == '\n');
    line[got] = '\0';
    assert_ptr_equal(strchr(line, '\n'), line + got - 1);
}

/* Standard error is a pipe while the statement runs. */
#define LOGGED(statement)                                                      \
    do {                                                                       \
        int usual_ = dup(STDERR_FILENO);                                       \
        assert_int_equal(dup2(pipe_ends[1], STDERR_FILENO), STDERR_FILENO);    \
        statement;                                                             \
        assert_int_equal(dup2(usual_, STDERR_FILENO), STDERR_FILENO);          \
        close(usual_);                                                         \
        take_line();                                                           \
    } while (0)

static json_t *parse_line(void)
{
    json_error_t error;
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &error);

    if (object == NULL) {
        fail_msg("%s at %d of %s", error.text, error.position, line);
    }
    return object;
}

static void assert_text(const json_t *object, const char *key,
                        const char *wanted)
{
    const char *text = json_string_value(json_object_get(object, key));

    assert_non_null(text);
    assert_string_equal(text, wanted);
}

static int set_up(void **state)
{
    (void)state;
    log_set_format(LOG_JSON);
    return pipe2(pipe_ends, O_CLOEXEC);
}

static int tear_down(void **state)
{
    (void)state;
    log_set_format(LOG_TEXT);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    return 0;
}

/* --- tests --------------------------------------------------------------- */

static void a_line_of_text_is_time_level_event_and_fields(void **state)
{
    (void)state;
    log_set_format(LOG_TEXT);
    LOGGED(log_warn("PEER-LOST", "name=%s ms=%d", "a\nb", 3));
    assert_non_null(strstr(line, "Z warn PEER-LOST name=a?b ms=3\n"));
    LOGGED(log_warn("E", "a=%s",
                    "b\xe2\x80\xa8"
                    "c\xe2\x80\xae"
                    "d\xc2\x9b"));
    assert_non_null(strstr(line, "Z warn E a=b???c???d??\n"));
    LOGGED(log_warn("E", "a=%s", "\xe2\x82\xac \xd8\xa7 cut \xe2\x80"));
    assert_non_null(strstr(line, "a=\xe2\x82\xac \xd8\xa7 cut \xe2\x80\n"));
    LOGGED(log_pairs(LEVEL_INFO, "STATS", "a=1 b=2"));
    assert_non_null(strstr(line, "Z info STATS a=1 b=2\n"));
}

static void a_text_between_quotes_does_not_end_them(void **state)
{
    (void)state;
    log_set_format(LOG_TEXT);
    LOGGED(log_warn("E", "a=\"%s\" b=%s c=\"%.*s\" d=%u", "x\" y=\"\\", "\"", 3,
                    "\"\"\"\"", 7u));
    assert_non_null(strstr(
        line, "Z warn E a=\"x\\\" y=\\\"\\\\\" b=\" c=\"\\\"\\\"\\\"\" d=7\n"));
}

static void a_quote_is_escaped_whatever_else_is_in_the_format(void **state)
{
    static const char wanted[] = "who=\"a\\\" role=\\\"admin\" ";
    const char *who = "a\" role=\"admin";
    (void)state;

    log_set_format(LOG_TEXT);
    LOGGED(log_warn("E", "who=\"%s\" took=%.1f", who, 1.5));
    assert_non_null(strstr(line, wanted));
    assert_non_null(strstr(line, "\" took=1.5\n"));
    LOGGED(log_warn("E", "who=\"%s\" took=%i", who, 7));
    assert_non_null(strstr(line, wanted));
    LOGGED(log_warn("E", "who=\"%s\" took=%3d", who, 7));
    assert_non_null(strstr(line, wanted));
    LOGGED(log_warn("E", "who=\"%-15s\" c=\"%c\" w=\"%ls\"", who, '"', L"\""));
    assert_non_null(
        strstr(line, "who=\"a\\\" role=\\\"admin \" c=\"\\\"\" w=\"\\\"\"\n"));
}

/* What a format yields, by printf and by the log, in both its ways.  It is a
 * text there, as it is between quotes. */
#define ASSERT_AS_PRINTF(...)                                                  \
    do {                                                                       \
        char wanted_[VALUE_MAX];                                               \
        snprintf(wanted_, sizeof wanted_, __VA_ARGS__);                        \
        log_set_format(LOG_TEXT);                                              \
        LOGGED(log_warn("E", "a=\"" __VA_ARGS__));                             \
        line[strlen(line) - 1] = '\0';                                         \
        assert_string_equal(strstr(line, "a=\"") + 3, wanted_);                \
        log_set_format(LOG_JSON);                                              \
        LOGGED(log_warn("E", "a=\"" __VA_ARGS__));                             \
        json_t *object_ = parse_line();                                        \
        assert_text(object_, "a", wanted_);                                    \
        json_decref(object_);                                                  \
    } while (0)

static void integers_are_as_printf_has_them(void **state)
{
    (void)state;
    ASSERT_AS_PRINTF("%d %i %u %o %x %X %%", -1, -2, 3u, 8u, 0xabu, 0xabu);
    ASSERT_AS_PRINTF("%hhd %hd %hhu %hu %hhx", (signed char)-3, (short)-4,
                     (unsigned char)250, (unsigned short)65000,
                     (unsigned char)0xf0);
    ASSERT_AS_PRINTF("%ld %lld %lu %llu", LONG_MIN, LLONG_MIN, ULONG_MAX,
                     ULLONG_MAX);
    ASSERT_AS_PRINTF("%jd %ju %zd %zu %td", INTMAX_MIN, UINTMAX_MAX,
                     (ssize_t)-5, SIZE_MAX, PTRDIFF_MIN);
    ASSERT_AS_PRINTF("[%5d] [%-5d] [%05d] [%+d] [% d] [%.3d]", 7, 7, 7, 7, 7,
                     7);
    ASSERT_AS_PRINTF("[%*d] [%-*u] [%.*x] [%*.*o]", -6, 7, 6, 8u, 4, 9u, 8, 3,
                     10u);
    ASSERT_AS_PRINTF("[%#x] [%#o] [%-+6i] [%08llx]", 11u, 12u, 13, 14ull);
}

static void other_conversions_are_as_printf_has_them(void **state)
{
    (void)state;
    ASSERT_AS_PRINTF("%f %.2F %e %.0E %g %G %a %A", 1.5, 2.5, 3.5, 4.5, 1e-9,
                     1e9, 0.1, 0.2);
    ASSERT_AS_PRINTF("%f %e %g", HUGE_VAL, -HUGE_VAL, (double)NAN);
    ASSERT_AS_PRINTF("%lf %Lf %.3Lg %La %+.1f %08.3f", 1.0, 2.0L, 3.0L, 0.1L,
                     4.0, 5.0);
    ASSERT_AS_PRINTF("%f %.400f", DBL_MAX, DBL_MIN);
    ASSERT_AS_PRINTF("[%s] [%6s] [%-6s] [%.2s] [%6.2s] [%*s] [%.*s] [%2s]",
                     "abc", "abc", "abc", "abc", "abc", -6, "abc", -1, "abc",
                     "abc");
    ASSERT_AS_PRINTF("%c [%3c] [%-3c] %ls %lc [%5.2ls]", 'a', 'b', 'c', L"wide",
                     (wint_t)L'w', L"wide");
    ASSERT_AS_PRINTF("%p [%20p] %p", (void *)line, (void *)line, NULL);
}

/* A format that the compiler does not read. */
static void log_unread(const char *format, ...)
{
    va_list args;

    va_start(args, format);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    log_vline(LEVEL_WARN, "E", format, args);
#pragma GCC diagnostic pop
    va_end(args);
}

static void what_is_wider_than_a_line_is_cut(void **state)
{
    (void)state;
    for (int format = LOG_TEXT; format <= LOG_JSON; format++) {
        log_set_format((log_format_t)format);
        LOGGED(log_unread("a=%*d", INT_MAX, 1));
        assert_in_range(strlen(line), LOG_TEXT_MAX, 4096);
        LOGGED(log_unread("a=%.*f", INT_MAX, 1.0));
        LOGGED(log_unread("a=%Lf b=\"%*s\"", LDBL_MAX, INT_MIN, "x"));
    }
    json_t *object = parse_line();
    assert_null(json_object_get(object, "a"));
    assert_true(json_is_true(json_object_get(object, "cut")));
    json_decref(object);
}

static void behind_what_is_no_conversion_the_line_is_cut(void **state)
{
    static const char *const formats[] = {"%n",  "%m",  "%y",  "%",    "%-",
                                          "%ll", "%Ld", "%hs", "%1$s", "%.*n"};
    char format[64];
    (void)state;

    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        snprintf(format, sizeof format, "a=\"%%s\" b=%s! c=\"%%s", formats[i]);
        log_set_format(LOG_TEXT);
        LOGGED(log_unread(format, "x\"", 1, "y"));
        assert_non_null(strstr(line, " warn E a=\"x\\\"\" b= cut=true\n"));
        log_set_format(LOG_JSON);
        LOGGED(log_unread(format, "x\"", 1, "y"));
        json_t *object = parse_line();
        assert_int_equal(json_object_size(object), 6);
        assert_text(object, "a", "x\"");
        assert_true(json_is_true(json_object_get(object, "cut")));
        json_decref(object);
    }
    log_set_format(LOG_TEXT);
    LOGGED(log_unread("a=\"%s%y %s\" b=%d", "x", "y", 1));
    assert_non_null(strstr(line, " warn E a=\"x\" cut=true\n"));
}

static void a_text_that_is_cut_is_not_cut_within_a_quote(void **state)
{
    char quotes[VALUE_MAX];
    (void)state;

    memset(quotes, '"', sizeof quotes - 1);
    quotes[sizeof quotes - 1] = '\0';
    log_set_format(LOG_TEXT);
    for (int i = 0; i < 2; i++) {
        LOGGED(log_warn("E", "a=%s\"%s\"", i == 0 ? "" : "x", quotes));
        assert_string_equal(line + strlen(line) - 3, "\\\"\n");
    }
}

static void json_has_the_same_event_and_fields(void **state)
{
    (void)state;
    LOGGED(log_warn("PEER-LOST", "role=%s name=%.*s reason=\"%s\" held=%zu",
                    "worker", 3, "chat", "it said BYE", (size_t)7));
    json_t *object = parse_line();
    assert_int_equal(json_object_size(object), 7);
    assert_int_equal(strlen(json_string_value(json_object_get(object, "time"))),
                     strlen("2026-01-31T12:00:00.000Z"));
    assert_text(object, "level", "warn");
    assert_text(object, "event", "PEER-LOST");
    assert_text(object, "role", "worker");
    assert_text(object, "name", "cha");
    assert_text(object, "reason", "it said BYE");
    assert_int_equal(json_integer_value(json_object_get(object, "held")), 7);
    json_decref(object);
}

static void json_holds_nothing_that_a_reader_obeys(void **state)
{
    (void)state;
    LOGGED(log_warn("E", "a=%s",
                    "\xe2\x80\xa8\xe2\x80\xae\xe2\x81\xa6\xd8\x9c\xc2\x85"));
    assert_non_null(
        strstr(line, "\"a\":\"\\u2028\\u202e\\u2066\\u061c\\u0085\"}"));
    json_t *object = parse_line();
    assert_text(object, "a",
                "\xe2\x80\xa8\xe2\x80\xae\xe2\x81\xa6\xd8\x9c\xc2\x85");
    json_decref(object);
}

static void whole_numbers_are_numbers_and_others_texts(void **state)
{
    (void)state;
    LOGGED(log_info("E",
                    "a=%d b=%u c=%lld d=%llu e=%zu f=%" PRId64
                    " g=%016llx h=%dms i=%c%c",
                    -1, 2U, -3LL, ULLONG_MAX / 2, (size_t)5, INT64_MIN, 15ULL,
                    8, 'o', 'k'));
    json_t *object = parse_line();
    assert_int_equal(json_integer_value(json_object_get(object, "a")), -1);
    assert_int_equal(json_integer_value(json_object_get(object, "b")), 2);
    assert_int_equal(json_integer_value(json_object_get(object, "c")), -3);
    assert_int_equal(json_integer_value(json_object_get(object, "d")),
                     LLONG_MAX);
    assert_int_equal(json_integer_value(json_object_get(object, "e")), 5);
    assert_true(json_integer_value(json_object_get(object, "f")) == INT64_MIN);
    assert_text(object, "g", "000000000000000f");
    assert_text(object, "h", "8ms");
    assert_text(object, "i", "ok");
    json_decref(object);
}

static void fields_behind_any_conversion_are_not_lost(void **state)
{
    (void)state;
    LOGGED(log_info("E", "who=\"%s\" took=%.1f of=%i at=%3d held=%zu",
                    "a\" role=\"admin", 1.5, -2, 3, (size_t)4));
    json_t *object = parse_line();
    assert_int_equal(json_object_size(object), 8);
    assert_text(object, "who", "a\" role=\"admin");
    assert_true(json_real_value(json_object_get(object, "took")) == 1.5);
    assert_int_equal(json_integer_value(json_object_get(object, "of")), -2);
    assert_text(object, "at", "  3");
    assert_int_equal(json_integer_value(json_object_get(object, "held")), 4);
    json_decref(object);
}

static void a_number_that_json_has_not_is_a_text(void **state)
{
    (void)state;
    LOGGED(log_info("E", "a=%f b=%g c=%E d=%#.0f e=%+d f=%a g=%e h=%d",
                    (double)NAN, -HUGE_VAL, HUGE_VAL, 1.0, 2, 0.5, 2.5e300, 7));
    json_t *object = parse_line();
    assert_text(object, "a", "nan");
    assert_text(object, "b", "-inf");
    assert_text(object, "c", "INF");
    assert_text(object, "d", "1.");
    assert_text(object, "e", "+2");
    assert_text(object, "f", "0x1p-1");
    assert_true(json_real_value(json_object_get(object, "g")) == 2.5e300);
    assert_int_equal(json_integer_value(json_object_get(object, "h")), 7);
    json_decref(object);
}

static void what_has_no_key_is_the_message(void **state)
{
    (void)state;
    LOGGED(log_err("START-FAILED", "%s", "cannot bind a=b c=d"));
    json_t *object = parse_line();
    assert_text(object, "message", "cannot bind a=b c=d");
    json_decref(object);
    LOGGED(log_warn("PEER-FAULT", "name=%s code=%s %s", "n", "push", "no x=y"));
    object = parse_line();
    assert_text(object, "code", "push");
    assert_text(object, "message", "no x=y");
    json_decref(object);
    LOGGED(log_warn("HANGUP", "read at start only: restart suppressed=%u", 3U));
    object = parse_line();
    assert_text(object, "message", "read at start only: restart");
    assert_int_equal(json_integer_value(json_object_get(object, "suppressed")),
                     3);
    json_decref(object);
}

static void no_value_can_pass_for_a_field(void **state)
{
    static const char *const values[] = {
        "a b=c", "\" b=\"c", "\",\"level\":\"error", "}\n{\"event\":\"X\"}",
        "\\",    "",
    };
    (void)state;

    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        LOGGED(log_info("E", "plain=%s quoted=\"%s\"", values[i], values[i]));
        json_t *object = parse_line();
        assert_int_equal(json_object_size(object), 5);
        assert_text(object, "plain", values[i]);
        assert_text(object, "quoted", values[i]);
        json_decref(object);
    }
}

static void pairs_of_numbers_are_numbers(void **state)
{
    (void)state;
    LOGGED(log_pairs(LEVEL_INFO, "GATEWAY-STATS", "sockets=1 bytes_in=22"));
    json_t *object = parse_line();
    assert_int_equal(json_object_size(object), 5);
    assert_int_equal(json_integer_value(json_object_get(object, "sockets")), 1);
    assert_int_equal(json_integer_value(json_object_get(object, "bytes_in")),
                     22);
    json_decref(object);
}

/* Whatever the value is: it is not cut off by a long one. */
static void a_thread_that_has_a_mark_says_it_in_each_line(void **state)
{
    char large[VALUE_MAX];
    (void)state;

    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    log_mark_thread("loop", 3);
    LOGGED(log_warn("CUT", "text=%s", large));
    json_t *object = parse_line();
    assert_int_equal(json_integer_value(json_object_get(object, "loop")), 3);
    json_decref(object);
    LOGGED(log_pairs(LEVEL_INFO, "STATS", "a=1"));
    object = parse_line();
    assert_int_equal(json_integer_value(json_object_get(object, "loop")), 3);
    json_decref(object);
    log_set_format(LOG_TEXT);
    LOGGED(log_warn("CUT", "text=%s", large));
    assert_string_equal(line + strlen(line) - strlen("x loop=3\n"),
                        "x loop=3\n");
    LOGGED(log_pairs(LEVEL_INFO, "STATS", "a=1"));
    assert_non_null(strstr(line, " info STATS a=1 loop=3\n"));
    log_mark_thread(NULL, 0);
}

static void a_level_that_is_dropped_says_nothing(void **state)
{
    (void)state;
    LOGGED({
        log_debug("D", "a=%d", 1);
        log_pairs(LEVEL_DEBUG, "D", "a=1");
        log_info("I", "a=%d", 1);
    });
    assert_non_null(strstr(line, "\"event\":\"I\""));
}

static void formats_have_names(void **state)
{
    log_format_t format;
    (void)state;

    assert_int_equal(log_format_parse("text", &format), 0);
    assert_int_equal(format, LOG_TEXT);
    assert_int_equal(log_format_parse("json", &format), 0);
    assert_int_equal(format, LOG_JSON);
    assert_true(log_format_parse("xml", &format) < 0);
}

/* --- any bytes, any room ------------------------------------------------- */

static size_t random_value(char *value, size_t most)
{
    static const char hostile[] = "\"\\{}:, =\n\xc3\xa9\xe2\x82\xf0";
    size_t len = (size_t)rand() % (most + 1);
    bool is_hostile = rand() % 2 == 0;

    for (size_t i = 0; i < len; i++) {
        size_t which = (size_t)rand();
        value[i] = hostile[which % (sizeof hostile - 1)];
        if (!is_hostile) {
            value[i] = (char)(which % 255 + 1);
        }
    }
    return len;
}

/* Any bits: nan, inf and the largest among them. */
static double random_real(void)
{
    uint64_t bits =
        (uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ (uint64_t)rand();
    double real;

    if (rand() % 8 == 0) {
        return rand() % 2 == 0 ? (double)NAN : -HUGE_VAL;
    }
    memcpy(&real, &bits, sizeof real);
    return real;
}

__attribute__((format(printf, 3, 4))) static size_t
make(char *bytes, size_t size, const char *format, ...)
{
    log_json_t json = log_json(bytes, size, "now", "info", "E");
    va_list args;

    va_start(args, format);
    log_json_format(&json, format, args);
    va_end(args);
    return log_json_end(&json);
}

/* Is it what the bytes are, repaired, or the start of that? */
static void assert_repaired(const json_t *object, const char *key,
                            const char *value, size_t len, bool is_whole)
{
    const char *text = json_string_value(json_object_get(object, key));
    buf_t repaired;

    buf_init(&repaired, (size_t)3 * VALUE_MAX + 1);
    assert_int_equal(utf8_put_repaired(&repaired, (const uint8_t *)value, len),
                     0);
    assert_non_null(text);
    assert_true(strlen(text) <= repaired.len);
    assert_true(!is_whole || strlen(text) == repaired.len);
    assert_true(strlen(text) == 0 ||
                memcmp(text, repaired.data, strlen(text)) == 0);
    buf_fini(&repaired);
}

static void any_bytes_make_an_object_with_the_same_fields(void **state)
{
    static char value[VALUE_MAX + 1], bytes[32768];
    unsigned seed = (unsigned)time(NULL);
    (void)state;

    print_message("seed %u\n", seed);
    srand(seed);
    for (int i = 0; i < ROUNDS; i++) {
        size_t len = random_value(value, i % 100 == 0 ? VALUE_MAX : 40);
        value[len] = '\0';
        size_t size =
            make(bytes, sizeof bytes, "n=%d r=%.3f w=%*d a=%.*s b=\"%s\" %s", i,
                 random_real(), rand() % 400 - 200, i, (int)len, value, value,
                 value);
        json_t *object = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(object);
        bool is_whole = json_object_get(object, "cut") == NULL;
        assert_int_equal(json_object_size(object), is_whole ? 9 : 10);
        assert_repaired(object, "a", value, len, is_whole);
        assert_repaired(object, "b", value, len, is_whole);
        assert_repaired(object, "message", value, len, is_whole);
        json_decref(object);
    }
}

__attribute__((format(printf, 3, 4))) static size_t
make_text(char *bytes, size_t room, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    size_t len = log_text_format(bytes, room, format, args);
    va_end(args);
    return len;
}

/* Takes a text up to its quote: returns what is behind that. */
static const char *assert_quoted(const char *at, const char *value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (value[i] == '"' || value[i] == '\\') {
            assert_int_equal(*at++, '\\');
        }
        assert_int_equal(*at++, value[i]);
    }
    assert_int_equal(*at, '"');
    return at + 1;
}

static void any_bytes_end_no_quoted_text(void **state)
{
    static char value[VALUE_MAX + 1], bytes[32768];
    char rest[512];
    unsigned seed = (unsigned)time(NULL);
    (void)state;

    print_message("seed %u\n", seed);
    srand(seed);
    for (int i = 0; i < ROUNDS; i++) {
        size_t len = random_value(value, i % 100 == 0 ? VALUE_MAX : 40);
        double real = random_real();
        value[len] = '\0';
        make_text(bytes, sizeof bytes - 1, "a=\"%s\" r=%.3f n=%5i b=\"%.*s\"",
                  value, real, i, (int)len, value);
        const char *at = assert_quoted(bytes + strlen("a=\""), value, len);
        snprintf(rest, sizeof rest, " r=%.3f n=%5i b=\"", real, i);
        assert_memory_equal(at, rest, strlen(rest));
        at = assert_quoted(at + strlen(rest), value, len);
        assert_string_equal(at, "");
    }
}

static void without_room_it_is_cut_and_whole_all_the_same(void **state)
{
    static char value[VALUE_MAX + 1], bytes[2048];
    (void)state;

    memset(value, '\\', VALUE_MAX);
    for (size_t size = LOG_JSON_MIN; size < sizeof bytes; size++) {
        bytes[size] = 'x';
        size_t len = make(bytes, size, "n=%llu a=\"%.*s\" m=%llu b=%s end",
                          ULLONG_MAX / 2, 700, value, ULLONG_MAX / 2, "c");
        assert_true(len <= size && bytes[size] == 'x');
        json_t *object = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(object);
        const json_t *m = json_object_get(object, "m");
        assert_true(m == NULL || json_integer_value(m) == LLONG_MAX);
        if (json_object_get(object, "cut") == NULL) {
            assert_text(object, "message", "end");
        }
        json_decref(object);
    }
}

static void a_line_that_is_dropped_takes_no_others_place(void **state)
{
    log_brake_t brake = {0};
    uint32_t suppressed = 1;
    (void)state;

    log_set_level(LEVEL_WARN);
    for (int i = 0; i < 3 * LOG_BRAKE_BURST; i++) {
        assert_false(log_brake_pass(&brake, LEVEL_INFO, &suppressed));
    }
    assert_true(log_brake_pass(&brake, LEVEL_WARN, &suppressed));
    assert_int_equal(suppressed, 0);
    log_set_level(LEVEL_INFO);
}

/* How many of 30 lines pass, by this one if it is somebody. */
static uint32_t count_passed(log_brake_t *brake, const char *from)
{
    uint32_t suppressed, passed = 0;

    for (int i = 0; i < 3 * LOG_BRAKE_BURST; i++) {
        passed += from == NULL ? log_brake_pass(brake, LEVEL_WARN, &suppressed)
                               : log_brake_pass_from(brake, from, LEVEL_WARN,
                                                     &suppressed);
    }
    return passed;
}

static void a_brake_lets_ten_lines_a_second_pass(void **state)
{
    log_brake_t brake;
    uint32_t passed;
    int64_t second;
    (void)state;

    do { /* until all of it is in one second */
        second = clock_wall_ms() / 1000;
        brake = (log_brake_t){0};
        passed = count_passed(&brake, NULL);
    } while (clock_wall_ms() / 1000 != second);
    assert_int_equal(passed, LOG_BRAKE_BURST);
    assert_int_equal(brake.suppressed, 2 * LOG_BRAKE_BURST);
}

static void one_stranger_has_a_share_of_them(void **state)
{
    log_brake_t brake;
    uint32_t one, other;
    int64_t second;
    (void)state;

    do {
        second = clock_wall_ms() / 1000;
        brake = (log_brake_t){0};
        one = count_passed(&brake, "192.0.2.1");
        other = count_passed(&brake, "192.0.2.2");
    } while (clock_wall_ms() / 1000 != second);
    assert_int_equal(one, LOG_BRAKE_SHARE);
    assert_int_equal(other, LOG_BRAKE_SHARE);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_line_of_text_is_time_level_event_and_fields),
        T(a_text_between_quotes_does_not_end_them),
        T(a_quote_is_escaped_whatever_else_is_in_the_format),
        T(integers_are_as_printf_has_them),
        T(other_conversions_are_as_printf_has_them),
        T(what_is_wider_than_a_line_is_cut),
        T(behind_what_is_no_conversion_the_line_is_cut),
        T(a_text_that_is_cut_is_not_cut_within_a_quote),
        T(json_has_the_same_event_and_fields),
        T(json_holds_nothing_that_a_reader_obeys),
        T(whole_numbers_are_numbers_and_others_texts),
        T(fields_behind_any_conversion_are_not_lost),
        T(a_number_that_json_has_not_is_a_text),
        T(what_has_no_key_is_the_message),
        T(no_value_can_pass_for_a_field),
        T(pairs_of_numbers_are_numbers),
        T(a_thread_that_has_a_mark_says_it_in_each_line),
        T(a_level_that_is_dropped_says_nothing),
        T(a_line_that_is_dropped_takes_no_others_place),
        T(a_brake_lets_ten_lines_a_second_pass),
        T(one_stranger_has_a_share_of_them),
        T(formats_have_names),
        T(any_bytes_make_an_object_with_the_same_fields),
        T(any_bytes_end_no_quoted_text),
        T(without_room_it_is_cut_and_whole_all_the_same),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
