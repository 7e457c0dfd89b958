#define _DEFAULT_SOURCE
#include "tool/daemon/dump_filter.h"
#include "tool/daemon/daemon.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#include <pcap/bpf.h> /* wants u_int and the like */

enum { INSTRUCTIONS_MAX = 4096 };

static bool number(const json_t *given, size_t index, uint32_t most, uint32_t *value) {
    const json_t *item = json_array_get(given, index);
    json_int_t read = json_integer_value(item);
    *value = (uint32_t)read;
    return json_is_integer(item) && read >= 0 && read <= (json_int_t)most;
}

static bool instruction_read(const json_t *given, struct bpf_insn *instruction) {
    uint32_t code, jt, jf, k;
    if (json_array_size(given) != 4 || !number(given, 0, UINT16_MAX, &code) ||
        !number(given, 1, UINT8_MAX, &jt) || !number(given, 2, UINT8_MAX, &jf) ||
        !number(given, 3, UINT32_MAX, &k))
        return false;
    *instruction = (struct bpf_insn){(u_short)code, (u_char)jt, (u_char)jf, k};
    return true;
}

bool dump_filter_read(struct dump_filter *filter, const json_t *given, char *error) {
    filter->program = NULL;
    if (given == NULL)
        return true;
    size_t count = json_array_size(given);
    struct bpf_insn *program =
        count > 0 && count <= INSTRUCTIONS_MAX ? calloc(count, sizeof *program) : NULL;
    for (size_t i = 0; program != NULL && i < count; i++) {
        if (instruction_read(json_array_get(given, i), &program[i]))
            continue;
        snprintf(error, SENTENCE, "instruction %zu of the filter is none", i);
        free(program);
        return false;
    }
    /* It may jump forward only, within the program, and ends with a verdict. */
    if (program == NULL || !bpf_validate(program, (int)count)) {
        snprintf(error, SENTENCE, "the filter is no valid BPF program");
        free(program);
        return false;
    }
    filter->program = program;
    return true;
}

void dump_filter_clear(struct dump_filter *filter) {
    free(filter->program);
    filter->program = NULL;
}

bool dump_filter_takes(const struct dump_filter *filter, const uint8_t *frame, uint32_t length) {
    return filter->program == NULL || bpf_filter(filter->program, frame, length, length) != 0;
}
