/* The shape of an exchange: one question, and in reply
 *
 *   known name, type A       its IPv4 address
 *   known name, type AAAA    its IPv6 address (RFC 3596), if it has one
 *   known name, other type   no error, no answer
 *   d.c.b.a.in-addr.arpa PTR the name of a.b.c.d; of an IPv6 address under ip6.arpa, too
 *   else                     NXDOMAIN
 *
 * all with RA set and no SOA, so that resolvers neither look further nor remember a no. An OPT
 * record (RFC 6891) is answered by one. What cannot be parsed is FORMERR. Compression pointers are
 * never followed: before the question there is no name that one could point to, and the names
 * behind it are only skipped; so no query makes work beyond its length. */
#include "network/dns.h"
#include "engine/base/bytes.h"
#include "network/text.h"
#include <string.h>

enum { HEADER = 12, TYPE_A = 1, TYPE_PTR = 12, TYPE_AAAA = 28, TYPE_OPT = 41, TYPE_ANY = 255 };
enum {
    CLASS_IN = 1,
    CLASS_ANY = 255,
    LABEL_MAX = 63,
    WIRE_NAME_MAX = 255,
    UDP_SIZE = 1232,
    ADDITIONAL_MAX = 16
};
enum { OK = 0, FORMERR = 1, NXDOMAIN = 3, NOTIMP = 4, REFUSED = 5, BADVERS = 16 };
enum { FLAG_RESPONSE = 0x8000, FLAG_AUTHORITATIVE = 0x0400, FLAG_RD = 0x0100, FLAG_RA = 0x0080 };
enum { FLAG_CD = 0x0010, OPCODE = 0x7800 };

struct question {
    char name[DNS_NAME];
    bool odd; /* holds octets that no name of ours has */
    uint16_t type, class;
    const uint8_t *wire; /* the question as it came */
    size_t wire_length;
};

struct query {
    uint16_t id, flags;
    struct question question;
    bool has_opt;
    uint8_t opt_version;
    uint16_t opt_flags;
};

static char lower(uint8_t c) {
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

bool dns_name_valid(const char *name) {
    size_t length = text_length(name, DNS_NAME), label = 0;
    if (length == 0 || length >= DNS_NAME)
        return false;
    for (size_t i = 0; i <= length; i++) {
        if (name[i] == '.' || name[i] == '\0') {
            if (label == 0 || label > LABEL_MAX)
                return false;
            label = 0;
        } else if (is_name_character(name[i])) {
            label++;
        } else {
            return false;
        }
    }
    return true;
}

/* RFC 1035, section 4.1.2. */
static bool read_question(struct reader *r, struct question *q) {
    q->wire = r->at;
    size_t length = 0, wire = 1;
    for (uint8_t label = reader_u8(r); label != 0; label = reader_u8(r)) {
        wire += 1u + label;
        const uint8_t *text = label <= LABEL_MAX ? reader_take(r, label) : NULL;
        if (!text || wire > WIRE_NAME_MAX)
            return false;
        if (length > 0)
            q->name[length++] = '.';
        for (uint8_t i = 0; i < label; i++) {
            q->name[length] = lower(text[i]);
            q->odd |= !is_name_character(q->name[length++]);
        }
    }
    q->name[length] = '\0';
    q->type = reader_u16(r);
    q->class = reader_u16(r);
    q->wire_length = (size_t)(r->at - q->wire);
    return !r->failed;
}

static bool skip_name(struct reader *r) {
    for (;;) {
        uint8_t label = reader_u8(r);
        if (r->failed || (label > LABEL_MAX && label < 0xc0))
            return false;
        if (label >= 0xc0)
            return reader_take(r, 1) != NULL;
        if (label == 0)
            return true;
        if (!reader_take(r, label))
            return false;
    }
}

/* A record behind the question; of these only OPT says anything (RFC 6891, section 6.1.2). */
static bool read_additional(struct reader *r, struct query *query) {
    bool root = reader_left(r) > 0 && *r->at == 0;
    if (!skip_name(r))
        return false;
    uint16_t type = reader_u16(r);
    reader_u16(r);
    uint32_t ttl = reader_u32(r);
    if (!reader_take(r, reader_u16(r)))
        return false;
    if (type != TYPE_OPT)
        return true;
    /* RFC 6891, section 6.1.1: the root's, and only one. */
    if (!root || query->has_opt)
        return false;
    query->has_opt = true;
    query->opt_version = (uint8_t)(ttl >> 16);
    query->opt_flags = (uint16_t)(ttl & 0x8000);
    return true;
}

static int read_query(struct reader *r, struct query *query) {
    uint16_t questions = reader_u16(r), answers = reader_u16(r), authorities = reader_u16(r);
    uint16_t additional = reader_u16(r);
    if (query->flags & OPCODE)
        return NOTIMP;
    if (questions != 1 || answers != 0 || authorities != 0 || additional > ADDITIONAL_MAX)
        return FORMERR;
    if (!read_question(r, &query->question)) {
        query->question.wire_length = 0;
        return FORMERR;
    }
    for (uint16_t i = 0; i < additional; i++)
        if (!read_additional(r, query))
            return FORMERR;
    if (query->has_opt && query->opt_version != 0)
        return BADVERS;
    if (query->question.class != CLASS_IN && query->question.class != CLASS_ANY)
        return REFUSED;
    return OK;
}

/* RFC 1035, section 3.5: "4.3.2.1.in-addr.arpa" is 1.2.3.4. */
static bool parse_reverse4(const char *name, struct berth_ip *ip) {
    uint32_t v4 = 0;
    for (int i = 0; i < 4; i++) {
        uint32_t octet = 0;
        int digits = 0;
        for (; *name >= '0' && *name <= '9' && digits < 3; digits++)
            octet = octet * 10 + (uint32_t)(*name++ - '0');
        if (digits == 0 || octet > 255 || *name++ != '.')
            return false;
        v4 |= octet << 8 * i;
    }
    *ip = berth_ip_v4(v4);
    return strcmp(name, "in-addr.arpa") == 0;
}

/* RFC 3596, section 2.5: the 32 digits of the address from the last to the first, each a label. */
static bool parse_reverse6(const char *name, struct berth_ip *ip) {
    for (int i = 31; i >= 0; i--, name += 2) {
        char c = name[0];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0 || name[1] != '.')
            return false;
        uint8_t *octet = &ip->bytes[i / 2];
        *octet = (uint8_t)(i % 2 ? digit : *octet | digit << 4);
    }
    /* IPv4's addresses have their own tree. */
    return strcmp(name, "ip6.arpa") == 0 && !berth_ip_is_v4(ip);
}

