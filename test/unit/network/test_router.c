/* Networks behind routers, in virtual time: pc on lan (10.0.0.0/16), then router one, middle,
 * router two, and server on far. */
#include "test/unit/network/world.h"

enum { LAN, MIDDLE, FAR, LANS };

struct routed {
    struct world world;
    int pc, one, two, server;
    struct berth_link at[4][2]; /* the links of each */
};

static int plug(struct world *world, int host, int lan) {
    int interface = berth_network_plug(world->network, host, lan, NULL, NULL);
    assert_int_equal(interface, 2);
    return interface;
}

static void route(struct world *world, int host, struct berth_ip prefix, unsigned length,
                  const struct berth_link *gateway) {
    const struct berth_ip *by = berth_ip_is_v4(&prefix) ? &gateway->address : &gateway->ipv6;
    assert_int_equal(berth_network_add_route(world->network, host, &prefix, length, by), 0);
}

static void forward(struct world *world, int host) {
    struct berth_host *engine = berth_network_host(world->network, host);
    assert_int_equal(berth_host_set_sysctl(engine, "net.ipv4.ip_forward", "1"), 0);
    assert_int_equal(berth_host_set_sysctl(engine, "net.ipv6.conf.all.forwarding", "1"), 0);
}

static void routed_open(struct routed *r, uint32_t middle_mtu) {
    struct world *world = &r->world;
    const struct berth_ip any = berth_ip_v4(0), any6 = {{0}};
    world_open(world, 5);
    struct berth_network *network = world->network;
    struct berth_ip middle = berth_ip_v4(0xc0a80100), far = berth_ip_v4(0xac100000);
    assert_int_equal(berth_network_add_switch(network, "middle", &middle, 24, middle_mtu), MIDDLE);
    assert_int_equal(berth_network_add_switch(network, "far", &far, 24, 0), FAR);
    for (uint8_t lan = 0; lan < LANS; lan++) {
        struct berth_ip subnet6 = {{0xfd, lan}};
        if (lan != MIDDLE || middle_mtu >= 1280)
            assert_int_equal(berth_network_set_ipv6(network, lan, &subnet6), 0);
    }
    r->pc = world_host(world, "pc");
    r->one = world_host(world, "one");
    r->two = berth_network_add_host(network, "two", MIDDLE, NULL, NULL);
    r->server = berth_network_add_host(network, "server", FAR, NULL, NULL);
    plug(world, r->one, MIDDLE);
    plug(world, r->two, FAR);
    forward(world, r->one);
    forward(world, r->two);
    for (int host = 0; host < 4; host++)
        assert_true(berth_network_links(network, host, r->at[host], 2) > 0);
    /* Two is on middle, then far; one on lan, then middle. */
    route(world, r->pc, any, 0, &r->at[r->one][0]);
    route(world, r->one, any, 0, &r->at[r->two][0]);
    route(world, r->two, any, 0, &r->at[r->one][1]);
    route(world, r->server, any, 0, &r->at[r->two][1]);
    if (middle_mtu < 1280)
        return;
    route(world, r->pc, any6, 0, &r->at[r->one][0]);
    route(world, r->one, any6, 0, &r->at[r->two][0]);
    route(world, r->two, any6, 0, &r->at[r->one][1]);
    route(world, r->server, any6, 0, &r->at[r->two][1]);
}

static const struct berth_counters *counters(struct routed *r, int host) {
    return berth_host_counters(berth_network_host(r->world.network, host));
}

static uint64_t carry(struct routed *r, bool v6, uint64_t octets) {
    struct transfer transfer;
    struct berth_endpoint at = {v6 ? r->at[r->server][0].ipv6 : r->at[r->server][0].address, 80};
    transfer_start_to(&r->world, &transfer, r->pc, r->server, at, octets);
    return transfer_finish(&r->world, &transfer, 600 * BERTH_SECOND);
}

/* Large segments cross both routers whole: far fewer frames than segments are forwarded. */
static void two_routers_carry_both_families(void **state) {
    (void)state;
    struct routed r;
    routed_open(&r, 1500);
    for (int v6 = 0; v6 < 2; v6++) {
        uint64_t before = counters(&r, r.one)->ip_forw_datagrams;
        carry(&r, v6, 10000000);
        uint64_t forwarded = counters(&r, r.one)->ip_forw_datagrams - before;
        assert_true(forwarded > 0);
        assert_true(forwarded < 10000000 / 1460 / 4);
    }
    assert_int_equal(counters(&r, r.one)->ip_frag_oks, 0);
    world_close(&r.world);
}

