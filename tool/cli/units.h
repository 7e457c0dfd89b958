/* netem's quantities as people write them. */
#ifndef TOOL_CLI_UNITS_H
#define TOOL_CLI_UNITS_H

#include <stdbool.h>

/* "20ms", "1.5s", "300us": ns; a bare 0 too. */
bool unit_time(const char *text, double *nanoseconds);
/* "90s", "1m30s", "1.5h", as Compose has them: ns, up to a year. */
bool unit_duration(const char *text, double *nanoseconds);
/* "1%", "0.5%": 0..1. */
bool unit_percent(const char *text, double *part);
/* "10mbit", "1gbit", "125kbps" (octets): bit/s. */
bool unit_rate(const char *text, double *bits);
/* A whole number, 0..max. */
bool unit_count(const char *text, double max, double *count);

#endif
