/* A recursive descent over the words; the tree lies in an array. `not` binds closest, then `and`
 * (also unwritten, between two conditions), then `or`, as in iproute2. */
#define _GNU_SOURCE
#include "tool/cli/ss_filter.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum kind { KIND_AND = 1, KIND_OR, KIND_NOT, KIND_PORT, KIND_ADDRESS };
enum comparison { EQUAL, UNEQUAL, LESS, MORE, AT_MOST, AT_LEAST };
enum { TEXT = 2048, DEPTH = 16, WORD = 128 };

/* ---- states ---- */

static const struct {
    const char *shown, *word;
} states[] = {
    {"ESTAB", "established"},     {"SYN-SENT", "syn-sent"},     {"SYN-RECV", "syn-recv"},
    {"FIN-WAIT-1", "fin-wait-1"}, {"FIN-WAIT-2", "fin-wait-2"}, {"TIME-WAIT", "time-wait"},
    {"UNCONN", "closed"},         {"CLOSE-WAIT", "close-wait"}, {"LAST-ACK", "last-ack"},
    {"LISTEN", "listening"},      {"CLOSING", "closing"}};
enum {
    STATES = sizeof states / sizeof states[0],
    ALL = (1 << STATES) - 1,
    SYN_SENT = 1 << 1,
    BUCKET = 1 << 2 | 1 << 5,
    IDLE = 1 << 6 | 1 << 9,
};

static unsigned state_bits(const char *word) {
    static const struct {
        const char *word;
        unsigned bits;
    } groups[] = {
        {"all", ALL},       {"connected", ALL & ~IDLE}, {"synchronized", ALL & ~IDLE & ~SYN_SENT},
        {"bucket", BUCKET}, {"big", ALL & ~BUCKET},     {"unconnected", 1 << 6},
        {"listen", 1 << 9}};
    for (unsigned i = 0; i < STATES; i++)
        if (strcasecmp(word, states[i].word) == 0 || strcasecmp(word, states[i].shown) == 0)
            return 1u << i;
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
        if (strcasecmp(word, groups[i].word) == 0)
            return groups[i].bits;
    return 0;
}

/* ---- words ---- */

struct parser {
    struct ss_filter *filter;
    const char *at;
    char word[WORD]; /* the next one; empty at the end */
    char *error;
    size_t size;
    int depth;
    bool failed;
};

static int fail(struct parser *parser, const char *what) {
    if (!parser->failed)
        snprintf(parser->error, parser->size, "%s %s%s%s", what, parser->word[0] ? "at \"" : "",
                 parser->word[0] ? parser->word : "at the end", parser->word[0] ? "\"" : "");
    parser->failed = true;
    return -1;
}

/* Parentheses and operators are words of their own without spaces, too. */
static size_t word_length(const char *text) {
    if (strchr("()", *text))
        return 1;
    size_t marks = strspn(text, "=!<>&|");
    return marks ? marks : strcspn(text, " \t()=!<>&|");
}

static void advance(struct parser *parser) {
    parser->at += strspn(parser->at, " \t");
    size_t length = *parser->at ? word_length(parser->at) : 0;
    snprintf(parser->word, sizeof parser->word, "%.*s", (int)length, parser->at);
    parser->at += length;
}

static bool is_word(const struct parser *parser, const char *const *words) {
    for (; *words; words++)
        if (strcmp(parser->word, *words) == 0)
            return true;
    return false;
}

static bool accept_word(struct parser *parser, const char *const *words) {
    bool found = parser->word[0] && is_word(parser, words);
    if (found)
        advance(parser);
    return found;
}

/* ---- conditions ---- */

static int node_add(struct parser *parser, const struct ss_node *node) {
    struct ss_filter *filter = parser->filter;
    if (filter->count == SS_FILTER_NODES)
        return fail(parser, "too many conditions");
    filter->nodes[filter->count] = *node;
    return (int)filter->count++;
}

static int join(struct parser *parser, enum kind kind, int left, int right) {
    if (left < 0 || right < 0)
        return -1;
    return node_add(
        parser,
        &(struct ss_node){.kind = (uint8_t)kind, .left = (uint8_t)left, .right = (uint8_t)right});
}

static bool port_read(const char *text, int *port) {
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    if (*text == '*' && text[1] == '\0') {
        *port = -1;
    } else if (*text && *end == '\0' && number <= UINT16_MAX) {
        *port = (int)number;
    } else {
        const struct servent *service = getservbyname(text, "tcp");
        service = service ? service : getservbyname(text, "udp");
        if (!service)
            return false;
        *port = ntohs((uint16_t)service->s_port);
    }
    return true;
}

