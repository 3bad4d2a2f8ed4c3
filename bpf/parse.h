/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * From a frame to the flow it belongs to. Written over (data, data_end), not over an skb, so that
 * it serves an XDP program too. Accepts only what a router may forward without a second thought;
 * everything else comes back as the reason to leave it to the kernel.
 */
#ifndef HOPWISE_BPF_PARSE_H
#define HOPWISE_BPF_PARSE_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"

#define HW_MAX_EXTENSIONS 4
#define HW_FRAGMENT4	  0x3fff /* more fragments, or an offset */

#define HW_ICMP4_ECHO_REPLY 0
#define HW_ICMP4_ECHO	    8
#define HW_ICMP6_ECHO	    128
#define HW_ICMP6_ECHO_REPLY 129

enum hw_kind {
	HW_KIND_FLOW,
	HW_KIND_FRAGMENT, /* no ports: all of them are one flow of addresses and protocol */
	HW_KIND_ERROR,	  /* ICMP: `key` is of the flow that it reports on */
};

struct hw_packet {
	struct hw_flow_key key;
	__u32 bytes;	 /* of layer 3 and up, by the IP header's own word */
	__u16 transport; /* offset of the transport header in the frame; 0: not in this packet */
	__u8 hops;	 /* TTL or hop limit */
	__u8 kind;	 /* enum hw_kind */
};

/* The first 8 bytes of every transport header that we know: ports, or type, code and identifier. */
struct hw_transport {
	union {
		struct {
			__be16 source_port;
			__be16 destination_port;
		};
		struct {
			__u8 icmp_type;
			__u8 icmp_code;
			__be16 icmp_checksum;
		};
	};
	__be16 icmp_identifier;
	__be16 icmp_sequence;
};

/* No router forwards these: "this network", loopback, multicast, reserved and broadcast. */
static __always_inline bool hw_stays_here4(const __u8 *address)
{
	return address[0] == 0 || address[0] == 127 || address[0] >= 224;
}

/* The same of IPv6: unspecified and loopback (::/64 is never routed), link-local, multicast. */
static __always_inline bool hw_stays_here6(const __u8 *address)
{
	const __u32 *word = (const __u32 *)address;

	return address[0] == 0xff || (address[0] == 0xfe && (address[1] & 0xc0) == 0x80) ||
	       (word[0] == 0 && word[1] == 0);
}

