/* SPDX-License-Identifier: MIT
 *
 * Any bytes as a file of keys: it has some and nothing is wrong, or the other
 * way round; and no key of it has signed a token that nobody signed.
 */
#include "base/xalloc.h"
#include "workers/c/auth/keyset.h"

#include <stdlib.h>
#include <string.h>

/* Of {"alg":…} and {}, signed with 64 bytes of zero. */
#define TOKEN(header) header ".e30." ZEROS
#define ZEROS                                                                  \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"                              \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static const char *const tokens[] = {
    TOKEN("eyJhbGciOiJIUzI1NiJ9"),
    TOKEN("eyJhbGciOiJSUzI1NiJ9"),
    TOKEN("eyJhbGciOiJFUzI1NiJ9"),
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size > 0 ? size : 1); /* not a byte more */
    const char *why = NULL;
    jws_t jws;

    must(exact != NULL);
    memcpy(exact, data, size);
    keyset_t *keys = keyset_of_text(hoist_bytes(exact, size), &why);
    must((keys == NULL) == (why != NULL));
    if (keys != NULL) {
        must(keyset_count(keys) >= 1 && keyset_count(keys) <= KEYSET_MAX);
        for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
            must(jws_parse(hoist_str(tokens[i]), &jws) == 0);
            must(keyset_verify(keys, &jws) < 0);
        }
    }
    keyset_drop(keys);
    free(exact);
    return 0;
}
