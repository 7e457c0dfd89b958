/* Captures beside each other: of all frames or of one host's, chosen, cut, and lost for want of
 * room. */
#include "engine/base/bytes.h"
#include "test/unit/network/pcapng.h"
#include "test/unit/network/world.h"

static struct pcapng file;

/* A capture that takes datagrams to one port, and has no room for some of them. */
struct chooser {
    struct bytes bytes;
    unsigned asked, lose_from, lose_to;
};

static void chooser_write(void *context, const void *data, size_t length) {
    struct chooser *chooser = context;
    bytes_append(&chooser->bytes, data, length);
}

static enum berth_capture_choice chooser_choose(void *context, const uint8_t *frame,
                                                uint32_t length) {
    struct chooser *chooser = context;
    if (length < 42 || load_be16(frame + 12) != 0x0800 || load_be16(frame + 36) != 7)
        return BERTH_CAPTURE_SKIP;
    unsigned at = chooser->asked++;
    return at >= chooser->lose_from && at < chooser->lose_to ? BERTH_CAPTURE_LOSE
                                                             : BERTH_CAPTURE_TAKE;
}

static int capture_begin(struct world *world, struct chooser *chooser, int host, uint32_t snap,
                         bool all) {
    struct berth_capture_config config;
    berth_capture_config_init(&config);
    config.write = chooser_write;
    config.context = chooser;
    config.host = host;
    config.snap = snap;
    config.choose = all ? NULL : chooser_choose;
    int number = berth_network_capture_add(world->network, &config);
    assert_true(number > 0);
    return number;
}

static void datagram(struct world *world, int from, int to, uint16_t port) {
    static const uint8_t octets[100] = {1};
    struct berth_host *host = berth_network_host(world->network, from);
    struct berth_endpoint target = {.ip = world_address(world, to), .port = port};
    berth_handle socket;
    assert_int_equal(berth_socket_open(host, 4, BERTH_UDP, &socket), 0);
    assert_int_equal(berth_socket_send_to(host, socket, octets, 100, &target, world->now), 100);
    berth_socket_close(host, socket, world->now);
    berth_network_touch(world->network, from);
    world_settle(world);
}

static void each_capture_has_its_own_frames(void **state) {
    (void)state;
    struct world world;
    struct chooser all = {.asked = 0}, of_b = {.asked = 0}, chosen = {.asked = 0};
    world_open(&world, 1);
    int a = world_host(&world, "a"), b = world_host(&world, "b"), c = world_host(&world, "c");
    capture_begin(&world, &all, -1, 0, true);
    int second = capture_begin(&world, &of_b, b, 0, true);
    capture_begin(&world, &chosen, -1, 60, false);
    datagram(&world, a, b, 7);
    datagram(&world, a, c, 7);
    datagram(&world, b, a, 9);
    assert_int_equal(berth_network_capture_remove(world.network, second), 0);
    assert_int_equal(berth_network_capture_remove(world.network, second), -ENOENT);
    datagram(&world, c, b, 7);

    /* Everything was sent by somebody: shown at the senders. */
    pcapng_read(&file, &all.bytes);
    assert_int_equal(file.interfaces, 3);
    assert_int_equal(file.name_count, 3);
    assert_string_equal(file.addresses[0], "0a000001 a");
    unsigned datagrams = 0;
    for (unsigned i = 0; i < file.packets; i++) {
        assert_int_equal(file.packet[i].flags, 2);
        datagrams += load_be16(file.packet[i].data + 12) == 0x0800 && file.packet[i].data[23] == 17;
    }
    assert_int_equal(datagrams, 4);

    /* The host's own: the broadcast ARP of others, too; its interface only, everyone's names. */
    pcapng_read(&file, &of_b.bytes);
    assert_int_equal(file.interfaces, 1);
    assert_string_equal(file.names[0], "b");
    assert_int_equal(file.name_count, 3);
    unsigned in = 0, out = 0;
    for (unsigned i = 0; i < file.packets; i++) {
        if (load_be16(file.packet[i].data + 12) != 0x0800 || file.packet[i].data[23] != 17)
            continue;
        in += file.packet[i].flags == 1;
        out += file.packet[i].flags == 2;
    }
    assert_int_equal(in, 1);
    assert_int_equal(out, 1);

    pcapng_read(&file, &chosen.bytes);
    assert_int_equal(file.packets, 3);
    for (unsigned i = 0; i < file.packets; i++) {
        assert_int_equal(file.packet[i].length, 60);
        assert_int_equal(file.packet[i].whole, 142);
    }
    free(all.bytes.data);
    free(of_b.bytes.data);
    free(chosen.bytes.data);
    world_close(&world);
}

static void frames_without_room_are_counted(void **state) {
    (void)state;
    struct world world;
    struct chooser chosen = {.lose_from = 1, .lose_to = 4};
    world_open(&world, 1);
    int a = world_host(&world, "a"), b = world_host(&world, "b");
    capture_begin(&world, &chosen, -1, 0, false);
    for (int i = 0; i < 6; i++)
        datagram(&world, a, b, 7);
    pcapng_read(&file, &chosen.bytes);
    assert_int_equal(file.packets, 3);
    assert_int_equal(file.packet[0].lost, 0);
    assert_int_equal(file.packet[1].lost, 3);
    assert_int_equal(file.packet[2].lost, 0);
    free(chosen.bytes.data);
    world_close(&world);
}

static void hosts_that_come_later_are_described(void **state) {
    (void)state;
    struct world world;
    struct chooser all = {.asked = 0};
    world_open(&world, 1);
    char name[8];
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "h%d", i);
        world_host(&world, name);
    }
    assert_int_equal(berth_network_remove_host(world.network, 1), 0);
    capture_begin(&world, &all, -1, 0, true);
    for (int i = 3; i < 40; i++) {
        snprintf(name, sizeof name, "h%d", i);
        world_host(&world, name);
    }
    datagram(&world, 39, 0, 7);
    pcapng_read(&file, &all.bytes);
    assert_int_equal(file.interfaces, 39);
    assert_string_equal(file.names[1], "h2");
    assert_string_equal(file.names[38], "h39");
    assert_int_equal(file.packet[0].interface, 38);
    free(all.bytes.data);
    world_close(&world);
}

static void what_cannot_be_captured_is_refused(void **state) {
    (void)state;
    struct world world;
    struct berth_capture_config config;
    world_open(&world, 1);
    berth_capture_config_init(&config);
    assert_int_equal(berth_network_capture_add(world.network, &config), -EINVAL);
    config.write = bytes_append;
    config.host = 3;
    assert_int_equal(berth_network_capture_add(world.network, &config), -ENOENT);
    config.host = -1;
    config.switch_number = 1;
    assert_int_equal(berth_network_capture_add(world.network, &config), -ENOENT);
    assert_int_equal(berth_network_capture_remove(world.network, 1), -ENOENT);
    world_close(&world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_capture_has_its_own_frames),
        cmocka_unit_test(frames_without_room_are_counted),
        cmocka_unit_test(hosts_that_come_later_are_described),
        cmocka_unit_test(what_cannot_be_captured_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
