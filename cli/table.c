/* SPDX-License-Identifier: MIT */
#include "cli/table.h"

#include "base/xalloc.h"
#include "cli/text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CELL_BYTES (4 * TABLE_CELL_MAX + 1)
#define GAP        2 /* between columns */

struct table {
    const char *const *heads; /* borrowed */
    size_t columns;
    size_t width[TABLE_COLUMNS_MAX];
    char **cells; /* owned; row by row */
    size_t count, cap;
};

static bool is_number(const table_t *self, size_t column)
{
    return self->heads[column][0] == '>';
}

static const char *head_of(const table_t *self, size_t column)
{
    return self->heads[column] + is_number(self, column);
}

table_t *table_new(const char *const *heads)
{
    table_t *self = xcalloc(1, sizeof *self);

    self->heads = heads;
    while (heads[self->columns] != NULL) {
        must(self->columns < TABLE_COLUMNS_MAX);
        self->width[self->columns] = text_width(head_of(self, self->columns));
        self->columns++;
    }
    return self;
}

void table_destroy(table_t **self_p)
{
    table_t *self = *self_p;

    if (self == NULL) {
        return;
    }
    *self_p = NULL;
    for (size_t i = 0; i < self->count; i++) {
        free(self->cells[i]);
    }
    free(self->cells);
    free(self);
}

void table_put(table_t *self, const char *text)
{
    char cell[CELL_BYTES];
    size_t column = self->count % self->columns;

    text_clean(cell, sizeof cell, text, TABLE_CELL_MAX);
    if (self->count == self->cap) {
        self->cap = self->cap == 0 ? 64 : self->cap * 2;
        self->cells = realloc(self->cells, self->cap * sizeof *self->cells);
        must(self->cells != NULL);
    }
    self->cells[self->count++] = xstrdup(cell);
    size_t width = text_width(cell);
    if (width > self->width[column]) {
        self->width[column] = width;
    }
}

void table_put_name(table_t *self, const json_t *name)
{
    char *text =
        text_of_name(json_string_value(name), json_string_length(name));

    table_put(self, text);
    free(text);
}

/* Each number has its own way to be written. */
#define NUMBER(name, type)                                                     \
    void table_put_##name(table_t *self, type value)                           \
    {                                                                          \
        char text[TEXT_NUMBER_MAX];                                            \
                                                                               \
        text_##name(text, value);                                              \
        table_put(self, text);                                                 \
    }
NUMBER(count, uint64_t)
NUMBER(us, uint64_t)
NUMBER(age, int64_t)
NUMBER(bytes, uint64_t)
NUMBER(rate, double)
#undef NUMBER

void table_put_share(table_t *self, const histogram_t *times, double share)
{
    if (times->count == 0) {
        table_put(self, "-");
    } else {
        table_put_us(self, histogram_at(times, share));
    }
}

static void print_cell(const table_t *self, size_t column, const char *text,
                       FILE *out)
{
    bool is_last = column + 1 == self->columns;
    int room = (int)(self->width[column] - text_width(text));

    if (is_number(self, column)) {
        fprintf(out, "%*s%s", room, "", text);
    } else {
        fprintf(out, "%s%*s", text, is_last ? 0 : room, "");
    }
    fprintf(out, "%*s", is_last ? 0 : GAP, "");
    if (is_last) {
        fputc('\n', out);
    }
}

void table_print(const table_t *self, FILE *out)
{
    must(self->columns > 0);
    for (size_t i = 0; i < self->columns; i++) {
        print_cell(self, i, head_of(self, i), out);
    }
    for (size_t i = 0; i < self->count; i++) {
        print_cell(self, i % self->columns, self->cells[i], out);
    }
}
