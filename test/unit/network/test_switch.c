/* A switch between outside ports: learning, flooding, links and the capture, with frames made by
 * hand. */
#include "engine/base/bytes.h"
#include "network/network.h"
#include "test/unit/network/pcapng.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct pcapng file;

struct net {
    struct berth_network *network;
    struct counting counting;
    int lan, ports[4];
};

static void net_open(struct net *net, uint8_t seed, uint8_t offloads) {
    struct berth_network_config config;
    berth_network_config_init(&config);
    config.allocator = counting_allocator(&net->counting);
    config.seed[0] = seed;
    net->network = berth_network_new(&config);
    assert_non_null(net->network);
    struct berth_ip subnet = berth_ip_v4(0x0a000000);
    net->lan = berth_network_add_switch(net->network, "lan", &subnet, 24, 0);
    assert_int_equal(net->lan, 0);
    for (int i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "out%d", i);
        net->ports[i] = berth_network_add_outside(net->network, net->lan, name, offloads);
        assert_int_equal(net->ports[i], i);
    }
}

static void net_close(struct net *net) {
    berth_network_free(net->network);
    assert_int_equal(net->counting.blocks, 0);
}

/* A frame between stations 1, 2, ...; station 0 is everybody. */
static void send(struct net *net, int port, uint32_t from, uint32_t to, uint32_t number,
                 size_t length, uint64_t now) {
    uint8_t octets[2000] = {0};
    memset(octets, 0xff, 6);
    if (to != 0) {
        octets[0] = 0x04;
        octets[1] = 0;
        store_be32(octets + 2, to);
    }
    octets[6] = 0x04;
    store_be32(octets + 8, from);
    store_be16(octets + 12, 0x88b5);
    store_be32(octets + 14, number);
    struct berth_frame frame;
    assert_int_equal(berth_frame_from_bytes(&frame, berth_allocator_default(), octets, length), 0);
    assert_int_equal(berth_network_outside_input(net->network, port, &frame, 1, now), 0);
    berth_frame_clear(&frame);
}

static size_t drain(struct net *net, int port, uint32_t *numbers, size_t max) {
    size_t count = 0;
    struct berth_frame frames[8];
    for (size_t got; (got = berth_network_outside_output(net->network, port, frames, 8)) > 0;) {
        for (size_t i = 0; i < got; i++, count++) {
            uint8_t head[18] = {0};
            assert_true(berth_frame_read(&frames[i], 0, head, sizeof head) >= 14);
            if (count < max)
                numbers[count] = load_be32(head + 14);
            berth_frame_clear(&frames[i]);
        }
    }
    return count;
}

static void expect(struct net *net, size_t a, size_t b, size_t c, size_t d) {
    const size_t want[] = {a, b, c, d};
    for (int i = 0; i < 4; i++)
        assert_int_equal(drain(net, i, NULL, 0), want[i]);
}

static void stations_are_learned_and_forgotten(void **state) {
    (void)state;
    struct net net;
    net_open(&net, 1, 0);
    send(&net, 0, 1, 2, 0, 60, 0); /* nobody knows 2 */
    expect(&net, 0, 1, 1, 1);
    send(&net, 2, 2, 1, 0, 60, 0); /* it is heard at port 2 */
    expect(&net, 1, 0, 0, 0);
    send(&net, 0, 1, 2, 0, 60, 0);
    expect(&net, 0, 0, 1, 0);
    send(&net, 3, 2, 0, 0, 60, 0); /* it moves to port 3 and calls all */
    expect(&net, 1, 1, 1, 0);
    send(&net, 0, 1, 2, 0, 60, 0);
    expect(&net, 0, 0, 0, 1);
    send(&net, 3, 9, 2, 0, 60, 0); /* it is where this comes from */
    expect(&net, 0, 0, 0, 0);
    send(&net, 0, 1, 2, 0, 60, LEARNED_LIFE); /* silent for too long */
    expect(&net, 0, 1, 1, 1);
    net_close(&net);
}

