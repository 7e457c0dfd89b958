/* The command line: one function for each command, what they share, and how they say what is wrong.
 */
#ifndef TOOL_CLI_CLI_H
#define TOOL_CLI_CLI_H

#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { STATUS_FAILED = 1, STATUS_USAGE = 2, CLI_TEXT = 1024 };

/* argv[0] is the command's name. Each returns the process's exit status. */
int command_up(int argc, char **argv);
int command_down(int argc, char **argv);
int command_ps(int argc, char **argv);
int command_hosts(int argc, char **argv);
int command_ss(int argc, char **argv);
int command_logs(int argc, char **argv);
int command_dump(int argc, char **argv);
int command_capture(int argc, char **argv);
int command_port(int argc, char **argv);
int command_netem(int argc, char **argv);
int command_link(int argc, char **argv);
int command_partition(int argc, char **argv);
int command_heal(int argc, char **argv);
int command_kill(int argc, char **argv);
int command_pause(int argc, char **argv);
int command_unpause(int argc, char **argv);
int command_restart(int argc, char **argv);
int command_tap(int argc, char **argv);
int command_doctor(int argc, char **argv);
int command_version(int argc, char **argv);
int command_daemon(int argc, char **argv);
int command_keeper(int argc, char **argv);

/* What a command takes. */
struct cli_options {
    const char *usage;          /* after "berth ": "ps [--net NET]" */
    const char *help;           /* the rest of its --help; the common options are added */
    const char *letters;        /* getopt's, for the command's own options */
    const struct option *words; /* getopt_long's, for the command's own; may be NULL */
    void (*take)(void *context, int letter, const char *argument);
    void *context;
    int least, most; /* operands; most -1: any number */
};
/* Reads the options; *net is the network's name. Returns -1 to go on (operands from argv[optind]
 * on), or an exit status. */
int cli_parse(int argc, char **argv, const struct cli_options *options, const char **net);

/* What getopt_long returned '?' or ':' for, with the nearest of those known (cli_misuse's status).
 */
int cli_option_wrong(const char *command, char **argv, int letter, const struct option *known);

/* "berth: ..." on standard error; returns STATUS_FAILED. */
int cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same for wrong use of a command: adds where to read more; returns STATUS_USAGE. */
int cli_misuse(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whether it can be said to the daemon: UTF-8. */
bool cli_text_valid(const char *text);
/* A whole number within those bounds. */
bool cli_number(const char *text, long least, long most, long *number);

/* Connects to a running network; a descriptor, or -1 when that failed and has been said. */
int cli_connect(const char *net);
/* One request on a new connection to a running network. The reply, or NULL when that failed and has
 * been said. */
json_t *cli_ask(const char *net, json_t *request, const int *fds, int nfds, int *got);
/* The rows of a document that a request is answered with: an array, or NULL when that failed and
 * has been said. */
json_t *cli_rows(const char *net, json_t *request);

/* A table with aligned columns, the last one ragged. Strings are copied. */
struct table;
struct table *table_new(int columns);
void table_cell(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
void table_align_right(struct table *table, int column);
void table_print(const struct table *table, FILE *file);
void table_free(struct table *table);

#endif
