/* One conversation over a Berth socket. Each role is a step function that reads and writes until
 * the socket says -EAGAIN; it is called whenever an event says that more may go. */
#include "test/interop/pattern.h"
#include "test/interop/peer.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

enum { CHUNK = 65536, ECHO_ROOM = 16384 };

static uint8_t chunk[CHUNK];

/* Reads once. > 0: octets; 0: the end, or nothing now (talk->in_ended tells); < 0: errno. */
static ssize_t take(struct peer *peer, struct talk *talk, void *to, size_t room) {
    ssize_t got = berth_socket_receive(peer->host, talk->socket, to, room, 0, peer->now);
    if (got == -EAGAIN)
        return 0;
    if (got == 0)
        talk->in_ended = true;
    return got;
}

static ssize_t give(struct peer *peer, struct talk *talk, const void *from, size_t length) {
    ssize_t sent = berth_socket_send(peer->host, talk->socket, from, length, 0, peer->now);
    return sent == -EAGAIN ? 0 : sent;
}

static int end_output(struct peer *peer, struct talk *talk) {
    if (talk->out_ended)
        return 0;
    talk->out_ended = true;
    return berth_socket_shutdown(peer->host, talk->socket, BERTH_SHUT_WR, peer->now);
}

/* Sends the reply's rest. 1: all is out; 0: not yet. */
static int give_reply(struct peer *peer, struct talk *talk) {
    while (talk->reply_sent < talk->reply_length) {
        ssize_t sent =
            give(peer, talk, talk->reply + talk->reply_sent, talk->reply_length - talk->reply_sent);
        if (sent <= 0)
            return (int)sent;
        talk->reply_sent += (uint32_t)sent;
    }
    return 1;
}

/* Sends the pattern up to `target`. */
static int give_pattern(struct peer *peer, struct talk *talk) {
    while (talk->out < talk->target) {
        size_t length =
            talk->target - talk->out < CHUNK ? (size_t)(talk->target - talk->out) : CHUNK;
        ssize_t room = berth_socket_send_space(peer->host, talk->socket);
        if (room < 0)
            return (int)room;
        if (room > 0 && (size_t)room < length)
            length = (size_t)room;
        pattern_fill(talk->seed, talk->out, chunk, length);
        ssize_t sent = give(peer, talk, chunk, length);
        if (sent <= 0)
            return (int)sent;
        talk->out += (uint64_t)sent;
    }
    return 1;
}

/* Reads pattern until there is no more; 1 at the end of the stream. */
static int take_pattern(struct peer *peer, struct talk *talk) {
    while (!talk->in_ended) {
        ssize_t got = take(peer, talk, chunk, CHUNK);
        if (got < 0)
            return (int)got;
        if (got == 0)
            break;
        if (!talk->bad) {
            size_t good = pattern_check(talk->seed, talk->in, chunk, (size_t)got);
            talk->bad = good < (size_t)got;
            talk->in += good;
        }
    }
    return talk->in_ended;
}

/* Reads a line, or what comes before the end. 1: it is there. */
static int take_line(struct peer *peer, struct talk *talk, const char *until) {
    while (!strstr(talk->line, until)) {
        ssize_t got = take(peer, talk, talk->line + talk->line_length,
                           sizeof talk->line - 1 - talk->line_length);
        if (got <= 0)
            return talk->in_ended ? 1 : (int)got;
        talk->line_length += (uint32_t)got;
        talk->line[talk->line_length] = '\0';
    }
    return 1;
}

static int serve_echo(struct peer *peer, struct talk *talk) {
    if (!talk->echo && !(talk->echo = malloc(ECHO_ROOM)))
        return -ENOMEM;
    for (;;) {
        while (talk->echo_start < talk->echo_end) {
            ssize_t sent =
                give(peer, talk, talk->echo + talk->echo_start, talk->echo_end - talk->echo_start);
            if (sent <= 0)
                return (int)sent;
            talk->echo_start += (uint32_t)sent;
        }
        if (talk->in_ended)
            return 1;
        ssize_t got = take(peer, talk, talk->echo, ECHO_ROOM);
        if (got < 0 || (got == 0 && !talk->in_ended))
            return (int)got;
        talk->echo_start = 0;
        talk->echo_end = (uint32_t)got;
    }
}

static int serve_sink(struct peer *peer, struct talk *talk) {
    int result = take_pattern(peer, talk);
    if (result <= 0)
        return result;
    if (talk->reply_length == 0)
        talk->reply_length =
            (uint32_t)snprintf(talk->reply, sizeof talk->reply,
                               talk->bad ? "bad at %" PRIu64 "\n" : "ok %" PRIu64 "\n", talk->in);
    return give_reply(peer, talk);
}

static int serve_source(struct peer *peer, struct talk *talk) {
    int result = take_line(peer, talk, "\n");
    if (result <= 0)
        return result;
    talk->target = strtoull(talk->line, NULL, 10);
    return give_pattern(peer, talk);
}

