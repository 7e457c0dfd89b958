/* hosts.NAME.command and .processes: what runs on a host, and what is to come of it. */
#define _GNU_SOURCE
#include "tool/cli/pattern.h"
#include "tool/cli/spec_read.h"

#include <regex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { PROCESSES_MAX = 256, STATUS_MAX = 255 };

/* A process's own map, and the host's behind it: what is not in one is taken from the other. */
struct place {
    const struct spec_reader *reader;
    const struct tree_node *maps[2];
    const char *paths[2];
    size_t count;
};

static const struct tree_node *place_member(const struct place *place, const char *key,
                                            const struct tree_node **map, const char **path) {
    for (size_t i = 0; i < place->count; i++) {
        const struct tree_node *node = tree_member(place->maps[i], key);
        if (node != NULL && !tree_is_null(node)) {
            *map = place->maps[i];
            *path = place->paths[i];
            return node;
        }
    }
    return NULL;
}

static bool place_text(const struct place *place, const char *key, const char **text, int *line,
                       char where[SPEC_PATH]) {
    const struct tree_node *map;
    const char *path;
    const struct tree_node *node = place_member(place, key, &map, &path);
    if (node == NULL)
        return true;
    *line = node->line;
    spec_path(where, path, key);
    return spec_text(place->reader, map, path, key, text);
}

/* A text is the shell's, a list is a program and its arguments. The words stay the tree's. */
static bool command_read(const struct spec_reader *reader, const struct tree_node *value,
                         const char *path, struct spec_process *process) {
    static char shell[] = "sh", option[] = "-c";
    if (value->kind == TREE_MAP || (value->kind == TREE_LIST && value->first == NULL))
        return spec_wrong(reader, value->line, path, "must be a line or a list of words");
    if (value->kind == TREE_LIST)
        return spec_argv(reader, value, path, &process->argv);
    process->argv = calloc(4, sizeof *process->argv);
    if (process->argv == NULL)
        return spec_memory(reader, value->line, path);
    process->argv[0] = shell;
    process->argv[1] = option;
    process->argv[2] = value->text;
    return true;
}

/* no, always, unless-stopped, on-failure, on-failure:N */
static bool restart_read(const struct place *place, struct spec_process *process) {
    static const char on_failure[] = "on-failure";
    const char *text = NULL;
    char where[SPEC_PATH];
    int line;
    if (!place_text(place, "restart", &text, &line, where))
        return false;
    if (text == NULL)
        return true;
    size_t length = sizeof on_failure - 1;
    long most = 0;
    if (strcmp(text, "no") == 0 || strcmp(text, "false") == 0) {
        process->restart = RESTART_NO;
    } else if (strcmp(text, "always") == 0 || strcmp(text, "unless-stopped") == 0) {
        process->restart = RESTART_ALWAYS;
    } else {
        process->restart = RESTART_ON_FAILURE;
        if (strncmp(text, on_failure, length) != 0)
            most = -1;
        else if (text[length] != '\0')
            most = text[length] == ':' ? spec_number(text + length + 1) : -1;
        if (most < 0 || (most == 0 && text[length] != '\0'))
            return spec_wrong(place->reader, line, where,
                              "\"%.40s\" should be no, always, on-failure or on-failure:3", text);
        process->restarts = (unsigned)most;
    }
    return true;
}

/* "SIGINT", "INT" or "2"; 0: there is no such signal. */
static int signal_number(const char *text) {
    long number = spec_number(text);
    if (number >= 0)
        return number >= 1 && number < SIGRTMIN ? (int)number : 0;
    if (strncmp(text, "SIG", 3) == 0)
        text += 3;
    for (int i = 1; i < SIGRTMIN; i++)
        if (sigabbrev_np(i) != NULL && strcmp(sigabbrev_np(i), text) == 0)
            return i;
    return 0;
}

