#define _GNU_SOURCE
#include "tool/daemon/document.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

void document_open(struct document *document) {
    int fd = memfd_create("berth-document", MFD_CLOEXEC);
    document->file = fd >= 0 ? fdopen(fd, "w") : NULL;
    document->failed = document->file == NULL;
    if (document->failed && fd >= 0)
        close(fd);
}

void document_row(struct document *document, json_t *row) {
    if (row == NULL || (!document->failed && (json_dumpf(row, document->file, JSON_COMPACT) < 0 ||
                                              fputc('\n', document->file) == EOF)))
        document->failed = true;
    json_decref(row);
}

void document_octets(struct document *document, const char *data, size_t length) {
    if (!document->failed && fwrite(data, 1, length, document->file) != length)
        document->failed = true;
}

void document_send(struct document *document, struct connection *connection) {
    int fd = -1;
    if (!document->failed && fflush(document->file) == 0)
        fd = fcntl(fileno(document->file), F_DUPFD_CLOEXEC, 0);
    if (document->file != NULL)
        fclose(document->file);
    if (fd < 0 || lseek(fd, 0, SEEK_SET) < 0) {
        if (fd >= 0)
            close(fd);
        connection_refuse(connection,
                          "the answer could not be written: out of memory or descriptors");
        return;
    }
    connection_reply_document(connection, fd);
}

char *text_clean(char *text) {
    for (char *at = text; *at != '\0'; at++)
        if (*at < ' ' || *at > '~')
            *at = '?';
    return text;
}
