/* The heaps of frames in flight and of hosts' deadlines, and the directory, against plain models.
 */
#include "network/deadline.h"
#include "network/directory.h"
#include "network/flight.h"
#include "network/link.h"
#include "test/unit/network/unit.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static uint32_t luck = 12345;
static uint32_t draw(uint32_t below) {
    luck = luck * 1664525 + 1013904223;
    return (luck >> 8) % below;
}

static struct berth_frame numbered(uint32_t number) {
    struct berth_frame frame = {.header_length = 4};
    memcpy(frame.header, &number, 4);
    return frame;
}

static void frames_land_by_time_then_by_arrival(void **state) {
    (void)state;
    enum { FRAMES = 5000 };
    static uint64_t when[FRAMES];
    struct counting counting;
    struct flights flights;
    struct link link;
    flights_init(&flights, counting_allocator(&counting));
    for (uint32_t i = 0; i < FRAMES; i++) {
        struct berth_frame frame = numbered(i);
        when[i] = draw(500);
        assert_int_equal(flights_add(&flights, &link, &frame, when[i], NULL), 0);
    }
    uint32_t landed = 0, last = 0;
    uint64_t last_time = 0;
    for (uint64_t now = flights_deadline(&flights); now != UINT64_MAX;
         now = flights_deadline(&flights)) {
        struct berth_frame frames[7];
        struct link *from;
        const char *lost;
        uint32_t count = flights_take(&flights, now, frames, 7, &from, &lost);
        assert_true(count > 0 && from == &link);
        for (uint32_t i = 0; i < count; i++, landed++) {
            uint32_t number;
            memcpy(&number, frames[i].header, 4);
            assert_int_equal(when[number], now);
            assert_true(landed == 0 || now > last_time || number > last);
            last_time = now;
            last = number;
        }
    }
    assert_int_equal(landed, FRAMES);
    flights_clear(&flights);
    assert_int_equal(counting.blocks, 0);
}

static void one_taking_is_of_one_link(void **state) {
    (void)state;
    struct counting counting;
    struct flights flights;
    struct link a, b, *from;
    const char *lost;
    flights_init(&flights, counting_allocator(&counting));
    struct link *const order[] = {&a, &a, &b, &a};
    struct berth_frame frame = numbered(1), taken[8];
    for (int i = 0; i < 4; i++)
        flights_add(&flights, order[i], &frame, 10, NULL);
    assert_int_equal(flights_take(&flights, 9, taken, 8, &from, &lost), 0);
    assert_int_equal(flights_take(&flights, 10, taken, 8, &from, &lost), 2);
    assert_ptr_equal(from, &a);
    assert_int_equal(flights_take(&flights, 10, taken, 8, &from, &lost), 1);
    assert_ptr_equal(from, &b);
    flights_add(&flights, &a, &frame, 10, "lost");
    flights_add(&flights, &a, &frame, 10, NULL);
    assert_int_equal(flights_take(&flights, 10, taken, 8, &from, &lost), 1);
    assert_null(lost);
    assert_int_equal(flights_take(&flights, 10, taken, 8, &from, &lost), 1);
    assert_string_equal(lost, "lost");
    flights_clear(&flights);
    assert_int_equal(counting.blocks, 0);
}

static void frames_of_a_cut_cable_vanish_and_the_rest_keeps_its_order(void **state) {
    (void)state;
    struct counting counting;
    struct flights flights;
    struct link links[4], *from;
    const char *lost;
    struct berth_allocator allocator = counting_allocator(&counting);
    flights_init(&flights, allocator);
    for (uint32_t i = 0; i < 1000; i++) {
        struct berth_frame frame = numbered(i);
        struct berth_block *block = berth_block_new(allocator, 10);
        frame.parts[0] = (struct berth_part){block, block->data, 10};
        frame.part_count = 1;
        flights_add(&flights, &links[i % 4], &frame, draw(100), NULL);
    }
    flights_forget(&flights, &links[1], &links[3]);
    assert_int_equal(flights.count, 500);
    uint64_t last = 0;
    while (flights.count > 0) {
        struct berth_frame frame;
        uint64_t now = flights_deadline(&flights);
        assert_true(now >= last);
        last = now;
        assert_int_equal(flights_take(&flights, now, &frame, 1, &from, &lost), 1);
        assert_true(from == &links[0] || from == &links[2]);
        berth_frame_clear(&frame);
    }
    flights_clear(&flights);
    assert_int_equal(counting.blocks, 0);
}

static void the_first_deadline_is_always_the_least(void **state) {
    (void)state;
    enum { RECORDS = 200 };
    struct counting counting;
    struct deadlines deadlines;
    static struct deadline records[RECORDS];
    deadlines_init(&deadlines, counting_allocator(&counting));
    for (uint32_t i = 0; i < RECORDS; i++) {
        deadline_init(&records[i]);
        assert_int_equal(deadlines_reserve(&deadlines, i + 1), 0);
    }
    for (int round = 0; round < 20000; round++) {
        uint64_t at = draw(4) ? draw(1000) : UINT64_MAX;
        deadlines_change(&deadlines, &records[draw(RECORDS)], at);
        uint64_t least = UINT64_MAX;
        uint32_t set = 0;
        for (uint32_t i = 0; i < RECORDS; i++) {
            set += records[i].at != UINT64_MAX;
            if (records[i].at < least)
                least = records[i].at;
        }
        const struct deadline *first = deadlines_first(&deadlines);
        assert_int_equal(first ? first->at : UINT64_MAX, least);
        assert_int_equal(deadlines.count, set);
    }
    deadlines_clear(&deadlines);
    assert_int_equal(counting.blocks, 0);
}

static void names_are_found_until_removed(void **state) {
    (void)state;
    struct counting counting;
    struct directory directory;
    directory_init(&directory, counting_allocator(&counting), (struct siphash_key){1, 2});
    char name[16];
    assert_int_equal(directory_find(&directory, "x", 1), -ENOENT);
    for (int i = 0; i < 2000; i++) {
        int length = snprintf(name, sizeof name, "n%d", i);
        assert_int_equal(directory_put(&directory, name, (uint32_t)length, i / 2), 0);
        assert_int_equal(directory_put(&directory, name, (uint32_t)length, 0), -EEXIST);
    }
    for (int i = 0; i < 1000; i += 2)
        directory_remove_value(&directory, i);
    for (int i = 0; i < 2000; i++) {
        int length = snprintf(name, sizeof name, "n%d", i);
        assert_int_equal(directory_find(&directory, name, (uint32_t)length),
                         i / 2 % 2 ? i / 2 : -ENOENT);
    }
    directory_clear(&directory);
    assert_int_equal(counting.blocks, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_land_by_time_then_by_arrival),
        cmocka_unit_test(one_taking_is_of_one_link),
        cmocka_unit_test(frames_of_a_cut_cable_vanish_and_the_rest_keeps_its_order),
        cmocka_unit_test(the_first_deadline_is_always_the_least),
        cmocka_unit_test(names_are_found_until_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
