/* SPDX-License-Identifier: MIT
 *
 * Files of one directory for plain GETs: a demo page, not a web server.  A
 * path is opened beneath the directory's descriptor, one component after the
 * other, never through a link.  Loop thread only; reads block on the disk.
 */
#ifndef GATEWAY_STATIC_FILES_H
#define GATEWAY_STATIC_FILES_H

#include "proto/http.h"

typedef struct static_files static_files_t;

#define STATIC_FILE_MAX (8u << 20) /* bytes; larger files answer 404 */

/* Returns NULL with errno set when directory cannot be opened. */
static_files_t *static_files_new(const char *directory);
void static_files_destroy(static_files_t **self_p);

/*
 * Append the whole response to a GET or HEAD (others: 405).  stays: the
 * connection is kept for another request.
 * Returns 0, -ENOBUFS, -ENOMEM; then out is unchanged.
 */
int static_files_answer(static_files_t *self, const http_request_t *request,
                        bool stays, buf_t *out);

#endif
