#include "tool/control/allow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT = 80 };

static bool number_read(const char *text, unsigned least, unsigned most, unsigned *value) {
    size_t length = strspn(text, "0123456789");
    if (length == 0 || length > 5 || text[length] != '\0')
        return false;
    *value = (unsigned)strtoul(text, NULL, 10);
    return *value >= least && *value <= most;
}

/* "443" or "80-90"; cuts the text up. */
static bool ports_read(char *text, struct allow_rule *rule) {
    unsigned first, last;
    char *dash = strchr(text, '-');
    if (dash)
        *dash = '\0';
    if (!number_read(text, 1, 65535, &first) ||
        !number_read(dash ? dash + 1 : text, first, 65535, &last))
        return false;
    rule->first = (uint16_t)first;
    rule->last = (uint16_t)last;
    return true;
}

/* "192.0.2.0/24"; cuts the text up. */
static bool prefix_read(char *text, struct allow_rule *rule) {
    unsigned length;
    char *slash = strchr(text, '/');
    if (slash)
        *slash = '\0';
    if (berth_ip_parse(text, &rule->prefix) < 0)
        return false;
    unsigned most = berth_ip_is_v4(&rule->prefix) ? 32 : 128;
    length = most;
    if (slash && !number_read(slash + 1, 0, most, &length))
        return false;
    rule->length = (uint8_t)(length + (most == 32 ? 96 : 0));
    return true;
}

bool allow_read(const char *text, struct allow_rule *rule, char *error, size_t size) {
    char copy[TEXT], *where = copy, *ports = NULL;
    *rule = (struct allow_rule){.last = 65535};
    int length = snprintf(copy, sizeof copy, "%s", text);
    bool fine = length > 0 && length < TEXT;
    char *close = fine && copy[0] == '[' ? strchr(copy, ']') : NULL;
    if (close) {
        where = copy + 1;
        *close = '\0';
        fine = close[1] == '\0' || close[1] == ':';
        ports = close[1] == ':' ? close + 2 : NULL;
    } else if (fine && strchr(copy, ':') == strrchr(copy, ':')) { /* else it is IPv6's */
        ports = strchr(copy, ':');
        if (ports)
            *ports++ = '\0';
    }
    rule->host = fine && strcmp(where, "host") == 0;
    fine = fine && (rule->host || prefix_read(where, rule)) && (!ports || ports_read(ports, rule));
    if (!fine)
        snprintf(error, size,
                 "\"%.64s\" should be such as 192.0.2.0/24, 192.0.2.7:443, [2001:db8::/32]:80-90 "
                 "or host:5432",
                 text);
    return fine;
}
