/* The scoreboard alone: against a model that knows each octet, against hostile blocks, and without
 * memory. */
#include "engine/tcp/score.h"
#include "test/unit/base/counting_allocator.h"
#include "test/unit/base/mix.h"
#include "test/unit/base/unit.h"
#include <string.h>

enum { SPACE = 4000, START = -1500 }; /* octets; sequence numbers cross 2^32 on the way */

/* What the scoreboard should know of octet START + i. */
struct octet {
    bool sacked, lost, resent, again;
    uint64_t at;
};

struct model {
    struct score score;
    struct counting counting;
    struct berth_allocator allocator;
    struct octet octets[SPACE];
    uint32_t una, end; /* indices */
};

static uint32_t seq_of(uint32_t i) {
    return (uint32_t)START + i;
}

static void model_start(struct model *m) {
    memset(m, 0, sizeof *m);
    m->allocator = counting_allocator(&m->counting);
}

static void model_stop(struct model *m) {
    score_clear(&m->score, m->allocator);
    assert_int_equal(m->counting.blocks, 0);
}

static const struct score_range *ranges(const struct model *m) {
    return m->score.many ? m->score.many : m->score.few;
}

/* The ranges touch, and each octet is in the one that it should be in. exact: times too; else they
 * may be later. */
static void model_check(const struct model *m, bool exact) {
    uint32_t pipe = 0, sacked = 0, waiting = 0, at = 0;
    for (uint32_t i = m->una; i < m->end; i++) {
        const struct octet *o = &m->octets[i];
        while (at + 1 < m->score.count && seq_le(ranges(m)[at + 1].seq, seq_of(i)))
            at++;
        const struct score_range *range = &ranges(m)[at];
        assert_true(seq_le(range->seq, seq_of(i)));
        assert_int_equal((range->flags & SCORE_SACKED) != 0, o->sacked);
        if (!o->sacked) {
            assert_int_equal((range->flags & SCORE_LOST) != 0, o->lost);
            assert_int_equal((range->flags & SCORE_RESENT) != 0, o->resent);
            assert_int_equal((range->flags & SCORE_AGAIN) != 0, o->again);
            assert_true(exact ? range->at == o->at : range->at >= o->at);
        }
        sacked += o->sacked;
        pipe += o->sacked ? 0 : !o->lost + o->resent;
        waiting += !o->sacked && o->lost && !o->resent;
    }
    assert_int_equal(m->score.count == 0, m->una == m->end);
    if (m->score.count) {
        assert_int_equal(ranges(m)[0].seq, seq_of(m->una));
        assert_int_equal(m->score.end, seq_of(m->end));
    }
    assert_int_equal(m->score.pipe, pipe);
    assert_int_equal(m->score.sacked, sacked);
    assert_int_equal(m->score.waiting, waiting);
}

static void model_send(struct model *m, uint32_t length, uint64_t now) {
    for (uint32_t i = m->end; i < m->end + length; i++)
        m->octets[i] = (struct octet){.at = now};
    m->end += length;
    score_sent(&m->score, m->allocator, seq_of(m->una), seq_of(m->end), now);
}

static uint32_t model_sack(struct model *m, uint32_t left, uint32_t right) {
    struct score_news news = {.credible = UINT64_MAX, .fack = seq_of(m->una)};
    uint32_t fresh = 0;
    if (left >= m->una && right <= m->end && left < right)
        for (uint32_t i = left; i < right; i++) {
            fresh += !m->octets[i].sacked;
            m->octets[i].sacked = true;
        }
    score_sack(&m->score, m->allocator, seq_of(left), seq_of(right), &news);
    score_tidy(&m->score);
    assert_int_equal(news.delivered, fresh);
    assert_int_equal(news.sacked, fresh);
    return fresh;
}

