/* The stream against a model: a flat array. Each octet written is unlike its neighbours, so a shift
 * shows. */
#include "engine/buffer/stream.h"
#include "test/unit/base/counting_allocator.h"
#include "test/unit/base/mix.h"
#include "test/unit/base/unit.h"
#include <errno.h>
#include <string.h>

enum { MODEL = 1 << 20, PARTS = 24 };

struct bench {
    struct counting counting;
    struct berth_allocator allocator;
    struct stream stream;
    struct mix mix;
    uint8_t *model;
    uint32_t start, end; /* the stream holds model[start..end) */
};

static void bench_init(struct bench *bench, uint64_t seed) {
    memset(bench, 0, sizeof *bench);
    bench->allocator = counting_allocator(&bench->counting);
    bench->mix.state = seed;
    bench->model = malloc(MODEL);
    assert_non_null(bench->model);
    for (uint32_t i = 0; i < MODEL; i++)
        bench->model[i] = (uint8_t)(mix_u64(&bench->mix) >> 8);
    stream_init(&bench->stream);
}

static void bench_end(struct bench *bench) {
    stream_clear(&bench->stream, bench->allocator);
    assert_int_equal(bench->counting.blocks, 0);
    free(bench->model);
}

/* Octets [offset, offset + length) are the model's, by view and by read. */
static void check_range(struct bench *bench, uint32_t offset, uint32_t length) {
    struct berth_part parts[PARTS];
    uint32_t got, seen = 0, held = bench->end - bench->start;
    int count = stream_view(&bench->stream, offset, length, parts, PARTS, &got);
    uint32_t there = offset < held ? (length < held - offset ? length : held - offset) : 0;
    assert_true(got <= there && (got == there || count == PARTS));
    for (int i = 0; i < count; i++) {
        assert_true(parts[i].length > 0);
        assert_true(parts[i].data >= parts[i].block->data &&
                    parts[i].data + parts[i].length <= parts[i].block->data + parts[i].block->size);
        assert_memory_equal(parts[i].data, bench->model + bench->start + offset + seen,
                            parts[i].length);
        seen += parts[i].length;
    }
    assert_int_equal(seen, got);
    uint8_t *copy = malloc(there ? there : 1);
    assert_non_null(copy);
    stream_read(&bench->stream, offset, copy, there);
    if (there)
        assert_memory_equal(copy, bench->model + bench->start + offset, there);
    free(copy);
}

static uint32_t any_length(struct bench *bench, uint32_t limit) {
    uint32_t length = 1 + ((uint32_t)mix_u64(&bench->mix) >> (12 + mix_below(&bench->mix, 20)));
    return length < limit ? length : limit;
}

static void append_by_copy(struct bench *bench, uint32_t length) {
    assert_int_equal(
        stream_append_copy(&bench->stream, bench->allocator, bench->model + bench->end, length), 0);
    bench->end += length;
}

/* One block in one to four parts, with what does not belong to the stream around it. */
static void append_by_reference(struct bench *bench, uint32_t length) {
    struct berth_block *block = berth_block_new(bench->allocator, length + 7);
    assert_non_null(block);
    memset(block->data, 0xee, length + 7);
    memcpy(block->data + 3, bench->model + bench->end, length);
    uint32_t at = 0, pieces = 1 + mix_below(&bench->mix, 4);
    while (at < length) {
        uint32_t piece = length / pieces + 1 < length - at ? length / pieces + 1 : length - at;
        struct berth_part part = {block, block->data + 3 + at, piece};
        assert_int_equal(stream_append(&bench->stream, bench->allocator, &part), 0);
        at += piece;
    }
    berth_block_drop(block);
    bench->end += length;
}

static void append_borrowed(struct bench *bench, uint32_t length) {
    uint8_t *copy = malloc(length);
    assert_non_null(copy);
    memcpy(copy, bench->model + bench->end, length);
    struct berth_part part = {NULL, copy, length};
    assert_int_equal(stream_append(&bench->stream, bench->allocator, &part), 0);
    free(copy);
    bench->end += length;
}

static void drop(struct bench *bench, uint32_t length) {
    stream_drop(&bench->stream, bench->allocator, length);
    bench->start += length;
}

static void check_all(struct bench *bench) {
    uint32_t held = bench->end - bench->start;
    assert_int_equal(bench->stream.length, held);
    assert_true(bench->stream.charged >= held);
    if (held == 0) {
        assert_int_equal(bench->stream.charged, 0);
        assert_int_equal(bench->counting.blocks, 0);
    }
}

static void any_order_of_calls(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct bench bench;
        bench_init(&bench, seed);
        for (int step = 0; step < 1500; step++) {
            uint32_t held = bench.end - bench.start, room = MODEL - bench.end;
            unsigned kind = mix_below(&bench.mix, 9);
            if (kind < 3 && room > 0)
                append_by_copy(&bench, any_length(&bench, room));
            else if (kind == 3 && room > 0)
                append_by_reference(&bench, any_length(&bench, room));
            else if (kind == 4 && room > 0)
                append_borrowed(&bench, any_length(&bench, room));
            else if (kind == 5 && held > 0)
                drop(&bench, any_length(&bench, held));
            else if (kind == 6 && mix_below(&bench.mix, 10) == 0)
                drop(&bench, held);
            else
                check_range(&bench, mix_below(&bench.mix, held + 2), any_length(&bench, 100000));
            check_all(&bench);
        }
        check_range(&bench, 0, MODEL);
        bench_end(&bench);
    }
}

