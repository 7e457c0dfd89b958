#include "tool/cli/units.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct unit {
    const char *name;
    double factor;
};

/* Digits and at most one point: strtod alone would take "inf", "0x10" and blanks. Returns where the
 * unit begins, or NULL. */
static const char *number_read(const char *text, double *value) {
    size_t digits = strspn(text, "0123456789."), points = 0;
    for (size_t i = 0; i < digits; i++)
        points += text[i] == '.';
    if (digits == points || points > 1 || digits > 20)
        return NULL;
    char copy[24];
    memcpy(copy, text, digits);
    copy[digits] = '\0';
    *value = strtod(copy, NULL);
    return text + digits;
}

static bool unit_read(const char *text, const struct unit *units, double *value) {
    const char *name = number_read(text, value);
    if (name == NULL)
        return false;
    for (const struct unit *unit = units; unit->name != NULL; unit++) {
        if (strcasecmp(unit->name, name) == 0) {
            *value *= unit->factor;
            return true;
        }
    }
    return name[0] == '\0' && *value == 0;
}

bool unit_time(const char *text, double *nanoseconds) {
    static const struct unit units[] = {
        {"s", 1e9},     {"sec", 1e9}, {"secs", 1e9}, {"ms", 1e6},    {"msec", 1e6},
        {"msecs", 1e6}, {"us", 1e3},  {"usec", 1e3}, {"usecs", 1e3}, {"ns", 1},
        {"nsec", 1},    {"nsecs", 1}, {NULL, 0}};
    return unit_read(text, units, nanoseconds) && *nanoseconds <= 3600e9;
}

bool unit_duration(const char *text, double *nanoseconds) {
    static const struct unit units[] = {{"us", 1e3}, {"ms", 1e6},   {"s", 1e9},
                                        {"m", 60e9}, {"h", 3600e9}, {"d", 86400e9}};
    double value;
    *nanoseconds = 0;
    if (strcmp(text, "0") == 0)
        return true;
    do {
        const char *name = number_read(text, &value);
        size_t length = name != NULL ? strspn(name, "abcdefghijklmnopqrstuvwxyz") : 0, i = 0;
        while (i < sizeof units / sizeof units[0] &&
               (strlen(units[i].name) != length || strncmp(units[i].name, name, length) != 0))
            i++;
        if (length == 0 || i == sizeof units / sizeof units[0])
            return false;
        *nanoseconds += value * units[i].factor;
        text = name + length;
    } while (text[0] != '\0');
    return *nanoseconds <= 366 * 86400e9;
}

bool unit_percent(const char *text, double *part) {
    static const struct unit units[] = {{"%", 0.01}, {NULL, 0}};
    return unit_read(text, units, part) && *part <= 1;
}

bool unit_rate(const char *text, double *bits) {
    static const struct unit units[] = {
        {"bit", 1},    {"kbit", 1e3}, {"mbit", 1e6}, {"gbit", 1e9},  {"tbit", 1e12}, {"bps", 8},
        {"kbps", 8e3}, {"mbps", 8e6}, {"gbps", 8e9}, {"tbps", 8e12}, {NULL, 0}};
    return unit_read(text, units, bits) && *bits <= 1e13;
}

bool unit_count(const char *text, double max, double *count) {
    const char *end = number_read(text, count);
    return end != NULL && *end == '\0' && strchr(text, '.') == NULL && *count <= max;
}
