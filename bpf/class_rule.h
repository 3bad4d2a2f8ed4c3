/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Whether a packet fits a rule of hw_classes. Compiled into the BPF programs and into the daemon,
 * so that `hopwise explain` names the class that the data path finds.
 *
 * Ports are those of TCP and UDP. A fragment has none, nor has an error that reports on one: both
 * ports are 0 then.
 */
#ifndef HOPWISE_BPF_CLASS_RULE_H
#define HOPWISE_BPF_CLASS_RULE_H

#include <linux/in.h>

#include "abi.h"
#include "hash.h"

static inline int hw_is_within(const __u8 *address, const __u8 *network, const __u8 *mask)
{
	const hw_word *a = (const hw_word *)address, *n = (const hw_word *)network,
		      *m = (const hw_word *)mask;

	return !(((a[0] ^ n[0]) & m[0]) | ((a[1] ^ n[1]) & m[1]) | ((a[2] ^ n[2]) & m[2]) |
		 ((a[3] ^ n[3]) & m[3]));
}

static inline int hw_is_between(const __u16 *range, const __u16 *network_order)
{
	const __u8 *byte = (const __u8 *)network_order;
	__u32 port = byte[0] << 8 | byte[1];

	return range[0] <= port && port <= range[1];
}

static inline int hw_has_ports(const struct hw_flow_key *key)
{
	return (key->protocol == IPPROTO_TCP || key->protocol == IPPROTO_UDP) &&
	       (key->source_port || key->destination_port);
}

static inline int hw_rule_matches(const struct hw_class_rule *rule, const struct hw_flow_key *key,
				  __u32 dscp)
{
	__u8 protocol = key->protocol;

	if (protocol == IPPROTO_ICMPV6)
		protocol = IPPROTO_ICMP;
	if (!(rule->dscp >> (dscp & 63) & 1))
		return 0;
	if ((rule->protocol && rule->protocol != protocol) ||
	    (rule->family && rule->family != key->family))
		return 0;
	if ((rule->looks_at & HW_RULE_PORTS) &&
	    (!hw_has_ports(key) || !hw_is_between(rule->source_port, &key->source_port) ||
	     !hw_is_between(rule->destination_port, &key->destination_port)))
		return 0;
	if ((rule->looks_at & HW_RULE_SOURCE) &&
	    !hw_is_within(key->source, rule->source, rule->source_mask))
		return 0;
	return !(rule->looks_at & HW_RULE_DESTINATION) ||
	       hw_is_within(key->destination, rule->destination, rule->destination_mask);
}

#endif
