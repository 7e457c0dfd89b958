/* environment and env_file: what a program finds in its environment. */
#define _GNU_SOURCE
#include "tool/cli/spec_read.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 1 << 20, VARIABLES_MAX = 4096 };

struct variables {
    char **list; /* NULL-terminated */
    size_t count, size;
};

/* Takes "NAME=value" (given); one of that name before it goes. False when memory is out. */
static bool variable_put(struct variables *variables, char *variable) {
    if (variable == NULL)
        return false;
    size_t name = (size_t)(strchr(variable, '=') - variable) + 1;
    for (size_t i = 0; i < variables->count; i++) {
        if (strncmp(variables->list[i], variable, name) == 0) {
            free(variables->list[i]);
            variables->list[i] = variable;
            return true;
        }
    }
    if (variables->count + 2 > variables->size) {
        size_t size = 2 * variables->size + 16;
        char **larger =
            size <= VARIABLES_MAX ? realloc(variables->list, size * sizeof *larger) : NULL;
        if (larger == NULL) {
            free(variable);
            return false;
        }
        variables->list = larger;
        variables->size = size;
    }
    variables->list[variables->count++] = variable;
    variables->list[variables->count] = NULL;
    return true;
}

static char *variable_make(const char *name, size_t length, const char *value) {
    char *variable;
    return asprintf(&variable, "%.*s=%s", (int)length, name, value) >= 0 ? variable : NULL;
}

/* One line of an env_file: NAME=VALUE, `export` before it, quotes around VALUE; # for comments.
 * NULL: it is fine. */
static const char *line_take(struct variables *variables, char *line) {
    line += strspn(line, " \t");
    line[strcspn(line, "\r\n")] = '\0';
    if (line[0] == '\0' || line[0] == '#')
        return NULL;
    if (strncmp(line, "export ", 7) == 0)
        line += 7 + strspn(line + 7, " \t");
    size_t name = strcspn(line, "= \t");
    char *value = line + name;
    if (name == 0 || *value != '=')
        return "should be NAME=VALUE";
    value += 1;
    size_t length = strlen(value);
    if (length >= 2 && (value[0] == '"' || value[0] == '\'') && value[length - 1] == value[0]) {
        value[length - 1] = '\0';
        value++;
    }
    return variable_put(variables, variable_make(line, name, value)) ? NULL : "out of memory";
}

/* Beside the description. False: too long. */
static bool file_locate(const struct spec_reader *reader, const char *file, char path[PATH_MAX]) {
    const char *slash = strrchr(reader->name, '/');
    int folder = file[0] != '/' && slash != NULL ? (int)(slash - reader->name) + 1 : 0;
    return snprintf(path, PATH_MAX, "%.*s%s", folder, reader->name, file) < PATH_MAX;
}

/* Only a regular file: a pipe could keep us waiting for ever. */
static FILE *file_open(const char *path) {
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return NULL;
    FILE *file = NULL;
    if (fstat(fd, &status) == 0 && !S_ISREG(status.st_mode))
        errno = EINVAL;
    else if (status.st_size > FILE_MAX)
        errno = EFBIG;
    else
        file = fdopen(fd, "r");
    if (file == NULL)
        close(fd);
    return file;
}

static bool file_take(const struct spec_reader *reader, const struct tree_node *node,
                      const char *where, struct variables *variables) {
    char path[PATH_MAX], *line = NULL;
    size_t size = 0;
    if (node->kind != TREE_TEXT || node->text[0] == '\0')
        return spec_wrong(reader, node->line, where, "must be a file's name, or a list of them");
    FILE *file = file_locate(reader, node->text, path) ? file_open(path) : NULL;
    if (file == NULL)
        return spec_wrong(reader, node->line, where, "%.100s: %s", node->text,
                          errno == EINVAL ? "is no file to read lines from" : strerror(errno));
    const char *wrong = NULL;
    int number = 0;
    for (; wrong == NULL && getline(&line, &size, file) >= 0; number++)
        wrong = line_take(variables, line);
    free(line);
    fclose(file);
    return wrong == NULL ||
           spec_wrong(reader, node->line, where, "%.100s:%d: %s", node->text, number, wrong);
}

static bool files_take(const struct spec_reader *reader, const struct tree_node *map,
                       const char *path, struct variables *variables) {
    char inner[SPEC_PATH];
    const struct tree_node *value = spec_member(map, path, "env_file", inner);
    if (value == NULL)
        return true;
    if (value->kind != TREE_LIST)
        return file_take(reader, value, inner, variables);
    for (const struct tree_node *one = value->first; one != NULL; one = one->next)
        if (!file_take(reader, one, inner, variables))
            return false;
    return true;
}

/* "NAME: VALUE", "NAME=VALUE", or a NAME alone: with our own value, if there is one. */
static bool entry_take(const struct spec_reader *reader, const struct tree_node *entry, bool map,
                       const char *path, struct variables *variables) {
    const char *name = map ? entry->key : entry->text;
    size_t length = entry->kind == TREE_TEXT ? strcspn(name, "=") : 0;
    if (length == 0 || (map && name[length] != '\0'))
        return spec_wrong(reader, entry->line, path, "each must be NAME: VALUE or NAME=VALUE");
    const char *value = map ? entry->text : name[length] != '\0' ? name + length + 1 : NULL;
    if (value == NULL || (map && tree_is_null(entry)))
        value = getenv(name);
    return value == NULL || variable_put(variables, variable_make(name, length, value)) ||
           spec_memory(reader, entry->line, path);
}

static bool entries_take(const struct spec_reader *reader, const struct tree_node *map,
                         const char *path, struct variables *variables) {
    char inner[SPEC_PATH];
    const struct tree_node *value = spec_member(map, path, "environment", inner);
    if (value == NULL)
        return true;
    if (value->kind == TREE_TEXT)
        return spec_wrong(reader, value->line, inner, "must be a map, or a list of NAME=VALUE");
    for (const struct tree_node *entry = value->first; entry != NULL; entry = entry->next)
        if (!entry_take(reader, entry, value->kind == TREE_MAP, inner, variables))
            return false;
    return true;
}

bool spec_environment_read(const struct spec_reader *reader, const struct tree_node *const *maps,
                           const char *const *paths, size_t count, char ***environment) {
    struct variables variables = {.list = NULL};
    bool fine = true;
    for (size_t i = 0; fine && i < count; i++)
        fine = files_take(reader, maps[i], paths[i], &variables) &&
               entries_take(reader, maps[i], paths[i], &variables);
    *environment = variables.list;
    return fine;
}
