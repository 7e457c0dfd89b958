/* A dump's filter in tcpdump's words, compiled by libpcap. */
#ifndef TOOL_CLI_DUMP_FILTER_H
#define TOOL_CLI_DUMP_FILTER_H

#include <jansson.h>
#include <stddef.h>

/* The instructions, [[code, jt, jf, k], ...]; the caller's. hosts: rows of the network's computers,
 * whose names may stand where libpcap takes a host. NULL with libpcap's error and the place in
 * error[size]. */
json_t *dump_filter_compile(const char *text, const json_t *hosts, char *error, size_t size);

#endif
