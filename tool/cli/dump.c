/* `berth dump`: asks the daemon for a pipe of pcapng and carries it into a file. The daemon never
 * waits for this process, nor for its disk or its reader; when it ends, however, so does the dump.
 */
#define _GNU_SOURCE
#include "tool/cli/dump_copy.h"
#include "tool/cli/dump_filter.h"
#include "tool/control/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

enum { OPTION_STOP = 1, FILTER_MAX = 8192 };

struct dump_choice {
    const char *file, *on;
    long count, snap, buffer; /* 0: not said; -1: nonsense */
    bool stop, detach;
};

static long number_read(const char *text, long least) {
    long number;
    return cli_number(text, least, LONG_MAX, &number) ? number : -1;
}

static void dump_take(void *context, int letter, const char *argument) {
    struct dump_choice *choice = context;
    switch (letter) {
    case 'w':
        choice->file = argument;
        break;
    case 'i':
        choice->on = argument;
        break;
    case 'c':
        choice->count = number_read(argument, 1);
        break;
    case 's':
        choice->snap = number_read(argument, 0);
        break;
    case 'B':
        choice->buffer = number_read(argument, 1);
        break;
    case 'd':
        choice->detach = true;
        break;
    default:
        choice->stop = true;
    }
}

/* ---- what is asked for ---- */

static bool is_place(const json_t *hosts, const char *word) {
    size_t index, length = strcspn(word, ":");
    const json_t *row;
    if (strcmp(word, "any") == 0)
        return true;
    json_array_foreach(hosts, index, row) {
        const char *host = json_string_value(json_object_get(row, "host"));
        const char *network = json_string_value(json_object_get(row, "network"));
        if ((host != NULL && strlen(host) == length && strncmp(word, host, length) == 0) ||
            (network != NULL && strcmp(word, network) == 0))
            return true;
    }
    return false;
}

static bool words_join(int count, char **words, char to[FILTER_MAX]) {
    size_t length = 0;
    to[0] = '\0';
    for (int i = 0; i < count; i++) {
        int more = snprintf(to + length, FILTER_MAX - length, "%s%s", i > 0 ? " " : "", words[i]);
        if (more < 0 || length + (size_t)more >= FILTER_MAX)
            return false;
        length += (size_t)more;
    }
    return true;
}

static void set_number(json_t *request, const char *key, long value) {
    if (value > 0)
        json_object_set_new(request, key, json_integer(value));
}

/* The request, or NULL when something is wrong and has been said. */
static json_t *request_make(const char *net, struct dump_choice *choice, int count, char **words) {
    char text[FILTER_MAX], error[CLI_TEXT] = "";
    json_t *hosts = cli_rows(net, json_pack("{s:s}", "do", "hosts")), *filter = NULL;
    if (hosts == NULL)
        return NULL;
    bool placed = choice->on != NULL;
    if (!placed && count > 0 && is_place(hosts, words[0])) {
        choice->on = words[0];
        words++, count--, placed = true;
    }
    if (!words_join(count, words, text))
        snprintf(error, sizeof error, "a filter of more than %d characters", FILTER_MAX);
    else if (text[0] != '\0')
        filter = dump_filter_compile(text, hosts, error, sizeof error);
    json_decref(hosts);
    if (error[0] != '\0') {
        cli_fail("%s%s", error,
                 placed || strstr(error, "character 1,") == NULL
                     ? ""
                     : " (its first word is no computer or network either)");
        return NULL;
    }
    json_t *request = json_pack("{s:s}", "do", "dump");
    if (choice->on != NULL && strcmp(choice->on, "any") != 0)
        json_object_set_new(request, "on", json_string(choice->on));
    if (filter != NULL)
        json_object_set_new(request, "filter", filter);
    set_number(request, "count", choice->count);
    set_number(request, "snap", choice->snap);
    set_number(request, "buffer", choice->buffer);
    return request;
}

/* ---- doing it ---- */

static int file_open(const char *path) {
    int file = strcmp(path, "-") == 0 ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
                                      : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0)
        cli_fail("%s: %s", path, strerror(errno));
    return file;
}

/* The rest goes on behind the caller's back, with nothing of his but the file. */
static int detach(struct dump_copy *copy) {
    fflush(NULL);
    pid_t child = fork();
    if (child < 0)
        return cli_fail("cannot fork: %s", strerror(errno));
    if (child > 0)
        return 0;
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    if (chdir("/") < 0 || setsid() < 0)
        _exit(STATUS_FAILED);
    _exit(dump_copy_run(copy));
}

