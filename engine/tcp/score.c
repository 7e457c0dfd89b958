/* The sender's scoreboard (RFC 6675's, with RFC 8985's times): ranges of the send queue that touch
 * one another, from SND.UNA to SND.MAX.
 *
 * THEORY. It is kept in any case where SACK was negotiated, for when the first loss shows it is too
 * late to ask when what was sent. So it must cost next to nothing as long as nothing is lost: what
 * is sent at one time is one range; few ranges stand in the connection's active state, more in
 * memory of their own, and when there are SCORE_QUIET of them, neighbours become one, with the
 * later one's time: octets are never thought older than they are, so none is lost too early. Marks
 * split ranges; splits are bounded by SCORE_MAX, and a block that would need more is not marked: it
 * is only advice (RFC 2018 section 8), and so hostile blocks cost bounded time and memory. */
#include "engine/tcp/score.h"

#include <string.h>

static struct score_range *ranges_of(struct score *s) {
    return s->many ? s->many : s->few;
}

static uint32_t end_of(struct score *s, uint32_t i) {
    return i + 1 < s->count ? ranges_of(s)[i + 1].seq : s->end;
}

/* ---- the sums ---- */

/* Copies of each octet in the network: what is sacked has left it, what is lost too; what was sent
 * again without being lost (a probe) is there twice. */
static uint32_t copies(unsigned flags) {
    if (flags & SCORE_SACKED)
        return 0;
    return !(flags & SCORE_LOST) + !!(flags & SCORE_RESENT);
}

static bool waits(unsigned flags) {
    return (flags & (SCORE_SACKED | SCORE_LOST | SCORE_RESENT)) == SCORE_LOST;
}

/* Takes `length` octets with these flags into the sums. */
static void count_in(struct score *s, unsigned flags, uint32_t length) {
    s->pipe += length * copies(flags);
    s->sacked += flags & SCORE_SACKED ? length : 0;
    s->waiting += waits(flags) ? length : 0;
}

static void count_out(struct score *s, unsigned flags, uint32_t length) {
    s->pipe -= length * copies(flags);
    s->sacked -= flags & SCORE_SACKED ? length : 0;
    s->waiting -= waits(flags) ? length : 0;
}

static void mark(struct score *s, uint32_t i, unsigned flags) {
    struct score_range *range = &ranges_of(s)[i];
    uint32_t length = end_of(s, i) - range->seq;
    count_out(s, range->flags, length);
    range->flags = (uint8_t)flags;
    count_in(s, flags, length);
    if (waits(flags) && seq_lt(range->seq, s->hint))
        s->hint = range->seq;
}

/* ---- ranges ---- */

static void free_many(struct score *s, struct berth_allocator allocator) {
    if (s->many)
        allocator.release(allocator.context, s->many, s->size * sizeof *s->many);
    s->many = NULL;
    s->size = 0;
}

void score_clear(struct score *s, struct berth_allocator allocator) {
    free_many(s, allocator);
    s->count = s->pipe = s->sacked = s->waiting = 0;
}

/* Room for one range more. */
static bool grow(struct score *s, struct berth_allocator allocator) {
    uint32_t room = s->many ? s->size : SCORE_FEW,
             size = room * 4 < SCORE_MAX ? room * 4 : SCORE_MAX;
    if (s->count < room)
        return true;
    struct score_range *many =
        room >= SCORE_MAX ? NULL : allocator.allocate(allocator.context, size * sizeof *many);
    if (!many)
        return false;
    memcpy(many, ranges_of(s), s->count * sizeof *many);
    free_many(s, allocator);
    s->many = many;
    s->size = size;
    return true;
}

