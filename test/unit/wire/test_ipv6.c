/* IPv6, its extension headers, ICMPv6 and neighbour discovery, on good octets and hostile ones. */
#include "engine/wire/icmp6.h"
#include "test/unit/base/mix.h"
#include "test/unit/base/unit.h"
#include <errno.h>
#include <stdlib.h>

/* A datagram under construction: an IPv6 header, and extension headers chained to it. */
struct draft {
    uint8_t octets[2048];
    size_t length, next_at;
};

static void draft_start(struct draft *draft) {
    struct ipv6_header header = {.next = IPV6_NONE, .hop_limit = 64};
    memset(draft, 0, sizeof *draft);
    ipv6_header_write(draft->octets, &header);
    draft->length = IPV6_HEADER;
    draft->next_at = 6;
}

static uint8_t *draft_add(struct draft *draft, uint8_t kind, size_t size) {
    uint8_t *at = draft->octets + draft->length;
    draft->octets[draft->next_at] = kind;
    draft->next_at = draft->length;
    draft->length += size;
    at[0] = IPV6_NONE;
    if (kind != IPV6_FRAGMENT)
        at[1] = (uint8_t)(size / 8 - 1);
    return at;
}

static void draft_end(struct draft *draft, uint8_t protocol, size_t length) {
    draft->octets[draft->next_at] = protocol;
    draft->length += length;
}

/* One option in a header of its own: type, length, and zeroes behind it as PadN. */
static void draft_option(struct draft *draft, uint8_t kind, uint8_t type) {
    uint8_t *at = draft_add(draft, kind, 8);
    at[2] = type;
    at[3] = 0;
    at[4] = 1; /* PadN */
    at[5] = 2;
}

static enum ipv6_verdict walk(const struct draft *draft, struct ipv6_chain *chain) {
    /* At the very end of memory, so that a sanitizer sees a read past it. */
    uint8_t *copy = malloc(draft->length);
    memcpy(copy, draft->octets, draft->length);
    enum ipv6_verdict verdict = ipv6_chain_parse(copy, draft->length, chain);
    free(copy);
    return verdict;
}

static void header_is_read_as_it_was_written(void **state) {
    (void)state;
    struct mix mix = {3};
    for (int i = 0; i < 2000; i++) {
        uint8_t octets[IPV6_HEADER];
        struct ipv6_header in, out;
        for (size_t j = 0; j < 16; j++) {
            in.source.bytes[j] = (uint8_t)mix_u64(&mix);
            in.destination.bytes[j] = (uint8_t)mix_u64(&mix);
        }
        in.flow = (uint32_t)mix_below(&mix, 1 << 20);
        in.payload_length = (uint16_t)mix_u64(&mix);
        in.traffic_class = (uint8_t)mix_u64(&mix);
        in.next = (uint8_t)mix_u64(&mix);
        in.hop_limit = (uint8_t)mix_u64(&mix);
        ipv6_header_write(octets, &in);
        size_t whole = IPV6_HEADER + in.payload_length;
        assert_int_equal(ipv6_header_parse(octets, sizeof octets, whole, &out), 0);
        assert_true(berth_ip_equal(&in.source, &out.source));
        assert_true(berth_ip_equal(&in.destination, &out.destination));
        assert_int_equal(in.flow, out.flow);
        assert_int_equal(in.payload_length, out.payload_length);
        assert_int_equal(in.traffic_class, out.traffic_class);
        assert_int_equal(in.next, out.next);
        assert_int_equal(in.hop_limit, out.hop_limit);
        /* RFC 8200 3: what is said to follow must be there; padding behind it may. */
        assert_int_equal(ipv6_header_parse(octets, sizeof octets, whole + 4, &out), 0);
        if (in.payload_length > 0)
            assert_int_equal(ipv6_header_parse(octets, sizeof octets, whole - 1, &out), -EINVAL);
        assert_int_equal(ipv6_header_parse(octets, 39, whole, &out), -EINVAL);
        octets[0] ^= 0x10;
        assert_int_equal(ipv6_header_parse(octets, sizeof octets, whole, &out), -EINVAL);
    }
}

