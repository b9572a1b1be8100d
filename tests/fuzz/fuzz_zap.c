/* SPDX-License-Identifier: MIT
 *
 * Any parts of a ZAP question: each one is a byte that says how long it is,
 * and so many bytes.  What is a question has a whole key, and its answer the
 * parts that libzmq wants.
 */
#include "base/xalloc.h"
#include "broker/zap.h"

#include <string.h>

#define PARTS_MAX 10

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wire_bytes_t parts[PARTS_MAX] = {{NULL, 0}}, answer[ZAP_ANSWER];
    zap_question_t question;
    size_t count = 0, at = 0;

    while (at < size && count < PARTS_MAX) {
        size_t len = data[at++];
        len = len < size - at ? len : size - at;
        parts[count++] = (wire_bytes_t){data + at, len};
        at += len;
    }
    if (zap_read(parts, count, &question) == 0) {
        must(curve_is_key(question.key, strlen(question.key)));
        zap_answer(&question, true, answer);
        must(wire_is(answer[2], "200") && answer[4].len == CURVE_KEY_TEXT);
        zap_answer(&question, false, answer);
        must(wire_is(answer[2], "400") && answer[4].len == 0);
        must(wire_equal(answer[1], parts[1]));
    }
    return 0;
}
