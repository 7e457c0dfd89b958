#include "tool/daemon/requests.h"
#include "tool/control/nearest.h"
#include "tool/daemon/lifecycle.h"

#include <string.h>
#include <unistd.h>

/* Who is not a user yet: a join makes one, and so does up. */
enum need { ANYBODY, USED };

static const struct {
    const char *word;
    void (*handle)(struct connection *connection, json_t *request);
    enum need need; /* USED: only while somebody uses the network */
} requests[] = {
    {"join", request_join, ANYBODY},    {"attach", request_attach, ANYBODY},
    {"up", request_up, ANYBODY},        {"host", request_host, ANYBODY},
    {"log", request_log, ANYBODY},      {"ended", request_ended, ANYBODY},
    {"ping", request_ping, ANYBODY},    {"down", request_down, USED},
    {"ps", request_ps, USED},           {"hosts", request_hosts, USED},
    {"ss", request_ss, USED},           {"logs", request_logs, USED},
    {"dump", request_dump, USED},       {"netem", request_fault, USED},
    {"link", request_fault, USED},      {"partition", request_fault, USED},
    {"heal", request_fault, USED},      {"kill", request_fault, USED},
    {"pause", request_fault, USED},     {"unpause", request_fault, USED},
    {"restart", request_fault, USED},   {"faults", request_faults, USED},
    {"starts", request_starts, USED},   {"power", request_power, USED},
    {"publish", request_publish, USED}, {"ports", request_ports, USED},
    {"gateway", request_gateway, USED}, {"tap", request_tap, USED},
    {"route", request_route, ANYBODY},  {"counters", request_counters, USED},
};

enum { REQUESTS = sizeof requests / sizeof requests[0] };

void request_ping(struct connection *connection, json_t *request) {
    (void)request;
    connection_reply(connection, json_pack("{s:b,s:s,s:i}", "ok", 1, "berth", BERTH_VERSION, "pid",
                                           (int)getpid()));
}

static void request_dispatch(struct connection *connection, json_t *request) {
    const char *word = json_string_value(json_object_get(request, "do"));
    if (word == NULL) {
        connection_refuse(connection, "a request is an object with a word \"do\"");
        return;
    }
    const char *words[REQUESTS];
    for (size_t i = 0; i < REQUESTS; i++) {
        words[i] = requests[i].word;
        if (strcmp(word, words[i]) != 0)
            continue;
        /* The last user has left, and we are still here only because somebody asks. */
        if (requests[i].need == USED && !lifecycle_used(connection->daemon))
            connection_refuse(connection, "network %s is not running", connection->daemon->net);
        else
            requests[i].handle(connection, request);
        return;
    }
    const char *nearest = word_nearest(word, words, REQUESTS);
    connection_refuse(connection, "no request is called \"%.40s\"%s%s%s", word,
                      nearest != NULL ? " (did you mean \"" : "", nearest != NULL ? nearest : "",
                      nearest != NULL ? "\"?)" : "");
}

void request_handle(struct connection *connection, const char *line) {
    json_error_t error;
    json_t *request = json_loads(line, JSON_REJECT_DUPLICATES, &error);
    if (request == NULL)
        connection_refuse(connection, "not JSON: %s (column %d)", error.text, error.column);
    else
        request_dispatch(connection, request);
    json_decref(request);
}
