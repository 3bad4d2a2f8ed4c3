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

#define HW_MAX_EXTENSIONS	   4
#define HW_MAX_REPORTED_EXTENSIONS 1	  /* within an ICMP error */
#define HW_FRAGMENT4		   0x3fff /* more fragments, or an offset */
#define HW_OFFSET4		   0x1fff
#define HW_OFFSET6		   0xfff8

#define HW_ICMP4_ECHO_REPLY  0
#define HW_ICMP4_UNREACHABLE 3
#define HW_ICMP4_ECHO	     8
#define HW_ICMP4_EXCEEDED    11
#define HW_ICMP4_PARAMETER   12
#define HW_ICMP6_UNREACHABLE 1 /* to 4: too big, exceeded, parameter */
#define HW_ICMP6_PARAMETER   4
#define HW_ICMP6_ECHO	     128
#define HW_ICMP6_ECHO_REPLY  129

#define HW_JUMBO_OPTION 0xc2 /* RFC 2675 */

enum hw_kind {
	HW_KIND_FLOW,
	HW_KIND_FRAGMENT, /* no ports: all of them are one flow of addresses and protocol */
	HW_KIND_ERROR,	  /* ICMP: `key` is of the flow that it reports on, ends swapped */
};

enum hw_piece {
	HW_WHOLE,
	HW_FIRST,  /* of a datagram's fragments */
	HW_BEHIND, /* the first, and without its ports */
};

struct hw_frame {
	const void *data, *data_end; /* may be the beginning only */
	__u32 length;		     /* of the whole */
	__u32 segment;		     /* data in each packet of an aggregate; 0: is none */
	__u32 protocol;		     /* as the device told the kernel */
	__u32 reassembled;	     /* 1: fragments will be, before they are routed */
};

