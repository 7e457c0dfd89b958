/* How rows of `berth ss` are chosen and written, names of ports, and quantities. */
#define _GNU_SOURCE
#include "tool/cli/netem.h"
#include "tool/cli/ss.h"
#include "tool/cli/units.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static json_t *row(const char *netid, const char *status) {
    return json_pack("{s:s,s:s}", "netid", netid, "state", status);
}

static bool wants(struct ss_choice choice, const char *netid, const char *status) {
    json_t *one = row(netid, status);
    bool wanted = ss_wants(&choice, one);
    json_decref(one);
    return wanted;
}

/* iproute2: without -a and -l the connected ones; -l those that wait; TIME-WAIT and SYN-RECV only
 * with -a. */
static void choosing(void **state) {
    (void)state;
    struct ss_choice none = {.tcp = false}, all = {.all = true}, listening = {.listening = true};
    assert_true(wants(none, "tcp", "ESTAB"));
    assert_true(wants(none, "udp", "ESTAB"));
    assert_true(wants(none, "tcp", "CLOSE-WAIT"));
    assert_false(wants(none, "tcp", "LISTEN"));
    assert_false(wants(none, "udp", "UNCONN"));
    assert_false(wants(none, "tcp", "TIME-WAIT"));
    assert_false(wants(none, "tcp", "SYN-RECV"));
    assert_true(wants(all, "tcp", "TIME-WAIT"));
    assert_true(wants(all, "udp", "UNCONN"));
    assert_true(wants(listening, "tcp", "LISTEN"));
    assert_true(wants(listening, "udp", "UNCONN"));
    assert_false(wants(listening, "tcp", "ESTAB"));
    struct ss_choice udp = {.udp = true, .all = true},
                     both = {.udp = true, .tcp = true, .all = true};
    assert_false(wants(udp, "tcp", "LISTEN"));
    assert_true(wants(udp, "udp", "UNCONN"));
    assert_true(wants(both, "tcp", "LISTEN"));
}

static struct services *services_of(const char *text) {
    char path[] = "/tmp/berth-services-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    struct services *services = services_read(path);
    unlink(path);
    assert_non_null(services);
    return services;
}

static void services(void **state) {
    (void)state;
    struct services *list = services_of("# comment\nhttp 80/tcp www # web\n\ndomain\t53/udp\n"
                                        "bad 70000/tcp\nworse 1/sctp\nx y z\nhttp-alt 80/tcp\n");
    assert_string_equal(services_name(list, true, 80), "http");
    assert_null(services_name(list, false, 80));
    assert_string_equal(services_name(list, false, 53), "domain");
    assert_null(services_name(list, true, 4464)); /* 70000 modulo 65536 */
    assert_null(services_name(list, true, 1));
    services_free(list);
    list = services_read("/nonexistent/services");
    assert_string_equal(services_name(list, true, 23), "telnet");
    assert_string_equal(services_name(list, false, 7), "echo");
    services_free(list);
    assert_null(services_name(NULL, true, 80));
}

static void ends(void **state) {
    (void)state;
    static const struct {
        const char *address;
        int port;
        bool names;
        const char *text;
    } cases[] = {
        {"10.0.0.1", 80, true, "10.0.0.1:http"},
        {"10.0.0.1", 80, false, "10.0.0.1:80"},
        {"0.0.0.0", 0, true, "0.0.0.0:*"},
        {"0.0.0.0", 0, false, "0.0.0.0:*"},
        {"::", 80, false, "*:80"},
        {"::", 0, false, "*:*"},
        {"::1", 8080, true, "[::1]:8080"},
        {"fd00::1", 80, true, "[fd00::1]:http"},
        {"10.0.0.1", 65535, true, "10.0.0.1:65535"},
    };
    struct services *list = services_of("http 80/tcp\n");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[128];
        json_t *end = json_pack("{s:s,s:i}", "address", cases[i].address, "port", cases[i].port);
        ss_end_text(end, "tcp", cases[i].names ? list : NULL, text, sizeof text);
        assert_string_equal(text, cases[i].text);
        json_decref(end);
    }
    services_free(list);
}

static void processes(void **state) {
    (void)state;
    char text[200], tight[64];
    json_t *list = json_array();
    ss_process_text(list, text, sizeof text);
    assert_string_equal(text, "");
    json_array_append_new(list, json_pack("{s:s,s:i,s:i}", "name", "nginx", "pid", 7, "fd", 6));
    ss_process_text(list, text, sizeof text);
    assert_string_equal(text, "users:((\"nginx\",pid=7,fd=6))");
    json_array_append_new(list, json_pack("{s:s,s:i,s:i}", "name", "nginx", "pid", 8, "fd", 6));
    ss_process_text(list, text, sizeof text);
    assert_string_equal(text, "users:((\"nginx\",pid=7,fd=6),(\"nginx\",pid=8,fd=6))");
    for (int i = 0; i < 40; i++)
        json_array_append_new(list, json_pack("{s:s,s:i,s:i}", "name", "nginx", "pid", i, "fd", 6));
    /* However little room there is: no overrun, and the cut is seen. */
    for (size_t size = 1; size <= sizeof tight; size++) {
        memset(tight, '~', sizeof tight);
        ss_process_text(list, tight, size);
        assert_true(strlen(tight) < size);
    }
    assert_non_null(strstr(tight, "..."));
    json_decref(list);
}

