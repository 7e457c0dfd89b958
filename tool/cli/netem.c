#include "tool/cli/netem.h"
#include "tool/cli/cli.h"
#include "tool/cli/units.h"
#include "tool/control/nearest.h"

#include <string.h>

static bool count_read(const char *text, double *value) {
    return unit_count(text, 1e7, value);
}

static const struct word {
    const char *name;
    bool (*read)(const char *text, double *value);
    const char *example;
    const char *second; /* the field of a second quantity of the same kind, or NULL */
} words_known[] = {
    {"delay", unit_time, "50ms", "jitter"},  {"loss", unit_percent, "2%", NULL},
    {"duplicate", unit_percent, "1%", NULL}, {"corrupt", unit_percent, "0.1%", NULL},
    {"reorder", unit_percent, "25%", NULL},  {"rate", unit_rate, "10mbit", NULL},
    {"limit", count_read, "1000", NULL},
};
enum { WORDS = sizeof words_known / sizeof words_known[0] };

static const struct word *word_find(const char *text, char *error, size_t size) {
    const char *names[WORDS];
    for (size_t i = 0; i < WORDS; i++) {
        if (strcmp(words_known[i].name, text) == 0)
            return &words_known[i];
        names[i] = words_known[i].name;
    }
    const char *nearest = word_nearest(text, names, WORDS);
    if (nearest != NULL)
        snprintf(error, size, "\"%.40s\": no such word (did you mean \"%s\"?)", text, nearest);
    else
        snprintf(error, size,
                 "\"%.40s\": the words are delay, loss, duplicate, corrupt, reorder, rate, limit",
                 text);
    return NULL;
}

json_t *netem_read(int count, char *const *words, char *error, size_t size) {
    json_t *set = json_object();
    for (int i = 0; i < count;) {
        const struct word *word = word_find(words[i], error, size);
        double value = 0;
        if (word != NULL && (i + 1 == count || !word->read(words[i + 1], &value))) {
            snprintf(error, size, "%s: \"%.40s\" should be such as %s", word->name,
                     i + 1 < count ? words[i + 1] : "", word->example);
            word = NULL;
        }
        if (word == NULL) {
            json_decref(set);
            return NULL;
        }
        json_object_set_new(set, word->name, json_real(value));
        i += 2;
        if (word->second != NULL && i < count && word->read(words[i], &value)) {
            json_object_set_new(set, word->second, json_real(value));
            i++;
        }
    }
    return set;
}

static void impairment_print(const char *host, const json_t *reply) {
    static const struct {
        const char *name;
        double factor;
        const char *unit;
    } fields[] = {{"delay", 1e-6, "ms"},   {"jitter", 1e-6, "ms"}, {"loss", 100, "%"},
                  {"duplicate", 100, "%"}, {"corrupt", 100, "%"},  {"reorder", 100, "%"},
                  {"rate", 1e-6, "mbit"},  {"limit", 1, ""}};
    printf("%s", host);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        double value = json_number_value(json_object_get(reply, fields[i].name));
        if (value != 0)
            printf(" %s %g%s", fields[i].name, value * fields[i].factor, fields[i].unit);
    }
    printf("\n");
}

int command_netem(int argc, char **argv) {
    const struct cli_options options = {
        .usage = "netem [--net NET] HOST [del | [replace] WORD VALUE...]",
        .help = "Changes what the link between a computer and the switch does to frames, the same "
                "both ways;\nwhat is not mentioned stays as it is (with replace: is switched off). "
                "Without words: says\nwhat it does now. tc netem's words:\n\n"
                "  delay TIME [JITTER]   each frame waits (50ms 5ms)\n"
                "  loss PERCENT          (2%)\n"
                "  duplicate PERCENT, corrupt PERCENT\n"
                "  reorder PERCENT       that many pass at once while the others wait\n"
                "  rate RATE             (10mbit)\n"
                "  limit FRAMES          that wait at most\n",
        .letters = "",
        .least = 1,
        .most = -1};
    const char *net;
    int status = cli_parse(argc, argv, &options, &net);
    if (status >= 0)
        return status;
    const char *host = argv[optind++];
    bool del = argc - optind == 1 && strcmp(argv[optind], "del") == 0;
    bool replace = del || (optind < argc && strcmp(argv[optind], "replace") == 0);
    optind += replace;
    char error[CLI_TEXT];
    json_t *set = netem_read(argc - optind, argv + optind, error, sizeof error);
    if (set == NULL)
        return cli_misuse(argv[0], "netem: %s", error);
    json_t *reply = cli_ask(net,
                            json_pack("{s:s,s:s,s:b,s:o}", "do", "netem", "host", host, "replace",
                                      (int)replace, "set", set),
                            NULL, 0, NULL);
    if (reply == NULL)
        return STATUS_FAILED;
    impairment_print(host, reply);
    json_decref(reply);
    return 0;
}
