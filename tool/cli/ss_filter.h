/* iproute2's words for which sockets ss shows: state NAME, exclude NAME, sport and dport with a
 * comparison, src and dst with an address, and, or, not and parentheses. */
#ifndef TOOL_CLI_SS_FILTER_H
#define TOOL_CLI_SS_FILTER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SS_FILTER_NODES = 64 };

struct ss_node {
    uint8_t kind;        /* of ss_filter.c */
    uint8_t left, right; /* of and, or, not */
    bool peer;           /* the end that is compared */
    uint8_t comparison;  /* of ports */
    uint8_t family;      /* AF_INET, AF_INET6; 0: any address */
    uint8_t prefix;
    int port; /* -1: any */
    uint8_t address[16];
};

struct ss_filter {
    unsigned states; /* a bit each; 0: what the options say */
    int root;        /* -1: every socket */
    unsigned count;
    struct ss_node nodes[SS_FILTER_NODES];
};

/* True, or false with what is wrong in `error`. */
bool ss_filter_parse(struct ss_filter *filter, int count, char *const *words, char *error,
                     size_t size);
/* Whether the row passes: its state, if states were named, and the expression. */
bool ss_filter_wants(const struct ss_filter *filter, const json_t *row);

#endif
