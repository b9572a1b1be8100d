/* SPDX-License-Identifier: MIT */
#include "store/dynamodb_url.h"

#include "store/profile.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEME    "dynamodb://"
#define TABLE_MIN 3
#define LOCAL_REGION                                                           \
    "us-east-1" /* where an endpoint is given and no region                    \
                 */
#define NAME_CHARS                                                             \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
#define REGION_CHARS "abcdefghijklmnopqrstuvwxyz0123456789-"

typedef struct {
    char *text; /* the caller's */
    size_t size;
} complaint_t;

bool dynamodb_url_is(const char *url)
{
    return strncmp(url, SCHEME, strlen(SCHEME)) == 0;
}

__attribute__((format(printf, 2, 3))) static int wrong(const complaint_t *error,
                                                       const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(error->text, error->size, format, args);
    va_end(args);
    return -EINVAL;
}

/* Decode %XX; false: too long, or no text. */
static bool decode(const char *from, size_t len, char *to, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < len; i++) {
        char c = from[i];
        if (c == '%' && i + 2 < len && isxdigit((unsigned char)from[i + 1]) &&
            isxdigit((unsigned char)from[i + 2])) {
            char digits[3] = {from[i + 1], from[i + 2], '\0'};
            c = (char)strtoul(digits, NULL, 16);
            i += 2;
        }
        if (used + 1 >= size || c <= ' ' || c > '~') {
            return false;
        }
        to[used++] = c;
    }
    to[used] = '\0';
    return used > 0;
}

static int take_option(const char *text, size_t len, dynamodb_url_t *out,
                       const complaint_t *error)
{
    const char *equals = memchr(text, '=', len);
    size_t name_len = equals == NULL ? len : (size_t)(equals - text);
    const char *value = equals == NULL ? "" : equals + 1;
    size_t value_len = equals == NULL ? 0 : len - name_len - 1;
    bool is_region = name_len == 6 && strncmp(text, "region", 6) == 0;
    bool is_endpoint = name_len == 8 && strncmp(text, "endpoint", 8) == 0;

    if (!is_region && !is_endpoint) {
        return wrong(error,
                     "dynamodb:// has the options region and endpoint, "
                     "not '%.*s'",
                     (int)(name_len < 40 ? name_len : 40), text);
    }
    if (!(is_region ? decode(value, value_len, out->region, sizeof out->region)
                    : decode(value, value_len, out->endpoint,
                             sizeof out->endpoint))) {
        return wrong(error, "dynamodb://: %s= has no value that it can be",
                     is_region ? "region" : "endpoint");
    }
    return 0;
}

static int take_options(const char *text, dynamodb_url_t *out,
                        const complaint_t *error)
{
    int rc = 0;

    while (rc == 0 && text[0] != '\0') {
        size_t len = strcspn(text, "&");
        rc = len == 0 ? 0 : take_option(text, len, out, error);
        text += len + (text[len] == '&');
    }
    return rc;
}

static int take_table(const char *text, size_t len, dynamodb_url_t *out,
                      const complaint_t *error)
{
    if (len == 0) {
        return wrong(error, "dynamodb:// lacks the name of a table: "
                            "dynamodb://TABLE?region=REGION");
    }
    if (len < TABLE_MIN || len >= DYNAMODB_TABLE_MAX ||
        strspn(text, NAME_CHARS) < len) {
        return wrong(error,
                     "dynamodb://: '%.*s' is no name of a table: 3 to "
                     "255 of a-z A-Z 0-9 _ . -",
                     (int)(len < 40 ? len : 40), text);
    }
    memcpy(out->table, text, len);
    return 0;
}

static void look_elsewhere(dynamodb_url_t *out)
{
    static const char *const regions[] = {"AWS_REGION", "AWS_DEFAULT_REGION"};
    static const char *const endpoints[] = {"AWS_ENDPOINT_URL_DYNAMODB",
                                            "AWS_ENDPOINT_URL"};

    for (int i = 0; i < 2; i++) {
        const char *region = getenv(regions[i]);
        const char *endpoint = getenv(endpoints[i]);
        if (out->region[0] == '\0' && region != NULL) {
            snprintf(out->region, sizeof out->region, "%s", region);
        }
        if (out->endpoint[0] == '\0' && endpoint != NULL) {
            snprintf(out->endpoint, sizeof out->endpoint, "%s", endpoint);
        }
    }
    if (out->region[0] == '\0' &&
        profile_setting("region", out->region, sizeof out->region) < 0) {
        snprintf(out->region, sizeof out->region, "%s",
                 out->endpoint[0] != '\0' ? LOCAL_REGION : "");
    }
}

/* http://HOST[:PORT], its own host in *host. */
static int check_endpoint(char *endpoint, char *host, const complaint_t *error)
{
    size_t scheme = strncmp(endpoint, "http://", 7) == 0    ? 7
                    : strncmp(endpoint, "https://", 8) == 0 ? 8
                                                            : 0;
    size_t len = strcspn(endpoint + scheme, "/?#");

    if (scheme == 0 || len == 0 || strcspn(endpoint + scheme, "@") < len ||
        (endpoint[scheme + len] != '\0' &&
         strcmp(endpoint + scheme + len, "/") != 0)) {
        return wrong(error, "dynamodb://: endpoint has to be "
                            "http://HOST:PORT or https://HOST");
    }
    endpoint[scheme + len] = '\0';
    memcpy(host, endpoint + scheme, len + 1);
    return 0;
}

static void name_endpoints(dynamodb_url_t *out)
{
    const char *end = strncmp(out->region, "cn-", 3) == 0 ? "amazonaws.com.cn"
                                                          : "amazonaws.com";

    snprintf(out->host, sizeof out->host, "dynamodb.%s.%s", out->region, end);
    snprintf(out->streams_host, sizeof out->streams_host,
             "streams.dynamodb.%s.%s", out->region, end);
    snprintf(out->endpoint, sizeof out->endpoint, "https://dynamodb.%s.%s",
             out->region, end);
    snprintf(out->streams, sizeof out->streams,
             "https://streams.dynamodb.%s.%s", out->region, end);
}

int dynamodb_url_parse(const char *url, dynamodb_url_t *out, char *error,
                       size_t error_size)
{
    const complaint_t to = {error, error_size};
    const char *table = url + strlen(SCHEME);
    size_t len = strcspn(table, "?");

    memset(out, 0, sizeof *out);
    error[0] = '\0';
    int rc = take_table(table, len, out, &to);
    if (rc == 0 && table[len] == '?') {
        rc = take_options(table + len + 1, out, &to);
    }
    if (rc < 0) {
        return rc;
    }
    look_elsewhere(out);
    if (out->region[0] == '\0') {
        return wrong(&to,
                     "dynamodb://%s lacks a region: region=…, AWS_REGION "
                     "or that of a profile",
                     out->table);
    }
    if (out->region[strspn(out->region, REGION_CHARS)] != '\0') {
        return wrong(&to, "dynamodb://: '%s' is no region", out->region);
    }
    if (out->endpoint[0] == '\0') {
        name_endpoints(out);
        return 0;
    }
    rc = check_endpoint(out->endpoint, out->host, &to);
    memcpy(out->streams, out->endpoint, sizeof out->streams);
    memcpy(out->streams_host, out->host, sizeof out->streams_host);
    return rc;
}