static bool stop_read(const struct place *place, struct spec_process *process) {
    const struct tree_node *map;
    const char *text = NULL, *path;
    char where[SPEC_PATH];
    int line;
    if (!place_text(place, "stop_signal", &text, &line, where))
        return false;
    process->stop_signal = text != NULL ? signal_number(text) : 0;
    if (text != NULL && process->stop_signal == 0)
        return spec_wrong(place->reader, line, where, "\"%.40s\" should be a signal such as SIGINT",
                          text);
    process->grace = UINT64_MAX;
    return place_member(place, "stop_grace_period", &map, &path) == NULL ||
           spec_duration(place->reader, map, path, "stop_grace_period", &process->grace);
}

/* "/.../" must be an extended regular expression. */
static bool pattern_check(const struct spec_reader *reader, const struct tree_node *node,
                          const char *path) {
    regex_t regex;
    char why[128];
    size_t length = strlen(node->text);
    if (length <= 2 || node->text[0] != '/' || node->text[length - 1] != '/')
        return true;
    char *inner = strndup(node->text + 1, length - 2);
    if (inner == NULL)
        return spec_memory(reader, node->line, path);
    bool small = pattern_is_small(inner);
    int error = small ? regcomp(&regex, inner, REG_EXTENDED | REG_NOSUB) : 0;
    free(inner);
    if (!small)
        return spec_wrong(reader, node->line, path,
                          "\"%.60s\" is too long or repeats too much: at most %d with all "
                          "repetitions written out",
                          node->text, PATTERN_MOST);
    if (error == 0) {
        regfree(&regex);
        return true;
    }
    regerror(error, &regex, why, sizeof why);
    return spec_wrong(reader, node->line, path, "\"%.60s\": %s", node->text, why);
}

static bool output_read(const struct spec_reader *reader, const struct tree_node *map,
                        const char *path, struct spec_expect *expect) {
    char inner[SPEC_PATH];
    const struct tree_node *output = spec_member(map, path, "output", inner);
    if (output == NULL)
        return true;
    bool fine = output->kind != TREE_MAP && (output->kind == TREE_TEXT || output->first != NULL);
    for (const struct tree_node *one = output->first; fine && one != NULL; one = one->next)
        fine = one->kind == TREE_TEXT && one->text[0] != '\0';
    if (!fine || (output->kind == TREE_TEXT && output->text[0] == '\0'))
        return spec_wrong(reader, output->line, inner,
                          "must be a text that the output has in it, or a list of them");
    expect->output = output;
    if (output->kind == TREE_TEXT)
        return pattern_check(reader, output, inner);
    for (const struct tree_node *one = output->first; one != NULL; one = one->next)
        if (!pattern_check(reader, one, inner))
            return false;
    return true;
}

static bool expect_read(const struct spec_reader *reader, const struct tree_node *node,
                        const char *path, struct spec_expect *expect) {
    char inner[SPEC_PATH], leaf[SPEC_PATH];
    const char *status = NULL;
    const struct tree_node *map = spec_member(node, path, "expect", inner);
    if (map == NULL)
        return true;
    if (!spec_map_check(reader, map, inner, SPEC_MAP_EXPECT) ||
        !spec_text(reader, map, inner, "exited", &status) ||
        !spec_bool(reader, map, inner, "running", &expect->running) ||
        !output_read(reader, map, inner, expect))
        return false;
    long number = status != NULL ? spec_number(status) : 0;
    spec_path(leaf, inner, "exited");
    if (number < 0 || number > STATUS_MAX)
        return spec_wrong(reader, tree_member(map, "exited")->line, leaf,
                          "\"%.40s\" should be an exit status from 0 to %d", status, STATUS_MAX);
    if (status != NULL && expect->running)
        return spec_wrong(reader, tree_member(map, "exited")->line, leaf,
                          "and running: what has exited does not run");
    expect->exited = status != NULL;
    expect->status = (int)number;
    expect->line = map->line;
    expect->given = expect->exited || expect->running || expect->output != NULL;
    return expect->given || spec_wrong(reader, map->line, inner,
                                       "nothing is expected; there are: exited, running, output");
}

