#include "tool/control/nearest.h"
#include "tool/control/place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void distances(void **state) {
    (void)state;
    assert_int_equal(word_distance("", ""), 0);
    assert_int_equal(word_distance("", "abc"), 3);
    assert_int_equal(word_distance("command", "comand"), 1);
    assert_int_equal(word_distance("server", "sevrer"), 1); /* a swap is one step */
    assert_int_equal(word_distance("ab", "ba"), 1);
    assert_int_equal(word_distance("kitten", "sitting"), 3);
    assert_int_equal(word_distance("abc", "xyz"), 3);
    char longest[80];
    memset(longest, 'a', 79);
    longest[79] = '\0';
    assert_true(word_distance(longest, "a") >= 1000);
    longest[64] = '\0';
    assert_int_equal(word_distance(longest, "a"), 63);
}

static void nearest(void **state) {
    (void)state;
    static const char *const words[] = {"ipv4_address", "command", "environment", "count",
                                        "sysctls"};
    assert_string_equal(word_nearest("comand", words, 5), "command");
    assert_string_equal(word_nearest("Count", words, 5), "count");
    assert_string_equal(word_nearest("enviroment", words, 5), "environment");
    assert_string_equal(word_nearest("ip4_address", words, 5), "ipv4_address");
    assert_null(word_nearest("volumes", words, 5));
    assert_null(word_nearest("x", words, 5));
    assert_null(word_nearest("", words, 5));
    assert_null(word_nearest("comand", words, 0));
    static const char *const commands[] = {"run", "up", "ps", "ss"};
    assert_string_equal(word_nearest("rnu", commands, 4), "run");
    assert_null(word_nearest("q", commands, 4));
}

static void names(void **state) {
    (void)state;
    char longest[66];
    memset(longest, 'a', 65);
    longest[64] = '\0';
    assert_false(place_name_valid(longest));
    longest[63] = '\0';
    assert_true(place_name_valid(longest));
    assert_true(place_name_valid("pc-1_a.b"));
    static const char *const bad[] = {"", ".", "..", "../x", "a/b", "-a", "a b", "a\n", "\xc3\xa9"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(place_name_valid(bad[i]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances),
        cmocka_unit_test(nearest),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
