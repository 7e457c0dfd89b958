/* Computers that stand still, lose their power, and come back.
 *
 * The network is first: from that moment nothing goes out of the computer any more, so that no FIN
 * or RST of a program that is killed is heard. The programs' guards are told next. When the last of
 * them has left, the computer's sockets are forgotten. */
#include "tool/daemon/faults.h"
#include "tool/daemon/gateway.h"
#include "tool/daemon/requests.h"
#include "tool/daemon/runs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static json_t *done(bool wait) {
    return json_pack("{s:b,s:b}", "ok", 1, "wait", (int)wait);
}

static void guards_tell(struct daemon *daemon, const struct computer *computer, const char *word,
                        const char *text) {
    for (struct connection *c = daemon->connections; c != NULL; c = c->next)
        if (c->run != NULL && c->run->computer == computer)
            connection_tell(c, word, text);
}

static void stand_still(struct daemon *daemon, const struct computer *computer, bool still) {
    uint64_t now;
    struct berth_network *network = server_lock(daemon->server, &now);
    if (still)
        berth_network_suspend(network, computer->number, now);
    else
        berth_network_resume(network, computer->number, now);
    server_unlock(daemon->server);
}

/* ---- off and on ---- */

bool power_busy(const struct daemon *daemon) {
    for (const struct computer *c = daemon->computers; c != NULL; c = c->next)
        if (c->dying)
            return true;
    return false;
}

static void waiters_answer(struct daemon *daemon) {
    for (struct connection *c = daemon->connections; c != NULL && !power_busy(daemon);
         c = c->next) {
        if (!c->awaits_power)
            continue;
        c->awaits_power = false;
        connection_ok(c);
    }
}

/* Which computers' commands `up` is to begin anew, each said once; and how the planned faults go.
 */
void request_starts(struct connection *c, json_t *request) {
    json_t *hosts = json_array();
    (void)request;
    for (struct computer *each = c->daemon->computers; each != NULL && c->daemon->up == c;
         each = each->next) {
        if (each->begins)
            json_array_append_new(hosts, json_string(each->name));
        each->begins = false;
    }
    json_t *reply = json_pack("{s:b,s:o}", "ok", 1, "hosts", hosts);
    if (c->daemon->up == c)
        schedule_report(c->daemon, reply);
    connection_reply(c, reply);
}

/* Whether a command can start there now, or has to wait for the computer to be switched on. */
void request_power(struct connection *c, json_t *request) {
    char error[SENTENCE];
    const char *host = json_string_value(json_object_get(request, "host"));
    const struct computer *computer = computer_require(c->daemon, host != NULL ? host : "", error);
    if (computer == NULL)
        connection_refuse(c, "%s", error);
    else
        connection_reply(
            c, json_pack("{s:b,s:b}", "ok", 1, "on", (int)(computer->power != POWER_OFF)));
}

/* `up` is told to ask for it. */
static void power_on(struct daemon *daemon, struct computer *computer) {
    computer->power = POWER_ON;
    computer->restarts = false;
    computer->ended = false;
    computer->begins = true;
    stand_still(daemon, computer, false);
    if (daemon->up != NULL)
        connection_tell(daemon->up, "start", computer->name);
}

/* The last program is dead. */
static void power_gone(struct daemon *daemon, struct computer *computer) {
    uint64_t now;
    struct berth_network *network = server_lock(daemon->server, &now);
    int result = berth_network_reset_host(network, computer->number, now);
    gateway_listeners_changed(daemon->server, computer->number);
    server_unlock(daemon->server);
    computer->dying = false;
    /* Without memory its connections stay, and end as those of any program that ended. */
    if (computer->restarts || result < 0)
        power_on(daemon, computer);
    waiters_answer(daemon);
}

void power_look(struct daemon *daemon, struct computer *computer) {
    if (computer->dying && computer->users == 0)
        power_gone(daemon, computer);
}

