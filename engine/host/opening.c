/* Connections that another host answers in an address's stead.
 *
 * THEORY. A SYN of ours to the diverted port waits for the caller. If he lets it pass, it goes its
 * way as any segment does, and so do all that follow it. Else it is given to the answerer, a host
 * without a link, which from then on knows those four numbers: what it knows goes from TCP to TCP,
 * in both directions, without a datagram around it. So it does not matter which addresses the two
 * ends have, nor whether there is a route between them. Nothing is lost on that way, nothing comes
 * out of order, and no time passes. */
#include "engine/host/host.h"
#include "engine/wire/tcp.h"
#include <errno.h>
#include <string.h>

enum { SEGMENT_MORE = 3 }; /* octets behind an opening's TCP header: tos, ttl, interface */

/* The emitted segment arrives at the other TCP. */
static void deliver(struct tcp *to, const struct tcp_emit *emit, uint64_t now) {
    struct tcp_header header;
    if (tcp_header_parse(emit->header, emit->header_length, &header) != 0)
        return;
    struct tcp_segment segment = {
        .tuple = {.local = emit->remote,
                  .remote = emit->local,
                  .local_port = header.destination_port,
                  .remote_port = header.source_port},
        .seq = header.seq,
        .ack = header.ack,
        .flags = header.flags,
        .window = header.window,
        .urgent = header.urgent,
        .options = header.options,
        .options_length = header.options_length,
        .interface = IP_LOOPBACK,
        .tos = emit->tos,
        .ttl = emit->ttl,
        .segment_size = emit->segment_size,
        .part_count = emit->part_count,
        .length = emit->length,
        .parts = emit->parts,
    };
    segment.hash = ports_hash(tcp_ports(to), &segment.tuple);
    tcp_input(to, &segment, now);
}

static bool is_answered(const struct berth_host *host, const struct tcp_emit *emit) {
    const struct tuple tuple = {.local = emit->remote,
                                .remote = emit->local,
                                .local_port = load_be16(emit->header + 2),
                                .remote_port = load_be16(emit->header)};
    return host->answerer && tcp_knows(host->answerer->sockets.tcp, &tuple);
}

/* A SYN of ours that has not been asked about. */
static bool is_opening(const struct berth_host *host, const struct tcp_emit *emit) {
    const struct sockets *sockets = &host->sockets;
    return (emit->header[13] & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN &&
           (!ip_has_address(&sockets->ip, &emit->remote) ||
            ports_lookup(tcp_ports(sockets->tcp), &emit->remote, sockets->openings.port, 0) == 0);
}

bool opening_diverts(struct berth_host *host, const struct tcp_emit *emit, uint64_t now) {
    struct sockets *sockets = &host->sockets;
    uint16_t port = load_be16(emit->header + 2);
    if (port != sockets->openings.port)
        return false;
    if (is_answered(host, emit)) {
        deliver(host->answerer->sockets.tcp, emit, now);
        return true;
    }
    if (!is_opening(host, emit))
        return false;
    const struct berth_endpoint source = {emit->local, load_be16(emit->header)};
    const struct berth_endpoint destination = {emit->remote, port};
    uint8_t octets[sizeof emit->header + SEGMENT_MORE];
    memcpy(octets, emit->header, emit->header_length);
    octets[emit->header_length] = emit->tos;
    octets[emit->header_length + 1] = emit->ttl;
    octets[emit->header_length + 2] = emit->interface;
    divert_put(&sockets->openings, sockets->ip.allocator, &source, &destination, octets,
               (size_t)emit->header_length + SEGMENT_MORE);
    return true;
}

bool answerer_pull(struct berth_host *host, uint64_t now) {
    struct tcp_emit emit;
    if (!host->answerer || !tcp_output(host->answerer->sockets.tcp, &emit, now))
        return false;
    deliver(host->sockets.tcp, &emit, now);
    return true;
}

/* ---- the caller's part ---- */

void berth_host_divert_tcp(struct berth_host *host, uint16_t port) {
    host->sockets.openings.port = port;
}

bool berth_host_take_opening(struct berth_host *host, struct berth_diverted *opening) {
    return divert_take(&host->sockets.openings, host->config.allocator, opening);
}

void berth_host_set_answerer(struct berth_host *host, struct berth_host *answerer) {
    host->answerer = answerer;
}

/* The SYN as it was. */
static void emit_again(const struct berth_diverted *opening, struct tcp_emit *emit) {
    size_t length = opening->length - SEGMENT_MORE;
    memset(emit, 0, sizeof *emit);
    emit->local = opening->source.ip;
    emit->remote = opening->destination.ip;
    emit->header_length = (uint8_t)length;
    memcpy(emit->header, opening->data, length);
    emit->tos = opening->data[length];
    emit->ttl = opening->data[length + 1];
    emit->interface = opening->data[length + 2];
}

void berth_host_answer_opening(struct berth_host *host, const struct berth_diverted *opening,
                               uint64_t now) {
    struct tcp_emit emit;
    emit_again(opening, &emit);
    if (host->answerer)
        deliver(host->answerer->sockets.tcp, &emit, sockets_clock(&host->sockets, now));
}

int berth_host_pass_opening(struct berth_host *host, const struct berth_diverted *opening,
                            uint64_t now) {
    struct tcp_emit emit;
    struct ip_hop hop;
    struct ip *ip = &host->sockets.ip;
    emit_again(opening, &emit);
    int error = ip_route(ip, &emit.remote, emit.interface, &hop);
    if (error)
        return error;
    const struct ip_send send = {
        .local = &emit.local,
        .remote = &emit.remote,
        .header = emit.header,
        .header_length = emit.header_length,
        .protocol = IPV4_TCP,
        .tos = emit.tos,
        .ttl = emit.ttl,
        .interface = emit.interface,
        .checksum_at = 16,
        .dont_fragment = true,
    };
    ip_post(ip, &send, sockets_clock(&host->sockets, now));
    return 0;
}