static void model_ack(struct model *m, uint32_t to) {
    struct score_news news = {.credible = UINT64_MAX, .fack = seq_of(m->una)};
    uint32_t fresh = 0;
    for (; m->una < to; m->una++)
        fresh += !m->octets[m->una].sacked;
    score_ack(&m->score, m->allocator, seq_of(to), &news);
    assert_int_equal(news.delivered, fresh);
}

static void model_lose(struct model *m, uint64_t at, uint32_t end, uint64_t limit) {
    uint32_t lost = 0;
    uint64_t wait, longest = 0;
    for (uint32_t i = m->una; i < m->end; i++) {
        struct octet *o = &m->octets[i];
        if (o->sacked || (o->lost && !o->resent) || o->at >= at)
            continue;
        if (o->at <= limit) {
            o->lost = true;
            o->resent = false;
            lost++;
        } else if (o->at - limit > longest) {
            longest = o->at - limit;
        }
    }
    assert_int_equal(score_lose_before(&m->score, at, seq_of(end), limit, &wait), lost);
    assert_int_equal(wait, longest);
}

/* Sends again what waits, in pieces. */
static void model_resend(struct model *m, uint32_t most, uint64_t now) {
    uint32_t seq, end, first = m->una;
    while (first < m->end &&
           (m->octets[first].sacked || !m->octets[first].lost || m->octets[first].resent))
        first++;
    assert_int_equal(score_next(&m->score, &seq, &end), first < m->end);
    if (first == m->end)
        return;
    assert_int_equal(seq, seq_of(first)); /* RFC 6675 NextSeg: the lowest */
    if (end - seq > most)
        end = seq + most;
    assert_true(score_resent(&m->score, m->allocator, seq, end, now));
    for (uint32_t i = first; i < first + (end - seq); i++) {
        m->octets[i].resent = m->octets[i].again = true;
        m->octets[i].at = now;
    }
}

/* Anything in any order: what is known of each octet is what the model knows. [6675-1] */
static void as_the_model(void **state) {
    (void)state;
    struct mix mix = {.state = 7};
    struct model *m = malloc(sizeof *m);
    assert_non_null(m);
    for (unsigned round = 0; round < 60; round++) {
        uint64_t now = 1000;
        model_start(m);
        while (m->una < SPACE - 100) {
            uint32_t flight = m->end - m->una, room = SPACE - m->end;
            now += mix_below(&mix, 3);
            switch (mix_below(&mix, 6)) {
            case 0:
                if (room && m->score.count < SCORE_QUIET)
                    model_send(m, 1 + mix_below(&mix, room < 200 ? room : 200), now);
                break;
            case 1:
            case 2: {
                uint32_t left = m->una + mix_below(&mix, flight + 1);
                model_sack(m, left, left + mix_below(&mix, 60));
                break;
            }
            case 3:
                model_lose(m, now - 2, m->una, now - 2 - mix_below(&mix, 20));
                break;
            case 4:
                model_resend(m, 1 + mix_below(&mix, 70), now);
                break;
            default:
                if (mix_below(&mix, 4) == 0)
                    model_ack(m, m->una + mix_below(&mix, (flight < 300 ? flight : 300) + 1));
            }
            model_check(m, true);
        }
        model_stop(m);
    }
    free(m);
}

/* RFC 2018, 2018-4: blocks that cannot be say nothing: empty, inverted, below what is acknowledged,
 * beyond what was sent, across half of the numbers. */
static void impossible_blocks(void **state) {
    (void)state;
    struct model *m = malloc(sizeof *m);
    assert_non_null(m);
    model_start(m);
    m->una = m->end = 100;
    model_send(m, 1000, 5);
    uint32_t s = seq_of(100);
    const uint32_t blocks[][2] = {{s, s},
                                  {s + 10, s},
                                  {s - 1, s + 10},
                                  {s - 50, s - 10},
                                  {s + 990, s + 1001},
                                  {s + 1000, s + 1010},
                                  {s + 2000, s},
                                  {s, s + 0x80000010u},
                                  {s + 0x80000000u, s + 10},
                                  {s + 0x7fffffffu, s - 0x40000000u}};
    for (unsigned i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        struct score_news news = {.credible = UINT64_MAX};
        score_sack(&m->score, m->allocator, blocks[i][0], blocks[i][1], &news);
        assert_int_equal(news.delivered, 0);
        assert_int_equal(m->score.count, 1);
    }
    model_check(m, true);
    model_stop(m);
    free(m);
}

