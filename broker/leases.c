/* SPDX-License-Identifier: MIT */
#include "broker/leases.h"

#include "base/xalloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void lease_set_value(lease_t *self, wire_bytes_t value)
{
    self->value_len = value.len < STORE_LEASE_MAX ? value.len : STORE_LEASE_MAX;
    memcpy(self->value, value.data, self->value_len);
}

bool lease_loop(const lease_t *self, uint32_t *loop)
{
    return self->name_len >= STORE_OWNER_TEXT + 2 &&
           self->name[STORE_OWNER_TEXT] == ':' &&
           conn_id_parse_loop(self->name, STORE_OWNER_TEXT, loop) == 0;
}

wire_bytes_t lease_boot(const lease_t *self)
{
    return (wire_bytes_t){self->name + STORE_OWNER_TEXT + 1,
                          self->name_len - STORE_OWNER_TEXT - 1};
}

size_t lease_put_name(uint32_t loop, wire_bytes_t boot,
                      char name[STORE_LEASE_MAX])
{
    char text[CONN_ID_TEXT];

    conn_id_format(&(conn_id_t){.loop = loop}, text);
    return (size_t)snprintf(name, STORE_LEASE_MAX, "%.*s:%.*s",
                            STORE_OWNER_TEXT, text, (int)boot.len,
                            (const char *)boot.data);
}

/* --- all of them ---------------------------------------------------------- */

lease_t *leases_find(const list_t *all, wire_bytes_t name)
{
    list_foreach(link, all) {
        lease_t *seen = list_entry(link, lease_t, linked);
        if (wire_equal(lease_name(seen), name)) {
            return seen;
        }
    }
    return NULL;
}

bool leases_have_loop(const list_t *all, uint32_t loop)
{
    uint32_t of;

    list_foreach(link, all) {
        if (lease_loop(list_entry(link, lease_t, linked), &of) && of == loop) {
            return true;
        }
    }
    return false;
}

static void take(list_t *all, const store_lease_t *lease, int64_t now_ms,
                 bool is_presumed)
{
    if (lease->name.len > STORE_LEASE_MAX) {
        return;
    }
    lease_t *seen = leases_find(all, lease->name);
    if (seen == NULL) {
        seen = xcalloc(1, sizeof *seen);
        seen->name_len = lease->name.len;
        memcpy(seen->name, lease->name.data, lease->name.len);
        list_append(all, &seen->linked);
        seen->since_ms = now_ms;
        lease_set_value(seen, lease->value);
    } else if (!wire_equal(lease_value(seen), lease->value)) {
        seen->since_ms = now_ms;
        lease_set_value(seen, lease->value);
    }
    seen->is_told = true;
    seen->is_presumed = is_presumed;
    list_remove(&seen->linked); /* they come in the same order each time, so */
    list_append(all, &seen->linked); /* the next is the first */
}

void leases_take(list_t *all, const store_lease_t *lease, int64_t now_ms)
{
    take(all, lease, now_ms, false);
}

void leases_presume(list_t *all, const store_lease_t *lease, int64_t now_ms)
{
    take(all, lease, now_ms, true);
}

void leases_forget_untold(list_t *all)
{
    list_foreach_safe(link, all) {
        lease_t *seen = list_entry(link, lease_t, linked);
        if (!seen->is_told) {
            list_remove(link);
            free(seen);
        } else {
            seen->is_told = false;
        }
    }
}

void leases_forgive(list_t *all, int64_t now_ms)
{
    list_foreach(link, all) {
        list_entry(link, lease_t, linked)->since_ms = now_ms;
    }
}
