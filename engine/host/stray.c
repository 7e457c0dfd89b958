/* A gateway (berth_host_set_gateway): every unicast address is its own as far as what comes in is
 * concerned, and connections may begin at any. Of what comes, only what belongs to a connection is
 * dealt with at once. A SYN, a datagram for which there is no socket, or an echo request is a
 * *stray*: a copy of it waits for the caller, who asks outside whether anybody is there, and then
 * admits it (it goes on as if it had just come), refuses it (an ICMP error about it) or drops it.
 * So a peer hears of a connection what the outside said, before its handshake is over. */
#include "engine/host/stray.h"
#include "engine/host/host.h"
#include "engine/wire/icmp6.h"
#include "engine/wire/udp.h"
#include <string.h>

struct stray_node {
    struct stray_node *next;
    struct berth_stray stray;
};

bool stray_put(struct strays *strays, struct berth_allocator allocator,
               const struct ip_packet *packet, uint16_t source_port, uint16_t destination_port,
               uint32_t data) {
    if (!strays->on || strays->admitting || packet->group || packet->interface == IP_LOOPBACK)
        return false;
    if (strays->count == STRAYS_MAX)
        return true;
    uint32_t length = packet->header_length + packet->length;
    struct stray_node *node = allocator.allocate(allocator.context, sizeof *node);
    struct berth_block *block = node ? berth_block_new(allocator, length) : NULL;
    if (!block) {
        if (node)
            allocator.release(allocator.context, node, sizeof *node);
        return true;
    }
    memcpy(block->data, packet->header, packet->header_length);
    view_read(&packet->view, packet->at, packet->length, block->data + packet->header_length);
    *node = (struct stray_node){
        .stray = {.protocol = packet->protocol,
                  .tos = packet->tos,
                  .ttl = packet->ttl,
                  .source = {.ip = packet->source, .port = source_port},
                  .destination = {.ip = packet->destination, .port = destination_port},
                  .data = block->data + packet->header_length + (data - packet->at),
                  .length = packet->length - (data - packet->at),
                  .block = block,
                  .header_length = packet->header_length,
                  .next_at = packet->next_at,
                  .interface = packet->interface,
                  .flags = packet->flags}};
    if (strays->tail)
        strays->tail->next = node;
    else
        strays->head = node;
    strays->tail = node;
    strays->count++;
    return true;
}

static bool stray_take(struct strays *strays, struct berth_allocator allocator,
                       struct berth_stray *stray) {
    struct stray_node *node = strays->head;
    if (!node)
        return false;
    strays->head = node->next;
    if (!strays->head)
        strays->tail = NULL;
    strays->count--;
    *stray = node->stray;
    allocator.release(allocator.context, node, sizeof *node);
    return true;
}

void strays_clear(struct strays *strays, struct berth_allocator allocator) {
    struct berth_stray stray;
    while (stray_take(strays, allocator, &stray))
        berth_stray_drop(&stray);
}

void berth_host_set_gateway(struct berth_host *host, bool on) {
    host->strays.on = on;
    host->sockets.ip.takes_all = on;
    if (!on)
        strays_clear(&host->strays, host->config.allocator);
}

bool berth_host_is_gateway(const struct berth_host *host) {
    return host->strays.on;
}

bool berth_host_take_stray(struct berth_host *host, struct berth_stray *stray) {
    return stray_take(&host->strays, host->config.allocator, stray);
}

void berth_stray_drop(struct berth_stray *stray) {
    if (stray->block)
        berth_block_drop(stray->block);
    stray->block = NULL;
}

/* The packet as it came. */
static void packet_of(const struct berth_stray *stray, struct ip_packet *packet) {
    *packet = (struct ip_packet){
        .source = stray->source.ip,
        .destination = stray->destination.ip,
        .at = stray->header_length,
        .length = stray->block->size - stray->header_length,
        .header = stray->block->data,
        .header_length = stray->header_length,
        .next_at = stray->next_at,
        .protocol = stray->protocol,
        .tos = stray->tos,
        .ttl = stray->ttl,
        .interface = stray->interface,
        .flags = stray->flags,
    };
    view_of_block(&packet->view, stray->block, stray->block->size);
}

void berth_host_admit_stray(struct berth_host *host, struct berth_stray *stray, uint64_t now) {
    struct ip_packet packet;
    packet_of(stray, &packet);
    host->strays.admitting = true;
    host_input_packet(host, &packet, sockets_clock(&host->sockets, now));
    host->strays.admitting = false;
    berth_stray_drop(stray);
}

void berth_host_refuse_stray(struct berth_host *host, struct berth_stray *stray,
                             enum berth_refusal why, uint64_t now) {
    /* RFC 1122 3.2.2.1, RFC 1812 5.2.7.1; RFC 4443 3.1. */
    static const uint8_t codes[][2] = {[BERTH_REFUSE_NET] = {0, 0},
                                       [BERTH_REFUSE_HOST] = {1, 3},
                                       [BERTH_REFUSE_PORT] = {3, ICMP6_PORT_UNREACHABLE},
                                       [BERTH_REFUSE_PROHIBITED] = {13, 1}};
    struct ip_packet packet;
    packet_of(stray, &packet);
    bool v6 = packet_is_v6(&packet);
    const struct icmp_header header = {.type = v6 ? ICMP6_UNREACHABLE : ICMP_UNREACHABLE,
                                       .code = codes[why][v6]};
    icmp_about_forwarded(&host->sockets.ip, &packet, &header, sockets_clock(&host->sockets, now));
    berth_stray_drop(stray);
}

void berth_host_send_udp(struct berth_host *host, const struct berth_endpoint *source,
                         const struct berth_endpoint *destination, const void *data, size_t length,
                         uint64_t now) {
    sockets_clock(&host->sockets, now);
    if (length <= UDP_PAYLOAD_MAX)
        udp_pass(host->sockets.udp, source, destination, data, length, false);
}