static void the_table_is_bounded_and_keeps_who_speaks(void **state) {
    (void)state;
    struct net net;
    net_open(&net, 1, 0);
    size_t held = net.counting.octets;
    for (uint32_t i = 0; i < 100000; i++) {
        send(&net, 1, 1000 + i, 1, 0, 60, i + 1);
        if (i % 16 == 0)
            send(&net, 0, 1, 1, 0, 60, i + 1); /* to itself: goes nowhere, but is heard */
        if (i % 256 == 0)
            for (int port = 0; port < 4; port++)
                drain(&net, port, NULL, 0);
    }
    for (int port = 0; port < 4; port++)
        drain(&net, port, NULL, 0);
    send(&net, 2, 7, 1, 0, 60, 200000);
    expect(&net, 1, 0, 0, 0);
    assert_true(net.counting.octets < held + 1000000);
    net_close(&net);
}

static void a_full_outside_drops_the_rest(void **state) {
    (void)state;
    struct net net;
    net_open(&net, 1, 0);
    for (uint32_t i = 0; i < 2 * NETWORK_BUDGET; i++)
        send(&net, 0, 1, 0, i, 60, 0);
    uint32_t numbers[NETWORK_BUDGET];
    assert_int_equal(drain(&net, 1, numbers, NETWORK_BUDGET), NETWORK_BUDGET);
    for (uint32_t i = 0; i < NETWORK_BUDGET; i++)
        assert_int_equal(numbers[i], i);
    net_close(&net);
}

/* Both directions of both links wait: the times add up, to the nanosecond. */
static void delays_add_up(void **state) {
    (void)state;
    struct net net;
    net_open(&net, 1, 0);
    send(&net, 1, 2, 0, 0, 60, 0);
    for (int i = 0; i < 4; i++)
        drain(&net, i, NULL, 0);
    struct berth_impairment out = {.delay = 3}, in = {.delay = 40};
    assert_int_equal(berth_network_outside_impair(net.network, 0, BERTH_EGRESS, &out), 0);
    assert_int_equal(berth_network_outside_impair(net.network, 1, BERTH_INGRESS, &in), 0);
    send(&net, 0, 1, 2, 7, 60, 100);
    assert_int_equal(berth_network_deadline(net.network), 103);
    berth_network_run(net.network, 102);
    assert_int_equal(berth_network_deadline(net.network), 103);
    berth_network_run(net.network, 103);
    assert_int_equal(berth_network_deadline(net.network), 143);
    berth_network_run(net.network, 142);
    expect(&net, 0, 0, 0, 0);
    berth_network_run(net.network, 143);
    expect(&net, 0, 1, 0, 0);
    assert_int_equal(berth_network_deadline(net.network), BERTH_NEVER);
    net_close(&net);
}

static void a_slow_line_gives_its_rate(void **state) {
    (void)state;
    struct net net;
    net_open(&net, 1, 0);
    struct berth_impairment line = {.rate = 8000000, .limit = 50}; /* 1 octet a microsecond */
    assert_int_equal(berth_network_outside_impair(net.network, 0, BERTH_EGRESS, &line), 0);
    size_t passed = 0;
    /* Twice the rate for a second. */
    for (uint64_t t = 0; t < BERTH_SECOND; t += 500000) {
        send(&net, 0, 1, 0, 0, 1000, t);
        berth_network_run(net.network, t);
        passed += drain(&net, 1, NULL, 0);
    }
    assert_in_range(passed, 980, 1000);
    berth_network_run(net.network, 2 * BERTH_SECOND);
    /* The queue was full. */
    assert_int_equal(drain(&net, 1, NULL, 0), 50);
    net_close(&net);
}

static void reordered_frames_overtake(void **state) {
    (void)state;
    struct net net;
    net_open(&net, 1, 0);
    struct berth_impairment line = {.delay = 1000000, .reorder = 0.25, .limit = 100000};
    assert_int_equal(berth_network_outside_impair(net.network, 0, BERTH_EGRESS, &line), 0);
    static uint32_t numbers[4000];
    size_t count = 0, early = 0;
    for (uint32_t i = 0; i < 4000; i++) {
        send(&net, 0, 1, 0, i, 60, i * 1000);
        berth_network_run(net.network, i * 1000);
        count += drain(&net, 1, numbers + count, 4000 - count);
    }
    berth_network_run(net.network, BERTH_SECOND);
    count += drain(&net, 1, numbers + count, 4000 - count);
    assert_int_equal(count, 4000);
    uint32_t highest = 0;
    for (size_t i = 0; i < count; i++) {
        if (numbers[i] >= highest)
            highest = numbers[i];
        else
            early++;
    }
    assert_true(early > 2000); /* those that waited and were overtaken */
    net_close(&net);
}

