/* `berth port`, in docker's words. */
#include "tool/cli/cli.h"

#include <stdlib.h>
#include <string.h>

/* "80" or "80/tcp". False when it is none. */
static bool wanted_read(const char *text, json_int_t *port, const char **protocol) {
    char *end;
    *port = strtol(text, &end, 10);
    *protocol = *end == '/' ? end + 1 : "tcp";
    return end != text && (*end == '/' || *end == '\0') && *port >= 1 && *port <= 65535 &&
           (strcmp(*protocol, "tcp") == 0 || strcmp(*protocol, "udp") == 0);
}

static void outside_print(const json_t *row) {
    const char *address = json_string_value(json_object_get(row, "address"));
    bool v6 = strchr(address, ':') != NULL;
    printf("%s%s%s:%lld\n", v6 ? "[" : "", address, v6 ? "]" : "",
           (long long)json_integer_value(json_object_get(row, "outside")));
}

int command_port(int argc, char **argv) {
    const struct cli_options options = {
        .usage = "port [--net NET] HOST [PORT[/PROTOCOL]]",
        .help = "Lists the computer's published ports and where they are on this machine, or "
                "where that one is.\n",
        .letters = "",
        .least = 1,
        .most = 2};
    const char *net, *protocol = NULL;
    json_int_t port = 0;
    size_t index;
    json_t *row;
    int status = cli_parse(argc, argv, &options, &net), shown = 0;
    if (status >= 0)
        return status;
    const char *host = argv[optind];
    if (argc - optind == 2 && !wanted_read(argv[optind + 1], &port, &protocol))
        return cli_misuse(argv[0], "\"%.40s\" should be such as 80 or 53/udp", argv[optind + 1]);
    json_t *rows = cli_rows(net, json_pack("{s:s,s:s}", "do", "ports", "host", host));
    if (rows == NULL)
        return STATUS_FAILED;
    json_array_foreach(rows, index, row) {
        json_int_t inside = json_integer_value(json_object_get(row, "inside"));
        const char *kind = json_string_value(json_object_get(row, "protocol"));
        if (port != 0 && (inside != port || strcmp(kind, protocol) != 0))
            continue;
        if (port == 0)
            printf("%lld/%s -> ", (long long)inside, kind);
        outside_print(row);
        shown++;
    }
    json_decref(rows);
    if (port != 0 && shown == 0)
        return cli_fail("no public port %lld/%s published for %s", (long long)port, protocol, host);
    return 0;
}