/* ADDRESS, ADDRESS/PREFIX, ADDRESS:PORT, [ADDRESS]:PORT, :PORT, *. */
static bool end_read(const char *word, struct ss_node *node) {
    char text[WORD];
    snprintf(text, sizeof text, "%s", word);
    char *address = text, *port = strrchr(text, ':'), *closing = strchr(text, ']');
    if (text[0] == '[') {
        if (!closing)
            return false;
        port = closing[1] == ':' ? closing + 1 : NULL;
        *closing = '\0';
        address++;
    } else if (port && strchr(text, ':') != port && port != text + 1) {
        port = NULL; /* an IPv6 address without a port */
    }
    node->port = -1;
    if (port) {
        *port = '\0';
        if (!port_read(port + 1, &node->port))
            return false;
    }
    char *slash = strchr(address, '/');
    if (slash)
        *slash = '\0';
    if (*address == '\0' || strcmp(address, "*") == 0)
        return slash == NULL;
    node->family = strchr(address, ':') ? AF_INET6 : AF_INET;
    int most = node->family == AF_INET ? 32 : 128, prefix = most;
    if (inet_pton(node->family, address, node->address) != 1)
        return false;
    if (slash && (sscanf(slash + 1, "%d", &prefix) != 1 || prefix < 0 || prefix > most))
        return false;
    node->prefix = (uint8_t)prefix;
    return true;
}

static int port_parse(struct parser *parser, bool peer) {
    static const struct {
        const char *words[4];
        enum comparison comparison;
    } comparisons[] = {{{"=", "==", "eq"}, EQUAL},
                       {{"!=", "ne", "neq"}, UNEQUAL},
                       {{"<", "lt"}, LESS},
                       {{">", "gt"}, MORE},
                       {{"<=", "le", "leq"}, AT_MOST},
                       {{">=", "ge", "geq"}, AT_LEAST}};
    struct ss_node node = {.kind = KIND_PORT, .peer = peer};
    for (size_t i = 0; i < sizeof comparisons / sizeof comparisons[0]; i++)
        if (accept_word(parser, comparisons[i].words)) {
            node.comparison = (uint8_t)comparisons[i].comparison;
            break;
        }
    const char *port = parser->word + (parser->word[0] == ':');
    if (!port_read(port, &node.port))
        return fail(parser, "a port is missing (as in: sport = :80)");
    advance(parser);
    return node_add(parser, &node);
}

static int address_parse(struct parser *parser, bool peer) {
    static const char *const equal[] = {"=", "==", "eq", NULL};
    struct ss_node node = {.kind = KIND_ADDRESS, .peer = peer};
    accept_word(parser, equal);
    if (parser->word[0] == '\0' || !end_read(parser->word, &node))
        return fail(parser, "an address is missing (as in: src 10.0.0.1, dst 10.0.0.0/24:80)");
    advance(parser);
    return node_add(parser, &node);
}

/* ---- expressions ---- */

static int or_parse(struct parser *parser);

static int primary_parse(struct parser *parser) {
    static const char *const open[] = {"(", NULL}, *const close[] = {")", NULL},
                             *const sport[] = {"sport", NULL}, *const dport[] = {"dport", NULL},
                             *const src[] = {"src", NULL}, *const dst[] = {"dst", NULL};
    if (accept_word(parser, open)) {
        int inner = or_parse(parser);
        if (inner >= 0 && !accept_word(parser, close))
            return fail(parser, "\")\" is missing");
        return inner;
    }
    if (accept_word(parser, sport))
        return port_parse(parser, false);
    if (accept_word(parser, dport))
        return port_parse(parser, true);
    if (accept_word(parser, src))
        return address_parse(parser, false);
    if (accept_word(parser, dst))
        return address_parse(parser, true);
    return fail(parser, "a condition (sport, dport, src, dst, not, a parenthesis) is missing");
}

static int not_parse(struct parser *parser) {
    static const char *const words[] = {"not", "!", NULL};
    if (++parser->depth > DEPTH)
        return fail(parser, "nested too deeply");
    int node;
    if (accept_word(parser, words)) {
        node = not_parse(parser);
        node = join(parser, KIND_NOT, node, node);
    } else {
        node = primary_parse(parser);
    }
    parser->depth--;
    return node;
}