static void chain_without_headers(void **state) {
    (void)state;
    struct draft draft;
    struct ipv6_chain chain;
    draft_start(&draft);
    draft_end(&draft, 17, 8);
    assert_int_equal(walk(&draft, &chain), IPV6_ACCEPT);
    assert_int_equal(chain.protocol, 17);
    assert_int_equal(chain.length, 0);
    assert_int_equal(chain.next_at, 6);
    assert_false(chain.is_fragment);
}

/* [8200-1] */
static void chain_of_all_kinds(void **state) {
    (void)state;
    struct draft draft;
    struct ipv6_chain chain;
    draft_start(&draft);
    draft_option(&draft, IPV6_HOP_BY_HOP, 0x05); /* router alert's type, to be skipped */
    draft_add(&draft, IPV6_ROUTING, 24);         /* no segments left */
    draft_add(&draft, IPV6_FRAGMENT, 8);         /* an atomic one, RFC 6946 */
    draft_option(&draft, IPV6_DESTINATION, 0x3e);
    draft_end(&draft, 6, 20);
    assert_int_equal(walk(&draft, &chain), IPV6_ACCEPT);
    assert_int_equal(chain.protocol, 6);
    assert_int_equal(chain.length, 48);
    assert_int_equal(chain.next_at, IPV6_HEADER + 40);
    assert_false(chain.is_fragment);
}

/* RFC 8200 4.2: the two highest bits of an option's type. [8200-1] */
static void options_say_what_becomes_of_them(void **state) {
    (void)state;
    static const uint8_t kinds[] = {IPV6_HOP_BY_HOP, IPV6_DESTINATION};
    for (size_t k = 0; k < 2; k++) {
        for (unsigned type = 2; type < 256; type++) {
            struct draft draft;
            struct ipv6_chain chain;
            draft_start(&draft);
            draft_option(&draft, kinds[k], (uint8_t)type);
            draft_end(&draft, 17, 8);
            enum ipv6_verdict verdict = walk(&draft, &chain);
            if (type < 0x40)
                assert_int_equal(verdict, IPV6_ACCEPT);
            else if (type < 0x80)
                assert_int_equal(verdict, IPV6_DISCARD);
            else {
                assert_int_equal(verdict, IPV6_PROBLEM);
                assert_int_equal(chain.problem, IPV6_PROBLEM_OPTION);
                assert_int_equal(chain.pointer, IPV6_HEADER + 2);
                assert_int_equal(chain.tell_group, type < 0xc0);
            }
        }
    }
}

static void options_within_limits(void **state) {
    (void)state;
    struct draft draft;
    struct ipv6_chain chain;
    for (unsigned count = 6; count <= 11; count++) { /* known by nobody, each of 2 octets */
        draft_start(&draft);
        uint8_t *at = draft_add(&draft, IPV6_DESTINATION, 24);
        for (unsigned i = 0; i < 11; i++)
            at[2 + 2 * i] = i < count ? 0x1e : 0;
        draft_end(&draft, 17, 8);
        /* Past the options: octets of Pad1, at most 7. */
        enum ipv6_verdict wanted =
            count <= IPV6_OPTIONS_MAX && 22 - 2 * count <= 7 ? IPV6_ACCEPT : IPV6_DISCARD;
        assert_int_equal(walk(&draft, &chain), wanted);
    }
    draft_start(&draft); /* padding that bears data */
    uint8_t *at = draft_add(&draft, IPV6_DESTINATION, 8);
    at[2] = 1;
    at[3] = 4;
    at[6] = 0x55;
    draft_end(&draft, 17, 8);
    assert_int_equal(walk(&draft, &chain), IPV6_DISCARD);
    draft.octets[IPV6_HEADER + 6] = 0;
    assert_int_equal(walk(&draft, &chain), IPV6_ACCEPT);
    draft.octets[IPV6_HEADER + 3] = 5; /* past the header's end */
    assert_int_equal(walk(&draft, &chain), IPV6_DISCARD);
}