/* A link that loses makes segments of MTU size; the routers pass them on, and TCP copes. */
static void a_bad_link_behind_routers(void **state) {
    (void)state;
    for (int lan = 0; lan < LANS; lan++) {
        struct routed r;
        routed_open(&r, 1500);
        const struct berth_impairment bad = {
            .delay = 5 * BERTH_MS, .loss = 0.02, .corrupt = 0.01, .duplicate = 0.01};
        int host = lan == LAN ? r.pc : lan == MIDDLE ? r.one : r.server;
        assert_int_equal(berth_network_impair_link(r.world.network, host, lan, BERTH_BOTH, &bad),
                         0);
        carry(&r, false, 1000000);
        carry(&r, true, 1000000);
        world_close(&r.world);
    }
}

/* RFC 1191, RFC 8201: a narrow middle is found out and used, in no time to speak of: no timeout is
 * waited for. */
static void the_mtu_of_the_path_is_found(void **state) {
    (void)state;
    static const uint32_t mtus[] = {1499, 1400, 1280, 600};
    for (size_t i = 0; i < sizeof mtus / sizeof *mtus; i++) {
        struct routed r;
        routed_open(&r, mtus[i]);
        assert_true(carry(&r, false, 1000000) < 150 * BERTH_MS);
        assert_true(counters(&r, r.one)->ip_frag_fails > 0);
        assert_int_equal(counters(&r, r.one)->ip_frag_oks, 0);
        assert_int_equal(counters(&r, r.pc)->tcp_timeouts, 0);
        if (mtus[i] >= 1280)
            assert_true(carry(&r, true, 1000000) < 150 * BERTH_MS);
        world_close(&r.world);
    }
}

/* Datagrams without DF go in fragments, and come whole. */
static void datagrams_are_cut_on_the_way(void **state) {
    (void)state;
    struct routed r;
    uint8_t sent[4000], got[5000];
    routed_open(&r, 576);
    struct berth_host *pc = berth_network_host(r.world.network, r.pc);
    struct berth_host *server = berth_network_host(r.world.network, r.server);
    struct berth_endpoint to = {r.at[r.server][0].address, 9};
    berth_handle near, far;
    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = transfer_octet(i);
    assert_int_equal(berth_socket_open(pc, 4, BERTH_UDP, &near), 0);
    assert_int_equal(berth_socket_open(server, 4, BERTH_UDP, &far), 0);
    assert_int_equal(berth_socket_bind(server, far, &to), 0);
    assert_int_equal(berth_socket_set_option(pc, near, BERTH_IP_MTU_DISCOVER, 0, 0), 0);
    assert_int_equal(berth_socket_send_to(pc, near, sent, sizeof sent, &to, 0), sizeof sent);
    berth_network_touch(r.world.network, r.pc);
    world_settle(&r.world);
    assert_int_equal(berth_socket_receive_from(server, far, got, sizeof got, NULL, 0), sizeof sent);
    assert_memory_equal(got, sent, sizeof sent);
    assert_true(counters(&r, r.one)->ip_frag_oks >= 2);
    world_close(&r.world);
}

/* Who may have a program wait for an answer hears that there is none: no route behind two, and
 * nobody at that address. */
static void the_unreachable_is_told(void **state) {
    (void)state;
    static const struct {
        uint32_t to;
        int error;
    } cases[] = {{0x08080808, 0}, {0xac1000c8, -EHOSTUNREACH}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct routed r;
        routed_open(&r, 1500);
        struct berth_host *pc = berth_network_host(r.world.network, r.pc);
        struct berth_endpoint to = {berth_ip_v4(cases[i].to), 80};
        berth_handle socket;
        assert_int_equal(berth_socket_open(pc, 4, BERTH_TCP, &socket), 0);
        assert_int_equal(berth_socket_connect(pc, socket, &to, r.world.now), -EINPROGRESS);
        berth_network_touch(r.world.network, r.pc);
        world_run_until(&r.world, 5 * BERTH_SECOND);
        int error = 0;
        assert_int_equal(berth_socket_get_option(pc, socket, BERTH_SO_ERROR, &error), 0);
        /* The first goes round between the routers, whose default routes are each other, until its
         * hops are used up; that ends an attempt to connect just so. */
        assert_int_equal(-error, cases[i].error ? cases[i].error : -EHOSTUNREACH);
        world_close(&r.world);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_routers_carry_both_families),
        cmocka_unit_test(a_bad_link_behind_routers),
        cmocka_unit_test(the_mtu_of_the_path_is_found),
        cmocka_unit_test(datagrams_are_cut_on_the_way),
        cmocka_unit_test(the_unreachable_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
