/* netem, link, partition, heal, kill, pause, unpause and restart: what goes wrong, on demand. */
#include "tool/cli/faults.h"
#include "tool/cli/cli.h"
#include "tool/cli/netem.h"
#include "tool/control/nearest.h"

#include <stdlib.h>
#include <string.h>

const char *const fault_words[] = {"netem", "link",    "partition", "heal", "kill",
                                   "pause", "unpause", "restart",   NULL};

/* ---- reading ---- */

static json_t *link_request(int count, char *const *operands, char *error, size_t size) {
    static const char *const states[] = {"up", "down"};
    if (count != 3) {
        snprintf(error, size, "it takes a host, a network or another host, and up or down");
        return NULL;
    }
    bool up = strcmp(operands[2], "up") == 0;
    if (!up && strcmp(operands[2], "down") != 0) {
        const char *nearest = word_nearest(operands[2], states, 2);
        snprintf(error, size, "\"%.40s\" should be up or down%s%s%s", operands[2],
                 nearest ? " (did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?)" : "");
        return NULL;
    }
    return json_pack("{s:s,s:s,s:s,s:b}", "do", "link", "host", operands[0], "to", operands[1],
                     "up", (int)up);
}

static json_t *names_split(const char *text) {
    json_t *names = json_array();
    while (*text != '\0') {
        size_t length = strcspn(text, ",");
        if (length > 0)
            json_array_append_new(names, json_stringn(text, length));
        text += length + (text[length] == ',');
    }
    return names;
}

static json_t *partition_request(int count, char *const *operands, char *error, size_t size) {
    json_t *groups = json_array();
    bool named = count > 0;
    for (int i = 0; i < count; i++) {
        json_t *names = names_split(operands[i]);
        named = named && json_array_size(names) > 0;
        json_array_append_new(groups, names);
    }
    if (named)
        return json_pack("{s:s,s:o}", "do", "partition", "groups", groups);
    json_decref(groups);
    snprintf(error, size, "partition takes groups of hosts, such as a,b c,d");
    return NULL;
}

static json_t *heal_request(int count, char *const *operands, char *error, size_t size) {
    (void)operands;
    if (count == 0)
        return json_pack("{s:s}", "do", "heal");
    snprintf(error, size, "it takes nothing: it heals all partitions and links");
    return NULL;
}

static json_t *power_request(const char *word, int count, char *const *operands, char *error,
                             size_t size) {
    json_t *hosts = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(hosts, json_string(operands[i]));
    if (count > 0)
        return json_pack("{s:s,s:o}", "do", word, "hosts", hosts);
    json_decref(hosts);
    snprintf(error, size, "which hosts?");
    return NULL;
}

json_t *fault_request(const char *word, int count, char *const *operands, char *error,
                      size_t size) {
    size_t words = 0;
    json_t *request;
    while (fault_words[words] != NULL && strcmp(fault_words[words], word) != 0)
        words++;
    error[0] = '\0';
    if (fault_words[words] == NULL) {
        const char *nearest = word_nearest(word, fault_words, words);
        snprintf(error, size, "no fault is called \"%.40s\" (%s%s%s)", word,
                 nearest ? "did you mean \""
                         : "there are: netem, link, partition, heal, kill, "
                           "pause, unpause, restart",
                 nearest ? nearest : "", nearest ? "\"?" : "");
        return NULL;
    }
    if (strcmp(word, "netem") == 0 && count == 0) {
        snprintf(error, size, "it takes a host and what its link is to do");
        return NULL;
    }
    request = strcmp(word, "netem") == 0       ? netem_request(count, operands, error, size)
              : strcmp(word, "link") == 0      ? link_request(count, operands, error, size)
              : strcmp(word, "partition") == 0 ? partition_request(count, operands, error, size)
              : strcmp(word, "heal") == 0      ? heal_request(count, operands, error, size)
                                               : power_request(word, count, operands, error, size);
    if (request == NULL && error[0] == '\0')
        snprintf(error, size, "these are no names"); /* not UTF-8 */
    return request;
}

/* ---- the commands ---- */

static void take_json(void *context, int letter, const char *argument) {
    (void)letter, (void)argument;
    *(bool *)context = true;
}

static json_t *ask(const char *net, char **argv, int argc, int *status) {
    char error[CLI_TEXT];
    json_t *request = fault_request(argv[0], argc - optind, argv + optind, error, sizeof error);
    json_t *reply = request != NULL ? cli_ask(net, request, NULL, 0, NULL) : NULL;
    *status = request == NULL ? cli_misuse(argv[0], "%s: %s", argv[0], error)
              : reply == NULL ? STATUS_FAILED
                              : 0;
    return reply;
}

