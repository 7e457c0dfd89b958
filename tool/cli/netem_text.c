/* What links do, in netem's words again. */
#include "tool/cli/netem.h"

#include <string.h>

static double number(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

static void print_time(FILE *file, double ns) {
    if (ns >= 1e9)
        fprintf(file, " %gs", ns / 1e9);
    else if (ns >= 1e6)
        fprintf(file, " %gms", ns / 1e6);
    else if (ns >= 1e3)
        fprintf(file, " %gus", ns / 1e3);
    else
        fprintf(file, " %gns", ns);
}

static void print_percent(FILE *file, double part) {
    fprintf(file, " %g%%", part * 100);
}

static void print_rate(FILE *file, double bits) {
    if (bits >= 1e9)
        fprintf(file, " rate %ggbit", bits / 1e9);
    else if (bits >= 1e6)
        fprintf(file, " rate %gmbit", bits / 1e6);
    else if (bits >= 1e3)
        fprintf(file, " rate %gkbit", bits / 1e3);
    else
        fprintf(file, " rate %gbit", bits);
}

static void print_delay(FILE *file, const json_t *does) {
    double jitter = number(does, "jitter"), correlation = number(does, "delay_correlation");
    const char *distribution = json_string_value(json_object_get(does, "distribution"));
    if (number(does, "delay") == 0 && jitter == 0)
        return;
    fputs(" delay", file);
    print_time(file, number(does, "delay"));
    if (jitter != 0)
        print_time(file, jitter);
    if (jitter != 0 && correlation != 0)
        print_percent(file, correlation);
    if (distribution != NULL)
        fprintf(file, " distribution %s", distribution);
}

static void print_loss(FILE *file, const json_t *does) {
    const char *model = json_string_value(json_object_get(does, "loss_model"));
    const json_t *chain = json_object_get(does, "chain"), *part;
    size_t i;
    if (model == NULL)
        return;
    fprintf(file, " loss %s", model);
    json_array_foreach(chain, i, part) {
        print_percent(file, json_number_value(part));
    }
}

static void print_part(FILE *file, const json_t *does, const char *word, const char *correlation) {
    if (number(does, word) == 0)
        return;
    fprintf(file, " %s", word);
    print_percent(file, number(does, word));
    if (number(does, correlation) != 0)
        print_percent(file, number(does, correlation));
}

static void print_does(FILE *file, const json_t *does) {
    print_delay(file, does);
    print_part(file, does, "loss", "loss_correlation");
    print_loss(file, does);
    print_part(file, does, "duplicate", "duplicate_correlation");
    print_part(file, does, "corrupt", "corrupt_correlation");
    print_part(file, does, "reorder", "reorder_correlation");
    if (number(does, "gap") > 1)
        fprintf(file, " gap %g", number(does, "gap"));
    if (number(does, "rate") != 0)
        print_rate(file, number(does, "rate"));
    if (number(does, "limit") != 0)
        fprintf(file, " limit %g", number(does, "limit"));
    fputc('\n', file);
}

static void print_matches(FILE *file, const char *link, const char *direction, const json_t *does) {
    const json_t *match;
    size_t i;
    json_array_foreach(json_object_get(does, "matches"), i, match) {
        const json_t *only = json_object_get(match, "only");
        const char *protocol = json_string_value(json_object_get(only, "protocol"));
        const char *to = json_string_value(json_object_get(only, "to"));
        fprintf(file, "%s%s only", link, direction);
        if (protocol != NULL)
            fprintf(file, " %s", protocol);
        if (number(only, "port") != 0)
            fprintf(file, " port %g", number(only, "port"));
        if (to != NULL)
            fprintf(file, " to %s", to);
        print_does(file, match);
    }
}

static void print_link(FILE *file, const json_t *link, bool alone) {
    const char *host = json_string_value(json_object_get(link, "host"));
    const char *network = json_string_value(json_object_get(link, "network"));
    const json_t *egress = json_object_get(link, "egress"),
                 *ingress = json_object_get(link, "ingress");
    char name[160];
    bool named = !alone && network != NULL;
    snprintf(name, sizeof name, "%s%s%s", host, named ? ":" : "", named ? network : "");
    if (!json_is_true(json_object_get(link, "up")))
        fprintf(file, "%s down\n", name);
    if (json_equal(egress, ingress)) {
        fputs(name, file);
        print_does(file, egress);
        print_matches(file, name, "", egress);
        return;
    }
    fprintf(file, "%s egress", name);
    print_does(file, egress);
    print_matches(file, name, " egress", egress);
    fprintf(file, "%s ingress", name);
    print_does(file, ingress);
    print_matches(file, name, " ingress", ingress);
}

void netem_print(FILE *file, const json_t *links) {
    const json_t *link;
    size_t i;
    json_array_foreach(links, i, link) {
        print_link(file, link, json_array_size(links) == 1);
    }
}
