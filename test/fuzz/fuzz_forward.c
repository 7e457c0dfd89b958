/* A router between an Ethernet link and a narrow raw one: datagrams of both families whose headers,
 * cuts, offloads and next hops are the input's. Whatever comes, what it sends is well formed and
 * fits the link, has hops left, and when the router is freed so is all memory. */
#include "engine/wire/arp.h"
#include "engine/wire/ethernet.h"
#include "engine/wire/ipv4.h"
#include "engine/wire/ipv6.h"
#include "test/fuzz/input.h"
#include "test/unit/base/counting_allocator.h"
#include <berth/host.h>
#include <string.h>

enum { STEPS = 200, MOST = 6000, WIDE = 1500 };

struct router {
    struct counting counting;
    struct berth_host *host;
    struct input *input;
    uint32_t narrow;
    uint64_t now;
    uint8_t octets[MOST], sent[65535 + 14];
};

static const uint8_t router_mac[6] = {2, 0, 0, 0, 0, 1}, peer_mac[6] = {2, 0, 0, 0, 0, 2};
static const struct berth_ip near6 = {{0xfd, [15] = 1}}, far6 = {{0xfd, 1, [15] = 1}};

static void link_add(struct router *router, enum berth_link_type link, uint32_t mtu, uint8_t how,
                     uint32_t v4, const struct berth_ip *v6) {
    struct berth_interface_config config = {.link = link, .mtu = mtu, .offloads = how & 3};
    const struct berth_ip own = berth_ip_v4(v4);
    memcpy(config.mac, router_mac, 6);
    int interface = berth_host_add_interface(router->host, &config);
    CLAIM(interface > 0);
    CLAIM(berth_host_add_address(router->host, interface, &own, 24) == 0);
    if (mtu >= IPV6_MTU_MIN)
        CLAIM(berth_host_add_address(router->host, interface, v6, 64) == 0);
}

/* Half of what is far is behind another router on the near link: its neighbours are told. */
static void detour_make(struct router *router) {
    struct berth_ip half = berth_ip_v4(0x0a000180), better = berth_ip_v4(0x0a000009);
    struct berth_ip half6 = far6, better6 = {{0xfe, 0x80, [15] = 9}};
    half6.bytes[15] = 0x80;
    CLAIM(berth_host_add_route(router->host, 1, &half, 25, &better) == 0);
    CLAIM(berth_host_add_route(router->host, 1, &half6, 121, &better6) == 0);
}

static void router_make(struct router *router) {
    static const uint32_t mtus[] = {1400, 1280, 576, 68};
    struct berth_host_config config;
    uint8_t how = input_8(router->input);
    berth_host_config_init(&config);
    config.allocator = counting_allocator(&router->counting);
    config.ip_forward = config.ip6_forward = 1;
    config.neighbor_max = 8;
    router->host = berth_host_new(&config);
    CLAIM(router->host);
    router->narrow = mtus[how >> 2 & 3];
    link_add(router, BERTH_LINK_ETHERNET, WIDE, how >> 4, 0x0a000001, &near6);
    link_add(router, BERTH_LINK_RAW_IP, router->narrow, how, 0x0a000101, &far6);
    if ((how & 0xc0) == 0x80)
        detour_make(router);
}

static void frame_check(struct router *router, const struct berth_frame *frame, int interface) {
    size_t link = interface == 1 ? ETHERNET_HEADER : 0,
           mtu = interface == 1 ? WIDE : router->narrow;
    size_t length = berth_frame_read(frame, 0, router->sent, sizeof router->sent);
    const uint8_t *octets = router->sent + link;
    struct ipv4_header ip;
    struct ipv6_header ip6;
    CLAIM(length == berth_frame_length(frame) && length > link);
    length -= link;
    CLAIM(length <= mtu || frame->segment_size > 0);
    if (link > 0 && load_be16(router->sent + 12) == ETHERNET_ARP)
        return;
    if (octets[0] >> 4 == 4) {
        CLAIM(ipv4_header_parse(octets, length, length, &ip) == 0);
        CLAIM(ip.total_length == length && ip.ttl > 0);
    } else {
        CLAIM(ipv6_header_parse(octets, length, length, &ip6) == 0);
        CLAIM(IPV6_HEADER + (size_t)ip6.payload_length == length && ip6.hop_limit > 0);
    }
}

static void drain(struct router *router) {
    struct berth_frame frames[8];
    for (int interface = 1; interface <= 2; interface++) {
        size_t count;
        while ((count = berth_host_output(router->host, interface, frames, 8, router->now)) > 0)
            for (size_t i = 0; i < count; i++) {
                berth_frame_finish(&frames[i], interface == 1 ? ETHERNET_HEADER : 0);
                frame_check(router, &frames[i], interface);
                berth_frame_clear(&frames[i]);
            }
    }
    CLAIM(!berth_host_has_output(router->host));
}