static int serve_http(struct peer *peer, struct talk *talk) {
    int result = take_line(peer, talk, "\r\n\r\n");
    if (result <= 0)
        return result;
    if (talk->reply_length == 0) {
        talk->target =
            strncmp(talk->line, "GET /", 5) == 0 ? strtoull(talk->line + 5, NULL, 10) : 0;
        talk->reply_length = (uint32_t)snprintf(talk->reply, sizeof talk->reply,
                                                "HTTP/1.1 200 OK\r\nContent-Length: %" PRIu64
                                                "\r\nConnection: close\r\n\r\n",
                                                talk->target);
    }
    result = give_reply(peer, talk);
    return result <= 0 ? result : give_pattern(peer, talk);
}

/* Each waits for all the others to be connected, so that so many are open at once. */
static int ask_echo(struct peer *peer, struct talk *talk) {
    if (peer->connected < peer->options->connections)
        return 0;
    int sent = give_pattern(peer, talk);
    if (sent < 0)
        return sent;
    if (sent == 1 && end_output(peer, talk) < 0)
        return -EIO;
    int ended = take_pattern(peer, talk);
    if (ended <= 0)
        return ended;
    talk->bad |= talk->in != talk->target;
    return 1;
}

static int ask_sink(struct peer *peer, struct talk *talk) {
    int result = give_pattern(peer, talk);
    if (result <= 0)
        return result;
    if ((result = end_output(peer, talk)) < 0)
        return result;
    if ((result = take_line(peer, talk, "\n")) <= 0)
        return result;
    char expected[64];
    snprintf(expected, sizeof expected, "ok %" PRIu64 "\n", talk->target);
    talk->bad = strcmp(talk->line, expected) != 0;
    return 1;
}

static int ask_source(struct peer *peer, struct talk *talk) {
    if (talk->reply_length == 0)
        talk->reply_length =
            (uint32_t)snprintf(talk->reply, sizeof talk->reply, "%" PRIu64 "\n", talk->target);
    int result = give_reply(peer, talk);
    if (result <= 0)
        return result;
    if ((result = take_pattern(peer, talk)) <= 0)
        return result;
    talk->bad |= talk->in != talk->target;
    return 1;
}

/* Writes the body to standard output. */
static int ask_http(struct peer *peer, struct talk *talk) {
    if (talk->reply_length == 0)
        talk->reply_length =
            (uint32_t)snprintf(talk->reply, sizeof talk->reply,
                               "GET %s HTTP/1.0\r\nHost: linux\r\n\r\n", peer->options->path);
    int result = give_reply(peer, talk);
    if (result <= 0)
        return result;
    if (talk->in == 0) {
        if ((result = take_line(peer, talk, "\r\n\r\n")) <= 0)
            return result;
        const char *body = strstr(talk->line, "\r\n\r\n");
        talk->bad = !body || !strstr(talk->line, " 200 ");
        if (talk->bad)
            return 1;
        body += 4;
        fwrite(body, 1, talk->line_length - (size_t)(body - talk->line), stdout);
        talk->in = 1;
    }
    ssize_t got;
    while ((got = take(peer, talk, chunk, CHUNK)) > 0)
        fwrite(chunk, 1, (size_t)got, stdout);
    return talk->in_ended ? 1 : (int)got;
}

static int (*const steps[])(struct peer *, struct talk *) = {
    [SERVE_ECHO] = serve_echo, [SERVE_SINK] = serve_sink, [SERVE_SOURCE] = serve_source,
    [SERVE_HTTP] = serve_http, [ASK_ECHO] = ask_echo,     [ASK_SINK] = ask_sink,
    [ASK_SOURCE] = ask_source, [ASK_HTTP] = ask_http,
};

/* What both ends agreed upon, in TCP_INFO's bits. */
static void say_options(const struct peer *peer, const struct talk *talk) {
    struct berth_tcp_info info = {0};
    berth_socket_tcp_info(peer->host, talk->socket, &info);
    fprintf(stderr, "options %d\n", info.options & 15);
}

bool talk_step(struct peer *peer, struct talk *talk, uint32_t bits) {
    int result = 0;
    if (bits & BERTH_ERROR) {
        int error = 0;
        berth_socket_get_option(peer->host, talk->socket, BERTH_SO_ERROR, &error);
        result = error ? -error : 0;
    }
    if (bits & BERTH_CONNECTED && !talk->connected) {
        talk->connected = true;
        peer->connected++;
    }
    if (result == 0 && talk->connected)
        result = steps[talk->role](peer, talk);
    if (result == 0)
        return true;
    if (result < 0) {
        fprintf(stderr, "tap_peer: connection: %s\n", strerror(-result));
        talk->bad = true;
    }
    if (talk->role == ASK_SINK || talk->role == ASK_SOURCE)
        say_options(peer, talk);
    berth_socket_close(peer->host, talk->socket, peer->now);
    free(talk->echo);
    return false;
}
