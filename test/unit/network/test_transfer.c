/* TCP from host to host over links of all kinds: what is sent is what arrives, in the time it must
 * take. */
#include "engine/base/bytes.h"
#include "test/unit/network/pcapng.h"
#include "test/unit/network/world.h"

static struct pcapng file;

struct pair {
    struct world world;
    int a, b;
};

static void pair_open(struct pair *pair, uint8_t seed) {
    world_open(&pair->world, seed);
    pair->a = world_host(&pair->world, "a");
    pair->b = world_host(&pair->world, "b");
}

static void impair(struct pair *pair, int host, enum berth_direction direction,
                   struct berth_impairment what) {
    assert_int_equal(berth_network_impair(pair->world.network, host, direction, &what), 0);
}

static void nothing_in_between_takes_no_time(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair, 1);
    assert_int_equal(transfer_run(&pair.world, pair.a, pair.b, 80, 50000000, 10 * BERTH_SECOND), 0);
    world_close(&pair.world);
}

static void bad_links_lose_nothing(void **state) {
    (void)state;
    static const struct berth_impairment lines[] = {
        {.loss = 0.02, .delay = 5 * BERTH_MS},
        {.delay = 5 * BERTH_MS, .reorder = 0.25},
        {.delay = 5 * BERTH_MS, .jitter = 4 * BERTH_MS},
        {.duplicate = 0.2, .delay = BERTH_MS},
        {.corrupt = 0.02, .delay = BERTH_MS},
        {.rate = 100000000, .limit = 20},
        {.loss = 0.01, .duplicate = 0.01, .corrupt = 0.01, .reorder = 0.1, .delay = 2 * BERTH_MS},
    };
    for (size_t i = 0; i < COUNT(lines); i++) {
        for (int direction = BERTH_EGRESS; direction <= BERTH_BOTH; direction++) {
            for (int end = 0; end < 2; end++) {
                struct pair pair;
                pair_open(&pair, (uint8_t)i);
                impair(&pair, end ? pair.b : pair.a, (enum berth_direction)direction, lines[i]);
                transfer_run(&pair.world, pair.a, pair.b, 80, 1000000, 600 * BERTH_SECOND);
                world_close(&pair.world);
            }
        }
    }
}

/* One octet there and the connection's end, 4 link directions a round trip. */
static void a_handshake_takes_its_round_trips(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair, 1);
    impair(&pair, pair.a, BERTH_BOTH, (struct berth_impairment){.delay = 10 * BERTH_MS});
    impair(&pair, pair.b, BERTH_BOTH, (struct berth_impairment){.delay = 15 * BERTH_MS});
    /* ARP, SYN, then octet and FIN one way. */
    uint64_t took = transfer_run(&pair.world, pair.a, pair.b, 80, 1, 10 * BERTH_SECOND);
    assert_int_equal(took, 50 * BERTH_MS + 50 * BERTH_MS + 25 * BERTH_MS);
    world_close(&pair.world);
}

static void a_line_is_filled_to_its_rate(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair, 1);
    impair(&pair, pair.a, BERTH_EGRESS,
           (struct berth_impairment){.rate = 100000000, .delay = BERTH_MS, .limit = 100});
    uint64_t took = transfer_run(&pair.world, pair.a, pair.b, 80, 20000000, 60 * BERTH_SECOND);
    /* 1514 octets on the line for 1448 of the stream. */
    double least = 20e6 * 1514 / 1448 * 8 / 100e6 * 1e9;
    assert_true((double)took > least * 0.98);
    assert_true((double)took < least * 1.10);
    world_close(&pair.world);
}

static uint32_t longest_frame(const struct pcapng *capture, uint32_t interface) {
    uint32_t longest = 0;
    for (unsigned i = 0; i < capture->packets; i++)
        if (capture->packet[i].interface == interface && capture->packet[i].length > longest)
            longest = capture->packet[i].length;
    return longest;
}

/* A host behind a bad link makes MTU-size frames; one that merely sends to such a host does not,
 * and the switch cuts them up. */
static void only_free_links_carry_large_segments(void **state) {
    (void)state;
    static const struct {
        int host; /* 0 a, 1 b */
        enum berth_direction direction;
        struct berth_impairment what;
        bool large;
    } cases[] = {
        {0, BERTH_BOTH, {0}, true},
        {0, BERTH_BOTH, {.delay = 1000, .jitter = 100}, true},
        {0, BERTH_EGRESS, {.loss = 1e-9}, false},
        {0, BERTH_EGRESS, {.limit = 10000}, false},
        {1, BERTH_INGRESS, {.loss = 1e-9}, true},
        {1, BERTH_EGRESS, {.loss = 1e-9}, true},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct pair pair;
        struct bytes bytes = {0};
        pair_open(&pair, 1);
        impair(&pair, cases[i].host ? pair.b : pair.a, cases[i].direction, cases[i].what);
        berth_network_capture(pair.world.network, bytes_append, &bytes, 0);
        transfer_run(&pair.world, pair.a, pair.b, 80, 300000, 60 * BERTH_SECOND);
        pcapng_read(&file, &bytes);
        if (cases[i].large)
            assert_true(longest_frame(&file, 0) > 10000);
        else
            assert_int_equal(longest_frame(&file, 0), 1514);
        free(bytes.data);
        world_close(&pair.world);
    }
}

