/* gateway: true, or {allow: [192.0.2.0/24, "host:5432"]}. */
#include "tool/cli/spec_read.h"
#include "tool/control/allow.h"

#include <string.h>

static bool allow_add(const struct spec_reader *reader, const struct tree_node *one,
                      const char *path, json_t *list) {
    struct allow_rule rule;
    char why[TREE_ERROR / 4];
    if (one->kind != TREE_TEXT)
        return spec_wrong(reader, one->line, path, "must be a list such as [192.0.2.0/24]");
    if (!allow_read(one->text, &rule, why, sizeof why))
        return spec_wrong(reader, one->line, path, "%s", why);
    return json_array_append_new(list, json_string(one->text)) == 0 ||
           spec_memory(reader, one->line, path);
}

bool spec_gateway_read(const struct spec_reader *reader, const struct tree_node *root) {
    char path[SPEC_PATH], inner[SPEC_PATH];
    const struct tree_node *gateway = spec_member(root, "", "gateway", path);
    if (gateway == NULL)
        return true;
    if (gateway->kind == TREE_TEXT && strcmp(gateway->text, "false") == 0)
        return true;
    if (gateway->kind == TREE_TEXT && strcmp(gateway->text, "true") == 0) {
        reader->spec->gateway = json_null();
        return true;
    }
    if (gateway->kind == TREE_TEXT)
        return spec_wrong(reader, gateway->line, path,
                          "must be true, false or a map such as {allow: [192.0.2.0/24]}");
    if (!spec_map_check(reader, gateway, path, SPEC_MAP_GATEWAY))
        return false;
    const struct tree_node *allow = spec_member(gateway, path, "allow", inner);
    reader->spec->gateway = json_array();
    if (allow == NULL)
        return spec_wrong(reader, gateway->line, path, "needs allow, a list; or say true");
    if (allow->kind != TREE_LIST)
        return spec_wrong(reader, allow->line, inner, "must be a list such as [192.0.2.0/24]");
    for (const struct tree_node *one = allow->first; one != NULL; one = one->next)
        if (!allow_add(reader, one, inner, reader->spec->gateway))
            return false;
    return true;
}
