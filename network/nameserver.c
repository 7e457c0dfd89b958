/* THEORY. A host's first connection to port 53 that is the network's to answer makes the host's
 * nameserver: an engine without a link, to which the host's TCP speaks directly
 * (engine/host/opening.c), with one listener for all addresses.
 *
 * A connection carries any number of queries, each behind its length in two octets (RFC 7766 8,
 * RFC 1035 4.2.2). They are answered one by one in their order, but for those that wait for an
 * answer from elsewhere, which come when they come (RFC 7766 7). As long as the program does not
 * read an answer its next query is not looked at, so what a connection holds is one query and one
 * answer beside its buffers.
 *
 * Only a whole query prolongs a connection's life: who sends an octet now and then is closed as
 * soon as who sends nothing (RFC 7766 6.2.3). A length that no query of ours has ends it at once.
 * With STREAMS connections of a host the one that has been silent longest makes room for the next
 * (RFC 7766 6.2.2). */
#include "network/nameserver.h"
#include "engine/base/bytes.h"
#include "network/dns.h"
#include "network/network.h"
#include <berth/socket.h>
#include <errno.h>
#include <string.h>

enum {
    STREAMS = 64,
    RECORDS = 256,  /* sockets, those that are about to close among them */
    PREFIX = 2,     /* octets of a message's length */
    QUERY_MIN = 12, /* a header */
    QUERY_MAX = sizeof((struct berth_diverted *)NULL)->data,
    RECEIVE_BUFFER = 16384,
    SEND_BUFFER = 262144, /* holds the longest answer */
};
#define PATIENCE (10 * BERTH_SECOND)

struct stream {
    struct stream *next;
    berth_handle socket;
    uint64_t until;       /* is closed then */
    uint32_t elsewhere;   /* queries that somebody else has */
    bool ended;           /* nothing more is asked */
    uint16_t have;        /* of the query, with its length */
    uint16_t said, whole; /* of the reply: sent, and in all */
    uint8_t query[PREFIX + QUERY_MAX];
    uint8_t reply[PREFIX + DNS_REPLY];
};

struct nameserver {
    struct berth_host *engine;
    berth_handle listener;
    struct stream *streams; /* newest first */
    uint32_t count;
};

/* ---- made and ended ---- */

static int engine_open(struct nameserver *server, const struct network_host *host) {
    struct berth_host_config config;
    berth_host_config_init(&config);
    config.allocator = host->network->allocator;
    network_seed(host->network, network_purpose(PURPOSE_NAMESERVER, (uint32_t)host->number),
                 config.seed);
    config.tcp_max_sockets = config.tcp_syn_backlog_max = config.tcp_time_wait_max = RECORDS;
    config.tcp_receive_buffer = config.tcp_receive_buffer_default = RECEIVE_BUFFER;
    config.tcp_send_buffer = config.tcp_send_buffer_default = SEND_BUFFER;
    config.tcp_fin_wait_2 = PATIENCE;
    config.tcp_time_wait = BERTH_SECOND; /* nothing of a connection is under way */
    config.tcp_syncookies = 0;
    server->engine = berth_host_new(&config);
    if (!server->engine)
        return -ENOMEM;
    const struct berth_endpoint any = {.port = 53};
    int error = berth_socket_open(server->engine, 6, BERTH_TCP, &server->listener);
    if (!error)
        error = berth_socket_bind(server->engine, server->listener, &any);
    if (!error) /* an answer is whole when it is sent */
        error = berth_socket_set_option(server->engine, server->listener, BERTH_TCP_NODELAY, 1, 0);
    return error ? error : berth_socket_listen(server->engine, server->listener, STREAMS);
}

static struct nameserver *nameserver_need(struct network_host *host) {
    struct berth_allocator allocator = host->network->allocator;
    if (host->nameserver)
        return host->nameserver;
    struct nameserver *server = allocator.allocate(allocator.context, sizeof *server);
    if (!server)
        return NULL;
    *server = (struct nameserver){0};
    host->nameserver = server;
    if (engine_open(server, host) != 0) {
        nameserver_free(host);
        return NULL;
    }
    berth_host_set_answerer(host->engine, server->engine);
    return server;
}

