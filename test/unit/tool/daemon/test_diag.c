/* What `ss` asks of a virtual computer: questions, filters, and what is told of a socket. */
#define _GNU_SOURCE
#include "tool/daemon/diag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct diag_socket web = {.protocol = IPPROTO_TCP,
                                       .family = AF_INET,
                                       .state = BERTH_ESTABLISHED,
                                       .local = {{{[10] = 0xff, 0xff, 10, 0, 0, 1}}, 80},
                                       .remote = {{{[10] = 0xff, 0xff, 10, 0, 3, 2}}, 4000},
                                       .receive_queue = 5,
                                       .send_queue = 7,
                                       .uid = 9,
                                       .inode = 1234,
                                       .cookie = UINT64_C(0x100000002)};
/* An IPv6 socket that a client of IPv4 is connected to, and one that has no peer. */
static const struct diag_socket mapped = {.protocol = IPPROTO_TCP,
                                          .family = AF_INET6,
                                          .state = BERTH_ESTABLISHED,
                                          .local = {{{[10] = 0xff, 0xff, 10, 0, 0, 1}}, 80},
                                          .remote = {{{[10] = 0xff, 0xff, 10, 0, 3, 2}}, 4001}};
static const struct diag_socket listener = {.protocol = IPPROTO_TCP,
                                            .family = AF_INET6,
                                            .state = BERTH_LISTEN,
                                            .local = {{{0}}, 80},
                                            .remote = {{{[10] = 0xff, [11] = 0xff}}, 0}};

/* ---- questions ---- */

struct question {
    struct nlmsghdr header;
    struct inet_diag_req_v2 body;
    uint8_t attributes[64];
};

