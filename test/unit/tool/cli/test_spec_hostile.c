/* berth.yaml in Compose's words: wrong ones, cut ones, bombs; and what copies and variables become.
 */
#define _GNU_SOURCE
#include "test/unit/tool/cli/spec_text.h"
#include "tool/cli/spec_read.h"

/* Compose's words, in the wrong kind or place. */
static const struct {
    const char *text, *message;
} more_faults[] = {
    {"networks: {a: {}, b: {}}\nhosts:\n  h: {networks: [a, c]}\n",
     "berth.yaml:3: hosts.h.networks: no network \"c\""},
    {"hosts:\n  h: {networks: [lan, lan]}\n", "berth.yaml:2: hosts.h.networks: lan is there twice"},
    {"hosts:\n  h: {networks: []}\n",
     "berth.yaml:2: hosts.h.networks: must be a list of networks, or a map"},
    {"hosts:\n  h: {networks: {lan: {ipv4_adress: 10.0.0.1}}}\n",
     "berth.yaml:2: hosts.h.networks.lan.ipv4_adress: unknown key (did you mean "
     "\"ipv4_address\"?)"},
    {"networks: {a: {}, b: {}}\nhosts:\n  h:\n    networks: [a, b]\n    ipv4_address: 10.0.0.9\n",
     "berth.yaml:5: hosts.h: which network is ipv4_address for? It belongs below networks"},
    {"networks:\n  a: {subnet: 10.0.0.0/16}\n  b: {subnet: 10.0.5.0/24}\nhosts: {h: {}}\n",
     "berth.yaml:3: networks.a: its subnet 10.0.0.0/16 overlaps with that of b, 10.0.5.0/24"},
    {"networks:\n  a: {subnet: \"fd00:5::/64\"}\n  b: {subnet: \"fd00:0005::/64\"}\nhosts: {h: "
     "{}}\n",
     "berth.yaml:3: networks.a: its subnet fd00:5::/64 is that of b, too"},
    {"networks:\n  a: {subnet: 10.1.2.0/24}\n  b: {subnet: \"fd00:10:1:2::/64\"}\nhosts: {h: {}}\n",
     "berth.yaml:3: networks.a: its subnet fd00:10:1:2::/64 is that of b, too"},
    {"networks:\n  a: {subnet: 127.0.0.0/8}\n",
     "berth.yaml:2: networks.a.subnet: no host can have an address in 127.0.0.0/8"},
    {"networks:\n  a: {subnet: 240.0.0.0/8}\n",
     "berth.yaml:2: networks.a.subnet: no host can have an address in 240.0.0.0/8"},
    {"networks:\n  a: {subnet: \"fe80::/64\"}\n",
     "berth.yaml:2: networks.a.subnet: no host can have an address in fe80::/64"},
    {"networks:\n  a: {subnet: \"::/64\"}\n",
     "berth.yaml:2: networks.a.subnet: no host can have an address in ::/64"},
    {"networks: {a: {delay: soon}}\n",
     "berth.yaml:1: networks.a.delay: \"soon\" should be such as 50ms"},
    {"networks: {a: {ipam: {config: {subnet: 10.0.0.0/24}}}}\n",
     "berth.yaml:1: networks.a.ipam.config: must be a list of maps with a subnet"},
    {"hosts: {a: {count: 6000}, b: {count: 6000}}\n",
     "berth.yaml:1: hosts.b.count: more than 10000 hosts in all"},
    {"hosts: {a: {router: maybe}}\n", "berth.yaml:1: hosts.a.router: must be true or false"},
    {"hosts: {a: {router: true, forward: false}}\n",
     "berth.yaml:1: hosts.a.forward: a router forwards: leave one of the two keys out"},
    {"hosts:\n  a: {}\n  b: {depends_on: [c]}\n",
     "berth.yaml:3: hosts.b.depends_on: no host \"c\""},
    {"hosts:\n  web: {}\n  b: {depends_on: [wbe]}\n",
     "berth.yaml:3: hosts.b.depends_on: no host \"wbe\" (did you mean \"web\"?)"},
    {"hosts:\n  a: {depends_on: [b]}\n  b: {depends_on: [c]}\n  c: {depends_on: [b]}\n",
     "berth.yaml:3: hosts.b.depends_on: it waits for itself in the end"},
    {"hosts:\n  a: {depends_on: [a]}\n",
     "berth.yaml:2: hosts.a.depends_on: it waits for itself in the end"},
    {"hosts: {a: {}, b: {depends_on: {a: {condition: service_healthy}}}}\n",
     "berth.yaml:1: hosts.b.depends_on.a: a has no healthcheck"},
    {"hosts: {a: {}, b: {depends_on: {a: {condition: service_helthy}}}}\n",
     "berth.yaml:1: hosts.b.depends_on.a.condition: \"service_helthy\" should be service_healthy"},
    {"hosts: {a: {}, b: {depends_on: {a: {condition: service_completed_successfully}}}}\n",
     "berth.yaml:1: hosts.b.depends_on.a: a has no command"},
    {"hosts: {a: {healthcheck: {interval: 1s}}}\n",
     "berth.yaml:1: hosts.a.healthcheck: needs a test (or disable: true)"},
    {"hosts: {a: {healthcheck: {test: [true]}}}\n",
     "berth.yaml:1: hosts.a.healthcheck.test: should be a line for the shell, [CMD, PROGRAM, "
     "ARGUMENT...] or [CMD-SHELL, LINE]"},
    {"hosts: {a: {healthcheck: {test: x, interval: 3}}}\n",
     "berth.yaml:1: hosts.a.healthcheck.interval: \"3\" should be such as 1m30s or 500ms"},
    {"hosts: {a: {healthcheck: {test: x, timeout: 0s}}}\n",
     "berth.yaml:1: hosts.a.healthcheck.timeout: cannot be nothing"},
    {"hosts: {a: {healthcheck: {test: x, retries: -1}}}\n",
     "berth.yaml:1: hosts.a.healthcheck.retries: \"-1\" should be a number from 1 to 1000000"},
    {"hosts: {a: {command: x, restart: \"on-failure:\"}}\n",
     "berth.yaml:1: hosts.a.restart: \"on-failure:\" should be no, always, on-failure or "
     "on-failure:3"},
    {"hosts: {a: {command: x, stop_signal: SIGFOO}}\n",
     "berth.yaml:1: hosts.a.stop_signal: \"SIGFOO\" should be a signal such as SIGINT"},
    {"hosts: {a: {command: x, stop_grace_period: [1s]}}\n",
     "berth.yaml:1: hosts.a.stop_grace_period: \"\" should be such as 1m30s or 500ms"},
    {"hosts: {a: {expect: {exited: 0}}}\n",
     "berth.yaml:1: hosts.a.expect: there is no command of which to expect it"},
    {"hosts: {a: {command: x, expect: {exited: 256}}}\n",
     "berth.yaml:1: hosts.a.expect.exited: \"256\" should be an exit status from 0 to 255"},
    {"hosts: {a: {command: x, expect: {exited: 0, running: true}}}\n",
     "berth.yaml:1: hosts.a.expect.exited: and running: what has exited does not run"},
    {"hosts: {a: {command: x, expect: {}}}\n",
     "berth.yaml:1: hosts.a.expect: nothing is expected; there are: exited, running, output"},
    {"hosts: {a: {command: x, expect: {output: {a: b}}}}\n",
     "berth.yaml:1: hosts.a.expect.output: must be a text that the output has in it, or a list of "
     "them"},
    {"hosts: {a: {command: x, expect: {output: '/(/'}}}\n",
     "berth.yaml:1: hosts.a.expect.output: \"/(/\": Unmatched ( or \\("},
    {"hosts:\n  a:\n    processes: {p: {command: x}}\n    command: y\n",
     "berth.yaml:4: hosts.a: command belongs to one of its processes"},
    {"hosts: {a: {processes: {p: {environment: {A: b}}}}}\n",
     "berth.yaml:1: hosts.a.processes.p: a process needs a command"},
    {"hosts: {a: {processes: [x]}}\n", "berth.yaml:1: hosts.a.processes: must be a map of names"},
    {"hosts: {a: {ports: 80}}\n",
     "berth.yaml:1: hosts.a.ports: must be a list such as [\"8080:80\"]"},
    {"hosts:\n  a:\n    ports:\n    - 80:x\n", "berth.yaml:4: hosts.a.ports: \"80:x\" should be "
                                               "such as \"8080:80\", \"127.0.0.1::53/udp\" or "
                                               "\"8000-8003:80-83\""},
    {"hosts: {a: {ports: [{published: 80}]}}\n",
     "berth.yaml:1: hosts.a.ports: a port needs a target"},
    {"hosts: {a: {count: 2, ports: [\"80:80\"]}}\n",
     "berth.yaml:1: hosts.a.ports: 2 hosts cannot share one port of this machine"},
    {"hosts: {a: {extra_hosts: [x]}}\n",
     "berth.yaml:1: hosts.a.extra_hosts: each must be NAME: ADDRESS or NAME=ADDRESS"},
    {"hosts: {a: {env_file: /nowhere/at/all}}\n",
     "berth.yaml:1: hosts.a.env_file: /nowhere/at/all: No such file or directory"},
    {"hosts: {a: {env_file: /dev/zero}}\n",
     "berth.yaml:1: hosts.a.env_file: /dev/zero: is no file to read lines from"},
    {"hosts: {a: {command: \"${BERTH_NOT_SET}\"}}\n",
     "berth.yaml:1: the variable BERTH_NOT_SET is not set (${BERTH_NOT_SET:-} is empty then; $$ is "
     "a "
     "dollar)"},
    {"hosts:\n  a: {command: \"${BERTH_NOT_SET:?say which}\"}\n",
     "berth.yaml:2: the variable BERTH_NOT_SET is needed: say which"},
    {"x: ${A\n", "berth.yaml:1: ${A is not closed"},
    {"x: $ 5\n", "berth.yaml:1: a $ is followed by the name of a variable ($$ is a dollar)"},
    {"x: ${A:=b}\n", "berth.yaml:1: after ${A only :- - :+ + :? ? and } can follow"},
    {"x-a: &a {b: *a}\n", "berth.yaml:1: *a stands inside of what it names"},
    {"hosts: {<<: 5}\n", "berth.yaml:1: << takes a map, or a list of maps"},
    {"x-a: &a [b]\nhosts: {<<: [*a]}\n", "berth.yaml:1: << takes maps only"},
    {"hosts: {a: {}}\nfaults: [{at: 1s, netem: [a, {loss: 5%}]}]\n",
     "berth.yaml:2: faults[0].netem: must be a line or a list of words"},
    {"hosts: {a: {}}\nfaults: [{at: 1s, partition: [[a, [a]]]}]\n",
     "berth.yaml:2: faults[0].partition: must be a line or a list of words"},
    {"hosts: {a: {}}\nfaults: [{at: 400d, heal: }]\n",
     "berth.yaml:2: faults[0].at: \"400d\" should be such as 2s or 1m30s"},
    {"hosts: {a: {}}\nlinks: [{endpoints: [a, lan], delay: {a: b}}]\n",
     "berth.yaml:2: links[0].delay: must be a line or a list of words"},
    {"hosts: {a: {<<: {}, <<: {}}}\n", "berth.yaml:1: <<: is there twice"},
};

