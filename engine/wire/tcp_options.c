#include "engine/wire/tcp_options.h"

#include "engine/base/bytes.h"
#include <errno.h>
#include <string.h>

enum kind { END = 0, NOP = 1, MSS = 2, WSCALE = 3, SACK_PERMITTED = 4, SACK = 5, TIMESTAMPS = 8 };
enum {
    MSS_LENGTH = 4,
    WSCALE_LENGTH = 3,
    SACK_PERMITTED_LENGTH = 2,
    TIMESTAMPS_LENGTH = 10,
    WSCALE_MAX = 14
};

static void sack_read(struct tcp_options *options, const uint8_t *body, size_t length) {
    options->sack_count = (uint8_t)(length / 8);
    for (size_t i = 0; i < options->sack_count; i++) {
        options->sack[i].left = load_be32(body + 8 * i);
        options->sack[i].right = load_be32(body + 8 * i + 4);
    }
}

/* A known option counts only with the length its definition gives it, and only where it belongs;
 * else it is passed over like an unknown one. */
static void option_read(struct tcp_options *options, uint8_t kind, const uint8_t *body,
                        size_t length, bool syn) {
    size_t whole = length + 2;
    if (kind == TIMESTAMPS && whole == TIMESTAMPS_LENGTH) {
        options->has_timestamps = true;
        options->ts_value = load_be32(body);
        options->ts_echo = load_be32(body + 4);
    } else if (kind == SACK && !syn && length % 8 == 0 && length >= 8 && length <= 32) {
        sack_read(options, body, length);
    } else if (kind == MSS && syn && whole == MSS_LENGTH) {
        options->has_mss = true;
        options->mss = load_be16(body);
    } else if (kind == WSCALE && syn && whole == WSCALE_LENGTH) {
        options->has_wscale = true;
        options->wscale = body[0] < WSCALE_MAX ? body[0] : WSCALE_MAX; /* RFC 7323 2.3, 7323-W2 */
    } else if (kind == SACK_PERMITTED && syn && whole == SACK_PERMITTED_LENGTH) {
        options->sack_permitted = true;
    }
}

int tcp_options_parse(const uint8_t *data, size_t length, bool syn, struct tcp_options *options) {
    memset(options, 0, sizeof *options);
    struct reader reader = reader_over(data, length);
    while (reader_left(&reader) > 0) {
        uint8_t kind = reader_u8(&reader); /* at any alignment: RFC 9293 3.1, MUST-64 */
        if (kind == END)
            return 0;
        if (kind == NOP)
            continue;
        /* Every other option, known or not, has a length octet: RFC 9293 3.1, MUST-6, MUST-68. */
        uint8_t whole = reader_u8(&reader);
        const uint8_t *body = whole >= 2 ? reader_take(&reader, whole - 2u) : NULL;
        if (!body)
            return -EINVAL; /* RFC 9293 3.1, MUST-7 */
        option_read(options, kind, body, whole - 2u, syn);
    }
    return 0;
}

/* The writers give the place after what they wrote. All that a segment can have but SACK takes at
 * most 20 octets; SACK gets what is left. */

static uint8_t *put_nops(uint8_t *at, size_t count) {
    memset(at, NOP, count);
    return at + count;
}

static uint8_t *put_option(uint8_t *at, uint8_t kind, size_t length) {
    at[0] = kind;
    at[1] = (uint8_t)length;
    return at + 2;
}

static uint8_t *put_mss(uint8_t *at, const struct tcp_options *options) {
    at = put_option(at, MSS, MSS_LENGTH);
    store_be16(at, options->mss);
    return at + 2;
}

static uint8_t *put_timestamps(uint8_t *at, const struct tcp_options *options) {
    at = put_option(at, TIMESTAMPS, TIMESTAMPS_LENGTH);
    store_be32(at, options->ts_value);
    store_be32(at + 4, options->ts_echo);
    return at + 8;
}

static uint8_t *put_wscale(uint8_t *at, const struct tcp_options *options) {
    at = put_option(put_nops(at, 1), WSCALE, WSCALE_LENGTH);
    *at = options->wscale;
    return at + 1;
}

static uint8_t *put_sack(uint8_t *at, size_t room, const struct tcp_options *options) {
    size_t count = options->sack_count, fits = room < 12 ? 0 : (room - 4) / 8;
    count = count < fits ? count : fits;
    if (count == 0)
        return at;
    at = put_option(put_nops(at, 2), SACK, 2 + 8 * count);
    struct writer blocks = writer_over(at, 8 * fits);
    for (size_t i = 0; i < count; i++) {
        writer_u32(&blocks, options->sack[i].left);
        writer_u32(&blocks, options->sack[i].right);
    }
    return at + 8 * count;
}

size_t tcp_options_write(uint8_t to[40], const struct tcp_options *options) {
    uint8_t *at = to;
    if (options->has_mss)
        at = put_mss(at, options);
    /* SACK-permitted and the timestamps pad each other; alone, each needs two NOPs. */
    if (options->sack_permitted != options->has_timestamps)
        at = put_nops(at, 2);
    if (options->sack_permitted)
        at = put_option(at, SACK_PERMITTED, SACK_PERMITTED_LENGTH);
    if (options->has_timestamps)
        at = put_timestamps(at, options);
    if (options->has_wscale)
        at = put_wscale(at, options);
    at = put_sack(at, (size_t)(to + 40 - at), options);
    return (size_t)(at - to);
}