/* RFC 8200 4.1, 4.4; RFC 5095. [8200-1] */
static void headers_out_of_place(void **state) {
    (void)state;
    struct draft draft;
    struct ipv6_chain chain;
    draft_start(&draft);
    draft_option(&draft, IPV6_DESTINATION, 0x05);
    draft_option(&draft, IPV6_HOP_BY_HOP, 0x05);
    draft_end(&draft, 17, 8);
    assert_int_equal(walk(&draft, &chain), IPV6_PROBLEM);
    assert_int_equal(chain.problem, IPV6_PROBLEM_NEXT_HEADER);
    assert_int_equal(chain.pointer, IPV6_HEADER);
    for (unsigned type = 0; type < 256; type += 51) {
        draft_start(&draft);
        uint8_t *at = draft_add(&draft, IPV6_ROUTING, 24);
        at[2] = (uint8_t)type;
        at[3] = 1; /* a segment is left */
        draft_end(&draft, 6, 20);
        assert_int_equal(walk(&draft, &chain), IPV6_PROBLEM);
        assert_int_equal(chain.problem, IPV6_PROBLEM_FIELD);
        assert_int_equal(chain.pointer, IPV6_HEADER + 2);
    }
}

static void chain_within_limits(void **state) {
    (void)state;
    struct draft draft;
    struct ipv6_chain chain;
    for (unsigned count = 1; count < 12; count++) {
        draft_start(&draft);
        for (unsigned i = 0; i < count; i++)
            draft_option(&draft, IPV6_DESTINATION, 0x05);
        draft_end(&draft, 17, 8);
        assert_int_equal(walk(&draft, &chain),
                         count <= IPV6_CHAIN_HEADERS ? IPV6_ACCEPT : IPV6_DISCARD);
    }
    for (size_t size = 8; size <= 1024; size += 8) {
        draft_start(&draft);
        draft_add(&draft, IPV6_ROUTING, size);
        draft_end(&draft, 17, 8);
        assert_int_equal(walk(&draft, &chain), size <= IPV6_CHAIN_MAX ? IPV6_ACCEPT : IPV6_DISCARD);
    }
}

static uint8_t *draft_fragment(struct draft *draft, uint16_t offset, bool more) {
    uint8_t *at = draft_add(draft, IPV6_FRAGMENT, 8);
    ipv6_fragment_write(at, IPV6_NONE, offset, more, 0xfeedbeef);
    return at;
}

static void fragments_are_told(void **state) {
    (void)state;
    struct draft draft;
    struct ipv6_chain chain;
    draft_start(&draft);
    draft_option(&draft, IPV6_HOP_BY_HOP, 0x05);
    draft_fragment(&draft, 1448, true);
    draft_end(&draft, IPV6_DESTINATION, 16); /* data of a header that began earlier */
    memset(draft.octets + draft.length - 16, 0xff, 16);
    assert_int_equal(walk(&draft, &chain), IPV6_ACCEPT);
    assert_true(chain.is_fragment && chain.more_fragments);
    assert_int_equal(chain.fragment_offset, 1448);
    assert_int_equal(chain.id, 0xfeedbeef);
    assert_int_equal(chain.fragment_at, IPV6_HEADER + 8);
    assert_int_equal(chain.fragment_next_at, IPV6_HEADER);
    assert_int_equal(chain.length, 16);
    assert_int_equal(chain.protocol, IPV6_DESTINATION);
}

/* RFC 7112 5: a first fragment without all its headers. [7112-1] */
static void first_fragment_has_all_headers(void **state) {
    (void)state;
    static const struct {
        uint8_t protocol, needs;
    } upper[] = {{6, 20}, {17, 8}, {IPV6_ICMP, 4}, {200, 0}};
    for (size_t u = 0; u < 4; u++) {
        for (size_t length = 0; length <= 24; length++) {
            struct draft draft;
            struct ipv6_chain chain;
            draft_start(&draft);
            draft_fragment(&draft, 0, true);
            draft_option(&draft, IPV6_DESTINATION, 0x05);
            draft.octets[draft.length + 12] = 5 << 4;
            draft_end(&draft, upper[u].protocol, length);
            enum ipv6_verdict verdict = walk(&draft, &chain);
            assert_int_equal(verdict, length < upper[u].needs ? IPV6_PROBLEM : IPV6_ACCEPT);
            if (verdict == IPV6_PROBLEM)
                assert_int_equal(chain.problem, IPV6_PROBLEM_FIRST_FRAGMENT);
            assert_int_equal(chain.length, verdict == IPV6_PROBLEM ? chain.length : 8);
        }
    }
    /* A header that begins here and ends in a later fragment. */
    struct draft draft;
    struct ipv6_chain chain;
    draft_start(&draft);
    draft_fragment(&draft, 0, true);
    draft_end(&draft, IPV6_DESTINATION, 4);
    assert_int_equal(walk(&draft, &chain), IPV6_PROBLEM);
    assert_int_equal(chain.problem, IPV6_PROBLEM_FIRST_FRAGMENT);
}

