/* SPDX-License-Identifier: MIT
 *
 * Any text as an endpoint: it is refused, or what was read of it, written down
 * again, reads the same; and a roster of it holds it once, however often it is
 * listed.
 */
#include "base/log.h"
#include "base/roster.h"
#include "base/xalloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool has_zero(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

static void check_written(const endpoint_t *endpoint)
{
    char text[ENDPOINT_HOST_MAX + 32], address[ADDRESS_TEXT];
    endpoint_t again;

    must(has_zero(endpoint->host, sizeof endpoint->host));
    must(endpoint->host[0] != '\0' && endpoint->port > 0);
    if (endpoint->kind == ENDPOINT_ADDRESS) {
        must(strlen(endpoint->host) < ADDRESS_TEXT);
        must(endpoint_normalize(endpoint->host, address) == 0);
        must(strcmp(endpoint->host, address) == 0);
        endpoint_format(endpoint->host, endpoint->port, text);
        must(strlen(text) < ENDPOINT_TEXT - 1);
    } else {
        must(endpoint_normalize(endpoint->host, address) < 0);
        snprintf(text, sizeof text, "tcp://%s:%u", endpoint->host,
                 endpoint->port);
    }
    must(endpoint_parse(text, &again) == 0);
    must(again.kind == endpoint->kind && again.port == endpoint->port);
    must(strcmp(again.host, endpoint->host) == 0);
}

static void check_roster(const char *text, size_t size, bool is_name)
{
    char *list = calloc(2, size + 2);
    roster_t roster;

    must(list != NULL);
    snprintf(list, 2 * (size + 2), "%s,%s", text, text);
    must(roster_init(&roster, list, 1) == -E2BIG);
    must(roster_init(&roster, list, 2) == 0);
    must(roster_count(&roster) == !is_name);
    must(roster.name_count == (is_name ? 2 : 0));
    roster_fini(&roster);
    free(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = calloc(1, size + 1);
    endpoint_t endpoint;

    must(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    int rc = endpoint_parse(text, &endpoint);
    must(rc == 0 || rc == -EINVAL || rc == -ERANGE);
    if (rc == 0 && endpoint.kind <= ENDPOINT_ADDRESS) {
        check_written(&endpoint);
    }
    if (rc == 0 && strchr(text, ',') == NULL) {
        check_roster(text, strlen(text), endpoint.kind == ENDPOINT_NAME);
    }
    free(text);
    return 0;
}
