/* Names asked for by TCP (RFC 7766), whatever nameserver is asked. */
#include "engine/base/bytes.h"
#include "test/unit/network/world.h"

#include <errno.h>

enum { STREAMS = 64 }; /* of a host, at the most */
#define PATIENCE (10 * BERTH_SECOND)

struct asker {
    struct world world;
    struct berth_host *host;
    int number;
};

static void asker_open(struct asker *asker) {
    world_open(&asker->world, 1);
    asker->number = world_host(&asker->world, "pc");
    asker->host = berth_network_host(asker->world.network, asker->number);
    world_host(&asker->world, "web");
}

static void settle(struct asker *asker) {
    berth_network_touch(asker->world.network, asker->number);
    world_settle(&asker->world);
}

static struct berth_endpoint endpoint(const char *ip) {
    struct berth_endpoint endpoint = {.port = 53};
    assert_int_equal(berth_ip_parse(ip, &endpoint.ip), 0);
    return endpoint;
}

/* 0, or the errno that a connect comes to. */
static int connects(struct asker *asker, const char *server, berth_handle *socket) {
    struct berth_endpoint remote = endpoint(server);
    int error = 0, family = berth_ip_is_v4(&remote.ip) ? 4 : 6;
    assert_int_equal(berth_socket_open(asker->host, family, BERTH_TCP, socket), 0);
    assert_int_equal(
        berth_socket_set_option(asker->host, *socket, BERTH_TCP_NODELAY, 1, asker->world.now), 0);
    int result = berth_socket_connect(asker->host, *socket, &remote, asker->world.now);
    if (result != -EINPROGRESS)
        return -result;
    settle(asker);
    assert_int_equal(berth_socket_get_option(asker->host, *socket, BERTH_SO_ERROR, &error), 0);
    return error;
}

static void says(struct asker *asker, berth_handle socket, const void *octets, size_t length) {
    assert_int_equal(berth_socket_send(asker->host, socket, octets, length, 0, asker->world.now),
                     length);
    settle(asker);
}

static ssize_t hears(struct asker *asker, berth_handle socket, uint8_t *octets, size_t length) {
    ssize_t got = berth_socket_receive(asker->host, socket, octets, length, 0, asker->world.now);
    settle(asker);
    return got;
}

static void closes(struct asker *asker, berth_handle socket) {
    assert_int_equal(berth_socket_close(asker->host, socket, asker->world.now), 0);
    settle(asker);
}

static const uint8_t web_query[] = "\0\25\x12\x34\1\0\0\1\0\0\0\0\0\0\3wEb\0\0\1\0\1";
enum { QUERY = sizeof web_query - 1, REPLY = QUERY + 16 };

/* The answer to web_query with that identifier's last octet. */
static void hears_web(struct asker *asker, berth_handle socket, uint8_t id) {
    uint8_t reply[REPLY];
    assert_int_equal(hears(asker, socket, reply, sizeof reply), REPLY);
    assert_int_equal(load_be16(reply), REPLY - 2);
    assert_int_equal(reply[3], id);
    assert_int_equal(load_be32(reply + REPLY - 4), 0x0a000002);
}

/* Any server, with a route or without, of either family, answers; both ends see the addresses that
 * were meant; then the connection closes as any. (RFC 7766 5) */
static void any_nameserver_is_the_networks_own(void **state) {
    (void)state;
    static const char *const servers[] = {"8.8.8.8",    "127.0.0.53",   "10.0.0.9",
                                          "10.0.0.254", "2001:db8::53", "::1"};
    struct asker asker;
    asker_open(&asker);
    for (size_t i = 0; i < COUNT(servers); i++) {
        struct berth_endpoint remote, want = endpoint(servers[i]);
        berth_handle socket;
        uint8_t octet;
        assert_int_equal(connects(&asker, servers[i], &socket), 0);
        assert_int_equal(berth_socket_remote(asker.host, socket, &remote), 0);
        assert_true(berth_ip_equal(&remote.ip, &want.ip));
        says(&asker, socket, web_query, QUERY);
        hears_web(&asker, socket, 0x34);
        assert_int_equal(hears(&asker, socket, &octet, 1), -EAGAIN);
        assert_int_equal(berth_socket_shutdown(asker.host, socket, BERTH_SHUT_WR, asker.world.now),
                         0);
        settle(&asker);
        assert_int_equal(hears(&asker, socket, &octet, 1), 0);
        closes(&asker, socket);
    }
    world_close(&asker.world);
}

