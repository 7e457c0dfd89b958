#include "tool/cli/outside.h"
#include "tool/control/allow.h"
#include "tool/control/ask.h"

#include <stdio.h>
#include <string.h>

enum { ENTRY = 80 };

bool outside_publish(struct outside *outside, const char *text, char *error, size_t size) {
    if (outside->port_count == OUTSIDE_PORTS) {
        snprintf(error, size, "more than %d published ports", OUTSIDE_PORTS);
        return false;
    }
    return port_mapping_read(text, &outside->ports[outside->port_count++], error, size);
}

bool outside_gateway(struct outside *outside, const char *list, char *error, size_t size) {
    struct allow_rule rule;
    if (list == NULL) {
        json_decref(outside->allow);
        outside->allow = json_null();
        return true;
    }
    if (outside->allow == NULL)
        outside->allow = json_array();
    for (;;) {
        size_t length = strcspn(list, ",");
        char entry[ENTRY];
        snprintf(entry, sizeof entry, "%.*s", (int)(length < ENTRY ? length : ENTRY), list);
        if (!allow_read(entry, &rule, error, size))
            return false;
        json_array_append_new(outside->allow, json_string(entry));
        if (list[length] == '\0')
            return true;
        list += length + 1;
    }
}

void outside_clear(struct outside *outside) {
    json_decref(outside->allow);
    outside->allow = NULL;
}

static bool ask(int control, json_t *request, char *error, size_t size) {
    json_t *reply = control_ask(control, request, NULL, 0, NULL, NULL, error, size);
    json_decref(reply);
    return reply != NULL;
}

bool outside_ask_port(int control, const char *host, const struct port_mapping *port, char *error,
                      size_t size) {
    return ask(control,
               json_pack("{s:s,s:s,s:s,s:i,s:i,s:i,s:b}", "do", "publish", "host", host, "address",
                         port->address, "outside", (int)port->outside, "inside", (int)port->inside,
                         "count", (int)port->count, "udp", (int)port->udp),
               error, size);
}

bool outside_ask(int control, const char *host, const struct outside *outside, char *error,
                 size_t size) {
    for (size_t i = 0; i < outside->port_count; i++)
        if (!outside_ask_port(control, host, &outside->ports[i], error, size))
            return false;
    if (outside->allow == NULL)
        return true;
    json_t *request = json_pack("{s:s}", "do", "gateway");
    if (json_is_array(outside->allow))
        json_object_set(request, "allow", outside->allow);
    return ask(control, request, error, size);
}
