#include "tool/cli/ss.h"
#include "tool/cli/cli.h"

#include <string.h>

static void ss_take(void *context, int letter, const char *argument) {
    (void)argument;
    struct ss_choice *choice = context;
    bool *switches[] = {
        ['t'] = &choice->tcp,     ['u'] = &choice->udp,       ['l'] = &choice->listening,
        ['n'] = &choice->numeric, ['p'] = &choice->processes, ['a'] = &choice->all,
        ['j'] = &choice->json,    ['i'] = &choice->info,      ['o'] = &choice->options};
    *switches[letter] = true;
}

static void row_cells(struct table *table, const struct ss_choice *choice, const json_t *row,
                      const struct services *services) {
    char local[128], peer[128], process[3000], info[1000];
    const char *host, *netid, *state;
    json_int_t receive_queue, send_queue;
    json_t *local_end, *peer_end, *processes;
    if (json_unpack((json_t *)(uintptr_t)row, "{s:s,s:s,s:s,s:I,s:I,s:o,s:o,s:o}", "host", &host,
                    "netid", &netid, "state", &state, "recv_q", &receive_queue, "send_q",
                    &send_queue, "local", &local_end, "peer", &peer_end, "process",
                    &processes) != 0)
        return;
    ss_end_text(local_end, netid, services, local, sizeof local);
    ss_end_text(peer_end, netid, services, peer, sizeof peer);
    ss_process_text(processes, process, sizeof process);
    table_cell(table, "%s", host);
    if (choice->tcp == choice->udp)
        table_cell(table, "%s", netid);
    table_cell(table, "%s", state);
    table_cell(table, "%lld", (long long)receive_queue);
    table_cell(table, "%lld", (long long)send_queue);
    table_cell(table, "%s", local);
    table_cell(table, "%s", peer);
    const json_t *tcp_info = choice->info ? json_object_get(row, "tcp_info") : NULL;
    if (tcp_info != NULL)
        ss_info_text(tcp_info, choice, info, sizeof info);
    /* The last column is as long as it likes, and may be more than a line. */
    table_cell(table, "%s%s%s", process, tcp_info != NULL ? "\n\t" : "",
               tcp_info != NULL ? info : "");
}

/* iproute2's columns, after the computer's name. As there, the protocol's column is left out when
 * one was asked for. */
static void rows_print(const struct ss_choice *choice, const json_t *rows) {
    bool both = choice->tcp == choice->udp;
    struct services *services = choice->numeric ? NULL : services_read("/etc/services");
    struct table *table = table_new(both ? 8 : 7);
    size_t at;
    json_t *row;
    table_cell(table, "HOST");
    if (both)
        table_cell(table, "Netid");
    table_cell(table, "State");
    table_cell(table, "Recv-Q");
    table_cell(table, "Send-Q");
    table_cell(table, "Local Address:Port");
    table_cell(table, "Peer Address:Port");
    table_cell(table, choice->processes ? "Process" : "");
    json_array_foreach(rows, at, row) {
        row_cells(table, choice, row, services);
    }
    table_print(table, stdout);
    table_free(table);
    services_free(services);
}

int command_ss(int argc, char **argv) {
    static const struct option words[] = {
        {"tcp", no_argument, NULL, 't'},       {"udp", no_argument, NULL, 'u'},
        {"listening", no_argument, NULL, 'l'}, {"numeric", no_argument, NULL, 'n'},
        {"processes", no_argument, NULL, 'p'}, {"all", no_argument, NULL, 'a'},
        {"info", no_argument, NULL, 'i'},      {"options", no_argument, NULL, 'o'},
        {"json", no_argument, NULL, 'j'},      {NULL, 0, NULL, 0}};
    struct ss_choice choice = {.tcp = false};
    const char *net;
    const struct cli_options options = {
        .usage = "ss [--net NET] [-tulnpaio] [--json] [FILTER]",
        .help =
            "Lists the sockets of all computers of a network, as iproute2's ss does; without -a "
            "and -l the\nconnected ones.\n\n"
            "  -t, --tcp        TCP\n"
            "  -u, --udp        UDP\n"
            "  -l, --listening  those that wait for others\n"
            "  -a, --all        all\n"
            "  -n, --numeric    ports as numbers, not as services\n"
            "  -p, --processes  who holds them\n"
            "  -i, --info       what TCP knows of each connection, in a line below it\n"
            "  -o, --options    and what of TCP's options both ends use (ts sack ecn)\n"
            "  --json           as an array of objects\n\n"
            "FILTER is as iproute2's: state NAME, exclude NAME, sport = :PORT, dport > :PORT, src "
            "ADDRESS,\ndst ADDRESS/PREFIX:PORT, and, or, not, ( ).",
        .letters = "tulnpaio",
        .words = words,
        .take = ss_take,
        .context = &choice,
        .most = -1};
    int status = cli_parse(argc, argv, &options, &net);
    if (status >= 0)
        return status;
    char wrong[256];
    if (!ss_filter_parse(&choice.filter, argc - optind, argv + optind, wrong, sizeof wrong))
        return cli_misuse("ss", "ss: %s", wrong);
    json_t *rows =
        cli_rows(net, json_pack("{s:s,s:b,s:b}", "do", "ss", "owners",
                                (int)(choice.processes || choice.json), "info", (int)choice.info));
    json_t *shown = json_array(), *row;
    size_t at;
    json_array_foreach(rows, at, row) {
        if (ss_wants(&choice, row))
            json_array_append(shown, row);
    }
    if (rows != NULL && choice.json)
        printf("%s", json_dumpf(shown, stdout, JSON_INDENT(2)) == 0 ? "\n" : "");
    else if (rows != NULL)
        rows_print(&choice, shown);
    json_decref(shown);
    json_decref(rows);
    return rows != NULL ? 0 : STATUS_FAILED;
}
