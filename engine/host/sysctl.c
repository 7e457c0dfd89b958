/* Settings of a computer by the names that Linux's sysctl gives them. */
#include "engine/host/host.h"
#include <errno.h>

struct sysctl {
    const char *name;
    size_t offset; /* into the configuration */
    uint32_t least, most;
    uint64_t unit; /* 0: an octet; 1: 32 bits; else 64 bits of ns, and the setting counts these */
    size_t usual, largest; /* of three numbers in one setting (32 bits): where these two go */
};

#define OCTET(name, field, least, most)                                                            \
    { name, offsetof(struct berth_host_config, field), least, most, 0, 0, 0 }
/* Of all interfaces at once: Linux's "default" is what new ones get, which are all there are. */
#define INTERFACES_OF(ip, name, field, most)                                                       \
    OCTET("net." ip ".conf.default." name, field, 0, most),                                        \
        OCTET("net." ip ".conf.all." name, field, 0, most)
#define INTERFACES(name, field, most) INTERFACES_OF("ipv6", name, field, most)
#define INTERFACES4(name, field, most) INTERFACES_OF("ipv4", name, field, most)
#define NUMBER(name, field, least, most)                                                           \
    { name, offsetof(struct berth_host_config, field), least, most, 1, 0, 0 }
#define SECONDS(name, field)                                                                       \
    { name, offsetof(struct berth_host_config, field), 1, 32767, BERTH_SECOND, 0, 0 }
