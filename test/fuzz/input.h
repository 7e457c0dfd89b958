/* A fuzzer's input, read as a sequence of choices: what libFuzzer gives is a program for the code
 * under test rather than its data. Beyond the end all choices are 0. */
#ifndef TEST_FUZZ_INPUT_H
#define TEST_FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* For libFuzzer, which has no header in C. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold: the fuzzer keeps the input for which it does not. */
#define CLAIM(holds)                                                                               \
    do {                                                                                           \
        if (!(holds)) {                                                                            \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #holds);                    \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct input {
    const uint8_t *data;
    size_t left;
};

static inline bool input_more(const struct input *input) {
    return input->left > 0;
}

static inline uint8_t input_8(struct input *input) {
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->data++;
}

static inline uint16_t input_16(struct input *input) {
    uint16_t high = input_8(input);
    return (uint16_t)(high << 8 | input_8(input));
}

static inline uint32_t input_32(struct input *input) {
    uint32_t high = input_16(input);
    return high << 16 | input_16(input);
}

/* Copies what there is of `length` octets; the rest are 0. */
static inline void input_octets(struct input *input, uint8_t *to, size_t length) {
    size_t there = length < input->left ? length : input->left;
    if (there > 0)
        memcpy(to, input->data, there);
    memset(to + there, 0, length - there);
    input->data += there;
    input->left -= there;
}

#endif
