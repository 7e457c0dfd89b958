/* Lines and descriptors cut anywhere, garbage, and clients that do not read. */
#define _GNU_SOURCE
#include "tool/control/framing.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void pair_open(int pair[2]) {
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
}

static void pair_close(int pair[2]) {
    close(pair[0]);
    close(pair[1]);
}

static void send_with_fds(int socket, const char *data, size_t length, const int *fds, int count) {
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * 64)];
    } ancillary;
    memset(&ancillary, 0, sizeof ancillary);
    struct iovec part = {(void *)(uintptr_t)data, length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = &ancillary;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * (size_t)count);
    }
    assert_int_equal(sendmsg(socket, &message, 0), (ssize_t)length);
}

static int descriptors_open(void) {
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Three lines, sent in two pieces that are cut at every possible place, come out whole and in
 * order. */
static void lines_cut_anywhere(void **state) {
    (void)state;
    static const char text[] = "{\"do\":\"ping\"}\n\n{\"do\":\"ps\"}\n";
    for (size_t cut = 0; cut < sizeof text; cut++) {
        int pair[2];
        struct control_reader reader;
        char seen[64] = "";
        pair_open(pair);
        control_reader_init(&reader);
        for (int piece = 0; piece < 2; piece++) {
            size_t from = piece == 0 ? 0 : cut, to = piece == 0 ? cut : sizeof text - 1;
            if (from >= to)
                continue;
            assert_int_equal(send(pair[0], text + from, to - from, 0), (ssize_t)(to - from));
            assert_int_equal(control_reader_fill(&reader, pair[1]), (ssize_t)(to - from));
            for (char *line; (line = control_reader_line(&reader)) != NULL;) {
                strcat(seen, line);
                strcat(seen, "|");
            }
        }
        assert_string_equal(seen, "{\"do\":\"ping\"}||{\"do\":\"ps\"}|");
        assert_int_equal(control_reader_fill(&reader, pair[1]), -EAGAIN);
        control_reader_clear(&reader);
        pair_close(pair);
    }
}

/* A line of the greatest length passes, one octet more does not. */
static void line_of_the_greatest_length(void **state) {
    (void)state;
    char *text = malloc(CONTROL_LINE_MAX);
    assert_non_null(text);
    for (int more = 0; more < 2; more++) {
        int pair[2];
        struct control_reader reader;
        pair_open(pair);
        control_reader_init(&reader);
        memset(text, 'x', CONTROL_LINE_MAX);
        if (!more)
            text[CONTROL_LINE_MAX - 1] = '\n';
        char *line = NULL;
        ssize_t result = 0;
        for (size_t sent = 0; sent < CONTROL_LINE_MAX && result >= 0;) {
            ssize_t n = send(pair[0], text + sent, CONTROL_LINE_MAX - sent, MSG_DONTWAIT);
            sent += n > 0 ? (size_t)n : 0;
            result = control_reader_fill(&reader, pair[1]);
            if (result > 0)
                line = control_reader_line(&reader);
        }
        while (line == NULL && (result = control_reader_fill(&reader, pair[1])) > 0)
            line = control_reader_line(&reader);
        if (more) {
            assert_null(line);
            assert_int_equal(result, -EMSGSIZE);
        } else {
            assert_non_null(line);
            assert_int_equal(strlen(line), CONTROL_LINE_MAX - 1);
        }
        control_reader_clear(&reader);
        pair_close(pair);
    }
    free(text);
}

/* Two lines with descriptors behind one without, read in one go: the first takes none, and the
 * order holds. */
static void descriptors_come_with_their_lines(void **state) {
    (void)state;
    int before = descriptors_open(), pair[2], pipes[2];
    struct control_reader reader;
    struct stat sent, got;
    pair_open(pair);
    assert_int_equal(pipe(pipes), 0);
    control_reader_init(&reader);
    send_with_fds(pair[0], "none\n", 5, NULL, 0);
    send_with_fds(pair[0], "both\n", 5, pipes, 2);
    while (control_reader_fill(&reader, pair[1]) > 0)
        continue;
    assert_string_equal(control_reader_line(&reader), "none");
    assert_string_equal(control_reader_line(&reader), "both");
    for (int i = 0; i < 2; i++) {
        int fd = control_reader_take_fd(&reader);
        assert_true(fd >= 0);
        assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        assert_int_equal(fstat(fd, &got), 0);
        assert_int_equal(fstat(pipes[i], &sent), 0);
        assert_int_equal(got.st_ino, sent.st_ino);
        close(fd);
    }
    assert_int_equal(control_reader_take_fd(&reader), -1);
    control_reader_clear(&reader);
    close(pipes[0]);
    close(pipes[1]);
    pair_close(pair);
    assert_int_equal(descriptors_open(), before);
}

/* Descriptors that no line asked for are closed; a flood of them is an error that leaks none. */
static void unasked_descriptors_are_closed(void **state) {
    (void)state;
    int before = descriptors_open(), pair[2], many[40];
    struct control_reader reader;
    for (int i = 0; i < 40; i++)
        many[i] = 0;
    pair_open(pair);
    control_reader_init(&reader);
    send_with_fds(pair[0], "a\n", 2, many, 3);
    assert_int_equal(control_reader_fill(&reader, pair[1]), 2);
    control_reader_settle(&reader); /* the line is still there: so are they */
    assert_int_equal(reader.fd_count, 3);
    assert_non_null(control_reader_line(&reader));
    control_reader_settle(&reader);
    assert_int_equal(reader.fd_count, 0);
    send_with_fds(pair[0], "b\n", 2, many, 40);
    assert_int_equal(control_reader_fill(&reader, pair[1]), -ETOOMANYREFS);
    control_reader_clear(&reader);
    pair_close(pair);
    assert_int_equal(descriptors_open(), before);
}

/* A receiver that does not read: the writer keeps within its limit, and nothing is lost or doubled
 * once it reads. */
static void writer_within_its_limit(void **state) {
    (void)state;
    enum { LIMIT = 1 << 20, PIECE = 1000 };
    int pair[2];
    struct control_writer writer;
    char piece[PIECE];
    size_t put = 0, read_back = 0;
    pair_open(pair);
    control_writer_init(&writer, LIMIT);
    memset(piece, 'p', sizeof piece);
    piece[PIECE - 1] = '\n';
    while (control_writer_put(&writer, piece, PIECE, -1) == 0) {
        int result = control_writer_flush(&writer, pair[0]);
        assert_true(result == 0 || result == -EAGAIN);
        put += PIECE;
        assert_true(put < 16 * LIMIT);
    }
    assert_true(control_writer_waiting(&writer) <= LIMIT);
    assert_true(control_writer_waiting(&writer) > LIMIT - PIECE);
    for (;;) {
        char data[4096];
        ssize_t got = recv(pair[1], data, sizeof data, MSG_DONTWAIT);
        for (ssize_t i = 0; i < got; i++, read_back++)
            assert_int_equal(data[i], read_back % PIECE == PIECE - 1 ? '\n' : 'p');
        if (got < 0 && control_writer_waiting(&writer) == 0)
            break;
        control_writer_flush(&writer, pair[0]);
    }
    assert_int_equal(read_back, put);
    control_writer_clear(&writer);
    pair_close(pair);
}

/* A document's descriptor arrives with its own reply, not with the one before it; a second one has
 * to wait. */
static void writer_sends_the_descriptor_with_its_line(void **state) {
    (void)state;
    int before = descriptors_open(), pair[2], got;
    struct control_writer writer;
    char line[64];
    pair_open(pair);
    control_writer_init(&writer, 4096);
    assert_int_equal(control_writer_put(&writer, "one\n", 4, -1), 0);
    assert_int_equal(control_writer_put(&writer, "two\n", 4, dup(0)), 0);
    assert_int_equal(control_writer_put(&writer, "three\n", 6, dup(0)), -ENOBUFS);
    assert_int_equal(control_writer_flush(&writer, pair[0]), 0);
    assert_int_equal(control_next(pair[1], line, sizeof line, &got), 3);
    assert_int_equal(got, -1);
    assert_int_equal(control_next(pair[1], line, sizeof line, &got), 3);
    assert_string_equal(line, "two");
    assert_true(got >= 0);
    close(got);
    control_writer_clear(&writer);
    pair_close(pair);
    assert_int_equal(descriptors_open(), before);
}

/* control_request takes the reply's line and not an octet of what follows. */
static void request_takes_one_line(void **state) {
    (void)state;
    int pair[2];
    char reply[64], rest[64] = "";
    pair_open(pair);
    assert_int_equal(send(pair[1], "{\"ok\":true}\n{\"note\":\"x\"}\n", 25, 0), 25);
    assert_int_equal(control_request(pair[0], "{\"do\":\"ping\"}", NULL, 0, reply, sizeof reply),
                     11);
    assert_string_equal(reply, "{\"ok\":true}");
    assert_int_equal(recv(pair[1], rest, sizeof rest, 0), 14);
    assert_string_equal(rest, "{\"do\":\"ping\"}\n");
    assert_int_equal(control_next(pair[0], reply, sizeof reply, NULL), 12);
    assert_string_equal(reply, "{\"note\":\"x\"}");
    assert_int_equal(send(pair[1], "0123456789\n", 11, 0), 11);
    assert_int_equal(control_next(pair[0], reply, 8, NULL), -EMSGSIZE);
    close(pair[1]);
    assert_int_equal(control_request(pair[0], "x", NULL, 0, reply, sizeof reply), -ECONNRESET);
    close(pair[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_cut_anywhere),
        cmocka_unit_test(line_of_the_greatest_length),
        cmocka_unit_test(descriptors_come_with_their_lines),
        cmocka_unit_test(unasked_descriptors_are_closed),
        cmocka_unit_test(writer_within_its_limit),
        cmocka_unit_test(writer_sends_the_descriptor_with_its_line),
        cmocka_unit_test(request_takes_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