/* Any octets at any length: the walk ends, within what is there. */
static void hostile_chains(void **state) {
    (void)state;
    static const uint8_t kinds[] = {0, 43, 44, 60, 6, 17, 58, 59, 50, 200};
    struct mix mix = {77};
    for (int i = 0; i < 60000; i++) {
        struct draft draft;
        struct ipv6_chain chain;
        draft_start(&draft);
        size_t length = IPV6_HEADER + mix_below(&mix, 200);
        draft.octets[6] = kinds[mix_below(&mix, 10)];
        for (size_t at = IPV6_HEADER; at < length; at++)
            draft.octets[at] = (uint8_t)mix_u64(&mix);
        for (size_t at = IPV6_HEADER; at + 1 < length; at += 8 + 8 * mix_below(&mix, 3)) {
            draft.octets[at] = kinds[mix_below(&mix, 10)];
            draft.octets[at + 1] = (uint8_t)mix_below(&mix, 3);
        }
        draft.length = length;
        if (walk(&draft, &chain) == IPV6_ACCEPT) {
            assert_true((size_t)IPV6_HEADER + chain.length <= length);
            assert_true(chain.next_at < length);
        } else {
            assert_true(chain.pointer < length);
        }
    }
}

/* ---- ICMPv6 ---- */

static struct berth_ip address(const char *text) {
    struct berth_ip ip;
    assert_int_equal(berth_ip_parse(text, &ip), 0);
    return ip;
}

static void quotes(void **state) {
    (void)state;
    struct draft draft;
    struct icmp6_quote quote;
    draft_start(&draft);
    draft_option(&draft, IPV6_DESTINATION, 0x05);
    draft_end(&draft, 17, 8);
    for (size_t length = 0; length < draft.length; length++)
        assert_int_equal(icmp6_quote_parse(draft.octets, length, &quote), -EINVAL);
    assert_int_equal(icmp6_quote_parse(draft.octets, draft.length, &quote), 0);
    assert_int_equal(quote.protocol, 17);
    assert_ptr_equal(quote.transport, draft.octets + IPV6_HEADER + 8);
    draft_start(&draft);
    draft_fragment(&draft, 1448, true);
    draft_end(&draft, 17, 64);
    assert_int_equal(icmp6_quote_parse(draft.octets, draft.length, &quote), -EINVAL);
}

static void neighbor_messages(void **state) {
    (void)state;
    static const uint8_t mac[6] = {2, 0, 0x5e, 0x10, 0, 1};
    for (unsigned bits = 0; bits < 16; bits++) {
        struct nd_message in = {.type = bits & 8 ? ICMP6_NEIGHBOR_ADVERTISEMENT
                                                 : ICMP6_NEIGHBOR_SOLICITATION,
                                .router = (bits & 1) != 0,
                                .solicited = (bits & 2) != 0,
                                .override = (bits & 4) != 0,
                                .target = address("fd00::5"),
                                .mac = mac};
        struct nd_message out;
        uint8_t octets[ND_LENGTH_MAX];
        assert_int_equal(nd_write(octets, &in), ND_LENGTH_MAX);
        assert_int_equal(nd_parse(octets, ND_LENGTH_MAX, &out), 0);
        assert_int_equal(out.type, in.type);
        assert_true(berth_ip_equal(&out.target, &in.target));
        assert_memory_equal(out.mac, mac, 6);
        bool advert = (bits & 8) != 0;
        assert_int_equal(out.router, advert && in.router);
        assert_int_equal(out.solicited, advert && in.solicited);
        assert_int_equal(out.override, advert && in.override);
        in.mac = NULL;
        assert_int_equal(nd_write(octets, &in), ND_LENGTH);
        assert_int_equal(nd_parse(octets, ND_LENGTH, &out), 0);
        assert_null(out.mac);
    }
}

