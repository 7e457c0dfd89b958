/* Datagrams that the caller answers in the network's stead. */
#include "engine/host/host.h"

void berth_host_divert_udp(struct berth_host *host, uint16_t port) {
    host->sockets.divert.port = port;
}

bool berth_host_take_diverted(struct berth_host *host, struct berth_diverted *datagram) {
    return divert_take(&host->sockets.divert, host->config.allocator, datagram);
}

void berth_host_inject_udp(struct berth_host *host, const struct berth_endpoint *source,
                           const struct berth_endpoint *destination, const uint8_t *data,
                           size_t length, uint64_t now) {
    sockets_clock(&host->sockets, now);
    if (length > UINT16_MAX)
        return;
    const struct berth_part part = {.block = NULL, .data = data, .length = (uint32_t)length};
    const struct udp_arrival arrival = {
        .tuple = {.local = destination->ip,
                  .remote = source->ip,
                  .local_port = destination->port,
                  .remote_port = source->port},
        .parts = &part,
        .part_count = length > 0,
        .length = (uint32_t)length,
        .interface = host->sockets.ip.interface_count > 1 ? 1 : IP_LOOPBACK,
        .ttl = host->config.default_ttl,
    };
    udp_input(host->sockets.udp, &arrival);
}

void berth_host_pass_diverted(struct berth_host *host, const struct berth_diverted *datagram,
                              uint64_t now) {
    sockets_clock(&host->sockets, now);
    udp_pass(host->sockets.udp, &datagram->source, &datagram->destination, datagram->data,
             datagram->length, true);
}
