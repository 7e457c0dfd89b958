/* Socket options: a table of what each may be and what setting it does. Values that were set live
 * in `extra`; the defaults are Linux's. */
#include "engine/base/buffer_size.h"
#include "engine/tcp/connection.h"

struct option_rule {
    int least, most; /* what may be set; outside is -EINVAL */
    int otherwise;   /* what an unset one reads as; -1: asks `read` below */
    uint16_t flag;   /* kept as this flag of the connection instead */
    bool boolean;    /* any non-zero value is 1 */
    bool known, settable;
};

#define FLAG(bit)                                                                                  \
    { 0, 0, 0, (bit), true, true, true }
#define TRUTH                                                                                      \
    { 0, 0, 0, 0, true, true, true }
#define NUMBER(least, most, otherwise)                                                             \
    { (least), (most), (otherwise), 0, false, true, true }
#define ASKED                                                                                      \
    { 0, 0, 0, 0, false, true, false }

static const struct option_rule rules[BERTH_V6ONLY + 1] = {
    [BERTH_SO_REUSEADDR] = TRUTH,
    [BERTH_SO_REUSEPORT] = TRUTH,
    [BERTH_SO_KEEPALIVE] = FLAG(TCP_F_KEEPALIVE),
    [BERTH_SO_BROADCAST] = TRUTH,
    [BERTH_SO_LINGER] = NUMBER(-1, INT32_MAX, -1),
    [BERTH_SO_OOBINLINE] = FLAG(TCP_F_OOBINLINE),
    [BERTH_SO_SNDBUF] = NUMBER(1, INT32_MAX, -1),
    [BERTH_SO_RCVBUF] = NUMBER(1, INT32_MAX, -1),
    [BERTH_SO_MAX_PACING_RATE] = NUMBER(INT32_MIN, INT32_MAX, -1),
    [BERTH_SO_ERROR] = ASKED,
    [BERTH_SO_ACCEPTCONN] = ASKED,
    [BERTH_TCP_NODELAY] = FLAG(TCP_F_NODELAY),
    [BERTH_TCP_CORK] = TRUTH,
    [BERTH_TCP_QUICKACK] = TRUTH,
    [BERTH_TCP_MAXSEG] = NUMBER(88, 32767, -1),
    [BERTH_TCP_KEEPIDLE] = NUMBER(1, 32767, -1),
    [BERTH_TCP_KEEPINTVL] = NUMBER(1, 32767, -1),
    [BERTH_TCP_KEEPCNT] = NUMBER(1, 127, -1),
    [BERTH_TCP_SYNCNT] = NUMBER(1, 127, -1),
    [BERTH_TCP_LINGER2] = NUMBER(-1, 120, 0), /* what is more is 120, what is less -1 */
    [BERTH_TCP_USER_TIMEOUT] = NUMBER(0, INT32_MAX, 0),
    [BERTH_TCP_DEFER_ACCEPT] = NUMBER(0, INT32_MAX, 0),
    [BERTH_TCP_NOTSENT_LOWAT] = NUMBER(0, INT32_MAX, 0),
    [BERTH_TCP_CONGESTION] = NUMBER(INT32_MIN, INT32_MAX, 0),
    [BERTH_IP_TTL] = NUMBER(1, 255, -1),
    [BERTH_IP_TOS] = NUMBER(0, 255, 0),
    [BERTH_IP_RECVERR] = TRUTH,
    [BERTH_IP_MTU_DISCOVER] = NUMBER(0, 5, 1),
    [BERTH_V6ONLY] = TRUTH,
};

static const struct option_rule *rule_of(enum berth_option option) {
    if ((unsigned)option > BERTH_V6ONLY || !rules[option].known)
        return NULL;
    return &rules[option];
}

/* What setting an option sets off. */
static void take_effect(struct tcp *tcp, struct tcp_connection *c, enum berth_option option) {
    bool reuseaddr = tcp_option(c, BERTH_SO_REUSEADDR, 0),
         reuseport = tcp_option(c, BERTH_SO_REUSEPORT, 0);
    switch (option) {
    case BERTH_SO_REUSEADDR:
    case BERTH_SO_REUSEPORT:
        if (c->extra && c->extra->bind)
            ports_set_flags(tcp->ports, c->extra->bind,
                            (unsigned)PORTS_STREAM | (reuseaddr ? (unsigned)PORTS_REUSEADDR : 0u) |
                                (reuseport ? (unsigned)PORTS_REUSEPORT : 0u) |
                                (tcp_option(c, BERTH_V6ONLY, 0) ? (unsigned)PORTS_V6ONLY : 0u));
        break;
    case BERTH_TCP_NODELAY: /* what Nagle held goes out (MUST-17) */
    case BERTH_TCP_CORK:
        if (c->active)
            connection_owes(tcp, c);
        break;
    case BERTH_SO_KEEPALIVE:
    case BERTH_TCP_KEEPIDLE:
    case BERTH_TCP_KEEPINTVL:
        if (c->state != BERTH_LISTEN && c->state != BERTH_TCP_CLOSED)
            connection_settle(tcp, c);
        break;
    default:
        break;
    }
}

