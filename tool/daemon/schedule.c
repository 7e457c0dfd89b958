/* Faults at times: those of berth.yaml, counted from when `up` says that all is started. */
#include "tool/daemon/faults.h"
#include "tool/daemon/requests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In the order of their times; those of one time in the file's order. */
struct planned {
    struct planned *next;
    uint64_t at; /* CLOCK_MONOTONIC ns */
    json_t *fault;
    char place[160]; /* where the file says it */
};

enum { PLANNED_MAX = 100000 };

static bool planned_add(struct daemon *daemon, json_t *entry, uint64_t start) {
    json_t *fault = json_object_get(entry, "fault");
    double at = json_number_value(json_object_get(entry, "at"));
    const char *place = json_string_value(json_object_get(entry, "place"));
    struct planned **link = &daemon->planned, *made = calloc(1, sizeof *made);
    if (made == NULL || !json_is_object(fault) || !(at >= 0 && at <= 1e17)) {
        free(made);
        return false;
    }
    *made = (struct planned){.at = start + (uint64_t)at, .fault = json_incref(fault)};
    snprintf(made->place, sizeof made->place, "%s", place != NULL ? place : "");
    while (*link != NULL && (*link)->at <= made->at)
        link = &(*link)->next;
    made->next = *link;
    *link = made;
    return true;
}

void request_faults(struct connection *c, json_t *request) {
    json_t *list = json_object_get(request, "list"), *entry;
    uint64_t start = clock_monotonic();
    size_t i;
    if (c->daemon->up != c || !json_is_array(list) || json_array_size(list) > PLANNED_MAX) {
        connection_refuse(c, "faults come after up, in a list");
        return;
    }
    json_array_foreach(list, i, entry) {
        if (!planned_add(c->daemon, entry, start)) {
            connection_refuse(c, "fault %zu makes no sense", i);
            return;
        }
    }
    connection_ok(c);
}

static void planned_free(struct planned *planned) {
    json_decref(planned->fault);
    free(planned);
}

void schedule_free(struct daemon *daemon) {
    while (daemon->planned != NULL) {
        struct planned *first = daemon->planned;
        daemon->planned = first->next;
        planned_free(first);
    }
}

/* What cannot be done is told to who said `up`. */
static void planned_do(struct daemon *daemon, const struct planned *planned) {
    char error[SENTENCE] = "out of memory", text[SENTENCE + sizeof planned->place];
    json_t *reply = fault_do(daemon, planned->fault, error);
    if (reply == NULL && daemon->up != NULL) {
        snprintf(text, sizeof text, "%s%s%s", planned->place, planned->place[0] ? ": " : "", error);
        connection_tell(daemon->up, "note", text);
    }
    json_decref(reply);
}

int schedule_look(struct daemon *daemon) {
    while (daemon->planned != NULL && !daemon->ending) {
        struct planned *first = daemon->planned;
        uint64_t now = clock_monotonic();
        if (now < first->at)
            return (first->at - now) / BERTH_MS >= 1000000
                       ? 1000000
                       : (int)((first->at - now + BERTH_MS - 1) / BERTH_MS);
        daemon->planned = first->next;
        planned_do(daemon, first);
        planned_free(first);
    }
    return -1;
}
