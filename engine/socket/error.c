/* Errors about what sockets sent: to the protocol, and as reports to who asked for them
 * (IP_RECVERR), with Linux's semantics (ip_icmp_error, ip_local_error, sock_dequeue_err_skb). */
#include "engine/socket/sockets.h"
#include "engine/wire/udp.h"
#include <string.h>

static uint32_t report_limit(struct sockets *sockets, berth_handle handle) {
    struct socket_ref ref;
    int size = 0;
    if (socket_find(sockets, handle, &ref) != 0)
        return 0;
    if (ref.udp)
        udp_get_option(ref.udp, ref.index, BERTH_SO_RCVBUF, &size);
    else
        tcp_get_option(sockets->tcp, ref.index, BERTH_SO_RCVBUF, &size);
    return size > 0 ? (uint32_t)size : 0;
}

/* `skip`: octets of the quoted transport that are not told. */
static void report_icmp(struct sockets *sockets, berth_handle handle, const struct ip_error *error,
                        uint32_t skip) {
    const struct berth_error_report what = {
        .remote = error->remote,
        .offender = error->from,
        .local = error->to,
        .error = error->error,
        .info = error->info,
        .length = error->quote_length - skip,
        .interface = error->interface,
        .origin = berth_ip_is_v4(&error->local.ip) ? BERTH_BY_ICMP : BERTH_BY_ICMP6,
        .type = error->type,
        .code = error->code,
        .ttl = error->ttl,
        .tos = error->tos};
    struct report *report = reports_add(&sockets->reports, sockets->ip.allocator, handle, &what,
                                        report_limit(sockets, handle));
    if (report)
        view_read(error->view, error->quote_at + skip, error->quote_length - skip, report->quote);
}

static bool error_of_datagram(struct sockets *sockets, struct udp *udp, const struct tuple *tuple,
                              const struct ip_error *error) {
    uint32_t reporter;
    bool echo = udp != sockets->udp;
    if (!udp_error(udp, tuple, error->error, error->hard, &reporter))
        return false;
    if (reporter) {
        uint32_t generation = udp_generation(udp, reporter);
        report_icmp(sockets,
                    echo ? handle_of_echo(reporter, generation)
                         : handle_of_udp(reporter, generation),
                    error, echo ? 0 : UDP_HEADER);
    }
    return true;
}

static struct tuple tuple_of(const struct ip_error *error) {
    return (struct tuple){.local = error->local.ip,
                          .remote = error->remote.ip,
                          .local_port = error->local.port,
                          .remote_port = error->remote.port};
}

bool socket_sent(struct sockets *sockets, const struct ip_error *error) {
    const struct tuple tuple = tuple_of(error);
    if (error->protocol == IPV4_TCP)
        return tcp_may_have_sent(sockets->tcp, &tuple, error->seq);
    if (error->protocol == IPV4_UDP)
        return udp_may_have_sent(sockets->udp, &tuple);
    return sockets->echo && udp_may_have_sent(sockets->echo->sockets, &tuple);
}

bool socket_error_input(struct sockets *sockets, const struct ip_error *error, uint64_t now) {
    const struct tuple tuple = tuple_of(error);
    if (error->protocol == IPV4_UDP)
        return error_of_datagram(sockets, sockets->udp, &tuple, error);
    if (error->protocol != IPV4_TCP)
        return sockets->echo && error_of_datagram(sockets, sockets->echo->sockets, &tuple, error);
    /* Linux ends an attempt to connect for any of them (a host that is not there at once, not after
     * all retries), and no connection that is up for any; which TCP does for hard ones. */
    uint32_t reporter = tcp_icmp_error(sockets->tcp, &tuple, error->seq, error->error,
                                       error->mtu == 0, error->mtu, now);
    if (reporter)
        report_icmp(sockets, handle_of_tcp(reporter, tcp_generation(sockets->tcp, reporter)), error,
                    0);
    return false; /* TCP keeps what it learns of the path with the connection */
}

void socket_report_size(struct sockets *sockets, struct socket_ref ref,
                        const struct berth_endpoint *remote, uint32_t mtu) {
    if (!udp_reports(ref.udp, ref.index))
        return;
    struct berth_error_report what = {
        .remote = *remote, .error = EMSGSIZE, .info = mtu, .origin = BERTH_BY_HOST};
    /* Linux names the port of a connection here, and over IPv6 any. */
    if (berth_ip_is_v4(&remote->ip) && !udp_connection(ref.udp, ref.index))
        what.remote.port = 0;
    uint32_t generation = udp_generation(ref.udp, ref.index);
    berth_handle handle =
        ref.echo ? handle_of_echo(ref.index, generation) : handle_of_udp(ref.index, generation);
    if (reports_add(&sockets->reports, sockets->ip.allocator, handle, &what,
                    report_limit(sockets, handle)))
        udp_raise_error(ref.udp, ref.index);
}

/* A report was taken: SO_ERROR is now about the next one, and if there is one it is news. */
static void error_follow(struct sockets *sockets, berth_handle handle, struct socket_ref ref,
                         bool was_icmp) {
    const struct report *next = reports_first(&sockets->reports, handle);
    bool icmp = next && next->what.origin != BERTH_BY_HOST;
    int ignored;
    if (!ref.udp) {
        tcp_get_option(sockets->tcp, ref.index, BERTH_SO_ERROR, &ignored);
        return;
    }
    if (icmp || was_icmp)
        udp_set_error(ref.udp, ref.index, icmp ? next->what.error : 0);
    if (next)
        udp_raise_error(ref.udp, ref.index);
}

ssize_t berth_socket_receive_report(struct berth_host *host, berth_handle socket, void *data,
                                    size_t length, struct berth_error_report *report,
                                    unsigned flags) {
    struct sockets *sockets = sockets_of(host);
    struct socket_ref ref;
    int error = socket_find(sockets, socket, &ref);
    if (error)
        return error;
    const struct report *first = reports_first(&sockets->reports, socket);
    if (!first)
        return -EAGAIN;
    size_t copied = first->what.length < length ? first->what.length : length;
    if (copied)
        memcpy(data, first->quote, copied);
    *report = first->what;
    if (flags & BERTH_MSG_PEEK)
        return (ssize_t)copied;
    reports_drop(&sockets->reports, sockets->ip.allocator, socket);
    error_follow(sockets, socket, ref, report->origin != BERTH_BY_HOST);
    return (ssize_t)copied;
}
