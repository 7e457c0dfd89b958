/* libpcap says what is wrong with a filter, but not where. The place is found by asking again: the
 * words up to one are still the beginning of a filter if some end makes them a whole one. The first
 * word with which no end does is where it goes wrong. */
#define _DEFAULT_SOURCE
#include "tool/cli/dump_filter.h"

#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAME_MAX = 65535 + 14, TEXT_MAX = 8192, WORDS_MAX = 512, HOST_TEXT = 128 };

/* 0, with the program; else what libpcap says is in error. */
static int compile(const char *text, struct bpf_program *program, char *error, size_t size) {
    pcap_t *pcap = pcap_open_dead(DLT_EN10MB, FRAME_MAX);
    if (pcap == NULL) {
        snprintf(error, size, "out of memory");
        return -1;
    }
    int result = pcap_compile(pcap, program, text, 1, PCAP_NETMASK_UNKNOWN);
    if (result < 0)
        snprintf(error, size, "%s", pcap_geterr(pcap));
    pcap_close(pcap);
    return result;
}

static bool compiles(const char *text) {
    struct bpf_program program;
    char error[PCAP_ERRBUF_SIZE];
    if (compile(text, &program, error, sizeof error) < 0)
        return false;
    pcap_freecode(&program);
    return true;
}

/* ---- words ---- */

struct word {
    size_t start, length;
};

static bool is_single(char c) {
    return strchr("()[]!&|=<>+-*/:", c) != NULL && c != '\0';
}

/* Parentheses and operators stand alone; a colon or a slash within an address does not. */
static size_t words_split(const char *text, struct word words[WORDS_MAX]) {
    size_t count = 0;
    for (size_t at = 0; text[at] != '\0' && count < WORDS_MAX;) {
        if (strchr(" \t\n", text[at]) != NULL) {
            at++;
            continue;
        }
        size_t end = at + 1;
        if (!is_single(text[at]))
            while (text[end] != '\0' && strchr(" \t\n()[]!&|=<>+*", text[end]) == NULL)
                end++;
        words[count++] = (struct word){at, end - at};
        at = end;
    }
    return count;
}

static bool word_is(const char *text, struct word word, const char *what) {
    return word.length == strlen(what) && strncmp(text + word.start, what, word.length) == 0;
}

/* ---- the place of a mistake ---- */

static bool is_beginning(const char *text, size_t length) {
    static const char *const ends[] = {"",         " 1",      " tcp",         " host 1.1.1.1",
                                       " port 1",  " = 1",    " 0] = 1",      "] = 1",
                                       " 1.1.1.1", " 1::1",   " 1:1:1:1:1:1", " 1-2",
                                       ":1] = 1",  " 1] = 1", " (tcp)",       " 1 = 1"};
    char whole[TEXT_MAX + 256];
    int open = 0;
    for (size_t i = 0; i < length; i++)
        open += text[i] == '(' ? 1 : text[i] == ')' ? -1 : 0;
    if (open < 0 || open > 100)
        return open > 100;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        int at = snprintf(whole, sizeof whole, "%.*s%s", (int)length, text, ends[i]);
        for (int j = 0; j < open; j++)
            whole[at++] = ')';
        whole[at] = '\0';
        if (compiles(whole))
            return true;
    }
    return false;
}

/* What libpcap does not know it names itself, as in "unknown host 'web'". Asking again would ask
 * the resolver again, which may take its time to say that it does not know it either. */
static size_t unknown_find(const char *text, const char *cause, const struct word *words,
                           size_t count) {
    const char *name = strchr(cause, '\''), *end = name != NULL ? strchr(name + 1, '\'') : NULL;
    size_t i = 0, length = end != NULL ? (size_t)(end - name - 1) : 0;
    if (length == 0 || strncmp(cause, "unknown ", 8) != 0)
        return count;
    while (i < count &&
           (words[i].length != length || strncmp(text + words[i].start, name + 1, length) != 0))
        i++;
    return i;
}

