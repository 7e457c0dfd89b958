/* Settings by Linux's names. */
#include "test/unit/host/peer.h"

static void values(void **state) {
    (void)state;
    struct berth_host_config config;
    berth_host_config_init(&config);
    assert_int_equal(berth_sysctl_set(&config, "net.ipv4.tcp_congestion_control", "reno"), 0);
    assert_int_equal(config.tcp_congestion, BERTH_NEWRENO);
    assert_int_equal(berth_sysctl_set(&config, "net.ipv4.tcp_congestion_control", "1"), -EINVAL);
    assert_int_equal(berth_sysctl_set(&config, "net.ipv4.tcp_syn_retries", "127"), 0);
    assert_int_equal(config.tcp_syn_retries, 127);
    static const char *const wrong[] = {"0", "128", "-1", "", "1 ", "x", "9999999999", "+1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(berth_sysctl_set(&config, "net.ipv4.tcp_syn_retries", wrong[i]), -EINVAL);
    assert_int_equal(config.tcp_syn_retries, 127);
    assert_int_equal(berth_sysctl_set(&config, "net.ipv4.tcp_fin_timeout", "30"), 0);
    assert_true(config.tcp_fin_wait_2 == 30 * BERTH_SECOND);
    assert_int_equal(berth_sysctl_set(&config, "net.ipv4.tcp_max_tw_buckets", "70000"), 0);
    assert_int_equal(config.tcp_time_wait_max, 70000);
    assert_int_equal(berth_sysctl_set(&config, "net.ipv4.tcp_mem", "1"), -ENOENT);
    assert_int_equal(berth_sysctl_set(&config, "net.ipv4.tcp_rmem", "4096 \t20000 999999999"), 0);
    assert_int_equal(config.tcp_receive_buffer_min, 4096);
    assert_int_equal(config.tcp_receive_buffer_default, 20000);
    assert_int_equal(config.tcp_receive_buffer, 999999999);
    assert_int_equal(config.tcp_send_buffer_default, 16384);
    static const char *const sizes[] = {"1",     "1 2",    "1 2 3 4", "2 1 3", "1 3 2",
                                        "0 1 2", " 1 2 3", "1 2 3 ",  "1 2 x", "1 2 1073741825",
                                        "1,2,3", ""};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        assert_int_equal(berth_sysctl_set(&config, "net.ipv4.tcp_rmem", sizes[i]), -EINVAL);
    assert_int_equal(config.tcp_receive_buffer, 999999999);
    assert_int_equal(berth_sysctl_set(&config, "", "1"), -ENOENT);
}

/* Each name is there, takes some number or name, and takes nothing silly. */
static void names(void **state) {
    (void)state;
    struct berth_host_config config;
    size_t count = 0;
    for (const char *name; (name = berth_sysctl_name(count)) != NULL; count++) {
        berth_host_config_init(&config);
        const char *good = strstr(name, "congestion") ? "cubic"
                           : strstr(name, "mem")      ? "1 2 3"
                                                      : "1";
        assert_int_equal(berth_sysctl_set(&config, name, good), 0);
        assert_int_equal(berth_sysctl_set(&config, name, "4294967296"), -EINVAL);
    }
    assert_true(count > 10);
}

/* A host that is there: the sockets to come. */
static void running(void **state) {
    (void)state;
    struct berth_host *host = berth_host_new(NULL);
    berth_handle before, after;
    int value;
    assert_int_equal(berth_socket_open(host, 4, BERTH_TCP, &before), 0);
    assert_int_equal(berth_host_set_sysctl(host, "net.ipv4.tcp_congestion_control", "reno"), 0);
    assert_int_equal(berth_host_set_sysctl(host, "net.ipv4.tcp_congestion_control", "x"), -EINVAL);
    assert_int_equal(berth_socket_open(host, 4, BERTH_TCP, &after), 0);
    berth_socket_get_option(host, before, BERTH_TCP_CONGESTION, &value);
    assert_int_equal(value, BERTH_CUBIC);
    berth_socket_get_option(host, after, BERTH_TCP_CONGESTION, &value);
    assert_int_equal(value, BERTH_NEWRENO);
    berth_host_free(host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(names),
        cmocka_unit_test(running),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
