/* faults: and netem's words in links: what they become, and what is said of wrong ones. */
#define _GNU_SOURCE
#include "tool/cli/spec_read.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOSTS                                                                                      \
    "networks: {lan: {}, wan: {}}\n"                                                               \
    "hosts: {a: {networks: [lan]}, db: {networks: [lan, wan]}, pc: {networks: [lan], count: 2}}\n"

static bool read_text(struct spec *spec, const char *text, char *error) {
    FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    assert_non_null(file);
    bool fine = spec_read(spec, file, "berth.yaml", error);
    fclose(file);
    return fine;
}

/* As JSON with its keys in order, without spaces. */
static void same(const json_t *value, const char *wanted) {
    char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    assert_string_equal(text, wanted);
    free(text);
}

static const json_t *fault(const struct spec *spec, size_t number) {
    return json_object_get(json_array_get(spec->faults, number), "fault");
}

static const char *text_of(const struct spec *spec, size_t number, const char *key) {
    return json_string_value(json_object_get(json_array_get(spec->faults, number), key));
}

/* Each command, in the order of the times; lines and lists are the same. */
static void each_fault(void **state) {
    (void)state;
    struct spec spec;
    char error[TREE_ERROR] = "";
    static const char text[] = HOSTS "faults:\n"
                                     "  - {at: 2s, netem: db loss 5%}\n"
                                     "  - {at: 2s, netem: [\"db:wan\", egress, delay, 1ms]}\n"
                                     "  - {at: 1m1s, partition: [[a, db], [pc]]}\n"
                                     "  - {at: 1m1s, partition: \"a,db pc\"}\n"
                                     "  - {at: 500ms, heal: }\n"
                                     "  - at: 3s\n"
                                     "    link: db lan down\n"
                                     "  - {at: 3s, link: [pc, a, up]}\n"
                                     "  - {at: 4s, kill: [db, pc2]}\n"
                                     "  - {at: 5s, restart: db, x-why: because}\n"
                                     "  - {at: 6s, pause: pc}\n"
                                     "  - {at: 7s, unpause: pc}\n";
    if (!read_text(&spec, text, error))
        fail_msg("%s", error);
    assert_int_equal(json_array_size(spec.faults), 12);
    same(fault(&spec, 0), "{\"do\":\"heal\"}");
    assert_string_equal(text_of(&spec, 0, "place"), "berth.yaml:8: faults[4].heal");
    assert_string_equal(text_of(&spec, 0, "text"), "500ms heal");
    assert_string_equal(text_of(&spec, 1, "text"), "2s netem db loss 5%");
    assert_string_equal(json_string_value(json_object_get(fault(&spec, 2), "network")), "wan");
    assert_string_equal(json_string_value(json_object_get(fault(&spec, 2), "direction")), "egress");
    same(fault(&spec, 3), "{\"do\":\"link\",\"host\":\"db\",\"to\":\"lan\",\"up\":false}");
    same(fault(&spec, 4), "{\"do\":\"link\",\"host\":\"pc1\",\"to\":\"a\",\"up\":true}");
    same(fault(&spec, 5), "{\"do\":\"link\",\"host\":\"pc2\",\"to\":\"a\",\"up\":true}");
    same(fault(&spec, 6), "{\"do\":\"kill\",\"hosts\":[\"db\",\"pc2\"]}");
    same(fault(&spec, 7), "{\"do\":\"restart\",\"hosts\":[\"db\"]}");
    same(fault(&spec, 8), "{\"do\":\"pause\",\"hosts\":[\"pc1\",\"pc2\"]}");
    same(fault(&spec, 10), "{\"do\":\"partition\",\"groups\":[[\"a\",\"db\"],[\"pc1\",\"pc2\"]]}");
    assert_true(json_equal(fault(&spec, 10), fault(&spec, 11)));
    const struct spec_host *db = spec_find(&spec, "db"), *pc2 = spec_find(&spec, "pc2");
    assert_true(db->killed && !db->is_off && db->restarts == 1);
    assert_true(pc2->killed && pc2->is_off && pc2->restarts == 0);
    assert_false(spec_find(&spec, "a")->killed);
    spec_clear(&spec);
}

