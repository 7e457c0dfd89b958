#include "tool/daemon/netem.h"
#include "tool/daemon/computers.h"
#include "tool/daemon/lans.h"
#include "tool/daemon/requests.h"
#include "tool/outside/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum field_kind { FIELD_TIME, FIELD_PART, FIELD_RATE, FIELD_COUNT };

static const double TIME_MAX = 3600e9, RATE_MAX = 1e13, COUNT_MAX = 1e7;

/* Where a field lies, and what bounds it has. */
static const struct field {
    const char *name;
    enum field_kind kind;
    size_t at;
} fields[] = {
    {"delay", FIELD_TIME, offsetof(struct berth_impairment, delay)},
    {"jitter", FIELD_TIME, offsetof(struct berth_impairment, jitter)},
    {"loss", FIELD_PART, offsetof(struct berth_impairment, loss)},
    {"duplicate", FIELD_PART, offsetof(struct berth_impairment, duplicate)},
    {"corrupt", FIELD_PART, offsetof(struct berth_impairment, corrupt)},
    {"reorder", FIELD_PART, offsetof(struct berth_impairment, reorder)},
    {"rate", FIELD_RATE, offsetof(struct berth_impairment, rate)},
    {"limit", FIELD_COUNT, offsetof(struct berth_impairment, limit)},
};
enum { FIELDS = sizeof fields / sizeof fields[0] };

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

bool impairment_read(json_t *set, struct berth_impairment *impairment, char *error) {
    const char *key;
    json_t *value;
    json_object_foreach(set, key, value) {
        size_t i = 0;
        while (i < FIELDS && strcmp(fields[i].name, key) != 0)
            i++;
        if (i == FIELDS || !json_is_number(value) ||
            !field_set(&fields[i], json_number_value(value), impairment)) {
            snprintf(error, SENTENCE, "%.40s: %s", key,
                     i == FIELDS ? "no such property of a link" : "out of bounds");
            return false;
        }
    }
    return true;
}

static json_t *impairment_pack(const struct berth_impairment *impairment) {
    return json_pack("{s:b,s:I,s:I,s:f,s:f,s:f,s:f,s:I,s:i}", "ok", 1, "delay",
                     (json_int_t)impairment->delay, "jitter", (json_int_t)impairment->jitter,
                     "loss", impairment->loss, "duplicate", impairment->duplicate, "corrupt",
                     impairment->corrupt, "reorder", impairment->reorder, "rate",
                     (json_int_t)impairment->rate, "limit", (int)impairment->limit);
}

static const struct outside *outside_find(struct daemon *daemon, const char *name) {
    const struct outside *outside = daemon->outsides;
    while (outside != NULL && strcmp(outside->name, name) != 0)
        outside = outside->next;
    return outside;
}

/* Both directions of a link are alike: a delay of 20 ms makes 40 ms there and back. What is merged
 * is what leaves the computer. */
void request_netem(struct connection *c, json_t *request) {
    struct daemon *daemon = c->daemon;
    const char *name = json_string_value(json_object_get(request, "host"));
    const struct outside *outside = outside_find(daemon, name != NULL ? name : "");
    char error[SENTENCE];
    struct computer *computer =
        outside == NULL ? computer_require(daemon, name != NULL ? name : "", error) : NULL;
    if (outside == NULL && computer == NULL) {
        connection_refuse(c, "%s", error);
        return;
    }
    struct berth_impairment impairment = {.delay = 0};
    uint64_t now;
    int result = 0;
    struct berth_network *network = server_lock(daemon->server, &now);
    bool replace = json_is_true(json_object_get(request, "replace"));
    if (computer != NULL && !replace)
        berth_network_impairment(network, computer->number, BERTH_EGRESS, &impairment);
    json_t *set = json_object_get(request, "set");
    bool fine = impairment_read(set, &impairment, error);
    if (fine && (set != NULL || replace))
        result =
            computer != NULL
                ? berth_network_impair(network, computer->number, BERTH_BOTH, &impairment)
                : berth_network_outside_impair(network, outside->number, BERTH_BOTH, &impairment);
    server_unlock(daemon->server);
    if (!fine)
        connection_refuse(c, "%s", error);
    else if (result < 0)
        connection_refuse(c, "%s", strerror(-result));
    else
        connection_reply(c, impairment_pack(&impairment));
}

void request_tap(struct connection *c, json_t *request) {
    struct daemon *daemon = c->daemon;
    const char *name = json_string_value(json_object_get(request, "name"));
    int fd = control_reader_take_fd(&c->reader);
    char error[SENTENCE];
    struct outside *outside = calloc(1, sizeof *outside);
    const char *wrong = fd < 0            ? "tap needs a descriptor"
                        : !tap_is(fd)     ? "that descriptor is not a TAP device's"
                        : outside == NULL ? "out of memory"
                        : name == NULL || !place_name_valid(name) ? "tap needs a name"
                        : outside_find(daemon, name) != NULL || computer_find(daemon, name) != NULL
                            ? "that name is in use already"
                        : lan_first(daemon, error) == NULL ? error
                                                           : NULL;
    if (wrong != NULL) {
        if (fd >= 0)
            close(fd);
        free(outside);
        connection_refuse(c, "%s", wrong);
        return;
    }
    uint64_t now;
    struct berth_network *network = server_lock(daemon->server, &now);
    outside->number = berth_network_add_outside(network, daemon->lans->number, name, 0);
    server_unlock(daemon->server);
    int result = outside->number;
    if (result < 0)
        close(fd);
    else
        result = server_add_outside(daemon->server, outside->number, fd);
    if (result < 0) {
        free(outside);
        connection_refuse(c, "cannot join %.40s: %s", name, strerror(-result));
        return;
    }
    snprintf(outside->name, sizeof outside->name, "%s", name);
    outside->next = daemon->outsides;
    daemon->outsides = outside;
    connection_ok(c);
}

void outsides_free(struct daemon *daemon) {
    while (daemon->outsides != NULL) {
        struct outside *outside = daemon->outsides;
        daemon->outsides = outside->next;
        free(outside);
    }
}