static int and_parse(struct parser *parser) {
    static const char *const words[] = {"and", "&&", "&", NULL}, *const ends[] = {"or", "||", "|",
                                                                                  ")", NULL};
    int node = not_parse(parser);
    while (node >= 0 && parser->word[0] && !is_word(parser, ends)) {
        accept_word(parser, words);
        node = join(parser, KIND_AND, node, not_parse(parser));
    }
    return node;
}

static int or_parse(struct parser *parser) {
    static const char *const words[] = {"or", "||", "|", NULL};
    int node = and_parse(parser);
    while (node >= 0 && accept_word(parser, words))
        node = join(parser, KIND_OR, node, and_parse(parser));
    return node;
}

static void states_parse(struct parser *parser) {
    static const char *const named[] = {"state", NULL}, *const left_out[] = {"exclude", NULL};
    for (;;) {
        bool exclude = is_word(parser, left_out);
        if (!accept_word(parser, named) && !accept_word(parser, left_out))
            return;
        unsigned bits = state_bits(parser->word);
        if (bits == 0) {
            fail(parser, "no state");
            return;
        }
        if (exclude)
            parser->filter->states =
                (parser->filter->states ? parser->filter->states : ALL) & ~bits;
        else
            parser->filter->states |= bits;
        advance(parser);
    }
}

bool ss_filter_parse(struct ss_filter *filter, int count, char *const *words, char *error,
                     size_t size) {
    char text[TEXT] = "";
    struct parser parser = {.filter = filter, .at = text, .error = error, .size = size};
    *filter = (struct ss_filter){.root = -1};
    size_t length = 0;
    for (int i = 0; i < count && length < sizeof text; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "%s ", words[i]);
    if (length >= sizeof text) {
        snprintf(error, size, "the filter is too long");
        return false;
    }
    advance(&parser);
    states_parse(&parser);
    if (!parser.failed && parser.word[0])
        filter->root = or_parse(&parser);
    if (!parser.failed && parser.word[0])
        fail(&parser, "nothing more is understood");
    return !parser.failed;
}

/* ---- rows ---- */

static bool prefix_equal(const uint8_t *a, const uint8_t *b, unsigned bits) {
    uint8_t mask = (uint8_t)(0xff00 >> bits % 8);
    return memcmp(a, b, bits / 8) == 0 && (mask == 0 || ((a[bits / 8] ^ b[bits / 8]) & mask) == 0);
}

static bool address_fits(const struct ss_node *node, const char *text) {
    uint8_t address[17] = {0};
    int family = strchr(text, ':') ? AF_INET6 : AF_INET;
    if (node->family == 0)
        return true;
    return family == node->family && inet_pton(family, text, address) == 1 &&
           prefix_equal(address, node->address, node->prefix);
}

static bool port_fits(const struct ss_node *node, int port) {
    switch ((enum comparison)node->comparison) {
    case EQUAL:
        return port == node->port || node->port < 0;
    case UNEQUAL:
        return port != node->port;
    case LESS:
        return port < node->port;
    case MORE:
        return port > node->port;
    case AT_MOST:
        return port <= node->port;
    case AT_LEAST:
        return port >= node->port;
    }
    return false;
}

static bool node_wants(const struct ss_filter *filter, unsigned index, const json_t *row) {
    const struct ss_node *node = &filter->nodes[index];
    const json_t *end = json_object_get(row, node->peer ? "peer" : "local");
    const char *address = json_string_value(json_object_get(end, "address"));
    int port = (int)json_integer_value(json_object_get(end, "port"));
    switch ((enum kind)node->kind) {
    case KIND_AND:
        return node_wants(filter, node->left, row) && node_wants(filter, node->right, row);
    case KIND_OR:
        return node_wants(filter, node->left, row) || node_wants(filter, node->right, row);
    case KIND_NOT:
        return !node_wants(filter, node->left, row);
    case KIND_PORT:
        return port_fits(node, port);
    case KIND_ADDRESS:
        return address && address_fits(node, address) && (node->port < 0 || port == node->port);
    }
    return false;
}

bool ss_filter_wants(const struct ss_filter *filter, const json_t *row) {
    const char *shown = json_string_value(json_object_get(row, "state"));
    unsigned bit = 0;
    for (unsigned i = 0; shown && i < STATES; i++)
        if (strcmp(shown, states[i].shown) == 0)
            bit = 1u << i;
    if (filter->states && !(filter->states & bit))
        return false;
    return filter->root < 0 || node_wants(filter, (unsigned)filter->root, row);
}
