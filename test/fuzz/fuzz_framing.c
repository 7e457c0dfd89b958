/* Lines of the control protocol, through a socket in pieces cut anywhere: what comes out is what
 * was sent, line by line, or the reader refuses a line that is too long. */
#define _GNU_SOURCE
#include "test/fuzz/input.h"
#include "tool/control/framing.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* A line is cut at a NUL inside. */
static size_t lines_check(struct control_reader *reader, const uint8_t *sent, size_t size,
                          size_t at) {
    for (char *line; (line = control_reader_line(reader)) != NULL;) {
        const uint8_t *end = memchr(sent + at, '\n', size - at);
        CLAIM(end != NULL);
        size_t length = (size_t)(end - sent) - at;
        CLAIM(strlen(line) == strnlen((const char *)sent + at, length));
        CLAIM(memcmp(line, sent + at, strlen(line)) == 0);
        at += length + 1;
    }
    return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = {data, size};
    uint8_t seed = input_8(&input);
    struct control_reader reader;
    int pair[2];
    CLAIM(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    control_reader_init(&reader);
    size_t done = 0, sent = 0, size_left = input.left;
    ssize_t got = 1;
    while (sent < size_left && got > 0) {
        size_t piece = 1 + (seed = (uint8_t)(seed * 5 + 1)) % 97;
        piece = piece < size_left - sent ? piece : size_left - sent;
        CLAIM(send(pair[0], input.data + sent, piece, 0) == (ssize_t)piece);
        sent += piece;
        got = control_reader_fill(&reader, pair[1]);
        done = lines_check(&reader, input.data, sent, done);
        if (seed & 2)
            control_reader_settle(&reader);
    }
    CLAIM(got > 0 || got == -EMSGSIZE);
    CLAIM(control_reader_take_fd(&reader) == -1);
    control_reader_clear(&reader);
    close(pair[0]);
    close(pair[1]);
    return 0;
}
