/* Filters of `berth dump`: where a wrong one goes wrong, and how often the resolver is asked for a
 * name that nobody knows. */
#define _GNU_SOURCE
#include "tool/cli/dump_filter.h"

#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static unsigned asked;

/* libpcap's, also for IPv6 addresses in figures: the machine's resolver is not asked. */
__attribute__((visibility("default"))) int getaddrinfo(const char *name, const char *service,
                                                       const struct addrinfo *hints,
                                                       struct addrinfo **found);

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **found) {
    (void)name, (void)service, (void)hints;
    *found = NULL;
    asked++;
    return EAI_NONAME;
}

static void unknown_names(void **state) {
    (void)state;
    static const struct {
        const char *text, *told;
    } cases[] = {
        {"host nobody.example", "character 6, at \"nobody.example\": unknown host"},
        {"tcp port 80 and (host web or src nobody)", "at \"nobody\": unknown host"},
        {"udp and dst host web and net nowhere", "at \"nowhere\": unknown network"},
        {"port 80 and host po", "character 18, at \"po\": unknown host"},
    };
    json_t *hosts = json_pack("[{s:s,s:s}]", "host", "web", "address", "10.0.0.1");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char error[1000] = "";
        asked = 0;
        assert_null(dump_filter_compile(cases[i].text, hosts, error, sizeof error));
        if (strstr(error, cases[i].told) == NULL)
            fail_msg("%s", error);
        assert_in_range(asked, 0, 1);
    }
    json_decref(hosts);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(unknown_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
