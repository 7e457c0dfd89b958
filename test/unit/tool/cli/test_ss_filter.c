/* iproute2's filter words: what they let through, and what is said of a wrong one. */
#define _GNU_SOURCE
#include "tool/cli/ss_filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static bool passes(const char *text, const char *status, const char *local, int local_port,
                   const char *peer, int peer_port) {
    struct ss_filter filter;
    char error[200] = "", words[200];
    char *list[] = {words};
    snprintf(words, sizeof words, "%s", text);
    if (!ss_filter_parse(&filter, 1, list, error, sizeof error))
        fail_msg("%s: %s", text, error);
    json_t *row = json_pack("{s:s,s:{s:s,s:i},s:{s:s,s:i}}", "state", status, "local", "address",
                            local, "port", local_port, "peer", "address", peer, "port", peer_port);
    bool wanted = ss_filter_wants(&filter, row);
    json_decref(row);
    return wanted;
}

/* 10.0.0.1:80 is connected with 10.0.0.9:40023. */
static bool web(const char *text) {
    return passes(text, "ESTAB", "10.0.0.1", 80, "10.0.0.9", 40023);
}

static void test_ports(void **state) {
    (void)state;
    assert_true(web("sport = :80"));
    assert_true(web("sport eq 80"));
    assert_true(web("sport = :http"));
    assert_true(web("( sport = :80 )"));
    assert_true(web("(sport=:80)"));
    assert_false(web("dport = :80"));
    assert_true(web("dport > :1024"));
    assert_true(web("dport >= :40023"));
    assert_false(web("dport < :40023"));
    assert_true(web("dport <= :40023"));
    assert_true(web("sport != :22"));
}

static void test_addresses(void **state) {
    (void)state;
    assert_true(web("src 10.0.0.1"));
    assert_true(web("src = 10.0.0.1:80"));
    assert_false(web("src 10.0.0.1:81"));
    assert_true(web("dst 10.0.0.0/24"));
    assert_true(web("dst 10.0.0.8/30:40023"));
    assert_false(web("dst 10.0.0.8/32"));
    assert_true(web("src :80"));
    assert_true(web("src *:80"));
    assert_false(web("src [fd00::1]:80"));
    assert_true(passes("src [fd00:10::1]:80", "ESTAB", "fd00:10::1", 80, "fd00:10::2", 9));
    assert_true(passes("src fd00::/16", "ESTAB", "fd00:10::1", 80, "fd00:10::2", 9));
}

/* not before and before or; two conditions side by side are and. */
static void test_logic(void **state) {
    (void)state;
    assert_true(web("sport = :80 and dport = :40023"));
    assert_true(web("sport = :80 dport = :40023"));
    assert_false(web("sport = :80 and dport = :1"));
    assert_true(web("dport = :1 or sport = :80"));
    assert_true(web("dport = :1 and sport = :2 or sport = :80"));
    assert_false(web("dport = :1 and ( sport = :2 or sport = :80 )"));
    assert_true(web("not dport = :1"));
    assert_true(web("! dport = :1 && sport = :80"));
    assert_false(web("not ( sport = :80 or dport = :1 )"));
}

static void test_states(void **state) {
    (void)state;
    assert_true(web("state established"));
    assert_true(web("state ESTAB"));
    assert_false(web("state listening"));
    assert_true(web("state listening state established sport = :80"));
    assert_false(web("exclude established"));
    assert_true(web("state connected"));
    assert_true(passes("state time-wait", "TIME-WAIT", "10.0.0.1", 80, "10.0.0.9", 1));
    assert_true(passes("state bucket", "SYN-RECV", "10.0.0.1", 80, "10.0.0.9", 1));
    assert_false(passes("state connected", "LISTEN", "0.0.0.0", 80, "0.0.0.0", 0));
    assert_true(web(""));
}

static void refuses(const char *text, const char *because) {
    struct ss_filter filter;
    char error[200] = "", words[3000];
    char *list[] = {words};
    snprintf(words, sizeof words, "%s", text);
    assert_false(ss_filter_parse(&filter, 1, list, error, sizeof error));
    assert_non_null(strstr(error, because));
}

static void test_refusals(void **state) {
    (void)state;
    char deep[2900];
    refuses("state nothing", "no state at \"nothing\"");
    refuses("sport", "a port is missing");
    refuses("sport = :nosuchservice", "a port is missing");
    refuses("sport = :70000", "a port is missing");
    refuses("src 10.0.0.300", "an address is missing");
    refuses("src 10.0.0.0/33", "an address is missing");
    refuses("( sport = :80", "\")\" is missing at the end");
    refuses("sport = :80 )", "nothing more is understood at \")\"");
    refuses("sport = :80 and", "a condition");
    refuses("port 80", "a condition");
    memset(deep, '(', sizeof deep);
    deep[1000] = '\0';
    refuses(deep, "nested too deeply");
    memset(deep, '(', sizeof deep);
    deep[sizeof deep - 1] = '\0';
    refuses(deep, "too long");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ports),    cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_logic),    cmocka_unit_test(test_states),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
