/* A dump's filter: instructions of the classic BPF machine that libpcap made of tcpdump's words,
 * compiled on the asking side, where names can be looked up without holding anybody up. */
#ifndef TOOL_DAEMON_DUMP_FILTER_H
#define TOOL_DAEMON_DUMP_FILTER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct bpf_insn;

struct dump_filter {
    struct bpf_insn *program; /* NULL: takes all */
};

/* `given`: [[code, jt, jf, k], ...], or NULL. False with a sentence in error[SENTENCE] when it is
 * no program that comes to an end within a frame. */
bool dump_filter_read(struct dump_filter *filter, const json_t *given, char *error);
void dump_filter_clear(struct dump_filter *filter);
bool dump_filter_takes(const struct dump_filter *filter, const uint8_t *frame, uint32_t length);

#endif
