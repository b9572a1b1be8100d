/* SPDX-License-Identifier: MIT */
#include "store/redis_error.h"

#include "store/redis_keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PLACE_TEXT 320

/* An error begins with a word that names it (redis.io, "RESP protocol"). */
static const struct {
    const char *word;
    redis_verdict_t verdict;
} known[] = {
    {"MOVED ", {REDIS_GO_THERE, -EREMOTEIO}},
    {"ASK ", {REDIS_ASK_THERE, -EREMOTEIO}},
    {"TRYAGAIN", {REDIS_TRY_LATER, -EBUSY}},
    {"LOADING", {REDIS_TRY_LATER, -EBUSY}},
    {"BUSY", {REDIS_TRY_LATER, -EBUSY}},
    {"CLUSTERDOWN", {REDIS_TRY_LATER, -EBUSY}},
    {"MASTERDOWN", {REDIS_TRY_LATER, -EBUSY}},
    {"NOREPLICAS", {REDIS_TRY_LATER, -EBUSY}},
    {"OOM", {REDIS_TRY_BRIEFLY, -EBUSY}},
    {"NOSCRIPT", {REDIS_SEND_SCRIPT, -EREMOTEIO}},
    {"READONLY", {REDIS_LEAVE_SERVER, -EREMOTEIO}},
    {"NOAUTH", {REDIS_GIVE_UP, -EACCES}},
    {"WRONGPASS", {REDIS_GIVE_UP, -EACCES}},
    {"NOPERM", {REDIS_GIVE_UP, -EACCES}},
    {"ERR invalid password", {REDIS_GIVE_UP, -EACCES}}, /* before Redis 6 */
    {"ERR AUTH ", {REDIS_GIVE_UP, -EACCES}}, /* … <password> called without any
                                                password configured */
};

redis_verdict_t redis_verdict_of(wire_bytes_t error)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        size_t len = strlen(known[i].word);
        if (error.len >= len && memcmp(error.data, known[i].word, len) == 0) {
            return known[i].verdict;
        }
    }
    return (redis_verdict_t){REDIS_GIVE_UP, -EREMOTEIO};
}

/* "MOVED 3999 127.0.0.1:6381"; what comes behind another space is ignored, as
 * an address of IPv6 has no brackets here and the port is behind the last
 * colon. */
int redis_error_place(wire_bytes_t error, const char *from, uint16_t *slot,
                      redis_host_t *host)
{
    char text[PLACE_TEXT], *end;

    if (error.len == 0 || error.len >= sizeof text) {
        return -EPROTO;
    }
    memcpy(text, error.data, error.len);
    text[error.len] = '\0';
    char *number = strchr(text, ' ');
    unsigned long value =
        number == NULL ? REDIS_SLOTS : strtoul(number + 1, &end, 10);
    if (value >= REDIS_SLOTS || end == number + 1 || *end != ' ') {
        return -EPROTO;
    }
    *slot = (uint16_t)value;
    char *place = end + 1;
    place[strcspn(place, " ")] = '\0';
    char *colon = strrchr(place, ':');
    if (colon == NULL) {
        return -EPROTO;
    }
    *colon = '\0';
    value = strtoul(colon + 1, &end, 10);
    if (value == 0 || value > UINT16_MAX || *end != '\0') {
        return -EPROTO;
    }
    host->port = (uint16_t)value;
    const char *name = *place != '\0' ? place : from;
    if (strlen(name) >= sizeof host->host) {
        return -EPROTO;
    }
    memcpy(host->host, name, strlen(name) + 1);
    return 0;
}