/* The range that holds seq, which lies between the first one's begin and the end. */
static uint32_t find(struct score *s, uint32_t seq) {
    const struct score_range *ranges = ranges_of(s);
    uint32_t low = 0, high = s->count - 1;
    while (low < high) {
        uint32_t middle = (low + high + 1) / 2;
        if (seq_le(ranges[middle].seq, seq))
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* Makes a range begin at seq. Returns its index; `count` when there is no room. */
static uint32_t cut(struct score *s, struct berth_allocator allocator, uint32_t seq) {
    uint32_t i = find(s, seq);
    if (ranges_of(s)[i].seq == seq)
        return i;
    if (!grow(s, allocator))
        return s->count;
    struct score_range *ranges = ranges_of(s);
    memmove(&ranges[i + 2], &ranges[i + 1], (s->count - i - 1) * sizeof *ranges);
    ranges[i + 1] = ranges[i];
    ranges[i + 1].seq = seq;
    s->count++;
    return i + 1;
}

static bool are_alike(const struct score_range *a, const struct score_range *b) {
    return a->flags & b->flags & SCORE_SACKED || (a->flags == b->flags && a->at == b->at);
}

void score_tidy(struct score *s) {
    struct score_range *ranges = ranges_of(s);
    uint32_t kept = 0;
    for (uint32_t i = 1; i < s->count; i++)
        if (!are_alike(&ranges[kept], &ranges[i]))
            ranges[++kept] = ranges[i];
    s->count = s->count ? kept + 1 : 0;
}

/* Makes one of each two neighbours that differ in time alone. */
static void halve(struct score *s) {
    struct score_range *ranges = ranges_of(s);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        ranges[kept] = ranges[i];
        if (i + 1 < s->count && ranges[i + 1].flags == ranges[i].flags) {
            i++;
            ranges[kept].at = ranges[i].at > ranges[kept].at ? ranges[i].at : ranges[kept].at;
        }
        kept++;
    }
    s->count = kept;
}

/* ---- sending ---- */

/* All that is in flight is one range, of which nothing is known but that it was sent by now. */
static void forget(struct score *s, uint64_t now) {
    struct score_range *first = ranges_of(s);
    s->count = 1;
    first->flags = SCORE_AGAIN;
    first->at = now;
    s->sacked = s->waiting = 0;
    s->pipe = s->end - first->seq;
}

void score_sent(struct score *s, struct berth_allocator allocator, uint32_t una, uint32_t end,
                uint64_t now) {
    uint32_t seq = s->count ? s->end : una;
    struct score_range *last = s->count ? &ranges_of(s)[s->count - 1] : NULL;
    if (!last)
        s->hint = una;
    s->end = end;
    s->pipe += end - seq;
    if (last && last->flags == 0 && last->at == now)
        return;
    bool quiet = s->sacked == 0 && s->waiting == 0;
    if ((quiet && s->count >= SCORE_QUIET) || !grow(s, allocator))
        halve(s);
    if (!grow(s, allocator)) { /* no memory, or all are marked */
        forget(s, now);
        return;
    }
    ranges_of(s)[s->count] = (struct score_range){.seq = seq, .at = now};
    s->count++;
}

bool score_resent(struct score *s, struct berth_allocator allocator, uint32_t seq, uint32_t end,
                  uint64_t now) {
    uint32_t i = cut(s, allocator, seq);
    if (i == s->count || (seq_lt(end, s->end) && cut(s, allocator, end) == s->count))
        return false;
    struct score_range *ranges = ranges_of(s);
    mark(s, i, ranges[i].flags | SCORE_RESENT | SCORE_AGAIN);
    ranges[i].at = now;
    if (i > 0 && are_alike(&ranges[i - 1], &ranges[i])) {
        memmove(&ranges[i], &ranges[i + 1], (s->count - i - 1) * sizeof *ranges);
        s->count--;
    }
    return true;
}

bool score_next(struct score *s, uint32_t *seq, uint32_t *end) {
    if (s->waiting == 0)
        return false;
    uint32_t i = seq_gt(s->hint, ranges_of(s)->seq) ? find(s, s->hint) : 0;
    while (!waits(ranges_of(s)[i].flags))
        i++;
    *seq = s->hint = ranges_of(s)[i].seq;
    *end = end_of(s, i);
    return true;
}

/* ---- what ACKs say ---- */

/* [seq, end) of that range has reached the peer. */
static void note(struct score_news *news, const struct score_range *range, uint32_t seq,
                 uint32_t end) {
    if (range->flags & SCORE_SACKED)
        return; /* known */
    news->delivered += end - seq;
    news->high = seq_max(news->high, end);
    if (!(range->flags & SCORE_AGAIN)) {
        if (seq_lt(end, news->fack) && news->fack - seq > news->reordered)
            news->reordered = news->fack - seq;
        if (news->fresh_at == 0 || seq_lt(seq, news->fresh))
            news->fresh = seq;
        news->fresh_at = range->at > news->fresh_at ? range->at : news->fresh_at;
    } else if (range->at > news->credible) {
        return; /* RFC 8985 6.2 step 2: it is an earlier sending that was delivered */
    }
    if (score_sent_after(range->at, end, news->at, news->end)) {
        news->at = range->at;
        news->end = end;
    }
}

void score_ack(struct score *s, struct berth_allocator allocator, uint32_t ack,
               struct score_news *news) {
    struct score_range *ranges = ranges_of(s);
    uint32_t gone = 0;
    for (; gone < s->count && seq_lt(ranges[gone].seq, ack); gone++) {
        uint32_t end = end_of(s, gone);
        if (seq_gt(end, ack)) {
            note(news, &ranges[gone], ranges[gone].seq, ack);
            count_out(s, ranges[gone].flags, ack - ranges[gone].seq);
            ranges[gone].seq = ack;
            break;
        }
        note(news, &ranges[gone], ranges[gone].seq, end);
        count_out(s, ranges[gone].flags, end - ranges[gone].seq);
    }
    s->count -= gone;
    memmove(ranges, ranges + gone, s->count * sizeof *ranges);
    if (s->count == 0)
        free_many(s, allocator);
    else if (seq_lt(s->hint, ranges->seq))
        s->hint = ranges->seq;
}

void score_sack(struct score *s, struct berth_allocator allocator, uint32_t left, uint32_t right,
                struct score_news *news) {
    uint32_t una = ranges_of(s)->seq, flight = s->end - una;
    /* Compared as distances from SND.UNA: edges anywhere in the sequence space may each look right
     * to its neighbour. */
    if (s->count == 0 || left - una >= right - una || right - una > flight)
        return; /* 2018-4 */
    uint32_t i = find(s, left);
    if (ranges_of(s)[i].flags & SCORE_SACKED && seq_ge(end_of(s, i), right))
        return; /* repeated, as most are */
    if (s->count > SCORE_MAX - SCORE_FEW)
        return; /* the last few are for what we send */
    i = cut(s, allocator, left);
    if (i == s->count || (seq_lt(right, s->end) && cut(s, allocator, right) == s->count))
        return;
    for (; i < s->count && seq_lt(ranges_of(s)[i].seq, right); i++) {
        const struct score_range *range = &ranges_of(s)[i];
        uint32_t length = end_of(s, i) - range->seq;
        if (range->flags & SCORE_SACKED)
            continue;
        note(news, range, range->seq, range->seq + length);
        news->sacked += length;
        mark(s, i, (range->flags & SCORE_AGAIN) | SCORE_SACKED);
    }
}

uint32_t score_out_again(const struct score *s) {
    const struct score_range *ranges = s->many ? s->many : s->few;
    uint32_t octets = 0;
    for (uint32_t i = 0; i < s->count; i++)
        if ((ranges[i].flags & (SCORE_RESENT | SCORE_SACKED)) == SCORE_RESENT)
            octets += (i + 1 < s->count ? ranges[i + 1].seq : s->end) - ranges[i].seq;
    return octets;
}

bool score_is_reneged(const struct score *s) {
    const struct score_range *first = s->many ? s->many : s->few;
    return s->count && first->flags & SCORE_SACKED;
}

/* ---- what is lost ---- */

uint32_t score_lose_before(struct score *s, uint64_t at, uint32_t end, uint64_t limit,
                           uint64_t *wait) {
    uint32_t lost = 0;
    *wait = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        const struct score_range *range = &ranges_of(s)[i];
        uint32_t its_end = end_of(s, i);
        if (range->flags & SCORE_SACKED || waits(range->flags) ||
            !score_sent_after(at, end, range->at, its_end))
            continue;
        if (range->at <= limit) {
            lost += its_end - range->seq;
            mark(s, i, (range->flags | SCORE_LOST) & ~(unsigned)SCORE_RESENT);
        } else if (range->at - limit > *wait) {
            *wait = range->at - limit;
        }
    }
    return lost;
}

void score_lose_old(struct score *s, uint64_t limit) {
    for (uint32_t i = 0; i < s->count; i++) {
        const struct score_range *range = &ranges_of(s)[i];
        if (!(range->flags & SCORE_SACKED) && (i == 0 || range->at <= limit))
            mark(s, i, (range->flags | SCORE_LOST) & ~(unsigned)SCORE_RESENT);
    }
}

void score_renege(struct score *s) {
    for (uint32_t i = 0; i < s->count; i++)
        if (ranges_of(s)[i].flags & SCORE_SACKED)
            mark(s, i, SCORE_LOST | SCORE_AGAIN);
}

void score_find_all(struct score *s) {
    for (uint32_t i = 0; i < s->count; i++)
        mark(s, i, ranges_of(s)[i].flags & ~(unsigned)(SCORE_LOST | SCORE_RESENT));
}
