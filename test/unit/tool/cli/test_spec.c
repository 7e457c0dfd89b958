/* berth.yaml: what it may say, and where its faults are said to be. */
#define _GNU_SOURCE
#include "test/unit/tool/cli/spec_text.h"

#include <math.h>

static double link_of(const struct spec_host *host, const char *key) {
    return json_number_value(json_object_get(host->links[0], key));
}

static void reads_all_of_it(void **state) {
    (void)state;
    static const char text[] =
        "networks:\n"
        "  lan: {subnet: 10.1.0.0/16}\n"
        "hosts:\n"
        "  server:\n"
        "    ipv4_address: 10.1.0.1\n"
        "    ipv6_address: fd00:10:1::5\n"
        "    command: [nginx, -g, \"daemon off;\"]\n"
        "    environment: {A: b, C: \"d=e\"}\n"
        "  pc:\n"
        "    count: 3\n"
        "    command: echo $$HOST | cat\n"
        "    environment: [X=1, Y=]\n"
        "    sysctls: {net.ipv4.ip_local_port_range: \"40023\\t40023\", "
        "net.ipv4.tcp_congestion_control: reno}\n"
        "  bare:\n"
        "links:\n"
        "  - {endpoints: [server, lan], delay: 20ms 5ms, loss: 1%, reorder: 5%}\n"
        "  - {endpoints: [lan, pc], loss: 0.5%}\n";
    struct spec spec;
    char error[TREE_ERROR];
    if (!read_text(&spec, text, strlen(text), error))
        fail_msg("%s", error);
    assert_string_equal(spec.networks->name, "lan");
    assert_string_equal(spec.networks->subnet, "10.1.0.0/16");
    const struct spec_host *server = host_of(&spec, "server"), *pc = host_of(&spec, "pc2");
    assert_string_equal(server->service->plugs->address, "10.1.0.1");
    assert_int_equal(server->service->plugs->address_line, 5);
    assert_string_equal(server->service->plugs->address6, "fd00:10:1::5");
    assert_int_equal(server->service->plugs->address6_line, 6);
    assert_string_equal(server->service->processes->argv[0], "nginx");
    assert_string_equal(server->service->processes->argv[2], "daemon off;");
    assert_null(server->service->processes->argv[3]);
    assert_string_equal(server->service->processes->environment[1], "C=d=e");
    assert_null(server->service->processes->environment[2]);
    assert_true(fabs(link_of(server, "delay") - 20e6) < 1);
    assert_true(fabs(link_of(server, "jitter") - 5e6) < 1);
    assert_true(fabs(link_of(server, "loss") - 0.01) < 1e-12);
    assert_true(fabs(link_of(server, "reorder") - 0.05) < 1e-12);
    assert_string_equal(pc->service->name, "pc");
    assert_string_equal(pc->service->processes->argv[0], "sh");
    assert_string_equal(pc->service->processes->argv[2], "echo $HOST | cat");
    assert_string_equal(pc->service->processes->environment[0], "X=1");
    assert_int_equal(pc->service->port_first, 40023);
    assert_string_equal(
        json_string_value(json_object_get(pc->service->sysctls, "net.ipv4.tcp_congestion_control")),
        "reno");
    assert_int_equal(pc->service->port_last, 40023);
    assert_true(fabs(link_of(host_of(&spec, "pc3"), "loss") - 0.005) < 1e-12);
    assert_null(host_of(&spec, "bare")->service->processes);
    assert_null(host_of(&spec, "bare")->links[0]);
    spec_clear(&spec);
}

static void defaults(void **state) {
    (void)state;
    struct spec spec;
    char error[TREE_ERROR];
    assert_true(read_text(&spec, "hosts: {a: {}, b: {count: 1}}", 29, error));
    assert_string_equal(spec.networks->name, "lan");
    assert_string_equal(spec.networks->subnet, "10.0.0.0/24");
    assert_int_equal(host_of(&spec, "a")->service->port_first, 0);
    host_of(&spec, "b1"); /* a count numbers its hosts, even one */
    spec_clear(&spec);
}

/* Each network has an IPv6 subnet of its own, also where several are of one /24, or another one has
 * taken that. */