static void one_bit_is_flipped(void **state) {
    (void)state;
    struct net net;
    net_open(&net, 1, 0);
    struct berth_impairment line = {.corrupt = 1};
    assert_int_equal(berth_network_outside_impair(net.network, 1, BERTH_INGRESS, &line), 0);
    unsigned places = 0;
    for (uint32_t n = 0; n < 100; n++) {
        send(&net, 0, 1, 0, n, 60, n);
        uint8_t sent[60], got[60];
        struct berth_frame frame;
        assert_int_equal(berth_network_outside_output(net.network, 2, &frame, 1), 1);
        berth_frame_read(&frame, 0, sent, 60);
        berth_frame_clear(&frame);
        assert_int_equal(berth_network_outside_output(net.network, 1, &frame, 1), 1);
        assert_int_equal(berth_frame_read(&frame, 0, got, 60), 60);
        berth_frame_clear(&frame);
        unsigned bits = 0;
        for (unsigned i = 0; i < 60; i++) {
            bits += (unsigned)__builtin_popcount(sent[i] ^ got[i]);
            places |= sent[i] != got[i] ? 1u << i / 2 : 0;
        }
        assert_int_equal(bits, 1);
    }
    assert_true(__builtin_popcount(places) > 20);
    net_close(&net);
}

static void runts_giants_and_strangers_are_refused(void **state) {
    (void)state;
    struct net net;
    net_open(&net, 1, 0);
    send(&net, 0, 1, 0, 0, 13, 0);
    expect(&net, 0, 0, 0, 0);
    struct berth_frame frame = {0};
    assert_int_equal(berth_network_outside_input(net.network, 0, &frame, 1, 0), 0);
    assert_int_equal(berth_network_outside_input(net.network, 4, &frame, 1, 0), -ENODEV);
    assert_int_equal(berth_network_outside_input(net.network, -1, &frame, 1, 0), -ENODEV);
    assert_int_equal(berth_network_outside_output(net.network, 4, &frame, 1), 0);
    assert_int_equal(berth_network_add_outside(net.network, 1, "x", 0), -EINVAL);
    net_close(&net);
}

/* Octets that are the caller's for the call only must be kept as a copy while they wait. */
static void borrowed_octets_may_go_away(void **state) {
    (void)state;
    struct net net;
    net_open(&net, 1, 0);
    struct berth_impairment line = {.delay = 10};
    berth_network_outside_impair(net.network, 0, BERTH_EGRESS, &line);
    uint8_t octets[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 4, 0, 0,
                          0,    0,    1,    0x88, 0xb5, 0,    0, 0, 9};
    struct berth_frame frame = {.part_count = 1, .parts = {{NULL, octets, 60}}};
    assert_int_equal(berth_network_outside_input(net.network, 0, &frame, 1, 0), 0);
    memset(octets, 0, sizeof octets);
    berth_network_run(net.network, 10);
    uint32_t number;
    assert_int_equal(drain(&net, 1, &number, 1), 1);
    assert_int_equal(number, 9);
    net_close(&net);
}

