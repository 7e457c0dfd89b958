#include "tool/cli/netem.h"
#include "tool/cli/units.h"
#include "tool/control/nearest.h"

#include <stdarg.h>
#include <string.h>

/* The words that are left, and what was read of them. */
struct reading {
    char *const *words;
    int count, at;
    json_t *set;
    char *error;
    size_t size;
};

static bool wrong(struct reading *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool wrong(struct reading *r, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(r->error, r->size, format, arguments);
    va_end(arguments);
    return false;
}

static const char *next(const struct reading *r) {
    return r->at < r->count ? r->words[r->at] : "";
}

static bool take(struct reading *r, const char *word) {
    bool is = strcmp(next(r), word) == 0;
    r->at += is;
    return is;
}

typedef bool quantity(const char *text, double *value);

static bool whole(const char *text, double *value) {
    return unit_count(text, 1e7, value);
}

/* A value that has to be there, and one that may be; what is not said is 0. */
static bool needed(struct reading *r, const char *word, quantity *read, const char *key,
                   const char *example) {
    double value;
    if (r->at == r->count || !read(next(r), &value))
        return wrong(r, "%s: \"%.40s\" should be such as %s", word, next(r), example);
    r->at++;
    json_object_set_new(r->set, key, json_real(value));
    return true;
}

static void optional(struct reading *r, quantity *read, const char *key) {
    double value = 0;
    if (r->at < r->count && read(next(r), &value))
        r->at++;
    json_object_set_new(r->set, key, json_real(value));
}

/* ---- one word and what belongs to it ---- */

static bool read_delay(struct reading *r, const char *word) {
    if (!needed(r, word, unit_time, "delay", "50ms"))
        return false;
    int before = r->at;
    optional(r, unit_time, "jitter");
    if (r->at > before)
        optional(r, unit_percent, "delay_correlation");
    else
        json_object_set_new(r->set, "delay_correlation", json_real(0));
    return true;
}

static bool read_distribution(struct reading *r, const char *word) {
    static const char *const names[] = {"uniform", "normal", "pareto", "paretonormal"};
    for (int i = 0; i < 4; i++) {
        if (!take(r, names[i]))
            continue;
        json_object_set_new(r->set, word, json_string(names[i]));
        return true;
    }
    const char *nearest = word_nearest(next(r), names, 4);
    return wrong(r, "%s: \"%.40s\" should be uniform, normal, pareto or paretonormal%s%s%s", word,
                 next(r), nearest ? " (did you mean \"" : "", nearest ? nearest : "",
                 nearest ? "\"?)" : "");
}

/* What tc takes for those that are not said. */
static bool read_chain(struct reading *r, const char *model) {
    bool states = strcmp(model, "state") == 0;
    double chain[5] = {0};
    int count = 0, most = states ? 5 : 4;
    while (count < most && r->at < r->count && unit_percent(next(r), &chain[count])) {
        r->at++;
        count++;
    }
    if (count == 0)
        return wrong(r, "loss %s: \"%.40s\" should be such as 1%%", model, next(r));
    if (count < 2)
        chain[1] = 1 - chain[0];
    if (count < 3)
        chain[2] = states ? 0 : 1;
    if (count < 4)
        chain[3] = states ? 1 : 0;
    if (states && (chain[0] + chain[4] > 1 || chain[1] + chain[2] > 1))
        return wrong(r, "loss state: P13 and P14, and P31 and P32, may not be more than 100%%");
    json_t *list = json_array();
    for (int i = 0; i < most; i++)
        json_array_append_new(list, json_real(chain[i]));
    json_object_set_new(r->set, "chain", list);
    json_object_set_new(r->set, "loss_model", json_string(model));
    json_object_set_new(r->set, "loss", json_real(0));
    json_object_set_new(r->set, "loss_correlation", json_real(0));
    return true;
}

static bool read_loss(struct reading *r, const char *word) {
    if (take(r, "gemodel"))
        return read_chain(r, "gemodel");
    if (take(r, "state"))
        return read_chain(r, "state");
    take(r, "random");
    if (!needed(r, word, unit_percent, "loss", "2%"))
        return false;
    json_object_set_new(r->set, "loss_model", json_string("random"));
    optional(r, unit_percent, "loss_correlation");
    return true;
}

static bool read_duplicate(struct reading *r, const char *word) {
    if (!needed(r, word, unit_percent, "duplicate", "1%"))
        return false;
    optional(r, unit_percent, "duplicate_correlation");
    return true;
}

static bool read_corrupt(struct reading *r, const char *word) {
    if (!needed(r, word, unit_percent, "corrupt", "0.1%"))
        return false;
    optional(r, unit_percent, "corrupt_correlation");
    return true;
}

static bool read_gap(struct reading *r, const char *word) {
    return needed(r, word, whole, "gap", "5");
}

static bool read_reorder(struct reading *r, const char *word) {
    if (!needed(r, word, unit_percent, "reorder", "25%"))
        return false;
    optional(r, unit_percent, "reorder_correlation");
    json_object_set_new(r->set, "gap", json_real(0));
    return take(r, "gap") ? read_gap(r, "gap") : true;
}

static bool read_rate(struct reading *r, const char *word) {
    return needed(r, word, unit_rate, "rate", "10mbit");
}

static bool read_limit(struct reading *r, const char *word) {
    return needed(r, word, whole, "limit", "1000");
}

static const struct {
    const char *name;
    bool (*read)(struct reading *r, const char *word);
} words_known[] = {
    {"delay", read_delay},     {"distribution", read_distribution},
    {"loss", read_loss},       {"duplicate", read_duplicate},
    {"corrupt", read_corrupt}, {"reorder", read_reorder},
    {"gap", read_gap},         {"rate", read_rate},
    {"limit", read_limit},
};
enum { WORDS = sizeof words_known / sizeof words_known[0] };

static bool read_word(struct reading *r) {
    /* The others stand in front, but may have been meant. */
    const char *names[WORDS + 4] = {[WORDS] = "egress", "ingress", "only", "replace"};
    const char *word = next(r);
    for (size_t i = 0; i < WORDS; i++) {
        if (strcmp(words_known[i].name, word) == 0) {
            r->at++;
            return words_known[i].read(r, word);
        }
        names[i] = words_known[i].name;
    }
    const char *nearest = word_nearest(word, names, WORDS + 4);
    if (nearest != NULL && strcmp(nearest, word) == 0)
        return wrong(r, "%s stands in front: HOST [egress|ingress] [only MATCH] [replace] WORD...",
                     word);
    if (nearest != NULL)
        return wrong(r, "\"%.40s\": no such word (did you mean \"%s\"?)", word, nearest);
    return wrong(r,
                 "\"%.40s\": the words are delay, distribution, loss, duplicate, corrupt, "
                 "reorder, gap, rate, limit",
                 word);
}

static json_t *read_all(struct reading *r) {
    r->set = json_object();
    bool fine = r->set != NULL;
    while (fine && r->at < r->count)
        fine = read_word(r);
    if (!fine) {
        json_decref(r->set);
        r->set = NULL;
    }
    return r->set;
}

json_t *netem_property(int count, char *const *words, char *error, size_t size) {
    struct reading r = {words, count, 0, json_object(), error, size};
    bool delay = strcmp(next(&r), "delay") == 0, fine = r.set != NULL && read_word(&r);
    if (fine && delay && take(&r, "distribution"))
        fine = read_distribution(&r, "distribution");
    if (fine && r.at < r.count)
        fine = wrong(&r, "\"%.40s\" is a value too many", next(&r));
    if (fine)
        return r.set;
    json_decref(r.set);
    return NULL;
}

/* ---- a whole request ---- */

/* "only tcp port 5432 to db2" */
static bool read_only(struct reading *r, json_t *only) {
    static const char *const protocols[] = {"tcp", "udp", "icmp", "icmp6"};
    for (bool more = true; more;) {
        double port;
        more = false;
        for (int i = 0; i < 4 && !more; i++)
            if ((more = take(r, protocols[i])))
                json_object_set_new(only, "protocol", json_string(protocols[i]));
        if (!more && (more = take(r, "port"))) {
            if (!unit_count(next(r), 65535, &port) || port == 0)
                return wrong(r, "port: \"%.40s\" should be 1 to 65535", next(r));
            r->at++;
            json_object_set_new(only, "port", json_integer((json_int_t)port));
        } else if (!more && (more = take(r, "to") || take(r, "from"))) {
            if (r->at == r->count)
                return wrong(r, "to: which host, or which address?");
            json_object_set_new(only, "to", json_string(r->words[r->at++]));
        }
    }
    return json_object_size(only) > 0 ||
           wrong(r, "only: what follows is tcp, udp, icmp or icmp6, port NUMBER, to HOST");
}

json_t *netem_request(int count, char *const *words, char *error, size_t size) {
    struct reading r = {words, count, 1, NULL, error, size};
    const char *colon = strchr(words[0], ':');
    int length = colon != NULL ? (int)(colon - words[0]) : (int)strlen(words[0]);
    json_t *request = json_pack("{s:s,s:s%,s:s*}", "do", "netem", "host", words[0], length,
                                "network", colon != NULL ? colon + 1 : NULL);
    json_t *only = NULL;
    if (request == NULL) {
        wrong(&r, "\"%.40s\" is no host's name", words[0]);
        return NULL;
    }
    if (strcmp(next(&r), "egress") == 0 || strcmp(next(&r), "ingress") == 0)
        json_object_set_new(request, "direction", json_string(r.words[r.at++]));
    bool fine = true;
    if (take(&r, "only")) {
        only = json_object();
        json_object_set_new(request, "only", only);
        fine = read_only(&r, only);
    }
    bool remove = fine && take(&r, "del");
    json_object_set_new(request, "del", json_boolean(remove));
    json_object_set_new(request, "replace", json_boolean(fine && take(&r, "replace")));
    if (remove && r.at < r.count)
        fine = wrong(&r, "del takes all away; nothing comes after it");
    if (fine && only != NULL && !remove && r.at == r.count)
        fine = wrong(&r, "only: what is to become of these frames?");
    if (!fine || read_all(&r) == NULL) {
        json_decref(request);
        return NULL;
    }
    json_object_set_new(request, "set", r.set);
    return request;
}