struct hw_packet {
	struct hw_flow_key key;
	__u32 bytes;	 /* of layer 3 and up, by the IP header's own word */
	__u16 transport; /* offset of the transport header in the frame; 0: not in this packet */
	__u8 hops;	 /* TTL or hop limit */
	__u8 kind;	 /* enum hw_kind */
	__u8 dscp;	 /* of an ICMP error: of the packet that it reports on */
	__u8 pad[3];
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

static __always_inline bool hw_same(const void *a, const void *b, int bytes)
{
	const __u16 *x = a, *y = b;
	__u16 difference = 0;

#pragma unroll
	for (int i = 0; i < bytes / 2; i++)
		difference |= x[i] ^ y[i];
	return !difference;
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

/* RFC 8200, 3: version, then the traffic class, whose upper six bits are the DSCP (RFC 2474). */
static __always_inline __u8 hw_dscp6(const struct ipv6hdr *ip)
{
	return bpf_ntohs(*(const __be16 *)ip) >> 6 & 0x3f;
}

/* One pointer for all that follows: the verifier knows no two sums to be the same. */
#define hw_opaque(pointer) asm volatile("" : "+r"(pointer))

static __always_inline bool hw_is_transport(__u32 family, __u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP ||
	       protocol == (family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

static __always_inline bool hw_is_echo(__u32 family, __u8 type)
{
	return family == 4 ? type == HW_ICMP4_ECHO || type == HW_ICMP4_ECHO_REPLY
			   : type == HW_ICMP6_ECHO || type == HW_ICMP6_ECHO_REPLY;
}

static __always_inline bool hw_is_error(__u32 family, __u8 type)
{
	return family == 4 ? type == HW_ICMP4_UNREACHABLE || type == HW_ICMP4_EXCEEDED ||
				 type == HW_ICMP4_PARAMETER
			   : type >= HW_ICMP6_UNREACHABLE && type <= HW_ICMP6_PARAMETER;
}

/*
 * IPv6: the header that comes after the extension headers that a router passes by, at most `most`
 * of them. Hop-by-hop options are for every router to read, so they go to the kernel, like IPv4's
 * options; but not the one that the kernel itself puts into an aggregate beyond 64 KiB. The
 * fragment header ends the walk: only the first fragment has what follows, and all must give the
 * same flow.
 */
struct hw_walk {
	__u32 offset; /* from the IP header */
	__u8 next;
	__u8 fragment; /* enum hw_piece */
};

static __always_inline enum hw_reason hw_walk6(const struct ipv6hdr *ip, const void *data_end,
					       __u32 bytes, int most, struct hw_walk *walk)
{
	*walk = (struct hw_walk){sizeof(*ip), ip->nexthdr, HW_WHOLE};
#pragma unroll
	for (int i = 0; i <= HW_MAX_EXTENSIONS; i++) {
		const __u8 *header = (const __u8 *)ip + walk->offset;
		__u8 next = walk->next;

		if (hw_is_transport(6, next))
			return HW_REASON_STEERED;
		if (i >= most)
			break;
		if (next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
		    next != IPPROTO_FRAGMENT && next != IPPROTO_HOPOPTS)
			break;
		if (header + 8 > (const __u8 *)data_end || walk->offset + 8 > bytes)
			return HW_REASON_MALFORMED;
		if (next == IPPROTO_HOPOPTS &&
		    (i || ip->payload_len || header[1] || header[2] != HW_JUMBO_OPTION))
			break;
		walk->next = header[0];
		if (next == IPPROTO_FRAGMENT) {
			walk->fragment = *(const __be16 *)(header + 2) & bpf_htons(HW_OFFSET6)
					     ? HW_BEHIND
					     : HW_FIRST;
			walk->offset += 8;
			return hw_is_transport(6, walk->next) ? HW_REASON_STEERED
							      : HW_REASON_OPTIONS;
		}
		walk->offset += (header[1] + 1) * 8;
		if (walk->offset > bytes)
			return HW_REASON_MALFORMED;
	}
	switch (walk->next) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
	case IPPROTO_FRAGMENT:
	case IPPROTO_AH:
		return HW_REASON_OPTIONS;
	default:
		return HW_REASON_PROTOCOL;
	}
}

/* The packet that an ICMP error reports on: the flow's own, the other way. An error that goes
 * elsewhere than to that packet's sender is none. */
static __always_inline enum hw_reason hw_parse_reported(const void *data, const void *data_end,
							__u32 bytes, struct hw_packet *packet)
{
	struct hw_flow_key *key = &packet->key;
	const struct hw_transport *transport;
	__u32 offset;
	bool fragment;

	hw_opaque(data);
	packet->kind = HW_KIND_ERROR;
	if (key->family == 4) {
		const struct iphdr *ip = data;

		if ((const void *)(ip + 1) > data_end || bytes < sizeof(*ip) || ip->version != 4 ||
		    ip->ihl < 5 || !hw_same(&ip->saddr, key->destination, 4))
			return HW_REASON_MALFORMED;
		packet->dscp = ip->tos >> 2;
		__builtin_memcpy(key->source, &ip->daddr, 4);
		key->protocol = ip->protocol;
		if (!hw_is_transport(4, key->protocol))
			return HW_REASON_PROTOCOL;
		fragment = ip->frag_off & bpf_htons(HW_FRAGMENT4);
		offset = ip->ihl * 4;
	} else {
		const struct ipv6hdr *ip = data;
		enum hw_reason reason;
		struct hw_walk walk;

		if ((const void *)(ip + 1) > data_end || bytes < sizeof(*ip) || ip->version != 6 ||
		    !hw_same(&ip->saddr, key->destination, 16))
			return HW_REASON_MALFORMED;
		packet->dscp = hw_dscp6(ip);
		__builtin_memcpy(key->source, &ip->daddr, 16);
		reason = hw_walk6(ip, data_end, bytes, HW_MAX_REPORTED_EXTENSIONS, &walk);
		if (reason != HW_REASON_STEERED)
			return reason;
		key->protocol = walk.next;
		fragment = walk.fragment;
		offset = walk.offset;
	}
	if (fragment)
		return HW_REASON_STEERED;
	transport = data + offset;
	if ((const void *)(transport + 1) > data_end || offset + sizeof(*transport) > bytes)
		return HW_REASON_MALFORMED;
	if (key->protocol == IPPROTO_TCP || key->protocol == IPPROTO_UDP) {
		key->source_port = transport->destination_port;
		key->destination_port = transport->source_port;
		return HW_REASON_STEERED;
	}
	if (!hw_is_echo(key->family, transport->icmp_type))
		return HW_REASON_PROTOCOL;
	key->source_port = key->destination_port = transport->icmp_identifier;
	return HW_REASON_STEERED;
}

static __always_inline enum hw_reason hw_parse_transport(const void *header, const void *data_end,
							 __u32 bytes, struct hw_packet *packet)
{
	const struct hw_transport *transport = header;
	struct hw_flow_key *key = &packet->key;

	if (bytes < sizeof(*transport) || (const void *)(transport + 1) > data_end)
		return HW_REASON_MALFORMED;
	if (key->protocol == IPPROTO_TCP || key->protocol == IPPROTO_UDP) {
		key->source_port = transport->source_port;
		key->destination_port = transport->destination_port;
		return HW_REASON_STEERED;
	}
	if (hw_is_echo(key->family, transport->icmp_type)) {
		key->source_port = key->destination_port = transport->icmp_identifier;
		return HW_REASON_STEERED;
	}
	packet->transport = 0;
	if (!hw_is_error(key->family, transport->icmp_type))
		return HW_REASON_PROTOCOL;
	return hw_parse_reported(transport + 1, data_end, bytes - sizeof(*transport), packet);
}

/*
 * A datagram that is put together again before it is routed takes the mark of its first fragment:
 * so that one is of the flow that its ports tell, like the flow's small datagrams. Elsewhere each
 * fragment goes its own way, and all must give the same flow: one without ports.
 */
static __always_inline enum hw_reason hw_parse_fragment(const struct hw_frame *frame,
							enum hw_piece piece, const void *header,
							struct hw_packet *packet)
{
	__u32 before = packet->transport - sizeof(struct ethhdr);
	enum hw_reason reason;

	if (!frame->reassembled) {
		packet->kind = HW_KIND_FRAGMENT;
		packet->transport = 0;
		return HW_REASON_STEERED;
	}
	if (piece == HW_BEHIND)
		return HW_REASON_FRAGMENT;
	reason = hw_parse_transport(header, frame->data_end, packet->bytes - before, packet);
	packet->transport = 0; /* not all of it is here */
	return reason;
}

static __always_inline enum hw_reason hw_parse4(const struct hw_frame *frame, __u32 length,
						struct hw_packet *packet)
{
	const struct iphdr *ip = frame->data + sizeof(struct ethhdr);

	if ((const void *)(ip + 1) > frame->data_end || ip->version != 4 || ip->ihl < 5)
		return HW_REASON_MALFORMED;
	if (ip->ihl > 5)
		return HW_REASON_OPTIONS;
	packet->bytes = bpf_ntohs(ip->tot_len);
	if (!packet->bytes && frame->segment) /* an aggregate beyond 64 KiB */
		packet->bytes = length;
	if (packet->bytes < sizeof(*ip) || packet->bytes > length || hw_sum4(ip) != 0xffff)
		return HW_REASON_MALFORMED;
	packet->hops = ip->ttl;
	packet->dscp = ip->tos >> 2;
	packet->key.family = 4;
	packet->key.protocol = ip->protocol;
	__builtin_memcpy(packet->key.source, &ip->saddr, 4);
	__builtin_memcpy(packet->key.destination, &ip->daddr, 4);
	if (hw_stays_here4(packet->key.source) || hw_stays_here4(packet->key.destination))
		return HW_REASON_NOT_FOR_US;
	if (!hw_is_transport(4, ip->protocol))
		return HW_REASON_PROTOCOL;
	packet->transport = sizeof(struct ethhdr) + sizeof(*ip);
	if (ip->frag_off & bpf_htons(HW_FRAGMENT4)) {
		bool behind = ip->frag_off & bpf_htons(HW_OFFSET4);

		return hw_parse_fragment(frame, behind ? HW_BEHIND : HW_FIRST, ip + 1, packet);
	}
	return hw_parse_transport(ip + 1, frame->data_end, packet->bytes - sizeof(*ip), packet);
}

static __always_inline enum hw_reason hw_parse6(const struct hw_frame *frame, __u32 length,
						struct hw_packet *packet)
{
	const struct ipv6hdr *ip = frame->data + sizeof(struct ethhdr);
	enum hw_reason reason;
	struct hw_walk walk;

	if ((const void *)(ip + 1) > frame->data_end || ip->version != 6)
		return HW_REASON_MALFORMED;
	packet->bytes = sizeof(*ip) + bpf_ntohs(ip->payload_len);
	if (!ip->payload_len && frame->segment) /* an aggregate beyond 64 KiB */
		packet->bytes = length;
	if (packet->bytes > length)
		return HW_REASON_MALFORMED;
	packet->hops = ip->hop_limit;
	packet->dscp = hw_dscp6(ip);
	packet->key.family = 6;
	__builtin_memcpy(packet->key.source, &ip->saddr, 16);
	__builtin_memcpy(packet->key.destination, &ip->daddr, 16);
	if (hw_stays_here6(packet->key.source) || hw_stays_here6(packet->key.destination))
		return HW_REASON_NOT_FOR_US;
	reason = hw_walk6(ip, frame->data_end, packet->bytes, HW_MAX_EXTENSIONS, &walk);
	if (reason != HW_REASON_STEERED)
		return reason;
	packet->key.protocol = walk.next;
	packet->transport = sizeof(struct ethhdr) + walk.offset;
	if (walk.fragment)
		return hw_parse_fragment(frame, walk.fragment, (const void *)ip + walk.offset,
					 packet);
	return hw_parse_transport((const void *)ip + walk.offset, frame->data_end,
				  packet->bytes - walk.offset, packet);
}

static __always_inline enum hw_reason hw_parse(const struct hw_frame *frame,
					       struct hw_packet *packet)
{
	const struct ethhdr *ethernet = frame->data;

	__builtin_memset(packet, 0, sizeof(*packet));
	if ((const void *)(ethernet + 1) > frame->data_end || frame->length < sizeof(*ethernet))
		return HW_REASON_MALFORMED;
	switch (ethernet->h_proto) {
	case bpf_htons(ETH_P_IP):
	case bpf_htons(ETH_P_IPV6):
		break;
	case bpf_htons(ETH_P_8021Q):
	case bpf_htons(ETH_P_8021AD):
		return HW_REASON_VLAN;
	default:
		return HW_REASON_NOT_IP;
	}
	/* A device without Ethernet headers has something else in the place of the type. */
	if (ethernet->h_proto != frame->protocol)
		return HW_REASON_NOT_IP;
	if (ethernet->h_proto == bpf_htons(ETH_P_IP))
		return hw_parse4(frame, frame->length - sizeof(*ethernet), packet);
	return hw_parse6(frame, frame->length - sizeof(*ethernet), packet);
}

#endif