static void power_off(struct daemon *daemon, struct computer *computer, bool restarts) {
    computer->restarts = restarts;
    if (!computer->dying) {
        computer->dying = true;
        computer->power = POWER_OFF;
        stand_still(daemon, computer, true);
        guards_tell(daemon, computer, "kill",
                    restarts ? "the computer was restarted" : "the computer was switched off");
    }
    power_look(daemon, computer);
}

bool power_ready(const struct computer *computer, char *error) {
    if (computer->power == POWER_PAUSED)
        snprintf(error, SENTENCE, "host %s is paused: berth unpause %s lets it go on",
                 computer->name, computer->name);
    else if (computer->power == POWER_OFF)
        snprintf(error, SENTENCE, "host %s is off: berth restart %s switches it on", computer->name,
                 computer->name);
    return computer->power == POWER_ON;
}

/* ---- by request ---- */

/* Does it to all of them, or, with a sentence, to none. */
static json_t *each(struct daemon *daemon, json_t *request, char *error,
                    bool (*may)(const struct computer *computer, char *error),
                    void (*act)(struct daemon *daemon, struct computer *computer)) {
    json_t *hosts = json_object_get(request, "hosts"), *name;
    size_t i;
    if (json_array_size(hosts) == 0) {
        snprintf(error, SENTENCE, "which hosts?");
        return NULL;
    }
    json_array_foreach(hosts, i, name) {
        const char *text = json_string_value(name);
        const struct computer *computer = computer_require(daemon, text != NULL ? text : "", error);
        if (computer == NULL || !may(computer, error))
            return NULL;
    }
    /* Where the computer was a run's alone it goes with the run. */
    json_array_foreach(hosts, i, name) {
        struct computer *computer = computer_find(daemon, json_string_value(name));
        if (computer != NULL)
            act(daemon, computer);
    }
    return done(power_busy(daemon));
}

static bool may_kill(const struct computer *computer, char *error) {
    if (computer->power == POWER_OFF && !computer->dying)
        snprintf(error, SENTENCE, "host %s is off already", computer->name);
    return computer->power != POWER_OFF || computer->dying;
}

static void do_kill(struct daemon *daemon, struct computer *computer) {
    power_off(daemon, computer, false);
}

static bool may_pause(const struct computer *computer, char *error) {
    if (computer->power != POWER_ON)
        snprintf(error, SENTENCE, "host %s is %s", computer->name,
                 computer->power == POWER_OFF ? "off" : "paused already");
    return computer->power == POWER_ON;
}

static void do_pause(struct daemon *daemon, struct computer *computer) {
    computer->power = POWER_PAUSED;
    stand_still(daemon, computer, true);
    guards_tell(daemon, computer, "pause", "");
}

static bool may_unpause(const struct computer *computer, char *error) {
    if (computer->power != POWER_PAUSED)
        snprintf(error, SENTENCE, "host %s is not paused", computer->name);
    return computer->power == POWER_PAUSED;
}

static void do_unpause(struct daemon *daemon, struct computer *computer) {
    computer->power = POWER_ON;
    stand_still(daemon, computer, false);
    guards_tell(daemon, computer, "unpause", "");
}

static bool may_restart(const struct computer *computer, char *error) {
    if (!computer->kept)
        snprintf(error, SENTENCE,
                 "host %s is there for what berth run started on it: it has no commands to begin "
                 "anew",
                 computer->name);
    return computer->kept;
}

static void do_restart(struct daemon *daemon, struct computer *computer) {
    power_off(daemon, computer, true);
}

json_t *fault_kill(struct daemon *daemon, json_t *request, char *error) {
    return each(daemon, request, error, may_kill, do_kill);
}

json_t *fault_pause(struct daemon *daemon, json_t *request, char *error) {
    return each(daemon, request, error, may_pause, do_pause);
}

json_t *fault_unpause(struct daemon *daemon, json_t *request, char *error) {
    return each(daemon, request, error, may_unpause, do_unpause);
}

json_t *fault_restart(struct daemon *daemon, json_t *request, char *error) {
    return each(daemon, request, error, may_restart, do_restart);
}