/* What a value counts as. */
static int adjusted(enum berth_option option, int value) {
    switch (option) {
    case BERTH_SO_SNDBUF:
        return (int)buffer_size(value, BUFFER_SIZE_SEND_LEAST);
    case BERTH_SO_RCVBUF:
        return (int)buffer_size(value, BUFFER_SIZE_RECEIVE_LEAST);
    case BERTH_IP_TOS: /* the lower two bits are ECN's (RFC 3168 5; as on Linux) */
        return value & ~3;
    case BERTH_TCP_LINGER2:
        return value < -1 ? -1 : value > 120 ? 120 : value;
    case BERTH_TCP_DEFER_ACCEPT:
        return half_open_defer_seconds(half_open_deferrals(value));
    default:
        return value;
    }
}

int tcp_set_option(struct tcp *tcp, uint32_t socket, enum berth_option option, int value,
                   uint64_t now) {
    struct tcp_connection *c = tcp_at(tcp, socket);
    const struct option_rule *rule = rule_of(option);
    tcp_clock(tcp, now);
    if (!rule || !rule->settable)
        return -ENOPROTOOPT;
    value = rule->boolean ? value != 0 : adjusted(option, value);
    if (!rule->boolean && (value < rule->least || value > rule->most))
        return -EINVAL;
    if (option == BERTH_TCP_CONGESTION)
        return congestion_choose(c, value);
    if (option == BERTH_TCP_QUICKACK) {
        receive_set_quick(tcp, c, value);
        return 0;
    }
    if (rule->flag) {
        c->flags = (uint16_t)(value ? c->flags | rule->flag : c->flags & ~rule->flag);
    } else {
        bool usual = value == rule->otherwise;
        if (!c->extra && usual)
            return 0;
        if (!connection_extra(tcp, c))
            return -ENOMEM;
        c->extra->values[option] = value;
        c->extra->options_set |= 1u << option;
    }
    take_effect(tcp, c, option);
    return 0;
}

/* Options whose default is the host's or the connection's. */
static int read_default(const struct tcp *tcp, const struct tcp_connection *c,
                        enum berth_option option) {
    const struct berth_host_config *config = &tcp->config;
    switch (option) {
    case BERTH_SO_SNDBUF:
        return (int)tuning_send_buffer(tcp, c);
    case BERTH_SO_RCVBUF:
        return (int)tuning_receive_buffer(tcp, c);
    case BERTH_TCP_MAXSEG:
        return c->mss ? (int)connection_payload_most(c) : 536;
    case BERTH_TCP_KEEPIDLE:
        return (int)(config->keepalive_idle / BERTH_SECOND);
    case BERTH_TCP_KEEPINTVL:
        return (int)(config->keepalive_interval / BERTH_SECOND);
    case BERTH_TCP_KEEPCNT:
        return config->keepalive_probes;
    case BERTH_TCP_SYNCNT:
        return config->tcp_syn_retries;
    case BERTH_TCP_LINGER2:
        return (int)(config->tcp_fin_wait_2 / BERTH_SECOND);
    case BERTH_IP_TTL:
        return config->default_ttl;
    default:
        return -1;
    }
}

int tcp_get_option(struct tcp *tcp, uint32_t socket, enum berth_option option, int *value) {
    struct tcp_connection *c = tcp_at(tcp, socket);
    const struct option_rule *rule = rule_of(option);
    if (!rule)
        return -ENOPROTOOPT;
    if (option == BERTH_SO_ERROR) {
        *value = tcp_error(c);
        c->timer.kind = 0;
        if (c->state != BERTH_SYN_SENT && c->state != BERTH_SYN_RECEIVED)
            c->flags &= (uint16_t)~TCP_F_CONNECTING; /* the outcome of connect() has been told */
    } else if (option == BERTH_SO_ACCEPTCONN) {
        *value = c->state == BERTH_LISTEN;
    } else if (option == BERTH_TCP_CONGESTION) {
        *value = c->congestion;
    } else if (option == BERTH_TCP_QUICKACK) {
        *value = !c->pingpong;
    } else if (rule->flag) {
        *value = (c->flags & rule->flag) != 0;
    } else {
        bool set = c->extra && (c->extra->options_set >> option & 1);
        *value = set ? c->extra->values[option]
                 : rule->otherwise != -1 || option == BERTH_SO_LINGER ||
                         option == BERTH_SO_MAX_PACING_RATE
                     ? rule->otherwise
                     : read_default(tcp, c, option);
        if (option == BERTH_TCP_LINGER2 && *value == 0)
            *value = read_default(tcp, c, option);
    }
    return 0;
}