static struct question question_of(uint8_t family, uint8_t protocol, uint32_t states) {
    return (struct question){
        .header = {.nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .body = {.sdiag_family = family, .sdiag_protocol = protocol, .idiag_states = states}};
}

static int ask(struct diag_query *query, const struct question *question, size_t attributes) {
    return diag_read(query, &question->header, (const uint8_t *)&question->body,
                     sizeof question->body + attributes);
}

static void test_questions(void **state) {
    (void)state;
    struct diag_query query;
    struct question question = question_of(AF_INET, IPPROTO_TCP, 1 << BERTH_ESTABLISHED);
    assert_int_equal(ask(&query, &question, 0), 0);
    assert_false(query.exact);
    assert_true(diag_wanted(&query, &web));
    assert_false(diag_wanted(&query, &mapped));
    question.body.idiag_states = 1 << BERTH_LISTEN;
    assert_int_equal(ask(&query, &question, 0), 0);
    assert_false(diag_wanted(&query, &web));
    question.body.idiag_states = UINT32_MAX;
    question.body.id.idiag_sport = htons(81);
    assert_int_equal(ask(&query, &question, 0), 0);
    assert_false(diag_wanted(&query, &web));
    question.body.id = (struct inet_diag_sockid){.idiag_dport = htons(4000)};
    assert_int_equal(ask(&query, &question, 0), 0);
    assert_true(diag_wanted(&query, &web));
    question.body.sdiag_protocol = IPPROTO_UDP;
    assert_int_equal(ask(&query, &question, 0), 0);
    assert_false(diag_wanted(&query, &web));
}

/* ss goes on to /proc where it hears of ENOENT. */
static void test_refusals(void **state) {
    (void)state;
    struct diag_query query;
    struct question question = question_of(AF_UNIX, 0, UINT32_MAX);
    assert_int_equal(ask(&query, &question, 0), -ENOENT);
    question = question_of(255, IPPROTO_TCP, UINT32_MAX);
    assert_int_equal(ask(&query, &question, 0), -EINVAL);
    question = question_of(AF_INET, IPPROTO_SCTP, UINT32_MAX);
    assert_int_equal(ask(&query, &question, 0), -ENOENT);
    question = question_of(AF_INET, IPPROTO_TCP, UINT32_MAX);
    assert_int_equal(diag_read(&query, &question.header, (const uint8_t *)&question.body, 20),
                     -EINVAL);
    assert_int_equal(diag_read(&query, &question.header, (const uint8_t *)&question.body, 0),
                     -EINVAL);
    question.header.nlmsg_type = SOCK_DESTROY;
    assert_int_equal(ask(&query, &question, 0), -EPERM);
    question.header.nlmsg_type = SOCK_DESTROY + 1;
    assert_int_equal(ask(&query, &question, 0), -EINVAL);
    /* A protocol that the octet for it has no room for: MPTCP is not TCP. */
    question = question_of(AF_INET, IPPROTO_TCP, UINT32_MAX);
    const uint32_t mptcp = IPPROTO_MPTCP;
    memcpy(question.attributes, (uint16_t[]){8, INET_DIAG_REQ_PROTOCOL}, 4);
    memcpy(question.attributes + 4, &mptcp, 4);
    assert_int_equal(ask(&query, &question, 8), -ENOENT);
}

static void test_exact(void **state) {
    (void)state;
    struct diag_query query;
    struct question question = question_of(AF_INET, IPPROTO_TCP, 0);
    question.header.nlmsg_flags = NLM_F_REQUEST;
    question.body.id = (struct inet_diag_sockid){.idiag_sport = htons(80),
                                                 .idiag_dport = htons(4000),
                                                 .idiag_src = {htonl(0x0a000001)},
                                                 .idiag_dst = {htonl(0x0a000302)}};
    assert_int_equal(ask(&query, &question, 0), 0);
    assert_true(query.exact);
    assert_int_equal(diag_fit(&query, &web), 2);
    assert_int_equal(diag_fit(&query, &listener), 0); /* IPv6's */
    question.body.id.idiag_dport = htons(4001);
    assert_int_equal(ask(&query, &question, 0), 0);
    assert_int_equal(diag_fit(&query, &web), 0);
    question.body.sdiag_family = AF_INET6;
    assert_int_equal(ask(&query, &question, 0), 0);
    assert_int_equal(diag_fit(&query, &listener), 1);
}

/* ---- filters ---- */

/* One condition: on to the end if it holds, beyond it if not. */
static size_t condition(uint8_t *filter, uint8_t code, const void *argument, size_t length) {
    size_t all = sizeof(struct inet_diag_bc_op) + length;
    struct inet_diag_bc_op op = {code, (uint8_t)all, (uint16_t)(all + 4)};
    memcpy(filter, &op, sizeof op);
    memcpy(filter + sizeof op, argument, length);
    return all;
}

static bool passes(const uint8_t *filter, size_t length, const struct diag_socket *socket) {
    assert_true(diag_filter_valid(filter, length));
    return diag_filter_passes(filter, length, socket);
}

static void test_ports(void **state) {
    (void)state;
    static const struct {
        uint8_t code;
        uint16_t port;
        bool passes;
    } cases[] = {
        {INET_DIAG_BC_S_EQ, 80, true},   {INET_DIAG_BC_S_EQ, 81, false},
        {INET_DIAG_BC_S_GE, 80, true},   {INET_DIAG_BC_S_GE, 81, false},
        {INET_DIAG_BC_S_LE, 80, true},   {INET_DIAG_BC_S_LE, 79, false},
        {INET_DIAG_BC_D_EQ, 4000, true}, {INET_DIAG_BC_D_EQ, 80, false},
        {INET_DIAG_BC_D_GE, 1, true},    {INET_DIAG_BC_D_GE, 4001, false},
        {INET_DIAG_BC_D_LE, 4000, true}, {INET_DIAG_BC_D_LE, 3999, false},
    };
    uint8_t filter[16];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct inet_diag_bc_op port = {.no = cases[i].port};
        size_t length = condition(filter, cases[i].code, &port, sizeof port);
        assert_int_equal(passes(filter, length, &web), cases[i].passes);
    }
}

/* A struct inet_diag_hostcond with its address. */
struct host {
    uint8_t family, prefix_len;
    int port;
    uint8_t address[16];
};
_Static_assert(offsetof(struct host, address) == sizeof(struct inet_diag_hostcond), "its layout");

