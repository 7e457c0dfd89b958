#include "engine/socket/echo.h"
#include "engine/wire/icmp6.h"
#include <errno.h>

struct echo *echo_new(const struct berth_host_config *config, struct random *random) {
    struct berth_allocator allocator = config->allocator;
    struct echo *echo = allocator.allocate(allocator.context, sizeof *echo);
    if (!echo)
        return NULL;
    memset(echo, 0, sizeof *echo);
    echo->sockets = udp_new(config, random, &echo->counters);
    if (echo->sockets)
        return echo;
    echo_free(echo, allocator);
    return NULL;
}

void echo_free(struct echo *echo, struct berth_allocator allocator) {
    if (!echo)
        return;
    udp_free(echo->sockets);
    allocator.release(allocator.context, echo, sizeof *echo);
}

int echo_check(int family, const void *data, size_t length) {
    struct icmp_header header;
    if (icmp_header_parse(data, length, &header) != 0)
        return -EINVAL;
    return header.code == 0 && header.type == (family == 6 ? ICMP6_ECHO : ICMP_ECHO) ? 0 : -EINVAL;
}

void echo_input(struct echo *echo, const struct ip_packet *packet, uint16_t identifier) {
    struct berth_part parts[VIEW_PARTS];
    struct udp_arrival arrival = {
        .tuple = {.local = packet->destination, .remote = packet->source, .local_port = identifier},
        .length = packet->length,
        .interface = packet->interface,
        .ttl = packet->ttl,
        .tos = packet->tos};
    if (!echo || packet->group)
        return;
    int count =
        view_slice(&packet->view, packet->at, packet->length, parts, VIEW_PARTS, &arrival.parts);
    arrival.part_count = (uint8_t)count;
    udp_input(echo->sockets, &arrival);
}

void echo_header(struct udp_emit *emit, uint8_t octets[ICMP_HEADER]) {
    struct icmp_header header;
    icmp_header_parse(emit->payload.data, ICMP_HEADER, &header);
    header.rest = (uint32_t)emit->tuple.local_port << 16 | (header.rest & 0xffff);
    icmp_header_write(octets, &header);
    emit->payload.data += ICMP_HEADER;
    emit->payload.length -= ICMP_HEADER;
}
