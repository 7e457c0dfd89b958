/* Published ports as people write them. */
#include "tool/cli/ports.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void right_ones(void **state) {
    (void)state;
    static const struct {
        const char *text;
        struct port_mapping mapping;
    } cases[] = {
        {"80", {"", 0, 80, 1, false}},
        {"8080:80", {"", 8080, 80, 1, false}},
        {"8080:80/tcp", {"", 8080, 80, 1, false}},
        {"127.0.0.1:8080:80", {"127.0.0.1", 8080, 80, 1, false}},
        {"127.0.0.1::53/udp", {"127.0.0.1", 0, 53, 1, true}},
        {"0.0.0.0:65535:1", {"0.0.0.0", 65535, 1, 1, false}},
        {"[::1]:8080:80", {"::1", 8080, 80, 1, false}},
        {"[0:0::1]::80/udp", {"::1", 0, 80, 1, true}},
        {"[::1]:80", {"::1", 0, 80, 1, false}},
        {"3000-3005", {"", 0, 3000, 6, false}},
        {"[::1]:8000-8003:80-83", {"::1", 8000, 80, 4, false}},
        {"1-65535:1-65535", {"", 1, 1, 65535, false}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct port_mapping mapping;
        char error[200] = "";
        if (!port_mapping_read(cases[i].text, &mapping, error, sizeof error))
            fail_msg("%s: %s", cases[i].text, error);
        assert_string_equal(mapping.address, cases[i].mapping.address);
        assert_int_equal(mapping.outside, cases[i].mapping.outside);
        assert_int_equal(mapping.inside, cases[i].mapping.inside);
        assert_int_equal(mapping.count, cases[i].mapping.count);
        assert_int_equal(mapping.udp, cases[i].mapping.udp);
    }
}

static void wrong_ones(void **state) {
    (void)state;
    char longest[300];
    memset(longest, '1', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    const char *const cases[] = {
        "",          ":",           "::",           "0",          "0:80",    "65536",
        "-1",        "80-",         "-80",          "90-80",      "80:",     "80:80:80",
        "a:80",      "80/sctp",     "80/",          "80/udp/tcp", " 80",     "80 ",
        "1.2.3:1:1", "::1:8080:80", "[::1:8080:80", "[::1]80:80", "1-3:1-2", "1-2:5",
        "80:1-2",    "+80",         "0x50",         "[]:1:1",     "1:2:3:4", "1.2.3.4:1:2:3",
        longest};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct port_mapping mapping;
        char error[200] = "";
        if (port_mapping_read(cases[i], &mapping, error, sizeof error))
            fail_msg("%s was taken", cases[i]);
        assert_non_null(strstr(error, "should be such as"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_ones),
        cmocka_unit_test(wrong_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
