/* The line that `ss -i` prints below a connection, in iproute2's words and order. */
#include "tool/cli/ss.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct line {
    char *text;
    size_t size, length;
};

__attribute__((format(printf, 2, 3))) static void add(struct line *line, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int added = vsnprintf(line->text + line->length, line->size - line->length, format, arguments);
    va_end(arguments);
    if (added < 0 || (size_t)added >= line->size - line->length)
        line->text[line->length] = '\0'; /* a word that does not fit is left out */
    else
        line->length += (size_t)added;
}

/* Bits a second, three digits and a prefix; numeric: all digits. */
static void rate_text(double rate, bool numeric, char text[32]) {
    static const char prefixes[] = " KMGTPE";
    size_t at = 0;
    for (; !numeric && rate >= 1000 && prefixes[at + 1] != '\0'; at++)
        rate /= 1000;
    if (at == 0)
        snprintf(text, 32, "%.0fbps", rate);
    else
        snprintf(text, 32, rate < 999.5 ? "%.3g%cbps" : "%.0f%cbps", rate, prefixes[at]);
}

enum kind {
    FLAG,   /* the word alone */
    OPTION, /* the same, if options are asked for */
    NUMBER, /* word:value */
    TEXT,   /* the value alone */
    PAIR,   /* word:value,value */
    TWO,    /* word:value/value of the next one */
    TOTAL,  /* the same, and said where only the second is there */
    RATE,   /* word valuebps/valuebps of the next one, if it is there */
    TIME,   /* word:valuems */
    PART,   /* word:valuems(value%) */
};

struct word {
    const char *key;
    enum kind kind;
    const char *second;
};

static const struct word words[] = {
    {"ts", OPTION, NULL},
    {"sack", OPTION, NULL},
    {"ecn", OPTION, NULL},
    {"ecnseen", OPTION, NULL},
    {"congestion", TEXT, NULL},
    {"wscale", PAIR, NULL},
    {"rto", NUMBER, NULL},
    {"backoff", NUMBER, NULL},
    {"rtt", TWO, "rttvar"},
    {"ato", NUMBER, NULL},
    {"mss", NUMBER, NULL},
    {"pmtu", NUMBER, NULL},
    {"rcvmss", NUMBER, NULL},
    {"advmss", NUMBER, NULL},
    {"cwnd", NUMBER, NULL},
    {"ssthresh", NUMBER, NULL},
    {"bytes_sent", NUMBER, NULL},
    {"bytes_retrans", NUMBER, NULL},
    {"bytes_acked", NUMBER, NULL},
    {"bytes_received", NUMBER, NULL},
    {"segs_out", NUMBER, NULL},
    {"segs_in", NUMBER, NULL},
    {"data_segs_out", NUMBER, NULL},
    {"data_segs_in", NUMBER, NULL},
    {"send", RATE, NULL},
    {"lastsnd", NUMBER, NULL},
    {"lastrcv", NUMBER, NULL},
    {"lastack", NUMBER, NULL},
    {"pacing_rate", RATE, "max_pacing_rate"},
    {"delivery_rate", RATE, NULL},
    {"delivered", NUMBER, NULL},
    {"delivered_ce", NUMBER, NULL},
    {"app_limited", FLAG, NULL},
    {"busy", TIME, NULL},
    {"rwnd_limited", PART, NULL},
    {"sndbuf_limited", PART, NULL},
    {"unacked", NUMBER, NULL},
    {"retrans", TOTAL, "retrans_total"},
    {"lost", NUMBER, NULL},
    {"sacked", NUMBER, NULL},
    {"dsack_dups", NUMBER, NULL},
    {"reordering", NUMBER, NULL},
    {"reord_seen", NUMBER, NULL},
    {"rcv_rtt", NUMBER, NULL},
    {"rcv_space", NUMBER, NULL},
    {"rcv_ssthresh", NUMBER, NULL},
    {"notsent", NUMBER, NULL},
    {"minrtt", NUMBER, NULL},
    {"rcv_ooopack", NUMBER, NULL},
    {"snd_wnd", NUMBER, NULL},
};

/* Whole, or with six digits, as iproute2's %u and %g. */
static const char *value_text(const json_t *value, char text[32]) {
    if (json_is_real(value))
        snprintf(text, 32, "%g", json_real_value(value));
    else
        snprintf(text, 32, "%lld", (long long)json_integer_value(value));
    return text;
}

static void word_add(struct line *line, const struct word *word, const json_t *info,
                     const struct ss_choice *choice) {
    const json_t *value = json_object_get(info, word->key);
    const json_t *second = word->second != NULL ? json_object_get(info, word->second) : NULL;
    char one[32], two[32];
    if (value == NULL && !(word->kind == TOTAL && second != NULL))
        return;
    switch (word->kind) {
    case OPTION:
        if (choice->options)
            add(line, " %s", word->key);
        break;
    case FLAG:
        add(line, " %s", word->key);
        break;
    case NUMBER:
        add(line, " %s:%s", word->key, value_text(value, one));
        break;
    case TEXT:
        add(line, " %s", json_string_value(value) != NULL ? json_string_value(value) : "");
        break;
    case PAIR:
        add(line, " %s:%s,%s", word->key, value_text(json_array_get(value, 0), one),
            value_text(json_array_get(value, 1), two));
        break;
    case TWO:
    case TOTAL:
        add(line, " %s:%s/%s", word->key, value_text(value, one), value_text(second, two));
        break;
    case RATE:
        rate_text(json_number_value(value), choice->numeric, one);
        if (second != NULL)
            rate_text(json_number_value(second), choice->numeric, two);
        add(line, " %s %s%s%s", word->key, one, second != NULL ? "/" : "",
            second != NULL ? two : "");
        break;
    case TIME:
        add(line, " %s:%sms", word->key, value_text(value, one));
        break;
    case PART:
        add(line, " %s:%sms(%.1f%%)", word->key, value_text(json_array_get(value, 0), one),
            json_real_value(json_array_get(value, 1)));
        break;
    }
}

void ss_info_text(const json_t *info, const struct ss_choice *choice, char *text, size_t size) {
    struct line line = {text, size, 0};
    text[0] = '\0';
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        word_add(&line, &words[i], info, choice);
}