static void subnets_of_their_own(void **state) {
    (void)state;
    static const char text[] = "networks:\n"
                               "  a: {subnet: 10.1.2.0/26}\n"
                               "  b: {subnet: 10.1.2.64/26}\n"
                               "  c: {}\n"
                               "  d: {subnet: [10.9.0.0/16, \"fd00:10::/64\"]}\n"
                               "  e: {subnet: [10.8.0.0/16, \"fd00:0010:0:1::/64\"]}\n"
                               "hosts: {h: {networks: [a, b, c]}}\n";
    static const char *const subnets[] = {"fd00:10:1:2::/64", "fd40:10:1:2::/64",
                                          "fd00:10:0:2::/64"};
    struct spec spec;
    char error[TREE_ERROR] = "", made[SUBNET_TEXT];
    if (!read_text(&spec, text, strlen(text), error))
        fail_msg("%s", error);
    const struct spec_network *network = spec.networks;
    for (size_t i = 0; i < 3; i++, network = network->next)
        assert_string_equal(spec_subnet6(network, made), subnets[i]);
    spec_clear(&spec);
}

/* A network's subnets: either or both, or one of them alone. */
/* The address below a host's only network is that host's. */
static void one_network_with_an_address(void **state) {
    (void)state;
    static const char text[] = "networks: {lan: {}, far: {subnet: 10.3.0.0/24}}\n"
                               "hosts: {server: {networks: {far: {ipv4_address: 10.3.0.9}}}}\n";
    struct spec spec;
    char error[TREE_ERROR];
    if (!read_text(&spec, text, strlen(text), error))
        fail_msg("%s", error);
    const struct spec_host *server = host_of(&spec, "server");
    assert_string_equal(server->service->plugs->network->name, "far");
    assert_string_equal(server->service->plugs->address, "10.3.0.9");
    spec_clear(&spec);
}

