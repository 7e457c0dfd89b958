/* `ps` and `hosts`: what there is. */
#include "tool/daemon/document.h"
#include "tool/daemon/requests.h"
#include "tool/daemon/runs.h"

#include <unistd.h>

static json_t *run_row(const struct run *run) {
    char program[NAME_TEXT], since[16];
    snprintf(program, sizeof program, "%s", run->program);
    return json_pack("{s:s,s:s,s:s,s:i,s:s,s:s,s:I}", "host", run->computer->name, "address",
                     run->computer->address, "program", text_clean(program), "pid", (int)run->pid,
                     "status",
                     run->computer->power == POWER_PAUSED ? "paused"
                     : run->number >= 0                   ? "running"
                                                          : "starting",
                     "since", clock_text(run->since, since), "since_unix", (json_int_t)run->since);
}

/* A computer on which nothing runs: its command has ended, or it has none. */
static json_t *idle_row(const struct computer *computer) {
    char status[32] = "-", since[16];
    if (computer->power == POWER_OFF)
        snprintf(status, sizeof status, "off");
    else if (computer->power == POWER_PAUSED)
        snprintf(status, sizeof status, "paused");
    else if (computer->ended)
        snprintf(status, sizeof status, "exited (%d)", computer->status);
    return json_pack(
        "{s:s,s:s,s:s,s:n,s:s,s:s,s:I}", "host", computer->name, "address", computer->address,
        "program", computer->command[0] != '\0' ? computer->command : "-", "pid", "status", status,
        "since", clock_text(computer->since, since), "since_unix", (json_int_t)computer->since);
}

void request_ps(struct connection *c, json_t *request) {
    (void)request;
    struct document document;
    document_open(&document);
    for (struct computer *computer = c->daemon->computers; computer; computer = computer->next) {
        bool idle = true;
        for (struct connection *user = c->daemon->connections; user != NULL; user = user->next) {
            if (user->run == NULL || user->run->computer != computer)
                continue;
            document_row(&document, run_row(user->run));
            idle = false;
        }
        if (idle)
            document_row(&document, idle_row(computer));
    }
    document_send(&document, c);
}

enum { LINKS_MAX = 16 };

/* A row for each link. */
static void link_row(struct document *document, const struct computer *computer,
                     const struct berth_link *link, const char *network) {
    char address[BERTH_IP_TEXT], address6[BERTH_IP_TEXT] = "-";
    if (!berth_ip_is_any(&link->ipv6))
        berth_ip_format(&link->ipv6, address6);
    document_row(document, json_pack("{s:s,s:s,s:s,s:s,s:i}", "host", computer->name, "address",
                                     berth_ip_format(&link->address, address), "address6", address6,
                                     "network", network, "users", (int)computer->users));
}

void request_hosts(struct connection *c, json_t *request) {
    (void)request;
    struct document document;
    document_open(&document);
    for (struct computer *computer = c->daemon->computers; computer; computer = computer->next) {
        struct berth_link links[LINKS_MAX];
        uint64_t now;
        struct berth_network *network = server_lock(c->daemon->server, &now);
        size_t count = berth_network_links(network, computer->number, links, LINKS_MAX);
        for (size_t i = 0; i < count && i < LINKS_MAX; i++)
            link_row(&document, computer, &links[i],
                     berth_network_switch_name(network, links[i].switch_number));
        server_unlock(c->daemon->server);
    }
    document_send(&document, c);
}

/* For those who measure: test/counts. */
void request_counters(struct connection *c, json_t *request) {
    struct server_counters counters;
    (void)request;
    server_counters(c->daemon->server, &counters);
    connection_reply(
        c, json_pack("{s:b,s:i,s:I,s:I,s:I,s:I,s:I}", "ok", 1, "pid", (int)getpid(),
                     "notified_calls", (json_int_t)counters.notified_calls, "wakeups",
                     (json_int_t)counters.wakeups, "receives", (json_int_t)counters.receives,
                     "sends", (json_int_t)counters.sends, "frames", (json_int_t)counters.frames));
}
