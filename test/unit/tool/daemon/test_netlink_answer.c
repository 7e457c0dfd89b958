/* What a program is told about a virtual computer's links, addresses and routes. */
#define _GNU_SOURCE
#include "tool/daemon/netlink_answer.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

enum { PORT = 77, SEQUENCE = 5 };

/* What was answered, message by message. */
struct answers {
    unsigned links, addresses, routes, neighbors, done, datagrams;
    int error; /* of NLMSG_ERROR; 1: none */
    struct ifinfomsg link;
    struct ifaddrmsg address;
    struct rtmsg route;
    struct ndmsg neighbor;
    size_t link_address; /* octets of it */
    uint8_t to[4], gateway[4];
    bool has_gateway;
    char name[IFNAMSIZ];
};

static void route_take(struct answers *answers, const struct rtattr *at, int left) {
    for (; RTA_OK(at, left); at = RTA_NEXT(at, left)) {
        if (at->rta_type == RTA_DST && RTA_PAYLOAD(at) == 4)
            memcpy(answers->to, RTA_DATA(at), 4);
        if (at->rta_type == RTA_GATEWAY && RTA_PAYLOAD(at) == 4) {
            memcpy(answers->gateway, RTA_DATA(at), 4);
            answers->has_gateway = true;
        }
    }
}

static void message_take(struct answers *answers, const struct nlmsghdr *header) {
    const void *body = NLMSG_DATA(header);
    assert_int_equal(header->nlmsg_pid, PORT);
    assert_int_equal(header->nlmsg_seq, SEQUENCE);
    switch (header->nlmsg_type) {
    case RTM_NEWLINK: {
        const struct rtattr *name = IFLA_RTA(body);
        assert_int_equal(name->rta_type, IFLA_IFNAME);
        memcpy(&answers->link, body, sizeof answers->link);
        memcpy(answers->name, RTA_DATA(name), RTA_PAYLOAD(name));
        answers->links++;
        break;
    }
    case RTM_NEWADDR:
        memcpy(&answers->address, body, sizeof answers->address);
        answers->addresses++;
        break;
    case RTM_NEWROUTE:
        memcpy(&answers->route, body, sizeof answers->route);
        answers->routes++;
        route_take(answers, RTM_RTA((const struct rtmsg *)body), (int)RTM_PAYLOAD(header));
        break;
    case RTM_NEWNEIGH:
        memcpy(&answers->neighbor, body, sizeof answers->neighbor);
        answers->neighbors++;
        answers->link_address = NLMSG_PAYLOAD(header, sizeof answers->neighbor);
        break;
    case NLMSG_ERROR:
        memcpy(&answers->error, body, sizeof answers->error);
        break;
    default:
        assert_int_equal(header->nlmsg_type, NLMSG_DONE);
        answers->done++;
    }
}

static void take(void *context, const uint8_t *datagram, size_t length) {
    struct answers *answers = context;
    _Alignas(struct nlmsghdr) uint8_t octets[NETLINK_DATAGRAM];
    assert_in_range(length, 1, sizeof octets);
    memcpy(octets, datagram, length);
    answers->datagrams++;
    const struct nlmsghdr *header = (const struct nlmsghdr *)octets;
    unsigned left = (unsigned)length;
    for (; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left))
        message_take(answers, header);
    assert_int_equal(left, 0);
}

static const struct berth_address computer[] = {
    {.interface = 0, .prefix = 8, .ip = {{[10] = 0xff, 0xff, 127, 0, 0, 1}}, .mtu = 65535},
    {.interface = 1, .prefix = 24, .ip = {{[10] = 0xff, 0xff, 10, 1, 2, 3}}, .mtu = 1500},
    {.interface = 1, .prefix = 64, .ip = {{0xfe, 0x80, [15] = 1}}, .mtu = 1500},
};

/* Longest prefix first, as a host has them. */
static const struct berth_route routes[] = {
    {.interface = 1, .prefix = {{[10] = 0xff, 0xff, 10, 1, 2, 0}}, .length = 24},
    {.interface = 1,
     .prefix = {{[10] = 0xff, 0xff, 10, 9, 0, 0}},
     .gateway = {{[10] = 0xff, 0xff, 10, 1, 2, 8}},
     .length = 16},
    {.interface = 1, .prefix = {{0xff}}, .length = 8},
    {.interface = 1,
     .prefix = {{[10] = 0xff, 0xff, 0, 0, 0, 0}},
     .gateway = {{[10] = 0xff, 0xff, 10, 1, 2, 9}}},
};
enum { ROUTES = sizeof routes / sizeof routes[0] };

