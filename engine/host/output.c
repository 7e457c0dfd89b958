/* Frames that are to go out: what waits ready, then UDP's datagrams, then TCP's segments, each
 * given its headers as it is pulled. What meets another interface's pull waits for its own; what is
 * for this host itself goes round, and what answers it comes out of the same pull. */
#include "engine/host/host.h"
#include "engine/wire/udp.h"
#include <errno.h>

/* One call's state. */
struct pull {
    struct berth_host *host;
    unsigned interface;
    unsigned rounds; /* of the loopback, so far */
    uint64_t now;
};

static int send_tcp(const struct pull *pull, const struct tcp_emit *emit,
                    struct berth_frame *frame) {
    const struct ip_send send = {
        .local = &emit->local,
        .remote = &emit->remote,
        .header = emit->header,
        .parts = emit->parts,
        .length = emit->length,
        .part_count = emit->part_count,
        .header_length = emit->header_length,
        .protocol = IPV4_TCP,
        .tos = emit->tos,
        .ttl = emit->ttl,
        .interface = emit->interface,
        .checksum_at = 16,
        .dont_fragment = true, /* RFC 1191: the path's MTU is found by it */
        .segment_size = emit->segment_size,
    };
    return ip_output(&pull->host->sockets.ip, &send, frame, pull->now);
}

/* The header of RFC 768, written at once: it is read back at once. */
static void udp_octets(uint8_t octets[UDP_HEADER], const struct tuple *tuple, uint32_t length) {
    uint64_t word = (uint64_t)tuple->local_port << 48 | (uint64_t)tuple->remote_port << 32 |
                    (uint64_t)length << 16;
    for (unsigned i = 0; i < UDP_HEADER; i++)
        octets[i] = (uint8_t)(word >> (56 - 8 * i));
}

static int send_udp(const struct pull *pull, const struct udp_emit *emit,
                    struct berth_frame *frame) {
    uint8_t octets[UDP_HEADER];
    udp_octets(octets, &emit->tuple, UDP_HEADER + emit->payload.length);
    const struct ip_send send = {
        .local = &emit->tuple.local,
        .remote = &emit->tuple.remote,
        .header = octets,
        .parts = &emit->payload,
        .length = emit->payload.length,
        .part_count = emit->payload.length > 0,
        .header_length = UDP_HEADER,
        .protocol = IPV4_UDP,
        .tos = emit->tos,
        .ttl = emit->ttl,
        .interface = emit->interface,
        .checksum_at = 6,
        .dont_fragment = emit->dont_fragment,
        .may_fragment = true,
    };
    int interface = ip_output(&pull->host->sockets.ip, &send, frame, pull->now);
    if (emit->payload.block)
        berth_block_drop(emit->payload.block);
    return interface;
}

static int send_echo(const struct pull *pull, struct udp_emit *emit, struct berth_frame *frame) {
    uint8_t octets[ICMP_HEADER];
    echo_header(emit, octets);
    const struct ip_send send = {
        .local = &emit->tuple.local,
        .remote = &emit->tuple.remote,
        .header = octets,
        .parts = &emit->payload,
        .length = emit->payload.length,
        .part_count = emit->payload.length > 0,
        .header_length = ICMP_HEADER,
        .protocol = berth_ip_is_v4(&emit->tuple.remote) ? IPV4_ICMP : IPV6_ICMP,
        .tos = emit->tos,
        .ttl = emit->ttl,
        .interface = emit->interface,
        .checksum_at = 2,
        .dont_fragment = emit->dont_fragment,
        .may_fragment = true,
    };
    pull->host->counters.icmp_out_msgs++;
    int interface = ip_output(&pull->host->sockets.ip, &send, frame, pull->now);
    berth_block_drop(emit->payload.block);
    return interface;
}

/* The next datagram or segment; its interface as ip_output says, or -EAGAIN when none waits. */
static int send_next(const struct pull *pull, struct berth_frame *frame) {
    struct sockets *sockets = &pull->host->sockets;
    if (udp_has_output(sockets->udp)) {
        struct udp_emit datagram;
        udp_output(sockets->udp, &datagram);
        return send_udp(pull, &datagram, frame);
    }
    if (sockets->echo && udp_has_output(sockets->echo->sockets)) {
        struct udp_emit request;
        udp_output(sockets->echo->sockets, &request);
        return send_echo(pull, &request, frame);
    }
    struct tcp_emit segment;
    if (tcp_output(sockets->tcp, &segment, pull->now))
        return opening_diverts(pull->host, &segment, pull->now) ? -EINPROGRESS
                                                                : send_tcp(pull, &segment, frame);
    return answerer_pull(pull->host, pull->now) ? -EINPROGRESS : -EAGAIN;
}

/* Lets what the host sent to itself come in. False when the pull has done enough of that. */
static bool pull_round(struct pull *pull) {
    if (pull->rounds++ == LOOP_ROUNDS)
        return false;
    loop_round(pull->host, pull->now);
    return true;
}

/* Takes what waits ready: true with a frame for the pull's interface. */
static bool pull_ready(struct pull *pull, struct berth_frame *frame) {
    struct berth_host *host = pull->host;
    struct ip *ip = &host->sockets.ip;
    while (host->loop_count < LOOP_FRAMES && ip_take_ready(ip, IP_LOOPBACK, frame))
        loop_add(host, frame);
    return pull->interface != IP_LOOPBACK && ip_take_ready(ip, pull->interface, frame);
}

/* Fills *frame with the next one for the pull's interface. False when there is none left. */
static bool pull_frame(struct pull *pull, struct berth_frame *frame) {
    struct berth_host *host = pull->host;
    struct ip *ip = &host->sockets.ip;
    for (;;) {
        if (ip->ready > 0 && pull_ready(pull, frame))
            return true;
        if (host->loop_count == LOOP_FRAMES && !pull_round(pull))
            return false;
        int interface = send_next(pull, frame);
        if (interface == -EAGAIN && (host->loop_count == 0 || !pull_round(pull)))
            return false;
        if (interface < 0)
            continue;
        if (interface == IP_LOOPBACK)
            loop_add(host, frame);
        else if ((unsigned)interface == pull->interface)
            return true;
        else
            ip_ready(ip, (unsigned)interface, frame);
    }
}

size_t berth_host_output(struct berth_host *host, int interface, struct berth_frame *frames,
                         size_t max, uint64_t now) {
    if (host->sockets.suspended || interface < IP_LOOPBACK ||
        interface >= host->sockets.ip.interface_count)
        return 0;
    struct pull pull = {
        .host = host, .interface = (unsigned)interface, .now = sockets_clock(&host->sockets, now)};
    size_t count = 0;
    while (count < max && pull_frame(&pull, &frames[count]))
        count++;
    return count;
}

bool berth_host_has_output(const struct berth_host *host) {
    if (host->sockets.suspended)
        return false;
    return host->sockets.ip.ready > 0 || host->loop_count > 0 ||
           udp_has_output(host->sockets.udp) || tcp_has_output(host->sockets.tcp) ||
           (host->sockets.echo && udp_has_output(host->sockets.echo->sockets)) ||
           (host->answerer && tcp_has_output(host->answerer->sockets.tcp));
}