static void an_impairment_can_be_asked_for_and_taken_back(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair, 1);
    struct berth_network *network = pair.world.network;
    struct berth_impairment got = {0}, what = {.loss = .5, .delay = 7}, none = {0};
    impair(&pair, pair.a, BERTH_EGRESS, what);
    assert_int_equal(berth_network_impairment(network, pair.a, BERTH_EGRESS, &got), 0);
    assert_true(got.loss == .5 && got.delay == 7);
    assert_int_equal(berth_network_impairment(network, pair.a, BERTH_INGRESS, &got), 0);
    assert_true(got.loss == 0 && got.delay == 0);
    assert_int_equal(berth_network_impairment(network, pair.a, BERTH_BOTH, &got), -EINVAL);
    assert_int_equal(berth_network_impairment(network, 9, BERTH_EGRESS, &got), -ENOENT);
    what.loss = 2;
    assert_int_equal(berth_network_impair(network, pair.a, BERTH_BOTH, &what), -EINVAL);
    assert_int_equal(berth_network_impair(network, 9, BERTH_BOTH, &none), -ENOENT);
    impair(&pair, pair.a, BERTH_BOTH, none);
    assert_int_equal(transfer_run(&pair.world, pair.a, pair.b, 80, 1000000, BERTH_SECOND), 0);
    world_close(&pair.world);
}

static void a_cut_line_heals(void **state) {
    (void)state;
    struct pair pair;
    struct transfer transfer;
    pair_open(&pair, 1);
    impair(&pair, pair.a, BERTH_BOTH, (struct berth_impairment){.delay = BERTH_MS, .limit = 50});
    transfer_start(&pair.world, &transfer, pair.a, pair.b, 80, 3000000);
    while (transfer.received < 1000000) {
        world_settle(&pair.world);
        transfer_pump(&pair.world, &transfer);
        assert_true(world_step(&pair.world, 60 * BERTH_SECOND));
    }
    impair(&pair, pair.a, BERTH_BOTH, (struct berth_impairment){.loss = 1});
    world_run_until(&pair.world, pair.world.now + 5 * BERTH_SECOND);
    uint64_t received = transfer.received;
    impair(&pair, pair.a, BERTH_BOTH, (struct berth_impairment){0});
    transfer_finish(&pair.world, &transfer, 60 * BERTH_SECOND);
    assert_true(received < 3000000);
    world_close(&pair.world);
}

static void play(struct bytes *bytes, uint8_t seed) {
    struct pair pair;
    pair_open(&pair, seed);
    berth_network_capture(pair.world.network, bytes_append, bytes, 0);
    impair(&pair, pair.a, BERTH_BOTH,
           (struct berth_impairment){.loss = .02,
                                     .duplicate = .02,
                                     .reorder = .1,
                                     .delay = 3 * BERTH_MS,
                                     .jitter = BERTH_MS});
    transfer_run(&pair.world, pair.a, pair.b, 80, 500000, 600 * BERTH_SECOND);
    world_close(&pair.world);
}

static void the_same_seed_gives_the_same_capture(void **state) {
    (void)state;
    struct bytes a = {0}, b = {0}, c = {0};
    play(&a, 1);
    play(&b, 1);
    play(&c, 2);
    assert_int_equal(a.length, b.length);
    assert_memory_equal(a.data, b.data, a.length);
    assert_true(a.length != c.length || memcmp(a.data, c.data, a.length) != 0);
    free(a.data);
    free(b.data);
    free(c.data);
}

