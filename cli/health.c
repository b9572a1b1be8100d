/* SPDX-License-Identifier: MIT */
#include "cli/health.h"

#include "admin/options.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#define WAIT_MS         3000L /* the admin listener itself gives up after 2000 */
#define DEFAULT_ADDRESS "127.0.0.1:9100"
#define ADDRESS_MAX     256 /* bytes of an address with its port, 0 */

static const char usage_text[] =
    "usage: hoist health [--ready] [ADDRESS:PORT]\n\n"
    "Asks a running hoist for /healthz, or /readyz with --ready, prints what "
    "it says and\nends with 0 when that is good, 1 when it is not or nobody "
    "answers within 3 s.\nThe address is that of --admin: when it is left out "
    "HOIST_ADMIN, else\n" DEFAULT_ADDRESS
    ".  A port alone is one of 127.0.0.1.\n";

static int usage(const char *why)
{
    fprintf(stderr, "hoist health: %s; try hoist health --help\n", why);
    return 2;
}

/* Prints the body.  Returns 0 for a 200, else 1, with a line that says why when
 * there was no answer. */
static int ask(CURL *curl, const char *url)
{
    long status = 0;

    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* whatever HTTP_PROXY says */
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, WAIT_MS);
    CURLcode failed = curl_easy_perform(curl);
    if (failed != CURLE_OK) {
        fprintf(stderr, "hoist health: %s: %s\n", url,
                curl_easy_strerror(failed));
        return 1;
    }
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return status == 200 ? 0 : 1;
}

static int ask_once(const char *url)
{
    CURL *curl = curl_easy_init();
    int status = curl != NULL ? ask(curl, url) : 1;

    curl_easy_cleanup(curl);
    return status;
}

int health_main(int argc, char **argv)
{
    char address[ADDRESS_MAX], url[ADDRESS_MAX + 16];
    bool is_ready = argc > 0 && strcmp(argv[0], "--ready") == 0;
    int rest = argc - (is_ready ? 1 : 0);
    const char *listen = rest > 0 ? argv[argc - 1] : getenv("HOIST_ADMIN");

    if (argc > 0 &&
        (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)) {
        fputs(usage_text, stdout);
        return 0;
    }
    if (rest > 1) {
        return usage("it asks one address");
    }
    if (listen == NULL || listen[0] == '\0') {
        listen = DEFAULT_ADDRESS;
    }
    if (!admin_address(listen, address, sizeof address)) {
        return usage("this address is too long");
    }
    snprintf(url, sizeof url, "http://%s/%s", address,
             is_ready ? "readyz" : "healthz");
    return ask_once(url);
}
