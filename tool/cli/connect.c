#define _GNU_SOURCE
#include "tool/cli/cli.h"
#include "tool/control/ask.h"
#include "tool/control/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int cli_connect(const char *net) {
    char error[CLI_TEXT];
    int fd = control_connect(net, false, error, sizeof error);
    if (fd < 0)
        cli_fail("%s", error);
    return fd < 0 ? -1 : fd;
}

json_t *cli_ask(const char *net, json_t *request, const int *fds, int nfds, int *got) {
    char error[CLI_TEXT];
    int fd = cli_connect(net);
    if (fd < 0) {
        json_decref(request);
        return NULL;
    }
    json_t *reply = control_ask(fd, request, fds, nfds, got, NULL, error, sizeof error);
    close(fd);
    if (reply == NULL)
        cli_fail("%s", error);
    return reply;
}

/* One value a line. */
static json_t *rows_read(FILE *file) {
    json_t *rows = json_array();
    json_error_t error;
    for (;;) {
        int c = fgetc(file);
        if (c == EOF)
            return rows;
        if (c == '\n')
            continue;
        ungetc(c, file);
        json_t *row = json_loadf(file, JSON_DISABLE_EOF_CHECK, &error);
        if (row == NULL || json_array_append_new(rows, row) < 0) {
            json_decref(rows);
            return NULL;
        }
    }
}

json_t *cli_rows(const char *net, json_t *request) {
    int got = -1;
    json_t *reply = cli_ask(net, request, NULL, 0, &got);
    if (reply == NULL)
        return NULL;
    json_decref(reply);
    FILE *file = got >= 0 ? fdopen(got, "r") : NULL;
    json_t *rows = file != NULL ? rows_read(file) : NULL;
    if (file != NULL)
        fclose(file);
    else if (got >= 0)
        close(got);
    if (rows == NULL)
        cli_fail("the answer of network %s cannot be read", net);
    return rows;
}
