/* What `ss` asks inside a virtual computer: the sockets of that one alone, with the inodes by which
 * it finds the processes that hold them. */
#define _GNU_SOURCE
#include "tool/daemon/call.h"
#include "tool/daemon/diag.h"
#include "tool/daemon/netlink_answer.h"
#include "tool/daemon/tcp_info.h"
#include "tool/loop/clock.h"

#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

enum { ROWS = 256 };
enum { TIMER_NONE, TIMER_RETRANSMISSION, TIMER_KEEPALIVE, TIMER_PROBE = 4 }; /* of inet_diag */

/* What a question is put to. */
struct subject {
    struct server *server;
    struct berth_host *host; /* NULL: it is gone */
    uint64_t now;
};

static int option_of(const struct subject *subject, berth_handle socket, enum berth_option option) {
    int value = 0;
    berth_socket_get_option(subject->host, socket, option, &value);
    return value;
}

/* NULL: records without a socket, and connections that nobody has accepted yet. */
static const struct conduit *conduit_of(const struct subject *subject,
                                        const struct berth_socket_row *row) {
    const struct conduit *conduit =
        row->socket ? conduit_find(&subject->server->conduits, row->user) : NULL;
    return conduit && conduit->socket == row->socket ? conduit : NULL;
}

/* What the one timer of a connection is for, as far as Linux would tell of it. */
static uint8_t timer_of(const struct subject *subject, const struct berth_socket_row *row) {
    if (row->protocol != BERTH_TCP || row->timer == 0 || row->socket == 0)
        return TIMER_NONE;
    if (row->state == BERTH_SYN_SENT || (row->state != BERTH_LISTEN && row->send_queue > 0))
        return TIMER_RETRANSMISSION;
    return option_of(subject, row->socket, BERTH_SO_KEEPALIVE) ? TIMER_KEEPALIVE : TIMER_NONE;
}

static struct diag_socket socket_of(const struct subject *subject,
                                    const struct berth_socket_row *row) {
    const struct conduit *conduit = conduit_of(subject, row);
    uint8_t timer = timer_of(subject, row);
    return (struct diag_socket){.protocol = row->protocol == BERTH_TCP ? IPPROTO_TCP : IPPROTO_UDP,
                                .family = row->family == 6 ? AF_INET6 : AF_INET,
                                .state = row->state,
                                .timer = timer,
                                .local = row->local,
                                .remote = row->remote,
                                .expires =
                                    timer == TIMER_NONE ? 0 : (uint32_t)(row->timer / BERTH_MS),
                                .receive_queue = row->receive_queue,
                                .send_queue = row->send_queue,
                                .uid = conduit ? geteuid() : 0,
                                .inode = conduit ? (uint32_t)conduit->inode : 0,
                                .cookie = conduit ? conduit->cookie : 0};
}

static unsigned shutdown_by_state(uint8_t state) {
    switch (state) {
    case BERTH_CLOSE_WAIT:
        return 1;
    case BERTH_FIN_WAIT_1:
    case BERTH_FIN_WAIT_2:
        return 2;
    case BERTH_LAST_ACK:
    case BERTH_CLOSING:
    case BERTH_TIME_WAIT:
        return 3;
    default:
        return 0;
    }
}

/* As Linux's sk_shutdown: what is not received and not sent any more, and a FIN that came. */
static uint8_t shutdown_of(const struct subject *subject, const struct berth_socket_row *row) {
    const struct conduit *conduit = conduit_of(subject, row);
    unsigned said = conduit ? conduit->shut_read + 2u * conduit->shut_write : 0;
    if (row->protocol == BERTH_TCP)
        said |= shutdown_by_state(row->state);
    return (uint8_t)said;
}

