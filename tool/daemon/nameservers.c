/* Queries for names that the network does not know, put to this machine's nameservers as its own
 * resolver does (resolv.conf(5)).
 *
 * One is asked at a time: the next when a second has passed, or at once where one cannot be reached
 * or fails to answer (SERVFAIL, NOTIMP, REFUSED). Who was asked before may still answer. The one
 * that answers is asked first the next time, so that a dead one costs its second only once. A
 * truncated answer is one: the asker goes on by TCP (gateway_redirect). */
#define _GNU_SOURCE
#include "tool/daemon/gateway_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { DNS_HEADER = 12, LINE = 512, TICKS_MAX = 10, QUERIES_MAX = 1024 };
enum rcode { SERVFAIL = 2, NOTIMP = 4, REFUSED = 5 };

struct query;

struct ask {
    struct outlet outlet; /* first; a socket to one nameserver */
    struct query *query;
};

struct query {
    struct outlet clock; /* first; a tick a second */
    struct berth_name_query asked;
    struct berth_endpoint servers[NAMESERVERS_MAX];
    struct ask asks[NAMESERVERS_MAX]; /* fd -1: it is not, or no more, waited for */
    unsigned count, first;            /* of the nameservers; who is asked first */
    unsigned tried, waiting;
    uint64_t ticks;
};

unsigned nameservers_read(struct berth_endpoint servers[NAMESERVERS_MAX]) {
    char line[LINE], word[LINE];
    FILE *file = fopen("/etc/resolv.conf", "re");
    unsigned count = 0;
    while (file && count < NAMESERVERS_MAX && fgets(line, sizeof line, file)) {
        struct berth_endpoint *server = &servers[count];
        server->port = 53;
        count +=
            sscanf(line, "nameserver %511s", word) == 1 && berth_ip_parse(word, &server->ip) == 0;
    }
    if (file)
        fclose(file);
    return count;
}

/* ---- to the asker ---- */

/* The answer; or, data NULL, where nobody gives one, SERVFAIL (RFC 1035 4.1.1), so that the asker
 * need not wait. */
static void answer(struct server *server, const struct berth_name_query *asked, const uint8_t *data,
                   size_t length, uint64_t now) {
    const struct berth_diverted *query = &asked->query;
    uint8_t failed[sizeof query->data];
    if (!data) {
        memcpy(failed, query->data, query->length);
        failed[2] |= 0x80;
        failed[3] = (uint8_t)((failed[3] & 0x70) | 0x80 | SERVFAIL);
        data = failed;
        length = query->length;
    }
    if (query->length < DNS_HEADER)
        return;
    berth_network_answer_query(server->network, asked, data, length, now);
}

/* ---- beginning and end ---- */

static void query_free(struct server *server, struct query *query) {
    for (unsigned i = 0; i < NAMESERVERS_MAX; i++)
        outlet_close(server, &query->asks[i].outlet);
    outlet_close(server, &query->clock);
    server->gateway->query_count--;
    free(query);
}

static void clock_drop(struct server *server, struct outlet *outlet) {
    query_free(server, (struct query *)(void *)outlet);
}

static void ask_drop(struct server *server, struct outlet *outlet) {
    query_free(server, ((struct ask *)(void *)outlet)->query);
}

/* ---- asking ---- */

static void ask_ready(struct server *server, struct outlet *outlet, uint32_t events, uint64_t now);