/* What TCP does: append, view at NXT, drop at UNA, look back at times. */
static void a_window_that_slides(void **state) {
    (void)state;
    struct bench bench;
    bench_init(&bench, 99);
    uint32_t next = 0; /* as an octet of the model */
    while (bench.end + 5000 < MODEL) {
        append_by_copy(&bench, 1 + mix_below(&bench.mix, 5000));
        while (next < bench.end && mix_below(&bench.mix, 20)) {
            uint32_t segment = bench.end - next < 1448 ? bench.end - next : 1448;
            check_range(&bench, next - bench.start, segment);
            next += segment;
        }
        if (mix_below(&bench.mix, 3) == 0)
            check_range(&bench, 0, 1448);
        if (next > bench.start)
            drop(&bench, mix_below(&bench.mix, next - bench.start + 1));
    }
    bench_end(&bench);
}

/* A block that comes as many small segments is one run again, and no octet of it is copied. */
static void neighbours_in_one_block_become_one_run(void **state) {
    (void)state;
    struct bench bench;
    bench_init(&bench, 5);
    struct berth_block *block = berth_block_new(bench.allocator, 65536);
    assert_non_null(block);
    memcpy(block->data, bench.model, 65536);
    for (uint32_t at = 0; at < 65536;) {
        uint32_t piece = at == 0 ? 4096 : 65536 - at < 1448 ? 65536 - at : 1448;
        struct berth_part part = {block, block->data + at, piece};
        assert_int_equal(stream_append(&bench.stream, bench.allocator, &part), 0);
        at += piece;
    }
    bench.end = 65536;
    assert_int_equal(bench.stream.count, 1);
    assert_int_equal(bench.stream.charged, 65536);
    assert_int_equal(block->references, 2);
    berth_block_drop(block);
    check_range(&bench, 0, 65536);
    bench_end(&bench);
}

/* A reader's stream must not write behind a run that lies in a writer's half-full block. */
static void a_shared_half_full_block_is_not_written(void **state) {
    (void)state;
    struct bench bench;
    struct stream reader;
    struct berth_part part;
    uint32_t got;
    bench_init(&bench, 6);
    stream_init(&reader);
    append_by_copy(&bench, 10000);
    append_by_copy(&bench, 4000);
    assert_int_equal(stream_view(&bench.stream, 10000, 4000, &part, 1, &got), 1);
    assert_int_equal(stream_append(&reader, bench.allocator, &part), 0);
    uint8_t other[100];
    memset(other, 0xee, sizeof other);
    assert_int_equal(stream_append_copy(&reader, bench.allocator, other, sizeof other), 0);
    append_by_copy(&bench, 100);
    check_range(&bench, 0, MODEL);
    uint8_t back[100];
    stream_read(&reader, 4000, back, 100);
    assert_memory_equal(back, other, 100);
    stream_clear(&reader, bench.allocator);
    bench_end(&bench);
}

static void few_octets_take_little_memory(void **state) {
    (void)state;
    struct bench bench;
    bench_init(&bench, 7);
    append_by_copy(&bench, 10);
    assert_true(bench.counting.octets <= 512);
    for (int i = 0; i < 10000; i++)
        append_by_copy(&bench, 50);
    assert_true(bench.counting.octets <= 510000 + 510000 / 8);
    drop(&bench, bench.end - bench.start);
    assert_int_equal(bench.counting.octets, 0);
    bench_end(&bench);
}

/* At each number of allocations that succeed: all or nothing. */
static void want_of_memory_appends_nothing(void **state) {
    (void)state;
    for (uint32_t before = 0; before <= 30000; before += 7500) {
        for (size_t allowed = 0; allowed < 8; allowed++) {
            struct bench bench;
            bench_init(&bench, 8);
            append_by_copy(&bench, before);
            size_t octets = bench.counting.octets;
            counting_fail_after(&bench.counting, allowed);
            int result =
                stream_append_copy(&bench.stream, bench.allocator, bench.model + before, 70000);
            counting_recover(&bench.counting);
            if (result == 0)
                bench.end += 70000;
            else
                assert_int_equal(result, -ENOMEM);
            if (result < 0 && before == 0)
                assert_int_equal(bench.counting.octets, octets);
            check_all(&bench);
            append_by_copy(&bench, 5000);
            check_range(&bench, 0, MODEL);
            bench_end(&bench);
        }
    }
    struct bench bench;
    bench_init(&bench, 9);
    struct berth_block *block = berth_block_new(bench.allocator, 4096);
    counting_fail_after(&bench.counting, 0);
    struct berth_part part = {block, block->data, 4096};
    assert_int_equal(stream_append(&bench.stream, bench.allocator, &part), -ENOMEM);
    assert_int_equal(block->references, 1);
    assert_int_equal(bench.stream.length, 0);
    berth_block_drop(block);
    bench_end(&bench);
}

static void nothing_is_appended_for_nothing(void **state) {
    (void)state;
    struct bench bench;
    bench_init(&bench, 10);
    struct berth_part part = {NULL, NULL, 0};
    assert_int_equal(stream_append(&bench.stream, bench.allocator, &part), 0);
    assert_int_equal(stream_append_copy(&bench.stream, bench.allocator, NULL, 0), 0);
    stream_drop(&bench.stream, bench.allocator, 0);
    assert_int_equal(bench.counting.calls, 0);
    check_range(&bench, 0, 1);
    bench_end(&bench);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order_of_calls),
        cmocka_unit_test(a_window_that_slides),
        cmocka_unit_test(neighbours_in_one_block_become_one_run),
        cmocka_unit_test(a_shared_half_full_block_is_not_written),
        cmocka_unit_test(few_octets_take_little_memory),
        cmocka_unit_test(want_of_memory_appends_nothing),
        cmocka_unit_test(nothing_is_appended_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