static int dump_start(const char *net, const struct dump_choice *choice, json_t *request) {
    char error[CLI_TEXT];
    int status = STATUS_FAILED;
    struct dump_copy copy = {.path = choice->file, .control = cli_connect(net), .pipe = -1};
    if (copy.control < 0) {
        json_decref(request);
        return status;
    }
    copy.file = -1;
    json_t *reply =
        control_ask(copy.control, request, NULL, 0, &copy.pipe, NULL, error, sizeof error);
    if (reply == NULL || copy.pipe < 0)
        cli_fail("%s", reply != NULL ? "the daemon gave no pipe" : error);
    else if ((copy.file = file_open(choice->file)) < 0)
        status = STATUS_FAILED;
    else if (choice->detach)
        status = detach(&copy);
    else {
        fprintf(stderr, "berth: dumping %s; Ctrl-C ends it\n",
                choice->on != NULL ? choice->on : "any");
        status = dump_copy_run(&copy);
    }
    json_decref(reply);
    close(copy.pipe);
    close(copy.file);
    close(copy.control);
    return status;
}

static int dump_main(int argc, char **argv, bool detached) {
    static const struct option words[] = {{"write", required_argument, NULL, 'w'},
                                          {"interface", required_argument, NULL, 'i'},
                                          {"count", required_argument, NULL, 'c'},
                                          {"snapshot-length", required_argument, NULL, 's'},
                                          {"buffer-size", required_argument, NULL, 'B'},
                                          {"detach", no_argument, NULL, 'd'},
                                          {"stop", no_argument, NULL, OPTION_STOP},
                                          {NULL, 0, NULL, 0}};
    struct dump_choice choice = {.detach = detached};
    const char *net;
    const struct cli_options options = {
        .usage = "dump [--net NET] [HOST | NETWORK | HOST:NETWORK] -w FILE [FILTER] | --stop",
        .help = "Writes the frames that pass a computer's link, a network's, or all, into FILE "
                "(pcapng: names,\nnanoseconds, and why a frame was dropped), as long as it runs. "
                "FILTER is tcpdump's, and may name\nthe network's computers. Any number of dumps "
                "may run. For a line a frame: -w - | tcpdump -r -\n\n"
                "  -w, --write FILE     the file; - is standard output\n"
                "  -i PLACE             the same as PLACE in front of the filter; any is all\n"
                "  -c, --count N        end after N frames\n"
                "  -s N                 keep N octets of each frame\n"
                "  -B KIB               memory for frames that wait to be written (65536); what "
                "does not fit\n                       is lost and counted, never waited for\n"
                "  -d, --detach         return at once, and dump until --stop or the network's "
                "end\n"
                "  --stop               end all dumps; returns when all is written\n",
        .letters = "w:i:c:s:B:d",
        .words = words,
        .take = dump_take,
        .context = &choice,
        .most = -1};
    int status = cli_parse(argc, argv, &options, &net);
    if (status >= 0)
        return status;
    if (choice.count < 0 || choice.snap < 0 || choice.buffer < 0)
        return cli_misuse(argv[0], "-c, -s and -B take numbers, -c and -B none below 1");
    if (choice.on != NULL && !cli_text_valid(choice.on))
        return cli_misuse(argv[0], "\"%.80s\" is no computer and no network", choice.on);
    if (choice.stop == (choice.file != NULL))
        return cli_misuse(argv[0], "say -w FILE (- for standard output), or --stop");
    if (choice.stop) {
        json_t *reply =
            cli_ask(net, json_pack("{s:s,s:b}", "do", "dump", "stop", 1), NULL, 0, NULL);
        json_decref(reply);
        return reply != NULL ? 0 : STATUS_FAILED;
    }
    if (strcmp(choice.file, "-") == 0 && isatty(STDOUT_FILENO))
        return cli_misuse(argv[0],
                          "standard output is a terminal; -w - | tcpdump -r - shows lines");
    json_t *request = request_make(net, &choice, argc - optind, argv + optind);
    return request != NULL ? dump_start(net, &choice, request) : STATUS_FAILED;
}

int command_dump(int argc, char **argv) {
    return dump_main(argc, argv, false);
}

int command_capture(int argc, char **argv) {
    return dump_main(argc, argv, true);
}
