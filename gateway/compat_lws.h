/* SPDX-License-Identifier: MIT
 *
 * libwebsockets 4.1 (Debian 12) and 4.3 (Debian 13): what differs between
 * them stands here and nowhere else.  gateway/ is the only folder that may
 * include it.
 */
#ifndef GATEWAY_COMPAT_LWS_H
#define GATEWAY_COMPAT_LWS_H

#include <libwebsockets.h>

#if LWS_LIBRARY_VERSION_NUMBER < 4001000
#error "libwebsockets 4.1 or newer is needed"
#endif

/* 4.3 has a mask to silence per-library logging; both have this call. */
#define COMPAT_LWS_LOG_LEVELS (LLL_ERR | LLL_WARN)

#endif
