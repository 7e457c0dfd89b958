/* The responder by a table of questions, then by what no resolver would send. */
#include "engine/base/bytes.h"
#include "network/dns.h"
#include "test/unit/network/unit.h"
#include <string.h>

static const struct berth_ip db6 = {{0xfd, [7] = 0xab, [15] = 2}};

static bool zone_address(const void *context, const char *name, struct berth_ip *v4,
                         struct berth_ip *v6) {
    (void)context;
    memset(v6, 0, sizeof *v6);
    if (strcmp(name, "web") == 0) {
        *v4 = berth_ip_v4(0x0a000001);
    } else if (strcmp(name, "db.example.com") == 0) {
        *v4 = berth_ip_v4(0x0a000002);
        *v6 = db6;
    } else {
        return false;
    }
    return true;
}

static const char *zone_name(const void *context, const struct berth_ip *address) {
    (void)context;
    const struct berth_ip db = berth_ip_v4(0x0a000002);
    return berth_ip_equal(address, &db) || berth_ip_equal(address, &db6) ? "db.example.com" : NULL;
}

static const struct dns_zone zone = {zone_address, zone_name, NULL};

/* Exactly as long as it is, so that a read past the end is caught. */
static size_t ask(const uint8_t *query, size_t length, uint8_t *reply) {
    uint8_t *exact = malloc(length ? length : 1);
    assert_non_null(exact);
    memcpy(exact, query, length);
    size_t got = dns_answer(&zone, exact, length, reply);
    free(exact);
    assert_true(got <= DNS_REPLY);
    return got;
}

/* name: with dots between the labels. Returns the length. */
static size_t make_query(uint8_t *to, const char *name, uint16_t type, uint16_t additional) {
    memcpy(to, "\x12\x34\x01\x00\0\1\0\0\0\0\0", 11);
    to[11] = (uint8_t)additional;
    uint8_t *at = to + 12;
    while (*name) {
        size_t label = strcspn(name, ".");
        *at++ = (uint8_t)label;
        memcpy(at, name, label);
        at += label;
        name += label + (name[label] == '.');
    }
    *at++ = 0;
    store_be16(at, type);
    store_be16(at + 2, 1);
    return (size_t)(at + 4 - to);
}

/* db6, from its last digit to its first (RFC 3596, section 2.5). */
#define DB6 "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.b.a.0.0.0.0.0.0.0.0.0.0.0.0.d.f"

