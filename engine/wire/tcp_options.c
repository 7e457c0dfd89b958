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
        options->wscale = body[0] < WSCALE_MAX ? body[0] : WSCALE_MAX; /* RFC 7323 2.3 */
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

static void put_nops(struct writer *to, int count) {
    while (count-- > 0)
        writer_u8(to, NOP);
}

static void put_option(struct writer *to, uint8_t kind, size_t length) {
    writer_u8(to, kind);
    writer_u8(to, (uint8_t)length);
}

static void put_timestamps(struct writer *to, const struct tcp_options *options) {
    put_option(to, TIMESTAMPS, TIMESTAMPS_LENGTH);
    writer_u32(to, options->ts_value);
    writer_u32(to, options->ts_echo);
}

static void put_sack(struct writer *to, const struct tcp_options *options) {
    size_t room = (size_t)(to->end - to->at), count = options->sack_count;
    while (count > 0 && 4 + 8 * count > room)
        count--;
    if (count == 0)
        return;
    put_nops(to, 2);
    put_option(to, SACK, 2 + 8 * count);
    for (size_t i = 0; i < count; i++) {
        writer_u32(to, options->sack[i].left);
        writer_u32(to, options->sack[i].right);
    }
}

size_t tcp_options_write(uint8_t to[40], const struct tcp_options *options) {
    struct writer writer = writer_over(to, 40);
    if (options->has_mss) {
        put_option(&writer, MSS, MSS_LENGTH);
        writer_u16(&writer, options->mss);
    }
    /* SACK-permitted takes the place of the timestamps' padding. */
    if (options->sack_permitted || options->has_timestamps) {
        if (options->sack_permitted && !options->has_timestamps)
            put_nops(&writer, 2);
        if (options->sack_permitted)
            put_option(&writer, SACK_PERMITTED, SACK_PERMITTED_LENGTH);
        else
            put_nops(&writer, 2);
        if (options->has_timestamps)
            put_timestamps(&writer, options);
    }
    if (options->has_wscale) {
        put_nops(&writer, 1);
        put_option(&writer, WSCALE, WSCALE_LENGTH);
        writer_u8(&writer, options->wscale);
    }
    put_sack(&writer, options);
    return writer_length(&writer);
}