/* A computer's own port 53, and another's, is closed where nobody listens. */
static void computers_are_no_nameservers(void **state) {
    (void)state;
    struct asker asker;
    berth_handle socket;
    asker_open(&asker);
    assert_int_equal(connects(&asker, "10.0.0.1", &socket), ECONNREFUSED);
    assert_int_equal(connects(&asker, "10.0.0.2", &socket), ECONNREFUSED);
    world_close(&asker.world);
}

/* Queries in one segment, and one in segments of an octet, are answered one by one. (RFC
 * 7766 6.2.1, 8) */
static void queries_follow_one_another(void **state) {
    (void)state;
    struct asker asker;
    berth_handle socket;
    uint8_t many[20 * QUERY];
    asker_open(&asker);
    assert_int_equal(connects(&asker, "8.8.8.8", &socket), 0);
    for (uint8_t i = 0; i < 20; i++) {
        memcpy(many + i * QUERY, web_query, QUERY);
        many[i * QUERY + 3] = i;
    }
    says(&asker, socket, many, sizeof many);
    for (uint8_t i = 0; i < 20; i++)
        hears_web(&asker, socket, i);
    for (size_t i = 0; i < 2 * QUERY; i++)
        says(&asker, socket, many + i, 1);
    hears_web(&asker, socket, 0);
    hears_web(&asker, socket, 1);
    closes(&asker, socket);
    world_close(&asker.world);
}

/* A program that asks and never reads is not heard any more, and then gets all its answers. */
static void answers_wait_for_their_reader(void **state) {
    (void)state;
    struct asker asker;
    berth_handle socket;
    int asked = 0;
    asker_open(&asker);
    assert_int_equal(connects(&asker, "8.8.8.8", &socket), 0);
    int buffer = 8192;
    assert_int_equal(
        berth_socket_set_option(asker.host, socket, BERTH_SO_RCVBUF, buffer, asker.world.now), 0);
    while (berth_socket_send_space(asker.host, socket) >= QUERY) {
        says(&asker, socket, web_query, QUERY);
        assert_true(++asked < 400000);
    }
    size_t length = 0, idle = 0;
    while (length < (size_t)asked * REPLY && idle < 100) {
        uint8_t octets[REPLY];
        size_t at = length % REPLY;
        ssize_t got = hears(&asker, socket, octets, REPLY - at);
        if (got == -EAGAIN) { /* the window opens in steps */
            world_run_until(&asker.world, asker.world.now + 10 * BERTH_MS);
            idle++;
            continue;
        }
        assert_true(got > 0);
        if (at == 0 && got >= 4)
            assert_int_equal(octets[3], 0x34);
        length += (size_t)got;
        idle = 0;
    }
    assert_int_equal(length, (size_t)asked * REPLY);
    closes(&asker, socket);
    world_close(&asker.world);
}

/* A listener of the network is asked itself, on another host or on the asker's own. */
static void a_listener_comes_first(void **state) {
    (void)state;
    struct asker asker;
    asker_open(&asker);
    int ns = world_host(&asker.world, "ns");
    struct berth_host *servers[] = {berth_network_host(asker.world.network, ns), asker.host};
    static const char *const addresses[] = {"10.0.0.3", "127.0.0.1"};
    for (size_t i = 0; i < COUNT(servers); i++) {
        struct berth_endpoint any = {berth_ip_v4(0), 53};
        berth_handle listener, socket, accepted;
        uint8_t got[QUERY];
        assert_int_equal(berth_socket_open(servers[i], 4, BERTH_TCP, &listener), 0);
        assert_int_equal(berth_socket_bind(servers[i], listener, &any), 0);
        assert_int_equal(berth_socket_listen(servers[i], listener, 5), 0);
        assert_int_equal(connects(&asker, addresses[i], &socket), 0);
        assert_int_equal(berth_socket_accept(servers[i], listener, &accepted), 0);
        says(&asker, socket, web_query, QUERY);
        assert_int_equal(berth_socket_receive(servers[i], accepted, got, QUERY, 0, 0), QUERY);
        assert_memory_equal(got, web_query, QUERY);
        /* Who listens at one address only has that one. */
        closes(&asker, socket);
        assert_int_equal(berth_socket_close(servers[i], accepted, asker.world.now), 0);
        assert_int_equal(berth_socket_close(servers[i], listener, asker.world.now), 0);
        settle(&asker);
        bool loopback = servers[i] == asker.host;
        assert_int_equal(connects(&asker, addresses[i], &socket), loopback ? 0 : ECONNREFUSED);
        if (loopback) {
            says(&asker, socket, web_query, QUERY);
            hears_web(&asker, socket, 0x34);
        }
        closes(&asker, socket);
    }
    world_close(&asker.world);
}

