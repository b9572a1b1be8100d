/* SPDX-License-Identifier: MIT */
#include "workers/c/refusal.h"

#include <stdio.h>

int refusal_keep(refusal_t *self, int rc, const char *call, const char *name,
                 const char *hint)
{
    int none = 0;

    if (rc >= 0 || !atomic_compare_exchange_strong(&self->taken, &none, rc)) {
        return rc;
    }
    self->call = call;
    (void)snprintf(self->name, sizeof self->name, "%s",
                   name != NULL ? name : "");
    (void)snprintf(self->hint, sizeof self->hint, "%s", hint);
    atomic_store(&self->rc, rc);
    return rc;
}

void refusal_explain(refusal_t *self, const char *format, va_list args)
{
    (void)vsnprintf(self->reason, sizeof self->reason, format, args);
}
