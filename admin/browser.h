/* SPDX-License-Identifier: MIT
 *
 * Is a request a browser's?  What the admin listener lets everybody do, or see
 * of clients, who reaches it, a page must not through somebody's browser: not
 * by a request across origins, nor by a name of its own that stands for our
 * address (DNS rebinding).  Pure.
 */
#ifndef ADMIN_BROWSER_H
#define ADMIN_BROWSER_H

#include "proto/http.h"

#include <stdbool.h>

/* listen: the address that was configured, whose host is a name that it may be
 * reached by; others are localhost and any IP address. */
bool browser_may_have_sent(const http_request_t *request, const char *listen);

#endif
