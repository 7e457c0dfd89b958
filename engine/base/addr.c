#include <berth/addr.h>
#include <errno.h>

bool berth_ip_is_loopback(const struct berth_ip *ip) {
    static const uint8_t one[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    if (berth_ip_is_v4(ip))
        return ip->bytes[12] == 127;
    return memcmp(ip->bytes, one, sizeof one) == 0;
}

bool berth_ip_is_multicast(const struct berth_ip *ip) {
    if (berth_ip_is_v4(ip))
        return (ip->bytes[12] & 0xf0) == 0xe0;
    return ip->bytes[0] == 0xff;
}

/* Reads exactly a dotted quad up to the NUL, as inet_pton does: no leading zeroes, no short forms.
 */
static bool parse_v4(const char *text, uint8_t out[4]) {
    for (int i = 0; i < 4; i++) {
        unsigned value = 0, digits = 0;
        while (*text >= '0' && *text <= '9' && digits < 3) {
            if (digits > 0 && value == 0)
                return false;
            value = value * 10 + (unsigned)(*text++ - '0');
            digits++;
        }
        if (digits == 0 || value > 255 || *text != (i < 3 ? '.' : '\0'))
            return false;
        out[i] = (uint8_t)value;
        text++;
    }
    return true;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* RFC 4291, section 2.2: up to eight groups, one `::`, and perhaps a dotted quad at the end. */
static bool parse_v6(const char *text, uint8_t out[16]) {
    uint8_t bytes[16] = {0};
    enum { NO_GAP = 17 };
    size_t length = 0, gap = NO_GAP; /* gap: how many octets come before the `::` */
    if (text[0] == ':' && text[1] == ':') {
        gap = 0;
        text += 2;
    }
    while (*text) {
        if (length == 16)
            return false;
        const char *group = text;
        unsigned value = 0;
        while (hex_digit(*text) >= 0 && text - group < 4)
            value = value << 4 | (unsigned)hex_digit(*text++);
        if (*text == '.') {
            if (length > 12 || !parse_v4(group, bytes + length))
                return false;
            length += 4;
            break;
        }
        if (text == group)
            return false;
        bytes[length++] = (uint8_t)(value >> 8);
        bytes[length++] = (uint8_t)value;
        if (*text == '\0')
            break;
        if (*text++ != ':' || *text == '\0')
            return false;
        if (*text == ':') {
            if (gap != NO_GAP)
                return false;
            gap = length;
            text++;
        }
    }
    if (gap == NO_GAP ? length != 16 : length > 14)
        return false;
    memset(out, 0, 16);
    size_t before = gap == NO_GAP ? length : gap;
    memcpy(out, bytes, before);
    memcpy(out + 16 - (length - before), bytes + before, length - before);
    return true;
}

int berth_ip_parse(const char *text, struct berth_ip *ip) {
    uint8_t bytes[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};
    if (!parse_v4(text, bytes + 12) && !parse_v6(text, bytes))
        return -EINVAL;
    memcpy(ip->bytes, bytes, sizeof bytes);
    return 0;
}

static char *put_decimal(char *at, unsigned value) {
    if (value >= 100)
        *at++ = (char)('0' + value / 100);
    if (value >= 10)
        *at++ = (char)('0' + value / 10 % 10);
    *at++ = (char)('0' + value % 10);
    return at;
}

static char *put_group(char *at, unsigned group) {
    static const char digits[] = "0123456789abcdef";
    for (int shift = 12; shift >= 0; shift -= 4)
        if (group >> shift || shift == 0)
            *at++ = digits[group >> shift & 15];
    return at;
}

static unsigned group_of(const struct berth_ip *ip, int i) {
    return (unsigned)ip->bytes[2 * i] << 8 | ip->bytes[2 * i + 1];
}

/* The first of the longest runs of zero groups, of at least two (RFC 5952, section 4.2); *length 0
 * if none. */
static int longest_gap(const struct berth_ip *ip, int *length) {
    int best = -1;
    *length = 1;
    for (int i = 0; i < 8; i++) {
        int end = i;
        while (end < 8 && group_of(ip, end) == 0)
            end++;
        if (end - i > *length) {
            best = i;
            *length = end - i;
        }
    }
    if (best < 0)
        *length = 0;
    return best;
}

char *berth_ip_format(const struct berth_ip *ip, char text[BERTH_IP_TEXT]) {
    char *at = text;
    if (berth_ip_is_v4(ip)) {
        for (int i = 12; i < 16; i++) {
            if (i > 12)
                *at++ = '.';
            at = put_decimal(at, ip->bytes[i]);
        }
        *at = '\0';
        return text;
    }
    int gap_length, gap = longest_gap(ip, &gap_length);
    for (int i = 0; i < 8; i++) {
        if (i == gap) {
            *at++ = ':';
            i += gap_length - 1;
            if (i == 7)
                *at++ = ':';
            continue;
        }
        if (i > 0)
            *at++ = ':';
        at = put_group(at, group_of(ip, i));
    }
    *at = '\0';
    return text;
}