static void captures_tell_what_passed_and_what_did_not(void **state) {
    (void)state;
    struct net net;
    struct bytes bytes = {0};
    net_open(&net, 1, 0);
    assert_int_equal(berth_network_capture(net.network, bytes_append, &bytes, 5000), 0);
    send(&net, 0, 1, 0, 1, 61, 10);
    struct berth_impairment all = {.loss = 1}, none = {0}, far = {.loss = 1, .delay = 100};
    berth_network_outside_impair(net.network, 1, BERTH_EGRESS, &all);
    send(&net, 1, 2, 1, 2, 60, 20); /* lost before the switch */
    berth_network_outside_impair(net.network, 1, BERTH_EGRESS, &none);
    berth_network_outside_impair(net.network, 0, BERTH_INGRESS, &all);
    send(&net, 1, 2, 1, 3, 60, 30); /* lost behind it: one line */
    berth_network_add_outside(net.network, 0, "late", 0);
    send(&net, 1, 2, 0, 4, 60, 40); /* one of many lost: a line of its own */
    send(&net, 4, 5, 2, 5, 60, 50);
    berth_network_outside_impair(net.network, 2, BERTH_EGRESS, &far);
    send(&net, 2, 6, 2, 7, 60, 55); /* shown when it would have come */
    send(&net, 4, 5, 2, 8, 60, 60);
    berth_network_run(net.network, 155);
    assert_int_equal(berth_network_capture(net.network, NULL, NULL, 0), 0);
    send(&net, 0, 1, 0, 6, 60, 60);

    pcapng_read(&file, &bytes);
    assert_int_equal(file.interfaces, 5);
    assert_string_equal(file.names[0], "out0");
    assert_string_equal(file.names[4], "late");
    static const struct {
        uint32_t number, interface;
        uint64_t stamp;
        const char *comment;
    } want[] = {
        {1, 0, 5010, ""},
        {2, 1, 5020, "dropped: loss (netem)"},
        {3, 1, 5030, "dropped: loss (netem)"},
        {4, 1, 5040, ""},
        {4, 0, 5040, "dropped: loss (netem)"},
        {5, 4, 5050, ""},
        {8, 4, 5060, ""},
        {7, 2, 5155, "dropped: loss (netem)"},
    };
    assert_int_equal(file.packets, COUNT(want));
    for (size_t i = 0; i < COUNT(want); i++) {
        const struct packet *packet = &file.packet[i];
        assert_int_equal(load_be32(packet->data + 14), want[i].number);
        assert_int_equal(packet->interface, want[i].interface);
        assert_int_equal(packet->stamp, want[i].stamp);
        assert_string_equal(packet->comment, want[i].comment);
        assert_int_equal(packet->length, i == 0 ? 61 : 60);
    }
    free(bytes.data);
    net_close(&net);
}

/* One run of a network on which all happens. */
static void play(struct bytes *bytes, uint8_t seed) {
    struct net net;
    net_open(&net, seed, 0);
    berth_network_capture(net.network, bytes_append, bytes, 0);
    struct berth_impairment line = {.delay = 10000,
                                    .jitter = 9000,
                                    .loss = .2,
                                    .duplicate = .2,
                                    .corrupt = .2,
                                    .reorder = .2,
                                    .limit = 20};
    for (int i = 0; i < 4; i++)
        berth_network_outside_impair(net.network, i, BERTH_BOTH, &line);
    for (uint32_t i = 0; i < 2000; i++) {
        send(&net, (int)(i % 4), i % 4 + 1, (i / 4) % 5, i, 60 + i % 1000, i * 500);
        berth_network_run(net.network, i * 500);
        for (int port = 0; port < 4; port++)
            drain(&net, port, NULL, 0);
    }
    net_close(&net);
}

static void the_same_seed_gives_the_same_capture(void **state) {
    (void)state;
    struct bytes a = {0}, b = {0}, c = {0};
    play(&a, 1);
    play(&b, 1);
    play(&c, 2);
    assert_true(a.length > 100000);
    assert_int_equal(a.length, b.length);
    assert_memory_equal(a.data, b.data, a.length);
    assert_true(a.length != c.length || memcmp(a.data, c.data, a.length) != 0);
    free(a.data);
    free(b.data);
    free(c.data);
}

/* Octets and offload marks at random, to ports with and without offloads, over links that do
 * everything. */
