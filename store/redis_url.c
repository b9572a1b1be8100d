/* SPDX-License-Identifier: MIT */
#include "store/redis_url.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLAIN_PORT    6379
#define SENTINEL_PORT 26379
#define DB_MAX        65535
#define ALPHANUMERIC                                                           \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* Some bytes of the URL. */
typedef struct {
    const char *at;
    size_t len;
} part_t;

typedef struct {
    char *text;
    size_t size;
} complaint_t;

static int wrong(const complaint_t *error, const char *what)
{
    snprintf(error->text, error->size, "redis URL: %s", what);
    return -EINVAL;
}

/* What stands before the first `mark`, which goes, too; all where there is
 * none, and *rest is empty then. */
static part_t cut_at(part_t whole, char mark, part_t *rest)
{
    const char *found = memchr(whole.at, mark, whole.len);
    part_t first = whole;

    *rest = (part_t){whole.at + whole.len, 0};
    if (found != NULL) {
        first.len = (size_t)(found - whole.at);
        *rest = (part_t){found + 1, whole.len - first.len - 1};
    }
    return first;
}

static bool part_is(part_t part, const char *text)
{
    return part.len == strlen(text) && memcmp(part.at, text, part.len) == 0;
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    digit = (char)(digit | 0x20);
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Is it not empty, and of these characters only? */
static bool is_of(const char *text, const char *allowed)
{
    return text[0] != '\0' && text[strspn(text, allowed)] == '\0';
}

/* Percent-decoded (RFC 3986, section 2.1).  A NUL is none that we take. */
static int decode(part_t part, char *text, size_t size)
{
    size_t len = 0;

    for (size_t i = 0; i < part.len; i++) {
        char byte = part.at[i];
        if (byte == '%') {
            int high = i + 2 < part.len ? hex_value(part.at[i + 1]) : -1;
            int low = high >= 0 ? hex_value(part.at[i + 2]) : -1;
            if (low < 0) {
                return -EINVAL;
            }
            byte = (char)(high << 4 | low);
            i += 2;
        }
        if (byte == '\0' || len + 1 >= size) {
            return -EINVAL;
        }
        text[len++] = byte;
    }
    text[len] = '\0';
    return 0;
}

static int parse_number(part_t part, unsigned long max, unsigned long *number)
{
    unsigned long value = 0;

    if (part.len == 0 || part.len > 9) {
        return -EINVAL;
    }
    for (size_t i = 0; i < part.len; i++) {
        if (part.at[i] < '0' || part.at[i] > '9') {
            return -EINVAL;
        }
        value = value * 10 + (unsigned long)(part.at[i] - '0');
    }
    *number = value;
    return value <= max ? 0 : -EINVAL;
}

/* --- the parts ----------------------------------------------------------- */

static int parse_user(redis_url_t *url, part_t part, const complaint_t *error)
{
    part_t password;
    part_t user = cut_at(part, ':', &password);

    if (decode(user, url->user, sizeof url->user) < 0 ||
        decode(password, url->password, sizeof url->password) < 0) {
        return wrong(error, "user or password is too long, or no text with "
                            "each % : / ? @ , written as %XX");
    }
    return 0;
}

static int parse_host(redis_host_t *host, part_t part, const complaint_t *error)
{
    part_t name, port;
    unsigned long number;

    if (part.len > 0 && part.at[0] == '[') {
        part_t behind;
        name = cut_at((part_t){part.at + 1, part.len - 1}, ']', &behind);
        (void)cut_at(behind, ':', &port);
        if (name.len + 1 == part.len ||
            (behind.len > 0 && behind.at[0] != ':')) {
            return wrong(error, "a host is HOST:PORT, or [ADDRESS]:PORT");
        }
    } else {
        name = cut_at(part, ':', &port);
    }
    if (name.len == 0 || name.len >= sizeof host->host) {
        return wrong(error, "a host is missing, or too long");
    }
    memcpy(host->host, name.at, name.len);
    host->host[name.len] = '\0';
    if (!is_of(host->host, ALPHANUMERIC "_.:%-")) {
        return wrong(error, "a host is a name or an address; in a user or "
                            "password each % : / ? @ , is written as %XX");
    }
    host->port = 0; /* as the mode says, which is not known yet */
    if (port.len > 0) {
        if (parse_number(port, 65535, &number) < 0 || number == 0) {
            return wrong(error, "a port is a number from 1 to 65535");
        }
        host->port = (uint16_t)number;
    }
    return 0;
}

static int parse_hosts(redis_url_t *url, part_t part, const complaint_t *error)
{
    do {
        if (url->host_count == REDIS_HOSTS_MAX) {
            return wrong(error, "there are more than 16 hosts");
        }
        part_t one = cut_at(part, ',', &part);
        if (parse_host(&url->hosts[url->host_count++], one, error) < 0) {
            return -EINVAL;
        }
    } while (part.len > 0);
    return 0;
}

static int parse_cluster(redis_url_t *url, part_t value,
                         const complaint_t *error)
{
    if (part_is(value, "auto")) {
        url->mode = REDIS_AUTO;
    } else if (part_is(value, "yes")) {
        url->mode = REDIS_CLUSTER;
    } else if (part_is(value, "no")) {
        url->mode = REDIS_PLAIN;
    } else {
        return wrong(error, "cluster is auto, yes or no");
    }
    return 0;
}

static int parse_option(redis_url_t *url, part_t name, part_t value,
                        const complaint_t *error)
{
    const struct {
        const char *name;
        char *text;
        size_t size;
    } texts[] = {
        {"prefix", url->prefix, sizeof url->prefix},
        {"sentinel", url->master, sizeof url->master},
        {"password_file", url->password_file, sizeof url->password_file},
        {"ca", url->ca, sizeof url->ca},
        {"cert", url->certificate, sizeof url->certificate},
        {"key", url->key, sizeof url->key},
    };

    if (part_is(name, "cluster")) {
        return parse_cluster(url, value, error);
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (part_is(name, texts[i].name)) {
            if (decode(value, texts[i].text, texts[i].size) < 0) {
                return wrong(error, "an option's value is too long, or no "
                                    "text with each % & # written as %XX");
            }
            return 0;
        }
    }
    return wrong(error, "the options are prefix, cluster, sentinel, "
                        "password_file, ca, cert and key");
}

static int parse_options(redis_url_t *url, part_t part,
                         const complaint_t *error)
{
    while (part.len > 0) {
        part_t value;
        part_t name = cut_at(cut_at(part, '&', &part), '=', &value);
        if (parse_option(url, name, value, error) < 0) {
            return -EINVAL;
        }
    }
    return 0;
}

static int parse_db(redis_url_t *url, part_t part, const complaint_t *error)
{
    unsigned long number = 0;

    if (part.len > 0 && parse_number(part, DB_MAX, &number) < 0) {
        return wrong(error, "a database is a number");
    }
    url->db = (uint32_t)number;
    return 0;
}

/* What goes with what, once all parts are known. */
static int settle(redis_url_t *url, const complaint_t *error)
{
    /* Braces or a space would be a trap for whoever reads keys. */
    if (!is_of(url->prefix, ALPHANUMERIC "_.:-")) {
        return wrong(error, "a prefix has letters, digits and _ . : - only");
    }
    if (url->master[0] != '\0') {
        if (url->mode == REDIS_CLUSTER) {
            return wrong(error, "sentinel and cluster=yes exclude each other");
        }
        url->mode = REDIS_SENTINEL;
    }
    if (url->db != 0 && url->mode == REDIS_CLUSTER) {
        return wrong(error, "a cluster has no other database than 0");
    }
    if (url->db != 0 && url->mode == REDIS_AUTO) {
        url->mode = REDIS_PLAIN;
    }
    if ((url->certificate[0] == '\0') != (url->key[0] == '\0')) {
        return wrong(error, "cert and key go together");
    }
    for (size_t i = 0; i < url->host_count; i++) {
        if (url->hosts[i].port == 0) {
            url->hosts[i].port =
                url->mode == REDIS_SENTINEL ? SENTINEL_PORT : PLAIN_PORT;
        }
    }
    return 0;
}

int redis_url_parse(const char *text, redis_url_t *url, char *error,
                    size_t error_size)
{
    const complaint_t told = {error, error_size};
    part_t rest = {text, strlen(text)}, options, path, hosts;
    int rc = 0;

    *url = (redis_url_t){.prefix = "hoist"};
    error[0] = '\0';
    if (strncmp(text, "redis://", 8) == 0) {
        rest = (part_t){text + 8, rest.len - 8};
    } else if (strncmp(text, "rediss://", 9) == 0) {
        url->has_tls = true;
        rest = (part_t){text + 9, rest.len - 9};
    } else {
        return wrong(&told, "it begins with redis:// or rediss://");
    }
    part_t place = cut_at(rest, '?', &options);
    place = cut_at(place, '/', &path);
    if (memchr(place.at, '@', place.len) != NULL) {
        part_t user = cut_at(place, '@', &hosts);
        rc = parse_user(url, user, &told);
        place = hosts;
    }
    if (rc < 0 || parse_hosts(url, place, &told) < 0 ||
        parse_db(url, path, &told) < 0 ||
        parse_options(url, options, &told) < 0) {
        return -EINVAL;
    }
    return settle(url, &told);
}

void redis_host_format(const redis_host_t *host, char text[REDIS_ADDRESS_TEXT])
{
    bool has_colons = strchr(host->host, ':') != NULL;

    snprintf(text, REDIS_ADDRESS_TEXT, has_colons ? "[%s]:%u" : "%s:%u",
             host->host, (unsigned)host->port);
}

void redis_url_name(const redis_url_t *url, char *text, size_t size)
{
    size_t len =
        (size_t)snprintf(text, size, "redis%s://", url->has_tls ? "s" : "");

    for (size_t i = 0; i < url->host_count && len < size; i++) {
        char address[REDIS_ADDRESS_TEXT];
        redis_host_format(&url->hosts[i], address);
        len += (size_t)snprintf(text + len, size - len, "%s%s",
                                i == 0 ? "" : ",", address);
    }
}

int redis_url_secret(const redis_url_t *url, char secret[REDIS_SECRET_TEXT])
{
    if (url->password_file[0] == '\0') {
        memcpy(secret, url->password, sizeof url->password);
        return 0;
    }
    FILE *file = fopen(url->password_file, "re");
    if (file == NULL) {
        return -errno;
    }
    bool is_read = fgets(secret, REDIS_SECRET_TEXT, file) != NULL;
    fclose(file);
    if (!is_read) {
        return -ENODATA;
    }
    secret[strcspn(secret, "\r\n")] = '\0';
    return 0;
}