/* Thousands of tiny blocks, each octet by itself: ranges and memory stay bounded, what is not
 * marked is in the pipe still, and an ACK clears it all. */
static void crumbs(void **state) {
    (void)state;
    struct score score = {0};
    struct counting counting = {0};
    struct berth_allocator allocator = counting_allocator(&counting);
    uint32_t una = 0u - 50000, end = una + 100000;
    uint32_t marked = 0;
    score_sent(&score, allocator, una, end, 1);
    for (uint32_t at = una + 1; seq_lt(at, end); at += 2) {
        struct score_news news = {.credible = UINT64_MAX};
        score_sack(&score, allocator, at, at + 1, &news);
        score_tidy(&score);
        marked += news.sacked;
    }
    assert_in_range(score.count, SCORE_MAX / 2, SCORE_MAX);
    assert_in_range(counting.octets, 1, SCORE_MAX * sizeof(struct score_range));
    assert_int_equal(score.sacked, marked);
    assert_int_equal(score.pipe, 100000 - marked);
    score_sent(&score, allocator, una, end + 1000, 2); /* new octets are noted in any case */
    assert_int_equal(score.end, end + 1000);
    struct score_news news = {.credible = UINT64_MAX};
    score_ack(&score, allocator, end + 1000, &news);
    assert_int_equal(news.delivered, 101000 - marked);
    assert_int_equal(score.count, 0);
    assert_int_equal(counting.blocks, 0);
}

/* Sending alone: however many times, a few ranges, none thought older than it is. */
static void times_of_sending(void **state) {
    (void)state;
    struct model *m = malloc(sizeof *m);
    assert_non_null(m);
    model_start(m);
    for (uint32_t i = 0; i < SPACE / 4; i++) {
        model_send(m, 4, 1000 + i);
        assert_true(m->score.count <= SCORE_QUIET);
        if (i % 50 == 0)
            model_check(m, false);
        if (i > 300)
            model_ack(m, m->una + 4);
    }
    model_stop(m);
    free(m);
}

/* Without memory: blocks beyond the few ranges are not marked, what is sent is noted all the same,
 * and what cannot be noted is said. */
static void no_memory(void **state) {
    (void)state;
    struct model *m = malloc(sizeof *m);
    assert_non_null(m);
    model_start(m);
    m->counting.fail_from = 1;
    for (uint32_t i = 0; i < 100; i++)
        model_send(m, 10, 10 + i);
    assert_true(m->score.count <= SCORE_FEW);
    model_check(m, false);
    uint32_t marked = 0;
    for (uint32_t i = 0; i < 50; i++) {
        struct score_news news = {.credible = UINT64_MAX};
        score_sack(&m->score, m->allocator, seq_of(20 * i + 5), seq_of(20 * i + 10), &news);
        score_tidy(&m->score);
        marked += news.sacked;
    }
    assert_int_equal(m->score.sacked, marked);
    assert_int_equal(m->score.pipe, 1000 - marked);
    assert_true(m->score.count <= SCORE_FEW);
    for (uint32_t i = 0; i < 20; i++)
        score_sent(&m->score, m->allocator, seq_of(0), seq_of(1000 + 10 * i), 500 + i);
    assert_int_equal(m->score.end, seq_of(1190));
    assert_int_equal(m->score.pipe, 1190 - m->score.sacked);
    model_stop(m);
    free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_the_model), cmocka_unit_test(impossible_blocks),
        cmocka_unit_test(crumbs),       cmocka_unit_test(times_of_sending),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
