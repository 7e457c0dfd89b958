#include "tool/daemon/impairments.h"

#include <stdio.h>
#include <string.h>

enum field_kind { FIELD_TIME, FIELD_PART, FIELD_RATE, FIELD_COUNT };

static const double TIME_MAX = 3600e9, RATE_MAX = 1e13, COUNT_MAX = 1e7;

/* Where a field lies, and what bounds it has. */
static const struct field {
    const char *name;
    enum field_kind kind;
    size_t at;
} fields[] = {
#define FIELD(name, kind)                                                                          \
    { #name, kind, offsetof(struct berth_impairment, name) }
    FIELD(delay, FIELD_TIME),
    FIELD(jitter, FIELD_TIME),
    FIELD(delay_correlation, FIELD_PART),
    FIELD(loss, FIELD_PART),
    FIELD(loss_correlation, FIELD_PART),
    FIELD(duplicate, FIELD_PART),
    FIELD(duplicate_correlation, FIELD_PART),
    FIELD(corrupt, FIELD_PART),
    FIELD(corrupt_correlation, FIELD_PART),
    FIELD(reorder, FIELD_PART),
    FIELD(reorder_correlation, FIELD_PART),
    FIELD(gap, FIELD_COUNT),
    FIELD(rate, FIELD_RATE),
    FIELD(limit, FIELD_COUNT),
#undef FIELD
};
enum { FIELDS = sizeof fields / sizeof fields[0], CHAIN = 5 };

static const char *const distributions[] = {"uniform", "normal", "pareto", "paretonormal"};
static const char *const loss_models[] = {"random", "gemodel", "state"};

static bool field_set(const struct field *field, double value,
                      struct berth_impairment *impairment) {
    void *at = (char *)impairment + field->at;
    double bound = field->kind == FIELD_TIME   ? TIME_MAX
                   : field->kind == FIELD_PART ? 1.0
                   : field->kind == FIELD_RATE ? RATE_MAX
                                               : COUNT_MAX;
    if (!(value >= 0 && value <= bound))
        return false;
    if (field->kind == FIELD_PART)
        *(double *)at = value;
    else if (field->kind == FIELD_COUNT)
        *(uint32_t *)at = (uint32_t)value;
    else
        *(uint64_t *)at = (uint64_t)value;
    return true;
}

static double field_get(const struct field *field, const struct berth_impairment *impairment) {
    const void *at = (const char *)impairment + field->at;
    return field->kind == FIELD_PART    ? *(const double *)at
           : field->kind == FIELD_COUNT ? *(const uint32_t *)at
                                        : (double)*(const uint64_t *)at;
}

/* The number of a name among `count`, or -1. */
static int name_read(json_t *value, const char *const *names, int count) {
    const char *name = json_string_value(value);
    for (int i = 0; name != NULL && i < count; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

static bool chain_read(json_t *list, double chain[CHAIN]) {
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count > CHAIN)
        return false;
    memset(chain, 0, CHAIN * sizeof *chain);
    for (size_t i = 0; i < count; i++) {
        chain[i] = json_is_number(json_array_get(list, i))
                       ? json_number_value(json_array_get(list, i))
                       : -1;
        if (!(chain[i] >= 0 && chain[i] <= 1))
            return false;
    }
    return true;
}

enum verdict { FINE, UNKNOWN, OUT_OF_BOUNDS };

static enum verdict property_read(const char *key, json_t *value,
                                  struct berth_impairment *impairment) {
    if (strcmp(key, "distribution") == 0) {
        int name = name_read(value, distributions, 4);
        impairment->distribution = (enum berth_distribution)(name < 0 ? 0 : name);
        return name < 0 ? OUT_OF_BOUNDS : FINE;
    }
    if (strcmp(key, "loss_model") == 0) {
        int name = name_read(value, loss_models, 3);
        impairment->loss_model = (enum berth_loss_model)(name < 0 ? 0 : name);
        return name < 0 ? OUT_OF_BOUNDS : FINE;
    }
    if (strcmp(key, "chain") == 0)
        return chain_read(value, impairment->chain) ? FINE : OUT_OF_BOUNDS;
    for (size_t i = 0; i < FIELDS; i++)
        if (strcmp(fields[i].name, key) == 0)
            return json_is_number(value) &&
                           field_set(&fields[i], json_number_value(value), impairment)
                       ? FINE
                       : OUT_OF_BOUNDS;
    return UNKNOWN;
}

bool impairment_read(json_t *set, struct berth_impairment *impairment, char *error) {
    const char *key;
    json_t *value;
    json_object_foreach(set, key, value) {
        enum verdict verdict = property_read(key, value, impairment);
        if (verdict == FINE)
            continue;
        snprintf(error, SENTENCE, "%.40s: %s", key,
                 verdict == UNKNOWN ? "no such property of a link" : "out of bounds");
        return false;
    }
    if (impairment->reorder > 0 && impairment->delay == 0)
        snprintf(error, SENTENCE,
                 "reorder needs a delay: some frames pass while the others wait for it");
    else if (impairment->gap > 1 && impairment->reorder <= 0)
        snprintf(error, SENTENCE, "gap needs reorder: it says how many wait before one passes");
    else
        return true;
    return false;
}

json_t *impairment_pack(const struct berth_impairment *impairment) {
    json_t *packed = json_object();
    for (size_t i = 0; i < FIELDS; i++) {
        double value = field_get(&fields[i], impairment);
        if (value != 0)
            json_object_set_new(packed, fields[i].name,
                                fields[i].kind == FIELD_PART ? json_real(value)
                                                             : json_integer((json_int_t)value));
    }
    if (impairment->jitter != 0 && impairment->distribution != BERTH_UNIFORM)
        json_object_set_new(packed, "distribution",
                            json_string(distributions[impairment->distribution]));
    if (impairment->loss_model == BERTH_LOSS_RANDOM)
        return packed;
    json_t *chain = json_array();
    int count = impairment->loss_model == BERTH_LOSS_STATE ? CHAIN : CHAIN - 1;
    for (int i = 0; i < count; i++)
        json_array_append_new(chain, json_real(impairment->chain[i]));
    json_object_set_new(packed, "loss_model", json_string(loss_models[impairment->loss_model]));
    json_object_set_new(packed, "chain", chain);
    return packed;
}