static void subnets(void **state) {
    (void)state;
    static const struct {
        const char *text, *subnet, *subnet6;
    } cases[] = {
        {"networks: {n: {subnet: [fd00:5::/64, 10.1.0.0/16]}}\nhosts: {a: {}}", "10.1.0.0/16",
         "fd00:5::/64"},
        {"networks: {n: {subnet: [10.1.0.0/16]}}\nhosts: {a: {}}", "10.1.0.0/16", NULL},
        {"networks: {n: {subnet: \"fd00:5::/64\"}}\nhosts: {a: {}}", "10.0.0.0/24", "fd00:5::/64"},
        {"networks: {n: {enable_ipv6: true}}\nhosts: {a: {}}", "10.0.0.0/24", NULL},
        {"networks: {n: {enable_ipv6: false}}\nhosts: {a: {}}", "10.0.0.0/24", "none"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct spec spec;
        char error[TREE_ERROR];
        if (!read_text(&spec, cases[i].text, strlen(cases[i].text), error))
            fail_msg("%s", error);
        assert_string_equal(spec.networks->subnet, cases[i].subnet);
        if (cases[i].subnet6)
            assert_string_equal(spec.networks->subnet6, cases[i].subnet6);
        else
            assert_null(spec.networks->subnet6);
        spec_clear(&spec);
    }
}

#define HOSTS "hosts: {server: {}, pc: {count: 2}}\n"

#define A_SUBNET "an IPv4 subnet such as 10.0.0.0/24, or an IPv6 one such as fd00:5::/64"

/* A fault and the whole message: file, line, key, and what to do. */
static const struct {
    const char *text, *message;
} faults[] = {
    {"hosts:\n  server:\n    image: x\n    comand: y\n",
     "berth.yaml:3: hosts.server.image: unknown key (there are: command, "
     "environment, env_file, working_dir, user, restart, stop_signal, stop_grace_period, expect, "
     "networks, ipv4_address, ipv6_address, aliases, count, processes, router, forward, "
     "depends_on, "
     "ports, healthcheck, extra_hosts, sysctls)"},
    {"hosts:\n  server:\n    comand: y\n",
     "berth.yaml:3: hosts.server.comand: unknown key (did you mean \"command\"?)"},
    {"host: {}\n", "berth.yaml:1: host: unknown key (did you mean \"hosts\"?)"},
    {"networks: {lan: {subnets: 10.0.0.0/24}}\n",
     "berth.yaml:1: networks.lan.subnets: unknown key (did you mean \"subnet\"?)"},
    {"networks:\n  lan:\n    subnet: 10.0.0.0/99\n",
     "berth.yaml:3: networks.lan.subnet: \"10.0.0.0/99\" should be " A_SUBNET},
    {"networks: {lan: {subnet: 10.0.0.7/24}}\n",
     "berth.yaml:1: networks.lan.subnet: 10.0.0.7/24 has bits beyond its prefix set"},
    {"networks: {lan: {subnet: fd00::/48}}\n",
     "berth.yaml:1: networks.lan.subnet: \"fd00::/48\" should be " A_SUBNET},
    {"networks: {lan: {subnet: fd00::1/64}}\n",
     "berth.yaml:1: networks.lan.subnet: fd00::1/64 has bits beyond its prefix set"},
    {"networks:\n  lan: {subnet: [10.0.0.0/24, ff02::/64]}\n",
     "berth.yaml:2: networks.lan.subnet: no host can have an address in ff02::/64"},
    {"networks:\n  lan: {subnet: [10.0.0.0/24, 10.1.0.0/24]}\n",
     "berth.yaml:2: networks.lan.subnet: one subnet of each family is all there can be"},
    {"networks:\n  lan: {subnet: []}\n",
     "berth.yaml:2: networks.lan.subnet: must be one subnet, or two"},
    {"networks: {lan: {enable_ipv6: maybe}}\n",
     "berth.yaml:1: networks.lan.enable_ipv6: must be true or false"},
    {"networks: {lan: {enable_ipv6: false, subnet: fd00::/64}}\n",
     "berth.yaml:1: networks.lan.enable_ipv6: is false, but there is an IPv6 subnet"},
    {"hosts: {a: {ipv6_address: 10.0.0.1}}\n",
     "berth.yaml:1: hosts.a.ipv6_address: \"10.0.0.1\" is no IPv6 address"},
    {"hosts: {a: {count: 2, ipv6_address: fd00::1}}\n",
     "berth.yaml:1: hosts.a: 2 hosts cannot share one ipv6_address"},
    {"networks: {a/b: {}}\n",
     "berth.yaml:1: networks.a/b: a name has letters, digits, - _ and ., at most 63"},
    {"networks: [lan]\n", "berth.yaml:1: networks: must be a map of names"},
    {"", "berth.yaml:1: hosts: a network needs at least one host"},
    {"hosts: {}\n", "berth.yaml:1: hosts: a network needs at least one host"},
    {"- a\n", "berth.yaml:1: must be a map of keys and values"},
    {"hosts: x\n", "berth.yaml:1: hosts: must be a map of names"},
    {"hosts:\n  server: yes\n", "berth.yaml:2: hosts.server: must be a map of keys and values"},
    {"hosts: {10.0.0.1: {}}\n",
     "berth.yaml:1: hosts.10.0.0.1: a name has letters, digits, - _ and ., at most 63"},
    {"hosts:\n  a:\n    ipv4_address: 10.0.0.256\n",
     "berth.yaml:3: hosts.a.ipv4_address: \"10.0.0.256\" is no IPv4 address"},
    {"hosts:\n  a:\n    ipv4_address: [10.0.0.1]\n",
     "berth.yaml:3: hosts.a.ipv4_address: must be a word"},
    {"hosts:\n  a:\n    ipv4_address: ::1\n",
     "berth.yaml:3: hosts.a.ipv4_address: \"::1\" is no IPv4 address"},
    {"hosts: {a: {count: 0}}\n",
     "berth.yaml:1: hosts.a.count: \"0\" should be a number from 1 to 10000"},
    {"hosts: {a: {count: three}}\n",
     "berth.yaml:1: hosts.a.count: \"three\" should be a number from 1 to 10000"},
    {"hosts: {a: {count: 99999999999999999999}}\n",
     "berth.yaml:1: hosts.a.count: \"99999999999999999999\" should be a number from 1 to 10000"},
    {"hosts: {a: {count: 2, ipv4_address: 10.0.0.1}}\n",
     "berth.yaml:1: hosts.a: 2 hosts cannot share one ipv4_address"},
    {"hosts:\n  pc2: {}\n  pc: {count: 2}\n",
     "berth.yaml:3: hosts.pc: host pc2 is there already (line 2)"},
    {"hosts:\n  a: {}\n  a: {}\n", "berth.yaml:3: a: is there twice"},
    {"hosts: {a: {command: {x: y}}}\n",
     "berth.yaml:1: hosts.a.command: must be a line or a list of words"},
    {"hosts: {a: {command: []}}\n",
     "berth.yaml:1: hosts.a.command: must be a line or a list of words"},
    {"hosts:\n  a:\n    command:\n    - x\n    - [y]\n",
     "berth.yaml:5: hosts.a.command: must be a line or a list of words"},
    {"hosts: {a: {environment: x}}\n",
     "berth.yaml:1: hosts.a.environment: must be a map, or a list of NAME=VALUE"},
    {"hosts: {a: {environment: [=1]}}\n",
     "berth.yaml:1: hosts.a.environment: each must be NAME: VALUE or NAME=VALUE"},
    {"hosts: {a: {environment: {X: [1]}}}\n",
     "berth.yaml:1: hosts.a.environment: each must be NAME: VALUE or NAME=VALUE"},
    {"hosts: {a: {sysctls: {net.ipv4.tcp_congestion_contrl: reno}}}\n",
     "berth.yaml:1: hosts.a.sysctls.net.ipv4.tcp_congestion_contrl: unknown key (did you mean "
     "\"net.ipv4.tcp_congestion_control\"?)"},
    {"hosts: {a: {sysctls: {net.ipv4.tcp_congestion_control: vegas}}}\n",
     "berth.yaml:1: hosts.a.sysctls.net.ipv4.tcp_congestion_control: cannot be \"vegas\""},
    {"hosts: {a: {sysctls: {net.ipv4.ip_local_port_range: 5000}}}\n",
     "berth.yaml:1: hosts.a.sysctls.net.ipv4.ip_local_port_range: \"5000\" should be two ports, "
     "the "
     "lower one first, such as \"1024 65535\""},
    {"hosts: {a: {sysctls: {net.ipv4.ip_local_port_range: 6000 5000}}}\n",
     "berth.yaml:1: hosts.a.sysctls.net.ipv4.ip_local_port_range: \"6000 5000\" should be two "
     "ports, "
     "the lower one first, such as \"1024 65535\""},
    {"hosts: {a: {sysctls: {net.ipv4.ip_local_port_range: 1 65536}}}\n",
     "berth.yaml:1: hosts.a.sysctls.net.ipv4.ip_local_port_range: \"1 65536\" should be two ports, "
     "the lower one first, such as \"1024 65535\""},
    {HOSTS "links: {}\n", "berth.yaml:2: links: must be a list"},
    {HOSTS "links:\n- {delay: 1ms}\n",
     "berth.yaml:3: links[0]: a link needs endpoints: [HOST, lan]"},
    {HOSTS "links:\n- {endpoints: [server], delay: 1ms}\n",
     "berth.yaml:3: links[0].endpoints: should be [HOST, lan]"},
    {HOSTS "links:\n- {endpoints: [server, pc], delay: 1ms}\n",
     "berth.yaml:3: links[0].endpoints: one of them must be a network, such as lan"},
    {HOSTS "links:\n- {endpoints: [servr, lan], delay: 1ms}\n",
     "berth.yaml:3: links[0].endpoints: no host \"servr\" (did you mean \"server\"?)"},
    {HOSTS "links:\n- endpoints: [server, lan]\n  delay: 20\n",
     "berth.yaml:4: links[0].delay: \"20\" should be such as 50ms"},
    {HOSTS "links:\n- {endpoints: [server, lan], delay: 1ms 2ms 3ms}\n",
     "berth.yaml:3: links[0].delay: \"3ms\" is a value too many"},
    {HOSTS "links:\n- {endpoints: [server, lan], loss: 101%}\n",
     "berth.yaml:3: links[0].loss: \"101%\" should be such as 2%"},
    {HOSTS "links:\n- {endpoints: [server, lan], loss: -1%}\n",
     "berth.yaml:3: links[0].loss: \"-1%\" should be such as 2%"},
    {HOSTS "links:\n- {endpoints: [server, lan], reorder: 5%}\n",
     "berth.yaml:3: links[0]: reorder needs a delay: some frames pass while the others wait"},
    {HOSTS "links:\n- {endpoints: [server, lan], los: 5%}\n",
     "berth.yaml:3: links[0].los: unknown key (did you mean \"loss\"?)"},
    {HOSTS "links:\n- {endpoints: [pc, lan], loss: 5%}\n- {endpoints: [pc2, lan], loss: 5%}\n",
     "berth.yaml:4: links[1]: host pc2 has a link already"},
    {"hosts:\n  a: {command: *b}\n", "berth.yaml:2: *b: there is no &b above"},
    {"x-a: &a\n- *a\n", "berth.yaml:2: *a stands inside of what it names"},
    {"hosts: !!map {}\n", "berth.yaml:1: tags are not used here"},
    {"hosts: {a: {}}\n---\nhosts: {}\n", "berth.yaml:2: a second document"},
    {"? [a]\n: b\n", "berth.yaml:1: a key must be a word"},
    {"a: [[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]]\n", "berth.yaml:1: more than 16 levels"},
};

static void faults_are_placed(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct spec spec;
        char error[TREE_ERROR] = "";
        if (read_text(&spec, faults[i].text, strlen(faults[i].text), error))
            fail_msg("taken: %s", faults[i].text);
        assert_string_equal(error, faults[i].message);
        assert_null(spec.root);
        assert_null(spec.hosts);
    }
}

