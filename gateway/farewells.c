/* SPDX-License-Identifier: MIT */
#include "gateway/farewells.h"

#include <stdlib.h>

void farewells_fini(farewells_t *self)
{
    free(self->ids);
    *self = (farewells_t){.ids = NULL};
}

void farewells_put(farewells_t *self, const conn_id_t *id)
{
    if (self->ids == NULL) {
        self->ids = calloc(FAREWELLS_KEPT, sizeof *self->ids);
    }
    if (self->ids == NULL) {
        return;
    }
    self->ids[self->at] = *id;
    self->at = (self->at + 1) % FAREWELLS_KEPT;
    self->len += self->len < FAREWELLS_KEPT;
}

bool farewells_has(const farewells_t *self, const conn_id_t *id)
{
    for (size_t i = 0; i < self->len; i++) {
        if (conn_id_equal(&self->ids[i], id)) {
            return true;
        }
    }
    return false;
}
