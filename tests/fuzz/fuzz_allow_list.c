/* SPDX-License-Identifier: MIT
 *
 * Any text of a list of keys, and of a certificate: what is taken is whole
 * keys, sorted, each once.
 */
#include "base/xalloc.h"
#include "broker/allow_list.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    allowed_t *keys;
    curve_key_t key;
    size_t line;
    int count = allow_list_parse(text, size, &keys, &line);

    for (int i = 0; i < count; i++) {
        must(curve_is_key(keys[i].key, strlen(keys[i].key)));
        must(strlen(keys[i].name) <= ALLOW_NAME_MAX);
        must(i == 0 || strcmp(keys[i - 1].key, keys[i].key) < 0);
    }
    free(keys);
    if (curve_find(text, size, "public-key", key) == 0) {
        must(curve_is_key(key, strlen(key)));
    }
    return 0;
}