static void more_faults_are_placed(void **state) {
    (void)state;
    unsetenv("BERTH_NOT_SET");
    for (size_t i = 0; i < sizeof more_faults / sizeof more_faults[0]; i++) {
        struct spec spec;
        char error[TREE_ERROR] = "";
        if (read_text(&spec, more_faults[i].text, strlen(more_faults[i].text), error))
            fail_msg("taken: %s", more_faults[i].text);
        assert_string_equal(error, more_faults[i].message);
        assert_null(spec.root);
    }
}

/* Anchors, merge keys and variables: copies of their own, what is written wins. */
static void copies(void **state) {
    (void)state;
    static const char text[] =
        "x-base: &base\n"
        "  environment: &env {A: one, B: \"${BERTH_SET}\"}\n"
        "  command: &c [echo, \"${BERTH_NOT_SET:-none} $BERTH_SET $$HOME\"]\n"
        "x-more: &more {restart: always, command: other}\n"
        "hosts:\n"
        "  a: {<<: *base}\n"
        "  b:\n"
        "    command: own\n"
        "    <<: [*base, *more]\n"
        "  c: {command: *c, environment: {<<: *env, A: two}}\n";
    struct spec spec;
    char error[TREE_ERROR];
    unsetenv("BERTH_NOT_SET");
    setenv("BERTH_SET", "a$b", 1);
    if (!read_text(&spec, text, strlen(text), error))
        fail_msg("%s", error);
    const struct spec_process *a = host_of(&spec, "a")->service->processes;
    const struct spec_process *b = host_of(&spec, "b")->service->processes;
    const struct spec_process *c = host_of(&spec, "c")->service->processes;
    assert_string_equal(a->argv[1], "none a$b $HOME");
    assert_string_equal(a->environment[0], "A=one");
    assert_string_equal(a->environment[1], "B=a$b");
    assert_string_equal(b->argv[2], "own");
    assert_int_equal(b->restart, RESTART_ALWAYS);
    assert_string_equal(b->environment[0], "A=one");
    assert_string_equal(c->argv[1], a->argv[1]);
    assert_string_equal(c->environment[0], "A=two");
    assert_string_equal(c->environment[1], "B=a$b");
    spec_clear(&spec);
    unsetenv("BERTH_SET");
}

