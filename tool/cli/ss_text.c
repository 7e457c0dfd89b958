#include "tool/cli/ss.h"

#include <stdio.h>
#include <string.h>

static const char *text_of(const json_t *row, const char *key) {
    const char *text = json_string_value(json_object_get(row, key));
    return text != NULL ? text : "";
}

bool ss_wants(const struct ss_choice *choice, const json_t *row) {
    const char *state = text_of(row, "state");
    bool tcp = strcmp(text_of(row, "netid"), "tcp") == 0;
    if ((choice->tcp || choice->udp) && !(tcp ? choice->tcp : choice->udp))
        return false;
    if (choice->filter.count + choice->filter.states && !ss_filter_wants(&choice->filter, row))
        return false;
    if (choice->all || choice->filter.states)
        return true;
    bool waiting = strcmp(state, "LISTEN") == 0 || strcmp(state, "UNCONN") == 0;
    if (choice->listening)
        return waiting;
    return !waiting && strcmp(state, "TIME-WAIT") != 0 && strcmp(state, "SYN-RECV") != 0;
}

void ss_end_text(const json_t *end, const char *netid, const struct services *services, char *text,
                 size_t size) {
    const char *address = text_of(end, "address");
    json_int_t port = json_integer_value(json_object_get(end, "port"));
    const char *name = services_name(services, strcmp(netid, "tcp") == 0, (uint16_t)port);
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)port);
    if (port == 0)
        name = "*";
    if (strcmp(address, "::") == 0)
        snprintf(text, size, "*:%s", name != NULL ? name : number);
    else if (strchr(address, ':') != NULL)
        snprintf(text, size, "[%s]:%s", address, name != NULL ? name : number);
    else
        snprintf(text, size, "%s:%s", address, name != NULL ? name : number);
}

void ss_process_text(const json_t *process, char *text, size_t size) {
    size_t at, length = 0;
    json_t *one;
    text[0] = '\0';
    json_array_foreach(process, at, one) {
        int added = snprintf(text + length, size - length, "%s(\"%s\",pid=%lld,fd=%lld)",
                             at == 0 ? "users:(" : ",", text_of(one, "name"),
                             (long long)json_integer_value(json_object_get(one, "pid")),
                             (long long)json_integer_value(json_object_get(one, "fd")));
        if (added < 0 || (size_t)added + 8 >= size - length) {
            /* No room for all: say so rather than cut a name in two. */
            snprintf(text + length, size - length, "%s", size - length > 8 ? ",..." : "");
            length += strlen(text + length);
            break;
        }
        length += (size_t)added;
    }
    if (length > 0)
        snprintf(text + length, size - length, ")");
}