static void test_addresses(void **state) {
    (void)state;
    uint8_t filter[32];
    struct host host = {AF_INET, 24, -1, {10, 0, 3, 99}};
    size_t length = condition(filter, INET_DIAG_BC_D_COND, &host, 12);
    assert_true(passes(filter, length, &web));
    assert_true(passes(filter, length, &mapped));
    assert_false(passes(filter, length, &listener));
    length = condition(filter, INET_DIAG_BC_S_COND, &host, 12);
    assert_false(passes(filter, length, &web));
    host.prefix_len = 22; /* 10.0.0.0/22 has both */
    length = condition(filter, INET_DIAG_BC_S_COND, &host, 12);
    assert_true(passes(filter, length, &web));
    host.port = 4000;
    length = condition(filter, INET_DIAG_BC_D_COND, &host, 12);
    assert_true(passes(filter, length, &web));
    assert_false(passes(filter, length, &mapped));
    host = (struct host){AF_INET6, 0, -1, {0}};
    length = condition(filter, INET_DIAG_BC_D_COND, &host, 24);
    assert_false(passes(filter, length, &web));
    assert_true(passes(filter, length, &listener));
}

/* "sport = :80 or sport = :81", and the same without the jump's end. */
static void test_jumps(void **state) {
    (void)state;
    uint8_t filter[20];
    const struct inet_diag_bc_op ops[] = {
        {INET_DIAG_BC_S_EQ, 8, 12}, {.no = 81}, {INET_DIAG_BC_JMP, 4, 12},
        {INET_DIAG_BC_S_EQ, 8, 12}, {.no = 80},
    };
    memcpy(filter, ops, sizeof ops);
    assert_true(passes(filter, sizeof filter, &web));
    filter[16 + 2] = 82;
    assert_false(passes(filter, sizeof filter, &web));
    filter[4 + 2] = 80;
    assert_true(passes(filter, sizeof filter, &web));
}

/* Whatever octets come: nothing beyond them is read, nothing runs for ever, and what is refused is
 * what Linux refuses. */
static void test_hostile(void **state) {
    (void)state;
    uint8_t filter[20] = {INET_DIAG_BC_S_EQ, 8, 12};
    assert_true(diag_filter_valid(filter, 8));
    assert_false(diag_filter_valid(filter, 0));
    assert_false(diag_filter_valid(filter, 3));
    assert_false(diag_filter_valid(filter, 4)); /* its port is missing */
    filter[1] = 0;                              /* it would stand still */
    assert_false(diag_filter_valid(filter, 8));
    filter[1] = 8;
    filter[2] = 16; /* too far beyond the end */
    assert_false(diag_filter_valid(filter, 8));
    filter[2] = 4; /* into its own argument */
    assert_false(diag_filter_valid(filter, 8));
    filter[0] = INET_DIAG_BC_MARK_COND;
    assert_false(diag_filter_valid(filter, 20));
    uint32_t random = 1;
    for (int round = 0; round < 200000; round++) {
        uint8_t exact[sizeof filter];
        size_t length = sizeof exact;
        for (size_t i = 0; i < length; i++) {
            random = random * 1103515245 + 12345;
            exact[i] = (uint8_t)(i % 4 == 0 ? (random >> 16) % 14 : (random >> 16) % 7 * 4);
        }
        for (size_t i = 3; i < length; i += 4)
            exact[i] = 0;
        length -= (random >> 8) % 5 * 4;
        if (diag_filter_valid(exact + sizeof exact - length, length))
            diag_filter_passes(exact + sizeof exact - length, length, &web);
    }
}

/* ---- answers ---- */

struct taken {
    struct nlmsghdr header;
    struct inet_diag_msg body;
    uint8_t attributes[NETLINK_MESSAGE_MOST];
    size_t length; /* of the attributes */
};

static void take(void *context, const uint8_t *datagram, size_t length) {
    struct taken *taken = context;
    size_t own = sizeof taken->header + sizeof taken->body;
    assert_in_range(length, own, own + sizeof taken->attributes);
    memcpy(&taken->header, datagram, sizeof taken->header);
    memcpy(&taken->body, datagram + sizeof taken->header, sizeof taken->body);
    taken->length = length - own;
    memcpy(taken->attributes, datagram + own, taken->length);
}

