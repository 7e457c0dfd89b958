/* What berth.yaml says: networks, their computers with their commands, and links.
 *
 * What a key under `hosts` says is read once, into a service; its computers (`count`) share it. */
#ifndef TOOL_CLI_SPEC_H
#define TOOL_CLI_SPEC_H

#include "tool/cli/ports.h"
#include "tool/cli/tree.h"
#include "tool/daemon/subnets.h"

#include <jansson.h>
#include <stdint.h>

enum { SPEC_NAME = 64, SPEC_PATH = 160 };

struct spec_network {
    struct spec_network *next;
    const char *name, *subnet;
    const char *subnet6; /* NULL: the one that goes with the IPv4 one; SUBNET_NONE: none */
    int line;            /* 0: it is not in the file */
    unsigned number;     /* from 0 */
    json_t *link;        /* of its links by default: fields of an impairment, or NULL */
    const struct tree_node *netem; /* of all its links: netem's lines, or NULL */
    char made[32];                 /* the text of a subnet that the reader chose */
};

/* A computer's interface on a network. */
struct spec_plug {
    struct spec_plug *next;
    const struct spec_network *network;
    const char *address, *address6; /* or NULL */
    int line, address_line, address6_line;
    const struct tree_node *aliases; /* a list of names, or NULL */
    unsigned number;                 /* from 0: the order of the interfaces */
};

/* What is to come of a process. */
struct spec_expect {
    bool given, exited, running;
    int status;                     /* if `exited` */
    const struct tree_node *output; /* a text or a list of them, or NULL */
    int line;
};

enum spec_restart { RESTART_NO, RESTART_ALWAYS, RESTART_ON_FAILURE };

struct spec_process {
    struct spec_process *next;
    const char *name; /* NULL: the host's `command` */
    int line;
    char **argv;                  /* NULL-terminated */
    char **environment;           /* "NAME=value", NULL-terminated */
    const char *directory, *user; /* or NULL */
    enum spec_restart restart;
    unsigned restarts; /* at most; 0: any number */
    int stop_signal;   /* 0: SIGTERM */
    uint64_t grace;    /* ns between that and SIGKILL; UINT64_MAX: the usual */
    struct spec_expect expect;
};

struct spec_health {
    char **argv;                              /* NULL-terminated; NULL: no check */
    const char *path;                         /* of `test`, for messages */
    uint64_t interval, timeout, start_period; /* ns */
    uint64_t start_interval;                  /* 0: chosen */
    unsigned retries;
};

enum spec_condition { SPEC_STARTED, SPEC_HEALTHY, SPEC_COMPLETED };

struct spec_depend {
    struct spec_depend *next;
    struct spec_service *on;
    enum spec_condition condition;
    bool required;
};

struct spec_port {
    struct spec_port *next;
    struct port_mapping mapping;
    int line;
};

struct spec_extra_host {
    struct spec_extra_host *next;
    char *name;
    const char *address;
    int line;
};

/* hosts.NAME */
struct spec_service {
    struct spec_service *next;
    const char *name;
    const struct tree_node *node;
    unsigned number; /* from 0 */
    unsigned count;  /* of computers */
    int line;
    struct spec_plug *plugs;
    struct spec_process *processes;
    struct spec_health health;
    struct spec_depend *depends;
    struct spec_port *ports;
    struct spec_extra_host *extra_hosts;
    unsigned port_first, port_last; /* 0: the default range */
    json_t *sysctls;                /* name: value, or NULL */
    bool forward;                   /* passes on what is not for it */
    bool router;                    /* and others send to it what is not for their networks */
};

struct spec_host {
    struct spec_host *next;
    char name[SPEC_NAME]; /* "pc2" */
    const struct spec_service *service;
    json_t **links;      /* of each plug, by its number: fields of an impairment, or NULL */
    unsigned restarts;   /* how often faults restart it */
    bool killed, is_off; /* by faults: at some time, and in the end */
};

struct spec {
    struct tree_node *root;
    struct spec_network *networks;
    struct spec_service *services, *last_service;
    struct spec_host *hosts, *last;
    unsigned network_count, service_count, host_count;
    json_t *gateway; /* what it lets through; json_null(): everything; NULL: there is none */
    void *names;     /* of hosts: a tree (search.h) */
    json_t *setup;   /* what links do before anything starts: [{fault: a request, place}] */
    json_t *faults;  /* what happens when, in that order: [{at: ns, fault, place, text}] */
};

/* The network's IPv6 subnet, or SUBNET_NONE. `made` has room for the text of one that goes with the
 * IPv4 one. */
const char *spec_subnet6(const struct spec_network *network, char made[SUBNET_TEXT]);
/* Reads it; the spec is empty on failure, with "FILE:LINE: KEY: what is wrong" in
 * error[TREE_ERROR]. `name` says where the file is: env_file is beside it. */
bool spec_read(struct spec *spec, FILE *file, const char *name, char *error);
void spec_clear(struct spec *spec);
const struct spec_host *spec_find(const struct spec *spec, const char *name);

#endif
