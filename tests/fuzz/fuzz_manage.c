/* SPDX-License-Identifier: MIT
 *
 * Any bytes as a file of keys, a file of tokens, and a request head to the
 * management API: who is let in had what is in the files, and an order is
 * within its bounds.
 */
#include "base/log.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "manage/auth.h"
#include "manage/order.h"

#include <stdlib.h>
#include <string.h>

#define TOKEN "a-token-that-nobody-guesses"

static void check_order(const http_request_t *request)
{
    order_t order;
    buf_t detail;

    buf_init(&detail, 65536);
    if (order_read(request, "", &order, &detail) == NULL) {
        must(order.name_len <= ORDER_NAME_MAX);
        must(utf8_is_valid(order.name, order.name_len));
        must(utf8_is_valid(order.reason, order.reason_len));
        must(order.verb != ORDER_CLOSE || close_code_is_allowed(order.code));
    }
    buf_fini(&detail);
}

static bool holds(wire_bytes_t bytes, const char *text)
{
    return memmem(bytes.data, bytes.len, text, strlen(text)) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wire_bytes_t bytes = {data, size};
    auth_t *auth = auth_new(true);
    http_request_t request;

    log_set_level(LEVEL_ERROR);
    must(auth_add_keys(auth, bytes) >= 0);
    auth_destroy(&auth);
    auth = auth_new(true);
    must(auth_add_tokens(auth, wire_bytes(TOKEN "\n")) == 0);
    must(auth_add_keys(auth, wire_bytes("AKID secret\n")) == 0);
    if (size > 0 && http_parse(data, size, size, &request) == 0) {
        check_order(&request);
        bool is_in = auth_check(auth, &request, (wire_bytes_t){NULL, 0},
                                1500000000) == NULL;
        must(!is_in || holds(bytes, TOKEN) || holds(bytes, "AKID"));
    }
    auth_destroy(&auth);
    return 0;
}
