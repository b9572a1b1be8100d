/* SPDX-License-Identifier: MIT
 *
 * Any bytes as the file of a dead letter: what is read lies within them and is
 * a letter that a broker may give to a worker; written again it is read as the
 * same.
 */
#include "base/xalloc.h"
#include "broker/letter.h"
#include "proto/message.h"

#include <stddef.h>

static wire_bytes_t whole(const buf_t *buf)
{
    return (wire_bytes_t){buf->data, buf->len};
}

static void must_be_within(wire_bytes_t part, const uint8_t *data, size_t size)
{
    must(part.len == 0 ||
         (part.data >= data && part.data + part.len <= data + size));
}

static void must_be_same(const letter_t *a, const letter_t *b)
{
    must(conn_id_equal(&a->conn, &b->conn));
    must(wire_equal(a->route, b->route));
    must(a->body.type == b->body.type);
    must(wire_equal(a->body.bytes, b->body.bytes));
    must(wire_equal(a->context, b->context));
    must(a->number == b->number && a->attempts == b->attempts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    letter_t letter = {.id = 0}, again = {.id = 0};
    int64_t died_ms, died_again_ms;
    buf_t out;

    if (letter_get((wire_bytes_t){data, size}, &letter, &died_ms) < 0) {
        return 0;
    }
    must(letter.route.len >= 1 && letter.route.len <= ROUTE_KEY_MAX);
    must(letter.context.len <= CONTEXT_MAX && died_ms >= 0);
    must_be_within(letter.route, data, size);
    must_be_within(letter.body.bytes, data, size);
    must_be_within(letter.context, data, size);
    buf_init(&out, size + 256);
    must(letter_put(&out, &letter, died_ms) == 0);
    must(letter_get(whole(&out), &again, &died_again_ms) == 0);
    must_be_same(&letter, &again);
    must(died_again_ms == died_ms);
    buf_fini(&out);
    return 0;
}
