/* A network's two subnets: as text, and the IPv6 one that goes with an IPv4 one. */
#ifndef TOOL_DAEMON_SUBNETS_H
#define TOOL_DAEMON_SUBNETS_H

#include <berth/addr.h>
#include <stdbool.h>
#include <stddef.h>

enum { SUBNET_TEXT = BERTH_IP_TEXT + 4 };

/* What stands for "no IPv6" in place of a subnet. */
#define SUBNET_NONE "none"

/* "10.0.0.0/24" or "fd00:5::/64". False for what is neither, or has a longer prefix than its
 * family.
 */
bool subnet_parse(const char *text, struct berth_ip *ip, unsigned *prefix);
/* True if bits beyond the prefix are set. */
bool subnet_has_more(const struct berth_ip *ip, unsigned prefix);
/* False for those that no host can have an address in: this network's, loopback's, groups', the
 * reserved ones and the links' own (RFC 6890). */
bool subnet_has_hosts(const struct berth_ip *ip);
/* False for what is no subnet, SUBNET_NONE for one. */
bool subnet_contains(const char *text, const struct berth_ip *ip);
bool subnet_overlaps(const char *a, const char *b);
/* The IPv6 subnet of a network whose IPv4 one is that: of the unique local addresses (RFC 4193),
 * and easy to know again: 10.1.2.0/24 has fd00:10:1:2::/64. Another one for each: 10.1.2.64/26 has
 * fd40:10:1:2::/64. */
void subnet_derive(const struct berth_ip *v4, char text[SUBNET_TEXT]);

#endif
