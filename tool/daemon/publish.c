/* `publish`, `ports` and `gateway`: the network's doors to this machine, on request. */
#define _GNU_SOURCE
#include "tool/control/allow.h"
#include "tool/daemon/computers.h"
#include "tool/daemon/document.h"
#include "tool/daemon/gateway.h"
#include "tool/daemon/requests.h"
#include "tool/daemon/server_state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PORTS_MAX = 4096, TRIES = 16, COUNT_MAX = 1024, TAKER = 64 };

/* ---- who has the port ---- */

/* An endpoint as /proc/net has it: words of 32 bits in the machine's order. */
static bool line_is(const char *line, uint16_t port, bool udp, unsigned long *inode) {
    unsigned local_port, state;
    char address[40];
    return sscanf(line, " %*d: %39[0-9A-F]:%x %*s %x %*s %*s %*s %*d %*d %lu", address, &local_port,
                  &state, inode) == 4 &&
           local_port == port && (udp || state == 0x0a);
}

/* "nginx (pid 7)", or empty. */
static void taker_find(uint16_t port, bool udp, char text[TAKER]) {
    static const char *const files[2][2] = {{"/proc/net/tcp", "/proc/net/tcp6"},
                                            {"/proc/net/udp", "/proc/net/udp6"}};
    text[0] = '\0';
    for (int i = 0; i < 2 && text[0] == '\0'; i++) {
        char line[512];
        unsigned long inode = 0;
        FILE *file = fopen(files[udp][i], "re");
        while (file && text[0] == '\0' && fgets(line, sizeof line, file))
            if (line_is(line, port, udp, &inode) && inode != 0)
                owner_describe(inode, text, TAKER);
        if (file)
            fclose(file);
    }
}

/* The computer that has it already, "host web", or empty. */
static void publisher_find(struct daemon *daemon, const struct berth_endpoint *at, bool udp,
                           char text[TAKER]) {
    struct gateway_port port;
    uint64_t now;
    struct berth_network *network = server_lock(daemon->server, &now);
    if (gateway_find_port(daemon->server, at->port, udp, &port))
        snprintf(text, TAKER, "host %s", berth_network_host_name(network, port.host));
    server_unlock(daemon->server);
}

static void failure_say(struct daemon *daemon, const struct berth_endpoint *at, bool udp, int cause,
                        char *error) {
    char ip[BERTH_IP_TEXT], taker[TAKER] = "";
    bool v6 = !berth_ip_is_v4(&at->ip);
    berth_ip_format(&at->ip, ip);
    if (cause == -EADDRINUSE)
        publisher_find(daemon, at, udp, taker);
    if (cause == -EADDRINUSE && taker[0] == '\0')
        taker_find(at->port, udp, taker);
    if (cause == -EADDRINUSE)
        snprintf(error, SENTENCE, "port %s%s%s:%u/%s of this machine is taken%s%s", v6 ? "[" : "",
                 ip, v6 ? "]" : "", at->port, udp ? "udp" : "tcp", taker[0] != '\0' ? " by " : "",
                 taker);
    else if (cause == -EADDRNOTAVAIL)
        snprintf(error, SENTENCE, "this machine has no address %s", ip);
    else if (cause == -EACCES)
        snprintf(error, SENTENCE,
                 "port %u of this machine is for root (sysctl net.ipv4.ip_unprivileged_port_start)",
                 at->port);
    else
        snprintf(error, SENTENCE, "port %u cannot be published: %s", at->port, strerror(-cause));
}

/* ---- publish ---- */

struct publication {
    int host;
    struct berth_ip address;
    bool any; /* all addresses of the machine, of both families */
    uint16_t outside, inside;
    bool udp;
};

static int publish_both(struct server *server, const struct publication *what,
                        struct berth_endpoint *at) {
    for (int i = 0;; i++) {
        *at = (struct berth_endpoint){berth_ip_v4(0), what->outside};
        int port = gateway_publish(server, what->host, at, what->inside, what->udp);
        if (port < 0)
            return port;
        *at = (struct berth_endpoint){{{0}}, (uint16_t)port};
        int result = gateway_publish(server, what->host, at, what->inside, what->udp);
        /* A machine without IPv6 publishes without it. */
        if (result >= 0 || result == -EAFNOSUPPORT || result == -EADDRNOTAVAIL)
            return 0;
        if (result != -EADDRINUSE || what->outside != 0 || i == TRIES)
            return result;
        gateway_withdraw(server, (uint16_t)port, what->udp);
    }
}

