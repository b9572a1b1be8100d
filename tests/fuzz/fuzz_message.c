/* SPDX-License-Identifier: MIT
 *
 * Any bytes as a frame: what decodes is encoded and decoded again, and the
 * second encoding equals the first (the first may lack what a newer version
 * added, so it is not compared with the input).
 */
#include "base/xalloc.h"
#include "proto/message.h"

#include <errno.h>
#include <string.h>

#define ENCODED_MAX (1u << 24)

static void check_round_trip(const message_t *message)
{
    buf_t first, second;
    message_t again;

    buf_init(&first, ENCODED_MAX);
    buf_init(&second, ENCODED_MAX);
    must(message_put(&first, message) == 0);
    wire_cursor_t cursor = wire_cursor((wire_bytes_t){first.data, first.len});
    must(message_decode(&cursor, &again) == 1);
    must(again.kind == message->kind && again.size == first.len);
    must(wire_at_end(&cursor));
    must(message_put(&second, &again) == 0);
    must(first.len == second.len);
    must(memcmp(first.data, second.data, first.len) == 0);
    buf_fini(&first);
    buf_fini(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wire_cursor_t frame = wire_cursor((wire_bytes_t){data, size});
    message_t message;
    int rc;

    while ((rc = message_decode(&frame, &message)) != 0) {
        must(message.size > 0);
        if (rc == 1) {
            check_round_trip(&message);
        }
        must(rc != -EBADMSG || wire_at_end(&frame));
    }
    return 0;
}
