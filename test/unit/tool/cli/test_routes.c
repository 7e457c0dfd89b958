/* Who sends through which router. */
#define _GNU_SOURCE
#include "tool/cli/routes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The spec with its routers; each router's address on a network is that network's name and its own
 * ("front/r1"). */
static struct routes *routes_make(struct spec *spec, const char *text) {
    char error[TREE_ERROR] = "";
    FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    assert_non_null(file);
    if (!spec_read(spec, file, "berth.yaml", error))
        fail_msg("%s", error);
    fclose(file);
    struct routes *routes = routes_new(spec);
    assert_non_null(routes);
    for (const struct spec_host *host = spec->hosts; host != NULL; host = host->next) {
        json_t *links = json_array();
        for (const struct spec_plug *p = host->service->plugs; p != NULL; p = p->next)
            json_array_append_new(
                links,
                json_pack("{s:o}", "ip", json_sprintf("%s/%s", p->network->name, host->name)));
        if (host->service->router)
            assert_true(routes_add_router(routes, host, links));
        json_decref(links);
    }
    routes_settle(routes);
    return routes;
}

/* "10.1.0.0/24>front/r1 ...", in order. */
static char *routes_text(const struct routes *routes, const struct spec *spec, const char *name) {
    json_t *list = routes_of(routes, spec_find(spec, name)), *route;
    static char text[1000];
    size_t i;
    text[0] = '\0';
    json_array_foreach(list, i, route) {
        const char *to = json_string_value(json_object_get(route, "to"));
        const char *via = json_string_value(json_object_get(route, "via"));
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%s>%s", i > 0 ? " " : "", to, via);
    }
    json_decref(list);
    return text;
}

static void a_chain(void **state) {
    (void)state;
    struct spec spec;
    struct routes *routes = routes_make(&spec, "networks:\n"
                                               "  a: {subnet: 10.1.0.0/24}\n"
                                               "  b: {subnet: 10.2.0.0/24}\n"
                                               "  c: {subnet: 10.3.0.0/24}\n"
                                               "hosts:\n"
                                               "  left: {networks: [a]}\n"
                                               "  middle: {networks: [b]}\n"
                                               "  right: {networks: [c]}\n"
                                               "  both: {networks: [a, c]}\n"
                                               "  r1: {networks: [a, b], router: true}\n"
                                               "  r2: {networks: [b, c], router: true}\n");
    assert_string_equal(routes_text(routes, &spec, "left"), "0.0.0.0/0>a/r1");
    assert_string_equal(routes_text(routes, &spec, "right"), "0.0.0.0/0>c/r2");
    assert_string_equal(routes_text(routes, &spec, "middle"), "0.0.0.0/0>b/r1 10.3.0.0/24>b/r2");
    assert_string_equal(routes_text(routes, &spec, "both"), "0.0.0.0/0>a/r1");
    assert_string_equal(routes_text(routes, &spec, "r1"), "10.3.0.0/24>b/r2");
    assert_string_equal(routes_text(routes, &spec, "r2"), "10.1.0.0/24>b/r1");
    routes_free(routes);
    spec_clear(&spec);
}

/* In a ring the shorter way is taken; and nobody sends back where he is. */
static void a_ring(void **state) {
    (void)state;
    struct spec spec;
    struct routes *routes = routes_make(&spec, "networks:\n"
                                               "  n1: {subnet: 10.1.0.0/24}\n"
                                               "  n2: {subnet: 10.2.0.0/24}\n"
                                               "  n3: {subnet: 10.3.0.0/24}\n"
                                               "  n4: {subnet: 10.4.0.0/24}\n"
                                               "hosts:\n"
                                               "  pc: {networks: [n1]}\n"
                                               "  r1: {networks: [n1, n2], router: true}\n"
                                               "  r2: {networks: [n2, n3], router: true}\n"
                                               "  r3: {networks: [n3, n4], router: true}\n"
                                               "  r4: {networks: [n4, n1], router: true}\n");
    assert_string_equal(routes_text(routes, &spec, "pc"), "0.0.0.0/0>n1/r1 10.4.0.0/24>n1/r4");
    assert_string_equal(routes_text(routes, &spec, "r1"), "10.3.0.0/24>n2/r2 10.4.0.0/24>n1/r4");
    assert_string_equal(routes_text(routes, &spec, "r3"), "10.1.0.0/24>n4/r4 10.2.0.0/24>n3/r2");
    routes_free(routes);
    spec_clear(&spec);
}

/* Who only forwards is nobody's router; a network that no router is on stays alone. */
static void no_way(void **state) {
    (void)state;
    struct spec spec;
    struct routes *routes = routes_make(&spec, "networks: {a: {}, b: {}}\n"
                                               "hosts:\n"
                                               "  pc: {networks: [a]}\n"
                                               "  f: {networks: [a, b], forward: true}\n");
    assert_string_equal(routes_text(routes, &spec, "pc"), "");
    routes_free(routes);
    spec_clear(&spec);
    routes = routes_make(&spec, "networks: {a: {}, b: {}, c: {}}\n"
                                "hosts:\n"
                                "  pc: {networks: [c]}\n"
                                "  r: {networks: [a, b], router: true}\n");
    assert_string_equal(routes_text(routes, &spec, "pc"), "");
    assert_string_equal(routes_text(routes, &spec, "r"), "");
    routes_free(routes);
    spec_clear(&spec);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain),
        cmocka_unit_test(a_ring),
        cmocka_unit_test(no_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
