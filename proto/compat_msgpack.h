/* SPDX-License-Identifier: MIT
 *
 * What differs between msgpack-c 4 (Debian 12) and 6 (Debian 13): only the
 * name of the package (msgpack, msgpack-c), which CMake settles.  The one
 * place that includes it, so that a difference of a later version has its
 * home.
 */
#ifndef PROTO_COMPAT_MSGPACK_H
#define PROTO_COMPAT_MSGPACK_H

#include <msgpack.h>

#endif
