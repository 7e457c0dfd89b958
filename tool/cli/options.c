#include "tool/cli/cli.h"
#include "tool/control/nearest.h"
#include "tool/control/place.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 32, LETTERS_MAX = 64, OPTION_NET = 0x100, OPTION_HELP };

/* What files and operands have in them does not move the cursor or colour the terminal. */
static void controls_hide(char *text) {
    for (unsigned char *at = (unsigned char *)text; *at != '\0'; at++) {
        bool second = at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0; /* U+0080 to U+009F */
        if ((*at < ' ' && *at != '\n') || *at == 0x7f || second)
            *at = '?';
        if (second)
            *++at = '?';
    }
}

static void vsay(const char *format, va_list arguments) {
    char text[CLI_TEXT];
    vsnprintf(text, sizeof text, format, arguments);
    controls_hide(text);
    fprintf(stderr, "berth: %s\n", text);
}

int cli_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsay(format, arguments);
    va_end(arguments);
    return STATUS_FAILED;
}

int cli_misuse(const char *command, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsay(format, arguments);
    va_end(arguments);
    fprintf(stderr, "berth: berth %s --help says more\n", command);
    return STATUS_USAGE;
}

bool cli_text_valid(const char *text) {
    json_t *string = json_string(text);
    json_decref(string);
    return string != NULL;
}

bool cli_number(const char *text, long least, long most, long *number) {
    char *end;
    errno = 0;
    *number = strtol(text, &end, 10);
    return end != text && *end == '\0' && errno == 0 && *number >= least && *number <= most;
}

/* The command's own long options and the common ones. */
static void words_collect(const struct cli_options *options, struct option *words) {
    static const struct option common[] = {{"net", required_argument, NULL, OPTION_NET},
                                           {"help", no_argument, NULL, OPTION_HELP}};
    size_t count = 0;
    for (const struct option *o = options->words; o != NULL && o->name != NULL; o++)
        words[count++] = *o;
    for (size_t i = 0; i < 2; i++)
        words[count++] = common[i];
    words[count] = (struct option){.name = NULL};
}

int cli_option_wrong(const char *command, char **argv, int letter, const struct option *known) {
    const char *word = argv[optind - 1], *names[WORDS_MAX];
    size_t count = 0;
    for (; count < WORDS_MAX && known[count].name != NULL; count++)
        names[count] = known[count].name;
    if (letter == ':')
        return cli_misuse(command, "%s: %s needs a value", command, word);
    if (optopt >= '0' && optopt <= '9') /* delay -5ms */
        return cli_misuse(command, "%s: no value is negative (-%c...)", command, optopt);
    if (optopt != 0 && optopt < OPTION_NET)
        return cli_misuse(command, "%s: no option -%c", command, optopt);
    char bare[64];
    snprintf(bare, sizeof bare, "%.*s", (int)strcspn(word, "="), word);
    const char *nearest = word_nearest(bare + strspn(bare, "-"), names, count);
    if (nearest != NULL)
        return cli_misuse(command, "%s: no option %s (did you mean --%s?)", command, bare, nearest);
    return cli_misuse(command, "%s: no option %s", command, bare);
}

static int operands_check(const char *command, int count, char *const *operands,
                          const struct cli_options *options) {
    if (count < options->least)
        return cli_misuse(command, "%s: something is missing; use: berth %s", command,
                          options->usage);
    if (options->most >= 0 && count > options->most)
        return cli_misuse(command, "%s: too many words; use: berth %s", command, options->usage);
    for (int i = 0; i < count; i++)
        if (!cli_text_valid(operands[i]))
            return cli_misuse(command, "%s: \"%.80s\" is not UTF-8", command, operands[i]);
    return -1;
}

int cli_parse(int argc, char **argv, const struct cli_options *options, const char **net) {
    struct option words[WORDS_MAX];
    const char *command = argv[0];
    char letters[LETTERS_MAX];
    int letter;
    words_collect(options, words);
    snprintf(letters, sizeof letters, ":h%s", options->letters);
    *net = "default";
    opterr = 0;
    optind = 1;
    while ((letter = getopt_long(argc, argv, letters, words, NULL)) != -1) {
        if (letter == OPTION_HELP || letter == 'h') {
            printf("Usage: berth %s\n\n%s\n  --net NET   the network (default: \"default\")\n"
                   "  --help      this text\n",
                   options->usage, options->help);
            return 0;
        }
        if (letter == '?' || letter == ':')
            return cli_option_wrong(command, argv, letter, words);
        if (letter == OPTION_NET)
            *net = optarg;
        else
            options->take(options->context, letter, optarg);
    }
    if (!place_name_valid(*net))
        return cli_misuse(command,
                          "\"%.80s\" is no name for a network: letters, digits, - _ and ., at "
                          "most %d",
                          *net, PLACE_NAME);
    return operands_check(command, argc - optind, argv + optind, options);
}
