/* Faults at times: those of berth.yaml, counted from when `up` says that all is up. What becomes of
 * them is in a log of their own, and `up` asks for what failed. */
#include "tool/daemon/faults.h"
#include "tool/daemon/logs.h"
#include "tool/daemon/requests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In the order of their times; those of one time in the file's order. */
struct planned {
    struct planned *next;
    uint64_t at; /* ns from the start */
    json_t *fault;
    char place[160]; /* where the file says it */
    char text[160];  /* what it says */
};

enum { PLANNED_MAX = 100000 };
static const char LOG_NAME[] = "faults";

static void text_copy(char text[160], const json_t *entry, const char *key) {
    const char *value = json_string_value(json_object_get(entry, key));
    snprintf(text, 160, "%s", value != NULL ? value : "");
    for (char *at = text; *at != '\0'; at++)
        if (*at == '\n')
            *at = ' ';
}

static bool planned_add(struct daemon *daemon, json_t *entry) {
    json_t *fault = json_object_get(entry, "fault");
    double at = json_number_value(json_object_get(entry, "at"));
    struct planned **link = &daemon->planned, *made = calloc(1, sizeof *made);
    if (made == NULL || !json_is_object(fault) || !(at >= 0 && at <= 1e17)) {
        free(made);
        return false;
    }
    *made = (struct planned){.at = (uint64_t)at, .fault = json_incref(fault)};
    text_copy(made->place, entry, "place");
    text_copy(made->text, entry, "text");
    if (daemon->last_planned != NULL && daemon->last_planned->at <= made->at)
        link = &daemon->last_planned->next; /* they come in order */
    while (*link != NULL && (*link)->at <= made->at)
        link = &(*link)->next;
    made->next = *link;
    *link = made;
    if (made->next == NULL)
        daemon->last_planned = made;
    return true;
}

static size_t planned_count(const struct daemon *daemon) {
    size_t count = 0;
    for (const struct planned *planned = daemon->planned; planned; planned = planned->next)
        count++;
    return count;
}

/* `list` adds some, `start` lets the time begin, `over` says that nothing more will come of them.
 */
void request_faults(struct connection *c, json_t *request) {
    struct daemon *daemon = c->daemon;
    json_t *list = json_object_get(request, "list"), *entry;
    size_t i;
    if (daemon->up != c || (list != NULL && !json_is_array(list)) ||
        json_array_size(list) + planned_count(daemon) > PLANNED_MAX) {
        connection_refuse(c, "faults come after up, in a list");
        return;
    }
    if (list != NULL && daemon->plan_log == NULL)
        daemon->plan_log = log_open(daemon, LOG_NAME);
    json_array_foreach(list, i, entry) {
        if (!planned_add(daemon, entry)) {
            connection_refuse(c, "fault %zu makes no sense", i);
            return;
        }
    }
    if (json_is_true(json_object_get(request, "start")) && daemon->plan_start == 0)
        daemon->plan_start = clock_monotonic();
    if (json_is_true(json_object_get(request, "over")) && daemon->plan_log != NULL) {
        log_end(daemon->plan_log);
        daemon->plan_log = NULL;
    }
    connection_ok(c);
}

static void planned_free(struct planned *planned) {
    json_decref(planned->fault);
    free(planned);
}

static struct planned *planned_take(struct daemon *daemon) {
    struct planned *first = daemon->planned;
    daemon->planned = first->next;
    if (daemon->planned == NULL)
        daemon->last_planned = NULL;
    return first;
}

void schedule_free(struct daemon *daemon) {
    while (daemon->planned != NULL)
        planned_free(planned_take(daemon));
    json_decref(daemon->plan_failed);
    daemon->plan_failed = NULL;
    daemon->plan_start = 0;
    if (daemon->plan_log != NULL)
        log_end(daemon->plan_log);
    daemon->plan_log = NULL;
}

void schedule_report(struct daemon *daemon, json_t *reply) {
    json_object_set_new(reply, "left", json_integer((json_int_t)planned_count(daemon)));
    if (daemon->plan_failed != NULL)
        json_object_set_new(reply, "failed", daemon->plan_failed);
    daemon->plan_failed = NULL;
}

static void planned_do(struct daemon *daemon, const struct planned *planned) {
    char error[SENTENCE] = "out of memory", line[SENTENCE + 2 * sizeof planned->text];
    json_t *reply = fault_do(daemon, planned->fault, error);
    if (reply == NULL && daemon->plan_failed == NULL)
        daemon->plan_failed = json_array();
    if (reply == NULL)
        json_array_append_new(daemon->plan_failed, json_pack("[s,s]", planned->place, error));
    snprintf(line, sizeof line, "%s%s%s\n", planned->text, reply == NULL ? ": failed: " : "",
             reply == NULL ? error : "");
    if (daemon->plan_log != NULL)
        log_say(daemon->plan_log, line);
    json_decref(reply);
}

int schedule_look(struct daemon *daemon) {
    bool done = false;
    int wait = -1;
    while (daemon->planned != NULL && daemon->plan_start != 0 && !daemon->ending && wait < 0) {
        uint64_t now = clock_monotonic(), at = daemon->plan_start + daemon->planned->at;
        if (now < at) {
            wait = (at - now) / BERTH_MS >= 1000000 ? 1000000
                                                    : (int)((at - now + BERTH_MS - 1) / BERTH_MS);
            continue;
        }
        struct planned *first = planned_take(daemon);
        planned_do(daemon, first);
        planned_free(first);
        done = true;
    }
    if (done && daemon->up != NULL)
        connection_tell(daemon->up, "fault", "");
    return wait;
}