static void stream_close(struct network_host *host, struct stream *stream) {
    struct berth_allocator allocator = host->network->allocator;
    struct nameserver *server = host->nameserver;
    struct stream **link = &server->streams;
    while (*link != stream)
        link = &(*link)->next;
    *link = stream->next;
    server->count--;
    berth_socket_close(server->engine, stream->socket, host->network->now);
    allocator.release(allocator.context, stream, sizeof *stream);
}

void nameserver_free(struct network_host *host) {
    struct berth_allocator allocator = host->network->allocator;
    struct nameserver *server = host->nameserver;
    if (!server)
        return;
    berth_host_set_answerer(host->engine, NULL);
    while (server->streams)
        stream_close(host, server->streams);
    berth_host_free(server->engine);
    allocator.release(allocator.context, server, sizeof *server);
    host->nameserver = NULL;
}

/* ---- openings ---- */

/* A computer's address is that computer's: where nobody listens a connection is refused, and a scan
 * of its ports finds what is open. With names of elsewhere (a gateway) nameservers of elsewhere are
 * asked themselves: their answers may be longer than a datagram, which is why somebody comes by
 * TCP. */
static bool goes_its_way(const struct network_host *host, const struct berth_endpoint *server) {
    return berth_host_is_gateway(host->engine) ||
           berth_network_find_address(host->network, &server->ip) >= 0 ||
           (host->network->queries.on && !berth_host_has_address(host->engine, &server->ip));
}

static bool openings_serve(struct network_host *host) {
    struct berth_network *network = host->network;
    struct berth_diverted opening;
    bool any = false;
    while (berth_host_take_opening(host->engine, &opening)) {
        any = true;
        if (goes_its_way(host, &opening.destination) &&
            berth_host_pass_opening(host->engine, &opening, network->now) == 0)
            continue;
        if (!berth_host_is_gateway(host->engine) && nameserver_need(host))
            berth_host_answer_opening(host->engine, &opening, network->now);
    }
    return any;
}

/* ---- connections ---- */

static void silent_longest_close(struct network_host *host) {
    struct stream *first = host->nameserver->streams;
    for (struct stream *stream = first; stream; stream = stream->next)
        if (stream->until <= first->until) /* the oldest of them */
            first = stream;
    stream_close(host, first);
}

static void streams_accept(struct network_host *host) {
    struct berth_allocator allocator = host->network->allocator;
    struct nameserver *server = host->nameserver;
    berth_handle socket;
    while (berth_socket_accept(server->engine, server->listener, &socket) == 0) {
        if (server->count == STREAMS)
            silent_longest_close(host);
        struct stream *stream = allocator.allocate(allocator.context, sizeof *stream);
        if (!stream) {
            berth_socket_close(server->engine, socket, host->network->now);
            continue;
        }
        memset(stream, 0, sizeof *stream);
        stream->socket = socket;
        stream->until = host->network->now + PATIENCE;
        stream->next = server->streams;
        server->streams = stream;
        server->count++;
    }
}

/* Sends what is left of the reply. -EAGAIN: the program has to read first. */
static int stream_say(const struct network_host *host, struct stream *stream) {
    while (stream->said < stream->whole) {
        ssize_t sent = berth_socket_send(
            host->nameserver->engine, stream->socket, stream->reply + stream->said,
            (size_t)(stream->whole - stream->said), 0, host->network->now);
        if (sent < 0)
            return (int)sent;
        stream->said = (uint16_t)(stream->said + sent);
    }
    return 0;
}

/* Somebody else is asked. */
static bool stream_forward(const struct network_host *host, struct stream *stream, size_t length) {
    struct berth_network *network = host->network;
    struct berth_diverted query = {.length = length};
    const struct berth_host *engine = host->nameserver->engine;
    if (berth_socket_remote(engine, stream->socket, &query.source) != 0 ||
        berth_socket_local(engine, stream->socket, &query.destination) != 0)
        return false;
    memcpy(query.data, stream->query + PREFIX, length);
    if (!queries_put(&network->queries, network->allocator, host->number, &query, stream->socket))
        return false;
    stream->elsewhere++;
    return true;
}