static void no_frame_from_outside_does_harm(void **state) {
    (void)state;
    struct net net;
    struct bytes bytes = {0};
    net_open(&net, 1, 0);
    int able = berth_network_add_outside(net.network, 0, "able",
                                         BERTH_OFFLOAD_CHECKSUM | BERTH_OFFLOAD_SEGMENT);
    struct berth_impairment line = {
        .delay = 10, .jitter = 10, .loss = .1, .duplicate = .2, .corrupt = .3, .rate = 1000000000};
    berth_network_outside_impair(net.network, 1, BERTH_BOTH, &line);
    uint32_t luck = 7;
    for (uint32_t round = 0; round < 20000; round++) {
        static const uint8_t start[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 4, 0, 0,    0, 0,  1, 8,
                                        0,    0x45, 0,    0,    0,    0,    0, 0, 0x40, 0, 64, 6};
        uint8_t octets[300];
        for (size_t i = 0; i < sizeof octets; i++)
            octets[i] = (uint8_t)((luck = luck * 1664525 + 1013904223) >> 24);
        memcpy(octets, start, sizeof start);
        size_t length = 14 + luck % 280;
        store_be16(octets + 16, (uint16_t)(luck >> 9 & 1 ? length - 14 : luck % 400));
        octets[46] = (uint8_t)(luck >> 10 & 3 ? 0x50 : luck >> 12);
        octets[14] = (uint8_t)(luck >> 13 & 7 ? 0x45 : luck >> 16);
        struct berth_frame frame;
        assert_int_equal(berth_frame_from_bytes(&frame, berth_allocator_default(), octets, length),
                         0);
        frame.segment_size = (uint16_t)(luck >> 14 & 3 ? luck >> 16 & 127 : 0);
        frame.flags = (uint8_t)(luck >> 17 & 3);
        frame.transport_offset = (uint16_t)(luck >> 19 & 3 ? 34 : luck >> 20 & 511);
        assert_int_equal(berth_network_outside_input(net.network,
                                                     round % 3 == 0 ? able : (int)(round % 2),
                                                     &frame, 1, round),
                         0);
        berth_frame_clear(&frame);
        berth_network_run(net.network, round);
        if (round == 1000)
            berth_network_capture(net.network, bytes_append, &bytes, 0);
        if (round == 1100)
            berth_network_capture(net.network, NULL, NULL, 0);
        for (int port = 0; port <= able; port++)
            drain(&net, port, NULL, 0);
    }
    free(bytes.data);
    net_close(&net);
}

static void switches_refuse_nonsense(void **state) {
    (void)state;
    struct net net;
    net_open(&net, 1, 0);
    struct berth_ip good = berth_ip_v4(0x0a010000), loopback = berth_ip_v4(0x7f000000),
                    group = berth_ip_v4(0xe0000000), six = {{0x20, 1}};
    assert_int_equal(berth_network_add_switch(net.network, "lan", &good, 24, 0), -EEXIST);
    assert_int_equal(berth_network_add_switch(net.network, "", &good, 24, 0), -EINVAL);
    assert_int_equal(berth_network_add_switch(net.network, "a b", &good, 24, 0), -EINVAL);
    assert_int_equal(berth_network_add_switch(net.network, "x", &good, 32, 0), -EINVAL);
    assert_int_equal(berth_network_add_switch(net.network, "x", &good, 24, 67), -EINVAL);
    assert_int_equal(berth_network_add_switch(net.network, "x", &good, 24, 65536), -EINVAL);
    assert_int_equal(berth_network_add_switch(net.network, "x", &loopback, 24, 0), -EINVAL);
    assert_int_equal(berth_network_add_switch(net.network, "x", &group, 24, 0), -EINVAL);
    assert_int_equal(berth_network_add_switch(net.network, "x", &six, 24, 0), -EINVAL);
    assert_int_equal(berth_network_add_switch(net.network, "x", &good, 24, 9000), 1);
    net_close(&net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stations_are_learned_and_forgotten),
        cmocka_unit_test(the_table_is_bounded_and_keeps_who_speaks),
        cmocka_unit_test(a_full_outside_drops_the_rest),
        cmocka_unit_test(delays_add_up),
        cmocka_unit_test(a_slow_line_gives_its_rate),
        cmocka_unit_test(reordered_frames_overtake),
        cmocka_unit_test(one_bit_is_flipped),
        cmocka_unit_test(runts_giants_and_strangers_are_refused),
        cmocka_unit_test(borrowed_octets_may_go_away),
        cmocka_unit_test(captures_tell_what_passed_and_what_did_not),
        cmocka_unit_test(the_same_seed_gives_the_same_capture),
        cmocka_unit_test(no_frame_from_outside_does_harm),
        cmocka_unit_test(switches_refuse_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
