/* SPDX-License-Identifier: MIT */
#include "proto/api_path.h"

#include <string.h>

/* Take a segment off: what is between its '/' and the next.  false: the path is
 * at its end. */
static bool take_segment(wire_bytes_t *path, wire_bytes_t *segment)
{
    if (path->len == 0 || path->data[0] != '/') {
        return false;
    }
    const uint8_t *start = path->data + 1;
    size_t len = path->len - 1;
    const uint8_t *slash = len == 0 ? NULL : memchr(start, '/', len);

    *segment =
        (wire_bytes_t){start, slash == NULL ? len : (size_t)(slash - start)};
    path->data = start + segment->len;
    path->len = len - segment->len;
    return true;
}

/* Take the '@' off, however it is written. */
static bool take_at(wire_bytes_t *segment)
{
    size_t len = segment->len >= 1 && segment->data[0] == '@' ? 1
                 : segment->len >= 3 && memcmp(segment->data, "%40", 3) == 0
                     ? 3
                     : 0;

    segment->data += len;
    segment->len -= len;
    return len > 0;
}

bool api_path_parse(wire_bytes_t path, api_path_t *out)
{
    memset(out, 0, sizeof *out);
    if (!take_segment(&path, &out->word)) {
        return false;
    }
    if (!take_at(&out->word)) {
        out->stage = out->word;
        if (out->stage.len == 0 || !take_segment(&path, &out->word) ||
            !take_at(&out->word)) {
            return false;
        }
    }
    out->has_rest = path.len > 0;
    if (out->has_rest) {
        out->rest = (wire_bytes_t){path.data + 1, path.len - 1};
    }
    return true;
}
