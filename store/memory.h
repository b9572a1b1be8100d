/* SPDX-License-Identifier: MIT
 *
 * Records in this process's memory, those of `writer` alone: what other brokers
 * hold is not in it.
 */
#ifndef STORE_MEMORY_H
#define STORE_MEMORY_H

#include "store/options.h"
#include "store/store.h"

/* Every operation is done before store_submit returns.  Never NULL. */
store_t *store_memory_new(const store_options_t *options);

#endif
