/* Entries of a gateway's list. */
#include "tool/control/allow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void entries_are_read(void **state) {
    (void)state;
    static const struct {
        const char *text, *prefix;
        uint8_t length;
        bool host;
        uint16_t first, last;
    } entries[] = {
        {"192.0.2.0/24", "192.0.2.0", 120, false, 0, 65535},
        {"192.0.2.7", "192.0.2.7", 128, false, 0, 65535},
        {"192.0.2.7:443", "192.0.2.7", 128, false, 443, 443},
        {"0.0.0.0/0:80-90", "0.0.0.0", 96, false, 80, 90},
        {"::/0", "::", 0, false, 0, 65535},
        {"2001:db8::/32", "2001:db8::", 32, false, 0, 65535},
        {"[2001:db8::7]", "2001:db8::7", 128, false, 0, 65535},
        {"[2001:db8::/32]:1-65535", "2001:db8::", 32, false, 1, 65535},
        {"host", NULL, 0, true, 0, 65535},
        {"host:5432", NULL, 0, true, 5432, 5432},
    };
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        struct allow_rule rule;
        struct berth_ip prefix;
        char error[256] = "";
        assert_true(allow_read(entries[i].text, &rule, error, sizeof error));
        assert_int_equal(rule.host, entries[i].host);
        assert_int_equal(rule.first, entries[i].first);
        assert_int_equal(rule.last, entries[i].last);
        if (rule.host)
            continue;
        assert_int_equal(berth_ip_parse(entries[i].prefix, &prefix), 0);
        assert_true(berth_ip_equal(&rule.prefix, &prefix));
        assert_int_equal(rule.length, entries[i].length);
    }
}

static void nonsense_is_refused_with_what_it_is(void **state) {
    (void)state;
    static const char *const nonsense[] = {
        "",
        "x",
        "10.0.0.0/33",
        "10.0.0.0/",
        "10.0.0.0/-1",
        "10.0.0.1:",
        "10.0.0.1:0",
        "10.0.0.1:65536",
        "10.0.0.1:9-8",
        "10.0.0.1:80-",
        "[::1",
        "[::1]x",
        "[::1]:",
        "::/129",
        "host:",
        "hosts",
        "[host:1",
        "10.0.0.1:80:80",
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234"};
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        struct allow_rule rule;
        char error[256] = "";
        assert_false(allow_read(nonsense[i], &rule, error, sizeof error));
        assert_non_null(strstr(error, "should be such as"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_read),
        cmocka_unit_test(nonsense_is_refused_with_what_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