static struct taken told(const struct diag_socket *socket, uint8_t extensions,
                         const struct diag_details *details) {
    struct taken taken;
    struct netlink_writer writer = {.asker = {7, take, &taken}, .sequence = 5, .dump = true};
    struct diag_query query = {.request = {.idiag_ext = extensions}};
    diag_write(&writer, &query, socket, details);
    netlink_flush(&writer);
    assert_int_equal(taken.header.nlmsg_len,
                     sizeof taken.header + sizeof taken.body + taken.length);
    return taken;
}

static const uint8_t *told_of(const struct taken *taken, uint16_t type, size_t *length) {
    return netlink_attribute_find(taken->attributes, taken->length, type, length);
}

static void test_answers(void **state) {
    (void)state;
    size_t length;
    struct diag_details details = {.known = true,
                                   .congestion = "cubic",
                                   .info = {.tcpi_retransmits = 3, .tcpi_rtt = 55},
                                   .receive_buffer = 1000,
                                   .send_buffer = 2000,
                                   .tos = 0x10,
                                   .v6only = 1,
                                   .shutdown = 2};
    struct taken taken = told(&web, 0, &details);
    assert_int_equal(taken.header.nlmsg_type, SOCK_DIAG_BY_FAMILY);
    assert_int_equal(taken.header.nlmsg_flags, NLM_F_MULTI);
    assert_int_equal(taken.header.nlmsg_pid, 7);
    assert_int_equal(taken.body.idiag_retrans, 3);
    assert_int_equal(taken.body.id.idiag_sport, htons(80));
    assert_int_equal(taken.body.id.idiag_src[0], htonl(0x0a000001));
    assert_int_equal(taken.body.id.idiag_dst[0], htonl(0x0a000302));
    assert_int_equal(taken.body.id.idiag_dst[1], 0);
    assert_int_equal(taken.body.id.idiag_cookie[0], 2);
    assert_int_equal(taken.body.id.idiag_cookie[1], 1);
    assert_int_equal(taken.body.idiag_rqueue, 5);
    assert_int_equal(taken.body.idiag_inode, 1234);
    assert_int_equal(*told_of(&taken, INET_DIAG_SHUTDOWN, &length), 2);
    assert_null(told_of(&taken, INET_DIAG_INFO, &length));
    taken = told(&web, 0xff, &details);
    struct tcp_info info;
    memcpy(&info, told_of(&taken, INET_DIAG_INFO, &length), sizeof info);
    assert_int_equal(length, sizeof info);
    assert_int_equal(info.tcpi_rtt, 55);
    assert_string_equal((const char *)told_of(&taken, INET_DIAG_CONG, &length), "cubic");
    assert_int_equal(*told_of(&taken, INET_DIAG_TOS, &length), 0x10);
    assert_null(told_of(&taken, INET_DIAG_TCLASS, &length));
    uint32_t memory[SK_MEMINFO_VARS];
    memcpy(memory, told_of(&taken, INET_DIAG_SKMEMINFO, &length), sizeof memory);
    assert_int_equal(length, sizeof memory);
    assert_int_equal(memory[SK_MEMINFO_RMEM_ALLOC], 5);
    assert_int_equal(memory[SK_MEMINFO_RCVBUF], 1000);
    assert_int_equal(memory[SK_MEMINFO_SNDBUF], 2000);
    taken = told(&listener, 0, &details);
    assert_int_equal(taken.body.id.idiag_dst[2], 0); /* no IPv4 wildcard */
    assert_int_equal(*told_of(&taken, INET_DIAG_SKV6ONLY, &length), 1);
    details.known = false; /* TIME-WAIT */
    taken = told(&web, 0xff, &details);
    assert_int_equal(taken.length, 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_questions), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_exact),     cmocka_unit_test(test_ports),
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_jumps),
        cmocka_unit_test(test_hostile),   cmocka_unit_test(test_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
