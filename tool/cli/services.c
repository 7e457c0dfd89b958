#include "tool/cli/services.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_TEXT = 24 };

struct services {
    /* [0]: tcp, [1]: udp. An empty name: none. */
    char names[2][65536][NAME_MAX_TEXT];
};

static void service_set(struct services *services, const char *name, const char *protocol,
                        unsigned long port) {
    int table = strcmp(protocol, "tcp") == 0 ? 0 : strcmp(protocol, "udp") == 0 ? 1 : -1;
    if (table < 0 || port > 65535 || strlen(name) >= NAME_MAX_TEXT)
        return;
    char *entry = services->names[table][port];
    if (entry[0] == '\0')
        snprintf(entry, NAME_MAX_TEXT, "%s", name);
}

/* "telnet  23/tcp  alias # comment" */
static void line_read(struct services *services, char *line) {
    char name[64], protocol[16];
    unsigned long port;
    line[strcspn(line, "#")] = '\0';
    if (sscanf(line, "%63s %lu/%15s", name, &port, protocol) == 3)
        service_set(services, name, protocol, port);
}

static void known_add(struct services *services) {
    static const struct {
        const char *name;
        unsigned long port;
        bool udp;
    } known[] = {{"echo", 7, true},       {"discard", 9, true}, {"daytime", 13, true},
                 {"ftp-data", 20, false}, {"ftp", 21, false},   {"ssh", 22, false},
                 {"telnet", 23, false},   {"smtp", 25, false},  {"domain", 53, true},
                 {"http", 80, false},     {"pop3", 110, false}, {"ntp", 123, true},
                 {"imap2", 143, false},   {"https", 443, true}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        service_set(services, known[i].name, "tcp", known[i].port);
        if (known[i].udp)
            service_set(services, known[i].name, "udp", known[i].port);
    }
}

struct services *services_read(const char *path) {
    struct services *services = calloc(1, sizeof *services);
    FILE *file = services != NULL ? fopen(path, "re") : NULL;
    char line[1024];
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        line_read(services, line);
    if (file != NULL)
        fclose(file);
    else if (services != NULL)
        known_add(services);
    return services;
}

const char *services_name(const struct services *services, bool tcp, uint16_t port) {
    if (services == NULL || services->names[tcp ? 0 : 1][port][0] == '\0')
        return NULL;
    return services->names[tcp ? 0 : 1][port];
}

void services_free(struct services *services) {
    free(services);
}
