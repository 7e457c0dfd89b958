/* The ring of a log, held against a plain copy of everything that was put in. */
#include "tool/daemon/log_ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { STREAM = 5 << 20 };

static void ring_equals(const struct log_ring *ring, const char *stream) {
    uint64_t at = ring->begin;
    while (at < ring->end) {
        const char *piece;
        size_t length = log_ring_piece(ring, at, &piece);
        assert_true(length > 0);
        assert_memory_equal(piece, stream + at, length);
        at += length;
    }
    assert_int_equal(at, ring->end);
}

static void holds_the_last_of_it(void **state) {
    (void)state;
    static const size_t sizes[] = {1,     7, 4095,    4096,          4097,
                                   65536, 3, 1 << 20, (1 << 20) + 1, 100000};
    struct log_ring ring = {.data = NULL};
    char *stream = malloc(STREAM);
    size_t put = 0;
    assert_non_null(stream);
    for (size_t i = 0; i < STREAM; i++)
        stream[i] = (char)(i * 2654435761u >> 13);
    for (size_t round = 0; put + sizes[round % 10] <= STREAM; round++) {
        log_ring_put(&ring, stream + put, sizes[round % 10]);
        put += sizes[round % 10];
        assert_int_equal(ring.end, put);
        size_t held = (size_t)(ring.end - ring.begin);
        assert_int_equal(held, put < LOG_RING_MAX ? put : (size_t)LOG_RING_MAX);
        assert_true(ring.capacity <= LOG_RING_MAX);
        ring_equals(&ring, stream);
    }
    free(stream);
    log_ring_clear(&ring);
}

static void finds_lines_across_the_seam(void **state) {
    (void)state;
    struct log_ring ring = {.data = NULL};
    char line[1000];
    memset(line, 'x', sizeof line);
    line[999] = '\n';
    for (int i = 0; i < 3000; i++)
        log_ring_put(&ring, line, sizeof line);
    uint64_t at = log_ring_line_end(&ring, ring.begin);
    unsigned lines = 0;
    while (at < ring.end) {
        uint64_t end = log_ring_line_end(&ring, at);
        assert_int_equal(end - at, 1000);
        at = end;
        lines++;
    }
    assert_true(lines >= LOG_RING_MAX / 1000 - 1);
    log_ring_put(&ring, "part", 4);
    assert_int_equal(log_ring_line_end(&ring, at), 0);
    assert_int_equal(log_ring_line_end(&ring, ring.end), 0);
    log_ring_clear(&ring);
    assert_int_equal(log_ring_line_end(&ring, 0), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_the_last_of_it),
        cmocka_unit_test(finds_lines_across_the_seam),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