static const struct berth_neighbor neighbors[] = {
    {1, BERTH_NEIGHBOR_STALE, {{[10] = 0xff, 0xff, 10, 1, 2, 8}}, {2, 0, 0, 0, 0, 8}},
    {1, BERTH_NEIGHBOR_REACHABLE, {{0xfe, 0x80, [15] = 8}}, {2, 0, 0, 0, 0, 8}},
    {1, BERTH_NEIGHBOR_INCOMPLETE, {{[10] = 0xff, 0xff, 10, 1, 2, 9}}, {0}},
};

static struct answers ask_with(const void *request, size_t length,
                               const struct berth_address *addresses, size_t count) {
    struct answers answers = {.error = 1};
    struct netlink_computer asked = {
        addresses, count, routes, ROUTES, neighbors, 3, {PORT, take, &answers}};
    netlink_answer(&asked, request, length);
    return answers;
}

struct request {
    struct nlmsghdr header;
    struct ifinfomsg body;
    struct rtattr attribute;
    char name[8];
};

static struct request request_of(uint16_t type, uint16_t flags) {
    return (struct request){.header = {sizeof(struct nlmsghdr) + sizeof(struct ifinfomsg), type,
                                       (uint16_t)(NLM_F_REQUEST | flags), SEQUENCE, 0}};
}

static struct answers ask(const struct request *request) {
    return ask_with(request, request->header.nlmsg_len, computer, 3);
}

static void test_dumps(void **state) {
    (void)state;
    struct request request = request_of(RTM_GETLINK, NLM_F_DUMP);
    struct answers answers = ask(&request);
    assert_int_equal(answers.links, 2);
    assert_int_equal(answers.done, 1);
    assert_int_equal(answers.link.ifi_index, 2);
    assert_string_equal(answers.name, "eth0");
    assert_true(answers.link.ifi_flags & IFF_UP);

    request = request_of(RTM_GETADDR, NLM_F_DUMP);
    answers = ask(&request);
    assert_int_equal(answers.addresses, 3);
    assert_int_equal(answers.address.ifa_scope, RT_SCOPE_LINK);
    request.body.ifi_family = AF_INET;
    answers = ask(&request);
    assert_int_equal(answers.addresses, 2);
    assert_int_equal(answers.address.ifa_prefixlen, 24);

    request = request_of(RTM_GETROUTE, NLM_F_DUMP);
    request.body.ifi_family = AF_INET;
    answers = ask(&request);
    assert_int_equal(answers.routes, 3);
    assert_int_equal(answers.route.rtm_dst_len, 24);
    assert_int_equal(answers.route.rtm_scope, RT_SCOPE_LINK);
    request.body.ifi_family = AF_INET6; /* groups are not told */
    assert_int_equal(ask(&request).routes, 0);
}

/* `ip neigh`: one that is still asked for has no link address. */
static void test_neighbors(void **state) {
    (void)state;
    struct request request = request_of(RTM_GETNEIGH, NLM_F_DUMP);
    request.body.ifi_family = AF_INET6;
    struct answers answers = ask(&request);
    assert_int_equal(answers.neighbors, 1);
    assert_int_equal(answers.neighbor.ndm_state, NUD_REACHABLE);
    assert_int_equal(answers.neighbor.ndm_ifindex, 2);
    assert_int_equal(answers.link_address, RTA_SPACE(16) + RTA_SPACE(6));
    request.body.ifi_family = AF_UNSPEC;
    answers = ask(&request);
    assert_int_equal(answers.neighbors, 3);
    assert_int_equal(answers.done, 1);
    assert_int_equal(answers.neighbor.ndm_state, NUD_INCOMPLETE);
    assert_int_equal(answers.link_address, RTA_SPACE(4));
}

