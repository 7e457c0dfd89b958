#include "engine/port/port_set.h"
#include "test/unit/port/port_helper.h"

static struct port_set set;
static bool model[PORT_COUNT];

static uint32_t model_rank(uint32_t port) {
    uint32_t rank = 0;
    for (uint32_t i = 0; i < port; i++)
        rank += model[i];
    return rank;
}

static void check_at(uint32_t port) {
    uint32_t rank = model_rank(port);
    assert_int_equal(port_set_rank(&set, port), rank);
    if (port < PORT_COUNT)
        assert_int_equal(port_set_has(&set, (uint16_t)port), model[port]);
    if (port < PORT_COUNT && model[port])
        assert_int_equal(port_set_nth(&set, rank), port);
}

/* [6335-2] */
static void fills_all_but_port_0(void **state) {
    (void)state;
    port_set_fill(&set);
    assert_false(port_set_has(&set, 0)); /* RFC 6335 6: port 0 is reserved */
    assert_int_equal(port_set_rank(&set, PORT_COUNT), 65535);
    assert_int_equal(port_set_nth(&set, 0), 1);
    assert_int_equal(port_set_nth(&set, 65534), 65535);
    port_set_clear(&set);
    assert_int_equal(port_set_rank(&set, PORT_COUNT), 0);
}

static void agrees_with_a_model(void **state) {
    (void)state;
    struct random random;
    const uint8_t seed[32] = {7};
    random_init(&random, seed, 0);
    port_set_clear(&set);
    memset(model, 0, sizeof model);
    for (int step = 0; step < 400; step++) {
        bool member = random_below(&random, 3) > 0;
        uint32_t from = random_below(&random, PORT_COUNT), count = random_below(&random, 2000);
        for (uint32_t i = from; i < from + count && i < PORT_COUNT; i++) {
            model[i] = member;
            port_set_put(&set, (uint16_t)i, member);
            port_set_put(&set, (uint16_t)i, member); /* twice is once */
        }
        check_at(from);
        check_at(from + count < PORT_COUNT ? from + count : PORT_COUNT);
        check_at(random_below(&random, PORT_COUNT));
    }
    check_at(0);
    check_at(PORT_COUNT);
}

static void draws_members_of_the_range_only(void **state) {
    (void)state;
    struct random random;
    const uint8_t seed[32] = {9};
    random_init(&random, seed, 0);
    uint32_t count;
    port_set_clear(&set);
    assert_int_equal(port_set_draw(&set, 1, 65535, &random, &count), 0);
    assert_int_equal(count, 0);
    const uint16_t members[] = {1, 999, 2000, 2001, 2999, 3000, 65535};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        port_set_put(&set, members[i], true);
    int seen[4] = {0};
    for (int i = 0; i < 4000; i++) {
        switch (port_set_draw(&set, 1000, 2999, &random, &count)) {
        case 2000:
            seen[0]++;
            break;
        case 2001:
            seen[1]++;
            break;
        case 2999:
            seen[2]++;
            break;
        default:
            seen[3]++;
        }
    }
    assert_int_equal(seen[3], 0);
    assert_int_equal(count, 3);
    for (int i = 0; i < 3; i++)
        assert_in_range(seen[i], 1200, 1470); /* 1333 each; five standard deviations are 150 */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_all_but_port_0),
        cmocka_unit_test(agrees_with_a_model),
        cmocka_unit_test(draws_members_of_the_range_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
