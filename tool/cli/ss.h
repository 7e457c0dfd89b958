/* Rows of `berth ss`: which are shown and how they read. */
#ifndef TOOL_CLI_SS_H
#define TOOL_CLI_SS_H

#include "tool/cli/services.h"
#include "tool/cli/ss_filter.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct ss_choice {
    bool tcp, udp;       /* neither: both */
    bool listening, all; /* neither: connected ones */
    bool numeric, processes, json, info, options;
    struct ss_filter filter;
};

/* What iproute2's ss would show with the same options. */
bool ss_wants(const struct ss_choice *choice, const json_t *row);
/* "10.0.0.1:http", "[::1]:8080", "*:80" for the wildcard of version 6, "0.0.0.0:*" for port 0.
 * `end`: row's local or peer. */
void ss_end_text(const json_t *end, const char *netid, const struct services *services, char *text,
                 size_t size);
/* users:(("nginx",pid=7,fd=6),("nginx",pid=8,fd=6)), or nothing. */
void ss_process_text(const json_t *process, char *text, size_t size);
/* " cubic wscale:7,7 rto:204 rtt:0.03/0.015 ...", as iproute2 has it, from a row's tcp_info; of the
 * choice `numeric` and `options` count. */
void ss_info_text(const json_t *info, const struct ss_choice *choice, char *text, size_t size);

#endif
