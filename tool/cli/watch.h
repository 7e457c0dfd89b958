/* What the parts of the supervisor share.
 *
 *   supervise.c  the loop, and the end
 *   order.c      which service starts when
 *   member.c     a process: started, ended, started anew
 *   health.c     a computer's health checks
 *   judge.c      whether all is as expected
 *   plan.c       the file's faults */
#ifndef TOOL_CLI_WATCH_H
#define TOOL_CLI_WATCH_H

#include "tool/cli/supervise.h"
#include "tool/cli/timers.h"

#include <jansson.h>
#include <regex.h>
#include <sys/resource.h>

struct watch;
struct state;

/* A child process of ours. */
struct child {
    pid_t pid; /* 0: none */
    void (*ended)(struct watch *watch, struct child *child, int status);
};

/* A text that is to be in the output. */
struct wanted {
    struct wanted *next;
    const char *text;
    bool is_regex, found;
    regex_t regex;
};

/* A process of a computer. */
struct member {
    struct child child; /* first: found from it */
    struct timer restart;
    struct state *state;
    const struct spec_process *process;
    int output; /* its end of the log; open while it may start, -1 then */
    unsigned restarts;
    uint64_t started, delay; /* since when; before the next start */
    bool over;               /* for good: it has ended, or will never start */
    bool began;
    bool parked; /* to start anew once its computer is on */
    bool again;  /* its computer was switched on again while it was still ending */
    bool known;  /* what is expected of its end has been judged */
    int status;
    /* What it has said, where something is expected of that. */
    int listening; /* -1: no more, or not at all */
    struct wanted *wanted;
    char *line;
    size_t length, size;
};

enum health { HEALTH_NONE, HEALTH_STARTING, HEALTH_GOOD, HEALTH_BAD };

/* A computer. */
struct state {
    struct child check; /* first: found from it */
    struct timer timer; /* the next check, or the end of the patience with this one */
    const struct spec_host *host;
    struct service *service;
    struct member *members;
    size_t count;
    size_t over, failed; /* members */
    enum health health;
    bool was_healthy;
    unsigned failures; /* in a row */
    uint64_t started, pause;
    unsigned restarts; /* that faults will make yet */
};

struct dependent {
    struct service *service;
    enum spec_condition condition;
    bool required;
};

struct service {
    const struct spec_service *spec;
    struct state *states;
    size_t count;
    size_t started, healthy, completed; /* states */
    size_t pending;                     /* conditions to be met before it starts */
    bool begun, blocked, met[3], never[3];
    struct dependent *dependents;
    size_t dependent_count;
};

struct watch {
    struct supervisor *s;
    struct service *services;
    struct state *states;
    struct member *members;
    size_t service_count, state_count, member_count;
    size_t left;    /* members that are not over */
    size_t waiting; /* services that have neither begun nor are blocked */
    size_t unwell;  /* states whose health is not known yet */
    void *children; /* by pid: a tree (search.h) */
    struct timers timers;
    struct timer patience; /* with the waiting */
    struct rlimit files;   /* as we found it */
    int poller, signals, follow;
    bool idle;  /* some computer has no command: there is no natural end */
    bool ended; /* the network goes down, as it should */
    bool asked; /* by us */
    bool expects, judged, wrong;
    size_t unknown; /* outcomes that are not known yet */
    size_t planned; /* faults that are not due yet, as far as we know */
    bool plan_runs, plan_over;
};

/* ---- supervise.c ---- */
/* Asks which computers were switched on again and how the faults go: the line that says that there
 * is something to ask for may have come while we waited for another answer. */
void news_ask(struct watch *watch);

/* ---- member.c ---- */
/* Logs for all, before any starts. */
bool members_log(struct watch *watch);
void member_start(struct watch *watch, struct member *member);
/* It will never start. */
void member_give_up(struct watch *watch, struct member *member);
/* Starts those of that computer that are over, or wait for it. */
void members_start_again(struct watch *watch, const char *host);
/* `berth WORD --net NET ... argv`, with the process's surroundings. */
bool child_start(struct watch *watch, struct child *child, const char *word, const char *host,
                 const struct spec_process *process, char *const *argv, int output);
void child_forget(struct watch *watch, struct child *child);
struct child *child_find(struct watch *watch, pid_t pid);

/* ---- order.c ---- */
bool order_make(struct watch *watch);
void order_clear(struct watch *watch);
/* Starts what waits for nobody. */
void order_begin(struct watch *watch);
/* A condition of the service has come true, or never will (why: a sentence). */
void order_met(struct watch *watch, struct service *service, enum spec_condition condition);
void order_never(struct watch *watch, struct service *service, enum spec_condition condition,
                 const char *why);

/* ---- health.c ---- */
void health_begin(struct watch *watch, struct state *state);
void health_end(struct watch *watch, struct state *state);

/* ---- plan.c ---- */
/* Gives the daemon the file's faults. */
bool plan_send(struct watch *watch);
/* Lets their time begin when all is up, and says when nothing more will come of them. */
void plan_look(struct watch *watch);
/* What the daemon says of them. */
void plan_hear(struct watch *watch, const json_t *news);
/* All have been, and what they did to computers has been heard of. */
bool plan_done(const struct watch *watch);

/* ---- judge.c ---- */
bool judge_listen(struct watch *watch);
/* The process is over. */
void judge_over(struct watch *watch, struct member *member);
/* What the process says: octets came, or the end. */
void judge_hear(struct watch *watch, struct member *member);
/* Sees whether all outcomes are known. */
void judge_look(struct watch *watch);
/* Something is not as it should be, in a line of its own. */
void judge_wrong(struct watch *watch, int line, const char *path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void judge_late(void *context, struct timer *timer);
/* What it says is listened to again. */
void judge_again(struct watch *watch, struct member *member);
void judge_clear(struct watch *watch);

/* "server", or "server.worker". */
void member_name(const struct member *member, char name[SPEC_PATH]);

#endif
