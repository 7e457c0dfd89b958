/* Links that go and come, partitions, healing; and whose business the other faults are. */
#include "tool/daemon/faults.h"
#include "tool/daemon/requests.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *text_of(json_t *request, const char *key) {
    const char *text = json_string_value(json_object_get(request, key));
    return text != NULL ? text : "";
}

static json_t *result_say(int result, char *error) {
    if (result == 0)
        return json_pack("{s:b}", "ok", 1);
    snprintf(error, SENTENCE, "%s", strerror(-result));
    return NULL;
}

/* A cable, where the other end is a network; else the way between two computers. */
static json_t *fault_link(struct daemon *daemon, json_t *request, char *error) {
    struct computer *computer = computer_require(daemon, text_of(request, "host"), error);
    const char *to = text_of(request, "to");
    bool up = json_is_true(json_object_get(request, "up"));
    if (computer == NULL)
        return NULL;
    uint64_t now;
    struct berth_network *network = server_lock(daemon->server, &now);
    int lan = berth_network_find_switch(network, to);
    int result = lan >= 0 ? berth_network_set_link(network, computer->number, lan, up) : 0;
    server_unlock(daemon->server);
    if (lan >= 0 && result < 0) {
        snprintf(error, SENTENCE, "host %s is not on network %.60s", computer->name, to);
        return NULL;
    }
    if (lan >= 0)
        return result_say(0, error);
    const struct computer *other = computer_require(daemon, to, error);
    if (other == NULL)
        return NULL;
    if (other == computer) {
        snprintf(error, SENTENCE, "a link has two ends, and %s is but one", computer->name);
        return NULL;
    }
    network = server_lock(daemon->server, &now);
    result = berth_network_set_path(network, computer->number, other->number, up);
    server_unlock(daemon->server);
    return result_say(result, error);
}

/* The groups' computers by name, into groups[number of the computer in the list]; 0: in none. */
static bool groups_read(struct daemon *daemon, json_t *groups, char *error) {
    size_t i, k;
    json_t *group, *name;
    for (struct computer *c = daemon->computers; c != NULL; c = c->next)
        c->group = 0;
    json_array_foreach(groups, i, group) {
        json_array_foreach(group, k, name) {
            const char *text = json_string_value(name);
            struct computer *computer = computer_require(daemon, text != NULL ? text : "", error);
            if (computer == NULL)
                return false;
            if (computer->group != 0 && computer->group != (uint32_t)i + 1) {
                snprintf(error, SENTENCE, "host %s is in two groups", computer->name);
                return false;
            }
            computer->group = (uint32_t)i + 1;
        }
    }
    if (json_array_size(groups) == 0)
        snprintf(error, SENTENCE, "a partition needs groups of hosts");
    return json_array_size(groups) > 0;
}

/* One group alone is cut off from all others. With several, who is in none reaches them all. */
static json_t *fault_partition(struct daemon *daemon, json_t *request, char *error) {
    json_t *groups = json_object_get(request, "groups");
    if (!groups_read(daemon, groups, error))
        return NULL;
    uint64_t now;
    struct berth_network *network = server_lock(daemon->server, &now);
    for (const struct computer *c = daemon->computers; c != NULL; c = c->next) {
        bool other = c->group == 0 && json_array_size(groups) == 1;
        berth_network_set_group(network, c->number, other ? 2 : c->group);
    }
    server_unlock(daemon->server);
    return result_say(0, error);
}

static json_t *fault_heal(struct daemon *daemon, json_t *request, char *error) {
    (void)request;
    uint64_t now;
    struct berth_network *network = server_lock(daemon->server, &now);
    berth_network_heal(network);
    server_unlock(daemon->server);
    return result_say(0, error);
}

json_t *fault_do(struct daemon *daemon, json_t *request, char *error) {
    static const struct {
        const char *word;
        json_t *(*act)(struct daemon *daemon, json_t *request, char *error);
    } faults[] = {{"netem", fault_netem},         {"link", fault_link},
                  {"partition", fault_partition}, {"heal", fault_heal},
                  {"kill", fault_kill},           {"pause", fault_pause},
                  {"unpause", fault_unpause},     {"restart", fault_restart}};
    const char *word = text_of(request, "do");
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        if (strcmp(faults[i].word, word) == 0)
            return faults[i].act(daemon, request, error);
    snprintf(error, SENTENCE, "no fault is called \"%.40s\"", word);
    return NULL;
}

/* What waits for programs to die is answered when they have. */
void request_fault(struct connection *c, json_t *request) {
    char error[SENTENCE] = "out of memory";
    json_t *reply = fault_do(c->daemon, request, error);
    if (reply == NULL) {
        connection_refuse(c, "%s", error);
    } else if (json_is_true(json_object_get(reply, "wait")) && power_busy(c->daemon)) {
        c->awaits_power = true;
        json_decref(reply);
    } else {
        connection_reply(c, reply);
    }
}
