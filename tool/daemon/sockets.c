/* `ss`: the sockets of all computers, and the processes that hold them. */
#include "tool/daemon/computers.h"
#include "tool/daemon/document.h"
#include "tool/daemon/requests.h"
#include "tool/daemon/tcp_info.h"

enum { ROWS = 16384, OWNERS = 64 };

/* iproute2's words, in the order of enum berth_tcp_state. */
static const char *const states[] = {"UNKNOWN",    "ESTAB",      "SYN-SENT",  "SYN-RECV",
                                     "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "UNCONN",
                                     "CLOSE-WAIT", "LAST-ACK",   "LISTEN",    "CLOSING"};
_Static_assert(sizeof states / sizeof states[0] == BERTH_CLOSING + 1, "a word for each state");

static json_t *end_pack(const struct berth_endpoint *end, int family) {
    char text[BERTH_IP_TEXT];
    /* A socket of family 6 without a peer has the wildcard of its own family. */
    bool any6 = family == 6 && berth_ip_is_any(&end->ip);
    return json_pack("{s:s,s:i}", "address", any6 ? "::" : berth_ip_format(&end->ip, text), "port",
                     (int)end->port);
}

static json_t *owners_pack(const struct server_owners *owners, uint64_t user) {
    struct server_owner found[OWNERS];
    json_t *list = json_array();
    size_t count = owners != NULL ? server_owners_of(owners, user, found, OWNERS) : 0;
    for (size_t i = 0; i < count && i < OWNERS; i++) {
        found[i].name[sizeof found[i].name - 1] = '\0';
        json_array_append_new(list, json_pack("{s:s,s:i,s:i}", "name", text_clean(found[i].name),
                                              "pid", (int)found[i].pid, "fd", found[i].fd));
    }
    return list;
}

/* What the rows are asked for beside the table's own columns. */
struct asked {
    const struct server_owners *owners; /* NULL: not for these */
    bool info;
    uint64_t now; /* of the info */
};

static json_t *row_pack(const char *host, const struct berth_socket_row *row,
                        const struct berth_tcp_info *info, const struct asked *asked) {
    const char *state = row->state <= BERTH_CLOSING ? states[row->state] : states[0];
    /* Records without a socket (TIME-WAIT, half-open) belong to nobody. */
    const struct server_owners *owners = row->socket != 0 ? asked->owners : NULL;
    json_t *object =
        json_pack("{s:s,s:s,s:s,s:I,s:I,s:o,s:o,s:o}", "host", host, "netid",
                  row->protocol == BERTH_TCP ? "tcp" : "udp", "state", state, "recv_q",
                  (json_int_t)row->receive_queue, "send_q", (json_int_t)row->send_queue, "local",
                  end_pack(&row->local, row->family), "peer", end_pack(&row->remote, row->family),
                  "process", owners_pack(owners, row->user));
    if (asked->info && row->socket != 0 && row->protocol == BERTH_TCP)
        json_object_set_new(object, "tcp_info", tcp_info_pack(info, asked->now));
    return object;
}

/* Up to ROWS rows of one moment: so the ends of a connection agree, and the network stands still
 * only for moments however many sockets there are. */
struct moment {
    struct berth_socket_row rows[ROWS];
    struct berth_tcp_info infos[ROWS];
    const char *hosts[ROWS]; /* borrowed from the computers */
    size_t count;
    const struct computer *computer; /* where the next moment goes on, NULL: all are read */
    uint64_t cursor;
};

static void moment_host(struct moment *moment, struct berth_host *host, const char *name,
                        bool info) {
    size_t count;
    do {
        struct berth_socket_row *rows = moment->rows + moment->count;
        count = berth_host_sockets(host, &moment->cursor, rows, ROWS - moment->count);
        for (size_t i = 0; i < count; i++) {
            moment->hosts[moment->count + i] = name;
            if (info)
                berth_socket_tcp_info(host, rows[i].socket, &moment->infos[moment->count + i]);
        }
        moment->count += count;
    } while (count > 0 && moment->count < ROWS);
}

static void moment_take(struct daemon *daemon, struct moment *moment, struct asked *asked) {
    struct berth_network *network = server_lock(daemon->server, &asked->now);
    moment->count = 0;
    while (moment->computer != NULL) {
        struct berth_host *host = berth_network_host(network, moment->computer->number);
        if (host != NULL)
            moment_host(moment, host, moment->computer->name, asked->info);
        if (moment->count == ROWS)
            break; /* there may be more of this one */
        moment->computer = moment->computer->next;
        moment->cursor = 0;
    }
    server_unlock(daemon->server);
}

/* Whose the sockets are is looked for after the moment, which takes a while: a socket that is made
 * meanwhile is not in the rows. */
static void moment_tell(struct server *server, const struct moment *moment, struct asked *asked,
                        bool with_owners, struct document *document) {
    struct server_owners *owners = with_owners ? server_owners_find(server) : NULL;
    asked->owners = owners;
    for (size_t i = 0; i < moment->count; i++)
        document_row(document,
                     row_pack(moment->hosts[i], &moment->rows[i], &moment->infos[i], asked));
    server_owners_free(owners);
}

void request_ss(struct connection *c, json_t *request) {
    struct asked asked = {.info = json_is_true(json_object_get(request, "info"))};
    bool with_owners = json_is_true(json_object_get(request, "owners"));
    struct moment *moment = calloc(1, sizeof *moment);
    struct document document;
    document_open(&document);
    if (moment == NULL)
        document.failed = true;
    else
        moment->computer = c->daemon->computers;
    while (!document.failed && moment->computer != NULL) {
        moment_take(c->daemon, moment, &asked);
        moment_tell(c->daemon->server, moment, &asked, with_owners, &document);
    }
    free(moment);
    document_send(&document, c);
}