int command_netem(int argc, char **argv) {
    static const struct option words[] = {{"json", no_argument, NULL, 'j'}, {NULL, 0, NULL, 0}};
    bool json = false;
    const struct cli_options options = {
        .usage = "netem [--net NET] [--json] HOST[:NETWORK] [egress|ingress] [only MATCH] [del | "
                 "[replace] WORD VALUE...]",
        .help =
            "Changes what the link between a computer and the switch does to frames: the same both "
            "ways, or\nto what leaves the computer (egress) or comes to it (ingress). What is not "
            "mentioned stays as it\nis (with replace: is switched off). Without words: says what "
            "it does now. tc netem's words:\n\n"
            "  delay TIME [JITTER [CORRELATION]]  each frame waits (50ms 5ms 25%)\n"
            "  distribution uniform|normal|pareto|paretonormal\n"
            "  loss [random] PERCENT [CORRELATION]\n"
            "  loss gemodel P [R [1-H [1-K]]]     Gilbert's and Elliott's good and bad times\n"
            "  loss state P13 [P31 [P32 [P23 [P14]]]]\n"
            "  duplicate, corrupt PERCENT [CORRELATION]\n"
            "  reorder PERCENT [CORRELATION] [gap N]  that many pass while the others wait\n"
            "  rate RATE                          (10mbit)\n"
            "  limit FRAMES                       that wait at most\n\n"
            "del takes all away that it does, with the filters; after only MATCH: that filter.\n"
            "MATCH: [tcp|udp|icmp|icmp6] [port N] [to HOST|ADDRESS]: these frames alone, as in\n"
            "  berth netem web only tcp port 5432 to db2 loss 20%\n"
            "They keep what the link does at that time, whatever is said for the others later.\n\n"
            "  --json    print JSON\n",
        .letters = "",
        .words = words,
        .take = take_json,
        .context = &json,
        .least = 1,
        .most = -1};
    const char *net;
    int status = cli_parse(argc, argv, &options, &net);
    if (status >= 0)
        return status;
    json_t *reply = ask(net, argv, argc, &status);
    const json_t *links = json_object_get(reply, "links");
    if (links != NULL && json) {
        json_dumpf(links, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
        printf("\n");
    } else if (links != NULL) {
        netem_print(stdout, links);
    }
    json_decref(reply);
    return status;
}

static int simple(int argc, char **argv, const char *usage, const char *help) {
    const struct cli_options options = {
        .usage = usage, .help = help, .letters = "", .least = 0, .most = -1};
    const char *net;
    int status = cli_parse(argc, argv, &options, &net);
    if (status < 0)
        json_decref(ask(net, argv, argc, &status));
    return status;
}

int command_link(int argc, char **argv) {
    return simple(argc, argv, "link [--net NET] HOST NETWORK|HOST up|down",
                  "Pulls the cable between a computer and a network out, or puts it in again; "
                  "between two\ncomputers: closes all ways from the one to the other, or opens "
                  "them.\n");
}

int command_partition(int argc, char **argv) {
    return simple(
        argc, argv, "partition [--net NET] HOST,... [HOST,...]...",
        "Keeps groups of computers apart: frames from one group do not reach another. "
        "One group alone\nis cut off from all others; otherwise who is in no group "
        "reaches everybody. Replaces the\npartition that there is; berth heal ends it.\n");
}

int command_heal(int argc, char **argv) {
    return simple(argc, argv, "heal [--net NET]",
                  "Ends partitions, and puts all links up. What netem does stays.\n");
}

int command_kill(int argc, char **argv) {
    return simple(argc, argv, "kill [--net NET] HOST...",
                  "Switches computers off: their programs are killed, and their connections are "
                  "gone without a\nword to their peers. berth restart switches them on.\n");
}

int command_pause(int argc, char **argv) {
    return simple(argc, argv, "pause [--net NET] HOST...",
                  "Lets computers stand still, their programs and their time: frames that come are "
                  "lost.\n");
}

int command_unpause(int argc, char **argv) {
    return simple(argc, argv, "unpause [--net NET] HOST...", "Lets paused computers go on.\n");
}

int command_restart(int argc, char **argv) {
    return simple(
        argc, argv, "restart [--net NET] HOST...",
        "Switches computers off, if they are on, and on again: the commands of berth.yaml "
        "begin anew.\n");
}