#define SIZES(name, field)                                                                         \
    {                                                                                              \
        name, offsetof(struct berth_host_config, field##_min), 1, 1 << 30, 1,                      \
            offsetof(struct berth_host_config, field##_default),                                   \
            offsetof(struct berth_host_config, field)                                              \
    }

static const struct sysctl sysctls[] = {
    OCTET("net.ipv4.tcp_congestion_control", tcp_congestion, 0, 0), /* by name */
    OCTET("net.ipv4.tcp_slow_start_after_idle", tcp_slow_start_after_idle, 0, 1),
    OCTET("net.ipv4.tcp_syn_retries", tcp_syn_retries, 1, 127),
    OCTET("net.ipv4.tcp_synack_retries", tcp_synack_retries, 0, 127),
    OCTET("net.ipv4.tcp_retries2", tcp_retries_2, 0, 255),
    OCTET("net.ipv4.tcp_timestamps", tcp_timestamps, 0, 1),
    OCTET("net.ipv4.tcp_syncookies", tcp_syncookies, 0, 2),
    OCTET("net.ipv4.tcp_ecn", tcp_ecn, 0, 2),
    OCTET("net.ipv4.tcp_mtu_probing", tcp_mtu_probing, 0, 2),
    OCTET("net.ipv4.tcp_sack", tcp_sack, 0, 1),
    OCTET("net.ipv4.tcp_window_scaling", tcp_window_scaling, 0, 1),
    OCTET("net.ipv4.tcp_keepalive_probes", keepalive_probes, 1, 255),
    OCTET("net.ipv4.ip_forward", ip_forward, 0, 1),
    OCTET("net.ipv6.conf.all.forwarding", ip6_forward, 0, 1),
    OCTET("net.ipv4.ip_default_ttl", default_ttl, 1, 255),
    OCTET("net.ipv4.neigh.default.mcast_solicit", arp_requests, 1, 255),
    OCTET("net.ipv6.neigh.default.mcast_solicit", nd_requests, 1, 255),
    INTERFACES("dad_transmits", dad_transmits, 255),
    INTERFACES("accept_dad", accept_dad, 2),
    INTERFACES("accept_ra", accept_ra, 2),
    INTERFACES("autoconf", autoconf, 1),
    INTERFACES("router_solicitations", router_solicitations, 255),
    INTERFACES4("accept_redirects", accept_redirects, 1),
    INTERFACES4("secure_redirects", secure_redirects, 1),
    INTERFACES4("shared_media", shared_media, 1),
    INTERFACES4("send_redirects", send_redirects, 1),
    INTERFACES("accept_redirects", accept_redirects6, 1),
    OCTET("net.ipv6.mld_qrv", mld_robustness, 0, 7),
    SECONDS("net.ipv4.tcp_keepalive_time", keepalive_idle),
    SECONDS("net.ipv4.tcp_keepalive_intvl", keepalive_interval),
    SECONDS("net.ipv4.tcp_fin_timeout", tcp_fin_wait_2),
    SECONDS("net.ipv4.tcp_probe_interval", tcp_probe_interval),
    NUMBER("net.ipv4.tcp_probe_threshold", tcp_probe_threshold, 1, 65535),
    SECONDS("net.ipv4.route.mtu_expires", path_mtu_expires),
    OCTET("net.ipv4.tcp_moderate_rcvbuf", tcp_moderate_rcvbuf, 0, 1),
    SIZES("net.ipv4.tcp_rmem", tcp_receive_buffer), /* as three numbers: min default max */
    SIZES("net.ipv4.tcp_wmem", tcp_send_buffer),
    NUMBER("net.ipv4.tcp_max_syn_backlog", tcp_syn_backlog_max, 1, 1 << 20),
    NUMBER("net.ipv4.tcp_max_tw_buckets", tcp_time_wait_max, 0, 1 << 20),
};
enum { SYSCTLS = sizeof sysctls / sizeof sysctls[0] };

const char *berth_sysctl_name(size_t index) {
    return index < SYSCTLS ? sysctls[index].name : NULL;
}

/* The number without a sign that the text begins with, nine digits at most; -EINVAL. *end: what
 * follows it. */
static int64_t number_at(const char *text, const char **end) {
    int64_t number = 0;
    for (*end = text; **end >= '0' && **end <= '9' && *end - text < 10; ++*end)
        number = 10 * number + (**end - '0');
    return *end == text || *end - text > 9 ? -EINVAL : number;
}

/* The same, and nothing else. */
static int64_t number_of(const char *text) {
    const char *end;
    int64_t number = number_at(text, &end);
    return *end ? -EINVAL : number;
}

/* Three of them, none smaller than the one before, with blanks between. Writes all or nothing. */
static int sizes_set(struct berth_host_config *config, const struct sysctl *sysctl,
                     const char *text) {
    const size_t offsets[] = {sysctl->offset, sysctl->usual, sysctl->largest};
    uint32_t numbers[3] = {0};
    for (size_t i = 0; i < 3; i++) {
        const char *end;
        int64_t number = number_at(text, &end);
        if (number < sysctl->least || number > sysctl->most || (i > 0 && number < numbers[i - 1]))
            return -EINVAL;
        for (text = end; *text == ' ' || *text == '\t';)
            text++;
        if (i < 2 ? text == end : *end != '\0')
            return -EINVAL;
        numbers[i] = (uint32_t)number;
    }
    for (size_t i = 0; i < 3; i++)
        memcpy((uint8_t *)config + offsets[i], &numbers[i], sizeof numbers[i]);
    return 0;
}

static int64_t value_of(const struct sysctl *sysctl, const char *text) {
    if (sysctl->offset == offsetof(struct berth_host_config, tcp_congestion))
        return berth_congestion_find(text);
    int64_t number = number_of(text);
    return number < sysctl->least || number > sysctl->most ? -EINVAL : number;
}

int berth_sysctl_set(struct berth_host_config *config, const char *name, const char *value) {
    const struct sysctl *sysctl = NULL;
    for (size_t i = 0; i < SYSCTLS; i++)
        if (strcmp(sysctls[i].name, name) == 0)
            sysctl = &sysctls[i];
    if (!sysctl)
        return -ENOENT;
    if (sysctl->largest)
        return sizes_set(config, sysctl, value);
    int64_t number = value_of(sysctl, value);
    if (number < 0)
        return -EINVAL;
    uint8_t *field = (uint8_t *)config + sysctl->offset;
    uint64_t duration = (uint64_t)number * sysctl->unit;
    if (sysctl->unit == 0)
        *field = (uint8_t)number;
    else if (sysctl->unit == 1)
        memcpy(field, &(uint32_t){(uint32_t)number}, sizeof(uint32_t));
    else
        memcpy(field, &duration, sizeof duration);
    return 0;
}

int berth_host_set_sysctl(struct berth_host *host, const char *name, const char *value) {
    struct berth_host_config *config = tcp_config(host->sockets.tcp);
    int error = berth_sysctl_set(config, name, value);
    if (!error)
        ip_set_config(&host->sockets.ip, config);
    return error;
}
