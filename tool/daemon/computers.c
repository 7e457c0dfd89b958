#define _GNU_SOURCE
#include "tool/daemon/computers.h"
#include "tool/control/nearest.h"
#include "tool/daemon/departures.h"

#include <search.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAID = 64 /* of what a request said, in a sentence */ };

/* The tree has the names, which lie in the computers. */
static int name_compare(const void *a, const void *b) {
    return strcmp(a, b);
}

struct computer *computer_find(struct daemon *daemon, const char *name) {
    char *const *found = tfind(name, &daemon->computer_names, name_compare);
    return found == NULL ? NULL
                         : (struct computer *)(void *)(*found - offsetof(struct computer, name));
}

struct computer *computer_require(struct daemon *daemon, const char *name, char *error) {
    struct computer *computer = computer_find(daemon, name);
    if (computer != NULL)
        return computer;
    const char *best = NULL;
    for (struct computer *c = daemon->computers; c != NULL; c = c->next) {
        const char *pair[2] = {c->name, best};
        best = word_nearest(name, pair, best != NULL ? 2 : 1);
        if (best == NULL)
            best = pair[1];
    }
    if (best != NULL)
        snprintf(error, SENTENCE, "no host \"%.*s\" in network %s (did you mean \"%s\"?)", SAID,
                 name, daemon->net, best);
    else
        snprintf(error, SENTENCE, "no host \"%.*s\" in network %s (berth hosts lists them)", SAID,
                 name, daemon->net);
    return NULL;
}

static bool name_check(struct daemon *daemon, const char *name, char *error) {
    struct berth_ip ip;
    if (!place_name_valid(name) || berth_ip_parse(name, &ip) == 0) {
        snprintf(error, SENTENCE,
                 "\"%.*s\" is no name for a host: use letters, digits, - _ and ., at most %d", SAID,
                 name, PLACE_NAME);
        return false;
    }
    if (computer_find(daemon, name) != NULL) {
        snprintf(error, SENTENCE, "host %s is there already", name);
        return false;
    }
    return true;
}

static void name_first_free(struct daemon *daemon, char name[NAME_TEXT]) {
    unsigned number = 0;
    do
        snprintf(name, NAME_TEXT, "pc%u", ++number);
    while (computer_find(daemon, name) != NULL || departures_name(daemon, name));
}

/* In order of numbers, which only grow: the new one is last. */
static bool computer_link(struct daemon *daemon, struct computer *computer) {
    if (tsearch(computer->name, &daemon->computer_names, name_compare) == NULL)
        return false;
    computer->link = daemon->computers != NULL ? daemon->computers_end : &daemon->computers;
    *computer->link = computer;
    daemon->computers_end = &computer->next;
    return true;
}

static void computer_unlink(struct daemon *daemon, struct computer *computer) {
    tdelete(computer->name, &daemon->computer_names, name_compare);
    *computer->link = computer->next;
    if (computer->next != NULL)
        computer->next->link = computer->link;
    else
        daemon->computers_end = computer->link;
}

struct computer *computer_add(struct daemon *daemon, const char *name, const struct wish *wishes,
                              size_t count, char *error) {
    if (name != NULL && !name_check(daemon, name, error))
        return NULL;
    struct computer *computer = calloc(1, sizeof *computer);
    if (computer == NULL) {
        snprintf(error, SENTENCE, "out of memory");
        return NULL;
    }
    if (name != NULL)
        snprintf(computer->name, sizeof computer->name, "%s", name);
    else
        name_first_free(daemon, computer->name);
    for (size_t i = 0; i < count; i++)
        departures_hasten(daemon, computer->name, wishes[i].ip, wishes[i].ip6);
    computer->since = time(NULL);
    computer->number = computer_plug(daemon, computer, wishes, count, error);
    if (computer->number < 0 && daemon->departures != NULL) { /* they have addresses, too */
        departures_hasten(daemon, NULL, NULL, NULL);
        computer->number = computer_plug(daemon, computer, wishes, count, error);
    }
    if (computer->number >= 0 && computer_link(daemon, computer))
        return computer;
    if (computer->number >= 0) {
        computer_unplug(daemon, computer);
        snprintf(error, SENTENCE, "out of memory");
    }
    free(computer);
    return NULL;
}

bool computer_answers_to(struct daemon *daemon, const struct computer *computer, const char *ip) {
    struct berth_ip wanted;
    uint64_t now;
    if (ip == NULL)
        return true;
    if (berth_ip_parse(ip, &wanted) < 0)
        return false;
    struct berth_network *network = server_lock(daemon->server, &now);
    int owner = berth_network_find_address(network, &wanted);
    server_unlock(daemon->server);
    return owner == computer->number;
}

void computer_tidy(struct daemon *daemon, struct computer *computer) {
    if (computer->kept || computer->users > 0)
        return;
    computer_unlink(daemon, computer);
    computer_leave(daemon, computer);
}

void computers_tidy(struct daemon *daemon) {
    for (struct computer *computer = daemon->computers, *next; computer != NULL; computer = next) {
        next = computer->next;
        computer_tidy(daemon, computer);
    }
    departures_look(daemon);
}

static void list_free(struct computer *computer) {
    while (computer != NULL) {
        struct computer *next = computer->next;
        free(computer);
        computer = next;
    }
}

static void name_keep(void *name) {
    (void)name; /* it is the computer's */
}

void computers_free(struct daemon *daemon) {
    tdestroy(daemon->computer_names, name_keep);
    list_free(daemon->computers);
    list_free(daemon->departures);
    daemon->computers = daemon->departures = NULL;
}