/* One's complement sum of an IPv4 header without options; 0xffff when its checksum is right. */
static __always_inline __u32 hw_sum4(const struct iphdr *ip)
{
	const __u16 *word = (const __u16 *)ip;
	__u32 sum = 0;

#pragma unroll
	for (int i = 0; i < 10; i++)
		sum += word[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

static __always_inline enum hw_reason hw_parse_transport(const void *header, const void *data_end,
							 __u32 bytes, struct hw_packet *packet)
{
	const struct hw_transport *transport = header;
	bool echo;

	if (bytes < sizeof(*transport) || (const void *)(transport + 1) > data_end)
		return HW_REASON_MALFORMED;
	if (packet->key.protocol == IPPROTO_TCP || packet->key.protocol == IPPROTO_UDP) {
		packet->key.source_port = transport->source_port;
		packet->key.destination_port = transport->destination_port;
		return HW_REASON_STEERED;
	}
	if (packet->key.family == 4)
		echo = transport->icmp_type == HW_ICMP4_ECHO ||
		       transport->icmp_type == HW_ICMP4_ECHO_REPLY;
	else
		echo = transport->icmp_type == HW_ICMP6_ECHO ||
		       transport->icmp_type == HW_ICMP6_ECHO_REPLY;
	if (!echo)
		return HW_REASON_PROTOCOL;
	packet->key.source_port = transport->icmp_identifier;
	packet->key.destination_port = transport->icmp_identifier;
	return HW_REASON_STEERED;
}

static __always_inline enum hw_reason hw_parse4(const void *data, const void *data_end,
						__u32 length, struct hw_packet *packet)
{
	const struct iphdr *ip = data;

	if ((const void *)(ip + 1) > data_end || ip->version != 4 || ip->ihl < 5)
		return HW_REASON_MALFORMED;
	if (ip->ihl > 5)
		return HW_REASON_OPTIONS;
	packet->bytes = bpf_ntohs(ip->tot_len);
	if (packet->bytes < sizeof(*ip) || packet->bytes > length || hw_sum4(ip) != 0xffff)
		return HW_REASON_MALFORMED;
	packet->hops = ip->ttl;
	packet->key.family = 4;
	packet->key.protocol = ip->protocol;
	__builtin_memcpy(packet->key.source, &ip->saddr, 4);
	__builtin_memcpy(packet->key.destination, &ip->daddr, 4);
	if (hw_stays_here4(packet->key.source) || hw_stays_here4(packet->key.destination))
		return HW_REASON_NOT_FOR_US;
	if (ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_UDP &&
	    ip->protocol != IPPROTO_ICMP)
		return HW_REASON_PROTOCOL;
	if (ip->frag_off & bpf_htons(HW_FRAGMENT4))
		return HW_REASON_STEERED;
	return hw_parse_transport(ip + 1, data_end, packet->bytes - sizeof(*ip), packet);
}

/*
 * Walks the extension headers that a router passes by. Hop-by-hop options are for every router to
 * read, so they go to the kernel, like IPv4's options. The fragment header ends the walk: only the
 * first fragment has what follows, and all must give the same flow.
 */
static __always_inline enum hw_reason hw_parse6(const void *data, const void *data_end,
						__u32 length, struct hw_packet *packet)
{
	const struct ipv6hdr *ip = data;
	__u32 offset = sizeof(*ip);
	__u8 next;

	if ((const void *)(ip + 1) > data_end || ip->version != 6)
		return HW_REASON_MALFORMED;
	packet->bytes = sizeof(*ip) + bpf_ntohs(ip->payload_len);
	if (packet->bytes > length)
		return HW_REASON_MALFORMED;
	packet->hops = ip->hop_limit;
	packet->key.family = 6;
	__builtin_memcpy(packet->key.source, &ip->saddr, 16);
	__builtin_memcpy(packet->key.destination, &ip->daddr, 16);
	if (hw_stays_here6(packet->key.source) || hw_stays_here6(packet->key.destination))
		return HW_REASON_NOT_FOR_US;

	next = ip->nexthdr;
#pragma unroll
	for (int i = 0; i <= HW_MAX_EXTENSIONS; i++) {
		const __u8 *header = data + offset;

		if (next == IPPROTO_TCP || next == IPPROTO_UDP || next == IPPROTO_ICMPV6) {
			packet->key.protocol = next;
			return hw_parse_transport(header, data_end, packet->bytes - offset, packet);
		}
		if (i == HW_MAX_EXTENSIONS || (next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
					       next != IPPROTO_FRAGMENT))
			break;
		if (header + 8 > (const __u8 *)data_end || offset + 8 > packet->bytes)
			return HW_REASON_MALFORMED;
		if (next == IPPROTO_FRAGMENT) {
			packet->key.protocol = next = header[0];
			return next == IPPROTO_TCP || next == IPPROTO_UDP || next == IPPROTO_ICMPV6
				   ? HW_REASON_STEERED
				   : HW_REASON_OPTIONS;
		}
		next = header[0];
		offset += (header[1] + 1) * 8;
		if (offset > packet->bytes)
			return HW_REASON_MALFORMED;
	}
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS ||
		       next == IPPROTO_FRAGMENT || next == IPPROTO_AH
		   ? HW_REASON_OPTIONS
		   : HW_REASON_PROTOCOL;
}

/* `length`: of the whole frame, of which [data, data_end) may be the beginning only. */
static __always_inline enum hw_reason hw_parse(const void *data, const void *data_end, __u32 length,
					       struct hw_packet *packet)
{
	const struct ethhdr *ethernet = data;

	__builtin_memset(packet, 0, sizeof(*packet));
	if ((const void *)(ethernet + 1) > data_end || length < sizeof(*ethernet))
		return HW_REASON_MALFORMED;
	length -= sizeof(*ethernet);
	switch (ethernet->h_proto) {
	case bpf_htons(ETH_P_IP):
		return hw_parse4(ethernet + 1, data_end, length, packet);
	case bpf_htons(ETH_P_IPV6):
		return hw_parse6(ethernet + 1, data_end, length, packet);
	case bpf_htons(ETH_P_8021Q):
	case bpf_htons(ETH_P_8021AD):
		return HW_REASON_VLAN;
	default:
		return HW_REASON_NOT_IP;
	}
}

#endif