/* All but the command, which a host can do without. */
static bool settings_read(const struct place *place, struct spec_process *process) {
    char where[SPEC_PATH];
    int line;
    /* What is nearer to the process wins: the environment is read from the host on. */
    const struct tree_node *maps[2] = {place->maps[place->count - 1], place->maps[0]};
    const char *paths[2] = {place->paths[place->count - 1], place->paths[0]};
    return spec_environment_read(place->reader, maps, paths, place->count, &process->environment) &&
           place_text(place, "working_dir", &process->directory, &line, where) &&
           place_text(place, "user", &process->user, &line, where) &&
           restart_read(place, process) && stop_read(place, process) &&
           expect_read(place->reader, place->maps[0], place->paths[0], &process->expect);
}

static void process_free(struct spec_process *process) {
    for (char **entry = process->environment; entry != NULL && *entry != NULL; entry++)
        free(*entry);
    free(process->environment);
    free(process->argv);
    free(process);
}

static struct spec_process *process_add(struct spec_service *service, const char *name, int line) {
    struct spec_process *process = calloc(1, sizeof *process), **link = &service->processes;
    if (process == NULL)
        return NULL;
    while (*link != NULL)
        link = &(*link)->next;
    *link = process;
    process->name = name;
    process->line = line;
    return process;
}

static bool process_read(const struct place *place, const char *name, int line,
                         struct spec_service *service) {
    const struct spec_reader *reader = place->reader;
    char path[SPEC_PATH];
    struct spec_process *process = process_add(service, name, line);
    if (process == NULL)
        return spec_memory(reader, line, place->paths[0]);
    const struct tree_node *command = spec_member(place->maps[0], place->paths[0], "command", path);
    if (command == NULL)
        return spec_wrong(reader, line, place->paths[0], "a process needs a command");
    return command_read(reader, command, path, process) && settings_read(place, process);
}

/* A host without a command: what it says of one is looked at all the same. */
static bool nothing_read(const struct place *place) {
    char path[SPEC_PATH];
    struct spec_process *process = calloc(1, sizeof *process);
    if (process == NULL)
        return spec_memory(place->reader, place->maps[0]->line, place->paths[0]);
    bool fine = settings_read(place, process);
    process_free(process);
    const struct tree_node *expect = spec_member(place->maps[0], place->paths[0], "expect", path);
    if (fine && expect != NULL)
        fine = spec_wrong(place->reader, expect->line, path,
                          "there is no command of which to expect it");
    return fine;
}

/* Several: each has a name, and what the host says of all. */
static bool several_read(const struct spec_reader *reader, const struct tree_node *node,
                         const char *path, const struct tree_node *processes, const char *inner,
                         struct spec_service *service) {
    static const char *const own[] = {"command", "expect"};
    for (size_t i = 0; i < 2; i++)
        if (tree_member(node, own[i]) != NULL)
            return spec_wrong(reader, tree_member(node, own[i])->key_line, path,
                              "%s belongs to one of its processes", own[i]);
    if (processes->kind != TREE_MAP || processes->first == NULL)
        return spec_wrong(reader, processes->line, inner, "must be a map of names");
    if (spec_count(processes) > PROCESSES_MAX)
        return spec_wrong(reader, processes->line, inner, "more than %d", PROCESSES_MAX);
    for (const struct tree_node *one = processes->first; one != NULL; one = one->next) {
        char leaf[SPEC_PATH];
        spec_path(leaf, inner, one->key);
        const struct place place = {reader, {one, node}, {leaf, path}, 2};
        if (!spec_map_check(reader, one, leaf, SPEC_MAP_PROCESS) ||
            !process_read(&place, one->key, one->key_line, service))
            return false;
    }
    return true;
}

bool spec_processes_read(const struct spec_reader *reader, const struct tree_node *node,
                         const char *path, struct spec_service *service) {
    char inner[SPEC_PATH];
    const struct tree_node *processes = spec_member(node, path, "processes", inner);
    if (processes != NULL)
        return several_read(reader, node, path, processes, inner, service);
    const struct place place = {reader, {node}, {path}, 1};
    if (spec_member(node, path, "command", inner) != NULL)
        return process_read(&place, NULL, tree_member(node, "command")->key_line, service);
    return nothing_read(&place);
}

void spec_processes_clear(struct spec_service *service) {
    while (service->processes != NULL) {
        struct spec_process *process = service->processes;
        service->processes = process->next;
        process_free(process);
    }
}