/* Patterns that regcomp() would make large without a bound, and others that only look like them. */
static void bombs_of_patterns(void **state) {
    static const struct {
        const char *pattern;
        bool small;
    } tried[] = {
        {"a++++++++++++++++++++++++++++++++++++", false},
        {"((((((((((((a+)+)+)+)+)+)+)+)+)+)+)+", false},
        {"((a{999}){999}){999}", false},
        {"(ab|[x-z]){1,999}", false},
        {"x{2000}", false},
        {"x{32767", false},
        {"(((a{,9}){,9}){,9}){,9}", false},
        {"x{1990}", true},
        {"[]+++++++++++++++++++++[:digit:]+++++++++++++++[.].]++++++++++++++++++++]+", true},
        {"\\+\\+\\+\\+\\+\\+\\+\\+\\+\\+\\+\\+\\+\\+\\+\\+\\+\\+\\+\\+", true},
        {"ready in [0-9]{1,5} (ms|s)+ at ([0-9a-f]{2}:){5}[0-9a-f]{2}", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof tried / sizeof tried[0]; i++) {
        struct spec spec;
        char error[TREE_ERROR], text[400];
        snprintf(text, sizeof text,
                 "hosts:\n  a:\n    command: x\n    expect: {exited: 0, output: '/%s/'}\n",
                 tried[i].pattern);
        bool read = read_text(&spec, text, strlen(text), error);
        assert_int_equal(read, tried[i].small);
        if (read)
            spec_clear(&spec);
        else
            assert_non_null(strstr(error, "berth.yaml:4: hosts.a.expect.output: "));
    }
}

/* A billion laughs, in values and in octets: an error with a place, soon. */
static void bombs_of_aliases(void **state) {
    (void)state;
    struct spec spec;
    char error[TREE_ERROR], text[4096] = "x-a: &a [x, x, x, x, x, x, x, x, x]\n";
    for (char name = 'b'; name <= 'i'; name++)
        snprintf(text + strlen(text), sizeof text - strlen(text),
                 "x-%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c]\n", name, name, name - 1,
                 name - 1, name - 1, name - 1, name - 1, name - 1, name - 1, name - 1, name - 1);
    assert_false(read_text(&spec, text, strlen(text), error));
    assert_string_equal(error, "berth.yaml:5: more than 32768 values");
    char *large = malloc(100000);
    assert_non_null(large);
    memset(large, 'y', 100000);
    memcpy(large, "x-a: &a ", 8);
    large[60000] = '\n';
    size_t at = 60001;
    for (int i = 0; i < 100; i++)
        at += (size_t)sprintf(large + at, "x-%d: *a\n", i);
    assert_false(read_text(&spec, large, at, error));
    assert_non_null(strstr(error, "more than 4194304 octets of text"));
    free(large);
}

/* A file that ends anywhere is read or refused with its place, and nothing else. */
static void cut_files(void **state) {
    (void)state;
    static const char text[] =
        "networks: {a: {subnet: [10.0.0.0/24, \"fd00::/64\"], delay: 1ms 1ms}}\n"
        "hosts:\n"
        "  s: &s {count: 3, command: [a, 'b'], ports: [\"80\", 81/udp], restart: "
        "on-failure:3}\n"
        "  t: {<<: *s, depends_on: {s: {condition: service_started}}}\n"
        "links: [{endpoints: [s, a], loss: 1%, netem: [egress delay 1ms, only tcp to s1 loss "
        "1%]}]\n"
        "faults: [{at: 1s, partition: [[s1], [t]]}, {at: 2s, netem: 's1:a egress loss 5%'}]\n";
    for (size_t length = 0; length <= strlen(text); length++) {
        struct spec spec;
        char error[TREE_ERROR] = "";
        if (read_text(&spec, text, length, error))
            spec_clear(&spec);
        else if (strncmp(error, "berth.yaml:", 11) != 0)
            fail_msg("cut at %zu: %s", length, error);
    }
}

/* Every key with a value of each wrong kind: no crash, and each error has a place. */
static void wrong_kinds(void **state) {
    (void)state;
    static const char *const values[] = {
        "[]", "{}",   "[[x]]",  "{x: {y: z}}",          "''",         "~",
        "-1", "[{}]", "{x: ~}", "99999999999999999999", "\"\\u00e9\""};
    static const char *const places[] = {"%s: %s\nhosts: {h: {}}\n",
                                         "networks: {n: {%s: %s}}\nhosts: {h: {}}\n",
                                         "hosts: {h: {command: x, %s: %s}}\n",
                                         "hosts: {h: {networks: {lan: {%s: %s}}}}\n",
                                         "hosts: {h: {processes: {p: {command: x, %s: %s}}}}\n",
                                         "hosts: {h: {healthcheck: {test: x, %s: %s}}}\n",
                                         "hosts: {g: {}, h: {depends_on: {g: {%s: %s}}}}\n",
                                         "hosts: {h: {ports: [{target: 80, %s: %s}]}}\n",
                                         "hosts: {h: {command: x, expect: {%s: %s}}}\n",
                                         "hosts: {h: {}}\nlinks: [{endpoints: [h, lan], %s: %s}]\n",
                                         "hosts: {h: {}}\nfaults: [{at: 1s, %s: %s}]\n"};
    for (size_t place = 0; place < sizeof places / sizeof places[0]; place++)
        for (int map = 0; map < SPEC_MAPS; map++)
            for (size_t key = 0; key < spec_table((enum spec_map)map)->count; key++)
                for (size_t value = 0; value < sizeof values / sizeof values[0]; value++) {
                    char text[400], error[TREE_ERROR] = "";
                    struct spec spec;
                    int length;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
                    length = snprintf(text, sizeof text, places[place],
                                      spec_table((enum spec_map)map)->keys[key], values[value]);
#pragma GCC diagnostic pop
                    if (read_text(&spec, text, (size_t)length, error))
                        spec_clear(&spec);
                    else if (strncmp(error, "berth.yaml:", 11) != 0)
                        fail_msg("%s: %s", text, error);
                }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_faults_are_placed),
        cmocka_unit_test(copies),
        cmocka_unit_test(bombs_of_patterns),
        cmocka_unit_test(bombs_of_aliases),
        cmocka_unit_test(cut_files),
        cmocka_unit_test(wrong_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
