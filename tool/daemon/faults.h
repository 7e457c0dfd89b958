/* Faults: what a network does to those who live in it, by request or at times that a file names. */
#ifndef TOOL_DAEMON_FAULTS_H
#define TOOL_DAEMON_FAULTS_H

#include "tool/daemon/computers.h"
#include "tool/daemon/connection.h"

/* Does what the request says. The reply's object; NULL with a sentence in error[SENTENCE]. */
json_t *fault_do(struct daemon *daemon, json_t *request, char *error);

/* ---- netem.c ---- */
json_t *fault_netem(struct daemon *daemon, json_t *request, char *error);

/* ---- power.c ---- */
json_t *fault_kill(struct daemon *daemon, json_t *request, char *error);
json_t *fault_pause(struct daemon *daemon, json_t *request, char *error);
json_t *fault_unpause(struct daemon *daemon, json_t *request, char *error);
json_t *fault_restart(struct daemon *daemon, json_t *request, char *error);
/* A user of the computer has left. */
void power_look(struct daemon *daemon, struct computer *computer);
/* True while some computer's programs have yet to die. */
bool power_busy(const struct daemon *daemon);
/* False with a sentence: nothing can be started on it now. */
bool power_ready(const struct computer *computer, char *error);

/* ---- schedule.c ---- */
/* Who said `up` has left, or all ends: nothing more is due. */
void schedule_free(struct daemon *daemon);
/* Adds to what `up` is told: how many are left, and which failed since it was last told. */
void schedule_report(struct daemon *daemon, json_t *reply);
/* Does what is due. Returns how many milliseconds there are until the next, -1: nothing waits. */
int schedule_look(struct daemon *daemon);

#endif
