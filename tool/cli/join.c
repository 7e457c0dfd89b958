#define _GNU_SOURCE
#include "tool/cli/outside.h"
#include "tool/cli/run.h"
#include "tool/control/ask.h"
#include "tool/control/client.h"
#include "tool/runner/run.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Arguments are octets, JSON strings are UTF-8: what is not becomes '?'. The daemon only shows
 * them. */
static json_t *argument_json(const char *argument) {
    json_t *string = json_string(argument);
    if (string)
        return string;
    char *ascii = strdup(argument);
    if (!ascii)
        return NULL;
    for (char *at = ascii; *at; at++)
        if ((unsigned char)*at >= 0x80)
            *at = '?';
    string = json_string(ascii);
    free(ascii);
    return string;
}

/* Long command lines are cut: a line of the control protocol has a bound, and nobody reads more. */
static json_t *arguments_json(char *const *argv) {
    enum { ARGUMENTS_MAX = 4096 };
    json_t *list = json_array();
    size_t total = 0;
    for (; list && *argv && total < ARGUMENTS_MAX; argv++) {
        total += strlen(*argv) + 1;
        if (total < ARGUMENTS_MAX && json_array_append_new(list, argument_json(*argv)) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *join_request(const struct run_options *options) {
    const char *slash = strrchr(options->argv[0], '/');
    json_t *request = json_pack("{s:s, s:o, s:o}", "do", "join", "program",
                                argument_json(slash ? slash + 1 : options->argv[0]), "argv",
                                arguments_json(options->argv));
    if (options->host)
        json_object_set_new(request, "host", argument_json(options->host));
    if (options->ip)
        json_object_set_new(request, "ip", argument_json(options->ip));
    if (options->existing)
        json_object_set_new(request, "must_exist", json_true());
    json_object_set_new(request, "grace", json_integer(options->grace_ms));
    return request;
}

int run_on_network(const struct run_options *options) {
    char text[512];
    struct run_user user;
    if (!run_possible(text, sizeof(text)) ||
        (options->user && !run_user_find(options->user, &user, text, sizeof text))) {
        fprintf(stderr, "berth: %s\n", text);
        return RUN_FAILED;
    }
    int control = options->existing ? control_connect_running(options->net, text, sizeof(text))
                                    : control_connect(options->net, true, text, sizeof(text));
    if (control < 0) {
        fprintf(stderr, "berth: %s\n", text);
        return RUN_FAILED;
    }
    json_t *reply =
        control_ask(control, join_request(options), NULL, 0, NULL, NULL, text, sizeof(text));
    const char *host = json_string_value(json_object_get(reply, "host"));
    int status = RUN_FAILED;
    if (!reply || (options->outside &&
                   !outside_ask(control, host ? host : "", options->outside, text, sizeof(text)))) {
        fprintf(stderr, "berth: %s\n", text);
        close(control);
    } else {
        status = run_program(&(struct run_request){.net = options->net,
                                                   .host = host ? host : "",
                                                   .argv = options->argv,
                                                   .control = control,
                                                   .user = options->user ? &user : NULL,
                                                   .stop_signal = (int)options->stop_signal,
                                                   .grace_ms = (unsigned)options->grace_ms,
                                                   .detached = options->detached});
    }
    json_decref(reply);
    return status;
}
