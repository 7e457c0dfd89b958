#include "engine/base/random.h"
#include "engine/base/siphash.h"
#include "test/unit/base/unit.h"

/* From the authors' reference implementation: key 00..0f, message 00, 01, ... of so many octets. */
static const struct {
    size_t length;
    uint64_t hash;
} reference[] = {
    {0, UINT64_C(0x726fdb47dd0e0e31)},  {1, UINT64_C(0x74f839c593dc67fd)},
    {2, UINT64_C(0x0d6c8009d9a94f5a)},  {3, UINT64_C(0x85676696d7fb7e2d)},
    {4, UINT64_C(0xcf2794e0277187b7)},  {5, UINT64_C(0x18765564cd99a68d)},
    {6, UINT64_C(0xcbc9466e58fee3ce)},  {7, UINT64_C(0xab0200f58b01d137)},
    {8, UINT64_C(0x93f5f5799a932462)},  {9, UINT64_C(0x9e0082df0ba9e4b0)},
    {10, UINT64_C(0x7a5dbbc594ddb9f3)}, {11, UINT64_C(0xf4b32f46226bada7)},
    {12, UINT64_C(0x751e8fbc860ee5fb)}, {13, UINT64_C(0x14ea5627c0843d90)},
    {14, UINT64_C(0xf723ca908e7af2ee)}, {15, UINT64_C(0xa129ca6149be45e5)},
    {63, UINT64_C(0x958a324ceb064572)},
};

static void reference_vectors_hold(void **state) {
    (void)state;
    const struct siphash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    uint8_t message[65];
    for (size_t shift = 0; shift < 2; shift++) {
        for (size_t i = 0; i < 64; i++)
            message[i + shift] = (uint8_t)i;
        for (size_t i = 0; i < sizeof reference / sizeof *reference; i++)
            assert_int_equal(siphash(&key, message + shift, reference[i].length),
                             reference[i].hash);
    }
}

/* CPython hashes octets by SipHash-1-3; with PYTHONHASHSEED=0 its key is zero. */
static void siphash13_agrees_with_cpython(void **state) {
    (void)state;
    static const uint64_t expected[] = {UINT64_C(0x8662046e52264db8), UINT64_C(0xe75bff64b89e365b),
                                        UINT64_C(0xf7461f2fedf1dc51), UINT64_C(0xff6a0f42bdf6f42d),
                                        UINT64_C(0x76ff678c5751c56a)};
    const struct siphash_key key = {0, 0};
    uint64_t words[5];
    for (size_t n = 1; n <= 5; n++) {
        words[n - 1] = UINT64_C(0x0123456789abcdef) * n;
        assert_int_equal(siphash13_words(&key, words, n), expected[n - 1]);
    }
}

static void random_streams_are_apart_and_repeat(void **state) {
    (void)state;
    uint8_t seed[32] = {1}, other_seed[32] = {1};
    other_seed[31] = 1;
    struct random a, b, c, d;
    random_init(&a, seed, 1);
    random_init(&b, seed, 1);
    random_init(&c, seed, 2);
    random_init(&d, other_seed, 1);
    for (int i = 0; i < 100; i++) {
        uint64_t x = random_u64(&a);
        assert_int_equal(x, random_u64(&b));
        assert_int_not_equal(x, random_u64(&c));
        assert_int_not_equal(x, random_u64(&d));
    }
    struct siphash_key one = random_key(&a), two = random_key(&a);
    assert_int_not_equal(one.k0, two.k0);
    assert_int_not_equal(one.k0, one.k1);
}

static void random_below_is_uniform(void **state) {
    (void)state;
    uint8_t seed[32] = {2};
    static const uint32_t bounds[] = {1, 2, 3, 10, 64, 100};
    struct random random;
    random_init(&random, seed, 0);
    for (size_t b = 0; b < sizeof bounds / sizeof *bounds; b++) {
        uint32_t bound = bounds[b], seen[100] = {0};
        for (uint32_t i = 0; i < bound * 1000; i++) {
            uint32_t x = random_below(&random, bound);
            assert_true(x < bound);
            seen[x]++;
        }
        for (uint32_t x = 0; x < bound; x++)
            assert_in_range(seen[x], 800, 1200); /* six deviations */
    }
    /* Without the rejection, every third number would come twice as often. */
    uint32_t thirds = 0;
    for (int i = 0; i < 3000; i++)
        thirds += random_below(&random, 0xc0000000) % 3 == 0;
    assert_in_range(thirds, 850, 1150);
    for (int i = 0; i < 1000; i++)
        assert_true(random_below(&random, UINT32_MAX) < UINT32_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_vectors_hold),
        cmocka_unit_test(siphash13_agrees_with_cpython),
        cmocka_unit_test(random_streams_are_apart_and_repeat),
        cmocka_unit_test(random_below_is_uniform),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