/* `ip route get`: the way that a destination takes. */
static void test_one_route(void **state) {
    (void)state;
    static const struct {
        uint8_t to[4], gateway[4];
        uint8_t type;
    } cases[] = {{{10, 1, 2, 77}, {0}, RTN_UNICAST},
                 {{10, 9, 255, 1}, {10, 1, 2, 8}, RTN_UNICAST},
                 {{8, 8, 8, 8}, {10, 1, 2, 9}, RTN_UNICAST},
                 {{10, 1, 2, 3}, {0}, RTN_LOCAL}};
    struct {
        struct nlmsghdr header;
        struct rtmsg body;
        struct rtattr attribute;
        uint8_t to[4];
    } request = {.header = {sizeof request, RTM_GETROUTE, NLM_F_REQUEST, SEQUENCE, 0},
                 .body = {.rtm_family = AF_INET},
                 .attribute = {RTA_LENGTH(4), RTA_DST}};
    static const uint8_t none[4];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        memcpy(request.to, cases[i].to, 4);
        struct answers answers = ask_with(&request, sizeof request, computer, 3);
        assert_int_equal(answers.routes, 1);
        assert_int_equal(answers.route.rtm_dst_len, 32);
        assert_int_equal(answers.route.rtm_type, cases[i].type);
        assert_memory_equal(answers.to, cases[i].to, 4);
        assert_memory_equal(answers.gateway, cases[i].gateway, 4);
        if (memcmp(cases[i].gateway, none, 4) == 0)
            assert_false(answers.has_gateway);
    }
    request.attribute.rta_len = RTA_LENGTH(3);
    assert_int_equal(ask_with(&request, sizeof request, computer, 3).error, -EINVAL);
}

/* More than a datagram holds comes in several. */
static void test_long_dump(void **state) {
    (void)state;
    static struct berth_address many[200];
    struct request request = request_of(RTM_GETADDR, NLM_F_DUMP);
    for (int i = 0; i < 200; i++)
        many[i] = computer[1];
    struct answers answers =
        ask_with(&request, request.header.nlmsg_len, many, sizeof many / sizeof many[0]);
    assert_int_equal(answers.addresses, 200);
    assert_int_equal(answers.done, 1);
    assert_true(answers.datagrams > 1);
}

static void test_one_link(void **state) {
    (void)state;
    struct request request = request_of(RTM_GETLINK, 0);
    request.body.ifi_index = 1;
    struct answers answers = ask(&request);
    assert_int_equal(answers.links, 1);
    assert_string_equal(answers.name, "lo");

    request = request_of(RTM_GETLINK, 0);
    request.header.nlmsg_len = sizeof request;
    request.attribute = (struct rtattr){RTA_LENGTH(5), IFLA_IFNAME};
    memcpy(request.name, "eth0", 5);
    assert_int_equal(ask(&request).link.ifi_index, 2);
    memcpy(request.name, "eth9", 5);
    assert_int_equal(ask(&request).error, -ENODEV);
}

static void test_refusals(void **state) {
    (void)state;
    struct request request = request_of(RTM_SETLINK, 0);
    assert_int_equal(ask(&request).error, -EPERM);
    request = request_of(RTM_GETROUTE, 0);
    assert_int_equal(ask(&request).error, -EINVAL);
    request = request_of(RTM_GETNEIGH, 0);
    assert_int_equal(ask(&request).error, -EOPNOTSUPP);
}

/* Lengths that are not true: nothing is read beyond the request (under ASan), and nothing hangs. */
static void test_bounds(void **state) {
    (void)state;
    struct request request = request_of(RTM_GETLINK, 0);
    request.header.nlmsg_len = sizeof request;
    request.attribute = (struct rtattr){RTA_LENGTH(5), IFLA_IFNAME};
    for (size_t length = 0; length <= sizeof request; length++)
        for (unsigned claimed = 0; claimed < 2 * sizeof request; claimed++) {
            uint8_t exact[sizeof request];
            request.header.nlmsg_len = claimed;
            request.attribute.rta_len = (unsigned short)claimed;
            memcpy(exact + sizeof exact - length, &request, length);
            ask_with(exact + sizeof exact - length, length, computer, 3);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dumps),     cmocka_unit_test(test_long_dump),
        cmocka_unit_test(test_one_link),  cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_bounds),    cmocka_unit_test(test_one_route),
        cmocka_unit_test(test_neighbors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