/* Asks that nameserver, by a connected socket: nobody else can answer. */
static bool ask(struct server *server, struct query *query, unsigned index) {
    const struct berth_diverted *said = &query->asked.query;
    struct ask *ask = &query->asks[index];
    union address address;
    socklen_t length = address_of(&query->servers[index], &address);
    ask->query = query;
    ask->outlet = (struct outlet){
        .ready = ask_ready, .drop = ask_drop, .host = query->asked.host, .expires = BERTH_NEVER};
    ask->outlet.fd = socket(address.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (ask->outlet.fd < 0 || outlet_add(server, &ask->outlet, EPOLLIN) < 0)
        return false;
    bool v4 = address.any.sa_family == AF_INET;
    int on = 1; /* unreachable hosts are told of, too */
    setsockopt(ask->outlet.fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_RECVERR : IPV6_RECVERR, &on,
               sizeof on);
    if (connect(ask->outlet.fd, &address.any, length) < 0 ||
        send(ask->outlet.fd, said->data, said->length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        outlet_close(server, &ask->outlet);
        return false;
    }
    query->waiting++;
    return true;
}

static void ask_next(struct server *server, struct query *query) {
    while (query->tried < query->count)
        if (ask(server, query, (query->first + query->tried++) % query->count))
            return;
}

static void clock_ready(struct server *server, struct outlet *outlet, uint32_t events,
                        uint64_t now) {
    struct query *query = (struct query *)(void *)outlet;
    uint64_t ticks;
    (void)events;
    if (read(outlet->fd, &ticks, sizeof ticks) != sizeof ticks)
        return;
    query->ticks += ticks;
    ask_next(server, query);
    if (query->waiting > 0 && query->ticks < TICKS_MAX)
        return;
    answer(server, &query->asked, NULL, 0, now);
    query_free(server, query);
}

static int clock_start(struct server *server, struct query *query) {
    const struct itimerspec second = {{1, 0}, {1, 0}};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    query->clock = (struct outlet){.ready = clock_ready,
                                   .drop = clock_drop,
                                   .fd = fd,
                                   .host = query->asked.host,
                                   .expires = BERTH_NEVER};
    if (fd < 0)
        return -EMFILE;
    timerfd_settime(fd, 0, &second, NULL);
    return outlet_add(server, &query->clock, EPOLLIN);
}

void nameservers_ask(struct server *server, const struct berth_name_query *asked, uint64_t now) {
    struct gateway *gateway = server->gateway;
    struct query *query = gateway->query_count < QUERIES_MAX ? calloc(1, sizeof *query) : NULL;
    if (!query) {
        answer(server, asked, NULL, 0, now);
        return;
    }
    gateway->query_count++;
    query->asked = *asked;
    query->count = nameservers_read(query->servers);
    query->first = gateway->nameserver;
    for (unsigned i = 0; i < NAMESERVERS_MAX; i++)
        query->asks[i].outlet.fd = -1;
    int result = clock_start(server, query);
    if (result == 0)
        ask_next(server, query);
    if (result < 0 || query->waiting == 0) {
        answer(server, asked, NULL, 0, now);
        query_free(server, query);
    }
}

/* ---- answers ---- */

/* Another nameserver may know better. */
static bool is_failure(const uint8_t *data) {
    unsigned rcode = data[3] & 15;
    return rcode == SERVFAIL || rcode == NOTIMP || rcode == REFUSED;
}

static void ask_ready(struct server *server, struct outlet *outlet, uint32_t events, uint64_t now) {
    struct ask *ask = (struct ask *)(void *)outlet;
    struct query *query = ask->query;
    uint8_t *buffer = server->gateway->buffer;
    (void)events;
    ssize_t got = recv(outlet->fd, buffer, DATAGRAM_MAX, MSG_DONTWAIT);
    bool whole =
        got >= DNS_HEADER && memcmp(buffer, query->asked.query.data, 2) == 0 && buffer[2] & 0x80;
    if ((got < 0 && errno == EAGAIN) || (got >= 0 && !whole)) /* nothing, or no answer to it */
        return;
    if (!whole || is_failure(buffer)) {
        outlet_close(server, outlet);
        query->waiting--;
        ask_next(server, query);
        if (query->waiting > 0)
            return;
    } else {
        server->gateway->nameserver = (unsigned)(ask - query->asks);
    }
    answer(server, &query->asked, whole ? buffer : NULL, whole ? (size_t)got : 0, now);
    query_free(server, query);
}
