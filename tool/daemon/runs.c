#include "tool/daemon/runs.h"
#include "tool/daemon/faults.h"
#include "tool/daemon/lans.h"
#include "tool/daemon/lifecycle.h"
#include "tool/daemon/notes.h"
#include "tool/daemon/requests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The computer that a join asks for: by its name, by its address, or a fresh one. NULL with a
 * sentence. */
static struct computer *join_computer(struct daemon *daemon, json_t *request, char *error) {
    const char *host = json_string_value(json_object_get(request, "host"));
    const char *ip = json_string_value(json_object_get(request, "ip"));
    if (json_is_true(json_object_get(request, "must_exist")))
        return computer_require(daemon, host != NULL ? host : "", error);
    if (lan_first(daemon, error) == NULL)
        return NULL;
    struct computer *computer = host != NULL ? computer_find(daemon, host) : NULL;
    if (computer == NULL)
        return computer_add(daemon, host, &(struct wish){.ip = ip}, 1, error);
    if (!computer_answers_to(daemon, computer, ip)) {
        snprintf(error, SENTENCE, "host %s has the address %s already, not %.64s", host,
                 strchr(ip, ':') != NULL ? computer->address6 : computer->address, ip);
        return NULL;
    }
    return computer;
}

void request_join(struct connection *c, json_t *request) {
    struct daemon *daemon = c->daemon;
    const char *program = json_string_value(json_object_get(request, "program"));
    char error[SENTENCE];
    if (daemon->ending) {
        connection_refuse(c, "network %s is going down", daemon->net);
        return;
    }
    if (!lifecycle_used(daemon) && json_is_true(json_object_get(request, "must_exist"))) {
        connection_refuse(c, "network %s is not running", daemon->net);
        return;
    }
    if (c->run != NULL || daemon->up == c) {
        connection_refuse(c, "this connection is in use already");
        return;
    }
    struct run *run = calloc(1, sizeof *run);
    if (run == NULL) {
        connection_refuse(c, "out of memory");
        return;
    }
    run->computer = join_computer(daemon, request, error);
    if (run->computer == NULL || !power_ready(run->computer, error)) {
        free(run);
        connection_refuse(c, "%s", error);
        return;
    }
    run->computer->users++;
    run->notes = daemon->notes;
    run->grace_ms = json_integer_value(json_object_get(request, "grace"));
    run->connection = c->id;
    run->number = -1;
    run->since = time(NULL);
    snprintf(run->program, sizeof run->program, "%s", program != NULL ? program : "?");
    c->run = run;
    connection_reply(c, json_pack("{s:b,s:s,s:s,s:s,s:i}", "ok", 1, "host", run->computer->name,
                                  "ip", run->computer->address, "net", daemon->net, "number",
                                  run->computer->number));
}

/* From the serving half's threads. */
static void run_note(void *context, const char *text) {
    const struct run *run = context;
    notes_post(run->notes, run->connection, text);
}

void request_attach(struct connection *c, json_t *request) {
    int listener = control_reader_take_fd(&c->reader), reach = control_reader_take_fd(&c->reader);
    json_t *pid = json_object_get(request, "pid");
    char error[SENTENCE];
    const char *wrong = c->run == NULL                          ? "attach comes after join"
                        : c->run->number >= 0                   ? "attached already"
                        : reach < 0                             ? "attach needs two descriptors"
                        : !json_is_integer(pid)                 ? "attach needs a pid"
                        : c->daemon->ending                     ? "the network is going down"
                        : !power_ready(c->run->computer, error) ? error
                                                                : NULL;
    if (wrong != NULL) {
        if (listener >= 0)
            close(listener);
        if (reach >= 0)
            close(reach);
        connection_refuse(c, "%s", wrong);
        return;
    }
    struct run *run = c->run;
    struct server_run_ops ops = {run_note, run};
    run->pid = (pid_t)json_integer_value(pid);
    int number =
        server_attach(c->daemon->server, run->computer->number, listener, reach, run->pid, &ops);
    if (number < 0) {
        connection_refuse(c, "cannot serve the program: %s", strerror(-number));
        return;
    }
    run->number = number;
    connection_ok(c);
}

void run_leave(struct connection *c) {
    struct run *run = c->run;
    if (run->number >= 0)
        server_detach(c->daemon->server, run->number);
    struct computer *computer = run->computer;
    computer->users--;
    c->run = NULL;
    free(run);
    power_look(c->daemon, computer);
    computer_tidy(c->daemon, computer);
}