/* All that netem knows, from the start. */
static void links(void **state) {
    (void)state;
    struct spec spec;
    char error[TREE_ERROR] = "";
    static const char text[] =
        "networks: {lan: {delay: 1ms, netem: ingress rate 1mbit}}\n"
        "hosts: {a: {}, b: {}}\n"
        "links:\n"
        "  - endpoints: [a, lan]\n"
        "    delay: [20ms, 5ms, 25%, distribution, normal]\n"
        "    loss: gemodel 1% 20%\n"
        "    reorder: 5% 50% gap 5\n"
        "    duplicate: 1% 10%\n"
        "    corrupt: 0.5% 20%\n"
        "    rate: 10mbit\n"
        "    limit: 50\n"
        "    netem: [egress loss 2%, only tcp port 22 to b delay 1s, replace distribution pareto]\n"
        "  - {endpoints: [b, lan], reorder: 5%, distribution: pareto}\n";
    if (!read_text(&spec, text, error))
        fail_msg("%s", error);
    const json_t *a = spec_find(&spec, "a")->links[0], *b = spec_find(&spec, "b")->links[0];
    assert_true(fabs(json_number_value(json_object_get(a, "delay")) - 20e6) < 1);
    assert_true(fabs(json_number_value(json_object_get(a, "delay_correlation")) - 0.25) < 1e-9);
    assert_string_equal(json_string_value(json_object_get(a, "distribution")), "normal");
    assert_string_equal(json_string_value(json_object_get(a, "loss_model")), "gemodel");
    same(json_object_get(a, "gap"), "5.0");
    same(json_object_get(a, "limit"), "50.0");
    same(json_object_get(a, "rate"), "10000000.0");
    same(json_object_get(a, "reorder_correlation"), "0.5");
    same(json_object_get(b, "delay"), "1000000.0");
    assert_string_equal(json_string_value(json_object_get(b, "distribution")), "pareto");
    /* The network's lines first, for both hosts, then the link's. */
    assert_int_equal(json_array_size(spec.setup), 5);
    const json_t *last = json_array_get(spec.setup, 3);
    assert_string_equal(json_string_value(json_object_get(last, "place")),
                        "berth.yaml:12: links[0].netem");
    same(json_object_get(json_object_get(last, "fault"), "only"),
         "{\"port\":22,\"protocol\":\"tcp\",\"to\":\"b\"}");
    same(json_object_get(json_object_get(json_array_get(spec.setup, 1), "fault"), "direction"),
         "\"ingress\"");
    spec_clear(&spec);
}