static struct diag_details details_of(const struct subject *subject,
                                      const struct berth_socket_row *row) {
    struct diag_details details = {.shutdown = shutdown_of(subject, row)};
    struct berth_tcp_info info;
    if (row->socket == 0)
        return details;
    details.known = true;
    details.receive_buffer = (uint32_t)option_of(subject, row->socket, BERTH_SO_RCVBUF);
    details.send_buffer = (uint32_t)option_of(subject, row->socket, BERTH_SO_SNDBUF);
    details.tos = (uint8_t)option_of(subject, row->socket, BERTH_IP_TOS);
    details.v6only = row->family == 6 ? (uint8_t)option_of(subject, row->socket, BERTH_V6ONLY) : 0;
    if (row->protocol == BERTH_TCP &&
        berth_socket_tcp_info(subject->host, row->socket, &info) == 0) {
        tcp_info_translate(&info, subject->now, &details.info);
        details.congestion = berth_congestion_name(info.congestion);
    }
    return details;
}

/* Linux has no TCP socket in its tables that neither listens nor is connected. */
static bool row_is_shown(const struct berth_socket_row *row) {
    return row->protocol != BERTH_TCP || row->state != BERTH_TCP_CLOSED;
}

static void row_write(struct netlink_writer *writer, const struct diag_query *query,
                      const struct berth_socket_row *row) {
    const struct subject *subject = writer->subject;
    struct diag_socket socket = socket_of(subject, row);
    struct diag_details details = details_of(subject, row);
    diag_write(writer, query, &socket, &details);
}

static void dump_write(struct netlink_writer *writer, const struct diag_query *query) {
    const struct subject *subject = writer->subject;
    struct berth_socket_row rows[ROWS];
    uint64_t cursor = 0;
    size_t count;
    while (subject->host && (count = berth_host_sockets(subject->host, &cursor, rows, ROWS)) > 0)
        for (size_t i = 0; i < count; i++) {
            struct diag_socket socket = socket_of(subject, &rows[i]);
            if (row_is_shown(&rows[i]) && diag_wanted(query, &socket))
                row_write(writer, query, &rows[i]);
        }
    netlink_done(writer);
}

static bool cookie_fits(const struct diag_query *query, const struct diag_socket *socket) {
    const uint32_t *asked = query->request.id.idiag_cookie;
    return (asked[0] == INET_DIAG_NOCOOKIE && asked[1] == INET_DIAG_NOCOOKIE) ||
           (asked[0] | (uint64_t)asked[1] << 32) == socket->cookie;
}

static void exact_write(struct netlink_writer *writer, const struct nlmsghdr *header,
                        const struct diag_query *query) {
    const struct subject *subject = writer->subject;
    struct berth_socket_row rows[ROWS], found;
    uint64_t cursor = 0;
    size_t count;
    int best = 0;
    while (subject->host && (count = berth_host_sockets(subject->host, &cursor, rows, ROWS)) > 0)
        for (size_t i = 0; i < count; i++) {
            struct diag_socket socket = socket_of(subject, &rows[i]);
            int fit = row_is_shown(&rows[i]) ? diag_fit(query, &socket) : 0;
            if (fit > best) {
                best = fit;
                found = rows[i];
            }
        }
    if (best == 0) {
        netlink_error(writer, header, -ENOENT);
        return;
    }
    struct diag_socket socket = socket_of(subject, &found);
    if (!cookie_fits(query, &socket)) {
        netlink_error(writer, header, -ESTALE);
        return;
    }
    row_write(writer, query, &found);
    netlink_flush(writer);
}

static void request_answer(struct netlink_writer *writer, const struct nlmsghdr *header,
                           const uint8_t *body, size_t length) {
    struct diag_query query;
    int r = diag_read(&query, header, body, length);
    if (r < 0)
        netlink_error(writer, header, r);
    else if (query.exact)
        exact_write(writer, header, &query);
    else
        dump_write(writer, &query);
}

void diag_answer(struct call *call, const struct netlink_asker *asker, const uint8_t *request,
                 size_t length) {
    struct subject subject = {.server = call->server,
                              .host = berth_network_host(call->server->network, call->run->host),
                              .now = clock_now()};
    struct netlink_writer writer = {.asker = *asker, .subject = &subject};
    netlink_requests(&writer, request, length, request_answer);
}
