#include "test/unit/base/mix.h"
#include "test/unit/base/unit.h"
#include <arpa/inet.h>
#include <berth/addr.h>
#include <stdio.h>

static const struct {
    const char *text, *formatted; /* formatted NULL: not an address */
} cases[] = {
    {"0.0.0.0", "0.0.0.0"},
    {"10.0.0.1", "10.0.0.1"},
    {"255.255.255.255", "255.255.255.255"},
    {"::", "::"},
    {"::1", "::1"},
    {"1::", "1::"},
    {"2001:DB8::1", "2001:db8::1"},
    {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},    /* RFC 5952 4.2.3: the first of two */
    {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},          /* the longer one */
    {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"}, /* 4.2.2: one group is not shortened */
    {"0001:0002:0003:0004:0005:0006:0007:0008", "1:2:3:4:5:6:7:8"},
    {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
    {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
    {"::ffff:1.2.3.4", "1.2.3.4"}, /* mapped is IPv4 here */
    {"64:ff9b::192.0.2.1", "64:ff9b::c000:201"},
    {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"", NULL},
    {"1.2.3", NULL},
    {"1.2.3.4.5", NULL},
    {"1.2.3.", NULL},
    {".1.2.3", NULL},
    {"1..2.3", NULL},
    {"256.1.1.1", NULL},
    {"01.2.3.4", NULL},
    {"1.2.3.04", NULL},
    {"1.2.3.0004", NULL},
    {"1.2.3.4 ", NULL},
    {" 1.2.3.4", NULL},
    {"1.2.3.-4", NULL},
    {"0x1.2.3.4", NULL},
    {":", NULL},
    {":::", NULL},
    {"1:", NULL},
    {":1", NULL},
    {"1::2::3", NULL},
    {"1:2:3:4:5:6:7", NULL},
    {"1:2:3:4:5:6:7:8:9", NULL},
    {"1:2:3:4:5:6:7:8::", NULL},
    {"::1:2:3:4:5:6:7:8", NULL},
    {"12345::", NULL},
    {"g::", NULL},
    {"1:2:3:4:5:6:7:1.2.3.4", NULL},
    {"1:2:3:4:5:1.2.3.4", NULL},
    {"::1.2.3", NULL},
    {"::1.2.3.4:5", NULL},
    {"fe80::1%eth0", NULL},
};

static void known_texts(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct berth_ip ip;
        char text[BERTH_IP_TEXT];
        memset(&ip, 0xee, sizeof ip);
        struct berth_ip before = ip;
        int result = berth_ip_parse(cases[i].text, &ip);
        if (!cases[i].formatted) {
            if (result == 0)
                fail_msg("took \"%s\"", cases[i].text);
            assert_true(berth_ip_equal(&ip, &before));
            continue;
        }
        if (result != 0)
            fail_msg("refused \"%s\"", cases[i].text);
        assert_string_equal(berth_ip_format(&ip, text), cases[i].formatted);
    }
}

/* The C library as the model, over addresses with many zeroes. */
static void agrees_with_the_c_library(void **state) {
    (void)state;
    struct mix mix = {11};
    for (int i = 0; i < 20000; i++) {
        struct berth_ip ip, back;
        for (int g = 0; g < 8; g++) {
            uint64_t r = mix_u64(&mix);
            uint16_t group = (uint16_t)(r & 1 ? 0 : r >> (48 + (r >> 1 & 15)));
            ip.bytes[2 * g] = (uint8_t)(group >> 8);
            ip.bytes[2 * g + 1] = (uint8_t)group;
        }
        ip.bytes[0] |= 0x20; /* the library writes some ::/96 addresses with dots */
        char ours[BERTH_IP_TEXT], theirs[INET6_ADDRSTRLEN];
        assert_non_null(inet_ntop(AF_INET6, ip.bytes, theirs, sizeof theirs));
        assert_string_equal(berth_ip_format(&ip, ours), theirs);
        assert_int_equal(berth_ip_parse(ours, &back), 0);
        assert_true(berth_ip_equal(&ip, &back));
    }
}

/* Random texts out of the letters that matter. */
static void refuses_what_the_c_library_refuses(void **state) {
    (void)state;
    static const char letters[] = "::::..01f2";
    struct mix mix = {12};
    for (int i = 0; i < 200000; i++) {
        char text[24];
        size_t length = mix_below(&mix, sizeof text - 1);
        for (size_t j = 0; j < length; j++)
            text[j] = letters[mix_below(&mix, sizeof letters - 1)];
        text[length] = '\0';
        struct berth_ip ip;
        uint8_t theirs[16], theirs4[4];
        bool v6 = inet_pton(AF_INET6, text, theirs) == 1,
             v4 = inet_pton(AF_INET, text, theirs4) == 1;
        if ((berth_ip_parse(text, &ip) == 0) != (v6 || v4))
            fail_msg("differs on \"%s\"", text);
        if (v6)
            assert_memory_equal(ip.bytes, theirs, 16);
        if (v4)
            assert_memory_equal(ip.bytes + 12, theirs4, 4);
    }
}

static void kinds(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool v4, any, loopback, multicast;
    } table[] = {
        {"0.0.0.0", true, true, false, false},    {"::", false, true, false, false},
        {"127.0.0.1", true, false, true, false},  {"127.255.0.9", true, false, true, false},
        {"128.0.0.1", true, false, false, false}, {"::1", false, false, true, false},
        {"::2", false, false, false, false},      {"224.0.0.1", true, false, false, true},
        {"239.1.2.3", true, false, false, true},  {"240.0.0.1", true, false, false, false},
        {"223.9.9.9", true, false, false, false}, {"ff02::1", false, false, false, true},
        {"fe80::1", false, false, false, false},  {"7f00::1", false, false, false, false},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct berth_ip ip;
        assert_int_equal(berth_ip_parse(table[i].text, &ip), 0);
        assert_int_equal(berth_ip_is_v4(&ip), table[i].v4);
        assert_int_equal(berth_ip_is_any(&ip), table[i].any);
        assert_int_equal(berth_ip_is_loopback(&ip), table[i].loopback);
        assert_int_equal(berth_ip_is_multicast(&ip), table[i].multicast);
    }
    struct berth_ip ip = berth_ip_v4(0x0a000001);
    assert_int_equal(berth_ip_to_v4(&ip), 0x0a000001);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_texts),
        cmocka_unit_test(agrees_with_the_c_library),
        cmocka_unit_test(refuses_what_the_c_library_refuses),
        cmocka_unit_test(kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