/* What is no query ends the connection, wherever it is cut; what is cut short ends it in time, and
 * octets that trickle in do not make that time longer. (RFC 7766 6.2.3) */
static void what_is_no_query_ends_it(void **state) {
    (void)state;
    static const struct {
        const char *octets;
        size_t length;
    } wrong[] = {{"\0\0", 2},
                 {"\0\13", 2},
                 {"\5\335", 2},
                 {"\377\377", 2},
                 {"\0\25\x12\x34\x81\0\0\1\0\0\0\0\0\0\3wEb\0\0\1\0\1", QUERY}};
    struct asker asker;
    asker_open(&asker);
    for (size_t i = 0; i < COUNT(wrong); i++) {
        berth_handle socket;
        uint8_t octet;
        assert_int_equal(connects(&asker, "8.8.8.8", &socket), 0);
        says(&asker, socket, wrong[i].octets, wrong[i].length);
        assert_int_equal(hears(&asker, socket, &octet, 1), 0);
        closes(&asker, socket);
    }
    for (size_t cut = 0; cut < QUERY; cut++) {
        berth_handle socket;
        uint8_t octet;
        uint64_t begin = asker.world.now;
        assert_int_equal(connects(&asker, "8.8.8.8", &socket), 0);
        for (size_t i = 0; i < cut; i++) {
            world_run_until(&asker.world, begin + i * BERTH_SECOND / 4);
            says(&asker, socket, web_query + i, 1);
        }
        assert_int_equal(hears(&asker, socket, &octet, 1), -EAGAIN);
        world_run_until(&asker.world, begin + PATIENCE - BERTH_MS);
        assert_int_equal(hears(&asker, socket, &octet, 1), -EAGAIN);
        world_run_until(&asker.world, begin + PATIENCE);
        assert_int_equal(hears(&asker, socket, &octet, 1), 0);
        closes(&asker, socket);
    }
    world_close(&asker.world);
}

/* A host has so many connections at most: the one that has been silent longest goes. (RFC
 * 7766 6.2.2) */
static void the_silent_make_room(void **state) {
    (void)state;
    struct asker asker;
    berth_handle sockets[STREAMS + 3];
    uint8_t octet;
    asker_open(&asker);
    for (size_t i = 0; i < COUNT(sockets); i++) {
        assert_int_equal(connects(&asker, i % 2 ? "8.8.8.8" : "::1", &sockets[i]), 0);
        if (i == STREAMS - 1)
            for (size_t k = 0; k < STREAMS; k += k == 0 ? 2 : 1) { /* all but the second ask */
                world_run_until(&asker.world, asker.world.now + BERTH_MS);
                says(&asker, sockets[k], web_query, QUERY);
                hears_web(&asker, sockets[k], 0x34);
            }
    }
    assert_int_equal(hears(&asker, sockets[0], &octet, 1), 0);
    assert_int_equal(hears(&asker, sockets[1], &octet, 1), 0);
    assert_int_equal(hears(&asker, sockets[2], &octet, 1), 0);
    for (size_t i = 3; i < COUNT(sockets); i++) {
        says(&asker, sockets[i], web_query, QUERY);
        hears_web(&asker, sockets[i], 0x34);
    }
    for (size_t i = 0; i < COUNT(sockets); i++)
        closes(&asker, sockets[i]);
    world_close(&asker.world);
}

/* Names of elsewhere: answered by who took the query, in any order and of any length; gone with the
 * connection. Nameservers of elsewhere are asked themselves. */