static const struct {
    const char *text, *message;
} wrong[] = {
    {HOSTS "faults: {at: 1s}\n", "berth.yaml:3: faults: must be a list"},
    {HOSTS "faults:\n  - {netem: db loss 5%}\n",
     "berth.yaml:4: faults[0]: when? It needs at, such as at: 2s"},
    {HOSTS "faults:\n  - {at: soon, heal: }\n",
     "berth.yaml:4: faults[0].at: \"soon\" should be such as 2s or 1m30s"},
    {HOSTS "faults:\n  - at: 1s\n",
     "berth.yaml:4: faults[0]: what is to happen? There are: netem, link, partition, heal, kill, "
     "pause, unpause, restart"},
    {HOSTS "faults:\n  - {at: 1s, hael: }\n",
     "berth.yaml:4: faults[0].hael: unknown key (did you mean \"heal\"?)"},
    {HOSTS "faults:\n  - {at: 1s, heal: }\n  - at: 1s\n    kill: db\n    restart: db\n",
     "berth.yaml:7: faults[1]: kill and restart are two faults: each has a member of the list"},
    {HOSTS "faults: [{at: 1s, heal: db}]\n",
     "berth.yaml:3: faults[0].heal: it takes nothing: it heals all partitions and links"},
    {HOSTS "faults: [{at: 1s, netem: bd loss 1%}]\n",
     "berth.yaml:3: faults[0].netem: no host \"bd\" (did you mean \"db\"?)"},
    {HOSTS "faults: [{at: 1s, netem: db lsos 1%}]\n",
     "berth.yaml:3: faults[0].netem: \"lsos\": no such word (did you mean \"loss\"?)"},
    {HOSTS "faults: [{at: 1s, netem: db}]\n",
     "berth.yaml:3: faults[0].netem: what is the link to do?"},
    {HOSTS "faults: [{at: 1s, netem: \"a:wan loss 1%\"}]\n",
     "berth.yaml:3: faults[0].netem: a is not on wan"},
    {HOSTS "faults: [{at: 1s, netem: \"a:wann loss 1%\"}]\n",
     "berth.yaml:3: faults[0].netem: a is not on a network wann"},
    {HOSTS "faults: [{at: 1s, netem: db only to aa loss 1%}]\n",
     "berth.yaml:3: faults[0].netem: no host \"aa\" (did you mean \"a\"?)"},
    {HOSTS "faults: [{at: 1s, netem: db only to pc loss 1%}]\n",
     "berth.yaml:3: faults[0].netem: pc is 2 hosts: say which, such as pc1"},
    {HOSTS "faults: [{at: 1s, link: db lan dwn}]\n",
     "berth.yaml:3: faults[0].link: \"dwn\" should be up or down (did you mean \"down\"?)"},
    {HOSTS "faults: [{at: 1s, link: a wan down}]\n",
     "berth.yaml:3: faults[0].link: a is not on wan"},
    {HOSTS "faults: [{at: 1s, link: db db down}]\n",
     "berth.yaml:3: faults[0].link: a link has two ends, and db is but one"},
    {HOSTS "faults: [{at: 1s, partition: \"a,db pc,a\"}]\n",
     "berth.yaml:3: faults[0].partition: host a is in two groups"},
    {HOSTS "faults: [{at: 1s, partition: \", a\"}]\n",
     "berth.yaml:3: faults[0].partition: partition takes groups of hosts, such as a,b c,d"},
    {HOSTS "faults: [{at: 1s, partition: }]\n",
     "berth.yaml:3: faults[0].partition: partition takes groups of hosts, such as a,b c,d"},
    {HOSTS "faults: [{at: 1s, kill: }]\n", "berth.yaml:3: faults[0].kill: which hosts?"},
    {HOSTS "faults: [{at: 1s, kill: {db: }}]\n",
     "berth.yaml:3: faults[0].kill: must be a line or a list of words"},
    {HOSTS "faults: [{at: 1s, kill: pc3}]\n",
     "berth.yaml:3: faults[0].kill: no host \"pc3\" (did you mean \"pc\"?)"},
    {HOSTS "links: [{endpoints: [a, lan], delay: 1ms 1ms 1% distribution norml}]\n",
     "berth.yaml:3: links[0].delay: distribution: \"norml\" should be uniform, normal, pareto or "
     "paretonormal (did you mean \"normal\"?)"},
    {HOSTS "links: [{endpoints: [a, lan], loss: gemodel often}]\n",
     "berth.yaml:3: links[0].loss: loss gemodel: \"often\" should be such as 1%"},
    {HOSTS "links: [{endpoints: [a, lan], loss: state 90% 10% 0% 0% 20%}]\n",
     "berth.yaml:3: links[0].loss: loss state: P13 and P14, and P31 and P32, may not be more than "
     "100%"},
    {HOSTS "links: [{endpoints: [a, lan], rate: 1mbit limit 5}]\n",
     "berth.yaml:3: links[0].rate: \"limit\" is a value too many"},
    {HOSTS "links: [{endpoints: [a, lan], gap: 5}]\n",
     "berth.yaml:3: links[0]: gap needs reorder: it says how many wait before one passes"},
    {HOSTS "links: [{endpoints: [a, lan], netem: egress}]\n",
     "berth.yaml:3: links[0].netem: what is the link to do?"},
    {HOSTS "links: [{endpoints: [a, lan], netem: [only to x loss 5%]}]\n",
     "berth.yaml:3: links[0].netem: no host \"x\""},
    {HOSTS "links: [{endpoints: [a, lan], netem: {loss: 5%}}]\n",
     "berth.yaml:3: links[0].netem: must be a line or a list of lines"},
    {"networks: {lan: {netem: los 5%}}\nhosts: {a: {}}\n",
     "berth.yaml:1: networks.lan.netem: \"los\": no such word (did you mean \"loss\"?)"},
    {"networks: {lan: {reorder: 5%}}\nhosts: {a: {}}\n",
     "berth.yaml:1: networks.lan: reorder needs a delay: some frames pass while the others wait"},
};

static void each_wrong_one_is_placed(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct spec spec;
        char error[TREE_ERROR] = "";
        if (read_text(&spec, wrong[i].text, error))
            fail_msg("taken: %s", wrong[i].text);
        assert_string_equal(error, wrong[i].message);
        assert_null(spec.root);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault),
        cmocka_unit_test(links),
        cmocka_unit_test(each_wrong_one_is_placed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
