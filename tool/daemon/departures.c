/* A computer that nobody uses or keeps any more goes, but not in the middle of a sentence: its
 * programs have ended, and what they wrote, and the FINs that their ends mean, have yet to reach
 * their peers, whose answers it has to acknowledge. Without that a peer would hold connections with
 * nobody for ever (ESTABLISHED), or for many minutes (LAST-ACK). So it leaves when no connection is
 * left but those in TIME-WAIT, which are quiet, and after PATIENCE in any case: a peer that has
 * heard the end and goes on may do so. Where its name or address is wanted anew it goes at once. */
#include "tool/daemon/departures.h"
#include "tool/daemon/gateway.h"

#include <stdlib.h>
#include <string.h>

static const uint64_t PATIENCE = 3 * BERTH_SECOND;
enum { LOOK_MS = 2 };

static void computer_free(struct daemon *daemon, struct computer *computer) {
    computer_unplug(daemon, computer);
    free(computer);
}

void computer_leave(struct daemon *daemon, struct computer *computer) {
    uint64_t now;
    server_lock(daemon->server, &now);
    gateway_unpublish(daemon->server, computer->number);
    server_unlock(daemon->server);
    computer->leaves = clock_monotonic() + PATIENCE;
    computer->next = daemon->departures;
    daemon->departures = computer;
}

int departures_look(struct daemon *daemon) {
    struct computer **link = &daemon->departures;
    while (*link != NULL) {
        struct computer *computer = *link;
        if (clock_monotonic() < computer->leaves &&
            server_host_busy(daemon->server, computer->number)) {
            link = &computer->next;
            continue;
        }
        *link = computer->next;
        computer_free(daemon, computer);
    }
    return daemon->departures != NULL ? LOOK_MS : -1;
}

bool departures_name(const struct daemon *daemon, const char *name) {
    const struct computer *computer = daemon->departures;
    while (computer != NULL && strcmp(computer->name, name) != 0)
        computer = computer->next;
    return computer != NULL;
}

void departures_hasten(struct daemon *daemon, const char *name, const char *ip, const char *ip6) {
    struct computer **link = &daemon->departures;
    while (*link != NULL) {
        struct computer *computer = *link;
        bool wanted = name == NULL || strcmp(computer->name, name) == 0 ||
                      (ip != NULL && computer_answers_to(daemon, computer, ip)) ||
                      (ip6 != NULL && computer_answers_to(daemon, computer, ip6));
        if (!wanted) {
            link = &computer->next;
            continue;
        }
        *link = computer->next;
        computer_free(daemon, computer);
    }
}