/* RFC 1071, apart from the engine's. */
static bool tcp_checksum_right(const struct packet *packet) {
    const uint8_t *ip = packet->data + 14;
    uint32_t length = load_be16(ip + 2) - 20u, sum = 6 + length;
    for (int i = 12; i < 20; i += 2)
        sum += load_be16(ip + i);
    for (uint32_t i = 0; i < length; i++)
        sum += i % 2 ? ip[20 + i] : (uint32_t)ip[20 + i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum == 0xffff;
}

static void captures_show_finished_frames(void **state) {
    (void)state;
    struct pair pair;
    struct bytes bytes = {0};
    pair_open(&pair, 1);
    berth_network_capture(pair.world.network, bytes_append, &bytes, 0);
    transfer_run(&pair.world, pair.a, pair.b, 80, 200000, BERTH_SECOND);
    pcapng_read(&file, &bytes);
    assert_int_equal(file.interfaces, 2);
    assert_string_equal(file.names[0], "a");
    assert_string_equal(file.names[1], "b");
    unsigned segments = 0;
    for (unsigned i = 0; i < file.packets; i++) {
        const struct packet *packet = &file.packet[i];
        if (load_be16(packet->data + 12) != 0x0800)
            continue;
        assert_int_equal(load_be16(packet->data + 16), packet->length - 14);
        assert_true(tcp_checksum_right(packet));
        segments++;
    }
    assert_true(segments > 6);
    free(bytes.data);
    world_close(&pair.world);
}

/* Two networks joined at their outside ports by octets only. */
static void carry_over(struct berth_network *from, struct berth_network *to, uint64_t now) {
    struct berth_frame frames[16];
    for (size_t got; (got = berth_network_outside_output(from, 0, frames, 16)) > 0;) {
        for (size_t i = 0; i < got; i++) {
            uint8_t octets[2000];
            assert_int_equal(frames[i].flags & BERTH_FRAME_NO_CHECKSUM, 0);
            size_t length = berth_frame_read(&frames[i], 0, octets, sizeof octets);
            assert_int_equal(length, berth_frame_length(&frames[i]));
            assert_true(length <= 1514);
            berth_frame_clear(&frames[i]);
            struct berth_frame flat;
            assert_int_equal(
                berth_frame_from_bytes(&flat, berth_allocator_default(), octets, length), 0);
            assert_int_equal(berth_network_outside_input(to, 0, &flat, 1, now), 0);
            berth_frame_clear(&flat);
        }
    }
}

static void frames_go_outside_and_come_back(void **state) {
    (void)state;
    struct world near, far;
    world_open(&near, 1);
    world_open(&far, 2);
    assert_int_equal(berth_network_add_outside(near.network, 0, "tap", 0), 0);
    assert_int_equal(berth_network_add_outside(far.network, 0, "tap", 0), 0);
    int a = world_host(&near, "a");
    struct berth_ip second = berth_ip_v4(0x0a000002);
    world_host(&far, "unused"); /* hosts of one number would have one MAC address */
    assert_int_equal(berth_network_remove_host(far.network, 0), 0);
    int b = berth_network_add_host(far.network, "b", 0, &second, NULL);
    assert_int_equal(b, 1);

    struct berth_host *client = berth_network_host(near.network, a);
    struct berth_host *server = berth_network_host(far.network, b);
    struct berth_endpoint at = {second, 80};
    berth_handle listener, call, accepted = 0;
    assert_int_equal(berth_socket_open(server, 4, BERTH_TCP, &listener), 0);
    assert_int_equal(berth_socket_bind(server, listener, &at), 0);
    assert_int_equal(berth_socket_listen(server, listener, 1), 0);
    assert_int_equal(berth_socket_open(client, 4, BERTH_TCP, &call), 0);
    assert_int_equal(berth_socket_connect(client, call, &at, 0), -EINPROGRESS);
    uint64_t sent = 0, received = 0;
    uint8_t octets[4096];
    for (int round = 0; received < 1000000 && round < 100000; round++) {
        for (size_t i = 0; i < sizeof octets; i++)
            octets[i] = transfer_octet(sent + i);
        ssize_t took = 0;
        if (sent < 1000000)
            took = berth_socket_send(client, call, octets, sizeof octets, 0, near.now);
        sent += took > 0 ? (uint64_t)took : 0;
        berth_network_touch(near.network, a);
        world_settle(&near);
        carry_over(near.network, far.network, near.now);
        world_settle(&far);
        carry_over(far.network, near.network, near.now);
        world_settle(&near);
        if (!accepted)
            berth_socket_accept(server, listener, &accepted);
        ssize_t got =
            accepted ? berth_socket_receive(server, accepted, octets, sizeof octets, 0, far.now)
                     : 0;
        for (ssize_t i = 0; i < got; i++)
            assert_int_equal(octets[i], transfer_octet(received + (uint64_t)i));
        received += got > 0 ? (uint64_t)got : 0;
        berth_network_touch(far.network, b);
        near.now += BERTH_MS;
        far.now = near.now;
    }
    assert_true(received >= 1000000);
    world_close(&near);
    world_close(&far);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_in_between_takes_no_time),
        cmocka_unit_test(a_handshake_takes_its_round_trips),
        cmocka_unit_test(bad_links_lose_nothing),
        cmocka_unit_test(a_line_is_filled_to_its_rate),
        cmocka_unit_test(only_free_links_carry_large_segments),
        cmocka_unit_test(an_impairment_can_be_asked_for_and_taken_back),
        cmocka_unit_test(a_cut_line_heals),
        cmocka_unit_test(the_same_seed_gives_the_same_capture),
        cmocka_unit_test(captures_show_finished_frames),
        cmocka_unit_test(frames_go_outside_and_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
