/* `ps` and `hosts`. */
#include "tool/cli/cli.h"

struct look_choice {
    bool json;
};

static const struct option words[] = {{"json", no_argument, NULL, 'j'}, {NULL, 0, NULL, 0}};

static void look_take(void *context, int letter, const char *argument) {
    (void)argument;
    struct look_choice *choice = context;
    choice->json = choice->json || letter == 'j';
}

static const char *row_text(const json_t *row, const char *key) {
    const char *text = json_string_value(json_object_get(row, key));
    return text != NULL ? text : "-";
}

static void rows_print(const json_t *rows, const char *const *titles, const char *const *keys,
                       int columns) {
    struct table *table = table_new(columns);
    size_t at;
    json_t *row;
    for (int i = 0; i < columns; i++)
        table_cell(table, "%s", titles[i]);
    json_array_foreach(rows, at, row) {
        for (int i = 0; i < columns; i++) {
            const json_t *value = json_object_get(row, keys[i]);
            if (json_is_integer(value))
                table_cell(table, "%lld", (long long)json_integer_value(value));
            else
                table_cell(table, "%s", row_text(row, keys[i]));
        }
    }
    table_print(table, stdout);
    table_free(table);
}

static int look(int argc, char **argv, const char *usage, const char *help,
                const char *const *titles, const char *const *keys, int columns) {
    struct look_choice choice = {.json = false};
    const char *net;
    const struct cli_options options = {.usage = usage,
                                        .help = help,
                                        .letters = "",
                                        .words = words,
                                        .take = look_take,
                                        .context = &choice};
    int status = cli_parse(argc, argv, &options, &net);
    if (status >= 0)
        return status;
    json_t *rows = cli_rows(net, json_pack("{s:s}", "do", argv[0]));
    if (rows == NULL)
        return STATUS_FAILED;
    if (choice.json)
        printf("%s", json_dumpf(rows, stdout, JSON_INDENT(2)) == 0 ? "\n" : "");
    else
        rows_print(rows, titles, keys, columns);
    json_decref(rows);
    return 0;
}

int command_ps(int argc, char **argv) {
    static const char *const titles[] = {"HOST", "ADDRESS", "PROGRAM", "PID", "STATUS", "SINCE"};
    static const char *const keys[] = {"host", "address", "program", "pid", "status", "since"};
    return look(argc, argv, "ps [--net NET] [--json]",
                "Lists the computers of a network and the programs that were started on them.\n\n"
                "  --json      as an array of objects",
                titles, keys, 6);
}

int command_hosts(int argc, char **argv) {
    static const char *const titles[] = {"HOST", "ADDRESS", "IPV6", "NETWORK"};
    static const char *const keys[] = {"host", "address", "address6", "network"};
    return look(argc, argv, "hosts [--net NET] [--json]",
                "Lists the computers of a network and their addresses.\n\n"
                "  --json      as an array of objects",
                titles, keys, 4);
}