/* A datagram in router->octets, right but for what the input spoils. Returns its length. */
static size_t datagram(struct router *router, uint8_t how) {
    struct input *input = router->input;
    size_t length = input_16(input) % (MOST - 100);
    uint8_t *at = router->octets;
    uint32_t to = 0x0a000100 | input_8(input);
    memset(at, 0x5a, sizeof router->octets);
    if (how & 1) {
        struct ipv6_header header = {.payload_length = (uint16_t)length,
                                     .next = how & 2 ? 6 : input_8(input),
                                     .hop_limit = input_8(input)};
        header.source = near6;
        header.source.bytes[15] = input_8(input);
        header.destination = far6;
        header.destination.bytes[15] = input_8(input);
        ipv6_header_write(at, &header);
        for (size_t i = 0; i < 16; i++)
            at[IPV6_HEADER + i] = input_8(input);
        return IPV6_HEADER + length;
    }
    uint8_t options[40];
    for (size_t i = 0; i < sizeof options; i++)
        options[i] = how & 0x10 ? input_8(input) : 1;
    uint16_t place = how & 0x20 ? input_16(input) : 0;
    struct ipv4_header header = {.options = options,
                                 .options_length = how & 0x10 ? 40 : 0,
                                 .ttl = input_8(input),
                                 .protocol = how & 2 ? 6 : input_8(input),
                                 .fragment_offset = (uint16_t)((place & 0x1fff) * 8),
                                 .more_fragments = place >> 13 & 1,
                                 .dont_fragment = place >> 14 & 1,
                                 .source = 0x0a000000 | input_8(input),
                                 .destination = to};
    header.header_length = (uint8_t)(IPV4_HEADER_MIN + header.options_length);
    header.total_length = (uint16_t)(header.header_length + length);
    ipv4_header_write(at, &header);
    return header.header_length + length;
}

/* In a frame of either link, cut and marked as the input says. */
static void give(struct router *router) {
    struct input *input = router->input;
    uint8_t how = input_8(input), cut = input_8(input), place = input_8(input);
    struct berth_frame frame = {.flags = how >> 2 & 1};
    int interface = 1 + (how >> 3 & 1);
    size_t link = interface == 1 ? ETHERNET_HEADER : 0, length = datagram(router, how);
    router->octets[place] ^= (uint8_t)(how & 0x40 ? input_8(input) : 0);
    if (how & 0x80)
        frame.segment_size = input_16(input);
    if (link > 0) {
        memcpy(frame.header, router_mac, 6);
        memcpy(frame.header + 6, peer_mac, 6);
        store_be16(frame.header + 12, how & 1 ? ETHERNET_IPV6 : ETHERNET_IPV4);
    }
    size_t own = cut < length ? cut : length;
    own = own < BERTH_FRAME_HEADER - link ? own : BERTH_FRAME_HEADER - link;
    memcpy(frame.header + link, router->octets, own);
    frame.header_length = (uint16_t)(link + own);
    /* In parts that are borrowed, or held. */
    size_t step = cut & 1 ? length : 500;
    for (size_t at = own; at < length && frame.part_count < BERTH_FRAME_PARTS; at += step) {
        uint32_t size = (uint32_t)(length - at < step ? length - at : step);
        struct berth_part *part = &frame.parts[frame.part_count++];
        *part = (struct berth_part){.data = router->octets + at, .length = size};
        if (!(cut & 2))
            continue;
        part->block = berth_block_new(berth_allocator_default(), size);
        CLAIM(part->block);
        memcpy(part->block->data, part->data, size);
        part->data = part->block->data;
    }
    berth_host_input(router->host, interface, &frame, 1, router->now);
    berth_frame_clear(&frame);
}

static void step(struct router *router) {
    static const uint32_t mtus[] = {1400, 1280, 576, 68};
    uint8_t what = input_8(router->input);
    if (what < 180) {
        give(router);
    } else if (what < 220) {
        router->now += UINT64_C(1) << what % 33;
        counting_recover(&router->counting);
        berth_host_advance(router->host, router->now);
    } else if (what < 240) {
        drain(router); /* what was made for the old MTU may go */
        /* As far as IPv6 on it lets it. */
        if (berth_host_set_interface(router->host, 2, mtus[what & 3], what >> 2 & 3) == 0)
            router->narrow = mtus[what & 3];
    } else {
        counting_fail_nth(&router->counting, 1 + input_8(router->input) % 8, what & 1);
    }
    if (what & 1 || what >= 220)
        drain(router);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct router router;
    struct input input = {data, size};
    memset(&router, 0, sizeof router);
    router.input = &input;
    router.now = BERTH_SECOND;
    router_make(&router);
    for (int i = 0; i < STEPS && input_more(&input); i++)
        step(&router);
    drain(&router);
    berth_host_free(router.host);
    CLAIM(router.counting.blocks == 0);
    return 0;
}
