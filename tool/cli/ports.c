#include "tool/cli/ports.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 128, PORT_MAX = 65535 };

/* "80" or "80-83"; all of the text. */
static bool range_read(const char *text, uint16_t *first, uint16_t *count) {
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return false;
    unsigned long low = strtoul(text, &end, 10), high = low;
    if (*end == '-' && end[1] >= '0' && end[1] <= '9')
        high = strtoul(end + 1, &end, 10);
    if (*end != '\0' || low < 1 || high < low || high > PORT_MAX)
        return false;
    *first = (uint16_t)low;
    *count = (uint16_t)(high - low + 1);
    return true;
}

/* Cuts "/tcp" or "/udp" off. */
static bool protocol_cut(char *text, bool *udp) {
    char *slash = strchr(text, '/');
    *udp = slash != NULL && strcmp(slash, "/udp") == 0;
    if (slash == NULL)
        return true;
    bool known = *udp || strcmp(slash, "/tcp") == 0;
    *slash = '\0';
    return known;
}

/* Cuts the address off: the ports behind it, or NULL. */
static char *address_cut(char *text, char address[BERTH_IP_TEXT]) {
    char *first = strchr(text, ':'), *last = strrchr(text, ':'), *ports;
    struct berth_ip ip;
    if (text[0] == '[') {
        char *close = strchr(text, ']');
        if (close == NULL || close[1] != ':')
            return NULL;
        *close = '\0';
        text++;
        ports = close + 2;
    } else if (first == last) {
        return text; /* none */
    } else {
        if (strchr(first + 1, ':') != last)
            return NULL;
        *first = '\0';
        ports = first + 1;
    }
    if (strlen(text) >= BERTH_IP_TEXT || berth_ip_parse(text, &ip) < 0)
        return NULL;
    berth_ip_format(&ip, address);
    return ports;
}

/* "8080:80", ":53" or "80". */
static bool pair_read(char *text, struct port_mapping *mapping) {
    uint16_t count;
    char *colon = strchr(text, ':');
    if (!range_read(colon != NULL ? colon + 1 : text, &mapping->inside, &mapping->count))
        return false;
    if (colon == NULL || colon == text)
        return true;
    *colon = '\0';
    return range_read(text, &mapping->outside, &count) && count == mapping->count;
}

bool port_mapping_read(const char *text, struct port_mapping *mapping, char *error, size_t size) {
    char copy[TEXT_MAX];
    *mapping = (struct port_mapping){.outside = 0};
    if (strlen(text) < sizeof copy) {
        memcpy(copy, text, strlen(text) + 1);
        char *ports =
            protocol_cut(copy, &mapping->udp) ? address_cut(copy, mapping->address) : NULL;
        if (ports != NULL && pair_read(ports, mapping))
            return true;
    }
    snprintf(error, size,
             "\"%.60s\" should be such as \"8080:80\", \"127.0.0.1::53/udp\" or "
             "\"8000-8003:80-83\"",
             text);
    return false;
}