static int publish(struct daemon *daemon, const struct publication *what, char *error) {
    struct berth_endpoint at = {what->address, what->outside};
    uint64_t now;
    server_lock(daemon->server, &now);
    int result = what->any
                     ? publish_both(daemon->server, what, &at)
                     : gateway_publish(daemon->server, what->host, &at, what->inside, what->udp);
    server_unlock(daemon->server);
    if (result < 0)
        failure_say(daemon, &at, what->udp, result, error);
    return result;
}

static bool port_read(const json_t *request, const char *key, json_int_t least, uint16_t *port) {
    const json_t *given = json_object_get(request, key);
    json_int_t value = json_integer_value(given);
    *port = (uint16_t)value;
    return json_is_integer(given) && value >= least && value <= 65535;
}

void request_publish(struct connection *c, json_t *request) {
    const char *host = json_string_value(json_object_get(request, "host"));
    const char *address = json_string_value(json_object_get(request, "address"));
    const json_t *given = json_object_get(request, "count");
    json_int_t count = given != NULL ? json_integer_value(given) : 1;
    char error[SENTENCE];
    struct publication what = {.any = address == NULL || address[0] == '\0',
                               .udp = json_is_true(json_object_get(request, "udp"))};
    struct computer *computer = computer_require(c->daemon, host != NULL ? host : "", error);
    if (computer == NULL) {
        connection_refuse(c, "%s", error);
        return;
    }
    if (count > COUNT_MAX) {
        connection_refuse(c, "a range has %d ports at most", COUNT_MAX);
        return;
    }
    if (!port_read(request, "outside", 0, &what.outside) ||
        !port_read(request, "inside", 1, &what.inside) || count < 1 ||
        what.inside + count > 65536 || what.outside + count > 65536 ||
        (!what.any && berth_ip_parse(address, &what.address) < 0)) {
        connection_refuse(c, "publish takes an address, a port of it and one of the host");
        return;
    }
    what.host = computer->number;
    for (json_int_t i = 0; i < count; i++) {
        if (publish(c->daemon, &what, error) < 0) {
            connection_refuse(c, "%s", error);
            return;
        }
        what.inside++;
        what.outside = (uint16_t)(what.outside + (what.outside != 0));
    }
    connection_ok(c);
}

/* ---- ports ---- */

void request_ports(struct connection *c, json_t *request) {
    const char *host = json_string_value(json_object_get(request, "host"));
    static const size_t most = PORTS_MAX;
    struct gateway_port *ports = calloc(most, sizeof *ports);
    char error[SENTENCE];
    struct computer *computer = computer_require(c->daemon, host != NULL ? host : "", error);
    if (computer == NULL || ports == NULL) {
        connection_refuse(c, "%s", computer == NULL ? error : "out of memory");
        free(ports);
        return;
    }
    uint64_t now;
    server_lock(c->daemon->server, &now);
    size_t count = gateway_ports(c->daemon->server, ports, most);
    server_unlock(c->daemon->server);
    struct document document;
    document_open(&document);
    for (size_t i = 0; i < count && i < most; i++) {
        char ip[BERTH_IP_TEXT];
        if (ports[i].host != computer->number)
            continue;
        document_row(&document, json_pack("{s:i,s:s,s:s,s:i}", "inside", (int)ports[i].inside,
                                          "protocol", ports[i].udp ? "udp" : "tcp", "address",
                                          berth_ip_format(&ports[i].outside.ip, ip), "outside",
                                          (int)ports[i].outside.port));
    }
    free(ports);
    document_send(&document, c);
}

/* ---- gateway ---- */

void request_gateway(struct connection *c, json_t *request) {
    json_t *allow = json_object_get(request, "allow"), *one;
    struct allow_rule rules[GATEWAY_RULES];
    size_t i, count = json_array_size(allow);
    char error[SENTENCE];
    if ((allow != NULL && !json_is_array(allow)) || count > GATEWAY_RULES) {
        connection_refuse(c, "allow should be a list of at most %d", GATEWAY_RULES);
        return;
    }
    json_array_foreach(allow, i, one) {
        const char *text = json_string_value(one);
        if (!allow_read(text != NULL ? text : "", &rules[i], error, sizeof error)) {
            connection_refuse(c, "allow: %s", error);
            return;
        }
    }
    uint64_t now;
    server_lock(c->daemon->server, &now);
    int result = gateway_open(c->daemon->server, rules, count, allow == NULL);
    server_unlock(c->daemon->server);
    if (result < 0)
        connection_refuse(c, "the network cannot have a gateway: %s",
                          result == -EADDRINUSE      ? "its last address is a host's"
                          : result == -EADDRNOTAVAIL ? "no address of its subnet is left for it"
                                                     : strerror(-result));
    else
        connection_ok(c);
}