static void names_of_elsewhere(void **state) {
    (void)state;
    static const uint8_t unknown[] = "\0\26\x12\x35\1\0\0\1\0\0\0\0\0\0\4mail\0\0\1\0\1";
    static uint8_t answer[65535], got[65537];
    struct berth_name_query query, second;
    struct asker asker;
    berth_handle socket;
    asker_open(&asker);
    berth_network_forward_names(asker.world.network, true);
    struct berth_tcp_info info;
    assert_int_equal(connects(&asker, "10.0.0.254", &socket), 0); /* nobody is there */
    assert_int_equal(berth_socket_tcp_info(asker.host, socket, &info), 0);
    assert_int_equal(info.state, BERTH_SYN_SENT);
    closes(&asker, socket);
    assert_int_equal(connects(&asker, "127.0.0.53", &socket), 0);
    says(&asker, socket, unknown, sizeof unknown - 1);
    says(&asker, socket, unknown, sizeof unknown - 1);
    says(&asker, socket, web_query, QUERY);
    hears_web(&asker, socket, 0x34);
    assert_true(berth_network_take_query(asker.world.network, &query));
    assert_true(berth_network_take_query(asker.world.network, &second));
    assert_false(berth_network_take_query(asker.world.network, &second));
    assert_int_not_equal(query.stream, 0);
    assert_int_equal(query.query.length, sizeof unknown - 3);
    assert_memory_equal(query.query.data, unknown + 2, query.query.length);
    for (size_t i = 0; i < sizeof answer; i++)
        answer[i] = (uint8_t)(i * 7);
    assert_int_equal(berth_socket_shutdown(asker.host, socket, BERTH_SHUT_WR, asker.world.now), 0);
    settle(&asker);
    berth_network_answer_query(asker.world.network, &second, answer, sizeof answer,
                               asker.world.now);
    settle(&asker);
    size_t length = 0;
    for (ssize_t more; (more = hears(&asker, socket, got + length, sizeof got - length)) > 0;)
        length += (size_t)more;
    assert_int_equal(length, 65537);
    assert_int_equal(load_be16(got), 65535);
    assert_memory_equal(got + 2, answer, 65535);
    berth_network_answer_query(asker.world.network, &query, answer, 20, asker.world.now);
    settle(&asker);
    assert_int_equal(hears(&asker, socket, got, sizeof got), 22);
    assert_int_equal(hears(&asker, socket, got, sizeof got), 0);
    berth_network_answer_query(asker.world.network, &query, answer, 20, asker.world.now);
    settle(&asker);
    closes(&asker, socket);
    world_close(&asker.world);
}

/* A host that loses its power takes its connections along; and one that pauses finds them. */
static void power_and_pauses(void **state) {
    (void)state;
    struct asker asker;
    berth_handle socket;
    asker_open(&asker);
    assert_int_equal(connects(&asker, "8.8.8.8", &socket), 0);
    assert_int_equal(berth_network_reset_host(asker.world.network, asker.number, asker.world.now),
                     0);
    settle(&asker);
    assert_int_equal(connects(&asker, "8.8.8.8", &socket), 0);
    assert_int_equal(berth_network_suspend(asker.world.network, asker.number, asker.world.now), 0);
    world_run_until(&asker.world, asker.world.now + PATIENCE / 2);
    assert_int_equal(berth_network_resume(asker.world.network, asker.number, asker.world.now), 0);
    says(&asker, socket, web_query, QUERY);
    hears_web(&asker, socket, 0x34);
    assert_int_equal(berth_network_suspend(asker.world.network, asker.number, asker.world.now), 0);
    world_run_until(&asker.world, asker.world.now + 2 * PATIENCE);
    assert_int_equal(berth_network_resume(asker.world.network, asker.number, asker.world.now), 0);
    settle(&asker);
    uint8_t octet;
    assert_int_equal(hears(&asker, socket, &octet, 1), 0); /* its nameserver did not wait */
    closes(&asker, socket);
    world_close(&asker.world);
}

/* Memory that is out at any moment: the connection fails, or is slower; nothing else happens. */
static void memory_that_is_out(void **state) {
    (void)state;
    bool failed = true;
    for (size_t nth = 1; failed; nth++) {
        struct asker asker;
        struct berth_endpoint remote = endpoint("127.0.0.53");
        berth_handle socket;
        uint8_t reply[REPLY];
        asker_open(&asker);
        assert_int_equal(berth_socket_open(asker.host, 4, BERTH_TCP, &socket), 0);
        counting_fail_nth(&asker.world.counting, nth, nth % 2);
        int result = berth_socket_connect(asker.host, socket, &remote, asker.world.now);
        settle(&asker);
        if (result == -EINPROGRESS)
            (void)berth_socket_send(asker.host, socket, web_query, QUERY, 0, asker.world.now);
        settle(&asker);
        bool heard =
            berth_socket_receive(asker.host, socket, reply, REPLY, 0, asker.world.now) == REPLY;
        failed = asker.world.counting.calls >=
                 (nth % 2 ? asker.world.counting.fail_at : asker.world.counting.fail_from);
        counting_recover(&asker.world.counting);
        if (!failed)
            assert_true(heard && nth > 5);
        closes(&asker, socket);
        world_close(&asker.world);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_nameserver_is_the_networks_own),
        cmocka_unit_test(computers_are_no_nameservers),
        cmocka_unit_test(queries_follow_one_another),
        cmocka_unit_test(answers_wait_for_their_reader),
        cmocka_unit_test(a_listener_comes_first),
        cmocka_unit_test(what_is_no_query_ends_it),
        cmocka_unit_test(the_silent_make_room),
        cmocka_unit_test(names_of_elsewhere),
        cmocka_unit_test(power_and_pauses),
        cmocka_unit_test(memory_that_is_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