/* RFC 4861 7.1.1, 7.1.2. [4861-1] */
static void neighbor_messages_that_are_none(void **state) {
    (void)state;
    static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
    struct nd_message message = {
        .type = ICMP6_NEIGHBOR_SOLICITATION, .target = address("fd00::5"), .mac = mac};
    struct nd_message out;
    uint8_t good[ND_LENGTH_MAX + 16] = {0}, octets[sizeof good];
    nd_write(good, &message);
    for (size_t length = 0; length < ND_LENGTH_MAX; length++)
        assert_int_equal(nd_parse(good, length, &out), length == ND_LENGTH ? 0 : -EINVAL);
    memcpy(octets, good, sizeof good);
    octets[1] = 1; /* the code */
    assert_int_equal(nd_parse(octets, ND_LENGTH_MAX, &out), -EINVAL);
    memcpy(octets, good, sizeof good);
    octets[8] = 0xff; /* a group as target */
    assert_int_equal(nd_parse(octets, ND_LENGTH_MAX, &out), -EINVAL);
    memcpy(octets, good, sizeof good);
    octets[ND_LENGTH + 1] = 0; /* an option without length */
    assert_int_equal(nd_parse(octets, ND_LENGTH_MAX, &out), -EINVAL);
    memcpy(octets, good, sizeof good);
    octets[ND_LENGTH_MAX] = 99; /* one of another kind is passed over */
    octets[ND_LENGTH_MAX + 1] = 2;
    assert_int_equal(nd_parse(octets, ND_LENGTH_MAX + 16, &out), 0);
    assert_memory_equal(out.mac, mac, 6);
    octets[ND_LENGTH_MAX + 1] = 3; /* and one past the end is not */
    assert_int_equal(nd_parse(octets, ND_LENGTH_MAX + 16, &out), -EINVAL);
    octets[ND_LENGTH_MAX + 1] = 2;
    octets[ND_LENGTH] = 2; /* the target's address says nothing in a solicitation */
    assert_int_equal(nd_parse(octets, ND_LENGTH_MAX + 16, &out), 0);
    assert_null(out.mac);
}

static void addresses_made(void **state) {
    (void)state;
    static const uint8_t mac[6] = {0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde};
    uint8_t group_mac[6];
    /* RFC 2464 5's own example of an interface identifier. */
    struct berth_ip link_local = nd_link_local(mac), wanted = address("fe80::3656:78ff:fe9a:bcde");
    assert_true(berth_ip_equal(&link_local, &wanted));
    /* RFC 4291 2.7.1's of a solicited-node address. */
    struct berth_ip node = address("4037::01:800:200e:8c6c");
    struct berth_ip group = nd_solicited_node(&node);
    wanted = address("ff02::1:ff0e:8c6c");
    assert_true(berth_ip_equal(&group, &wanted));
    nd_group_mac(&group, group_mac);
    assert_memory_equal(group_mac, ((uint8_t[]){0x33, 0x33, 0xff, 0x0e, 0x8c, 0x6c}), 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_is_read_as_it_was_written),
        cmocka_unit_test(chain_without_headers),
        cmocka_unit_test(chain_of_all_kinds),
        cmocka_unit_test(options_say_what_becomes_of_them),
        cmocka_unit_test(options_within_limits),
        cmocka_unit_test(headers_out_of_place),
        cmocka_unit_test(chain_within_limits),
        cmocka_unit_test(fragments_are_told),
        cmocka_unit_test(first_fragment_has_all_headers),
        cmocka_unit_test(hostile_chains),
        cmocka_unit_test(quotes),
        cmocka_unit_test(neighbor_messages),
        cmocka_unit_test(neighbor_messages_that_are_none),
        cmocka_unit_test(addresses_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
