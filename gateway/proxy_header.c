/* SPDX-License-Identifier: MIT */
#include "gateway/proxy_header.h"

#include <errno.h>
#include <string.h>

#define V1_MAX       107 /* bytes of a line, with its CRLF */
#define V1_WORDS     6   /* PROXY TCP4 client us port port */
#define V2_HEAD      16
#define V2_LOCAL     0x20 /* version and command */
#define V2_PROXY     0x21
#define V2_TCP4      0x11 /* family and transport */
#define V2_TCP6      0x21
#define V2_TCP4_SIZE 12 /* bytes of two addresses and two ports */
#define V2_TCP6_SIZE 36

static const uint8_t v1_start[] = "PROXY ";
static const uint8_t v2_start[] = "\r\n\r\n\0\r\nQUIT\n";

#define V1_START_LEN (sizeof v1_start - 1)
#define V2_START_LEN (sizeof v2_start - 1)

typedef struct {
    const char *data;
    size_t len;
} word_t;

/* Do the bytes, as far as they go, begin like that? */
static bool begins(const uint8_t *bytes, size_t len, const uint8_t *start,
                   size_t start_len)
{
    return memcmp(bytes, start, len < start_len ? len : start_len) == 0;
}

static bool is_word(word_t word, const char *text)
{
    return word.len == strlen(text) && memcmp(word.data, text, word.len) == 0;
}

/* --- version 1 ----------------------------------------------------------- */

/* Words with one space between them.  Returns how many; more than V1_WORDS
 * count as one more. */
static size_t split(const uint8_t *line, size_t len, word_t words[V1_WORDS])
{
    const char *at = (const char *)line, *end = at + len;
    size_t count = 0;

    for (; count < V1_WORDS; count++) {
        const char *space = memchr(at, ' ', (size_t)(end - at));
        words[count].data = at;
        words[count].len = (size_t)((space == NULL ? end : space) - at);
        if (space == NULL) {
            return count + 1;
        }
        at = space + 1;
    }
    return count + 1;
}

static bool is_port(word_t word)
{
    unsigned long port = 0;

    for (size_t i = 0; i < word.len; i++) {
        if (word.data[i] < '0' || word.data[i] > '9') {
            return false;
        }
        port = port * 10 + (unsigned long)(word.data[i] - '0');
    }
    bool is_padded = word.len > 1 && word.data[0] == '0';
    return word.len > 0 && word.len <= 5 && port <= 65535 && !is_padded;
}

/* An address of that family, as it is written. */
static bool is_address(word_t word, bool is_v4, ip_t *ip)
{
    bool has_colon = memchr(word.data, ':', word.len) != NULL;

    return has_colon != is_v4 && ip_parse(word.data, word.len, ip) == 0;
}

static int parse_line(const uint8_t *line, size_t len, proxy_header_t *header)
{
    word_t words[V1_WORDS];
    ip_t us;

    size_t count = split(line, len, words);
    if (is_word(words[1], "UNKNOWN")) {
        return 0; /* and whatever is behind it */
    }
    bool is_v4 = is_word(words[1], "TCP4");
    if (count != V1_WORDS || (!is_v4 && !is_word(words[1], "TCP6")) ||
        !is_address(words[2], is_v4, &header->client) ||
        !is_address(words[3], is_v4, &us) || !is_port(words[4]) ||
        !is_port(words[5])) {
        return -EPROTO;
    }
    header->has_client = true;
    return 0;
}

static int parse_v1(const uint8_t *bytes, size_t len, proxy_header_t *header)
{
    size_t most = len < V1_MAX ? len : V1_MAX;
    const uint8_t *end = memchr(bytes, '\n', most);

    if (end == NULL) {
        return len < V1_MAX ? -EAGAIN : -EPROTO;
    }
    if (end[-1] != '\r') {
        return -EPROTO;
    }
    header->len = (size_t)(end + 1 - bytes);
    return parse_line(bytes, header->len - 2, header);
}

/* --- version 2 ----------------------------------------------------------- */

/* Of another family than TCP's, and of a proxy's own connections, nothing is
 * said that we could use. */
static int parse_addresses(const uint8_t *bytes, size_t size,
                           proxy_header_t *header)
{
    const uint8_t *addresses = bytes + V2_HEAD;
    uint8_t command = bytes[12], family = bytes[13];

    if (command == V2_LOCAL) {
        return 0;
    }
    if (command != V2_PROXY || (family == V2_TCP4 && size < V2_TCP4_SIZE) ||
        (family == V2_TCP6 && size < V2_TCP6_SIZE)) {
        return -EPROTO;
    }
    if (family == V2_TCP4) {
        header->client = ip_of_v4(addresses);
    } else if (family == V2_TCP6) {
        header->client = ip_of_v6(addresses);
    }
    header->has_client = family == V2_TCP4 || family == V2_TCP6;
    return 0;
}

static int parse_v2(const uint8_t *bytes, size_t len, proxy_header_t *header)
{
    if (len < V2_HEAD) {
        return -EAGAIN;
    }
    size_t size = (size_t)bytes[14] << 8 | bytes[15];
    header->len = V2_HEAD + size;
    if (header->len > PROXY_HEADER_MAX) {
        return -EMSGSIZE;
    }
    return len < header->len ? -EAGAIN : parse_addresses(bytes, size, header);
}

int proxy_header_parse(const uint8_t *bytes, size_t len, proxy_header_t *header)
{
    *header = (proxy_header_t){.has_client = false};
    if (len == 0) {
        return -EAGAIN;
    }
    if (begins(bytes, len, v2_start, V2_START_LEN)) {
        return len < V2_START_LEN ? -EAGAIN : parse_v2(bytes, len, header);
    }
    if (begins(bytes, len, v1_start, V1_START_LEN)) {
        return len < V1_START_LEN ? -EAGAIN : parse_v1(bytes, len, header);
    }
    return -EPROTO;
}
