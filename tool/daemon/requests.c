#include "tool/daemon/requests.h"
#include "tool/control/nearest.h"

#include <string.h>
#include <unistd.h>

static const struct {
    const char *word;
    void (*handle)(struct connection *connection, json_t *request);
} requests[] = {
    {"join", request_join},   {"attach", request_attach}, {"up", request_up},
    {"host", request_host},   {"log", request_log},       {"ended", request_ended},
    {"down", request_down},   {"ps", request_ps},         {"hosts", request_hosts},
    {"ss", request_ss},       {"logs", request_logs},     {"capture", request_capture},
    {"netem", request_netem}, {"tap", request_tap},       {"ping", request_ping},
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
        if (strcmp(word, words[i]) == 0) {
            requests[i].handle(connection, request);
            return;
        }
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