static void quantities(void **state) {
    (void)state;
    double value;
    assert_true(unit_time("20ms", &value) && fabs(value - 20e6) < 1);
    assert_true(unit_time("1.5s", &value) && fabs(value - 1.5e9) < 1);
    assert_true(unit_time("300USEC", &value) && fabs(value - 300e3) < 1);
    assert_true(unit_time("0", &value) && value == 0);
    assert_true(unit_percent("0.5%", &value) && fabs(value - 0.005) < 1e-12);
    assert_true(unit_percent("100%", &value) && value == 1);
    assert_true(unit_rate("10mbit", &value) && fabs(value - 10e6) < 1);
    assert_true(unit_rate("1kbps", &value) && fabs(value - 8e3) < 1);
    assert_true(unit_count("1000", 1e7, &value) && fabs(value - 1000) < 1e-9);
    static const char *const bad[] = {
        "",       "20",    "-1ms",   "ms",       ".ms",
        "1..2ms", "1e3ms", "inf",    "nans",     " 1ms",
        "1 ms",   "1m",    "0x10ms", "9999999s", "111111111111111111111111ms"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(unit_time(bad[i], &value));
    assert_false(unit_percent("100.1%", &value));
    assert_false(unit_percent("1", &value));
    assert_false(unit_count("1.5", 10, &value));
    assert_false(unit_count("11", 10, &value));
    assert_false(unit_rate("10", &value));
}

static void netem_words(void **state) {
    (void)state;
    char error[200];
    static char *const words[] = {"delay", "50ms", "5ms", "25%", "distribution", "normal"};
    json_t *set = netem_property(6, words, error, sizeof error);
    assert_non_null(set);
    assert_true(fabs(json_real_value(json_object_get(set, "delay_correlation")) - 0.25) < 1e-9);
    assert_true(fabs(json_real_value(json_object_get(set, "jitter")) - 5e6) < 1);
    assert_string_equal(json_string_value(json_object_get(set, "distribution")), "normal");
    json_decref(set);
    assert_null(netem_property(1, words, error, sizeof error));
    assert_string_equal(error, "delay: \"\" should be such as 50ms");
    static char *const wrong[] = {"dely", "50ms"};
    assert_null(netem_property(2, wrong, error, sizeof error));
    assert_string_equal(error, "\"dely\": no such word (did you mean \"delay\"?)");
    static char *const more[] = {"rate", "1mbit", "limit", "5"};
    assert_null(netem_property(4, more, error, sizeof error));
    assert_string_equal(error, "\"limit\" is a value too many");
}

/* iproute2's words: what is not there is not said, a total stands behind a slash, rates have three
 * digits unless all are asked for. */
static void info_line(void **state) {
    (void)state;
    char text[1000];
    struct ss_choice choice = {.options = true};
    json_t *info = json_pack("{s:b,s:s,s:[i,i],s:f,s:f,s:f,s:I,s:i,s:I,s:i,s:[i,f],s:i,s:b}",
                             "sack", 1, "congestion", "cubic", "wscale", 7, 9, "rto", 204.5, "rtt",
                             0.03, "rttvar", 0.015, "send", (json_int_t)1234567890, "pacing_rate",
                             999, "max_pacing_rate", (json_int_t)40100, "busy", 44, "rwnd_limited",
                             11, 25.0, "retrans_total", 3, "app_limited", 1);
    ss_info_text(info, &choice, text, sizeof text);
    assert_string_equal(
        text,
        " sack cubic wscale:7,9 rto:204.5 rtt:0.03/0.015 send 1.23Gbps "
        "pacing_rate 999bps/40.1Kbps app_limited busy:44ms rwnd_limited:11ms(25.0%) retrans:0/3");
    choice = (struct ss_choice){.numeric = true};
    ss_info_text(info, &choice, text, sizeof text);
    assert_null(strstr(text, "sack")); /* only with -o */
    assert_non_null(strstr(text, " send 1234567890bps pacing_rate 999bps/40100bps "));
    ss_info_text(info, &choice, text, 20); /* no word is cut in two */
    assert_string_equal(text, " cubic wscale:7,9");
    json_decref(info);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(info_line),   cmocka_unit_test(choosing),  cmocka_unit_test(services),
        cmocka_unit_test(ends),        cmocka_unit_test(processes), cmocka_unit_test(quantities),
        cmocka_unit_test(netem_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