static void place_say(const char *text, const char *cause, char *error, size_t size) {
    struct word words[WORDS_MAX];
    size_t count = words_split(text, words), i = unknown_find(text, cause, words, count);
    if (i == count)
        for (i = 0; i < count && is_beginning(text, words[i].start + words[i].length);)
            i++;
    if (i == count)
        snprintf(error, size, "filter \"%.300s\", at its end: %s", text, cause);
    else
        snprintf(error, size, "filter \"%.300s\", character %zu, at \"%.*s\": %s", text,
                 words[i].start + 1, (int)(words[i].length < 80 ? words[i].length : 80),
                 text + words[i].start, cause);
}

/* ---- names of computers ---- */

/* As libpcap takes it after `host`, `src` and so on; it knows no list within a list. False if the
 * word is no computer's name. */
static bool host_addresses(const json_t *hosts, const char *text, struct word word, bool in_list,
                           char *to) {
    size_t index;
    const json_t *row;
    json_array_foreach(hosts, index, row) {
        const char *name = json_string_value(json_object_get(row, "host"));
        const char *v4 = json_string_value(json_object_get(row, "address"));
        const char *v6 = json_string_value(json_object_get(row, "address6"));
        if (name == NULL || v4 == NULL || !word_is(text, word, name))
            continue;
        if (v6 != NULL && strchr(v6, ':') != NULL)
            snprintf(to, HOST_TEXT, in_list ? "%s or %s" : "(%s or %s)", v4, v6);
        else
            snprintf(to, HOST_TEXT, "%s", v4);
        return true;
    }
    return false;
}

static bool introduces_host(const char *text, struct word word) {
    return word_is(text, word, "host") || word_is(text, word, "src") || word_is(text, word, "dst");
}

static bool names_replace(const char *text, const json_t *hosts, char to[TEXT_MAX]) {
    struct word words[WORDS_MAX];
    size_t count = words_split(text, words), length = 0, from = 0;
    bool expected = false; /* a computer may stand here: after a word that takes one, or a list's */
    bool in_list = false;  /* within the parentheses after such a word */
    for (size_t i = 0; i < count; i++) {
        char addresses[HOST_TEXT];
        bool host = expected && host_addresses(hosts, text, words[i], in_list, addresses);
        if (word_is(text, words[i], "(") && expected)
            in_list = true;
        else if (word_is(text, words[i], ")"))
            expected = in_list = false;
        else if (introduces_host(text, words[i]))
            expected = true;
        else if (!word_is(text, words[i], "or") && !word_is(text, words[i], "and"))
            expected = host;
        if (!host)
            continue;
        int more = snprintf(to + length, TEXT_MAX - length, "%.*s%s", (int)(words[i].start - from),
                            text + from, addresses);
        if (more < 0 || length + (size_t)more >= TEXT_MAX)
            return false;
        length += (size_t)more;
        from = words[i].start + words[i].length;
    }
    int more = snprintf(to + length, TEXT_MAX - length, "%s", text + from);
    return more >= 0 && length + (size_t)more < TEXT_MAX;
}

json_t *dump_filter_compile(const char *text, const json_t *hosts, char *error, size_t size) {
    struct bpf_program program;
    char whole[TEXT_MAX], cause[PCAP_ERRBUF_SIZE];
    if (!names_replace(text, hosts, whole)) {
        snprintf(error, size, "a filter of more than %d characters", TEXT_MAX);
        return NULL;
    }
    if (compile(whole, &program, cause, sizeof cause) < 0) {
        place_say(whole, cause, error, size);
        return NULL;
    }
    json_t *instructions = json_array();
    for (u_int i = 0; i < program.bf_len; i++) {
        const struct bpf_insn *one = &program.bf_insns[i];
        json_array_append_new(instructions, json_pack("[i,i,i,I]", (int)one->code, (int)one->jt,
                                                      (int)one->jf, (json_int_t)one->k));
    }
    pcap_freecode(&program);
    return instructions;
}
