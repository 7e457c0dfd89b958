/* An answer of any length: written into a memory file whose descriptor the client gets, so that a
 * slow client costs nothing. */
#ifndef TOOL_DAEMON_DOCUMENT_H
#define TOOL_DAEMON_DOCUMENT_H

#include "tool/daemon/connection.h"

#include <stdio.h>

struct document {
    FILE *file;
    bool failed;
};

void document_open(struct document *document);
/* One line of JSON; `row` is given. */
void document_row(struct document *document, json_t *row);
void document_octets(struct document *document, const char *data, size_t length);
/* Sends it, or a refusal when it could not be written. */
void document_send(struct document *document, struct connection *connection);
/* Text that came from outside (a process's name), made fit for JSON: what is not printable ASCII
 * becomes '?'. Returns `text`. */
char *text_clean(char *text);

#endif