static bool parse_reverse(const char *name, struct berth_ip *ip) {
    return parse_reverse4(name, ip) || parse_reverse6(name, ip);
}

static void write_name(struct writer *w, const char *name) {
    while (*name) {
        size_t label = strcspn(name, ".");
        writer_u8(w, (uint8_t)label);
        uint8_t *to = writer_take(w, label);
        if (to)
            memcpy(to, name, label);
        name += label;
        if (*name == '.')
            name++;
    }
    writer_u8(w, 0);
}

/* An answer about the question's name, to live no longer than this exchange. */
static uint8_t *begin_record(struct writer *w, uint16_t type) {
    writer_u16(w, 0xc000 | HEADER);
    writer_u16(w, type);
    writer_u16(w, CLASS_IN);
    writer_u32(w, 0);
    return writer_take(w, 2);
}

static void write_address(struct writer *w, uint16_t type, const uint8_t *octets, uint16_t size) {
    uint8_t *length = begin_record(w, type);
    uint8_t *to = writer_take(w, size);
    if (length && to) {
        store_be16(length, size);
        memcpy(to, octets, size);
    }
}

/* The name's addresses of the kinds that are asked for; how many. */
static int write_addresses(uint16_t type, const struct berth_ip *v4, const struct berth_ip *v6,
                           struct writer *w) {
    int count = 0;
    if ((type == TYPE_A || type == TYPE_ANY) && !berth_ip_is_any(v4)) {
        write_address(w, TYPE_A, v4->bytes + 12, 4);
        count++;
    }
    if ((type == TYPE_AAAA || type == TYPE_ANY) && !berth_ip_is_any(v6)) {
        write_address(w, TYPE_AAAA, v6->bytes, 16);
        count++;
    }
    return count;
}

/* Returns the number of answers, or -NXDOMAIN. */
static int write_answers(const struct dns_zone *zone, const struct question *q, struct writer *w) {
    struct berth_ip ip;
    bool any = q->type == TYPE_ANY;
    if (q->name[0] == '\0')
        return 0; /* the root exists */
    if (q->odd)
        return -NXDOMAIN;
    const char *name = parse_reverse(q->name, &ip) ? zone->name(zone->context, &ip) : NULL;
    if (name) {
        if (q->type != TYPE_PTR && !any)
            return 0;
        uint8_t *length = begin_record(w, TYPE_PTR);
        uint8_t *start = w->at;
        write_name(w, name);
        if (length)
            store_be16(length, (uint16_t)(w->at - start));
        return 1;
    }
    struct berth_ip v6;
    if (!zone->address(zone->context, q->name, &ip, &v6))
        return -NXDOMAIN;
    return write_addresses(q->type, &ip, &v6, w);
}

static void write_opt(struct writer *w, const struct query *query, unsigned rcode) {
    writer_u8(w, 0);
    writer_u16(w, TYPE_OPT);
    writer_u16(w, UDP_SIZE);
    writer_u8(w, (uint8_t)(rcode >> 4));
    writer_u8(w, 0);
    writer_u16(w, query->opt_flags);
    writer_u16(w, 0);
}

size_t dns_answer(const struct dns_zone *zone, const uint8_t *bytes, size_t length,
                  uint8_t *reply) {
    struct reader r = reader_over(bytes, length);
    struct query query = {.id = reader_u16(&r), .flags = reader_u16(&r)};
    if (length < HEADER || query.flags & FLAG_RESPONSE)
        return 0;
    int code = read_query(&r, &query);
    const struct question *q = &query.question;

    struct writer w = writer_over(reply, DNS_REPLY);
    uint8_t *header = writer_take(&w, HEADER);
    uint8_t *question = writer_take(&w, q->wire_length);
    if (q->wire_length > 0)
        memcpy(question, q->wire, q->wire_length);
    int answers = code == OK ? write_answers(zone, q, &w) : 0;
    if (answers < 0) {
        code = -answers;
        answers = 0;
    }
    if (query.has_opt)
        write_opt(&w, &query, (unsigned)code);
    unsigned flags = FLAG_RESPONSE | FLAG_RA | (query.flags & (OPCODE | FLAG_RD | FLAG_CD)) |
                     ((unsigned)code & 15) |
                     (code == OK || code == NXDOMAIN ? FLAG_AUTHORITATIVE : 0);
    store_be16(header, query.id);
    store_be16(header + 2, (uint16_t)flags);
    store_be16(header + 4, q->wire_length > 0);
    store_be16(header + 6, (uint16_t)answers);
    store_be16(header + 8, 0);
    store_be16(header + 10, query.has_opt);
    return w.failed ? 0 : writer_length(&w);
}