/* A whole query is there. 0, -EAGAIN, or what ends the connection. */
static int stream_reply(const struct network_host *host, struct stream *stream) {
    size_t length = stream->have - (size_t)PREFIX;
    size_t reply = names_reply(host, stream->query + PREFIX, length, stream->reply + PREFIX);
    stream->have = 0;
    stream->until = host->network->now + PATIENCE;
    if (reply == 0)
        return -EPROTO; /* no query */
    if (host->network->queries.on && dns_is_unknown(stream->reply + PREFIX, reply))
        return stream_forward(host, stream, length) ? 0 : -ENOBUFS;
    store_be16(stream->reply, (uint16_t)reply);
    stream->said = 0;
    stream->whole = (uint16_t)(PREFIX + reply);
    return stream_say(host, stream);
}

/* Octets of the message that are still to come; its length comes first. Negative: no query. */
static int stream_lacks(const struct stream *stream) {
    if (stream->have < PREFIX)
        return PREFIX - stream->have;
    uint16_t length = load_be16(stream->query);
    if (length < QUERY_MIN || length > QUERY_MAX)
        return -EPROTO;
    return PREFIX + length - stream->have;
}

/* Reads one message at most. -EAGAIN: no more for now; 0: go on; else the connection is over. */
static int stream_turn(const struct network_host *host, struct stream *stream) {
    int result = stream_say(host, stream);
    if (result != 0)
        return result;
    int lacks = stream_lacks(stream);
    if (lacks < 0)
        return lacks;
    if (stream->ended)
        return stream->elsewhere > 0 ? -EAGAIN : -EPIPE;
    ssize_t got =
        berth_socket_receive(host->nameserver->engine, stream->socket, stream->query + stream->have,
                             (size_t)lacks, 0, host->network->now);
    if (got < 0)
        return (int)got;
    if (got == 0) {
        stream->ended = true;
        return 0;
    }
    stream->have = (uint16_t)(stream->have + got);
    if (stream->have > PREFIX && stream_lacks(stream) == 0)
        return stream_reply(host, stream);
    return 0;
}

static void streams_serve(struct network_host *host) {
    for (struct stream *stream = host->nameserver->streams, *next; stream; stream = next) {
        int result = 0;
        next = stream->next;
        while (result == 0)
            result = stream_turn(host, stream);
        if (result != -EAGAIN || stream->until <= host->network->now)
            stream_close(host, stream);
    }
}

/* ---- what is called ---- */

uint64_t nameserver_deadline(const struct network_host *host) {
    uint64_t first = BERTH_NEVER;
    const struct stream *stream = host->nameserver ? host->nameserver->streams : NULL;
    for (; stream; stream = stream->next)
        if (stream->until < first)
            first = stream->until;
    return berth_host_is_suspended(host->engine) ? BERTH_NEVER : first;
}

bool nameserver_serve(struct network_host *host) {
    struct berth_event events[16];
    bool any = openings_serve(host);
    struct nameserver *server = host->nameserver;
    if (!server)
        return any;
    bool heard = nameserver_deadline(host) <= host->network->now;
    while (berth_host_events(server->engine, events, 16) > 0)
        heard = true;
    if (heard) {
        streams_accept(host);
        streams_serve(host);
    }
    return any || heard;
}

void nameserver_answer(struct network_host *host, berth_handle socket, const uint8_t *data,
                       size_t length) {
    struct stream *stream = host->nameserver ? host->nameserver->streams : NULL;
    uint8_t prefix[PREFIX];
    while (stream && stream->socket != socket)
        stream = stream->next;
    if (!stream || stream->elsewhere == 0 || length > UINT16_MAX)
        return;
    struct berth_host *engine = host->nameserver->engine;
    uint64_t now = host->network->now;
    stream->elsewhere--;
    stream->until = now + PATIENCE;
    store_be16(prefix, (uint16_t)length);
    /* Whole, behind whole ones; who reads so little has had enough. */
    if (stream->said < stream->whole ||
        berth_socket_send_space(engine, socket) < (ssize_t)(PREFIX + length) ||
        berth_socket_send(engine, socket, prefix, PREFIX, BERTH_MSG_MORE, now) != PREFIX ||
        berth_socket_send(engine, socket, data, length, 0, now) != (ssize_t)length ||
        (stream->ended && stream->elsewhere == 0))
        stream_close(host, stream);
}
