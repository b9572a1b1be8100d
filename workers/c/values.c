/* SPDX-License-Identifier: MIT */
#include "workers/c/values.h"

#include "base/xalloc.h"

#include <errno.h>
#include <stdlib.h>

void values_fini(values_t *self)
{
    free(self->memory);
    self->memory = NULL;
}

static bool is_in_memory(const values_t *self, const void *value)
{
    uintptr_t at = (uintptr_t)value, start = (uintptr_t)self->memory;

    return self->memory != NULL && at >= start && at < start + self->size.used;
}

/* Whoever else lent a value may have returned when the event goes on. */
static void drop_lent(values_t *self)
{
    uint8_t kept = 0;

    for (size_t i = 0; i < self->size.values; i++) {
        if (is_in_memory(self, self->values[i].value)) {
            self->values[kept++] = self->values[i];
        }
    }
    self->size.values = kept;
}

void values_move(values_t *from, values_t *to)
{
    uint8_t *memory = to->memory;

    drop_lent(from);
    *to = *from;
    from->memory = memory;
    values_reset(from);
}

void *values_alloc(values_t *self, size_t size)
{
    const size_t align = _Alignof(max_align_t);

    if (size == 0 || size > (size_t)MEMORY_MAX - self->size.used) {
        return NULL;
    }
    if (self->memory == NULL && (self->memory = malloc(MEMORY_MAX)) == NULL) {
        return NULL;
    }
    void *start = memset(self->memory + self->size.used, 0, size);
    size_t end = (self->size.used + size + align - 1) / align * align;
    self->size.used = (uint16_t)(end < MEMORY_MAX ? end : MEMORY_MAX);
    return start;
}

int values_set(values_t *self, const void *key, void *value)
{
    for (size_t i = 0; i < self->size.values; i++) {
        if (self->values[i].key == key) {
            self->values[i].value = value;
            return 0;
        }
    }
    if (self->size.values == KEYS_MAX) {
        return -ENOBUFS;
    }
    self->values[self->size.values++] = (value_t){key, value};
    return 0;
}

void *values_get(const values_t *self, const void *key)
{
    for (size_t i = 0; i < self->size.values; i++) {
        if (self->values[i].key == key) {
            return self->values[i].value;
        }
    }
    return NULL;
}

int values_finally(values_t *self, const finally_t *finally)
{
    if (self->size.finally == FINALLY_MAX + self->size.watching) {
        return -ENOBUFS;
    }
    self->finally[self->size.finally++] = *finally;
    return 0;
}

void values_watch(values_t *self, const finally_t *finally)
{
    must(self->size.finally == 0);
    self->finally[self->size.finally++] = *finally;
    self->size.watching = 1;
}

void values_return(values_t *self, const values_mark_t *mark)
{
    self->size = mark->size;
    if (mark->size.has_request_id) {
        self->request_id = mark->request_id;
    }
    memcpy(self->values, mark->values,
           mark->size.values * sizeof *mark->values);
}

size_t values_take_finally(values_t *self, size_t kept,
                           finally_t taken[FINALLY_ALL])
{
    size_t count = 0;

    while (kept + count < self->size.finally) {
        taken[count] = self->finally[kept + count];
        count++;
    }
    self->size.finally = (uint8_t)(self->size.finally - count);
    return count;
}