/* What libyaml itself refuses still says file and line. */
static void broken_yaml_is_placed(void **state) {
    (void)state;
    static const struct {
        const char *text, *start;
    } broken[] = {{"hosts: [\n", "berth.yaml:2: "},    {"hosts: {a: \n\n\"x", "berth.yaml:3: "},
                  {"a: b: c\n", "berth.yaml:1: "},     {"\tx: y\n", "berth.yaml:1: "},
                  {"a: \xff\xfe\n", "berth.yaml:1: "}, {"a: \x01\n", "berth.yaml:1: "}};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct spec spec;
        char error[TREE_ERROR] = "";
        assert_false(read_text(&spec, broken[i].text, strlen(broken[i].text), error));
        if (strncmp(error, broken[i].start, strlen(broken[i].start)) != 0)
            fail_msg("%s does not start with %s", error, broken[i].start);
        assert_true(strlen(error) > strlen(broken[i].start));
    }
}

/* Sizes are bounded: octets, values, levels. */
static void bombs(void **state) {
    (void)state;
    struct spec spec;
    char error[TREE_ERROR];
    size_t length = (size_t)TREE_OCTETS + 4096;
    char *text = malloc(length);
    assert_non_null(text);
    memset(text, '#', length);
    assert_false(read_text(&spec, text, length, error));
    assert_non_null(strstr(error, "larger than"));
    for (size_t i = 0; i < length; i++)
        text[i] = i % 2 == 0 ? '\n' : '-';
    memcpy(text, "a:\n", 3);
    for (size_t i = 3; i + 4 <= 4 * 40000; i += 4)
        memcpy(text + i, "- x\n", 4);
    assert_false(read_text(&spec, text, 3 + 4 * 39999, error));
    assert_non_null(strstr(error, "more than 32768 values"));
    memset(text, '[', length);
    assert_false(read_text(&spec, text, 500000, error));
    assert_non_null(strstr(error, "levels"));
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_all_of_it),
        cmocka_unit_test(defaults),
        cmocka_unit_test(one_network_with_an_address),
        cmocka_unit_test(subnets),
        cmocka_unit_test(subnets_of_their_own),
        cmocka_unit_test(faults_are_placed),
        cmocka_unit_test(broken_yaml_is_placed),
        cmocka_unit_test(bombs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
