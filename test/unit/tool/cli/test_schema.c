/* docs/berth.schema.json has the keys that the reader knows, and no others. */
#include "tool/cli/spec_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool table_has(const struct spec_table *table, const char *key) {
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->keys[i], key) == 0)
            return true;
    return false;
}

static void each_key_is_in_both(void **state) {
    (void)state;
    json_error_t error;
    json_t *schema = json_load_file(SCHEMA, 0, &error);
    if (schema == NULL)
        fail_msg("%s:%d: %s", SCHEMA, error.line, error.text);
    json_t *definitions = json_object_get(schema, "definitions");
    assert_int_equal(json_object_size(definitions), SPEC_MAPS);
    for (int map = 0; map < SPEC_MAPS; map++) {
        const struct spec_table *table = spec_table((enum spec_map)map);
        json_t *definition = json_object_get(definitions, table->name);
        json_t *properties = json_object_get(definition, "properties"), *property;
        const char *key;
        if (!json_is_object(properties))
            fail_msg("the schema has no %s", table->name);
        assert_true(json_is_false(json_object_get(definition, "additionalProperties")));
        for (size_t i = 0; i < table->count; i++)
            if (json_object_get(properties, table->keys[i]) == NULL)
                fail_msg("the schema's %s has no %s", table->name, table->keys[i]);
        json_object_foreach(properties, key, property) if (!table_has(table, key))
            fail_msg("the reader's %s has no %s", table->name, key);
    }
    json_decref(schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_key_is_in_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
