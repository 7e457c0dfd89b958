#define _GNU_SOURCE
#include "tool/cli/cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 16, CELL_MAX = 4096 };

struct table {
    int columns;
    bool right[COLUMNS_MAX];
    char **cells; /* row by row; NULL where memory was out */
    size_t count, capacity;
};

struct table *table_new(int columns) {
    struct table *table = calloc(1, sizeof *table);
    if (table != NULL)
        table->columns = columns;
    return table;
}

void table_align_right(struct table *table, int column) {
    if (table != NULL)
        table->right[column] = true;
}

void table_cell(struct table *table, const char *format, ...) {
    char text[CELL_MAX];
    if (table == NULL)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (table->count == table->capacity) {
        size_t capacity = table->capacity == 0 ? 256 : table->capacity * 2;
        char **cells = realloc(table->cells, capacity * sizeof *cells);
        if (cells == NULL)
            return;
        table->cells = cells;
        table->capacity = capacity;
    }
    table->cells[table->count++] = strdup(text);
}

static const char *cell_text(const struct table *table, size_t at) {
    return at < table->count && table->cells[at] != NULL ? table->cells[at] : "";
}

static void row_print(const struct table *table, size_t first, const int *widths, FILE *file) {
    for (int column = 0; column < table->columns; column++) {
        const char *text = cell_text(table, first + (size_t)column);
        bool last = column == table->columns - 1;
        if (last)
            fprintf(file, "%s\n", text);
        else
            fprintf(file, "%*s ", table->right[column] ? widths[column] : -widths[column], text);
    }
}

void table_print(const struct table *table, FILE *file) {
    if (table == NULL)
        return;
    int widths[COLUMNS_MAX] = {0};
    for (size_t i = 0; i < table->count; i++) {
        int *width = &widths[i % (size_t)table->columns];
        int length = (int)strlen(cell_text(table, i));
        *width = length > *width ? length : *width;
    }
    for (size_t i = 0; i < table->count; i += (size_t)table->columns)
        row_print(table, i, widths, file);
}

void table_free(struct table *table) {
    if (table == NULL)
        return;
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i]);
    free(table->cells);
    free(table);
}