static void questions_get_their_answers(void **state) {
    (void)state;
    static const struct {
        const char *name;
        uint16_t type;
        int code, answers;
        const char *data; /* the answer's, behind its fixed 12 octets */
        size_t length;
    } cases[] = {
        {"web", 1, 0, 1, "\x0a\0\0\1", 4},
        {"WeB", 1, 0, 1, "\x0a\0\0\1", 4},
        {"db.example.com", 1, 0, 1, "\x0a\0\0\2", 4},
        {"WEB", 255, 0, 1, "\x0a\0\0\1", 4},
        {"db.example.com", 28, 0, 1, "\xfd\0\0\0\0\0\0\xab\0\0\0\0\0\0\0\2", 16},
        {"web", 28, 0, 0, NULL, 0}, /* there is such a name, without such an address */
        {"web", 15, 0, 0, NULL, 0},
        {"nobody", 1, 3, 0, NULL, 0},
        {"nobody", 28, 3, 0, NULL, 0},
        {"web.example.com", 1, 3, 0, NULL, 0},
        {"we", 1, 3, 0, NULL, 0},
        {"", 2, 0, 0, NULL, 0}, /* the root */
        {"2.0.0.10.in-addr.arpa", 12, 0, 1, "\2db\7example\3com", 16},
        {"2.0.0.10.IN-ADDR.ARPA", 12, 0, 1, "\2db\7example\3com", 16},
        {"2.0.0.10.in-addr.arpa", 1, 0, 0, NULL, 0},
        {"3.0.0.10.in-addr.arpa", 12, 3, 0, NULL, 0},
        {"256.0.0.10.in-addr.arpa", 12, 3, 0, NULL, 0},
        {"0.10.in-addr.arpa", 12, 3, 0, NULL, 0},
        {"2.0.0.10.in-addr.arpa.x", 12, 3, 0, NULL, 0},
        {DB6 ".ip6.arpa", 12, 0, 1, "\2db\7example\3com", 16},
        {DB6 ".IP6.Arpa", 12, 0, 1, "\2db\7example\3com", 16},
        {DB6 ".ip6.arpa", 28, 0, 0, NULL, 0},
        {DB6 ".ip6.arpa.x", 12, 3, 0, NULL, 0},
        {DB6 ".0.ip6.arpa", 12, 3, 0, NULL, 0},
        {"0." DB6 ".ip6.arpa", 12, 3, 0, NULL, 0},
        {"2.0.0.ip6.arpa", 12, 3, 0, NULL, 0},
        /* IPv4's addresses are not found there. */
        {"2.0.0.0.0.0.a.0.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa", 12, 3, 0, NULL,
         0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t query[512], reply[DNS_REPLY];
        size_t length = make_query(query, cases[i].name, cases[i].type, 0);
        size_t got = ask(query, length, reply);
        size_t answer = cases[i].answers ? 12 + cases[i].length : 0;
        assert_int_equal(got, length + answer);
        assert_int_equal(load_be16(reply), 0x1234);
        /* QR, AA, RD as asked, RA. */
        assert_int_equal(load_be16(reply + 2), 0x8580 | cases[i].code);
        assert_int_equal(load_be16(reply + 4), 1);
        assert_int_equal(load_be16(reply + 6), cases[i].answers);
        assert_int_equal(load_be32(reply + 8), 0);
        assert_memory_equal(reply + 12, query + 12, length - 12);
        if (!cases[i].answers)
            continue;
        assert_int_equal(load_be16(reply + length), 0xc00c);
        assert_int_equal(load_be16(reply + length + 10), cases[i].length);
        assert_memory_equal(reply + length + 12, cases[i].data, cases[i].length);
    }
}

/* Whoever asks for all gets both addresses. */
static void any_address(void **state) {
    (void)state;
    uint8_t query[512], reply[DNS_REPLY];
    size_t length = make_query(query, "db.example.com", 255, 0);
    assert_int_equal(ask(query, length, reply), length + 12 + 4 + 12 + 16);
    assert_int_equal(load_be16(reply + 6), 2);
    assert_int_equal(load_be16(reply + length + 2), 1);
    assert_int_equal(load_be16(reply + length + 16 + 2), 28);
    assert_memory_equal(reply + length + 16 + 12, db6.bytes, 16);
}

/* RFC 6891: an OPT is answered by one; an unknown version by BADVERS. */
static void edns_is_answered(void **state) {
    (void)state;
    for (uint8_t version = 0; version < 2; version++) {
        uint8_t query[512], reply[DNS_REPLY];
        size_t length = make_query(query, "web", 1, 1);
        uint8_t opt[] = {0, 0, 41, 4, 0xd0, 0, version, 0x80, 0, 0, 4, 0, 10, 0, 0};
        memcpy(query + length, opt, sizeof opt);
        size_t got = ask(query, length + sizeof opt, reply);
        assert_int_equal(got, length + (version ? 0 : 16) + 11);
        assert_int_equal(reply[3] & 15, 0);
        assert_int_equal(load_be16(reply + 10), 1);
        const uint8_t want[] = {0, 0, 41, 4, 0xd0, version, 0, 0x80, 0, 0, 0};
        assert_memory_equal(reply + got - 11, want, sizeof want);
    }
}

static void other_records_behind_the_question_are_skipped(void **state) {
    (void)state;
    uint8_t query[512], reply[DNS_REPLY];
    size_t length = make_query(query, "web", 1, 1);
    memcpy(query + length, "\xc0\x0c\0\1\0\1\0\0\0\0\0\4\1\2\3\4", 16);
    assert_int_equal(ask(query, length + 16, reply), length + 16);
    assert_int_equal(load_be16(reply + 6), 1);
}

static void what_must_not_be_answered_is_not(void **state) {
    (void)state;
    uint8_t query[512], reply[DNS_REPLY];
    size_t length = make_query(query, "web", 1, 0);
    for (size_t cut = 0; cut < 12; cut++)
        assert_int_equal(ask(query, cut, reply), 0);
    query[2] |= 0x80; /* a reply: two responders would talk forever */
    assert_int_equal(ask(query, length, reply), 0);
}

static void expect_code(const uint8_t *query, size_t length, int code) {
    uint8_t reply[DNS_REPLY];
    size_t got = ask(query, length, reply);
    assert_true(got >= 12);
    assert_int_equal(load_be16(reply), load_be16(query));
    assert_int_equal(reply[3] & 15, code);
    assert_int_equal(load_be16(reply + 6), 0);
}

static void malformed_queries_are_told_so(void **state) {
    (void)state;
    uint8_t query[1024];
    size_t length = make_query(query, "web", 1, 0);
    for (size_t cut = 12; cut < length; cut++)
        expect_code(query, cut, 1);
    length = make_query(query, "web", 1, 0);
    query[12] = 0xc0; /* a pointer to itself */
    query[13] = 12;
    expect_code(query, length, 1);
    query[12] = 0x40;
    expect_code(query, length, 1);
    length = make_query(query, "web", 1, 3);
    expect_code(query, length, 1); /* records that are not there */
    query[11] = 0;
    query[5] = 0;
    expect_code(query, length, 1);
    query[5] = 2;
    expect_code(query, length, 1);
    query[5] = 1;
    query[2] = 0x28; /* an update */
    expect_code(query, length, 4);
    query[2] = 1;
    query[length - 1] = 3; /* class CHAOS */
    expect_code(query, length, 5);
    length = make_query(query, "web", 1, 2);
    memcpy(query + length, "\0\0\x29\4\0\0\0\0\0\0\0\0\0\x29\4\0\0\0\0\0\0\0", 22);
    expect_code(query, length + 22, 1); /* two OPT */
    length = make_query(query, "web", 1, 1);
    memcpy(query + length, "\0\0\x29\4\0\0\0\0\0\xff\xff", 11);
    expect_code(query, length + 11, 1);
}

static void names_longer_than_255_octets_are_malformed(void **state) {
    (void)state;
    uint8_t query[1024] = "\x12\x34\1\0\0\1\0\0\0\0\0";
    for (unsigned labels = 3; labels < 6; labels++) {
        size_t at = 12;
        for (unsigned i = 0; i < labels; i++) {
            query[at] = 63;
            memset(query + at + 1, 'a', 63);
            at += 64;
        }
        memcpy(query + at, "\0\0\1\0\1", 5);
        expect_code(query, at + 5, labels * 64 + 1 > 255 ? 1 : 3);
    }
}

/* "db.example" as one label is not the name with a dot. */
static void odd_octets_match_no_name(void **state) {
    (void)state;
    static const uint8_t query[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\12db.example\3com\0\0\1\0\1";
    expect_code(query, sizeof query - 1, 3);
    static const uint8_t nul[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\4web\0\0\0\1\0\1";
    expect_code(nul, sizeof nul - 1, 3);
}

static void no_octets_at_all_do_harm(void **state) {
    (void)state;
    uint32_t luck = 1;
    for (int round = 0; round < 100000; round++) {
        uint8_t query[80], reply[DNS_REPLY];
        size_t length = make_query(query, "db.example.com", 1, 1);
        memcpy(query + length, "\0\0\x29\4\xd0\0\0\x80\0\0\0", 11);
        length += 11;
        for (int i = 0; i < 4; i++) {
            luck = luck * 1664525 + 1013904223;
            query[(luck >> 8) % length] = (uint8_t)(luck >> 24);
        }
        ask(query, (luck >> 4) % 4 ? length : (luck >> 9) % length, reply);
    }
}

static void valid_names(void **state) {
    (void)state;
    static const char *const good[] = {"a", "web-1", "a_b", "a.b.c", "X"};
    static const char *const bad[] = {"", ".", "a.", ".a", "a..b", "a b", "a\n", "\xc3\xa4", "a/b"};
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(dns_name_valid(good[i]));
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(dns_name_valid(bad[i]));
    char label[65];
    memset(label, 'a', 64);
    label[64] = '\0';
    assert_false(dns_name_valid(label));
    label[63] = '\0';
    assert_true(dns_name_valid(label));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(questions_get_their_answers),
        cmocka_unit_test(any_address),
        cmocka_unit_test(edns_is_answered),
        cmocka_unit_test(other_records_behind_the_question_are_skipped),
        cmocka_unit_test(what_must_not_be_answered_is_not),
        cmocka_unit_test(malformed_queries_are_told_so),
        cmocka_unit_test(names_longer_than_255_octets_are_malformed),
        cmocka_unit_test(odd_octets_match_no_name),
        cmocka_unit_test(no_octets_at_all_do_harm),
        cmocka_unit_test(valid_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
